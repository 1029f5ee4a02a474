//! The timers of one processor: a [`Wheel`] of wakers behind a lock, its next deadline published beside it.
//!
//! A timer lives with the processor that made it, so that setting and cancelling meet no contention. But
//! others must reach it: a timer may be cancelled from anywhere, and a machine that is stuck in a long poll
//! cannot serve its processor's timers, so whoever looks for work may run them. Hence the lock; and because
//! every machine asks each processor *is anything due?* far more often than anything is, the answer to that
//! is one relaxed load of [`next_deadline`](TimerHome::next_deadline).
//!
//! ```text
//!   owner      insert, update ─┐
//!   anybody    cancel ─────────┤► lock ► wheel ► publish next ► unlock     then drop, clone or wake wakers
//!   anybody    expire ─────────┘                      │
//!   anybody    next_deadline ◄────────────────────────┘ no lock
//! ```
//!
//! # Invariants
//! H1. `next` is stored under the lock alone, before it is released, as the wheel then says. So the last
//!     store is the state of the wheel, and a reader without the lock sees a state that was true.
//!     Model: `loom::what_is_published_last_is_what_the_wheel_says`.
//! H2. No waker is cloned, woken or dropped under the lock: each may run foreign code, which may come back
//!     here. [`expire`](TimerHome::expire) and [`close`](TimerHome::close) hand wakers out for that reason.
//! H3. A waker leaves the wheel once: to `expire`, to `cancel` or to `close`, whoever has the lock first.
//!     The others learn from the key that it has gone. That is the whole of *cancel against fire*.
//! H4. Once closed, closed: the wheel has gone, [`insert`](TimerHome::insert) gives the waker back.
//!
//! # Orderings
//! | # | access | order | with | why | weakened, fails in |
//! |---|--------|-------|------|-----|--------------------|
//! | 1 | [`publish`](TimerHome::publish): `next` | Relaxed | 2 | the number is the whole message: who finds it due takes the lock, which orders the rest | – |
//! | 2 | [`next_deadline`](TimerHome::next_deadline): `next` | Relaxed | 1 | a stale value is the caller's affair: see below | – |
//!
//! # What a sleeper must do
//! A machine that sleeps until the earliest `next` it has seen misses an earlier deadline that is inserted
//! meanwhile. `insert` says when that may be so, and the scheduler's idle handshake does the rest: the sleeper
//! announces itself, fences, looks at `next`; the inserter publishes `next`, fences, looks for a sleeper.
//!
//! # Rejected
//! A lock-free wheel: cancelling would need a handshake per timer, and the lock costs 10 ns uncontended,
//! which it nearly always is. A message to the owner for every cancel: a task that moves between
//! processors would leave its dead timers behind until the owner wakes up.

use super::epoch::Epoch;
use super::slab::Key;
use super::wheel::{NEVER, Wheel};
use crossbeam_utils::CachePadded;
use pirn_sync::primitive::Mutex;
use pirn_sync::primitive::atomic::{AtomicU64, Ordering};
use std::cmp::Ordering::{Equal, Greater, Less};
use std::fmt;
use std::task::Waker;

/// What [`TimerHome::update`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EntryState {
    /// It is pending and will wake the waker that was given.
    Pending,
    /// As `Pending`; it was for an earlier moment before.
    PutOff,
    /// It is pending, but for a later moment.
    Later,
    /// It has fired, or was cancelled.
    Fired,
    /// The home was closed.
    Closed,
}

/// The timers of one processor; see the module.
pub(crate) struct TimerHome {
    /// What deadlines are counted from.
    pub(crate) epoch: Epoch,
    next: CachePadded<AtomicU64>,
    /// `None` once closed.
    wheel: Mutex<Option<Wheel<Waker>>>,
}

impl fmt::Debug for TimerHome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TimerHome").field("next", &self.next_deadline()).finish_non_exhaustive()
    }
}

impl TimerHome {
    /// An open home without timers, at time 0.
    pub(crate) fn new(epoch: Epoch) -> Self {
        let next = CachePadded::new(AtomicU64::new(NEVER));
        Self { epoch, next, wheel: Mutex::new(Some(Wheel::new())) }
    }

    /// Sets a timer, and says whether it is now the earliest. A closed home gives the waker back.
    pub(crate) fn insert(&self, deadline: u64, waker: Waker) -> Result<(Key, bool), Waker> {
        let mut guard = self.wheel.lock();
        let Some(wheel) = guard.as_mut() else {
            // The lock is released before the caller can drop what it gets back (H2).
            return Err(waker);
        };
        let key = wheel.insert(deadline, waker);
        let earliest = deadline < self.next_deadline();
        if earliest {
            self.publish(wheel.next_deadline());
        }
        Ok((key, earliest))
    }

    /// Lets a pending timer wake `waker` from now on, and not before `deadline`; says how the timer stands.
    ///
    /// It is put off, never brought forward: for that the caller cancels it, and sets another one.
    pub(crate) fn update(&self, key: Key, deadline: u64, waker: &Waker) -> EntryState {
        let state = match self.put_off(key, deadline, |current| current.will_wake(waker)) {
            Ok((state, true)) => return state,
            Ok((state, false)) => state,
            Err(other) => return other,
        };
        // Cloned outside the lock (H2); the timer may fire meanwhile, so it is looked up again.
        let mut waker = waker.clone();
        match self.put_off(key, deadline, |current| std::mem::swap(current, &mut waker)) {
            Ok(_) => state,
            Err(other) => other,
        }
    }

    fn put_off<R>(
        &self,
        key: Key,
        deadline: u64,
        f: impl FnOnce(&mut Waker) -> R,
    ) -> Result<(EntryState, R), EntryState> {
        let mut guard = self.wheel.lock();
        let wheel = guard.as_mut().ok_or(EntryState::Closed)?;
        let state = match wheel.deadline(key).ok_or(EntryState::Fired)?.cmp(&deadline) {
            Greater => return Err(EntryState::Later),
            Equal => EntryState::Pending,
            Less => {
                wheel.put_off(key, deadline);
                self.publish(wheel.next_deadline());
                EntryState::PutOff
            }
        };
        let result = wheel.get_mut(key).map(f).ok_or(EntryState::Fired)?;
        Ok((state, result))
    }

    /// Takes a timer back; true when it was pending.
    pub(crate) fn cancel(&self, key: Key) -> bool {
        let waker = self.locked_cancel(key);
        // Dropped here, outside the lock (H2).
        waker.is_some()
    }

    fn locked_cancel(&self, key: Key) -> Option<Waker> {
        let mut guard = self.wheel.lock();
        let wheel = guard.as_mut()?;
        let waker = wheel.cancel(key)?;
        self.publish(wheel.next_deadline());
        Some(waker)
    }

    /// When to look next, [`u64::MAX`] if nothing is pending: one relaxed load. Never after the earliest
    /// deadline; before it only if the earliest was cancelled or put off.
    #[inline]
    pub(crate) fn next_deadline(&self) -> u64 {
        self.next.load(Ordering::Relaxed)
    }

    /// Takes the wakers of what is due at `now`, about a batch of them, in the order of their deadlines;
    /// true if the caller should come again. The caller wakes them.
    pub(crate) fn expire(&self, now: u64, due: &mut Vec<Waker>) -> bool {
        if now < self.next_deadline() {
            return false;
        }
        let mut guard = self.wheel.lock();
        let Some(wheel) = guard.as_mut() else { return false };
        let more = wheel.expire(now, |waker| due.push(waker));
        self.publish(wheel.next_deadline());
        more
    }

    /// How many timers are pending.
    pub(crate) fn len(&self) -> usize {
        self.wheel.lock().as_ref().map_or(0, Wheel::len)
    }

    /// Closes the home for good and takes every waker, for the caller to wake: its runtime shuts down.
    pub(crate) fn close(&self, out: &mut Vec<Waker>) {
        let wheel = {
            let mut guard = self.wheel.lock();
            self.publish(NEVER);
            guard.take()
        };
        out.extend(wheel.into_iter().flat_map(Wheel::into_values));
    }

    /// Stores the next deadline. Only with the lock held (H1); an unchanged one leaves the cache line alone.
    fn publish(&self, next: u64) {
        if self.next_deadline() != next {
            self.next.store(next, Ordering::Relaxed);
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests;

#[cfg(all(test, loom))]
mod loom;
