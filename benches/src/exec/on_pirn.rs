//! `pirn`.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use super::Exec;

/// A `pirn` runtime.
pub(crate) struct Pirn(pirn::Runtime);

/// Its handle, without the error.
pub(crate) struct Join<T>(pirn::JoinHandle<T>);

impl<T> Future for Join<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        Poll::Ready(ready!(Pin::new(&mut self.0).poll(cx)).expect("the task has not panicked"))
    }
}

impl Exec for Pirn {
    type Join<T: Send + 'static> = Join<T>;

    fn start(procs: usize) -> Self {
        Self(pirn::Builder::new().procs(procs).build().expect("a runtime"))
    }

    fn spawn_from_outside<F>(&self, future: F) -> Join<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        Join(self.0.spawn(future))
    }

    fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.0.block_on(future)
    }

    fn spawn<F>(future: F) -> Join<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        Join(pirn::spawn(future))
    }

    fn yield_now() -> impl Future<Output = ()> + Send {
        pirn::yield_now()
    }

    fn sleep(duration: Duration) -> impl Future<Output = ()> + Send {
        pirn::time::sleep(duration)
    }
}
