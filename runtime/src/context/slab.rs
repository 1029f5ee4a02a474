//! A list whose entries have fixed numbers: put in, take out by number, both in O(1).
//!
//! A context keeps here whatever hangs on it: children, waiting futures, functions to run. Each of them
//! knows its own number, so that it can leave without a search. A vector of full and free places does it,
//! the free ones chained by index in both directions, which needs neither pointers nor `unsafe`.
//!
//! ```text
//!            first_free ──────────┐         ┌────────────┐
//!   places   ┌──────┬──────┬──────▼──┬──────┼────┬───────▼─┬──────┐
//!            │ Full │ Full │ Free  ──┼──────┘    │ Free    │ Full │    the last place is full
//!            └──────┴──────┴──────▲──┴───────────┴──┬──────┴──────┘
//!                                 └─────────────────┘
//! ```
//!
//! # Invariants
//! S1. A number names the same value from `insert` to `remove`; afterwards it may name another one, so whoever
//!     holds a number removes it once.
//! S2. Every free place is in the chain exactly once, and the last place is never free.
//! S3. Memory follows use: free places at the end are given up at once (that is why the chain has two
//!     directions), and the vector shrinks when three quarters of it are unused. So a burst of a million
//!     entries is not paid for ever. Both are O(1) per removal, taken over all removals. A list that has never had
//!     a second entry keeps the first one in itself: most contexts never do, and memory would be most of its cost.
//!
//! # Rejected
//! A hash map: three times the work per entry. A linked list through the waiters themselves: no memory of its
//! own, but `unsafe` throughout. The `slab` crate: its memory stays at the highest mark. A chain in one
//! direction that is rebuilt now and then: a scan under the lock, and memory that depends on the order of removal.

use std::mem;

use smallvec::SmallVec;

/// A vector no longer than this is never shrunk.
const SMALL: usize = 32;

/// The end of the chain of free places.
const NONE: usize = usize::MAX;

/// Values with fixed numbers.
#[derive(Debug)]
pub(crate) struct Slab<T> {
    places: SmallVec<[Place<T>; 1]>,
    first_free: usize,
}

#[derive(Debug)]
enum Place<T> {
    Full(T),
    Free { before: usize, after: usize },
}

impl<T> Slab<T> {
    /// An empty slab, which owns no memory.
    pub(crate) const fn new() -> Self {
        Self { places: SmallVec::new_const(), first_free: NONE }
    }

    /// Stores `value` and returns its number.
    pub(crate) fn insert(&mut self, value: T) -> usize {
        self.insert_with(|_| value)
    }

    /// Stores a value that is made knowing its number, and returns that.
    pub(crate) fn insert_with(&mut self, make: impl FnOnce(usize) -> T) -> usize {
        let key = self.first_free;
        if key == NONE {
            let key = self.places.len();
            self.places.push(Place::Full(make(key)));
            return key;
        }
        let value = make(key);
        self.unchain(key);
        self.places[key] = Place::Full(value);
        key
    }

    /// Takes the value numbered `key` out. Panics if there is none.
    pub(crate) fn remove(&mut self, key: usize) -> T {
        if key + 1 == self.places.len()
            && let Some(Place::Full(value)) = self.places.pop()
        {
            // S2: the last place goes. Most lists have but one.
            self.trim();
            return value;
        }
        let freed = Place::Free { before: NONE, after: self.first_free };
        let Place::Full(value) = mem::replace(&mut self.places[key], freed) else {
            unreachable!("S1: a number is removed once")
        };
        if let Some(Place::Free { before, .. }) = self.places.get_mut(self.first_free) {
            *before = key;
        }
        self.first_free = key;
        self.trim();
        value
    }

    /// Whether there is no value. (The last place is never free: S2.)
    pub(crate) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// The value numbered `key`, if there is one.
    pub(crate) fn get(&self, key: usize) -> Option<&T> {
        match self.places.get(key)? {
            Place::Full(value) => Some(value),
            Place::Free { .. } => None,
        }
    }

    /// All the values, by number.
    pub(crate) fn values(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.places.iter().filter_map(|place| match place {
            Place::Full(value) => Some(value),
            Place::Free { .. } => None,
        })
    }

    /// All the values, by number.
    pub(crate) fn into_values(self) -> impl Iterator<Item = T> {
        self.places.into_iter().filter_map(|place| match place {
            Place::Full(value) => Some(value),
            Place::Free { .. } => None,
        })
    }

    /// Takes the free place `key` out of the chain.
    fn unchain(&mut self, key: usize) {
        let Place::Free { before, after } = self.places[key] else {
            unreachable!("S2: only free places are chained")
        };
        match self.places.get_mut(before) {
            Some(Place::Free { after: link, .. }) => *link = after,
            _ => self.first_free = after,
        }
        if let Some(Place::Free { before: link, .. }) = self.places.get_mut(after) {
            *link = before;
        }
    }

    /// Gives up the free places at the end, and the memory that has become too much.
    fn trim(&mut self) {
        while let Some(Place::Free { .. }) = self.places.last() {
            self.unchain(self.places.len() - 1);
            self.places.pop();
        }
        if self.places.capacity() > SMALL && self.places.len() < self.places.capacity() / 4 {
            let mut smaller = SmallVec::with_capacity(2 * self.places.len());
            smaller.append(&mut self.places);
            self.places = smaller;
        }
    }

    /// How many values there are. O(n).
    #[cfg(all(test, not(loom)))]
    pub(crate) fn len(&self) -> usize {
        self.places.iter().filter(|place| matches!(place, Place::Full(_))).count()
    }

    /// For how many places there is room.
    #[cfg(all(test, not(loom)))]
    pub(crate) fn capacity(&self) -> usize {
        self.places.capacity()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn numbers_stay_put_while_others_come_and_go() {
        let mut slab = Slab::new();
        let kept: Vec<_> = (0..100).map(|n| (slab.insert(n), n)).collect();
        for round in 0..1_000 {
            let other = slab.insert(1_000 + round);
            assert!(kept.iter().all(|&(key, _)| key != other));
            assert_eq!(slab.remove(other), 1_000 + round);
        }
        for (key, n) in kept {
            assert_eq!(slab.get(key), Some(&n));
            assert_eq!(slab.remove(key), n);
        }
        assert_eq!(slab.into_values().count(), 0);
    }

    #[test]
    fn a_single_entry_needs_no_memory_but_the_list_itself() {
        let mut slab = Slab::new();
        for n in 0..3 {
            let only = slab.insert(n);
            assert!(!slab.places.spilled());
            assert_eq!(slab.remove(only), n);
        }
    }

    #[test]
    fn a_burst_gives_its_memory_back_although_one_entry_stays() {
        let mut slab = Slab::new();
        let first = slab.insert(0);
        for order in
            [|_: &usize| 0, |key: &usize| usize::MAX - key, |key: &usize| key.wrapping_mul(7919) % 1009]
        {
            let mut burst: Vec<_> = (1..100_000).map(|n| slab.insert(n)).collect();
            burst.sort_by_key(order);
            for key in burst {
                slab.remove(key);
            }
            assert!(slab.capacity() <= SMALL, "{} places are still owned", slab.capacity());
        }
        assert_eq!((slab.len(), slab.remove(first)), (1, 0));
    }

    #[test]
    fn a_steady_to_and_fro_never_grows() {
        let mut slab = Slab::new();
        for n in 0..100_000 {
            let key = slab.insert(n);
            slab.remove(key);
        }
        assert!(slab.capacity() <= SMALL, "{} places for one entry at a time", slab.capacity());
    }

    #[test]
    fn numbers_agree_with_a_map_over_random_use() {
        let random = pirn_sync::random::Random::new(7);
        let (mut slab, mut model) = (Slab::new(), std::collections::BTreeMap::new());
        for n in 0..20_000 {
            if model.is_empty() || random.below(1_000) < 300 + 400 * (n / 5_000 % 2) {
                assert!(model.insert(slab.insert(n), n).is_none(), "a number that is in use was given out");
            } else {
                let nth = random.below(u32::try_from(model.len()).expect("few")) as usize;
                let key = *model.keys().nth(nth).expect("below the length");
                assert_eq!(Some(slab.remove(key)), model.remove(&key));
            }
            assert_eq!(slab.len(), model.len());
        }
        assert!(slab.into_values().eq(model.into_values()));
    }
}
