//! Running a future for as long as a context lives.
//!
//! # Which one wins
//! The context is asked first at each poll: a future under an ended context is not polled again, and one that
//! is run under a context that has ended is never started. Once it is being polled it may finish: a future
//! that is ready in the same poll in which it cancels its own context gives its value.
//!
//! The end is waited for only while the future waits: one that is ready at its first poll, as a handler's work often
//! is, never takes a place in the context's list. Nothing is missed by that: whoever comes too late to take one
//! learns in the same moment that the context has ended.
//!
//! # What is dropped when
//! The future is dropped in the very poll that sees the end, before `run` returns its error, not when the
//! `Run` happens to be: whatever it holds (locks, permits, connections) is free by then.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context as Cx, Poll, ready};

use super::ContextError;
use super::done::Done;

/// Runs a future until its context ends; made by [`Context::run`](super::Context::run).
#[must_use = "futures do nothing unless polled or awaited"]
pub struct Run<F> {
    done: Done,
    /// `None` once the result has been given.
    future: Option<F>,
}

impl<F> Run<F> {
    pub(super) fn new(done: Done, future: F) -> Self {
        Self { done, future: Some(future) }
    }
}

impl<F: Future> Future for Run<F> {
    type Output = Result<F::Output, ContextError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Cx<'_>) -> Poll<Self::Output> {
        // SAFETY: `future` is pinned with `Run` and is moved nowhere: below it is only polled in place and
        // dropped in place (`Pin::set`). `done` is `Unpin` and never pinned. `Run` has no `Drop`
        // and is `Unpin` only if `F` is, which the compiler derives.
        let (done, mut future) = unsafe {
            let this = self.get_unchecked_mut();
            (&mut this.done, Pin::new_unchecked(&mut this.future))
        };
        assert!(future.is_some(), "`Run` polled after it was ready");
        if done.err().is_none() {
            // The wait that the future itself notes is the one worth showing, so it comes last.
            done.note();
            let Some(running) = future.as_mut().as_pin_mut() else { return Poll::Pending };
            if let Poll::Ready(output) = running.poll(cx) {
                future.set(None);
                return Poll::Ready(Ok(output));
            }
            ready!(done.poll_quietly(cx));
        }
        future.set(None);
        let err = done.err().expect("a context that is done tells how it ended");
        Poll::Ready(Err(err))
    }
}

impl<F> fmt::Debug for Run<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run").field("done", &self.done).field("ready", &self.future.is_none()).finish()
    }
}
