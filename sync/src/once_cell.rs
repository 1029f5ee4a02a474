//! The once cell: a value that is made by the first who needs it, while the others wait for it.
//!
//! A [`Gate`] decides who makes it; std's `OnceLock` keeps it. Where
//! [`Once`](crate::Once) is about *running* once, this is about *having* a value: an initialiser that fails,
//! panics or is dropped has made none, so the next caller tries.
//!
//! # Invariants
//! V1. The value is set by the one who has the turn, before the gate is finished; so "done" means "set".

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::sync::OnceLock;
use std::task::{Context, Poll, ready};

use crate::error::SetError;
use crate::host;
use crate::once::attempt::Attempt;
use crate::once::gate::Gate;

/// A value that is made once, by the first who needs it.
///
/// # Examples
/// ```
/// use pirn_sync::OnceCell;
///
/// static CONFIG: OnceCell<String> = OnceCell::new();
///
/// # pirn_sync::block::wait(async {
/// let config = CONFIG.get_or_init(|| async { "read from a file".to_owned() }).await;
/// assert_eq!(CONFIG.get(), Some(config));
/// # });
/// ```
pub struct OnceCell<T> {
    gate: Gate,
    value: OnceLock<T>,
}

impl<T> OnceCell<T> {
    crate::const_fn! {
        /// An empty cell.
        pub const fn new() -> Self {
            Self { gate: Gate::new(), value: OnceLock::new() }
        }
    }

    /// The value, if it has been made.
    #[inline]
    pub fn get(&self) -> Option<&T> {
        self.value.get()
    }

    /// The value for changing, if it has been made.
    pub fn get_mut(&mut self) -> Option<&mut T> {
        self.value.get_mut()
    }

    /// Whether the value has been made; then [`get`](Self::get) returns it.
    #[inline]
    pub fn is_initialized(&self) -> bool {
        // Not whether the gate is done, which it is a moment later.
        self.value.get().is_some()
    }

    /// The value; if there is none, makes it by way of `f`, or waits for somebody who is about it.
    ///
    /// Cost when made: one load. The caller that makes it boxes the future.
    ///
    /// # Cancel safety
    /// Dropping the future drops `f`'s future with it; the next caller that waits makes its own value. So
    /// does a panic.
    #[inline]
    #[track_caller]
    pub fn get_or_init<F, Fut>(&self, f: F) -> GetOrInit<'_, T, F, Fut>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = T>,
    {
        GetOrInit { making: Making::new(self, f, Location::caller()) }
    }

    /// [`get_or_init`](Self::get_or_init) for a value that may not come about.
    ///
    /// # Errors
    /// That of `f`, to the caller that ran it; the next caller that waits runs its own.
    ///
    /// # Examples
    /// ```
    /// # pirn_sync::block::wait(async {
    /// let cell = pirn_sync::OnceCell::new();
    /// assert_eq!(cell.get_or_try_init(|| async { Err("not now") }).await, Err("not now"));
    /// assert_eq!(cell.get_or_try_init(|| async { Ok::<_, &str>(1) }).await, Ok(&1));
    /// # });
    /// ```
    #[inline]
    #[track_caller]
    pub fn get_or_try_init<E, F, Fut>(&self, f: F) -> GetOrTryInit<'_, T, F, Fut>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        GetOrTryInit { making: Making::new(self, f, Location::caller()) }
    }

    /// [`get_or_init`](Self::get_or_init), running `f` on this thread or blocking it.
    ///
    /// # Examples
    /// ```
    /// let cell = pirn_sync::OnceCell::new();
    /// assert_eq!(*cell.get_or_init_blocking(|| 1), 1);
    /// assert_eq!(*cell.get_or_init_blocking(|| 2), 1);
    /// ```
    #[track_caller]
    pub fn get_or_init_blocking(&self, f: impl FnOnce() -> T) -> &T {
        match self.get_or_try_init_blocking(|| Ok::<T, Infallible>(f())) {
            Ok(value) => value,
        }
    }

    /// [`get_or_try_init`](Self::get_or_try_init), running `f` on this thread or blocking it.
    ///
    /// # Errors
    /// That of `f`.
    #[track_caller]
    pub fn get_or_try_init_blocking<E>(&self, f: impl FnOnce() -> Result<T, E>) -> Result<&T, E> {
        if let Some(value) = self.get() {
            return Ok(value);
        }
        if let Some(turn) = self.gate.enter_blocking(Location::caller()) {
            let value = f()?;
            self.fill(value);
            turn.finish();
        }
        Ok(self.filled())
    }

    /// Sets the value. Never waits.
    ///
    /// # Errors
    /// Gives `value` back when there is one already, or when an initialiser is running.
    ///
    /// # Examples
    /// ```
    /// use pirn_sync::{OnceCell, SetError};
    ///
    /// let cell = OnceCell::new();
    /// assert_eq!(cell.set(1), Ok(()));
    /// assert_eq!(cell.set(2), Err(SetError::AlreadySet(2)));
    /// ```
    pub fn set(&self, value: T) -> Result<(), SetError<T>> {
        match self.gate.try_enter() {
            Some(Some(turn)) => {
                self.fill(value);
                turn.finish();
                Ok(())
            }
            Some(None) => Err(SetError::AlreadySet(value)),
            None if self.is_initialized() => Err(SetError::AlreadySet(value)),
            None => Err(SetError::Initializing(value)),
        }
    }

    /// The value, out of the cell, which is empty afterwards.
    pub fn take(&mut self) -> Option<T> {
        std::mem::take(self).into_inner()
    }

    /// The value, out of the cell.
    pub fn into_inner(self) -> Option<T> {
        self.value.into_inner()
    }

    /// By the one who has the turn (V1).
    fn fill(&self, value: T) {
        assert!(self.value.set(value).is_ok(), "V1: a value was set without the turn");
    }

    fn filled(&self) -> &T {
        self.get().expect("V1: the gate is done before the value is set")
    }
}

impl<T> Default for OnceCell<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> From<T> for OnceCell<T> {
    fn from(value: T) -> Self {
        let cell = Self::new();
        cell.fill(value);
        cell.gate.finish();
        cell
    }
}

/// The value's clone; an empty cell, if the value has not been made yet.
impl<T: Clone> Clone for OnceCell<T> {
    fn clone(&self) -> Self {
        self.get().cloned().map_or_else(Self::new, Self::from)
    }
}

impl<T: PartialEq> PartialEq for OnceCell<T> {
    fn eq(&self, other: &Self) -> bool {
        self.get() == other.get()
    }
}

impl<T: Eq> Eq for OnceCell<T> {}

impl<T: fmt::Debug> fmt::Debug for OnceCell<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OnceCell").field(&self.get()).finish()
    }
}

/// What both futures do: an attempt, and what becomes of the turn.
struct Making<'a, T, F, Fut> {
    cell: &'a OnceCell<T>,
    attempt: Attempt<F, Fut>,
}

impl<'a, T, F: FnOnce() -> Fut, Fut: Future> Making<'a, T, F, Fut> {
    #[inline]
    fn new(cell: &'a OnceCell<T>, f: F, at: &'static Location<'static>) -> Self {
        Self { cell, attempt: Attempt::new(f, at) }
    }

    #[inline]
    fn poll<E>(
        &mut self,
        context: &mut Context<'_>,
        value: impl FnOnce(Fut::Output) -> Result<T, E>,
    ) -> Poll<Result<&'a T, E>> {
        let cell = self.cell;
        if let Some(value) = cell.get() {
            ready!(host::poll_yield(context));
            return Poll::Ready(Ok(value));
        }
        if let Some(output) = ready!(self.attempt.poll(&cell.gate, context)) {
            match value(output) {
                Ok(value) => {
                    cell.fill(value);
                    cell.gate.finish();
                }
                Err(error) => {
                    cell.gate.give_up();
                    return Poll::Ready(Err(error));
                }
            }
        }
        Poll::Ready(Ok(cell.filled()))
    }
}

impl<T, F, Fut> Drop for Making<'_, T, F, Fut> {
    #[inline]
    fn drop(&mut self) {
        self.attempt.abandon(&self.cell.gate, false);
    }
}

/// The future of [`OnceCell::get_or_init`].
#[must_use = "futures do nothing unless awaited"]
pub struct GetOrInit<'a, T, F, Fut> {
    making: Making<'a, T, F, Fut>,
}

impl<'a, T, F, Fut> Future for GetOrInit<'a, T, F, Fut>
where
    F: FnOnce() -> Fut,
    Fut: Future<Output = T>,
{
    type Output = &'a T;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<&'a T> {
        match ready!(self.making.poll(context, Ok::<T, Infallible>)) {
            Ok(value) => Poll::Ready(value),
        }
    }
}

impl<T, F, Fut> fmt::Debug for GetOrInit<'_, T, F, Fut> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GetOrInit").finish_non_exhaustive()
    }
}

/// The future of [`OnceCell::get_or_try_init`].
#[must_use = "futures do nothing unless awaited"]
pub struct GetOrTryInit<'a, T, F, Fut> {
    making: Making<'a, T, F, Fut>,
}

impl<'a, T, E, F, Fut> Future for GetOrTryInit<'a, T, F, Fut>
where
    F: FnOnce() -> Fut,
    Fut: Future<Output = Result<T, E>>,
{
    type Output = Result<&'a T, E>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.making.poll(context, |result| result)
    }
}

impl<T, F, Fut> fmt::Debug for GetOrTryInit<'_, T, F, Fut> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GetOrTryInit").finish_non_exhaustive()
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
