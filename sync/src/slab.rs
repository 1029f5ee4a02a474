//! A list whose entries have fixed numbers: put in, take out by number, both in O(1).
//!
//! A context keeps here whatever hangs on it: children, waiting futures, functions to run; a join set its members,
//! a broadcast channel those who wait. Each of them knows its own number, so that it can leave without a search.
//! A vector of full and free places does it, the free ones chained by index in both directions, which needs neither
//! pointers nor `unsafe`.
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
//! S1. A number names the same value from `insert` to `remove` or `drain`; afterwards it may name another one, so
//!     whoever holds a number removes it once.
//! S2. Every free place is in the chain exactly once, and the last place is never free.
//! S3. Memory follows use: free places at the end are given up at once (that is why the chain has two
//!     directions), and the vector shrinks when three quarters of it are unused. So a burst of a million
//!     entries is not paid for ever. Both are O(1) per removal, taken over all removals; so is looking at each place
//!     to take all the values out. A list that has never had a second entry keeps the first one in itself: most
//!     contexts never do, and memory would be most of its cost.
//!
//! `pirn-channel` and `pirn` use it; it is no part of the public interface.
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
const NONE: u32 = u32::MAX;

/// Values with fixed numbers.
#[derive(Debug)]
pub struct Slab<T> {
    places: SmallVec<[Place<T>; 1]>,
    first_free: u32,
}

/// The links are short, so that a place is no larger than a waker.
#[derive(Debug)]
enum Place<T> {
    Full(T),
    Free { before: u32, after: u32 },
}

impl<T> Place<T> {
    fn value(&self) -> Option<&T> {
        match self {
            Self::Full(value) => Some(value),
            Self::Free { .. } => None,
        }
    }

    fn into_value(self) -> Option<T> {
        match self {
            Self::Full(value) => Some(value),
            Self::Free { .. } => None,
        }
    }
}

impl<T> Slab<T> {
    /// An empty slab, which owns no memory.
    pub const fn new() -> Self {
        Self { places: SmallVec::new_const(), first_free: NONE }
    }

    /// Stores `value` and returns its number.
    pub fn insert(&mut self, value: T) -> usize {
        self.insert_with(|_| value)
    }

    /// Stores a value that is made knowing its number, and returns that.
    pub fn insert_with(&mut self, make: impl FnOnce(usize) -> T) -> usize {
        if self.first_free == NONE {
            let key = self.places.len();
            assert!(key < NONE as usize, "fewer than 2³² − 1 values are in one slab");
            self.places.push(Place::Full(make(key)));
            return key;
        }
        let key = self.first_free as usize;
        let value = make(key);
        self.unchain(key);
        self.places[key] = Place::Full(value);
        key
    }

    /// Takes the value numbered `key` out. Panics if there is none.
    pub fn remove(&mut self, key: usize) -> T {
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
        if let Some(Place::Free { before, .. }) = self.places.get_mut(self.first_free as usize) {
            *before = key as u32;
        }
        self.first_free = key as u32;
        self.trim();
        value
    }

    /// Whether there is no value. (The last place is never free: S2.)
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// The value numbered `key`, if there is one.
    pub fn get(&self, key: usize) -> Option<&T> {
        self.places.get(key)?.value()
    }

    /// All the values, by number.
    pub fn values(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.places.iter().filter_map(Place::value)
    }

    /// All the values, by number.
    pub fn into_values(self) -> impl Iterator<Item = T> {
        self.places.into_iter().filter_map(Place::into_value)
    }

    /// Takes all the values out, by number. The memory stays, as far as they needed it (S3).
    pub fn drain(&mut self) -> impl Iterator<Item = T> {
        self.shrink();
        self.first_free = NONE;
        self.places.drain(..).filter_map(Place::into_value)
    }

    /// How many values there are. O(n).
    pub fn len(&self) -> usize {
        self.values().count()
    }

    /// For how many values there is room.
    pub fn capacity(&self) -> usize {
        self.places.capacity()
    }

    /// Takes the free place `key` out of the chain.
    fn unchain(&mut self, key: usize) {
        let Place::Free { before, after } = self.places[key] else {
            unreachable!("S2: only free places are chained")
        };
        match self.places.get_mut(before as usize) {
            Some(Place::Free { after: link, .. }) => *link = after,
            _ => self.first_free = after,
        }
        if let Some(Place::Free { before: link, .. }) = self.places.get_mut(after as usize) {
            *link = before;
        }
    }

    /// Gives up the free places at the end, and the memory that has become too much.
    fn trim(&mut self) {
        while let Some(Place::Free { .. }) = self.places.last() {
            self.unchain(self.places.len() - 1);
            self.places.pop();
        }
        self.shrink();
    }

    /// Gives up the memory that has become too much.
    fn shrink(&mut self) {
        if self.places.capacity() > SMALL && self.places.len() < self.places.capacity() / 4 {
            let mut smaller = SmallVec::with_capacity(2 * self.places.len());
            smaller.append(&mut self.places);
            self.places = smaller;
        }
    }
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
