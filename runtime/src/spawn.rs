//! Ways in: starting a task.

use crate::{JoinHandle, global};
use std::panic::Location;
use std::sync::Arc;

/// Starts `future` as a task, and returns at once; the task runs concurrently from now on.
///
/// Legal anywhere: inside a runtime it joins that one, else the global one, which is started if need be. The
/// handle is a future of the task's output; dropping it detaches the task. Costs one allocation. A task
/// that the runtime's shutdown leaves behind is dropped, and its handle says that it was cancelled.
///
/// # Panics
/// If the global runtime is needed and cannot start.
///
/// ```
/// # pirn::block_on(async {
/// let squares: Vec<_> = (0..4_u32).map(|n| pirn::spawn(async move { n * n })).collect();
/// let mut sum = 0;
/// for square in squares {
///     sum += square.await?;
/// }
/// assert_eq!(sum, 14);
/// # Ok::<(), pirn::JoinError>(())
/// # }).unwrap();
/// ```
#[track_caller]
pub fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    global::spawn(future, None, Location::caller())
}

/// Runs `f`, which may block, on a thread that holds no processor, and so delays no task.
///
/// Legal anywhere, as [`spawn`]. An abort takes effect only before the job starts. At most
/// `max_threads - procs - 1` jobs run at once, and one in any case; more of them queue. Costs one allocation and,
/// unless a thread is idle, the start of one.
///
/// # Panics
/// As [`spawn`].
///
/// ```
/// let sum = pirn::spawn_blocking(|| (1..=100).sum::<u32>());
/// assert_eq!(pirn::block_on(sum).unwrap(), 5050);
/// ```
#[track_caller]
pub fn spawn_blocking<F, R>(f: F) -> JoinHandle<R>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    global::current_or_global().spawn_blocking(f, None, Location::caller())
}

/// Spawns a task with a name, which dumps and panic reports show.
///
/// ```
/// let task = pirn::task::Builder::new().name("refresher").spawn(async { panic!("out of tokens") });
/// let error = pirn::block_on(task).unwrap_err();
/// assert!(error.to_string().contains("(refresher) panicked: out of tokens"));
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "a builder does nothing until `spawn`"]
pub struct Builder {
    name: Option<Arc<str>>,
}

impl Builder {
    /// A task without a name.
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives the task a name.
    pub fn name(mut self, name: impl Into<Arc<str>>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// As [`spawn`].
    #[track_caller]
    pub fn spawn<F>(self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        global::spawn(future, self.name, Location::caller())
    }

    /// As [`spawn_blocking`].
    #[track_caller]
    pub fn spawn_blocking<F, R>(self, f: F) -> JoinHandle<R>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        global::current_or_global().spawn_blocking(f, self.name, Location::caller())
    }
}

/// Spawns a task that nobody joins: Go's `go`.
///
/// Takes a future, or statements in braces, which may `.await` and capture by move. A panic in it is an
/// unhandled one: it is reported.
///
/// ```
/// use pirn::go;
///
/// let (tx, rx) = pirn::channel::bounded(1);
/// let other = tx.clone();
/// go!({
///     tx.send("from braces").await.ok();
/// });
/// go!(async move { other.send("from a future").await.ok() });
/// # pirn::block_on(async {
/// assert_ne!(rx.recv().await.unwrap(), rx.recv().await.unwrap());
/// # });
/// ```
#[macro_export]
macro_rules! go {
    ({ $($body:tt)* }) => {
        ::core::mem::drop($crate::spawn(async move { $($body)* }))
    };
    ($future:expr $(,)?) => {
        ::core::mem::drop($crate::spawn($future))
    };
}
