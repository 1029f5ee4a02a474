//! Which task this thread polls right now.

use super::id::TaskId;
use super::raw::Header;
use pirn_sync::host;
use std::cell::Cell;

thread_local!(static CURRENT: Cell<Option<TaskId>> = const { Cell::new(None) });

/// Restores what was current before: a task's poll may run another task's inside `block_on`.
pub(super) struct Inside(Option<TaskId>);

/// The task is polled, or its future dropped, until the guard goes.
pub(super) fn enter(header: &Header) -> Inside {
    // What an outer poll on this thread has noted is not this task's wait.
    host::take_wait();
    Inside(CURRENT.replace(Some(header.id)))
}

impl Drop for Inside {
    fn drop(&mut self) {
        CURRENT.set(self.0);
    }
}

pub(super) fn task_id() -> Option<TaskId> {
    CURRENT.get()
}

/// Runs `f` as being in no task: for a `block_on` whose own future is none.
pub(crate) fn outside<R>(f: impl FnOnce() -> R) -> R {
    let _inside = Inside(CURRENT.take());
    f()
}
