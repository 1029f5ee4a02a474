//! The queue of those who wait for permits: whose turn it is, as plain data under the lock of
//! [`permits`](super).
//!
//! # Invariants
//! Q1. A waiting entry (not called, not absent) has a waker, unless its owner is at this moment spinning
//!     inside a poll; a called one has given its waker to be woken, unless it was awake anyway.
//! Q2. *Entitled* entries were called because permits were there for all of them at once: the needs of all
//!     that are entitled and not absent add up to no more than the free permits, unless some were forgotten
//!     or (with barging) taken since. So each may take without looking at the others, and looks at the
//!     count.
//! Q3. Absent entries are skipped, until their next poll makes them waiting again, in their old place.
//! Q4. A task that was woken for one entry, and polls another behind it or a new one, has used the wake-up up:
//!     the first is absent at once (until it is polled, perhaps right after), and the next one is called
//!     before that task sleeps. So no wake-up ends at a task that only waits behind the one it was for. The
//!     search for such entries ends at the first that waits: behind that nothing is on offer.
//!
//! # The clock
//! Reading it costs as much as everything else here together. So a waiter's patience begins when it has come
//! in vain, or, where newcomers may barge, as it queues; and whoever needs the time more than once under one
//! hold of the lock asks for it once ([`Now`]).

use std::task::Waker;
use std::time::Instant;

use crate::wait_list::{Key, WaitList, Wakers};
use crate::{clock, patience};

/// How many looks a watching witness takes at most, should the clock stand still meanwhile.
pub(super) const LOOKS: u32 = if cfg!(loom) { 2 } else { 100_000 };

/// Those who wait, in the order in which they are served.
#[derive(Debug)]
pub(super) struct Queue(WaitList<Waiter>);

#[derive(Debug)]
pub(super) struct Waiter {
    need: usize,
    /// Since when it is impatient.
    since: Option<Instant>,
    pub(super) standing: Standing,
    /// It was polled after a call: its task does poll it when it is woken.
    came: bool,
    waker: Option<Waker>,
    /// Whose waker it has, or had before it was called: an address to compare, not to follow.
    task: usize,
    pub(super) looks: u32,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Standing {
    /// Asleep, or spinning.
    Waiting,
    /// Woken at this time, and not polled since: because permits are there for it, or as the witness.
    Called { at: Instant, entitled: bool },
    /// Called, and not come in time.
    Absent,
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

/// The time, read when it is first asked for.
#[derive(Default)]
pub(super) struct Now(Option<Instant>);

impl Now {
    fn get(&mut self) -> Instant {
        *self.0.get_or_insert_with(clock::now)
    }
}

impl Queue {
    /// Nobody waits.
    pub(super) const fn new() -> Self {
        Self(WaitList::new())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Queues somebody who wants `need` permits and is awake, to be told to wait or to watch before it
    /// sleeps.
    pub(super) fn push(&mut self, need: usize, ahead_of_all: bool, impatient: bool) -> Key {
        let waiter = Waiter {
            need,
            since: impatient.then(clock::now),
            standing: Standing::Waiting,
            came: false,
            waker: None,
            task: 0,
            looks: 0,
        };
        if ahead_of_all { self.0.push_front(waiter) } else { self.0.push_back(waiter) }
    }

    /// Takes an entry out. Its waker is in it: drop it with no lock held.
    pub(super) fn remove(&mut self, key: Key) -> Waiter {
        self.0.remove(key)
    }

    pub(super) fn has_waker(&mut self, key: Key, waker: &Waker) -> bool {
        self.0.get_mut(key).waker.as_ref().is_some_and(|own| own.will_wake(waker))
    }

    /// Puts a new waker in, if there is one; the former comes out, to be dropped with no lock held.
    pub(super) fn swap_waker(&mut self, key: Key, waker: &mut Option<Waker>) {
        if let Some(new) = waker {
            let waiter = self.0.get_mut(key);
            waiter.task = task_of(new);
            std::mem::swap(&mut waiter.waker, waker);
        }
    }

    /// Whether it was called and this is the poll that answers.
    pub(super) fn was_called(&mut self, key: Key) -> bool {
        !matches!(self.0.get_mut(key).standing, Standing::Waiting)
    }

    /// Its task goes to sleep.
    pub(super) fn wait(&mut self, key: Key, now: &mut Now) {
        let waiter = self.0.get_mut(key);
        debug_assert!(waiter.waker.is_some(), "Q1: nobody sleeps without a waker");
        if !matches!(waiter.standing, Standing::Waiting) {
            waiter.came = true;
            waiter.since.get_or_insert_with(|| now.get());
        }
        (waiter.standing, waiter.looks) = (Standing::Waiting, 0);
    }

    /// Its task stays awake, to see whether those who were called come; after enough looks they are absent.
    pub(super) fn watch(&mut self, own: Key, now: &mut Now) {
        let waiter = self.0.get_mut(own);
        waiter.standing = Standing::Called { at: now.get(), entitled: false };
        waiter.looks += 1;
        if waiter.looks < LOOKS {
            return;
        }
        waiter.looks = 0;
        let mut next = self.0.front();
        while let Some(key) = next
            && key != own
        {
            self.0.get_mut(key).standing = Standing::Absent;
            next = self.0.behind(key);
        }
    }

    /// The task of `waker` is here, for `own` or as a newcomer: those of its entries ahead that were called are
    /// absent, for the wake-up that they got has been used for this (Q4). Says whether there were any.
    pub(super) fn turns_away(&mut self, own: Option<Key>, waker: &Waker) -> bool {
        let (task, mut found) = (task_of(waker), false);
        let mut next = self.0.front();
        while let Some(key) = next
            && next != own
        {
            let waiter = self.0.get_mut(key);
            match waiter.standing {
                Standing::Waiting => break,
                Standing::Called { .. } if waiter.task == task => {
                    waiter.standing = Standing::Absent;
                    found = true;
                }
                _ => {}
            }
            next = self.0.behind(key);
        }
        found
    }

    /// Who goes before `own`, or before somebody at the end of the queue.
    pub(super) fn ahead_of(&mut self, own: Option<Key>, now: &mut Now) -> Ahead {
        let at_stake = own.or_else(|| self.0.back());
        match at_stake.map(|key| self.0.get_mut(key).standing) {
            Some(Standing::Called { entitled: true, .. }) if own.is_some() => return Ahead::Called(0), // Q2
            Some(Standing::Waiting) if own.is_none() => return Ahead::Blocked,
            _ => {}
        }
        let mut reserved = 0;
        let mut next = self.0.front();
        while let Some(key) = next
            && next != own
        {
            let waiter = self.0.get_mut(key);
            if !waiter.is_absent(now) {
                match waiter.standing {
                    // Where permits were forgotten since (Q2), these may add up to anything.
                    Standing::Called { entitled: true, .. } => {
                        reserved = waiter.need.saturating_add(reserved);
                    }
                    _ => return Ahead::Blocked,
                }
            }
            next = self.0.behind(key);
        }
        Ahead::Called(reserved)
    }

    /// Calls those for whom `free` permits suffice, and a witness if it is in doubt whether they come.
    ///
    /// There is no doubt about who is awake, or has come to an earlier call and has not waited long since. Then the
    /// witness, whom it would cost a poll for nothing, can sleep on. That several have been called is no reason
    /// for it to: all of them may have been abandoned.
    pub(super) fn call(&mut self, free: usize, wakers: &mut Wakers, now: &mut Now) -> Call {
        let mut result = Call { anybody: false, first_starved: false, all_entitled: true, left: free };
        let mut doubtful = false;
        let mut next = self.0.front();
        while let Some(key) = next {
            next = self.0.behind(key);
            let waiter = self.0.get_mut(key);
            if waiter.is_absent(now) {
                continue;
            }
            if waiter.need > result.left {
                if doubtful {
                    waiter.call(false, wakers, now);
                }
                result.all_entitled = false;
                break;
            }
            let spins = waiter.is_spinning();
            waiter.call(true, wakers, now);
            let starved = waiter.since.is_some_and(|since| patience::is_starved(since, now.get()));
            result.left -= waiter.need;
            result.first_starved |= starved && !result.anybody;
            doubtful |= starved || !(waiter.came || spins);
            result.anybody = true;
        }
        result
    }

    /// Wakes everybody who sleeps: nobody will be served any more.
    pub(super) fn wake_all(&mut self, wakers: &mut Wakers) {
        let mut next = self.0.front();
        while let Some(key) = next {
            wakers.push(self.0.get_mut(key).waker.take());
            next = self.0.behind(key);
        }
    }

    /// The entries, in order.
    #[cfg(all(test, not(loom)))]
    pub(super) fn entries(&mut self) -> (Key, Key, &mut WaitList<Waiter>) {
        let first = self.0.front().expect("somebody waits");
        (first, self.0.behind(first).expect("somebody waits behind"), &mut self.0)
    }
}

/// What tells one task's wakers from another's. Where two tasks share it, one of them loses a turn now and then.
fn task_of(waker: &Waker) -> usize {
    waker.data().addr()
}

impl Waiter {
    fn is_absent(&mut self, now: &mut Now) -> bool {
        if let Standing::Called { at, .. } = self.standing
            && patience::has_lapsed(at, now.get())
        {
            self.standing = Standing::Absent;
        }
        matches!(self.standing, Standing::Absent)
    }

    /// Q1: it needs no waking.
    fn is_spinning(&self) -> bool {
        matches!(self.standing, Standing::Waiting) && self.waker.is_none()
    }

    fn call(&mut self, entitled: bool, wakers: &mut Wakers, now: &mut Now) {
        if entitled {
            wakers.push(self.waker.take());
        } else {
            // A scheduler that runs first what was woken last is to run the witness after the others.
            wakers.push_ahead(self.waker.take());
        }
        if !matches!(self.standing, Standing::Called { entitled: before, .. } if before >= entitled) {
            self.standing = Standing::Called { at: now.get(), entitled };
        }
    }
}
