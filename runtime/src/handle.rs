//! A pointer to a runtime: cheap to clone, and safe to keep longer than the runtime lives.

use crate::JoinHandle;
use crate::sched::{Shared, current, handoff};
use std::fmt;
use std::panic::Location;
use std::sync::Arc;

/// A pointer to a runtime.
///
/// After the runtime's shutdown [`spawn`](Self::spawn) drops the future and yields a handle that resolves to
/// a cancelled error, and [`block_on`](Self::block_on) panics.
///
/// ```
/// let runtime = pirn::Runtime::new()?;
/// let handle = runtime.handle().clone();
/// let sum = std::thread::spawn(move || handle.block_on(handle.spawn(async { 1 + 1 })));
/// assert_eq!(sum.join().unwrap().unwrap(), 2);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
pub struct Handle(Arc<Shared>);

/// This thread is in no runtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoRuntime;

impl Handle {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self(shared)
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.0
    }

    /// The runtime of this thread, else the global one, which is started if need be.
    ///
    /// # Panics
    /// If the global runtime cannot start.
    #[track_caller]
    pub fn current() -> Self {
        Self(Arc::clone(&crate::global::current_or_global()))
    }

    /// The runtime of this thread.
    ///
    /// # Errors
    /// [`NoRuntime`] on a thread that is in none: no worker, no blocking job, not inside `block_on`.
    pub fn try_current() -> Result<Self, NoRuntime> {
        current::shared().map(|shared| Self(Arc::clone(&shared))).ok_or(NoRuntime)
    }

    /// Runs `future` on this thread until it is ready. See [`block_on`](crate::block_on()).
    ///
    /// # Panics
    /// If the runtime has been shut down.
    #[track_caller]
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        assert!(
            !self.0.is_closing(),
            "block_on was called on a runtime that has been shut down; keep the Runtime alive while it is used"
        );
        handoff::block_on(&self.0, future)
    }

    /// Spawns a task there. See [`spawn`](crate::spawn()).
    #[track_caller]
    pub fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.0.spawn(future, None, Location::caller())
    }

    /// Runs a closure that may block. See [`spawn_blocking`](crate::spawn_blocking).
    #[track_caller]
    pub fn spawn_blocking<F, R>(&self, f: F) -> JoinHandle<R>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        self.0.spawn_blocking(f, None, Location::caller())
    }

    /// How many processors there are.
    pub fn procs(&self) -> usize {
        self.0.procs()
    }

    /// Changes how many processors there are, while they run; returns how many there were.
    ///
    /// # Panics
    /// For 0, and for more than 65,536.
    #[track_caller]
    pub fn set_procs(&self, n: usize) -> usize {
        self.0.set_procs(n)
    }

    /// The counters of this moment. See [`Metrics`](crate::Metrics).
    pub fn metrics(&self) -> crate::Metrics {
        self.0.metrics()
    }

    /// Every live task and what it waits on. See [`TaskDump`](crate::TaskDump).
    pub fn dump(&self) -> crate::TaskDump {
        self.0.dump()
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").field("procs", &self.procs()).finish_non_exhaustive()
    }
}

impl fmt::Display for NoRuntime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("this thread is in no runtime; Handle::current() falls back to the global one")
    }
}

impl std::error::Error for NoRuntime {}
