//! Running what belongs to the user (a waker, a destructor, a callback) where a panic of it must not do harm.
//!
//! Such a panic is somebody else's, and it may come where there is more to do: others to be woken, a lock to be given
//! up. All of that is done in spite of it. What becomes of the panic depends on who could hear of it:
//!
//! | who runs it | use | the panic |
//! |---|---|---|
//! | a machine, which goes on | [`caught`], [`drop_caught`], [`wake_caught`] | ends here: the panic hook has reported it |
//! | a call of the user's | [`step`] | goes on to the caller |
//! | a call of the user's, with more to do than that | [`both`], [`each`], [`wake_all`], [`AllSteps`] | the first goes on to the caller |
//!
//! # Invariants
//! U1. Every step is taken, whichever panics, in order.
//! U2. A panic goes on to the caller only where the thread does not unwind already: two at once would abort the
//!     process.
//! U3. What a panic that ends here carries is dropped. Its destructor may panic as well; the payload of that panic
//!     is forgotten, or there would be no end to it.
//!
//! `pirn-channel` and `pirn` use the same module; it is no part of the public interface.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::task::Waker;
use std::thread::panicking;

/// What a panic carries.
type Payload = Box<dyn Any + Send>;

/// Runs `f`; a panic in it ends here. Not under loom: there it is what a model has found, and must not be lost.
pub fn caught(f: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(f)) {
        if cfg!(loom) && !panicking() {
            resume_unwind(payload);
        }
        drop_payload(payload);
    }
}

fn drop_payload(payload: Payload) {
    if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(second);
    }
}

/// Drops `value`; a panic in its destructor ends here.
pub fn drop_caught<T>(value: T) {
    caught(|| drop(value));
}

/// Wakes; a panic in the waker ends here.
pub fn wake_caught(waker: Waker) {
    caught(|| waker.wake());
}

/// Runs `f`; a panic in it goes on to the caller (U2).
#[inline]
pub fn step(f: impl FnOnce()) {
    #[cold]
    fn meanwhile(f: impl FnOnce()) {
        caught(f);
    }

    if panicking() {
        meanwhile(f);
    } else {
        f();
    }
}

/// Runs `first` and `second`, whichever panics; the first panic goes on to the caller (U2).
#[inline]
pub fn both(first: impl FnOnce(), second: impl FnOnce()) {
    struct Second<F: FnOnce()>(Option<F>);

    impl<F: FnOnce()> Drop for Second<F> {
        #[inline]
        fn drop(&mut self) {
            self.0.take().into_iter().for_each(step);
        }
    }

    let _second = Second(Some(second));
    step(first);
}

/// Wakes them all, whichever panics; the first panic goes on to the caller (U2).
#[inline]
pub fn wake_all(wakers: impl IntoIterator<Item = Waker>) {
    each(wakers, Waker::wake);
}

/// Takes `step` with each of `items`, whichever panics; the first panic goes on to the caller (U2).
///
/// Nothing is paid for that unless one does: the others have their turn in the unwinding.
#[inline]
pub fn each<T>(items: impl IntoIterator<Item = T>, step: impl FnMut(T)) {
    Rest { items: items.into_iter(), step }.run();
}

/// Those whose turn is still to come.
struct Rest<I: Iterator, F: FnMut(I::Item)> {
    items: I,
    step: F,
}

impl<I: Iterator, F: FnMut(I::Item)> Rest<I, F> {
    #[inline]
    fn run(&mut self) {
        for item in self.items.by_ref() {
            step(|| (self.step)(item));
        }
    }
}

impl<I: Iterator, F: FnMut(I::Item)> Drop for Rest<I, F> {
    #[inline]
    fn drop(&mut self) {
        self.run();
    }
}

/// Steps that are not all known beforehand. Each is taken even if an earlier one panicked; the first panic goes on to
/// the caller when all have been taken.
#[derive(Default)]
pub struct AllSteps {
    first: Option<Payload>,
}

impl AllSteps {
    /// Takes a step. A panic in it waits for [`finish`](Self::finish).
    pub fn take(&mut self, step: impl FnOnce()) {
        if let Err(payload) = catch_unwind(AssertUnwindSafe(step)) {
            match self.first {
                None => self.first = Some(payload),
                Some(_) => drop_payload(payload),
            }
        }
    }

    /// Goes on with the first panic, if there was one, unless this thread unwinds already (U2).
    pub fn finish(self) {
        match self.first {
            None => {}
            Some(payload) if panicking() => drop_payload(payload),
            Some(payload) => resume_unwind(payload),
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
