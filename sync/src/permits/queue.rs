//! The queue of those who wait for permits: whose turn it is, as plain data under the lock of
//! [`permits`](super).
//!
//! # Invariants
//! Q1. A waiting entry (not called, not absent) has a waker, unless its owner is at this moment spinning
//!     inside a poll; a called one has given its waker to be woken, unless it was awake anyway.
//! Q2. *Entitled* entries were called because permits were there for all of them at once: the needs of all
//!     that are entitled and not absent add up to no more than the free permits, unless some were forgotten
//!     or taken past them since, or somebody absent has come back. So each may take without looking at the
//!     others, and looks at the count.
//! Q3. Absent entries are skipped, until their next poll makes them waiting again, in their old place.
//! Q4. Where a task goes to sleep that was woken for an entry further ahead, that entry is *deaf*: the wake-up
//!     has been used up. It keeps its turn until its call lapses, for it may be polled right after; but it is
//!     no witness, and the next one is called before that task sleeps. Tasks are told apart by their wakers'
//!     addresses. The search for such entries ends at the first that waits: behind that nothing is on offer.
//!
//! Where many have been called, a [`Crowd`] keeps what a walk from the front has found of them, so that not each of them
//! has to look at all the others.
//!
//! # The clock
//! Reading it costs as much as everything else here together. So a waiter's patience begins when it has come
//! in vain, or, where newcomers may barge, as it queues; and whoever needs the time more than once under one
//! hold of the lock asks for it once ([`Now`]).

use std::task::Waker;

use super::crowd::{Crowd, MANY};
use super::waiter::{Now, Standing, Waiter};
use crate::clock;
use crate::wait_list::{Key, WaitList, Wakers};

/// How many looks a watching witness takes at most, in case the clock stands still.
pub(super) const LOOKS: u32 = if cfg!(loom) { 2 } else { 100_000 };

/// Those who wait, in the order in which they are served.
#[derive(Debug)]
pub(super) struct Queue {
    list: WaitList<Waiter>,
    crowd: Option<Box<Crowd>>,
}

/// What stands between an attempt and the free permits.
pub(super) enum Ahead {
    /// Somebody who waits.
    Blocked,
    /// Only those who were called, for this many permits in all.
    Called(usize),
}

/// What calling came to.
pub(super) struct Call {
    /// Somebody is expected to come.
    pub(super) anybody: bool,
    /// The first of those that were called is starved.
    pub(super) first_starved: bool,
    /// Nobody is left that waits for more permits than there are.
    pub(super) all_entitled: bool,
    /// So many permits are free beyond what those who were called want.
    pub(super) left: usize,
}

impl Queue {
    /// Nobody waits.
    pub(super) const fn new() -> Self {
        Self { list: WaitList::new(), crowd: None }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Whether nobody is in it that has to be woken: at most one, who spins.
    pub(super) fn all_spin(&mut self) -> bool {
        self.list
            .front()
            .is_none_or(|first| self.list.behind(first).is_none() && self.list.get_mut(first).is_spinning())
    }

    /// Queues somebody who wants `need` permits and is awake, to be told to wait or to watch before it
    /// sleeps.
    pub(super) fn push(&mut self, need: usize, ahead_of_all: bool, impatient: bool) -> Key {
        let waiter = Waiter::new(need, impatient);
        if ahead_of_all {
            self.forget_crowd();
            return self.list.push_front(waiter);
        }
        let key = self.list.push_back(waiter);
        if let Some(crowd) = &mut self.crowd {
            crowd.behind.get_or_insert(key);
        }
        key
    }

    /// Takes an entry out. Its waker is in it: drop it with no lock held.
    pub(super) fn remove(&mut self, key: Key) -> Waiter {
        if let Some(crowd) = &mut self.crowd
            && crowd.behind == Some(key)
        {
            crowd.behind = self.list.behind(key);
        }
        let waiter = self.list.remove(key);
        if let Some(crowd) = &mut self.crowd {
            waiter.comes_off(crowd);
        }
        if self.list.is_empty() {
            self.crowd = None;
        }
        waiter
    }

    /// It is called and entitled no more, nor absent: there is no crowd where it stands (R1).
    fn stands_out(&mut self, key: Key) {
        if self.list.get_mut(key).member.is_some() {
            self.forget_crowd();
        }
    }

    /// Costs no more than the walk that found it. Who was doubted for its sake is doubted on (R4).
    fn forget_crowd(&mut self) {
        if let Some(crowd) = self.crowd.take() {
            self.each_before(crowd.behind, |waiter| {
                waiter.deaf |= waiter.member.take().is_some_and(|since| since < crowd.turned_away);
            });
        }
    }

    /// Changes all who stand before `behind`.
    fn each_before(&mut self, behind: Option<Key>, change: impl Fn(&mut Waiter)) {
        let mut next = self.list.front();
        while let Some(key) = next
            && next != behind
        {
            change(self.list.get_mut(key));
            next = self.list.behind(key);
        }
    }

    /// Whether it has not come in time; then it is absent from now on, also in the crowd (R2).
    fn is_absent(&mut self, key: Key, now: &mut Now) -> bool {
        let waiter = self.list.get_mut(key);
        if waiter.has_lapsed(now) {
            if let Some(crowd) = &mut self.crowd {
                waiter.comes_off(crowd);
            }
            waiter.standing = Standing::Absent;
        }
        matches!(waiter.standing, Standing::Absent)
    }

    pub(super) fn has_waker(&mut self, key: Key, waker: &Waker) -> bool {
        self.list.get_mut(key).waker.as_ref().is_some_and(|own| own.will_wake(waker))
    }

    /// Puts a new waker in, if there is one; the former comes out, to be dropped with no lock held.
    pub(super) fn swap_waker(&mut self, key: Key, waker: &mut Option<Waker>) {
        self.list.get_mut(key).swap_waker(waker);
    }

    /// Whether permits were there for it when it was called.
    pub(super) fn is_entitled(&mut self, key: Key) -> bool {
        matches!(self.list.get_mut(key).standing, Standing::Called { entitled: true, .. })
    }

    /// Whether it was called and this is the poll that answers.
    pub(super) fn was_called(&mut self, key: Key) -> bool {
        !matches!(self.list.get_mut(key).standing, Standing::Waiting)
    }

    /// Its task goes to sleep.
    pub(super) fn wait(&mut self, key: Key, now: &mut Now) {
        self.stands_out(key);
        self.list.get_mut(key).sleeps(now);
    }

    /// Its task stays awake, to see whether those who were called come; after enough looks they are absent.
    pub(super) fn watch(&mut self, own: Key, now: &mut Now) {
        self.stands_out(own);
        let waiter = self.list.get_mut(own);
        waiter.watches(now);
        if waiter.looks < LOOKS {
            return;
        }
        waiter.looks = 0;
        self.forget_crowd();
        let mut next = self.list.front();
        while let Some(key) = next
            && key != own
        {
            self.list.get_mut(key).standing = Standing::Absent;
            next = self.list.behind(key);
        }
    }

    /// The task of `waker` is about to sleep in `own`: those of its entries ahead that were called are deaf (Q4).
    /// Says whether there were any that nobody had known of.
    pub(super) fn turns_away(&mut self, own: Option<Key>, waker: &Waker) -> bool {
        let (mut found, mut next) = (false, self.list.front());
        if let Some(crowd) = &mut self.crowd {
            (found, next) = (crowd.may_be_turned_away_from(), crowd.behind);
        }
        while let Some(key) = next
            && next != own
        {
            let waiter = self.list.get_mut(key);
            match waiter.standing {
                Standing::Waiting => break,
                Standing::Called { .. } if waiter.belongs_to(waker) && !waiter.deaf => {
                    waiter.deaf = true;
                    found = true;
                }
                _ => {}
            }
            next = self.list.behind(key);
        }
        found
    }

    /// Whether the first who is present has been called and has not come in time, or could be called.
    pub(super) fn is_due(&mut self, free: usize, now: &mut Now) -> bool {
        let mut next = match &self.crowd {
            Some(crowd) if !crowd.stands(now.get()) => return true,
            Some(crowd) if crowd.reserved > 0 => return false,
            Some(crowd) => crowd.behind,
            None => self.list.front(),
        };
        while let Some(key) = next {
            let waiter = self.list.get_mut(key);
            match waiter.standing {
                Standing::Absent => next = self.list.behind(key),
                Standing::Called { .. } => return self.is_absent(key, now),
                Standing::Waiting => return waiter.need <= free,
            }
        }
        false
    }

    /// Who goes before `own`, or before somebody at the end of the queue; `past_called`, if it may go past those who
    /// were called for a single permit, until they have waited for long.
    pub(super) fn ahead_of(&mut self, own: Option<Key>, past_called: bool, now: &mut Now) -> Ahead {
        let at_stake = own.or_else(|| self.list.back());
        match at_stake.map(|key| self.list.get_mut(key).standing) {
            Some(Standing::Called { entitled: true, .. }) if own.is_some() => return Ahead::Called(0), // Q2
            Some(Standing::Waiting) if own.is_none() => return Ahead::Blocked,
            _ => {}
        }
        let (mut reserved, mut next) = match self.crowd_before(own, past_called, now) {
            Some(crowd) if past_called => (0, crowd.behind),
            Some(crowd) => (crowd.reserved, crowd.behind),
            None => (0, self.list.front()),
        };
        while let Some(key) = next
            && next != own
        {
            if !self.is_absent(key, now) {
                let waiter = self.list.get_mut(key);
                match waiter.standing {
                    Standing::Called { entitled: true, .. }
                        if past_called && waiter.need == 1 && !waiter.is_starved(now) => {}
                    // Where permits were forgotten since (Q2), these may add up to anything.
                    Standing::Called { entitled: true, .. } => {
                        reserved = waiter.need.saturating_add(reserved);
                    }
                    Standing::Called { entitled: false, .. } if waiter.deaf => {}
                    _ => return Ahead::Blocked,
                }
            }
            next = self.list.behind(key);
        }
        Ahead::Called(reserved)
    }

    /// The crowd, if all of it stands before `own` and tells all that has to be known of it.
    fn crowd_before(&mut self, own: Option<Key>, past_called: bool, now: &mut Now) -> Option<&Crowd> {
        let member = own.is_some_and(|key| self.list.get_mut(key).member.is_some());
        self.crowd
            .as_deref()
            .filter(|crowd| !member && (!past_called || crowd.passable) && crowd.stands(now.get()))
    }

    /// Calls those for whom `free` permits suffice, and a witness if it is in doubt whether they come.
    ///
    /// There is no doubt about who is awake, or has come to an earlier call and has not waited long since. Then the
    /// witness, whom it would cost a poll for nothing, can sleep on. That several have been called is no reason
    /// for it to: all of them may have been abandoned.
    pub(super) fn call(&mut self, free: usize, wakers: &mut Wakers, now: &mut Now) -> Call {
        if self.crowd.as_ref().is_some_and(|crowd| crowd.reserved > free || !crowd.stands(now.get())) {
            self.forget_crowd();
        }
        let crowd = self.crowd.as_deref();
        let mut result = Call { anybody: false, first_starved: false, all_entitled: true, left: free };
        let (mut doubtful, mut passable) = (false, true);
        let mut next = self.list.front();
        if let Some(crowd) = crowd {
            result.anybody = crowd.reserved > 0;
            result.first_starved = result.anybody && crowd.first_starved;
            result.left -= crowd.reserved;
            doubtful = result.anybody && crowd.doubtful;
            (passable, next) = (crowd.passable, crowd.behind);
        }
        let crowded = crowd.map(|crowd| crowd.turned_away);
        let (mut passed, mut behind) = (0, None);
        while let Some(key) = next {
            next = self.list.behind(key);
            let absent = self.is_absent(key, now);
            let waiter = self.list.get_mut(key);
            if !absent && (!result.all_entitled || waiter.need > result.left) {
                behind.get_or_insert(key);
                result.all_entitled = false;
                if doubtful {
                    waiter.call(false, wakers, now);
                    if waiter.deaf {
                        continue; // no witness
                    }
                }
                break;
            }
            if result.all_entitled {
                waiter.member = crowded;
                passed += 1;
            }
            if absent {
                continue;
            }
            let spins = waiter.is_spinning();
            waiter.call(true, wakers, now);
            let starved = waiter.is_starved(now);
            result.left -= waiter.need;
            result.first_starved |= starved && !result.anybody;
            doubtful |= starved || waiter.deaf || !(waiter.came || spins);
            passable &= waiter.need == 1 && !starved;
            result.anybody = true;
        }
        if crowded.is_none() && passed >= MANY {
            self.each_before(behind, |waiter| waiter.member = Some(0));
            self.crowd = Some(Box::new(Crowd::found(now.get(), clock::now())));
        }
        if let Some(crowd) = &mut self.crowd {
            crowd.joined |= passed > 0;
            (crowd.reserved, crowd.behind) = (free - result.left, behind);
            (crowd.doubtful, crowd.passable, crowd.first_starved) =
                (doubtful, passable, result.first_starved);
        }
        result
    }

    /// Wakes everybody who sleeps: nobody will be served any more.
    pub(super) fn wake_all(&mut self, wakers: &mut Wakers) {
        let mut next = self.list.front();
        while let Some(key) = next {
            wakers.push(self.list.get_mut(key).waker.take());
            next = self.list.behind(key);
        }
    }

    /// Whether there is a crowd; R1 and R2 have to hold of it.
    #[cfg(all(test, not(loom)))]
    pub(super) fn check_crowd(&mut self) -> bool {
        let behind = self.crowd.as_ref().map(|crowd| crowd.behind);
        let (mut next, mut before, mut wanted) = (self.list.front(), behind.is_some(), 0);
        while let Some(key) = next {
            before &= behind != Some(next);
            next = self.list.behind(key);
            let waiter = self.list.get_mut(key);
            assert_eq!(waiter.member.is_some(), before, "R1: who stands before `behind` is a member");
            wanted += match waiter.standing {
                Standing::Called { entitled: true, .. } if before => waiter.need,
                Standing::Absent => 0,
                _ => usize::from(before) * usize::MAX, // R1
            };
        }
        assert!(self.crowd.as_ref().is_none_or(|crowd| crowd.reserved == wanted), "R2");
        self.crowd.is_some()
    }

    /// The entries, in order.
    #[cfg(all(test, not(loom)))]
    pub(super) fn entries(&mut self) -> (Key, Key, &mut WaitList<Waiter>) {
        let first = self.list.front().expect("somebody waits");
        (first, self.list.behind(first).expect("somebody waits behind"), &mut self.list)
    }
}
