//! smol: `async-executor` with worker threads of its own, `async-io` for timers and sockets.
//!
//! The executor is a static one, which it documents as its fastest form. A worker may wait in one of two ways, and
//! each row uses the one that serves it better: [`Smol`]'s turn the reactor while they have nothing to run, as those
//! of the `smol` crate do, which is best for sockets and timers; [`ParkedSmol`]'s only sleep, and leave the reactor
//! to the thread that `async-io` has for it, which is best where tasks wake each other.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::thread;
use std::time::Duration;

use async_executor::{StaticExecutor, Task};

use super::Exec;

static EXECUTOR: StaticExecutor = StaticExecutor::new();

/// The workers of the static executor.
pub(crate) struct Workers<const TURN_REACTOR: bool>;

/// Workers that turn the reactor.
pub(crate) type Smol = Workers<true>;

/// Workers that only sleep.
pub(crate) type ParkedSmol = Workers<false>;

/// A task of which no handle is left is cancelled, unless it is detached.
pub(crate) struct Join<T>(Option<Task<T>>);

impl<T> Future for Join<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        Pin::new(self.0.as_mut().expect("the handle is not dropped")).poll(cx)
    }
}

impl<T> Drop for Join<T> {
    fn drop(&mut self) {
        if let Some(task) = self.0.take() {
            task.detach();
        }
    }
}

impl<const TURN_REACTOR: bool> Exec for Workers<TURN_REACTOR> {
    type Join<T: Send + 'static> = Join<T>;

    fn start(procs: usize) -> Self {
        for _ in 0..procs {
            let work = EXECUTOR.run(std::future::pending::<()>());
            thread::spawn(move || match TURN_REACTOR {
                true => async_io::block_on(work),
                false => futures_lite::future::block_on(work),
            });
        }
        Self
    }

    fn spawn_from_outside<F>(&self, future: F) -> Join<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        Self::spawn(future)
    }

    fn block_on<F: Future>(&self, future: F) -> F::Output {
        futures_lite::future::block_on(future)
    }

    fn spawn<F>(future: F) -> Join<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        Join(Some(EXECUTOR.spawn(future)))
    }

    fn detach<F>(future: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        EXECUTOR.spawn(future).detach();
    }

    fn yield_now() -> impl Future<Output = ()> + Send {
        futures_lite::future::yield_now()
    }

    async fn sleep(duration: Duration) {
        async_io::Timer::after(duration).await;
    }
}
