//! The time, as deadlines count it: whole milliseconds since the server began.
//!
//! The clock is monotonic, so nobody's keys vanish when an administrator sets the date. It is read once for a batch of
//! commands: at a million commands a second one could not tell the difference, and the reading would be seen.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A moment. [`NEVER`] is later than all others.
pub(crate) type Moment = u64;

/// No deadline.
pub(crate) const NEVER: Moment = u64::MAX;

#[derive(Debug)]
pub(crate) struct Clock {
    begin: Instant,
    /// Milliseconds of the calendar at `begin`.
    calendar: u64,
}

impl Clock {
    pub(crate) fn new() -> Self {
        let calendar = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { begin: Instant::now(), calendar: calendar.as_millis() as u64 }
    }

    pub(crate) fn now(&self) -> Moment {
        self.begin.elapsed().as_millis() as u64
    }

    /// When `moment` is, for those who sleep until then.
    pub(crate) fn instant(&self, moment: Moment) -> Option<Instant> {
        self.begin.checked_add(Duration::from_millis(moment))
    }

    /// How many milliseconds of the calendar have passed at `moment`.
    pub(crate) fn calendar(&self, moment: Moment) -> i64 {
        self.calendar.saturating_add(moment) as i64
    }

    /// The moment at so many milliseconds of the calendar; one before the beginning is long past.
    pub(crate) fn at_calendar(&self, millis: u64) -> Moment {
        millis.saturating_sub(self.calendar)
    }
}
