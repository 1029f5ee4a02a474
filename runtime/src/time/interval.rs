//! Again and again at a fixed distance, as a future.
//!
//! An [`Interval`] keeps the moment at which the next tick is due. The ticks stand on a grid: each is due one
//! period after the last one *was due*, not after it was taken, so a loop of work and ticks does not drift.
//!
//! What if a tick was not taken in time? Three answers, [`MissedTick`]:
//!
//! ```text
//!   due        0     1     2     3     4     5     6          the grid, one period apart
//!   the task   ╟──┤  ╟───── busy ──────┤                       it took 0 and 1 and comes back after 3
//!   Burst      0     1                 2,3   4     5     6     all of them, the late ones at once
//!   Skip       0     1                 2     4     5     6     the one that is late, then the grid again
//!   Delay      0     1                 2        3     4        the one that is late, then a new grid
//! ```

use super::sleep::Sleep;
use futures_core::{FusedStream, Stream};
use pirn_sync::{clock, host};
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

/// Ticks every `period`, the first time at once. What was missed is skipped, unless
/// [`missed_tick`](Interval::missed_tick) says otherwise.
///
/// # Panics
/// If `period` is zero.
///
/// ```
/// use pirn::time::{Duration, interval};
///
/// # pirn::block_on(async {
/// let mut interval = interval(Duration::from_millis(2));
/// let first = interval.tick().await;
/// let second = interval.tick().await;
/// assert!(second - first >= Duration::from_millis(2));
/// # });
/// ```
#[track_caller]
pub fn interval(period: Duration) -> Interval {
    interval_at(clock::now(), period)
}

/// As [`interval()`], with the first tick at `start`, on which the grid stands. What lies in the past was missed: with a `start`
/// long ago one tick comes at once, and the next on the grid.
///
/// # Panics
/// If `period` is zero.
///
/// ```
/// use pirn::time::{Duration, Instant, interval_at};
///
/// # pirn::block_on(async {
/// let start = Instant::now() + Duration::from_millis(5);
/// let mut interval = interval_at(start, Duration::from_millis(2));
/// assert_eq!(interval.tick().await, start);
/// assert!(Instant::now() >= start);
/// # });
/// ```
#[track_caller]
pub fn interval_at(start: Instant, period: Duration) -> Interval {
    assert!(!period.is_zero(), "an interval needs a period greater than zero");
    let at = Location::caller();
    Interval { period, missed: MissedTick::Skip, next: Sleep::new(Some(start), at) }
}

/// What an [`Interval`] does with ticks that were due while nobody took them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum MissedTick {
    /// All of them come, one right after the other, until the interval has caught up.
    Burst,
    /// One comes at once, and the next a full period after it was taken: the grid moves.
    Delay,
    /// One comes at once, the next where it would have been due anyway: the grid stays.
    #[default]
    Skip,
}

impl MissedTick {
    /// When the tick after the one of `due` is due, if that one is taken at `now`; `None` for never.
    fn next(self, due: Instant, now: Instant, period: Duration) -> Option<Instant> {
        let next = due.checked_add(period)?;
        match self {
            Self::Burst => Some(next),
            _ if next > now => Some(next),
            Self::Delay => now.checked_add(period),
            Self::Skip => now.checked_add(until_next(now.duration_since(due), period)),
        }
    }
}

/// How far it is to the next line of a grid of `period`, from `late` after one of its lines: more than zero.
pub(super) fn until_next(late: Duration, period: Duration) -> Duration {
    let past = late.as_nanos() % period.as_nanos();
    // Less than a period, whose whole seconds fit.
    let past = Duration::new((past / 1_000_000_000) as u64, (past % 1_000_000_000) as u32);
    period - past
}

/// Made by [`interval()`] and [`interval_at`]. Also a [`Stream`] of the moments at which its ticks were due, without an end.
#[derive(Debug)]
#[must_use = "an interval does nothing until its ticks are awaited"]
pub struct Interval {
    period: Duration,
    missed: MissedTick,
    next: Sleep,
}

impl Interval {
    /// Waits for the next tick, and returns the moment at which it was due.
    ///
    /// # Cancel safety
    /// A tick that is dropped unfinished has not happened: the next call waits for the same one.
    #[track_caller]
    pub fn tick(&mut self) -> Tick<'_> {
        Tick { at: Location::caller(), interval: self }
    }

    /// What becomes of ticks that were not taken in time, from now on.
    ///
    /// ```
    /// use pirn::time::{Duration, MissedTick, interval};
    ///
    /// let interval = interval(Duration::from_secs(1)).missed_tick(MissedTick::Burst);
    /// ```
    pub fn missed_tick(mut self, behaviour: MissedTick) -> Self {
        self.missed = behaviour;
        self
    }

    /// As [`missed_tick`](Self::missed_tick), in place.
    pub fn set_missed_tick(&mut self, behaviour: MissedTick) {
        self.missed = behaviour;
    }

    /// The distance between two ticks.
    pub fn period(&self) -> Duration {
        self.period
    }

    /// Starts the grid anew: the next tick is due one period from now.
    pub fn reset(&mut self) {
        self.set_next(clock::now().checked_add(self.period));
    }

    fn set_next(&mut self, due: Option<Instant>) {
        match due {
            Some(due) => self.next.reset(due),
            None => self.next = Sleep::new(None, self.next.called_at()),
        }
    }

    fn poll_at(&mut self, cx: &mut Context<'_>, at: &'static Location<'static>) -> Poll<Instant> {
        if self.next.poll_quietly(cx).is_ready()
            && let Some(due) = self.next.deadline()
        {
            self.set_next(self.missed.next(due, clock::now(), self.period));
            return Poll::Ready(due);
        }
        host::waiting_on(host::WaitKind::Sleep, at);
        Poll::Pending
    }
}

impl Stream for Interval {
    type Item = Instant;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Instant>> {
        let at = self.next.called_at();
        self.poll_at(cx, at).map(Some)
    }
}

impl FusedStream for Interval {
    /// It never ends.
    fn is_terminated(&self) -> bool {
        false
    }
}

/// The future of [`Interval::tick`]: the moment at which the tick was due.
#[derive(Debug)]
#[must_use = "a tick is waited for only when it is awaited"]
pub struct Tick<'a> {
    interval: &'a mut Interval,
    at: &'static Location<'static>,
}

impl Future for Tick<'_> {
    type Output = Instant;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Instant> {
        let at = self.at;
        self.interval.poll_at(cx, at)
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
