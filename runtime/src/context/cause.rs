//! How a context ended: the two kinds of end, and the reason that somebody gave.
//!
//! Go tells two things apart, and so do we. [`err()`](super::Context::err) answers *what happened*, and
//! programs branch on it: the context was cancelled, or its deadline passed. There are no other answers.
//! [`cause()`](super::Context::cause) answers *why*, for people and logs: whatever error the canceller gave.
//! Where none was given the cause is the kind itself, so that a report can always print the cause.
//!
//! | ended by | `err()` | `cause()` |
//! |---|---|---|
//! | `cancel()`, or the `CancelFunc` dropped | `Canceled` | `Canceled` |
//! | `cancel_cause(e)` | `Canceled` | `e` |
//! | its deadline | `DeadlineExceeded` | `DeadlineExceeded` |
//! | its deadline, made with a cause `e` | `DeadlineExceeded` | `e` |
//! | its parent | as the parent's | as the parent's |
//!
//! # Invariants
//! E1. A context ends once: the first end wins, and `err` and `cause` are of one and the same end.
//! E2. A cause never changes `err`.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

/// Why a context ended, as `err()` tells it.
///
/// Displayed as in Go: `context canceled` and `context deadline exceeded`.
///
/// ```
/// use pirn::{Context, ContextError};
///
/// let (ctx, cancel) = Context::background().with_cancel();
/// cancel.cancel();
/// assert_eq!(ctx.err(), Some(ContextError::Canceled));
/// assert_eq!(ContextError::DeadlineExceeded.to_string(), "context deadline exceeded");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ContextError {
    /// Somebody cancelled it or one of its ancestors, with or without a cause.
    Canceled,
    /// Its deadline passed.
    DeadlineExceeded,
}

impl fmt::Display for ContextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Canceled => "context canceled",
            Self::DeadlineExceeded => "context deadline exceeded",
        })
    }
}

impl Error for ContextError {}

/// A reason given by whoever ended a context, shared by all that ended with it.
pub(super) type Cause = Arc<dyn Error + Send + Sync>;

/// One end of one context: what `err` and `cause` answer from then on (E1).
#[derive(Clone, Debug)]
pub(super) struct Outcome {
    pub(super) err: ContextError,
    given: Option<Cause>,
}

impl Outcome {
    /// A cancellation, for the reason `given` if there is one.
    pub(super) fn canceled(given: Option<Cause>) -> Self {
        Self { err: ContextError::Canceled, given }
    }

    /// A deadline that passed, for the reason `given` if there is one.
    pub(super) fn deadline_exceeded(given: Option<Cause>) -> Self {
        Self { err: ContextError::DeadlineExceeded, given }
    }

    /// The reason given, else the kind itself.
    pub(super) fn cause(&self) -> Cause {
        self.given.clone().unwrap_or_else(|| Arc::new(self.err))
    }
}
