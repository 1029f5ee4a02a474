//! The right to cancel a task, apart from the right to its output.

use super::owned::{Owned, TaskView};
use super::raw::RawTask;
use super::state::{Mark, State};
use super::{JoinHandle, TaskId};
use std::fmt;
use std::ptr::NonNull;
use std::sync::Arc;

/// Cancels a task from anywhere; made by [`JoinHandle::abort_handle`].
///
/// It keeps the task's allocation, but not its future, alive.
///
/// ```
/// let task = pirn::spawn(std::future::pending::<()>());
/// task.abort_handle().abort();
/// assert!(pirn::block_on(task).unwrap_err().is_cancelled());
/// ```
pub struct AbortHandle(RawTask);

impl AbortHandle {
    /// Takes over a reference.
    pub(super) fn from_ref(task: RawTask) -> Self {
        Self(task)
    }

    /// A reference of its own to the task that the word belongs to, if one lives there.
    ///
    /// # Safety
    /// It is the first word of a block, and the block stays meanwhile.
    pub(super) unsafe fn to_live(word: NonNull<State>) -> Option<Self> {
        // SAFETY: the caller's promise.
        let lives = unsafe { word.as_ref() }.try_add_ref();
        lives.then(|| Self(RawTask(word.cast())))
    }

    /// The registry that the task belongs to.
    pub(super) fn registry(&self) -> *const Owned {
        // SAFETY: the handle holds a reference.
        unsafe { (self.0.header().vtable.registry)(self.0) }
    }

    /// Asks for the task's future to be dropped.
    ///
    /// It takes effect before the next poll, or at the end of the one in progress, whose output then wins;
    /// the future is dropped on a worker, never here. Never blocks. No effect on a task that has ended.
    pub fn abort(&self) {
        // SAFETY: the handle holds a reference.
        unsafe { self.0.abort() }
    }

    /// Whether the task has ended, in whatever way.
    pub fn is_finished(&self) -> bool {
        // SAFETY: the handle holds a reference.
        unsafe { self.0.header() }.state.snapshot().is_complete()
    }

    /// What a dump shows of the task, unless it has ended.
    pub(super) fn view(&self, name: impl FnOnce(TaskId) -> Option<Arc<str>>) -> Option<TaskView> {
        // SAFETY: the handle holds a reference.
        let header = unsafe { self.0.header() };
        let now = header.state.snapshot();
        (!now.is_complete()).then(|| TaskView {
            id: header.id,
            name: if now.has(Mark::Named) { name(header.id) } else { None },
            spawned_at: header.spawned_at,
            running: now.is_running(),
            scheduled: now.is_scheduled(),
            wait: header.wait(),
            since: header.since(),
        })
    }

    /// The task's id.
    pub fn id(&self) -> TaskId {
        // SAFETY: the handle holds a reference.
        unsafe { self.0.header() }.id
    }
}

impl Clone for AbortHandle {
    fn clone(&self) -> Self {
        // SAFETY: the handle holds a reference, so one may be added.
        unsafe { self.0.header() }.state.add_ref();
        Self(self.0)
    }
}

impl Drop for AbortHandle {
    fn drop(&mut self) {
        // SAFETY: the handle's own reference.
        unsafe { self.0.drop_ref() }
    }
}

impl<T> From<&JoinHandle<T>> for AbortHandle {
    fn from(handle: &JoinHandle<T>) -> Self {
        handle.abort_handle()
    }
}

impl fmt::Debug for AbortHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AbortHandle").field("id", &self.id()).field("finished", &self.is_finished()).finish()
    }
}
