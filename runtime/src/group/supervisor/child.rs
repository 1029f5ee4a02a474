//! What a supervisor must know of a child: its name, how to start it, when to restart it, how to stop it.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use super::Restart;
use crate::context::Context;

/// A run of a child: an error has become its message.
pub(super) type Run = Pin<Box<dyn Future<Output = Result<(), String>> + Send>>;

/// The children of one supervisor, by number. Starting order is the order of the numbers.
#[doc(hidden)]
pub trait Family {
    /// How many there are.
    fn len(&self) -> usize;
    /// The name of the task that runs this child.
    fn name(&self, child: usize) -> Arc<str>;
    /// What to do when it ends.
    fn restart(&self, child: usize) -> Restart;
    /// How long it may take to stop when asked to.
    fn shutdown_timeout(&self, child: usize) -> Duration;
    /// A new run of it. User code; may panic.
    fn make(&mut self, child: usize, ctx: Context) -> Run;
}

/// One task and how to make it: what [`Supervisor::run`](super::Supervisor::run) supervises.
pub struct Single<F> {
    pub(super) name: Arc<str>,
    pub(super) factory: F,
}

impl<F, Fut, E> Family for Single<F>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<(), E>> + Send + 'static,
    E: fmt::Display,
{
    fn len(&self) -> usize {
        1
    }

    fn name(&self, _child: usize) -> Arc<str> {
        Arc::clone(&self.name)
    }

    fn restart(&self, _child: usize) -> Restart {
        Restart::Transient
    }

    fn shutdown_timeout(&self, _child: usize) -> Duration {
        // It is given no context, so it cannot be asked.
        Duration::ZERO
    }

    fn make(&mut self, _child: usize, _ctx: Context) -> Run {
        boxed((self.factory)())
    }
}

impl<F> fmt::Debug for Single<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Single").field("name", &self.name).finish_non_exhaustive()
    }
}

/// A child of a [`Supervisor`](super::Supervisor): a task, how to make it again, and what its end means.
///
/// Unless told otherwise it is [`Restart::Transient`], and has 5 seconds to stop when asked to.
pub struct Child {
    name: Arc<str>,
    restart: Restart,
    shutdown_timeout: Duration,
    factory: Box<dyn FnMut(Context) -> Run + Send>,
}

impl Child {
    /// A child called `name` whose runs `factory` makes.
    ///
    /// Each run gets a context of its own, which ends when this child is to stop. It has the values of the
    /// supervisor's context, but not its end: that would stop all children at once instead of in order.
    pub fn new<F, Fut, E>(name: impl Into<Arc<str>>, mut factory: F) -> Self
    where
        F: FnMut(Context) -> Fut + Send + 'static,
        Fut: Future<Output = Result<(), E>> + Send + 'static,
        E: fmt::Display + 'static,
    {
        Self {
            name: name.into(),
            restart: Restart::default(),
            shutdown_timeout: Duration::from_secs(5),
            factory: Box::new(move |ctx| boxed(factory(ctx))),
        }
    }

    /// What is to happen when it ends by itself.
    #[must_use]
    pub fn restart(mut self, restart: Restart) -> Self {
        self.restart = restart;
        self
    }

    /// How long it may take to stop once its context has ended; then it is aborted. Zero aborts at once.
    #[must_use]
    pub fn shutdown_timeout(mut self, timeout: Duration) -> Self {
        self.shutdown_timeout = timeout;
        self
    }
}

impl Family for Vec<Child> {
    fn len(&self) -> usize {
        Vec::len(self)
    }

    fn name(&self, child: usize) -> Arc<str> {
        Arc::clone(&self[child].name)
    }

    fn restart(&self, child: usize) -> Restart {
        self[child].restart
    }

    fn shutdown_timeout(&self, child: usize) -> Duration {
        self[child].shutdown_timeout
    }

    fn make(&mut self, child: usize, ctx: Context) -> Run {
        (self[child].factory)(ctx)
    }
}

impl fmt::Debug for Child {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Child")
            .field("name", &self.name)
            .field("restart", &self.restart)
            .field("shutdown_timeout", &self.shutdown_timeout)
            .finish_non_exhaustive()
    }
}

fn boxed<E: fmt::Display>(run: impl Future<Output = Result<(), E>> + Send + 'static) -> Run {
    Box::pin(async move { run.await.map_err(|error| error.to_string()) })
}
