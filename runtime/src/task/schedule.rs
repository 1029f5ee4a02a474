//! The one upward seam of a task: what it asks of whoever runs it.

use super::{JoinError, Owned, Runnable, TaskId};
use std::panic::Location;
use std::ptr::NonNull;
use std::sync::Arc;

/// An executor, seen from a task. One value lies in every task.
pub(crate) trait Schedule: Send + Sync + 'static {
    /// The task was woken: queue it. Called on any thread, inside a poll or not.
    ///
    /// `this` lies in the task, and is a pointer because once the task is queued it may run, end and be freed,
    /// and the scheduler with it. Who needs it afterwards copies it before.
    ///
    /// # Safety
    /// `this` lives until `task` is queued.
    unsafe fn schedule(this: NonNull<Self>, task: Runnable);

    /// The registry that finds the task; null for one that is in none.
    fn registry(&self) -> *const Owned;

    /// The task's future is dropped: count its end, and give back its name, if `named` says that it has one. Not called for
    /// tasks that the registry has refused.
    fn count_end(&self, named: Option<TaskId>) -> Option<Arc<str>>;

    /// The task whose end was counted is complete.
    fn completed(&self);

    /// The task panicked and nobody can join it any more.
    fn unhandled_panic(&self, panic: UnhandledTaskPanic);

    /// A time for the record of what the task waits on: cheap and coarse, in a unit of the executor's own.
    fn coarse_now(&self) -> u64;
}

/// A panic that no handle will receive.
pub(crate) struct UnhandledTaskPanic {
    /// Where the task was spawned.
    pub(crate) spawned_at: &'static Location<'static>,
    /// Which task, and what it panicked with.
    pub(crate) error: JoinError,
}
