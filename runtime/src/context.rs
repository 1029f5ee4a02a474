//! Contexts: when work is to stop, by when, why, and what it was about.
//!
//! A request fans out into many tasks. When its client goes away, or its time is up, all of them must stop,
//! and the last one must not be told by hand. A `Context` is passed down instead, as the first argument of
//! whatever can wait. Each callee may derive a narrower one from it; ending one ends everything below it and
//! nothing above.
//!
//! ```text
//!   background ── with_timeout(2 s) ──┬── with_value(UserId(7)) ── with_cancel
//!                                     └── with_cancel
//!   cancelled, ended or past its deadline: all that hangs to the right of it ends too
//! ```
//!
//! # Two structures, one handle
//! A `Context` is a pair of references, each of which may be absent: the node of the tree of cancellation
//! that it stands at (`node`), and the values it can see (`value`). Deriving a cancellable context adds a
//! node and keeps the values; `with_value` adds a value and keeps the node; `without_cancel` drops the node
//! and keeps the values. `background()` has neither, and costs nothing.
//!
//! # Where things stand
//! The tree is in `node`, with its walk and who is told of an end, over the numbered lists of `pirn_sync::slab`;
//! `cause` says what an end is; `deadline` who gets a timer; `done` is the future that waits, `run` the one that runs
//! another; `after_func` registers functions; `signals` ends a context by a signal; what a walk wakes goes through
//! `wake_up`.
//!
//! # Under another executor
//! Nothing here needs `pirn`'s scheduler but the deadline of a context that is watched, which needs its timers, and
//! `after_func`, which needs somewhere to run: outside a runtime both start the global one.

mod after_func;
mod cause;
mod deadline;
mod done;
mod node;
mod run;
mod signals;
mod value;
mod wake_up;

#[cfg(all(test, loom))]
mod loom;
#[cfg(all(test, not(loom)))]
mod tests;

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pirn_sync::clock;

pub use self::after_func::AfterFunc;
pub use self::cause::ContextError;
pub use self::done::Done;
pub use self::run::Run;
pub use self::signals::SignalReceived;

use self::cause::{Cause, Outcome};
use self::node::Node;
use self::value::Values;

/// Says when work is to stop, by when, why, and what it is about. Modelled on Go's `context.Context`.
///
/// A handle: cheap to clone (at most two reference counts), `Send + Sync`, and all clones are the same
/// context. Every function takes `&self` and none of them waits, except that the futures of [`done`](Self::done)
/// and [`run`](Self::run) do.
///
/// ```
/// use pirn::{Context, ContextError};
///
/// let (request, cancel) = Context::background().with_cancel();
/// let (query, _cancel_query) = request.with_value("user 7").with_cancel();
///
/// cancel.cancel_cause("the client went away");
/// assert_eq!(query.err(), Some(ContextError::Canceled));
/// assert_eq!(query.cause().unwrap().to_string(), "the client went away");
/// assert_eq!(query.value::<&str>(), Some(&"user 7"));
/// ```
#[derive(Clone, Default)]
pub struct Context {
    /// `None`: it never ends.
    node: Option<Arc<Node>>,
    values: Option<Arc<Values>>,
}

impl Context {
    /// The context that never ends, has no deadline and no values: the root of every tree.
    ///
    /// For `main`, for tests, and for work that belongs to no request. Costs nothing.
    pub const fn background() -> Self {
        Self { node: None, values: None }
    }

    /// The same as [`background`](Self::background), for where it is not yet clear which context to use.
    ///
    /// It says to a reader that a context still has to be passed down to here.
    pub const fn todo() -> Self {
        Self::background()
    }

    /// A child that the [`CancelFunc`] ends, unless this context ends first.
    ///
    /// Dropping the `CancelFunc` cancels too: bind it to a name that lives long enough. Beware of
    /// `let (ctx, _) = …`, which drops it at once and gives a context that has already ended.
    ///
    /// ```
    /// use pirn::Context;
    ///
    /// let parent = Context::background();
    /// let ctx = {
    ///     let (ctx, _cancel) = parent.with_cancel();
    ///     assert!(ctx.err().is_none());
    ///     ctx
    /// };
    /// assert!(ctx.err().is_some());
    /// ```
    pub fn with_cancel(&self) -> (Self, CancelFunc) {
        self.derive(None, clock::now, None)
    }

    /// As [`with_cancel`](Self::with_cancel): every [`CancelFunc`] takes a cause. Go needs two functions.
    pub fn with_cancel_cause(&self) -> (Self, CancelFunc) {
        self.with_cancel()
    }

    /// A child that ends `timeout` from now, or as [`with_cancel`](Self::with_cancel) says.
    ///
    /// Zero gives a context that has ended; a timeout too long to represent gives one without a deadline of
    /// its own. Where this context's deadline is no later, the child needs no timer and has none.
    ///
    /// ```
    /// use pirn::{Context, ContextError};
    /// use std::time::Duration;
    ///
    /// let (ctx, _cancel) = Context::background().with_timeout(Duration::ZERO);
    /// assert_eq!(ctx.err(), Some(ContextError::DeadlineExceeded));
    /// ```
    pub fn with_timeout(&self, timeout: Duration) -> (Self, CancelFunc) {
        self.within(timeout, None)
    }

    /// As [`with_timeout`](Self::with_timeout); a child that ends by its own timeout has this cause.
    ///
    /// The cause changes what [`cause`](Self::cause) answers, never [`err`](Self::err).
    ///
    /// ```
    /// use pirn::{Context, ContextError};
    /// use std::time::Duration;
    ///
    /// let (ctx, _cancel) = Context::background().with_timeout_cause(Duration::ZERO, "budget used up");
    /// assert_eq!(ctx.err(), Some(ContextError::DeadlineExceeded));
    /// assert_eq!(ctx.cause().unwrap().to_string(), "budget used up");
    /// ```
    pub fn with_timeout_cause(
        &self,
        timeout: Duration,
        cause: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> (Self, CancelFunc) {
        self.within(timeout, Some(Cause::from(cause.into())))
    }

    /// A child that ends at `deadline`, or as [`with_cancel`](Self::with_cancel) says.
    ///
    /// The earlier of this deadline and the parent's counts, and is what [`deadline`](Self::deadline) tells. One
    /// that is past gives a context that has ended.
    pub fn with_deadline(&self, deadline: Instant) -> (Self, CancelFunc) {
        self.derive(Some(deadline), clock::now, None)
    }

    /// As [`with_deadline`](Self::with_deadline); a child that ends by its own deadline has this cause.
    ///
    /// Where the parent's deadline is the same or earlier, the child ends as the parent does, with its cause.
    pub fn with_deadline_cause(
        &self,
        deadline: Instant,
        cause: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> (Self, CancelFunc) {
        self.derive(Some(deadline), clock::now, Some(Cause::from(cause.into())))
    }

    fn within(&self, timeout: Duration, cause: Option<Cause>) -> (Self, CancelFunc) {
        let now = clock::now();
        self.derive(now.checked_add(timeout), || now, cause)
    }

    /// `now` is asked only if the child has a deadline of its own.
    fn derive(
        &self,
        deadline: Option<Instant>,
        now: impl FnOnce() -> Instant,
        cause: Option<Cause>,
    ) -> (Self, CancelFunc) {
        let inherited = self.deadline();
        let own = deadline::earlier_than(inherited, deadline);
        let node = Node::new(self.node.as_ref(), own.or(inherited), own.and(cause));
        if own.is_some_and(|at| at <= now()) {
            // What has ended above comes first, noticed or not; nothing that ends later counts any more.
            let _above = self.err();
            let _it_has_ended = node.err();
        }
        let cancel = CancelFunc { node: Some(Arc::clone(&node)) };
        (Self { node: Some(node), values: self.values.clone() }, cancel)
    }

    /// This context with one more value, which [`value`](Self::value) finds by its type.
    ///
    /// For what belongs to a request and passes through code that does not care: who asked, a trace id. Not
    /// for optional arguments. Give each use a type of its own, so that nobody shadows it by chance. It is
    /// the same context as far as cancellation goes.
    ///
    /// ```
    /// use pirn::Context;
    ///
    /// #[derive(Debug, PartialEq)]
    /// struct UserId(u64);
    ///
    /// let outer = Context::background().with_value(UserId(7));
    /// let inner = outer.with_value(UserId(8));
    /// assert_eq!(inner.value(), Some(&UserId(8)));
    /// assert_eq!(outer.value(), Some(&UserId(7)));
    /// assert_eq!(inner.value::<String>(), None);
    /// ```
    #[must_use = "it leaves this context as it is and returns the one with the value"]
    pub fn with_value<T: Send + Sync + 'static>(&self, value: T) -> Self {
        Self { node: self.node.clone(), values: Some(Values::push(self.values.clone(), value)) }
    }

    /// The value of type `T` that was added last on the way from the root to here.
    ///
    /// Takes no lock; walks over the values (not the contexts) in between.
    pub fn value<T: 'static>(&self) -> Option<&T> {
        self.values.as_ref()?.find()
    }

    /// The values of this context without its end: no parent, no deadline, never done.
    ///
    /// For work that must go on when the request is over, such as writing its log line.
    #[must_use = "it leaves this context as it is and returns the one that goes on"]
    pub fn without_cancel(&self) -> Self {
        Self { node: None, values: self.values.clone() }
    }

    /// A future that is ready when this context has ended.
    ///
    /// It has no lifetime, so it may be kept, moved and reused. It never ends for
    /// [`background`](Self::background). What the canceller did before is seen by whoever this wakes.
    ///
    /// *Cancel safety*: dropping it has no effect.
    #[track_caller]
    pub fn done(&self) -> Done {
        Done::new(self.node.clone(), Location::caller())
    }

    /// How this context ended, if it has. One atomic load where something waits for it; else one for each ancestor up to
    /// one for which something waits (a few at most: who looks far up is told from then on), and a reading of the clock
    /// where there is a deadline among them.
    ///
    /// Where somebody waits, a deadline shows when its timer has fired, which may be a moment after the instant
    /// itself: so `err` and [`done`](Self::done) always agree.
    #[inline]
    pub fn err(&self) -> Option<ContextError> {
        self.node.as_ref()?.err()
    }

    /// Why this context ended: the cause that was given, else the [`ContextError`] itself. `None` while live.
    pub fn cause(&self) -> Option<Arc<dyn Error + Send + Sync>> {
        let node = self.node.as_ref()?;
        node.err()?;
        Some(node.outcome()?.cause())
    }

    /// When this context will end by itself: the earliest deadline here or above.
    pub fn deadline(&self) -> Option<Instant> {
        self.node.as_ref()?.deadline()
    }

    /// Runs `f` as a task of its own when this context ends, or now if it has.
    ///
    /// It runs at most once, on the runtime in which it was registered (which drops it unrun if it has been shut
    /// down by then), else on the one that the canceller is in, else on the global one. A context that never
    /// ends never runs it. See [`AfterFunc::stop`]; dropping the handle does not stop `f`.
    ///
    /// If all handles of a context are gone before it ended, so that only its parent can still end it, `f`
    /// runs at the parent's end.
    ///
    /// ```
    /// let (ctx, cancel) = pirn::Context::background().with_cancel();
    /// let (tx, rx) = std::sync::mpsc::channel();
    /// let closing = ctx.after_func(move || tx.send("closed").unwrap());
    /// cancel.cancel();
    /// assert_eq!(rx.recv(), Ok("closed"));
    /// assert!(!closing.stop());
    /// ```
    #[track_caller]
    pub fn after_func(&self, f: impl FnOnce() + Send + 'static) -> AfterFunc {
        AfterFunc::register(self.node.as_ref(), Box::new(f), Location::caller())
    }

    /// Runs `future` for as long as this context lives.
    ///
    /// # Errors
    /// How the context ended, if it ended first. The future is dropped at that moment, not when the result is.
    /// If the context had ended before, the future is never polled.
    ///
    /// # Panics
    /// When polled again after it was ready.
    ///
    /// # Cancel safety
    /// Dropping this drops the future.
    #[track_caller]
    pub fn run<F: Future>(&self, future: F) -> Run<F> {
        Run::new(self.done(), future)
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("err", &self.err())
            .field("deadline", &self.deadline())
            .finish_non_exhaustive()
    }
}

/// Ends the context it was made with, when called or when dropped: Go's `defer cancel()`.
///
/// Cancelling ends every descendant of the context before it returns, and then wakes all that waited for
/// them. It never waits, and costs time in proportion to what it ends.
#[must_use = "dropping it cancels the context at once: bind it to a name, or call `detach`"]
pub struct CancelFunc {
    /// `None` once detached.
    node: Option<Arc<Node>>,
}

impl CancelFunc {
    /// Ends the context with [`ContextError::Canceled`]. Does nothing if it has ended, or if its deadline has passed and
    /// nobody has noticed yet: then it has ended by that.
    pub fn cancel(&self) {
        self.end(None);
    }

    /// As [`cancel`](Self::cancel), and tells why: [`Context::cause`] answers with `cause`.
    ///
    /// The first end counts: on a context that has ended the cause is dropped.
    pub fn cancel_cause(&self, cause: impl Into<Box<dyn Error + Send + Sync>>) {
        self.end(Some(Cause::from(cause.into())));
    }

    /// Gives up the right to cancel, and lets the context live until its parent or its deadline ends it.
    ///
    /// A context that nobody holds any more leaves its parent by itself.
    pub fn detach(mut self) {
        self.node = None;
    }

    fn end(&self, cause: Option<Cause>) {
        if let Some(node) = &self.node {
            node.end(Outcome::canceled(cause));
        }
    }
}

impl Drop for CancelFunc {
    fn drop(&mut self) {
        self.cancel();
    }
}

impl fmt::Debug for CancelFunc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ended = self.node.as_ref().is_none_or(|node| node.err().is_some());
        f.debug_struct("CancelFunc").field("spent", &ended).finish()
    }
}
