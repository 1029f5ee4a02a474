//! Running what belongs to the user (a waker, a destructor, a callback) where nobody could catch its panic.
//!
//! Such a panic is somebody else's and must not take a machine down with it: the panic hook has reported it,
//! and the payload is dropped. Its destructor may panic as well; the payload of that panic is forgotten, or
//! there would be no end to it.
//!
//! Where the caller is the user, who should hear of it, and there is more to do, [`AllSteps`] does that first.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::task::Waker;

/// What a panic carries.
type Payload = Box<dyn Any + Send>;

/// Runs `f`; a panic in it ends here.
pub(crate) fn caught(f: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(f)) {
        drop_payload(payload);
    }
}

fn drop_payload(payload: Payload) {
    if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
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

/// Wakes them all, whichever panics; the first panic goes on to the caller.
pub(crate) fn wake_all(wakers: impl IntoIterator<Item = Waker>) {
    let mut steps = AllSteps::default();
    for waker in wakers {
        steps.take(|| waker.wake());
    }
    steps.finish();
}

/// Steps each of which is taken whatever the others do: a panic does not keep from those that follow it. The
/// first one goes on to the caller when all have been taken.
#[derive(Default)]
pub(crate) struct AllSteps {
    first: Option<Payload>,
}

impl AllSteps {
    /// Takes a step. A panic in it waits for [`finish`](Self::finish).
    pub(crate) fn take(&mut self, step: impl FnOnce()) {
        if let Err(payload) = catch_unwind(AssertUnwindSafe(step)) {
            match self.first {
                None => self.first = Some(payload),
                Some(_) => drop_payload(payload),
            }
        }
    }

    /// Panics as the first step did that did.
    pub(crate) fn finish(self) {
        match self.first {
            None => {}
            // A second panic while this thread unwinds would abort the process.
            Some(payload) if std::thread::panicking() => drop_payload(payload),
            Some(payload) => resume_unwind(payload),
        }
    }
}
