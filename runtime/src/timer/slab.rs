//! Where the entries of a timing wheel live: forty bytes each, side by side, linked by index.
//!
//! A timer that is set must be found again when it is cancelled, in constant time and without a pointer
//! into freed memory. So an entry has an *index*, which stays its own until it is removed, and the lists of
//! the wheel are links between indices: safe code, half the size of pointers.
//!
//! ```text
//!   index i  ──►  chunks[i / 1024][i % 1024]            one entry, 40 bytes
//!                                                       ┌──────────┬──────────────┬──────┬──────┬──────────────┐
//!   key = (index, number)                               │ deadline │ waker        │ prev │ next │ number, slot │
//!                                                       └──────────┴──────────────┴──────┴──────┴──────────────┘
//! ```
//!
//! # Invariants
//! S1. Every insertion gets a *number* that this slab has never given before (54 bits: at one timer every
//!     30 ns they last for 17 years). A [`Key`] finds its entry only while the entry carries its number;
//!     so a late cancel never hits the timer that has taken over the index.
//! S2. A free entry has number 0 and no value. `next` links the free entries, youngest first, because the
//!     entry that was freed last is the likeliest to be in the cache.
//! S3. An entry never moves while it is occupied. The slab grows by chunks of 40 KiB and copies nothing,
//!     so that the insertion which makes it grow takes microseconds and not the milliseconds of a copy.
//! S4. When the last entry goes, all chunks but the first go with it: a burst of a million timers
//!     leaves nothing behind. (While a single timer of the burst lives, the chunks stay. The call that
//!     takes the last one pays for the return: 3 ms after a million.)
//!
//! # Rejected
//! One growing `Vec`: doubling a million entries copies 20 MB under the lock of a processor. An `Arc` per
//! timer: an allocation, two counters and a pointer chase each. A generation per entry of 32 bits: it wraps
//! within minutes on an index that is set and cancelled in a loop.

use std::ops::{Index, IndexMut};

/// No entry: the end of a list.
pub(super) const NIL: u32 = u32::MAX;

/// The low bits of [`Entry::stamp`] hold the slot, the others the number.
const SLOT_BITS: u32 = 10;

/// Entries per chunk, a power of two. Small under test, so that short programs meet several chunks.
const CHUNK: usize = if cfg!(test) { 4 } else { 1024 };

/// Names one insertion for ever: once that entry has gone, the key finds nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    index: u32,
    number: u64,
}

impl Key {
    /// Where the entry stands while it is pending.
    pub(super) fn index(self) -> u32 {
        self.index
    }
}

/// One pending deadline.
pub(super) struct Entry<T> {
    pub(super) deadline: u64,
    value: Option<T>,
    pub(super) prev: u32,
    pub(super) next: u32,
    stamp: u64,
}

impl<T> Entry<T> {
    /// The number of the insertion; 0 in a free entry.
    pub(super) fn number(&self) -> u64 {
        self.stamp >> SLOT_BITS
    }

    /// The slot of the wheel in whose list the entry stands.
    pub(super) fn slot(&self) -> usize {
        (self.stamp & ((1 << SLOT_BITS) - 1)) as usize
    }

    /// Notes the slot in whose list the entry stands.
    pub(super) fn set_slot(&mut self, slot: usize) {
        debug_assert!(slot < 1 << SLOT_BITS);
        self.stamp = (self.number() << SLOT_BITS) | slot as u64;
    }
}

/// The entries of one wheel.
pub(super) struct Slab<T> {
    chunks: Vec<Vec<Entry<T>>>,
    free: u32,
    len: usize,
    last_number: u64,
}

impl<T> Slab<T> {
    pub(super) fn new() -> Self {
        Self { chunks: Vec::new(), free: NIL, len: 0, last_number: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Adds an entry that stands in no list yet. Constant time.
    pub(super) fn insert(&mut self, deadline: u64, value: T) -> Key {
        self.last_number += 1;
        self.len += 1;
        let number = self.last_number;
        let entry = Entry { deadline, value: Some(value), prev: NIL, next: NIL, stamp: number << SLOT_BITS };
        let index = match self.free {
            NIL => self.push(entry),
            free => {
                self.free = self[free].next;
                self[free] = entry;
                free
            }
        };
        Key { index, number }
    }

    fn push(&mut self, entry: Entry<T>) -> u32 {
        if self.chunks.last().is_none_or(|chunk| chunk.len() == CHUNK) {
            self.chunks.push(Vec::with_capacity(CHUNK));
        }
        let last = self.chunks.len() - 1;
        let index = u32::try_from(last * CHUNK + self.chunks[last].len()).unwrap_or(NIL);
        assert!(index != NIL, "more than four thousand million timers are pending on one processor");
        self.chunks[last].push(entry);
        index
    }

    /// Frees an entry that stands in no list any more, and hands out its value.
    pub(super) fn remove(&mut self, index: u32) -> T {
        let free = self.free;
        let entry = &mut self[index];
        entry.stamp = 0;
        entry.next = free;
        let value = entry.value.take().expect("an entry in a list is occupied");
        self.free = index;
        self.len -= 1;
        if self.len == 0 && self.chunks.len() > 1 {
            self.chunks.truncate(1);
            self.chunks[0].clear();
            self.free = NIL;
        }
        value
    }

    /// The index behind a key; `None` once that entry has gone.
    pub(super) fn find(&self, key: Key) -> Option<u32> {
        let entry = self.chunks.get(key.index as usize / CHUNK)?.get(key.index as usize % CHUNK)?;
        (entry.number() == key.number).then_some(key.index)
    }

    /// The value of an occupied entry.
    pub(super) fn value_mut(&mut self, index: u32) -> &mut T {
        self[index].value.as_mut().expect("an entry in a list is occupied")
    }

    /// Hands out every value, in no particular order.
    pub(super) fn into_values(self) -> impl Iterator<Item = T> {
        self.chunks.into_iter().flatten().filter_map(|entry| entry.value)
    }
}

impl<T> Index<u32> for Slab<T> {
    type Output = Entry<T>;

    #[inline]
    fn index(&self, index: u32) -> &Entry<T> {
        &self.chunks[index as usize / CHUNK][index as usize % CHUNK]
    }
}

impl<T> IndexMut<u32> for Slab<T> {
    #[inline]
    fn index_mut(&mut self, index: u32) -> &mut Entry<T> {
        &mut self.chunks[index as usize / CHUNK][index as usize % CHUNK]
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
