//! What a processor counts: its polls above all, from which others see whether it gets on.
//!
//! A task that blocks or computes keeps its machine from noticing anything, so others must see from outside that a poll
//! lasts. To read a clock around each poll would cost as much as a small task does. So the owner counts each beginning
//! and each end of a poll: a number that is odd, and has not changed between two looks, is a poll that lasts. Sysmon,
//! visitors and thieves compare two looks; none of them needs to know when the poll began.
//!
//! # Invariants
//! - N1. `polls` is odd exactly while a task of this processor is being polled, or wakers that are due are being woken.
//! - N2. `asides` counts apart what makes `polls` odd and is no new poll: the waking of wakers, and a poll that goes on
//!   with another processor after it had given one away.
//!
//! # Orderings
//! `Relaxed`, all of them: the owner alone writes, and whoever else reads takes the numbers as advice.

use pirn_sync::primitive::atomic::{AtomicU64, Ordering};

/// What the owner counts.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    polls: AtomicU64,
    asides: AtomicU64,
    slices: AtomicU64,
    steals: AtomicU64,
    parks: AtomicU64,
    handoffs: AtomicU64,
}

/// Counts one more, by a plain load and store, since only the owner writes.
fn bump(counter: &AtomicU64) {
    counter.store(counter.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
}

impl Counters {
    /// N1: a poll begins or ends.
    #[inline]
    pub(super) fn poll_edge(&self) {
        bump(&self.polls);
    }

    /// N1 and N2: wakers that are due are woken from now on, or a poll goes on that has been counted where it began.
    pub(super) fn aside_edge(&self) {
        bump(&self.asides);
        bump(&self.polls);
    }

    /// N1, when the processor changes hands: a poll goes on without it. True if it was inside one.
    pub(super) fn leave_poll(&self) -> bool {
        let inside = self.is_inside_poll();
        if inside {
            bump(&self.polls);
        }
        inside
    }

    /// N1. Advice to all but the owner.
    pub(super) fn is_inside_poll(&self) -> bool {
        self.polls.load(Ordering::Relaxed) % 2 == 1
    }

    /// A task was taken from anywhere but `next`: a new time slice begins.
    #[inline]
    pub(super) fn new_slice(&self) {
        bump(&self.slices);
    }

    /// N1: how many times a poll has begun or ended.
    pub(super) fn raw_polls(&self) -> u64 {
        self.polls.load(Ordering::Relaxed)
    }

    pub(super) fn slices(&self) -> u64 {
        self.slices.load(Ordering::Relaxed)
    }

    pub(super) fn stole(&self) {
        bump(&self.steals);
    }

    pub(super) fn parked(&self) {
        bump(&self.parks);
    }

    pub(super) fn handed_off(&self) {
        bump(&self.handoffs);
    }

    /// How many polls of tasks have begun (N2).
    pub(crate) fn polls(&self) -> u64 {
        let asides = self.asides.load(Ordering::Relaxed);
        self.polls.load(Ordering::Relaxed).div_ceil(2).saturating_sub(asides)
    }

    pub(crate) fn steals(&self) -> u64 {
        self.steals.load(Ordering::Relaxed)
    }

    pub(crate) fn parks(&self) -> u64 {
        self.parks.load(Ordering::Relaxed)
    }

    pub(crate) fn handoffs(&self) -> u64 {
        self.handoffs.load(Ordering::Relaxed)
    }
}
