//! Once: something that is done exactly once, by whoever comes first, while the others wait.
//!
//! The turn to do it is one permit of [`Permits`](crate::permits): whoever gets it runs. Having done it
//! closes the permits, and "closed" is what everybody else reads as "done", for ever after with one load.
//! Giving up (an error, a dropped future) is giving the permit back: the next in the queue gets the turn.
//! So the queue's rules hold here too, a waiter that nobody polls delays the others, and there is no second
//! algorithm to check. [`OnceCell`](crate::OnceCell) and [`SingleFlight`](crate::SingleFlight) stand on the
//! same [`Gate`].
//!
//! # Invariants
//! O1. At most one caller has the turn, and none after it is done.
//! O2. What was done before [`Gate::finish`] is seen by everybody who finds the gate done.
//! O3. A turn ends by `finish` or by `give_up`, also when the one who has it panics or is dropped; and only
//!     after its future has been dropped, so that two initialisers never overlap.

pub(crate) mod attempt;
pub(crate) mod gate;

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use attempt::Attempt;
use gate::Gate;

/// Something that is done exactly once.
///
/// A closure or future that panics has been run: the `Once` is done, as Go's is, and the panic goes on to
/// its caller. One that is dropped before it has ended has not: the next caller runs its own.
///
/// # Examples
/// ```
/// use pirn_sync::Once;
///
/// static START: Once = Once::new();
///
/// # pirn_sync::block::wait(async {
/// START.call_once(|| async { println!("this is printed once") }).await;
/// START.call_once(|| async { unreachable!() }).await;
/// assert!(START.is_completed());
/// # });
/// ```
pub struct Once {
    gate: Gate,
}

impl Once {
    crate::const_fn! {
        /// Nothing has been done yet.
        pub const fn new() -> Self {
            Self { gate: Gate::new() }
        }
    }

    /// Runs `f` and its future if nobody has; waits until it is done if somebody is about it. What it did is
    /// seen afterwards.
    ///
    /// Cost when done: one load. The caller that runs it boxes the future. Calling it inside its own `f`
    /// waits for ever.
    ///
    /// # Cancel safety
    /// Dropping the future while it runs `f`'s future drops that too, and the next caller runs its own.
    #[track_caller]
    pub fn call_once<F, Fut>(&self, f: F) -> CallOnce<'_, F, Fut>
    where
        F: FnOnce() -> Fut,
        Fut: Future,
    {
        CallOnce { gate: &self.gate, attempt: Attempt::new(f, Location::caller()) }
    }

    /// Runs `f` on this thread if nobody has; blocks it until it is done if somebody is about it.
    ///
    /// # Examples
    /// ```
    /// let once = pirn_sync::Once::new();
    /// let mut runs = 0;
    /// once.call_once_blocking(|| runs += 1);
    /// once.call_once_blocking(|| runs += 1);
    /// assert_eq!(runs, 1);
    /// ```
    #[track_caller]
    pub fn call_once_blocking(&self, f: impl FnOnce()) {
        if let Some(turn) = self.gate.enter_blocking(Location::caller()) {
            // Finished when dropped: a panic counts too.
            let _finish = turn.finish_on_drop();
            f();
        }
    }

    /// Whether it has been done.
    ///
    /// # Examples
    /// ```
    /// assert!(!pirn_sync::Once::new().is_completed());
    /// ```
    #[inline]
    pub fn is_completed(&self) -> bool {
        self.gate.is_done()
    }
}

impl Default for Once {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Once {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Once").field("completed", &self.is_completed()).finish()
    }
}

/// The future of [`Once::call_once`].
#[must_use = "futures do nothing unless awaited"]
pub struct CallOnce<'a, F, Fut> {
    gate: &'a Gate,
    attempt: Attempt<F, Fut>,
}

impl<F, Fut> Future for CallOnce<'_, F, Fut>
where
    F: FnOnce() -> Fut,
    Fut: Future,
{
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        if ready!(this.attempt.poll(this.gate, context)).is_some() {
            this.gate.finish();
        }
        Poll::Ready(())
    }
}

impl<F, Fut> Drop for CallOnce<'_, F, Fut> {
    fn drop(&mut self) {
        self.attempt.abandon(self.gate, self.attempt.has_panicked());
    }
}

impl<F, Fut> fmt::Debug for CallOnce<'_, F, Fut> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallOnce").finish_non_exhaustive()
    }
}

#[cfg(all(test, loom))]
mod loom;
#[cfg(all(test, not(loom)))]
mod tests;
