//! OS threads in the place of tasks.
//!
//! The futures that run here never return `Pending`: what would wait blocks the thread. The number of workers
//! means nothing to them; the kernel schedules.

use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::Exec;

/// Small, so that thousands of threads find room.
const STACK: usize = 64 * 1024;

/// The operating system.
pub(crate) struct Threads;

/// A thread's handle, as a future that blocks.
pub(crate) struct Join<T>(Option<JoinHandle<T>>);

impl<T> Future for Join<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<T> {
        let thread = self.0.take().expect("a thread is joined once");
        Poll::Ready(thread.join().expect("the thread has not panicked"))
    }
}

impl<T> Unpin for Join<T> {}

impl Exec for Threads {
    type Join<T: Send + 'static> = Join<T>;

    fn start(_: usize) -> Self {
        Self
    }

    fn spawn_from_outside<F>(&self, future: F) -> Join<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        Self::spawn(future)
    }

    fn block_on<F: Future>(&self, future: F) -> F::Output {
        finish(future)
    }

    fn spawn<F>(future: F) -> Join<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let thread = thread::Builder::new().stack_size(STACK).spawn(move || finish(future));
        Join(Some(thread.expect("a thread")))
    }

    async fn yield_now() {
        thread::yield_now();
    }

    async fn sleep(duration: Duration) {
        thread::sleep(duration);
    }
}

/// Runs a future that blocks where others would wait.
fn finish<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => unreachable!("what runs on a thread blocks instead of waiting"),
    }
}
