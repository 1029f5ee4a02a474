//! The waker of who waits for a task's end, in one word.
//!
//! Most who await a task are tasks themselves. Of such a waker the pointer is enough, since its table is known; and a word less
//! in every task is worth more than what others pay, whose waker lies in a box. The lowest bit tells: it is zero in the
//! address of a task.

use super::raw::{Header, RawTask};
use super::waker;
use std::fmt;
use std::ptr::NonNull;
use std::task::Waker;

const BOXED: usize = 1;
const _: () = assert!(align_of::<Header>() > BOXED && align_of::<Waker>() > BOXED);

/// A waker: a task with a reference to it, or a box.
pub(super) struct JoinWaker(NonNull<()>);

/// What the word holds.
enum Kind {
    Task(RawTask),
    Boxed(NonNull<Waker>),
}

impl JoinWaker {
    /// A clone of `waker`.
    pub(super) fn of(waker: &Waker) -> Self {
        match waker::task_of(waker) {
            Some(task) => {
                // SAFETY: the waker holds a reference.
                unsafe { task.header() }.state.add_ref();
                Self(task.0.cast())
            }
            None => {
                let boxed = NonNull::from(Box::leak(Box::new(waker.clone())));
                Self(boxed.cast::<()>().map_addr(|at| at | BOXED))
            }
        }
    }

    fn kind(&self) -> Kind {
        let at = self.0.addr().get();
        if at & BOXED == 0 {
            Kind::Task(RawTask(self.0.cast()))
        } else {
            let boxed = self.0.as_ptr().map_addr(|at| at & !BOXED).cast();
            // SAFETY: it was made from a pointer that is not null, by setting the bit.
            Kind::Boxed(unsafe { NonNull::new_unchecked(boxed) })
        }
    }

    /// Whether it wakes the same as `waker`.
    pub(super) fn will_wake(&self, waker: &Waker) -> bool {
        match self.kind() {
            Kind::Task(task) => waker::task_of(waker) == Some(task),
            // SAFETY: the box is this word's.
            Kind::Boxed(own) => unsafe { own.as_ref() }.will_wake(waker),
        }
    }

    pub(super) fn wake_by_ref(&self) {
        match self.kind() {
            // SAFETY: the word holds a reference.
            Kind::Task(task) => unsafe { task.wake_by_ref() },
            // SAFETY: the box is this word's.
            Kind::Boxed(own) => unsafe { own.as_ref() }.wake_by_ref(),
        }
    }
}

impl Drop for JoinWaker {
    fn drop(&mut self) {
        match self.kind() {
            // SAFETY: the word's own reference.
            Kind::Task(task) => unsafe { task.drop_ref() },
            // SAFETY: the word's own box.
            Kind::Boxed(own) => drop(unsafe { Box::from_raw(own.as_ptr()) }),
        }
    }
}

impl fmt::Debug for JoinWaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("JoinWaker").field(&self.0).finish()
    }
}
