//! Waiters that are all woken at once: what `broadcast`, `watch` and `oneshot` wait with.
//!
//! A state under a lock, and a crowd of waiting tasks beside it. A waiter asks a question of the state; while the
//! answer is "not yet" it stands in the crowd. Whoever changes the state rouses the crowd, and everybody asks again.
//!
//! # Invariants
//! D1. The question is asked and the waiter enlisted in one critical section, and the state is changed and the crowd taken out in
//!     one: so no change falls between the two.
//! D2. No waker and no value is cloned, called or dropped with the lock held.

use std::task::{Context, Poll};

use pirn_sync::primitive::{Mutex, MutexGuard};

use crate::wait_queue::{Key, Side, WaitQueues};
use crate::waiter::{Cargo, Party, WakeList};

/// A state, and those who wait for it to change.
#[derive(Debug)]
pub(crate) struct Crowd<S> {
    inner: Mutex<Inner<S>>,
}

#[derive(Debug)]
struct Inner<S> {
    state: S,
    waiters: WaitQueues<()>,
}

impl<S> Crowd<S> {
    pub(crate) fn new(state: S) -> Self {
        Self { inner: Mutex::new(Inner { state, waiters: WaitQueues::new() }) }
    }

    /// Reads or changes the state without telling anybody.
    pub(crate) fn with<R>(&self, f: impl FnOnce(&mut S) -> R) -> R {
        f(&mut self.lock().state)
    }

    /// Changes the state; if `f` says so, everybody who waits asks again.
    pub(crate) fn change<R>(&self, f: impl FnOnce(&mut S) -> (R, bool)) -> R {
        let mut wakes = WakeList::new();
        let result = {
            let mut inner = self.lock();
            let (result, rouse) = f(&mut inner.state);
            if rouse {
                inner.waiters.rouse_receivers(|party| wakes.push(party));
            }
            result
        };
        wakes.wake_all();
        result
    }

    /// Asks; stands in the crowd while the answer is `None`.
    pub(crate) fn poll<R>(
        &self,
        key: &mut Option<Key>,
        cx: &mut Context<'_>,
        mut ask: impl FnMut(&mut S) -> Option<R>,
    ) -> Poll<R> {
        {
            let mut inner = self.lock();
            if let Some(answer) = ask(&mut inner.state) {
                return Poll::Ready(answer);
            }
            if let Some(waiter) = *key {
                if matches!(inner.waiters.party_mut(waiter), Some(Party::Plain(old)) if old.will_wake(cx.waker()))
                {
                    return Poll::Pending;
                }
            }
        }
        let party = Party::Plain(cx.waker().clone());
        let (answer, old) = {
            let mut inner = self.lock();
            let old = key.take().map(|waiter| inner.waiters.remove(waiter));
            match ask(&mut inner.state) {
                Some(answer) => (Some(answer), (old, Some(party))),
                None => {
                    *key = Some(inner.waiters.push(Side::Receivers, party, Cargo::Empty));
                    (None, (old, None))
                }
            }
        };
        drop(old);
        answer.map_or(Poll::Pending, Poll::Ready)
    }

    /// Leaves the crowd.
    pub(crate) fn leave(&self, key: &mut Option<Key>) {
        if let Some(waiter) = key.take() {
            let held = self.lock().waiters.remove(waiter);
            drop(held);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner<S>> {
        self.inner.lock()
    }
}
