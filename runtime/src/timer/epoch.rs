//! Time as timers count it: nanoseconds since their runtime's start, which are 64 bits where an [`Instant`] is 128.

use std::time::{Duration, Instant};

/// The moment from which a runtime counts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Epoch(Instant);

impl Epoch {
    /// Counts from `start`.
    pub(crate) fn new(start: Instant) -> Self {
        Self(start)
    }

    /// Nanoseconds from the start to `at`: 0 before it, [`u64::MAX`], which is "never", if it is too far off.
    pub(crate) fn ticks(self, at: Instant) -> u64 {
        u64::try_from(at.saturating_duration_since(self.0).as_nanos()).unwrap_or(u64::MAX)
    }

    /// The moment so long after the start.
    pub(crate) fn moment(self, after: Duration) -> Instant {
        self.0 + after
    }
}
