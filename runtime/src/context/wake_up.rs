//! What a walk has taken from the nodes it ended, to be woken, started and dropped when no lock is held.
//!
//! Wakers and functions are foreign code: they may call back into the tree, and they may panic. So the walk
//! only collects, and all of it runs afterwards. A panic does not keep the others asleep: the first one goes
//! on to the caller when everybody has been woken.
//!
//! Most walks end one context with one deadline and at most one waiter, so those lie here and not behind a pointer.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::task::Waker;

use smallvec::SmallVec;

use super::after_func::Func;
use super::deadline::Timer;

/// The things that have been waiting for contexts that a walk has just ended.
#[derive(Default)]
pub(super) struct WakeUp {
    pub(super) timers: SmallVec<[Timer; 1]>,
    pub(super) funcs: Vec<Func>,
    pub(super) wakers: SmallVec<[Waker; 1]>,
}

impl WakeUp {
    /// Starts the functions, wakes the waiters and disarms the timers, which drops the causes that were theirs. Panics
    /// as the first of them did that did.
    pub(super) fn run(self) {
        let mut first = Ok(());
        for func in self.funcs {
            keep_first(&mut first, || func.start());
        }
        for waker in self.wakers {
            keep_first(&mut first, || waker.wake());
        }
        for timer in self.timers {
            keep_first(&mut first, || drop(timer));
        }
        if let Err(panic) = first
            // A second panic while this thread unwinds would abort the process.
            && !std::thread::panicking()
        {
            resume_unwind(panic);
        }
    }
}

fn keep_first(first: &mut Result<(), Box<dyn Any + Send>>, act: impl FnOnce()) {
    let result = catch_unwind(AssertUnwindSafe(act));
    if first.is_ok() {
        *first = result;
    }
}
