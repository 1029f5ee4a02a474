//! Why a task has no output.

use super::TaskId;
use std::any::Any;
use std::fmt;
use std::sync::{Arc, Mutex};

/// The error of a [`JoinHandle`](super::JoinHandle): the task panicked or was cancelled.
///
/// ```
/// let error = pirn::block_on(pirn::spawn(async { panic!("no tea") })).unwrap_err();
/// assert!(error.is_panic());
/// assert!(error.to_string().ends_with("panicked: no tea"));
/// ```
pub struct JoinError(Box<Inner>);

/// Boxed, because the output takes the future's place in a task: an error wider than a small future would
/// widen every task.
struct Inner {
    id: TaskId,
    name: Option<Arc<str>>,
    cause: Cause,
}

enum Cause {
    Cancelled,
    // The mutex makes the error `Sync`, which `Box<dyn Error + Send + Sync>` asks for; it is never locked
    // by two at once.
    Panicked(Mutex<Box<dyn Any + Send>>),
}

impl JoinError {
    pub(super) fn cancelled(id: TaskId) -> Self {
        Self(Box::new(Inner { id, name: None, cause: Cause::Cancelled }))
    }

    pub(super) fn panicked(id: TaskId, payload: Box<dyn Any + Send>) -> Self {
        Self(Box::new(Inner { id, name: None, cause: Cause::Panicked(Mutex::new(payload)) }))
    }

    pub(super) fn set_name(&mut self, name: Option<Arc<str>>) {
        self.0.name = name;
    }

    /// Whether the task panicked: in its poll, or in a destructor of its future.
    pub fn is_panic(&self) -> bool {
        matches!(self.0.cause, Cause::Panicked(_))
    }

    /// Whether the task was cancelled: aborted, or left behind by a runtime that shut down.
    pub fn is_cancelled(&self) -> bool {
        matches!(self.0.cause, Cause::Cancelled)
    }

    /// The task's name, if it was given one.
    pub fn name(&self) -> Option<&str> {
        self.0.name.as_deref()
    }

    /// The task's id.
    pub fn id(&self) -> TaskId {
        self.0.id
    }

    /// What the task panicked with, to be resumed by `std::panic::resume_unwind`.
    ///
    /// # Panics
    /// If the task was cancelled. [`is_panic`](Self::is_panic) tells.
    #[track_caller]
    pub fn into_panic(self) -> Box<dyn Any + Send> {
        match self.try_into_panic() {
            Ok(payload) => payload,
            Err(error) => panic!("into_panic on an error that is no panic: {error}"),
        }
    }

    /// What the task panicked with, or the error back if it was cancelled.
    ///
    /// # Errors
    /// The error itself, if the task was cancelled.
    pub fn try_into_panic(self) -> Result<Box<dyn Any + Send>, Self> {
        let Inner { id, name, cause } = *self.0;
        match cause {
            Cause::Panicked(payload) => Ok(payload.into_inner().unwrap_or_else(|p| p.into_inner())),
            Cause::Cancelled => Err(Self(Box::new(Inner { id, name, cause: Cause::Cancelled }))),
        }
    }
}

/// The message of a panic, where it has one: `panic!` with a string gives one.
fn panic_message(payload: &(dyn Any + Send)) -> &str {
    if let Some(message) = payload.downcast_ref::<&'static str>() {
        message
    } else if let Some(message) = payload.downcast_ref::<String>() {
        message
    } else {
        "(a payload that is no string)"
    }
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.name {
            Some(name) => write!(f, "task {} ({name})", self.0.id)?,
            None => write!(f, "task {}", self.0.id)?,
        }
        match &self.0.cause {
            Cause::Cancelled => f.write_str(" was cancelled"),
            Cause::Panicked(payload) => {
                let payload = payload.lock().unwrap_or_else(|p| p.into_inner());
                write!(f, " panicked: {}", panic_message(&**payload))
            }
        }
    }
}

impl fmt::Debug for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JoinError({self})")
    }
}

impl std::error::Error for JoinError {}

impl From<JoinError> for std::io::Error {
    fn from(error: JoinError) -> Self {
        Self::other(error)
    }
}
