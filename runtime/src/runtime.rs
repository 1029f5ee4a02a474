//! A runtime of one's own: made by a [`Builder`], shut down when dropped.

use crate::{Builder, Handle, JoinHandle, ShutdownReport};
use std::io;
use std::time::Duration;

/// How long dropping a runtime waits for blocking jobs that are running.
const PATIENCE: Duration = Duration::from_secs(1);

/// A scheduler with its processors, threads, timers and netpoller.
///
/// Most programs need none: [`spawn`](crate::spawn()) and [`block_on`](crate::block_on()) use the global runtime,
/// which starts by itself. One's own is for a test, a library that wants its own threads, or an end in order.
///
/// Dropping it shuts it down: every task's future is dropped, tasks inside a poll are waited for, blocking
/// jobs at most a second. Inside one of its own tasks dropping does not wait at all.
///
/// ```
/// let runtime = pirn::Runtime::new()?;
/// let answer = runtime.block_on(async {
///     pirn::spawn(async { 6 * 7 }).await.unwrap()
/// });
/// assert_eq!(answer, 42);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Runtime {
    handle: Handle,
    /// It has been shut down in another way than by dropping it.
    is_down: bool,
}

impl Runtime {
    /// A runtime with the defaults of [`Builder`].
    ///
    /// # Errors
    /// Those of [`Builder::build`].
    pub fn new() -> io::Result<Self> {
        Builder::new().build()
    }

    pub(crate) fn from_handle(handle: Handle) -> Self {
        Self { handle, is_down: false }
    }

    /// A pointer to this runtime, which may outlive it.
    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Runs `future` on this thread until it is ready; its spawns are this runtime's. See
    /// [`block_on`](crate::block_on()).
    ///
    /// # Panics
    /// With the future's own panic. If a panic that nobody joins has shut this runtime down.
    #[track_caller]
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.handle.block_on(future)
    }

    /// Spawns a task here. See [`spawn`](crate::spawn()).
    #[track_caller]
    pub fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.handle.spawn(future)
    }

    /// Runs a closure that may block. See [`spawn_blocking`](crate::spawn_blocking).
    #[track_caller]
    pub fn spawn_blocking<F, R>(&self, f: F) -> JoinHandle<R>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        self.handle.spawn_blocking(f)
    }

    /// How many processors there are.
    pub fn procs(&self) -> usize {
        self.handle.procs()
    }

    /// Changes how many processors there are, while they run; returns how many there were.
    ///
    /// ```
    /// let runtime = pirn::Builder::new().procs(1).build()?;
    /// assert_eq!(runtime.set_procs(4), 1);
    /// assert_eq!(runtime.procs(), 4);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Panics
    /// For 0, and for more than 65,536.
    #[track_caller]
    pub fn set_procs(&self, n: usize) -> usize {
        self.handle.set_procs(n)
    }

    /// The counters of this moment. See [`Metrics`](crate::Metrics).
    pub fn metrics(&self) -> crate::Metrics {
        self.handle.metrics()
    }

    /// Shuts down, waiting at most `timeout` for tasks inside a poll and blocking jobs that run; reports what
    /// was left.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let runtime = pirn::Runtime::new()?;
    /// let (started, wait) = std::sync::mpsc::channel();
    /// let job = runtime.spawn_blocking(move || {
    ///     started.send(()).unwrap();
    ///     std::thread::sleep(Duration::from_millis(300));
    /// });
    /// wait.recv().unwrap();
    /// let report = runtime.shutdown_timeout(Duration::from_millis(1));
    /// assert_eq!(report.left().len(), 1);
    /// // It ends all the same, and so does its handle.
    /// pirn::block_on(job).unwrap();
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn shutdown_timeout(mut self, timeout: Duration) -> ShutdownReport {
        self.is_down = true;
        self.handle.shared().shut_down(Some(timeout), timeout)
    }

    /// Shuts down without waiting for anything.
    pub fn shutdown_background(mut self) {
        self.is_down = true;
        self.handle.shared().shut_down_background();
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        if !self.is_down {
            let _report = self.handle.shared().shut_down(None, PATIENCE);
        }
    }
}
