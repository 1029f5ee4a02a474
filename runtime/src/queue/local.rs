//! The run queue of one processor: first in, first out; its owner pushes and pops, thieves take up to half.
//!
//! It is crossbeam-deque's FIFO worker (Chase and Lev, "Dynamic Circular Work-Stealing Deque", 2005, as
//! corrected for weak memory by Lê and others, 2013): an unbounded ring, so a push never fails.

use super::deque::{Steal, Stealer, Worker};
use crate::task::Runnable;

/// The owner's side.
#[derive(Debug)]
pub(crate) struct Local(pub(super) Worker<Runnable>);

/// The thieves' side.
#[derive(Debug, Clone)]
pub(crate) struct Thief(Stealer<Runnable>);

impl Local {
    pub(crate) fn new() -> Self {
        Self(Worker::new_fifo())
    }

    pub(crate) fn push(&self, task: Runnable) {
        self.0.push(task);
    }

    pub(crate) fn pop(&self) -> Option<Runnable> {
        self.0.pop()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn thief(&self) -> Thief {
        Thief(self.0.stealer())
    }
}

impl Thief {
    /// Takes up to `most` tasks, and no more than about half of the queue: one to run now, the rest into `own`.
    pub(crate) fn steal(&self, own: &Local, most: usize) -> Option<Runnable> {
        loop {
            match self.0.steal_batch_with_limit_and_pop(&own.0, most) {
                Steal::Success(task) => return Some(task),
                Steal::Empty => return None,
                Steal::Retry => std::hint::spin_loop(),
            }
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}
