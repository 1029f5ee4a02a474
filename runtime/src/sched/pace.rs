//! Pace: how long the tasks of a processor take, one with the other, and so how many of them a thief takes.
//!
//! Stealing half of a queue evens out who has work, in few steps: right for tasks that are over in a moment. But whoever
//! steals because it has nothing to do *just now* will have its own again soon, connections that answer perhaps, and
//! what it has taken along stands before that, and runs far from the cache that it lay in. So a thief takes what is done
//! in some [`TAKEN`], half of the queue at most and one task at least, and then looks at what is its own again.
//!
//! The owner reads the clock once in so many looks for work, and divides; who rests in between begins anew. All accesses
//! are `Relaxed`: only the owner writes, and a thief that reads an older figure takes a few more or less.
//!
//! With a web server on two processors and 1,000 connections, half of all polls were of stolen tasks when half a queue
//! was taken (`cargo bench -p pirn-benches --bench http -- '/task?ms=0' 1000`).

use pirn_sync::primitive::atomic::{AtomicU64, Ordering::Relaxed};

/// How long the work takes that is stolen at once, in nanoseconds.
const TAKEN: u64 = 32_000;
/// Tasks stolen at once: no more than crossbeam-deque takes.
const MOST: usize = 32;

/// One processor's.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// When the looks began that are counted now; 0 for not yet.
    since: AtomicU64,
    /// Nanoseconds from look to look, in the mean; 0 if that is not known.
    step: AtomicU64,
}

impl Pace {
    /// So many looks for work have been made since the last call, or since the processor was taken up.
    pub(super) fn note(&self, looks: u32, now: u64) {
        let since = self.since.load(Relaxed);
        if since != 0 {
            self.step.store(now.saturating_sub(since) / u64::from(looks), Relaxed);
        }
        self.since.store(now, Relaxed);
    }

    /// The processor is taken up, after a rest perhaps.
    pub(super) fn begin_anew(&self) {
        self.since.store(0, Relaxed);
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

    #[test]
    fn the_longer_tasks_take_the_fewer_are_stolen() {
        let pace = Pace::default();
        assert_eq!(pace.share(), MOST, "nothing is known yet");
        for (step, share) in [(50, MOST), (1_000, MOST), (8_000, 4), (30_000, 1), (5_000_000, 1)] {
            pace.begin_anew();
            pace.note(61, 1_000);
            pace.note(61, 1_000 + 61 * step);
            assert_eq!(pace.share(), share, "{step} ns");
        }
    }

    #[test]
    fn a_rest_is_not_counted() {
        let pace = Pace::default();
        pace.note(61, 1_000);
        pace.note(61, 1_000 + 61 * 8_000);
        pace.begin_anew();
        pace.note(61, 1_000_000_000);
        assert_eq!(pace.share(), 4);
    }
}
