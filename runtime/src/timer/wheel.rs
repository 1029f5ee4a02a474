//! A hierarchical timing wheel whose deadlines stay exact to the nanosecond.
//!
//! The problem: a million deadlines pending, most of them cancelled before they are due (a timeout that was
//! not needed), and the rest to be found in order, none early. A heap pays a logarithm of cache misses to
//! insert, and as much or a tombstone to cancel. A timing wheel (Varghese and Lauck, "Hashed and Hierarchical
//! Timing Wheels", 1987) does both in constant time: it sorts like a radix sort, one digit at a time, and
//! only as far as the clock has come.
//!
//! # The picture
//! Time is a number of 64 bits, read as eleven digits of six bits. A deadline stands on the *level* of the
//! highest digit in which it differs from `elapsed`, in the *slot* of that digit's value.
//!
//! ```text
//!   elapsed   … 0 7 3 12 40                slots of 0..64, one list each
//!   deadline  … 0 7 9 55 02  ──►  level 2  [0][1][2][3][4] … [9] … [63]        a slot is 64² ns wide
//!                   ▲                            ▲            ▲
//!                   the highest digit            │            the entry is linked here
//!                   that differs                 elapsed's own slot is empty, so are those before it
//! ```
//!
//! As `elapsed` comes to a slot, its entries differ from it in a lower digit only, and are dealt out once
//! more, a level further down: never more than ten times for one entry. A slot of few entries is not
//! dealt out but sorted at once, so a lone timer is moved but once or twice in its life.
//!
//! A wheel usually rounds deadlines to the width of a slot. This one does not: level 0 is one nanosecond
//! wide, and each slot knows its earliest deadline, so [`next_deadline`](Wheel::next_deadline) is exact
//! while entries still stand on a high level, at the price of two bit scans.
//!
//! # Invariants
//! W1. An entry stands where [`link`](Wheel::link) would put it now: in `OVERDUE` if its deadline is not
//!     after `elapsed`, else on the level and in the slot described above. Exempt is the one slot that is
//!     being *split*, which `elapsed` has entered.
//! W2. So all of a level is due before any of the level above, and the slots of a level are due in
//!     the order of their numbers: the earliest entry stands in the first slot of the first level.
//! W3. `earliest` of a slot is not after any of its deadlines, and [`NEVER`] if it is empty. It is exact
//!     unless the earliest one was cancelled or put off: then it is too early, which costs whoever sleeps until it
//!     one look in vain, because that look deals the slot out.
//! W4. A bit of `occupied` is set exactly if its slot has entries; a bit of `levels`, if its level has.
//! W5. `elapsed` never goes back and never passes the time that the caller has shown; so nothing that leaves
//!     through [`expire`](Wheel::expire) is early.
//!
//! # Where the time goes
//! A million entries are 40 MB, and a list's next entry is known only when the one before it has arrived from
//! memory. So lists are walked from both ends at once: the processor then waits for two at a time. When that was
//! tried, setting and firing a million deadlines within a second cost 190 ns each instead of 270.
//! (`cargo bench -p pirn-benches --bench timers -- million` shows what a million cost today.)
//!
//! # Rejected
//! A binary or four-ary heap: 1.5 times to three times the work at a million entries, and a cancel that is
//! not constant. A `BTreeMap` by deadline: the same, and an allocation per few entries. A wheel of milliseconds with
//! rounding: a sleep of one millisecond takes two. Tombstones instead of unlinking: a server that sets a
//! timeout of a minute per request would keep a minute's worth of dead entries.

use super::slab::{Key, NIL, Slab};

/// No deadline: later than anything.
pub(super) const NEVER: u64 = u64::MAX;

const DIGIT_BITS: u32 = 6;
const SLOTS: usize = 1 << DIGIT_BITS;
const LEVELS: usize = u64::BITS.div_ceil(DIGIT_BITS) as usize;
/// The list of those that were due when they came.
const OVERDUE: usize = LEVELS * SLOTS;

/// A slot of so few entries is sorted, a fuller one is dealt out to the level below.
const FEW: u32 = if cfg!(test) { 3 } else { 256 };

/// How many entries one call of [`Wheel::expire`] moves, about: it bounds how long its caller holds a lock.
const BATCH: usize = if cfg!(test) { 5 } else { 256 };

/// One list of entries.
#[derive(Clone, Copy)]
struct Slot {
    head: u32,
    tail: u32,
    len: u32,
    earliest: u64,
}

const EMPTY: Slot = Slot { head: NIL, tail: NIL, len: 0, earliest: NEVER };

/// Deadlines with a value each; see the module.
pub(super) struct Wheel<T> {
    elapsed: u64,
    levels: u16,
    occupied: [u64; LEVELS],
    slots: Box<[Slot]>,
    /// The slot that is being dealt out, if that was too much for one batch.
    split: Option<usize>,
    entries: Slab<T>,
    /// Room for sorting a small slot: deadline, number, index.
    sorting: Vec<(u64, u64, u32)>,
}

impl<T> Wheel<T> {
    pub(super) fn new() -> Self {
        Self {
            elapsed: 0,
            levels: 0,
            occupied: [0; LEVELS],
            slots: vec![EMPTY; OVERDUE + 1].into_boxed_slice(),
            split: None,
            entries: Slab::new(),
            sorting: Vec::new(),
        }
    }

    /// How many are pending.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Adds a deadline; one that has passed is due at the next [`expire`](Self::expire), one at [`NEVER`]
    /// not at all. Constant time.
    pub(super) fn insert(&mut self, deadline: u64, value: T) -> Key {
        let key = self.entries.insert(deadline, value);
        self.link(key.index());
        key
    }

    /// Takes a deadline back; `None` if it has fired or was cancelled. Constant time.
    pub(super) fn cancel(&mut self, key: Key) -> Option<T> {
        let index = self.entries.find(key)?;
        self.unlink(index);
        Some(self.entries.remove(index))
    }

    /// When a pending deadline is due.
    pub(super) fn deadline(&self, key: Key) -> Option<u64> {
        self.entries.find(key).map(|index| self.entries[index].deadline)
    }

    /// Moves a pending deadline to a later one. Constant time; and where that belongs into the same slot, as one that
    /// is put off by a little mostly does, nothing but the entry is touched.
    pub(super) fn put_off(&mut self, key: Key, deadline: u64) {
        let Some(index) = self.entries.find(key) else { return };
        let slot = self.entries[index].slot();
        debug_assert!(deadline >= self.entries[index].deadline);
        if self.place(deadline) == slot {
            debug_assert_ne!(
                self.split,
                Some(slot),
                "nothing belongs into the slot that `elapsed` has entered"
            );
            self.entries[index].deadline = deadline;
        } else {
            self.unlink(index);
            self.entries[index].deadline = deadline;
            self.link(index);
        }
    }

    /// The value of a pending deadline.
    pub(super) fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        let index = self.entries.find(key)?;
        Some(self.entries.value_mut(index))
    }

    /// When to look next: never after the earliest deadline, and not before it unless the earliest was
    /// cancelled or put off (W3). [`NEVER`] if nothing is pending.
    pub(super) fn next_deadline(&self) -> u64 {
        let earliest = |slot: usize| self.slots[slot].earliest;
        let split = self.split.map_or(NEVER, earliest);
        self.first().map_or(NEVER, earliest).min(split).min(earliest(OVERDUE))
    }

    /// Hands out what is due at `now`, in the order of the deadlines: about a batch, and true if the caller
    /// should come again. (What was overdue when it came is handed out first, in the order of coming.)
    pub(super) fn expire(&mut self, now: u64, mut due: impl FnMut(T)) -> bool {
        // Two callers may have read the clock in one order and come here in the other.
        let now = now.max(self.elapsed);
        let mut moved = 0;
        while moved < BATCH {
            if self.slots[OVERDUE].len > 0 {
                moved += self.drain_overdue(&mut due);
            } else if let Some(slot) = self.split {
                moved += self.deal_out(slot);
            } else if let Some(slot) = self.first().filter(|&slot| self.slots[slot].earliest <= now) {
                if self.slots[slot].len > FEW {
                    self.elapsed = self.start_of(slot);
                    self.split = Some(slot);
                } else {
                    moved += self.drain_few(slot, now, &mut due);
                }
            } else {
                self.catch_up(now);
                return false;
            }
        }
        true
    }

    /// Hands out every value, in no particular order.
    pub(super) fn into_values(self) -> impl Iterator<Item = T> {
        self.entries.into_values()
    }

    fn drain_overdue(&mut self, due: &mut impl FnMut(T)) -> usize {
        let mut moved = 0;
        while moved < BATCH && self.slots[OVERDUE].len > 0 {
            let index = self.slots[OVERDUE].head;
            self.unlink(index);
            due(self.entries.remove(index));
            moved += 1;
        }
        moved
    }

    /// Deals a batch of the slot that is being split out to the lists below it.
    fn deal_out(&mut self, slot: usize) -> usize {
        let mut moved = 0;
        while moved < BATCH && self.slots[slot].len > 0 {
            // From both ends: see "Where the time goes".
            let list = &self.slots[slot];
            let index = if moved % 2 == 0 { list.head } else { list.tail };
            self.unlink(index);
            self.link(index);
            moved += 1;
        }
        moved
    }

    /// Empties a small slot: what is due goes out, the rest goes to where it belongs at `now`.
    fn drain_few(&mut self, slot: usize, now: u64, due: &mut impl FnMut(T)) -> usize {
        let mut sorting = std::mem::take(&mut self.sorting);
        let Slot { head, tail, len, .. } = self.slots[slot];
        let mut ends = [head, tail];
        for step in 0..len as usize {
            // From both ends: see "Where the time goes".
            let index = ends[step % 2];
            let entry = &self.entries[index];
            sorting.push((entry.deadline, entry.number(), index));
            ends[step % 2] = [entry.next, entry.prev][step % 2];
        }
        self.forget(slot);
        sorting.sort_unstable();
        if sorting.last().is_some_and(|&(deadline, ..)| deadline > now) {
            // `now` lies inside this slot, the first of all: nothing else stands before it (W1).
            self.elapsed = now;
        }
        for &(deadline, _, index) in &sorting {
            if deadline <= now {
                due(self.entries.remove(index));
            } else {
                self.link(index);
            }
        }
        let moved = sorting.len();
        sorting.clear();
        self.sorting = sorting;
        moved
    }

    /// Moves `elapsed` up to `now` unless it would enter a slot that has entries. It may stay behind: then
    /// later deadlines stand on a higher level than they need to, but where W1 puts them.
    fn catch_up(&mut self, now: u64) {
        if self.first().is_none_or(|slot| self.start_of(slot) > now) {
            self.elapsed = now;
        }
    }

    /// The slot of the earliest deadline, `OVERDUE` and the one being split aside (W2).
    fn first(&self) -> Option<usize> {
        let level = self.levels.trailing_zeros() as usize;
        let digit = self.occupied.get(level)?.trailing_zeros() as usize;
        Some(level * SLOTS + digit)
    }

    /// The first moment of a slot that has entries.
    fn start_of(&self, slot: usize) -> u64 {
        let shift = (slot / SLOTS) as u32 * DIGIT_BITS;
        (self.entries[self.slots[slot].head].deadline >> shift) << shift
    }

    fn place(&self, deadline: u64) -> usize {
        if deadline <= self.elapsed {
            return OVERDUE;
        }
        let level = (deadline ^ self.elapsed).ilog2() / DIGIT_BITS;
        let digit = (deadline >> (level * DIGIT_BITS)) as usize % SLOTS;
        level as usize * SLOTS + digit
    }

    /// Appends an entry to the list where it belongs.
    fn link(&mut self, index: u32) {
        let deadline = self.entries[index].deadline;
        let number = self.place(deadline);
        let slot = &mut self.slots[number];
        let prev = std::mem::replace(&mut slot.tail, index);
        slot.len += 1;
        slot.earliest = slot.earliest.min(deadline);
        if prev == NIL {
            slot.head = index;
            self.mark(number);
        } else {
            self.entries[prev].next = index;
        }
        let entry = &mut self.entries[index];
        entry.prev = prev;
        entry.next = NIL;
        entry.set_slot(number);
    }

    /// Takes an entry out of its list.
    fn unlink(&mut self, index: u32) {
        let entry = &self.entries[index];
        let (prev, next, number) = (entry.prev, entry.next, entry.slot());
        let slot = &mut self.slots[number];
        slot.len -= 1;
        match prev {
            NIL => slot.head = next,
            prev => self.entries[prev].next = next,
        }
        match next {
            NIL => slot.tail = prev,
            next => self.entries[next].prev = prev,
        }
        if slot.len == 0 {
            self.forget(number);
        }
    }

    /// Notes that a slot has entries.
    fn mark(&mut self, slot: usize) {
        if slot != OVERDUE {
            self.occupied[slot / SLOTS] |= 1 << (slot % SLOTS);
            self.levels |= 1 << (slot / SLOTS);
        }
    }

    /// Makes a slot's list empty.
    fn forget(&mut self, slot: usize) {
        self.slots[slot] = EMPTY;
        if slot != OVERDUE {
            self.occupied[slot / SLOTS] &= !(1 << (slot % SLOTS));
            if self.occupied[slot / SLOTS] == 0 {
                self.levels &= !(1 << (slot / SLOTS));
            }
        }
        if self.split == Some(slot) {
            self.split = None;
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
