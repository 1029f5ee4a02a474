//! How many descriptors each set holds, and so whether a wait for one set is a wait for all.
//!
//! Mostly one set holds everything that is registered: the runtime has one processor, or only timers, or a handful of
//! descriptors that one processor serves. Whoever waits then waits in that set alone, which costs one system call and
//! brings the events along; a wait for several costs two and more ([`sleep`](super::sleep)). What remains is the
//! descriptor that comes into another set, new or on its way to another home, while somebody sleeps in that one:
//!
//! ```text
//!   who brings a descriptor to `set`             the sleeper
//!   R1  holds[set] += 1                          S1  alone := the one set
//!   R2  fence(SeqCst)                            S2  fence(SeqCst)
//!   R3  alone is another set ? wake the sleeper  S3  does another set hold any ? then wait for all
//!   R4  tell the kernel
//! ```
//!
//! If R2 is first, S3 sees R1. If S2 is first, R3 sees S1, and whoever is woken begins anew and sees R1 this time: a
//! wake shows what preceded it. A wait for all hears of a descriptor even if R4 comes only afterwards: the kernel
//! tells those that poll a set of what becomes ready in it, whenever that was registered.
//!
//! # Invariants
//! N1. A set holds no more descriptors than `holds` says: R1 is before R4, and on the way out the count falls last.
//! N2. `alone` is a set's number only while one thread is between S1 and the end of its wait.
//!
//! All accesses to `holds` and `alone` are `Relaxed`: the fences order them.
//! `loom::a_descriptor_in_another_set_is_heard` fails without either fence, without S3, and without R3.

use pirn_sync::primitive::atomic::{AtomicUsize, Ordering::Relaxed, Ordering::SeqCst, fence};

/// In `alone`: nobody waits for one set only.
const NOBODY: usize = usize::MAX;

/// How many descriptors are at home in each set.
#[derive(Debug)]
pub(super) struct Population {
    holds: Box<[AtomicUsize]>,
    /// The set for which alone somebody waits.
    alone: AtomicUsize,
}

impl Population {
    pub(super) fn new(sets: usize) -> Self {
        Self { holds: (0..sets).map(|_| AtomicUsize::new(0)).collect(), alone: AtomicUsize::new(NOBODY) }
    }

    /// A descriptor is about to be registered in `set`: R1 to R3. True if the sleeper must be woken.
    #[must_use]
    pub(super) fn arrive(&self, set: usize) -> bool {
        self.holds[set].fetch_add(1, Relaxed);
        fence(SeqCst);
        let alone = self.alone.load(Relaxed);
        alone != NOBODY && alone != set
    }

    /// A descriptor has left `set` (N1).
    pub(super) fn leave(&self, set: usize) {
        self.holds[set].fetch_sub(1, Relaxed);
    }

    /// The set that holds every descriptor; `usual` if there is none at all. `None` if it is more than one set.
    pub(super) fn one_set(&self, usual: usize) -> Option<usize> {
        let mut holding = self.holds.iter().enumerate().filter(|(_, count)| count.load(Relaxed) > 0);
        let one = holding.next().map_or(usual, |(set, _)| set);
        holding.next().is_none().then_some(one)
    }

    /// Runs `wait` as a wait for `set` alone (N2), unless another holds descriptors: S1 to S3.
    pub(super) fn alone<R>(&self, set: usize, wait: impl FnOnce() -> R) -> Option<R> {
        self.alone.store(set, Relaxed);
        fence(SeqCst);
        let result = (self.one_set(set) == Some(set)).then(wait);
        self.alone.store(NOBODY, Relaxed);
        result
    }
}

#[cfg(all(test, loom))]
mod loom;
#[cfg(all(test, not(loom)))]
mod tests;
