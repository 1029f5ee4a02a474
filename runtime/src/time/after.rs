//! Moments as channels: what a `select!` waits for beside other channels.
//!
//! The value of both channels is the moment at which it was due. They have capacity 1 but, as Go's timer channels
//! since 1.23, length 0: a value comes into being when somebody pulls it. Dropping the last
//! receiver cancels the timer behind; there is nothing to stop and nothing to forget.

use super::alarm::Alarm;
use pirn_channel::Receiver;
use std::time::{Duration, Instant};

/// A channel that has one value to give, `duration` after this call, and is then silent, and open, for ever.
///
/// A zero duration gives its value at once; one that is too large to be represented gives none. Legal anywhere,
/// as [`sleep`](super::sleep()).
///
/// # Cancel safety
/// That of the channel. Dropping the last receiver cancels the timer in constant time.
///
/// ```
/// use pirn::channel::unbounded;
/// use pirn::time::{Duration, after};
///
/// # pirn::block_on(async {
/// let (_slow, answers) = unbounded::<u32>();
/// let out = pirn::select! {
///     answer = answers.recv() => answer.ok(),
///     _ = after(Duration::from_millis(2)).recv() => None,
/// };
/// assert_eq!(out, None);
/// # });
/// ```
pub fn after(duration: Duration) -> Receiver<Instant> {
    Alarm::start(duration, None).1
}

/// A channel that has a value to give every `period`, the first after one period.
///
/// It holds one value: a tick that finds the last one still there is dropped, and the grid stays; so a slow
/// receiver gets fewer ticks, not late ones. It stops when the last receiver is dropped. A period that is
/// too large to be represented gives no value. Legal anywhere, as [`sleep`](super::sleep()).
///
/// # Panics
/// If `period` is zero.
///
/// ```
/// use pirn::time::{Duration, tick};
///
/// # pirn::block_on(async {
/// let ticks = tick(Duration::from_millis(2));
/// let first = ticks.recv().await.unwrap();
/// let second = ticks.recv().await.unwrap();
/// assert!(second - first >= Duration::from_millis(2));
/// assert_eq!(ticks.len(), 0);
/// # });
/// ```
#[track_caller]
pub fn tick(period: Duration) -> Receiver<Instant> {
    assert!(!period.is_zero(), "a tick needs a period greater than zero");
    Alarm::start(period, Some(period)).1
}
