//! Tasks that are started again when they fail: Erlang's supervisor, for futures.
//!
//! A task that has lost its connection, or has run into a bug, is often best helped by starting it afresh. What
//! must not happen is that it is restarted for ever, at once, and in silence. So a supervisor pauses longer and
//! longer, counts, and finally *escalates*: it stops everything and returns an error that tells the history.
//! A supervisor's future is itself fit to be a child of another, which then decides.
//!
//! ```text
//!   supervisor app (one for all)
//!    ├─ child db      permanent   ◄── stopped last
//!    ├─ child cache   permanent
//!    └─ child warm-up transient   ◄── stopped first: reverse order, each with its own patience
//! ```
//!
//! Reading order: `policy` decides, `child` describes, `supervise` does it, `report` tells.

mod child;
mod policy;
mod report;
mod supervise;

use std::borrow::Borrow;
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

pub use self::child::{Child, Single};
pub use self::policy::{Restart, Strategy};
pub use self::report::{Failure, LastFailure, SupervisorError};
pub use self::supervise::Supervise;

use self::policy::Limits;
use crate::context::Context;

/// Restarts tasks that fail, within limits.
///
/// Unless told otherwise: at most 5 restarts within 30 seconds, pauses from 50 ms to 5 s, one for one.
///
/// ```
/// use pirn::{Context, Supervisor};
/// use std::time::Duration;
///
/// pirn::block_on(async {
///     let mut attempts = 0;
///     let refresher = || {
///         attempts += 1;
///         async move { if attempts < 3 { Err("the service is down") } else { Ok(()) } }
///     };
///     let result = Supervisor::new("token refresher")
///         .max_restarts(5, Duration::from_secs(60))
///         .backoff(Duration::from_millis(1), Duration::from_millis(10))
///         .run(Context::background(), refresher)
///         .await;
///     assert_eq!((result, attempts), (Ok(()), 3));
/// });
/// ```
#[derive(Clone, Debug)]
#[must_use = "a supervisor does nothing until `run` or `run_children`"]
pub struct Supervisor {
    name: Arc<str>,
    strategy: Strategy,
    limits: Limits,
}

impl Supervisor {
    /// A supervisor called `name`, which its tasks' names and its errors carry.
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self {
            name: name.into(),
            strategy: Strategy::default(),
            limits: Limits {
                restarts: 5,
                within: Duration::from_secs(30),
                min_pause: Duration::from_millis(50),
                max_pause: Duration::from_secs(5),
            },
        }
    }

    /// Gives up when more than `n` restarts are needed `within` any such span of time, counted over all children.
    pub fn max_restarts(mut self, n: usize, within: Duration) -> Self {
        self.limits.restarts = n;
        self.limits.within = within;
        self
    }

    /// Pauses at least `min` and at most `max` before a restart: doubling with each in a row, with jitter. A run
    /// longer than the window of [`max_restarts`](Self::max_restarts) ends the row.
    ///
    /// # Panics
    /// If `max` is less than `min`.
    #[track_caller]
    pub fn backoff(mut self, min: Duration, max: Duration) -> Self {
        assert!(
            min <= max,
            "Supervisor::backoff: the least pause, {min:?}, is more than the greatest, {max:?}"
        );
        self.limits.min_pause = min;
        self.limits.max_pause = max;
        self
    }

    /// Which of its siblings are restarted with a child that fails. For [`run_children`](Self::run_children).
    pub fn strategy(mut self, strategy: Strategy) -> Self {
        self.strategy = strategy;
        self
    }

    /// Runs the future that `factory` makes as a task, and restarts it when it panics or returns an error.
    ///
    /// `Ok` ends it. The end of `ctx` aborts the task. `factory` runs where this is polled, and only the futures
    /// need be `Send`; a factory that panics counts as a failure. `ctx` may be a `Context` or a reference to one.
    ///
    /// # Errors
    /// [`SupervisorError::Canceled`] when `ctx` ended, [`SupervisorError::TooManyRestarts`] when it gives up. The
    /// task has ended by then.
    ///
    /// *Cancel safety*: dropping this aborts the task.
    #[track_caller]
    pub fn run<F, Fut, E>(self, ctx: impl Borrow<Context>, factory: F) -> Supervise<Single<F>>
    where
        F: FnMut() -> Fut,
        Fut: Future<Output = Result<(), E>> + Send + 'static,
        E: fmt::Display + 'static,
    {
        let family = Single { name: Arc::clone(&self.name), factory };
        Supervise::new(self.name, self.strategy, self.limits, ctx.borrow(), family, Location::caller())
    }

    /// Runs `children`, started in this order, and restarts them as told, until none is left to run.
    ///
    /// Children are stopped in reverse order: when `ctx` ends, when it gives up, and those that a
    /// [`Strategy`] restarts along with another. Each is asked to stop through its own context and aborted
    /// after its [`shutdown_timeout`](Child::shutdown_timeout). A child that panics, errs or ends while it is being
    /// stopped counts as stopped. For tens of children rather than thousands: each wake-up looks at all.
    ///
    /// # Errors
    /// As [`run`](Self::run). All children have ended by then.
    ///
    /// *Cancel safety*: dropping this aborts the children, in reverse order, without waiting.
    ///
    /// ```
    /// use pirn::task::{Child, Strategy, Supervisor, SupervisorError};
    /// use pirn::{Context, ContextError};
    ///
    /// pirn::block_on(async {
    ///     let (ctx, cancel) = Context::background().with_cancel();
    ///     let log = Child::new("log", |ctx: Context| async move {
    ///         ctx.done().await;
    ///         Ok::<(), ContextError>(())
    ///     });
    ///     let work = Child::new("work", move |_| {
    ///         cancel.cancel();
    ///         std::future::pending::<Result<(), ContextError>>()
    ///     });
    ///     let app = Supervisor::new("app").strategy(Strategy::RestForOne);
    ///     let work = work.shutdown_timeout(std::time::Duration::ZERO);
    ///     assert_eq!(app.run_children(&ctx, [log, work]).await, Err(SupervisorError::Canceled));
    /// });
    /// ```
    #[track_caller]
    pub fn run_children(
        self,
        ctx: impl Borrow<Context>,
        children: impl IntoIterator<Item = Child>,
    ) -> Supervise<Vec<Child>> {
        let children = children.into_iter().collect();
        Supervise::new(self.name, self.strategy, self.limits, ctx.borrow(), children, Location::caller())
    }
}
