//! The two futures of a condition variable, and what dropping them undoes (C1 to C3 of [`cond`](super)).

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::{Cond, Notice};
use crate::host::{self, WaitKind};
use crate::mutex::{Lock, Mutex, MutexGuard};
use crate::signals::Wait;

/// The future of [`Cond::wait`].
#[must_use = "futures do nothing unless awaited"]
pub struct CondWait<'c, 'm, T: ?Sized> {
    cond: &'c Cond,
    wait: Wait,
    stage: Stage<'m, T>,
}

/// How far it has come.
enum Stage<'m, T: ?Sized> {
    Entering(MutexGuard<'m, T>),
    Waiting(&'m Mutex<T>),
    Locking(Lock<'m, T>, Notice),
    Done,
}

impl<'c, 'm, T: ?Sized> CondWait<'c, 'm, T> {
    pub(super) fn new(cond: &'c Cond, guard: MutexGuard<'m, T>, wait: Wait) -> Self {
        Self { cond, wait, stage: Stage::Entering(guard) }
    }
}

impl<'m, T: ?Sized> Future for CondWait<'_, 'm, T> {
    type Output = MutexGuard<'m, T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if let Stage::Entering(guard) = &this.stage {
            // Queued first (C1), unlocked second: the assignment drops the guard.
            let queued = this.cond.waiters.poll(&mut this.wait, context, |_, _| None);
            this.stage = Stage::Waiting(MutexGuard::mutex(guard));
            debug_assert!(queued.is_pending(), "nobody is told before it is queued");
            return Poll::Pending;
        }
        if let Stage::Waiting(mutex) = this.stage {
            ready!(host::poll_yield(context));
            let notice = ready!(this.cond.waiters.poll(&mut this.wait, context, |_, _| None));
            this.stage = Stage::Locking(mutex.lock_from(this.wait.at()), notice);
        }
        let Stage::Locking(lock, _) = &mut this.stage else {
            panic!("a `CondWait` was polled again after it had been ready");
        };
        let guard = ready!(Pin::new(lock).poll(context));
        this.stage = Stage::Done;
        Poll::Ready(guard)
    }
}

impl<T: ?Sized> Drop for CondWait<'_, '_, T> {
    fn drop(&mut self) {
        // C2: an unspent notice goes to the next one.
        self.cond.waiters.cancel(&mut self.wait, |waiters, told, wakers| {
            if told == Some(Notice::One) {
                waiters.signal_first(Notice::One, wakers);
            }
        });
        if let Stage::Locking(_, Notice::One) = self.stage {
            self.cond.notify_one();
        }
    }
}

impl<T: ?Sized> fmt::Debug for CondWait<'_, '_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CondWait").finish_non_exhaustive()
    }
}

/// The future of [`Cond::wait_while`].
#[must_use = "futures do nothing unless awaited"]
pub struct CondWaitWhile<'c, 'm, T: ?Sized, F> {
    cond: &'c Cond,
    at: &'static Location<'static>,
    condition: F,
    stage: Looking<'c, 'm, T>,
}

/// Whether the value is at hand or waited for.
enum Looking<'c, 'm, T: ?Sized> {
    At(MutexGuard<'m, T>),
    Waiting(CondWait<'c, 'm, T>),
    Done,
}

impl<'c, 'm, T: ?Sized, F> CondWaitWhile<'c, 'm, T, F> {
    pub(super) fn new(
        cond: &'c Cond,
        guard: MutexGuard<'m, T>,
        condition: F,
        at: &'static Location<'static>,
    ) -> Self {
        Self { cond, at, condition, stage: Looking::At(guard) }
    }
}

impl<T: ?Sized, F> Unpin for CondWaitWhile<'_, '_, T, F> {}

impl<'m, T: ?Sized, F: FnMut(&mut T) -> bool> Future for CondWaitWhile<'_, 'm, T, F> {
    type Output = MutexGuard<'m, T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        loop {
            match std::mem::replace(&mut this.stage, Looking::Done) {
                Looking::At(mut guard) => {
                    if !(this.condition)(&mut guard) {
                        return Poll::Ready(guard);
                    }
                    let wait = Wait::new(WaitKind::Cond, this.at);
                    this.stage = Looking::Waiting(CondWait::new(this.cond, guard, wait));
                }
                Looking::Waiting(mut wait) => match Pin::new(&mut wait).poll(context) {
                    Poll::Ready(guard) => this.stage = Looking::At(guard),
                    Poll::Pending => {
                        this.stage = Looking::Waiting(wait);
                        return Poll::Pending;
                    }
                },
                Looking::Done => panic!("a `CondWaitWhile` was polled again after it had been ready"),
            }
        }
    }
}

impl<T: ?Sized, F> fmt::Debug for CondWaitWhile<'_, '_, T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CondWaitWhile").finish_non_exhaustive()
    }
}
