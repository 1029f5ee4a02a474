//! The queue of those who wait for permits: whose turn it is, as plain data under the lock of
//! [`permits`](super).
//!
//! # Invariants
//! Q1. A waiting entry (not called, not absent) has a waker; a called one has given it to be woken, unless
//!     it is watching, which is being awake by its own doing.
//! Q2. *Entitled* entries were called because permits were there for all of them at once: the needs of all
//!     that are entitled and not absent add up to no more than the free permits, unless some were forgotten
//!     or (with barging) taken since. So each may take without looking at the others, and looks at the
//!     count.
//! Q3. Absent entries are skipped, until their next poll makes them waiting again, in their old place.

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
    since: Instant,
    pub(super) standing: Standing,
    /// It was polled after a call: its task does poll it when it is woken.
    came: bool,
    waker: Option<Waker>,
    pub(super) looks: u32,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Standing {
    /// Asleep.
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

impl Queue {
    /// Nobody waits.
    pub(super) const fn new() -> Self {
        Self(WaitList::new())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Queues somebody who wants `need` permits, to be told at once to wait or to watch.
    pub(super) fn push(&mut self, need: usize, ahead_of_all: bool) -> Key {
        let waiter = Waiter {
            need,
            since: clock::now(),
            standing: Standing::Waiting,
            came: false,
            waker: None,
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
        if waker.is_some() {
            std::mem::swap(&mut self.0.get_mut(key).waker, waker);
        }
    }

    /// Its task goes to sleep.
    pub(super) fn wait(&mut self, key: Key) {
        let waiter = self.0.get_mut(key);
        debug_assert!(waiter.waker.is_some(), "Q1: nobody sleeps without a waker");
        waiter.came |= !matches!(waiter.standing, Standing::Waiting);
        (waiter.standing, waiter.looks) = (Standing::Waiting, 0);
    }

    /// Its task stays awake, to see whether those who were called come; after enough looks they are absent.
    pub(super) fn watch(&mut self, own: Key) {
        let waiter = self.0.get_mut(own);
        waiter.standing = Standing::Called { at: clock::now(), entitled: false };
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

    /// Who goes before `own`, or before somebody at the end of the queue.
    pub(super) fn ahead_of(&mut self, own: Option<Key>) -> Ahead {
        if let Some(own) = own
            && let Standing::Called { entitled: true, .. } = self.0.get_mut(own).standing
        {
            return Ahead::Called(0); // Q2
        }
        let mut reserved = 0;
        let mut next = self.0.front();
        while let Some(key) = next
            && next != own
        {
            let waiter = self.0.get_mut(key);
            if !waiter.is_absent(clock::now) {
                match waiter.standing {
                    Standing::Called { entitled: true, .. } => reserved += waiter.need,
                    _ => return Ahead::Blocked,
                }
            }
            next = self.0.behind(key);
        }
        Ahead::Called(reserved)
    }

    /// Calls those for whom `free` permits suffice, and a witness if it is in doubt whether they come. True
    /// if the first of them is starved.
    ///
    /// There is no doubt about who has come to an earlier call and has not waited long since: then the
    /// witness, whom it would cost a poll for nothing, can sleep on.
    pub(super) fn call(&mut self, mut free: usize, wakers: &mut Wakers) -> bool {
        let now = clock::now();
        let mut first_starved = None;
        let mut doubtful = false;
        let mut next = self.0.front();
        while let Some(key) = next {
            next = self.0.behind(key);
            let waiter = self.0.get_mut(key);
            if waiter.is_absent(|| now) {
                continue;
            }
            let entitled = waiter.need <= free;
            if !entitled && !doubtful {
                break;
            }
            waiter.call(now, entitled, wakers);
            if !entitled {
                break;
            }
            free -= waiter.need;
            let starved = patience::is_starved(waiter.since, now);
            doubtful |= starved || !waiter.came;
            first_starved.get_or_insert(starved);
        }
        first_starved == Some(true)
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

impl Waiter {
    /// Reads the clock only where the answer depends on it.
    fn is_absent(&mut self, now: impl FnOnce() -> Instant) -> bool {
        if let Standing::Called { at, .. } = self.standing
            && patience::has_lapsed(at, now())
        {
            self.standing = Standing::Absent;
        }
        matches!(self.standing, Standing::Absent)
    }

    fn call(&mut self, now: Instant, entitled: bool, wakers: &mut Wakers) {
        let at = match self.standing {
            Standing::Called { at, entitled: before } if before >= entitled => at,
            _ => now,
        };
        if entitled {
            wakers.push(self.waker.take());
        } else {
            // A scheduler that runs first what was woken last is to run the witness after the others.
            wakers.push_ahead(self.waker.take());
        }
        self.standing = Standing::Called { at, entitled };
    }
}
