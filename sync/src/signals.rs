//! Signals: the queue of those who wait *to be told* something, under `WaitGroup`, `Cond`, `Barrier` and
//! `Notify`.
//!
//! A lock's waiter competes for something that is there or not. The waiters here wait for an event, and an
//! event must not be missed: whoever stood in the queue when it happened has been told, even if it is polled
//! much later, and even if the next event, or the next round, has come by then. So the signal is written
//! into the entry, and the entry keeps it until its owner fetches it or cancels.
//!
//! ```text
//!                 enter                 signal_first, signal_all             poll
//!   not queued ──────────► queued, no signal ──────────► taken off, with signal ──────► ready
//!                                │ dropped                      │ dropped
//!                                ▼                              ▼
//!                             leaves              leaves, and the primitive says what becomes
//!                                                 of the signal: passed on, or void
//! ```
//!
//! Beside the queue, under the same lock, stands whatever the primitive has to decide together with it: a
//! stored permit, a count of arrivals. All of it is plain data under a lock: nothing here needs an atomic.
//!
//! # Invariants
//! S1. An entry is given at most one signal, and leaves the queue in the same step; entries are signalled
//!     in the order in which they came.
//! S2. What decides whether to wait and the queueing happen under one hold of the lock: no signal falls
//!     between them.
//! S3. Wakers are cloned, woken and dropped with the lock released.

use std::panic::{Location, RefUnwindSafe};
use std::task::{Context, Poll, Waker};

use crate::host::{self, WaitKind};
use crate::primitive::Mutex;
use crate::wait_list::{Key, WaitList, Wakers};

/// A queue of those who wait for a signal `S`, and the state `X` that belongs to it.
#[derive(Debug)]
pub(crate) struct Signals<X, S> {
    inner: Mutex<Inner<X, S>>,
}

/// What the lock protects.
#[derive(Debug)]
pub(crate) struct Inner<X, S> {
    /// What the primitive keeps beside the queue.
    pub(crate) state: X,
    queue: WaitList<Entry<S>>,
}

// Whatever panics does so with the lock released and everything in its place (S3).
impl<X, S> RefUnwindSafe for Signals<X, S> {}

#[derive(Debug)]
struct Entry<S> {
    signal: Option<S>,
    waker: Option<Waker>,
}

/// One wait: what and where, and its entry once it is queued.
///
/// Whoever drops it before it was told anything calls [`Signals::cancel`].
#[derive(Debug)]
pub(crate) struct Wait {
    key: Option<Key>,
    kind: WaitKind,
    at: &'static Location<'static>,
}

impl Wait {
    /// A wait that has not begun.
    #[inline]
    pub(crate) fn new(kind: WaitKind, at: &'static Location<'static>) -> Self {
        Self { key: None, kind, at }
    }

    /// Whether it stands in the queue, or has been told and not fetched it yet.
    #[inline]
    pub(crate) fn has_begun(&self) -> bool {
        self.key.is_some()
    }

    /// Where it was called.
    pub(crate) fn at(&self) -> &'static Location<'static> {
        self.at
    }
}

impl<X, S: Copy> Inner<X, S> {
    /// Whether nobody waits that has not been told.
    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Tells the one who has waited longest, if anybody waits.
    pub(crate) fn signal_first(&mut self, signal: S, wakers: &mut Wakers) -> bool {
        let Some(entry) = self.queue.take_front() else { return false };
        entry.signal = Some(signal);
        wakers.push(entry.waker.take());
        true
    }

    /// Tells everybody who waits at this moment.
    pub(crate) fn signal_all(&mut self, signal: S, wakers: &mut Wakers) {
        while self.signal_first(signal, wakers) {}
    }
}

impl<X, S: Copy> Signals<X, S> {
    crate::const_fn! {
        /// An empty queue beside `state`.
        pub(crate) const fn new(state: X) -> Self {
            Self { inner: Mutex::new(Inner { state, queue: WaitList::new() }) }
        }
    }

    /// Changes the state and signals under the lock, then wakes who was signalled.
    pub(crate) fn with<R>(&self, change: impl FnOnce(&mut Inner<X, S>, &mut Wakers) -> R) -> R {
        let mut wakers = Wakers::new();
        let mut inner = self.inner.lock();
        let result = change(&mut inner, &mut wakers);
        drop(inner);
        wakers.wake();
        result
    }

    /// Begins a wait without a waker, unless `enter` answers at once. `enter` runs under the lock (S2).
    pub(crate) fn enter(
        &self,
        wait: &mut Wait,
        mut waker: Option<Waker>,
        enter: impl FnOnce(&mut Inner<X, S>, &mut Wakers) -> Option<S>,
    ) -> Option<S> {
        debug_assert!(!wait.has_begun(), "a wait begins once");
        self.with(|inner, wakers| {
            let answer = enter(inner, wakers);
            if answer.is_none() {
                wait.key = Some(inner.queue.push_back(Entry { signal: None, waker: waker.take() }));
            }
            answer
        })
    }

    /// Polls a wait: begins it if it has not begun, by way of `enter`; fetches its signal if there is one.
    pub(crate) fn poll(
        &self,
        wait: &mut Wait,
        context: &Context<'_>,
        enter: impl FnOnce(&mut Inner<X, S>, &mut Wakers) -> Option<S>,
    ) -> Poll<S> {
        let told = match wait.key {
            None => self.enter(wait, Some(context.waker().clone()), enter),
            Some(key) => self.fetch(key, context).inspect(|_| wait.key = None),
        };
        match told {
            Some(signal) => Poll::Ready(signal),
            None => {
                host::waiting_on(wait.kind, wait.at);
                Poll::Pending
            }
        }
    }

    /// The signal of a wait that has begun, if there is one.
    pub(crate) fn try_fetch(&self, wait: &mut Wait) -> Option<S> {
        let key = wait.key?;
        let mut inner = self.inner.lock();
        inner.queue.get_mut(key).signal?;
        let told = inner.queue.remove(key);
        drop(inner);
        wait.key = None;
        told.signal
    }

    /// The signal of a wait that has begun, or else `None` and this task's waker left behind.
    fn fetch(&self, key: Key, context: &Context<'_>) -> Option<S> {
        let mut spare = None;
        loop {
            let mut inner = self.inner.lock();
            let entry = inner.queue.get_mut(key);
            if entry.signal.is_some() {
                if spare.is_some() {
                    // Dropped before anything is taken: if that panics, the signal is still there.
                    drop(inner);
                    spare = None;
                    continue;
                }
                let told = inner.queue.remove(key);
                drop(inner);
                return told.signal;
            }
            if entry.waker.as_ref().is_some_and(|waker| waker.will_wake(context.waker())) {
                return None;
            }
            if spare.is_some() {
                // The former waker comes out, to be dropped with no lock held.
                std::mem::swap(&mut entry.waker, &mut spare);
                return None;
            }
            drop(inner);
            spare = Some(context.waker().clone());
        }
    }

    /// Leaves the queue if the wait had begun. `undo` learns under the lock whether it had been told
    /// something that is now nobody's.
    #[inline]
    pub(crate) fn cancel(
        &self,
        wait: &mut Wait,
        undo: impl FnOnce(&mut Inner<X, S>, Option<S>, &mut Wakers),
    ) {
        if let Some(key) = wait.key.take() {
            self.leave(key, undo);
        }
    }

    #[cold]
    fn leave(&self, key: Key, undo: impl FnOnce(&mut Inner<X, S>, Option<S>, &mut Wakers)) {
        let left = self.with(|inner, wakers| {
            let left = inner.queue.remove(key);
            undo(inner, left.signal, wakers);
            left
        });
        drop(left);
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
