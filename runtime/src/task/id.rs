//! The identity of a task: a number that no other task of the process has had.
//!
//! One shared counter would be a cache line that every spawn on every processor fights for, so each thread
//! takes a block of [`BLOCK`] numbers at a time. Numbers are therefore unique, but not in order of spawning.

use super::current;
use std::cell::Cell;
use std::fmt;
use std::num::NonZeroU64;
use std::sync::atomic::{AtomicU64, Ordering};

const BLOCK: u64 = 256;

/// The identity of a task.
///
/// Ids are unique within a process and never used again. They say nothing about the order of spawning.
///
/// ```
/// let handle = pirn::spawn(async { pirn::task::id() });
/// let id = handle.id();
/// assert_eq!(pirn::block_on(handle).unwrap(), id);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TaskId(NonZeroU64);

impl TaskId {
    /// The next number of this thread's block.
    pub(crate) fn next() -> Self {
        static NEXT_BLOCK: AtomicU64 = AtomicU64::new(1);
        thread_local!(static NEXT: Cell<u64> = const { Cell::new(0) });
        NEXT.with(|next| {
            let mut id = next.get();
            if id.is_multiple_of(BLOCK) {
                // Relaxed: only uniqueness matters, and a read-modify-write gives it.
                id = NEXT_BLOCK.fetch_add(1, Ordering::Relaxed) * BLOCK;
            }
            next.set(id + 1);
            Self(NonZeroU64::new(id).expect("blocks start at 1 and do not wrap within a process's life"))
        })
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TaskId({self})")
    }
}

/// The id of the task that runs here.
///
/// # Panics
/// Outside a task: in the future of a `block_on`, on a blocking thread's own code, under another executor.
///
/// ```
/// pirn::block_on(async {
///     let task = pirn::spawn(async { pirn::task::id() });
///     assert_eq!(task.id(), task.await.unwrap());
/// });
/// ```
#[track_caller]
pub fn id() -> TaskId {
    try_id().expect("pirn::task::id() was called outside a task; use try_id() where that may happen")
}

/// The id of the task that runs here, if one does.
///
/// ```
/// assert!(pirn::task::try_id().is_none());
/// ```
pub fn try_id() -> Option<TaskId> {
    current::task_id()
}
