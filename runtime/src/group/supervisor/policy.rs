//! When to restart, whom, and how soon: the decisions of a supervisor, without its tasks.
//!
//! # The window
//! A restart that helps is rare; one that does not is soon followed by the next. So a supervisor counts the
//! restarts of all its children within a sliding window, and gives up when there are more than the limit.
//!
//! # The pause
//! Before the k-th restart in a row of one child: `min · 2^(k−1)`, at most `max`, times a random factor of 0.75
//! to 1.25, and never outside `min..=max`. The jitter keeps children that failed together, because of the same
//! outage, from coming back together. A run longer than the window ends the row.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use pirn_sync::random;

/// What is to happen when a child ends by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Restart {
    /// It is always restarted, also after `Ok`: it is never meant to end.
    Permanent,
    /// It is restarted after an error or a panic, not after `Ok`. One that has ended so is started again when a
    /// [`Strategy`] restarts it along with another, as Erlang's supervisors do it.
    #[default]
    Transient,
    /// It is never restarted, whatever its end, nor along with another.
    Temporary,
}

/// Which other children are restarted along with one that failed.
///
/// Those of them that run are stopped first. Those that have ended are started with the rest, so that a step
/// which must precede the others, and is over by now, is taken again; all but the [`Restart::Temporary`] ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Strategy {
    /// None: the children do not depend on each other.
    #[default]
    OneForOne,
    /// All: each depends on each.
    OneForAll,
    /// Those that were added after it: each may depend on those before it.
    RestForOne,
}

/// How many restarts are allowed, and how long to pause before each.
#[derive(Clone, Debug)]
pub(super) struct Limits {
    pub(super) restarts: usize,
    pub(super) within: Duration,
    pub(super) min_pause: Duration,
    pub(super) max_pause: Duration,
}

impl Limits {
    /// The pause before the `nth` restart in a row, counted from 1.
    pub(super) fn pause(&self, nth: u32) -> Duration {
        // Step by step, and none once it is the greatest or stays zero: no power of two is too large then.
        let mut doubled = self.min_pause;
        for _ in 1..nth {
            if doubled.is_zero() || doubled >= self.max_pause {
                break;
            }
            doubled = doubled.saturating_mul(2).min(self.max_pause);
        }
        const STEPS: u32 = 1 << 16;
        let jitter = 0.75 + 0.5 * f64::from(random::below(STEPS)) / f64::from(STEPS - 1);
        let seconds = (doubled.as_secs_f64() * jitter).min(self.max_pause.as_secs_f64());
        Duration::try_from_secs_f64(seconds).unwrap_or(self.max_pause).clamp(self.min_pause, self.max_pause)
    }
}

/// The restarts of the last while.
#[derive(Debug, Default)]
pub(super) struct Window(VecDeque<Instant>);

impl Window {
    /// Counts a restart at `now`. False if that is one too many.
    pub(super) fn allows(&mut self, now: Instant, limits: &Limits) -> bool {
        while self.0.front().is_some_and(|&first| now.saturating_duration_since(first) >= limits.within) {
            self.0.pop_front();
        }
        self.0.push_back(now);
        self.0.len() <= limits.restarts
    }

    /// How many restarts are in it.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn limits(restarts: usize) -> Limits {
        Limits {
            restarts,
            within: Duration::from_secs(10),
            min_pause: Duration::from_millis(100),
            max_pause: Duration::from_secs(1),
        }
    }

    #[test]
    fn the_pause_doubles_from_min_to_max_with_jitter() {
        let limits = limits(0);
        for (nth, nominal) in
            [(1, 100), (2, 200), (3, 400), (4, 800), (5, 1_000), (40, 1_000), (u32::MAX, 1_000)]
        {
            let pauses: Vec<_> = (0..1_000).map(|_| limits.pause(nth)).collect();
            let low = Duration::from_millis(nominal * 3 / 4).max(limits.min_pause);
            let high = Duration::from_millis(nominal * 5 / 4).min(limits.max_pause);
            assert!(pauses.iter().all(|pause| (low..=high).contains(pause)), "{nth}: {pauses:?}");
            let first = pauses[0];
            assert!(pauses.iter().any(|&pause| pause != first), "{nth}: no jitter");
        }
    }

    #[test]
    fn a_pause_that_begins_small_grows_at_no_other_rate_after_many_restarts() {
        let at_once = Limits { min_pause: Duration::ZERO, ..limits(0) };
        assert_eq!(at_once.pause(33), Duration::ZERO, "twice nothing is nothing");
        let hour = Duration::from_secs(3_600);
        let slow = Limits { min_pause: Duration::from_nanos(1), max_pause: hour, ..limits(0) };
        assert!(slow.pause(33) < Duration::from_secs(6), "2^32 ns, and a quarter");
        assert!(slow.pause(70) >= hour * 3 / 4);
    }

    #[test]
    fn extreme_pauses_do_not_overflow() {
        let forever = Limits { min_pause: Duration::MAX, max_pause: Duration::MAX, ..limits(0) };
        assert_eq!(forever.pause(7), Duration::MAX);
        let never = Limits { min_pause: Duration::ZERO, max_pause: Duration::ZERO, ..limits(0) };
        assert_eq!(never.pause(7), Duration::ZERO);
    }

    #[test]
    fn more_than_n_restarts_within_the_window_are_too_many_and_old_ones_do_not_count() {
        let (limits, start) = (limits(2), pirn_sync::clock::now());
        let mut window = Window::default();
        let mut allows = |seconds| window.allows(start + Duration::from_secs(seconds), &limits);
        assert!(allows(0) && allows(5));
        assert!(allows(10), "the one at 0 is out of the window");
        assert!(!allows(14), "5, 10 and 14 lie within ten seconds");
    }
}
