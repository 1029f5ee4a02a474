//! The right to poll a task: what run queues hold.
//!
//! A [`Runnable`] exists exactly while its task is scheduled or running (T2, T3 of the
//! [state word](super::state)), so it is unique, it keeps the task alive without a reference of its own (S1),
//! and it must not be lost: dropping one unrun cancels the task, which is what a queue's destructor wants.

use super::raw::RawTask;
use std::mem::ManuallyDrop;
use std::ptr::NonNull;

/// The right, and the duty, to run a task once.
#[derive(Debug)]
pub(crate) struct Runnable(RawTask);

/// How a run ended.
#[must_use]
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The task waits for somebody to wake it.
    Idle,
    /// It was woken while it was polled: schedule it again, behind others.
    Again(Runnable),
    /// It is over.
    Complete,
}

impl Runnable {
    /// The caller has just moved the task to T2, or still holds the one of T3.
    pub(super) fn from_raw(task: RawTask) -> Self {
        Self(task)
    }

    pub(super) fn raw(&self) -> RawTask {
        self.0
    }

    /// Polls the task once; panics in it are caught.
    pub(crate) fn run(self) -> Outcome {
        let task = ManuallyDrop::new(self).0;
        // SAFETY: `self` was the `Runnable`; it ends here.
        unsafe { (task.header().vtable.poll)(task) }
    }

    /// Drops the task's future without polling it; the handle gets a cancelled error.
    pub(crate) fn cancel(self) {
        drop(self);
    }

    /// The pointer for an atomic slot. Whoever takes it out again calls [`from_ptr`](Self::from_ptr).
    pub(crate) fn into_ptr(self) -> NonNull<()> {
        ManuallyDrop::new(self).0.0.cast()
    }

    /// Back from [`into_ptr`](Self::into_ptr).
    ///
    /// # Safety
    /// `ptr` came from `into_ptr`, and the caller alone has taken it out.
    pub(crate) unsafe fn from_ptr(ptr: NonNull<()>) -> Self {
        Self(RawTask(ptr.cast()))
    }
}

impl Drop for Runnable {
    fn drop(&mut self) {
        // SAFETY: this was the `Runnable`, unrun.
        unsafe { (self.0.header().vtable.cancel)(self.0) }
    }
}
