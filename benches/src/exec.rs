//! What a row asks of an executor, and the four that answer.
//!
//! Each is set up as its documentation tells a server's author to: a pool with as many workers as `--procs` says,
//! timers and I/O on. A row's work runs as a task *of* the executor ([`Exec::run`]), because a future given to
//! `block_on` is polled by the main thread, which in most of them is no worker.
//!
//! The threads of std answer too: a task is a thread, and a future one that blocks instead of returning
//! `Pending`. Such an `async` block compiles to straight code, so the work need not be written twice.

mod on_pirn;
mod on_smol;
mod on_tokio;
mod threads;

use std::future::Future;
use std::time::Duration;

pub(crate) use on_pirn::Pirn;
pub(crate) use on_smol::{ParkedSmol, Smol};
pub(crate) use on_tokio::Tokio;
pub(crate) use threads::Threads;

/// A running executor. What has no `self` is called from inside a task of it.
pub(crate) trait Exec: Sized + Send + Sync + 'static {
    /// A task's handle; awaiting it gives the output, and panics if the task has.
    type Join<T: Send + 'static>: Future<Output = T> + Send + 'static;

    /// Starts it with so many workers.
    fn start(procs: usize) -> Self;

    /// Starts a task from a thread that is no worker.
    fn spawn_from_outside<F>(&self, future: F) -> Self::Join<F::Output>
    where
        F: Future<Output: Send> + Send + 'static;

    /// Waits on the calling thread, which is no worker.
    fn block_on<F: Future>(&self, future: F) -> F::Output;

    /// Starts a task.
    fn spawn<F>(future: F) -> Self::Join<F::Output>
    where
        F: Future<Output: Send> + Send + 'static;

    /// Starts a task that nobody waits for.
    fn detach<F>(future: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        drop(Self::spawn(future));
    }

    /// Lets others run first.
    fn yield_now() -> impl Future<Output = ()> + Send;

    /// Sleeps.
    fn sleep(duration: Duration) -> impl Future<Output = ()> + Send;

    /// Starts an executor, and runs a row's work as a task of it.
    fn run<F>(procs: usize, work: F) -> F::Output
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let executor = Self::start(procs);
        let task = executor.spawn_from_outside(work);
        let output = executor.block_on(task);
        // A figure is a process: tearing the executor down is not part of it.
        std::mem::forget(executor);
        output
    }
}
