//! A context that a signal ends: how a program is told to stop, in the form in which its tasks already listen.
//!
//! A small task waits for the first of the signals under the very context that it is to end. So it is gone as
//! soon as the context has ended, in whatever way, and with it the receiver, whose drop gives the signals their
//! former effect back. A second Ctrl-C then kills a program that does not manage to stop.

use std::error::Error;
use std::fmt;
use std::panic::Location;
use std::sync::Arc;

use super::cause::Outcome;
use super::{CancelFunc, Context};
use crate::signal::{self, Signal};

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
    /// global one, does the waiting until the context ends.
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
        if let Some(node) = ctx.node.clone() {
            let listen = ctx.run(async move {
                if let Ok(signal) = received.recv().await {
                    node.end(Outcome::canceled(Some(Arc::new(SignalReceived(signal)))));
                }
            });
            drop(crate::global::spawn(listen, None, Location::caller()));
        }
        (ctx, cancel)
    }
}
