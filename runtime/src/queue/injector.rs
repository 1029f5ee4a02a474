//! The injector: the queue of what becomes runnable outside of any processor. First in, first out.

use super::deque::{self, Steal};
use super::local::Local;
use crate::task::Runnable;

/// The global queue of one runtime.
#[derive(Debug)]
pub(crate) struct Injector(deque::Injector<Runnable>);

impl Injector {
    pub(crate) fn new() -> Self {
        Self(deque::Injector::new())
    }

    pub(crate) fn push(&self, task: Runnable) {
        self.0.push(task);
    }

    /// Takes one task.
    pub(crate) fn take(&self) -> Option<Runnable> {
        loop {
            match self.0.steal() {
                Steal::Success(task) => return Some(task),
                Steal::Empty => return None,
                Steal::Retry => std::hint::spin_loop(),
            }
        }
    }

    /// Takes up to `limit` tasks: one to run now, the rest into `own`.
    pub(crate) fn take_batch(&self, own: &Local, limit: usize) -> Option<Runnable> {
        loop {
            match self.0.steal_batch_with_limit_and_pop(&own.0, limit.max(1)) {
                Steal::Success(task) => return Some(task),
                Steal::Empty => return None,
                Steal::Retry => std::hint::spin_loop(),
            }
        }
    }

    /// Moves everything that lies here now to the end of `own`.
    pub(crate) fn drain_into(&self, own: &Local) {
        for _ in 0..self.0.len() {
            match self.take() {
                Some(task) => own.push(task),
                None => return,
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
