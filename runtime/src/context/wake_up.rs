//! What a walk has taken from the nodes it ended, to be woken, started and dropped when no lock is held.
//!
//! Wakers and functions are foreign code: they may call back into the tree, and they may panic. So the walk
//! only collects, and all of it runs afterwards. A panic does not keep the others asleep: the first one goes
//! on to the caller when everybody has been woken.
//!
//! Most walks end one context with one deadline and at most one waiter, so those lie here and not behind a pointer.

use std::task::Waker;

use pirn_sync::unwind::AllSteps;
use smallvec::SmallVec;

use super::after_func::Func;
use crate::sched::timer_slot::TimerSlot;

/// The things that have been waiting for contexts that a walk has just ended.
#[derive(Default)]
pub(super) struct WakeUp {
    pub(super) timers: SmallVec<[TimerSlot; 1]>,
    pub(super) funcs: Vec<Func>,
    pub(super) wakers: SmallVec<[Waker; 1]>,
}

impl WakeUp {
    /// Starts the functions, wakes the waiters and disarms the timers, which drops the causes that were theirs. Panics
    /// as the first of them did that did.
    pub(super) fn run(self) {
        let mut steps = AllSteps::default();
        for func in self.funcs {
            steps.take(|| func.start());
        }
        for waker in self.wakers {
            steps.take(|| waker.wake());
        }
        for timer in self.timers {
            steps.take(|| drop(timer));
        }
        steps.finish();
    }
}
