//! Atomics: the standard ones, a cell for any small value, and a counter that many count on at once.
//!
//! Beside std's atomics, which are re-exported, stand crossbeam's [`AtomicCell`] (any `Copy`-like value; a
//! lock where the machine has no instruction for its size) and [`Counter`].
//!
//! # The counter
//! One atomic that every core increments is one cache line that every core fetches: some 5 ns become 50 and
//! more. So the counter is sixteen atomics, each in a line of its own; a thread adds to the one that it was
//! given when it first counted, and reading adds all of them up. Sums are exact: every addition is in some
//! shard. They are not a snapshot: additions made while it reads may be seen or not.
//!
//! # Orderings
//! All `Relaxed`: a counter orders nothing else. Who needs "everything counted before this point" has
//! synchronised with the counting threads by other means (a join, a wait group), and then sees it.

use std::fmt;

pub use crossbeam_utils::atomic::AtomicCell;
pub use std::sync::atomic::*;

use crossbeam_utils::CachePadded;

use crate::shard::{SHARDS, shard};

/// A sum that many threads add to at once.
///
/// Takes 2 KiB, so it is for the few counters that everybody touches.
///
/// # Examples
/// ```
/// use pirn_sync::atomic::Counter;
///
/// static REQUESTS: Counter = Counter::new();
///
/// std::thread::scope(|scope| {
///     for _ in 0..4 {
///         scope.spawn(|| (0..1000).for_each(|_| REQUESTS.add(1)));
///     }
/// });
/// assert_eq!(REQUESTS.get(), 4000);
/// ```
pub struct Counter {
    shards: [CachePadded<AtomicI64>; SHARDS],
}

impl Counter {
    /// A counter that stands at 0.
    pub const fn new() -> Self {
        Self { shards: [const { CachePadded::new(AtomicI64::new(0)) }; SHARDS] }
    }

    /// Adds `amount`, which may be negative. The sum wraps around at 64 bits.
    ///
    /// Cost: one atomic addition to a cache line that few others use.
    #[inline]
    pub fn add(&self, amount: i64) {
        self.shards[shard()].fetch_add(amount, Ordering::Relaxed);
    }

    /// The sum of everything added. Costs sixteen loads.
    pub fn get(&self) -> i64 {
        self.shards.iter().fold(0_i64, |sum, shard| sum.wrapping_add(shard.load(Ordering::Relaxed)))
    }
}

impl Default for Counter {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Counter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Counter").field(&self.get()).finish()
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
