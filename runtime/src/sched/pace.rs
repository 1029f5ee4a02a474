//! Pace: how long the tasks of a processor take on average, and so how many of them a thief takes.
//!
//! Stealing half of a queue evens out who has work in few steps, which is right for tasks that are over in a moment.
//! But a thief that has nothing to do *just now* will soon have work of its own again, connections that answer
//! perhaps. That work then stands behind what was stolen, and what was stolen runs far from the cache that it lay in.
//! So a thief takes as many tasks as are done in about [`TAKEN`], half of the queue at most and one at least,
//! and then looks at its own work again. (Of a processor that is stuck in one poll a visitor takes half all the same:
//! its owner does not come to its queue. See [`visit`](super::visit).)
//!
//! # How it is measured
//! The owner reads the clock once in so many looks for work, and divides the time by their number. Two things would
//! spoil that figure:
//! - *The machine loses its core meanwhile*, and its tasks seem to have taken longer. So a figure of more than
//!   twice the known one counts as twice only, until the next one is as large.
//! - *The processor rests before so many looks are over*, and there is no figure. After [`FORGOTTEN`] rests in a row
//!   without one, what was known before is forgotten.
//!
//! What it is for shows in a web server on two processors with 1,000 connections
//! (`cargo bench -p pirn-benches --bench http -- '/task?ms=0' 1000`): when thieves took half of the queue, half of
//! all polls were of stolen tasks.
//!
//! # Orderings
//! | access | order | why |
//! |---|---|---|
//! | [`note`](Pace::note), [`begin_anew`](Pace::begin_anew), [`stride`](Pace::stride) | Relaxed | only the owner writes, and these are its own looks |
//! | [`share`](Pace::share) | Relaxed | a thief that reads an older figure takes a few more or less |

use pirn_sync::primitive::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

/// How long the work takes that is stolen at once, in nanoseconds.
const TAKEN: u64 = 32_000;
/// The most tasks stolen at once, which is what crossbeam-deque takes at most.
pub(super) const MOST: usize = 32;
/// The time between two visits in passing, in nanoseconds: longer than most polls, and much shorter than the time
/// for which the kernel takes a core away.
const PASSING: u64 = 80_000;
/// After so many rests in a row without a figure, what was known before is of no use.
const FORGOTTEN: u32 = 8;

/// The pace of one processor.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// When the looks began that are being counted; 0 if none are.
    since: AtomicU64,
    /// Nanoseconds from look to look, on average; 0 if that is not known.
    step: AtomicU64,
    /// The last figure for `step`, believed or not.
    measured: AtomicU64,
    /// Looks from one visit in passing to the next; 0 if the pace is not known.
    stride: AtomicU32,
    /// Rests since the last figure.
    rests: AtomicU32,
}

impl Pace {
    /// So many looks for work have been made since the last call, if there was no rest in between.
    pub(super) fn note(&self, looks: u32, now: u64) {
        let since = self.since.load(Relaxed);
        if since != 0 {
            let step = (now.saturating_sub(since) / u64::from(looks)).max(1);
            let before = self.measured.load(Relaxed);
            self.measured.store(step, Relaxed);
            let step = match self.step.load(Relaxed) {
                0 => step,
                known => step.min(before.max(2 * known)),
            };
            self.step.store(step, Relaxed);
            self.stride.store((PASSING / step).clamp(1, u64::from(looks)) as u32, Relaxed);
            self.rests.store(0, Relaxed);
        }
        self.since.store(now, Relaxed);
    }

    /// The processor is taken up, after a rest perhaps.
    pub(super) fn begin_anew(&self) {
        self.since.store(0, Relaxed);
        let rests = self.rests.load(Relaxed) + 1;
        self.rests.store(rests % FORGOTTEN, Relaxed);
        if rests == FORGOTTEN {
            self.step.store(0, Relaxed);
            self.stride.store(0, Relaxed);
        }
    }

    /// For the owner: looks from one visit in passing to the next, if the pace is known.
    #[inline]
    pub(super) fn stride(&self) -> Option<u32> {
        Some(self.stride.load(Relaxed)).filter(|&stride| stride > 0)
    }

    /// How many tasks a thief takes.
    pub(super) fn share(&self) -> usize {
        let step = self.step.load(Relaxed).max(1);
        ((TAKEN / step) as usize).clamp(1, MOST)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    /// A processor whose tasks have taken so long for a while.
    fn at(step: u64) -> Pace {
        let pace = Pace::default();
        (0..3).for_each(|look| pace.note(61, 1_000 + look * 61 * step));
        pace
    }

    #[test]
    fn the_longer_tasks_take_the_fewer_are_stolen() {
        assert_eq!(Pace::default().share(), MOST, "nothing is known yet");
        for (step, share) in [(50, MOST), (1_000, MOST), (8_000, 4), (30_000, 1), (5_000_000, 1)] {
            assert_eq!(at(step).share(), share, "{step} ns");
        }
    }

    #[test]
    fn the_longer_tasks_take_the_sooner_others_are_passed_by() {
        for (step, stride) in [(50, 61), (1_000, 61), (8_000, 10), (30_000, 2), (5_000_000, 1)] {
            assert_eq!(at(step).stride(), Some(stride), "{step} ns");
        }
    }

    #[test]
    fn a_core_that_was_lost_once_is_no_long_task() {
        let pace = at(8_000);
        let since = pace.since.load(Relaxed);
        pace.note(61, since + 1_000_000_000);
        assert_eq!(pace.share(), 2);
        pace.note(61, since + 2_000_000_000);
        assert_eq!(pace.share(), 1, "but twice is");
    }

    #[test]
    fn a_rest_is_not_counted_and_after_many_nothing_is_known() {
        let pace = at(8_000);
        pace.begin_anew();
        pace.note(61, 1_000_000_000);
        assert_eq!(pace.share(), 4);
        (1..FORGOTTEN).for_each(|_| pace.begin_anew());
        assert_eq!((pace.share(), pace.stride()), (MOST, None));
    }
}
