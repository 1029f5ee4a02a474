//! [`Refusals`]: says in the log that nobody can be accepted, and does not fill the log with it.
//!
//! A listener that finds no descriptor left tries again a hundred times a second, for as long as that lasts, and each
//! time it fails. One line says as much as all of them: the first is written at once, later ones a [`PAUSE`] apart,
//! each with how many there were in between.

use std::io;
use std::mem;
use std::time::{Duration, Instant};

use tracing::warn;

/// How long nothing more is said.
const PAUSE: Duration = Duration::from_secs(1);

/// What has been said of failures to accept.
#[derive(Debug, Default)]
pub struct Refusals {
    last: Option<Instant>,
    unsaid: u64,
}

impl Refusals {
    /// Notes a failure to accept, and says so if nothing has been said for a while.
    pub fn note(&mut self, error: &io::Error) {
        let Some(unsaid) = self.say_at(Instant::now()) else { return };
        // The first time it is no news that nothing was left out.
        let unsaid = (unsaid > 0).then_some(unsaid);
        if error.raw_os_error() == Some(libc::EMFILE) {
            warn!(%error, unsaid, "cannot accept: start it with a higher `ulimit -n`, or with fewer connections");
        } else {
            warn!(%error, unsaid, "cannot accept");
        }
    }

    /// Whether to speak now; then how often it has been kept silent since the last time.
    fn say_at(&mut self, now: Instant) -> Option<u64> {
        if self.last.is_some_and(|last| now.saturating_duration_since(last) < PAUSE) {
            self.unsaid += 1;
            return None;
        }
        self.last = Some(now);
        Some(mem::take(&mut self.unsaid))
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{PAUSE, Refusals};

    #[test]
    fn one_failure_in_a_second_is_said_and_the_others_are_counted() {
        let (mut refusals, begin) = (Refusals::default(), Instant::now());
        assert_eq!(refusals.say_at(begin), Some(0));
        for millis in 1..=99 {
            assert_eq!(refusals.say_at(begin + Duration::from_millis(10 * millis)), None);
        }
        assert_eq!(refusals.say_at(begin + PAUSE), Some(99));
        assert_eq!(refusals.say_at(begin + 2 * PAUSE), Some(0));
    }
}
