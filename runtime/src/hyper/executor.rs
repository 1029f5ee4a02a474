//! [`Executor`]: hyper's background work as tasks.
//!
//! HTTP/1 needs none. HTTP/2 runs each stream's request as a future of its own, and a client's connection too;
//! those become detached tasks of the current runtime. A panic in one is an unhandled panic, and reported.

use std::future::Future;

/// Runs hyper's futures as tasks of the current runtime, else of the global one, by [`spawn`](crate::spawn()).
///
/// ```
/// use hyper::rt::Executor as _;
///
/// let (tx, rx) = pirn::channel::bounded(1);
/// pirn::hyper::Executor.execute(async move { tx.send("done").await });
/// assert_eq!(rx.recv_blocking(), Ok("done"));
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Executor;

impl<F> ::hyper::rt::Executor<F> for Executor
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, future: F) {
        drop(crate::spawn(future));
    }
}
