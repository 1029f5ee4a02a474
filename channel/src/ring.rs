//! The buffer: a ring that grows on demand and gives its memory back, with a lane for values that came back.
//!
//! ```text
//!   take ◄── returned (by number) ◄── buffer ◄── push
//! ```
//!
//! A value that was handed to a receive which was dropped before it was polled re-enters through the `returned`
//! lane: ahead of the buffer, and in the order in which such values were sent. The lane is empty nearly
//! always, so it is allocated only when it is needed.
//!
//! # Invariants
//! B1. The lane is sorted by number, and every value in it was sent before every value in the buffer. No two values have one
//!     number. Values come back in any order, so it is a tree: many that do must not each move the others.
//! B2. A buffer that takes more than [`KEEP`] bytes is never less than a quarter full, and keeps nothing when it is empty: a burst
//!     leaves nothing behind, also where something stays buffered. Growing doubles it, shrinking leaves half of it free, so both cost
//!     amortised constant time, and a huge capacity costs nothing until it is used.
//! B3. Growing and shrinking move values but never drop one.

use std::collections::{BTreeMap, VecDeque};

/// How many bytes a buffer may keep, used or not.
const KEEP: usize = 32 * 1024;

/// Plain data: values in the order in which they are to be received.
#[derive(Debug)]
pub(crate) struct Ring<T> {
    /// Never empty.
    returned: Option<Box<Lane<T>>>,
    buffer: VecDeque<T>,
}

/// Values that came back, each under its number.
#[derive(Debug)]
struct Lane<T> {
    values: BTreeMap<u64, T>,
}

impl<T> Ring<T> {
    pub(crate) const fn new() -> Self {
        Self { returned: None, buffer: VecDeque::new() }
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.buffer.len() + self.returned.as_ref().map_or(0, |lane| lane.values.len())
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.returned.is_none() && self.buffer.is_empty()
    }

    #[inline]
    pub(crate) fn push_back(&mut self, value: T) {
        self.buffer.push_back(value);
    }

    #[inline]
    pub(crate) fn pop_front(&mut self) -> Option<T> {
        if self.returned.is_some() {
            return self.pop_returned();
        }
        let value = self.buffer.pop_front()?;
        // One comparison for a small buffer, and none for values without size.
        if self.buffer.capacity() * size_of::<T>() > KEEP && self.buffer.len() <= self.buffer.capacity() / 4 {
            self.shrink();
        }
        Some(value)
    }

    #[cold]
    fn shrink(&mut self) {
        self.buffer.shrink_to(2 * self.buffer.len());
    }

    #[cold]
    fn pop_returned(&mut self) -> Option<T> {
        let values = &mut self.returned.as_mut()?.values;
        let first = values.pop_first();
        if values.is_empty() {
            self.returned = None;
        }
        first.map(|(_, value)| value)
    }

    /// Takes back a value that was sent as number `number`.
    pub(crate) fn give_back(&mut self, number: u64, value: T) {
        let lane = self.returned.get_or_insert_with(|| Box::new(Lane { values: BTreeMap::new() }));
        let twin = lane.values.insert(number, value);
        debug_assert!(twin.is_none(), "B1: two values of one number");
    }

    /// Empties it; the caller drops the values after it has released the lock.
    pub(crate) fn take(&mut self) -> Self {
        std::mem::replace(self, Self::new())
    }
}
