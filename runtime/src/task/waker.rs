//! The wakers of a task: a reference to it behind std's four-function table.

use super::raw::RawTask;
use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::ptr::NonNull;
use std::task::{RawWaker, RawWakerVTable, Waker};

static VTABLE: RawWakerVTable = RawWakerVTable::new(clone, wake, wake_by_ref, drop_waker);

/// A waker for the length of one poll, without a reference of its own: the running task keeps itself alive
/// (S1 of the state word), and a future that wants to keep the waker clones it.
pub(super) fn borrowed(task: RawTask) -> impl Deref<Target = Waker> {
    // SAFETY: the table's functions keep the contract of `RawWaker`: each works on the pointer of a task to
    // which the waker holds a reference. This one holds none, so it is never dropped.
    ManuallyDrop::new(unsafe { Waker::from_raw(raw(task)) })
}

/// The task that `waker` is of, and holds a reference to. `None` for all wakers that are not made here.
pub(super) fn task_of(waker: &Waker) -> Option<RawTask> {
    // SAFETY: the table is ours, so the pointer is that of a task.
    std::ptr::eq(waker.vtable(), &VTABLE).then(|| unsafe { task(waker.data()) })
}

/// Whether `waker` is that of a task which has ended: to wake it does nothing any more. False for all other wakers.
pub(crate) fn is_over(waker: &Waker) -> bool {
    // SAFETY: the waker holds a reference.
    task_of(waker).is_some_and(|task| unsafe { task.header() }.state.snapshot().is_complete())
}

fn raw(task: RawTask) -> RawWaker {
    RawWaker::new(task.0.as_ptr().cast_const().cast(), &VTABLE)
}

/// # Safety
/// `data` is that of a waker made here.
unsafe fn task(data: *const ()) -> RawTask {
    // SAFETY: `raw` made it from a non-null pointer.
    RawTask(unsafe { NonNull::new_unchecked(data.cast_mut().cast()) })
}

unsafe fn clone(data: *const ()) -> RawWaker {
    // SAFETY: a waker of ours calls this, and holds the task alive meanwhile.
    unsafe {
        let task = task(data);
        task.header().state.add_ref();
        raw(task)
    }
}

unsafe fn wake(data: *const ()) {
    // SAFETY: a waker of ours calls this and gives up its reference.
    unsafe { task(data).wake_by_value() }
}

unsafe fn wake_by_ref(data: *const ()) {
    // SAFETY: a waker of ours calls this and keeps its reference.
    unsafe { task(data).wake_by_ref() }
}

unsafe fn drop_waker(data: *const ()) {
    // SAFETY: a waker of ours calls this and gives up its reference.
    unsafe { task(data).drop_ref() }
}
