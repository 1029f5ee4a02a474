//! Waiting for a moment: the leaf that every other waiting for time is made of.
//!
//! A [`Sleep`] is a deadline and a [`TimerSlot`]. Nothing is registered until the first poll that finds the
//! deadline ahead, so a sleep that is made and dropped costs a reading of the clock, and one that is over when
//! it is first polled, two. The deadline is fixed by the call, not by the first poll: the time between the two
//! is part of the sleep, as in Go.
//!
//! # Why it gives way only once
//! Whoever waits for two things polls one after the other. If the first always has more to do, it goes on until the
//! executor asks for a yield, and then the second one, polled with the flag up, would give way as well: time and again,
//! long after its deadline. So a sleep that has given way when its deadline was over is ready in the next poll,
//! whatever is asked of it. A loop of sleeps that are over, or of polls of one, gives way all the same: each time anew.

use crate::sched::timer_slot::TimerSlot;
use pirn_sync::{clock, host};
use std::future::Future;
use std::mem;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

/// Waits until `duration` has passed, counted from this call.
///
/// The future never ends early. A zero duration completes without waiting; one that is too large to be
/// represented never completes. Legal anywhere: outside a runtime the global one keeps the time.
///
/// # Cancel safety
/// Dropping the future cancels the timer, in constant time, and leaves nothing behind.
///
/// # Cost
/// Setting and cancelling take constant time (a hierarchical timing wheel; Varghese and Lauck, 1987); no
/// allocation per sleep; a million at once are ordinary.
///
/// ```
/// use pirn::time::{Duration, Instant, sleep};
///
/// # pirn::block_on(async {
/// let start = Instant::now();
/// sleep(Duration::from_millis(3)).await;
/// assert!(start.elapsed() >= Duration::from_millis(3));
/// # });
/// ```
#[track_caller]
pub fn sleep(duration: Duration) -> Sleep {
    Sleep::new(clock::now().checked_add(duration), Location::caller())
}

/// Waits until `deadline`; completes without waiting if it has passed.
///
/// As [`sleep()`] in all else.
///
/// ```
/// use pirn::time::{Duration, Instant, sleep_until};
///
/// # pirn::block_on(async {
/// let deadline = Instant::now() + Duration::from_millis(3);
/// sleep_until(deadline).await;
/// assert!(Instant::now() >= deadline);
/// # });
/// ```
#[track_caller]
pub fn sleep_until(deadline: Instant) -> Sleep {
    Sleep::new(Some(deadline), Location::caller())
}

/// The future of [`sleep()`] and [`sleep_until`]: ready once its deadline has passed.
///
/// It may be polled again after it was ready, and is ready again; [`reset`](Self::reset) sets it anew, so
/// that a loop needs only one.
#[must_use = "a sleep does nothing until it is awaited"]
pub struct Sleep {
    /// `None` means never.
    deadline: Option<Instant>,
    slot: TimerSlot,
    /// It gave way after the deadline, in the last poll.
    gave_way: bool,
    at: &'static Location<'static>,
}

impl Sleep {
    pub(super) fn new(deadline: Option<Instant>, at: &'static Location<'static>) -> Self {
        Self { deadline, slot: TimerSlot::new(), gave_way: false, at }
    }

    /// When it ends; `None` if never, because the duration was too large.
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Whether the deadline has passed.
    pub fn is_elapsed(&self) -> bool {
        self.deadline.is_some_and(|deadline| clock::now() >= deadline)
    }

    /// Sets a new deadline, before or after it was ready. Whoever polled it must poll it again; until then it may be
    /// woken at the earlier deadline, for nothing.
    ///
    /// Costs nothing by itself. A timer that is pending is put off by the next poll: so a limit that is set anew for each
    /// message, and hardly ever reached, is cheap.
    ///
    /// ```
    /// use pirn::time::{Duration, Instant, sleep};
    ///
    /// # pirn::block_on(async {
    /// let mut idle = sleep(Duration::from_secs(3600));
    /// let sooner = Instant::now() + Duration::from_millis(1);
    /// idle.reset(sooner);
    /// (&mut idle).await;
    /// assert!(idle.is_elapsed());
    /// # });
    /// ```
    pub fn reset(&mut self, deadline: Instant) {
        self.deadline = Some(deadline);
        self.gave_way = false;
    }

    /// Ready once the deadline has passed; says nothing about what the task waits on. When the executor asks for a yield it
    /// gives way, but only once after the deadline.
    pub(super) fn poll_quietly(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if host::should_yield() {
            if mem::take(&mut self.gave_way) {
                return Poll::Ready(());
            }
            self.gave_way = self.is_elapsed();
            ready!(host::poll_yield(cx));
        }
        match self.deadline {
            Some(deadline) => self.slot.poll_until(deadline, cx),
            None => Poll::Pending,
        }
    }

    pub(super) fn called_at(&self) -> &'static Location<'static> {
        self.at
    }
}

impl Future for Sleep {
    type Output = ();

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let polled = self.poll_quietly(cx);
        if polled.is_pending() {
            host::waiting_on(host::WaitKind::Sleep, self.at);
        }
        polled
    }
}

impl std::fmt::Debug for Sleep {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sleep")
            .field("deadline", &self.deadline)
            .field("at", &self.at)
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
