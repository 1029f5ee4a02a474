//! What a supervisor says when it gives up: the last failure, and how it came to that.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

/// Why a supervisor ended without its children having done their work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SupervisorError {
    /// Its context ended, or its runtime was shut down. All children were stopped.
    Canceled,
    /// More restarts were needed than allowed. All children were stopped.
    TooManyRestarts {
        /// The failure that was one too many, with those before it.
        last: LastFailure,
    },
}

/// The failure at which a supervisor gave up: reads like its message (a `str`), and knows the history.
#[derive(Clone, PartialEq, Eq)]
pub struct LastFailure {
    pub(super) supervisor: Arc<str>,
    pub(super) message: String,
    pub(super) history: Vec<Failure>,
}

/// One end of a child that called for a restart.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Failure {
    /// The child's name.
    pub child: Arc<str>,
    /// How long it had run.
    pub ran: Duration,
    /// What it ended with: the error or the panic's message.
    pub message: String,
}

impl LastFailure {
    /// The error or the panic's message.
    pub fn as_str(&self) -> &str {
        &self.message
    }

    /// The failures within the window, oldest first. The last one is this one.
    pub fn history(&self) -> &[Failure] {
        &self.history
    }
}

impl Deref for LastFailure {
    type Target = str;

    fn deref(&self) -> &str {
        &self.message
    }
}

impl PartialEq<str> for LastFailure {
    fn eq(&self, other: &str) -> bool {
        self.message == other
    }
}

impl PartialEq<&str> for LastFailure {
    fn eq(&self, other: &&str) -> bool {
        self.message == *other
    }
}

impl PartialEq<String> for LastFailure {
    fn eq(&self, other: &String) -> bool {
        self.message == *other
    }
}

impl From<LastFailure> for String {
    fn from(last: LastFailure) -> Self {
        last.message
    }
}

impl fmt::Display for LastFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl fmt::Debug for LastFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.message, f)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} after {:.1?}: {}", self.child, self.ran, self.message)
    }
}

impl fmt::Display for SupervisorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Canceled => f.write_str("supervisor canceled"),
            Self::TooManyRestarts { last } => {
                write!(f, "supervisor {}: too many restarts (", last.supervisor)?;
                for (n, failure) in last.history.iter().enumerate() {
                    write!(f, "{}{failure}", if n == 0 { "" } else { "; " })?;
                }
                f.write_str(")")
            }
        }
    }
}

impl std::error::Error for SupervisorError {}
