//! What the loom models of this crate share.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use crate::patience::told;

/// Explores `body` with at most `preemptions` involuntary switches between threads.
pub(crate) fn check(preemptions: usize, body: impl Fn() + Sync + Send + 'static) {
    check_told(false, false, preemptions, body);
}

/// The same where every waiter is starved, every call has lapsed, or not.
pub(crate) fn check_told(
    starved: bool,
    lapsed: bool,
    preemptions: usize,
    body: impl Fn() + Sync + Send + 'static,
) {
    let _told = told::tell(starved, lapsed);
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(preemptions);
    model.check(body);
}

/// One poll by a task that never comes back.
pub(crate) fn poll_once<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    match Pin::new(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}
