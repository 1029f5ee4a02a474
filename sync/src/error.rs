//! The errors of the primitives. Each says what happened and what can be done about it, and gives back what
//! the caller put in.

use std::fmt;

/// The semaphore was closed: no permit will be had from it any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AcquireError(pub(crate) ());

impl fmt::Display for AcquireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the semaphore is closed: stop the work that it guards")
    }
}

impl std::error::Error for AcquireError {}

/// Why [`Semaphore::try_acquire`](crate::Semaphore::try_acquire) got nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TryAcquireError {
    /// Too few permits are free, or others wait for them already.
    NoPermits,
    /// The semaphore was closed.
    Closed,
}

impl fmt::Display for TryAcquireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoPermits => "too few permits are free: try again later, or wait with `acquire`",
            Self::Closed => "the semaphore is closed: stop the work that it guards",
        })
    }
}

impl std::error::Error for TryAcquireError {}

/// Why [`OnceCell::set`](crate::OnceCell::set) did not set the value, and that value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetError<T> {
    /// The cell has a value already.
    AlreadySet(T),
    /// An initialiser is running, whose value goes first.
    Initializing(T),
}

impl<T> SetError<T> {
    /// The value that was not set.
    pub fn into_inner(self) -> T {
        match self {
            Self::AlreadySet(value) | Self::Initializing(value) => value,
        }
    }
}

impl<T> fmt::Display for SetError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AlreadySet(_) => "the cell has a value already: read it with `get`",
            Self::Initializing(_) => "the cell is being initialised: wait for its value with `get_or_init`",
        })
    }
}

impl<T: fmt::Debug> std::error::Error for SetError<T> {}
