//! A limit on how long something else may take.
//!
//! A [`Timeout`] polls the inner future first and its timer second, and registers the timer only when the
//! inner future has not been ready at once: a timeout around something that rarely waits costs a reading of
//! the clock.
//!
//! # Why an inner future that is ready at the deadline wins
//! The order of the two polls alone would give that, were it not for the yield: a leaf that the
//! executor asks to yield returns `Pending` although it could have been ready. If the timer were looked at in
//! that poll it would win against an inner future that never got its chance. So in a poll in which the
//! executor asks for a yield the timer gives way too, the first time that it is over ([`sleep`](mod@super::sleep)): the next
//! poll comes at once, and asks both. An inner future that has had its chance then, and goes on until it is asked to yield
//! again, has run out of time.

use super::sleep::Sleep;
use pin_project_lite::pin_project;
use pirn_sync::{clock, host};
use std::future::{Future, IntoFuture};
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

/// Gives `future` at most `duration`, counted from this call: `Err(Elapsed)` if that was not enough.
///
/// If both are ready in the same poll the inner future wins; so with a zero duration it is still polled once.
/// A duration that is too large to be represented never ends. Legal anywhere, as [`sleep`](super::sleep()).
///
/// The limit is looked at between polls. A future whose awaits are always ready is asked to yield after some 10 ms if it runs in
/// a task, and has run out of time by the next such moment. In a `block_on` nobody asks, and nobody can ask code that does
/// not await.
///
/// # Errors
/// [`Elapsed`], which converts into an [`std::io::Error`] of kind `TimedOut`.
///
/// # Cancel safety
/// That of `future`, which is dropped together with the timeout, not before: after `Err(Elapsed)` too, which
/// `.await` does at once.
///
/// ```
/// use pirn::time::{Duration, sleep, timeout};
///
/// # pirn::block_on(async {
/// assert_eq!(timeout(Duration::from_secs(1), async { 7 }).await, Ok(7));
/// assert!(timeout(Duration::from_millis(1), sleep(Duration::from_secs(9))).await.is_err());
/// # });
/// ```
#[track_caller]
pub fn timeout<F: IntoFuture>(duration: Duration, future: F) -> Timeout<F::IntoFuture> {
    let limit = Sleep::new(clock::now().checked_add(duration), Location::caller());
    Timeout { inner: future.into_future(), limit }
}

/// Gives `future` until `deadline`; as [`timeout()`] in all else.
///
/// ```
/// use pirn::time::{Duration, Instant, sleep, timeout_at};
///
/// # pirn::block_on(async {
/// let deadline = Instant::now() + Duration::from_millis(2);
/// let first = timeout_at(deadline, sleep(Duration::ZERO)).await;
/// let second = timeout_at(deadline, sleep(Duration::from_secs(9))).await;
/// assert!(first.is_ok() && second.is_err());
/// # });
/// ```
#[track_caller]
pub fn timeout_at<F: IntoFuture>(deadline: Instant, future: F) -> Timeout<F::IntoFuture> {
    Timeout { inner: future.into_future(), limit: Sleep::new(Some(deadline), Location::caller()) }
}

pin_project! {
    /// The future of [`timeout()`] and [`timeout_at`].
    #[derive(Debug)]
    #[must_use = "a timeout does nothing until it is awaited"]
    pub struct Timeout<F> {
        #[pin]
        inner: F,
        limit: Sleep,
    }
}

impl<F> Timeout<F> {
    /// The inner future.
    pub fn get_ref(&self) -> &F {
        &self.inner
    }

    /// The inner future.
    pub fn get_mut(&mut self) -> &mut F {
        &mut self.inner
    }

    /// Takes the limit away.
    pub fn into_inner(self) -> F {
        self.inner
    }
}

impl<F: Future> Future for Timeout<F> {
    type Output = Result<F::Output, Elapsed>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if let Poll::Ready(output) = this.inner.poll(cx) {
            return Poll::Ready(Ok(output));
        }
        if this.limit.poll_quietly(cx).is_ready() {
            return Poll::Ready(Err(Elapsed(())));
        }
        // What the inner future has said about its wait is worth more than that there is a limit.
        let wait = host::take_wait();
        let wait = wait.unwrap_or(host::Wait { kind: host::WaitKind::Sleep, at: this.limit.called_at() });
        host::waiting_on(wait.kind, wait.at);
        Poll::Pending
    }
}

/// The time was up first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Elapsed(());

impl std::fmt::Display for Elapsed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the time limit was reached before the operation ended: allow more time or try again")
    }
}

impl std::error::Error for Elapsed {}

impl From<Elapsed> for std::io::Error {
    fn from(elapsed: Elapsed) -> Self {
        Self::new(std::io::ErrorKind::TimedOut, elapsed)
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
