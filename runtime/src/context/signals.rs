//! A context that a signal ends: how a program is told to stop, in the form in which its tasks already listen.
//!
//! A small task waits for the first of the signals under the very context that it is to end. So it is gone as
//! soon as the context has ended, in whatever way, and with it the receiver, whose drop gives the signals their
//! former effect back. A second Ctrl-C then kills a program that does not manage to stop.
//!
//! The task goes with its runtime, but the context does not: then the receiver moves on, into a task of the global one.
//! Without it the next signal would find nobody, and do to the process what it does by default.

use std::error::Error;
use std::fmt;
use std::panic::Location;
use std::sync::Arc;

use super::cause::Outcome;
use super::{CancelFunc, Context};
use crate::signal::{self, Signal};
use pirn_channel::Receiver;

/// The cause of a context that a signal has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignalReceived(
    /// Which one.
    pub Signal,
);

impl fmt::Display for SignalReceived {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "received {}", self.0)
    }
}

impl Error for SignalReceived {}

impl Context {
    /// A child of `parent` that the first of `signals` ends, with a [`SignalReceived`] as its cause.
    ///
    /// Listening begins inside this call. From the context's end on the signals have their former effect again:
    /// so a second Ctrl-C kills a program that hangs while it stops. A task on the current runtime, else on the
    /// global one, does the waiting until the context ends; where the current one goes before, the global one goes on.
    ///
    /// # Panics
    /// As [`signal::notify`].
    ///
    /// ```
    /// use pirn::signal::Signal;
    /// use pirn::{Context, ContextError};
    ///
    /// let (ctx, _cancel) = Context::notify(&Context::background(), &[Signal::TERM, Signal::INT]);
    /// Signal::TERM.raise();
    /// pirn::block_on(ctx.done());
    /// assert_eq!(ctx.err(), Some(ContextError::Canceled));
    /// assert_eq!(ctx.cause().unwrap().to_string(), "received SIGTERM");
    /// ```
    #[track_caller]
    pub fn notify(parent: &Context, signals: &[Signal]) -> (Context, CancelFunc) {
        let received = signal::notify(signals);
        let (ctx, cancel) = parent.with_cancel();
        let (at, open) = (Location::caller(), Some((ctx.clone(), received)));
        let listener = Listener { open, at, has_moved: false };
        drop(crate::global::spawn(listener.listen(), None, at));
        (ctx, cancel)
    }
}

/// Who waits for the signals of a context.
struct Listener {
    /// `None` once there is nothing to wait for any more.
    open: Option<(Context, Receiver<Signal>)>,
    at: &'static Location<'static>,
    /// It waits on the global runtime, in place of one that has gone.
    has_moved: bool,
}

impl Listener {
    async fn listen(mut self) {
        if let Some((ctx, received)) = &self.open
            && let Ok(Ok(signal)) = ctx.run(received.recv()).await
            && let Some(node) = &ctx.node
        {
            node.end(Outcome::canceled(Some(Arc::new(SignalReceived(signal)))));
        }
        self.open = None;
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Some(open) = self.open.take()
            && !self.has_moved
        {
            let listener = Self { open: Some(open), at: self.at, has_moved: true };
            drop(crate::global::shared().spawn(listener.listen(), None, self.at));
        }
    }
}
