//! The wait of a receiver that is polled as a stream.
//!
//! A stream has no future of its own to wait in, and a receiver may move between two polls. So the operation lies in a box,
//! and the handle owns it through one atomic pointer: `poll_next` has the handle to itself, but any receive through a shared
//! reference ends the wait, and of several at once one gets the box.
//!
//! ```text
//!   null ── poll_next, pending ──► box ── poll_next, ready ──► box, kept for the next wait
//!    ▲                              │ │
//!    └──── any other receive, drop ─┘ └── poll_next, no more ──► ENDED, until a later poll finds something all the same
//!          the wait ends, and what it was given is passed on
//! ```
//! # Invariants
//! T1. Whoever swaps the pointer out owns the box. One that is neither null nor ENDED came from [`Box::into_raw`].
//! T2. Between two polls it is ENDED if and only if the last one returned `None`.
//!
//! # Orderings
//! | # | access | order | with | why | weakened, fails in |
//! |---|---|---|---|---|---|
//! | 1 | [`take`][StreamWait::take]: swap | `Acquire` | 2 | sees the box whole | argued: whoever shares the handle has published it |
//! | 2 | [`put`][StreamWait::put]: swap | `Release` | 1 | | argued: as 1 |
//! | 3 | [`is_empty`][StreamWait::is_empty] | `Relaxed` | – | only decides whether to take | – |
//! | 4 | [`has_ended`][StreamWait::has_ended] | `Relaxed` | – | says what the last poll returned, which whoever asks has seen, or heard of | – |
//! | 5 | [`end`][StreamWait::end] | `Relaxed` | – | there is nothing behind it to be seen | – |

use std::panic::{RefUnwindSafe, UnwindSafe};
use std::pin::Pin;
use std::ptr;

use pirn_sync::primitive::atomic::{AtomicPtr, Ordering};
use pirn_sync::primitive::Arc;

use crate::chan::Chan;
use crate::wait::{Endpoint, Op};
use crate::wait_queue::Side;

/// A channel that is kept alive while something waits on it.
#[derive(Debug)]
pub(crate) struct Shared<T>(pub(crate) Arc<Chan<T>>);

// SAFETY: the reference is never exchanged.
unsafe impl<T> Endpoint<T> for Shared<T> {
    const SIDE: Side = Side::Receivers;
    fn chan(&self) -> &Chan<T> {
        &self.0
    }
}

/// A receive in a box.
pub(crate) type Boxed<T> = Pin<Box<Op<Shared<T>, T>>>;

/// The place for the receive of a stream.
#[derive(Debug)]
pub(crate) struct StreamWait<T>(AtomicPtr<Op<Shared<T>, T>>);

// SAFETY: it owns a box of an operation, which may be sent and shared where the values may be sent (T1).
unsafe impl<T: Send> Send for StreamWait<T> {}
// SAFETY: as above; through a shared reference the box is only taken whole.
unsafe impl<T: Send> Sync for StreamWait<T> {}

// Whatever panics in a poll does so with the box taken out.
impl<T> UnwindSafe for StreamWait<T> {}
impl<T> RefUnwindSafe for StreamWait<T> {}

impl<T> StreamWait<T> {
    /// No allocation lies here: it is not zero, but as small as the alignment.
    const ENDED: *mut Op<Shared<T>, T> = ptr::dangling_mut();

    pub(crate) fn new() -> Self {
        Self(AtomicPtr::new(ptr::null_mut()))
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        Self::is_none(self.0.load(Ordering::Relaxed))
    }

    /// Whether the last poll returned `None`.
    pub(crate) fn has_ended(&self) -> bool {
        ptr::eq(self.0.load(Ordering::Relaxed), Self::ENDED)
    }

    fn is_none(op: *mut Op<Shared<T>, T>) -> bool {
        op.is_null() || ptr::eq(op, Self::ENDED)
    }

    /// Takes the operation out, if there is one.
    pub(crate) fn take(&self) -> Option<Boxed<T>> {
        let old = self.0.swap(ptr::null_mut(), Ordering::Acquire);
        // SAFETY: T1; it was pinned when it was put in, and has not moved.
        (!Self::is_none(old)).then(|| unsafe { Pin::new_unchecked(Box::from_raw(old)) })
    }

    /// The poll that has taken the operation out returns `None`.
    pub(crate) fn end(&self) {
        let old = self.0.swap(Self::ENDED, Ordering::Relaxed);
        debug_assert!(old.is_null(), "`poll_next` has the handle to itself");
    }

    /// Puts an operation in.
    pub(crate) fn put(&self, op: Boxed<T>) {
        // SAFETY: it is not moved, and comes out pinned.
        let new = Box::into_raw(unsafe { Pin::into_inner_unchecked(op) });
        let old = self.0.swap(new, Ordering::Release);
        debug_assert!(old.is_null(), "`poll_next` has the handle to itself");
    }
}

impl<T> Drop for StreamWait<T> {
    fn drop(&mut self) {
        drop(self.take());
    }
}
