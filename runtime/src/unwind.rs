//! Running what belongs to the user (a waker, a destructor, a callback) where nobody could catch its panic.
//!
//! Such a panic is somebody else's and must not take a machine down with it: the panic hook has reported it,
//! and the payload is dropped. Its destructor may panic as well; the payload of that panic is forgotten, or
//! there would be no end to it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Waker;

/// Runs `f`; a panic in it ends here.
pub(crate) fn caught(f: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(f))
        && let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload)))
    {
        std::mem::forget(second);
    }
}

/// Drops `value`; a panic in its destructor ends here.
pub(crate) fn drop_caught<T>(value: T) {
    caught(|| drop(value));
}

/// Wakes; a panic in the waker ends here.
pub(crate) fn wake_caught(waker: Waker) {
    caught(|| waker.wake());
}
