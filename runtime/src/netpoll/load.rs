//! How much each set has to tell, and how much of it another processor takes over.
//!
//! A processor that always finds something in its own set never looks into another one. So two that are both busy may
//! be very unequal: one serves a single pair of connections, to and fro, and with the other each of a hundred waits for
//! ninety-nine. No queue runs dry, nothing is stolen, and nothing would ever change that.
//!
//! The measure is how many tasks stand in line after a look of the owner, on average over about [`LOOKS`] looks: those that
//! the look wakes, and those that wait in its queue, whatever they are, since a connection waits behind all of them. What the
//! look wakes says little alone: who is behind looks at each fairness tick, and wakes only what has come since the last one,
//! however long its queue is. Nor is the queue at the moment of a visit a measure: it is short before each look, and long
//! after it. Processors visit each other once in a while ([`sched`](crate::sched)).
//! - If nobody has looked at the set since the visitor's last visit, the owner is stuck or has lost its core: the visitor
//!   takes everything that is ready.
//! - If the visitor's own line is less than two thirds as long, it takes half of the difference, and what it takes is at home
//!   with it from the next wait on. It takes [`MOST`] at a time, since others may visit too, and the average follows only
//!   slowly.
//!
//! All accesses are `Relaxed`, and counted by a load and a store: they are advice, and who compares `looks` wants to
//! know whether anybody has looked, not how often.

use pirn_sync::primitive::atomic::{AtomicU32, Ordering::Relaxed};

/// Lines that differ by less count as equal: to even them out costs more than it gives.
const SMALL: usize = 8;
/// The most that one visitor takes over. Each move costs two system calls.
const MOST: usize = 16;
/// The average is over so many looks. It is kept multiplied by this number.
const LOOKS: u32 = 8;
/// No line counts as longer, so that [`LOOKS`] times its length is a number.
const LONGEST: usize = (u32::MAX / (2 * LOOKS)) as usize;

/// What is known of one set.
#[derive(Debug, Default)]
pub(super) struct Load {
    looks: AtomicU32,
    line: AtomicU32,
}

impl Load {
    /// Somebody looks.
    pub(super) fn looked(&self) {
        self.looks.store(self.looks.load(Relaxed).wrapping_add(1), Relaxed);
    }

    /// How often anybody has looked, to be compared with later.
    pub(super) fn looks(&self) -> u32 {
        self.looks.load(Relaxed)
    }

    /// After a look of the owner so many stand in line.
    pub(super) fn measured(&self, tasks: usize) {
        let line = self.line.load(Relaxed);
        self.line.store(line - line.div_ceil(LOOKS) + tasks.min(LONGEST) as u32, Relaxed);
    }

    /// How many stand in line, in the mean.
    pub(super) fn line(&self) -> usize {
        (self.line.load(Relaxed) / LOOKS) as usize
    }

    /// How many a visitor takes over in whose own line there are `own`.
    pub(super) fn surplus(&self, own: usize) -> usize {
        let line = self.line();
        if line > own + own / 2 + SMALL { ((line - own) / 2).min(MOST) } else { 0 }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_the_mean_of_the_last_looks() {
        let load = Load::default();
        for waiting in [40, 0, 20].into_iter().cycle().take(300) {
            load.looked();
            load.measured(waiting);
        }
        assert!((15..=25).contains(&load.line()), "{}", load.line());
        assert_eq!(load.looks(), 300);
        (0..100).for_each(|_| load.measured(0));
        assert_eq!(load.line(), 0, "who serves nobody any more has no line");
        (0..100).for_each(|_| load.measured(usize::MAX));
        assert!((1..=LONGEST).contains(&load.line()), "{}", load.line());
    }

    #[test]
    fn a_visitor_takes_half_the_difference_and_nothing_of_equals() {
        let load = Load::default();
        (0..100).for_each(|_| load.measured(30));
        let line = load.line();
        assert_eq!(load.surplus(0), line / 2);
        assert_eq!(load.surplus(8), (line - 8) / 2);
        assert_eq!(load.surplus(line * 2 / 3), 0);
        (0..100).for_each(|_| load.measured(1_000));
        assert_eq!(load.surplus(8), MOST);
    }
}
