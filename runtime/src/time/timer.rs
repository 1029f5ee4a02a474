//! A timer that can be stopped and set anew: Go's `time.Timer`, with the semantics that it has since Go 1.23.
//!
//! Before 1.23 a value could lie in the channel of a timer that had been stopped or reset, and every program had
//! to drain it at the right moment. Here as there that is over: once [`stop`](Timer::stop) or
//! [`reset`](Timer::reset) has returned, no value of the earlier setting can be received, by anybody. How that is made sure
//! of is told in `alarm`.

use super::alarm::Alarm;
use pirn_channel::Receiver;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Gives one value through its [`receiver`](Self::receiver) when it is due, and can be set again.
///
/// It needs no stopping: when the timer and all clones of its receiver are gone, so is the deadline.
///
/// ```
/// use pirn::time::{Duration, Timer};
///
/// # pirn::block_on(async {
/// let timer = Timer::new(Duration::from_secs(60));
/// assert!(timer.stop());
/// assert!(!timer.stop(), "it was pending no more");
/// assert!(!timer.reset(Duration::from_millis(1)));
/// timer.receiver().recv().await.unwrap();
/// # });
/// ```
pub struct Timer {
    alarm: Arc<Alarm>,
    receiver: Receiver<Instant>,
}

impl Timer {
    /// A timer that is due `duration` after this call: at once if it is zero, never if it is too large to be
    /// represented. Legal anywhere, as [`sleep`](super::sleep()).
    pub fn new(duration: Duration) -> Self {
        let (alarm, receiver) = Alarm::start(duration, None);
        Self { alarm, receiver }
    }

    /// Where the value is received: the moment at which the timer was due. The channel has length 0 at all
    /// times and never closes.
    pub fn receiver(&self) -> &Receiver<Instant> {
        &self.receiver
    }

    /// Stops it; true when it was pending: set, and its value not received yet. Constant time, never waits.
    ///
    /// After a stop the receiver stays silent until the next [`reset`](Self::reset).
    pub fn stop(&self) -> bool {
        self.alarm.clear()
    }

    /// Sets it to be due `duration` from now, whether it is pending, stopped or has fired; true when it was pending.
    /// Constant time, never waits.
    ///
    /// ```
    /// use pirn::time::{Duration, Timer};
    ///
    /// # pirn::block_on(async {
    /// let timer = Timer::new(Duration::ZERO);
    /// assert!(timer.reset(Duration::from_secs(60)), "due, but its value was not received");
    /// assert!(timer.receiver().try_recv().is_err(), "and cannot be received any more");
    /// # });
    /// ```
    pub fn reset(&self, duration: Duration) -> bool {
        self.alarm.set(duration)
    }
}

impl std::fmt::Debug for Timer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Timer").finish_non_exhaustive()
    }
}
