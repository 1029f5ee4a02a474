//! The wait list: the one FIFO of waiting operations under every primitive here, and its cancel rule.
//!
//! Whoever cannot go on leaves an entry in a list and goes to sleep. Three things then happen to an entry,
//! in any order and from any thread: somebody takes it off the queue from the front, its owner leaves from
//! the *middle* (the future was dropped), or its owner comes back and wants to know what became of it.
//! An intrusive list does this with pointers into pinned futures, and with `unsafe` on every line. Here the
//! entries stand in a vector and know each other by index:
//!
//! ```text
//!   key            0        1        2        3        4
//!              ┌────────┬────────┬────────┬────────┬────────┐        first = 3, last = 0
//!   entries    │ queued │ taken  │ (free) │ queued │ queued │        queue: 3 ⇄ 4 ⇄ 0
//!              └────────┴────────┴────────┴────────┴────────┘        free:  2
//! ```
//!
//! So futures stay `Unpin`, the list has no `unsafe`, an entry costs no allocation of its own, and a freed
//! place is used again while it is warm. The list is plain data: the primitive keeps it under its own lock.
//!
//! # Invariants
//! W1. A place is *queued* (linked between `first` and `last`), *taken* (off the queue, its value still
//!     there for its owner) or *free* (linked from `free`, without a value).
//! W2. A [`Key`] has exactly one owner, the waiting operation that got it from [`WaitList::push_back`] or
//!     [`WaitList::push_front`]; nobody else frees that place. So a key never goes stale.
//! W3. Only [`WaitList::remove`] frees a place, and it returns the value.
//!
//! # The cancel rule
//! The owner of a key gives it back by `remove` exactly once: when its operation completes, or when it is
//! dropped. In the second case the value tells whether the entry had been given something in the meantime
//! (a signal, the right of way); then *the one who cancels passes it on* before it releases the lock.
//!
//! # Wakers
//! Waking, cloning and dropping a waker runs foreign code, which may call back into the same primitive or
//! panic. None of it happens under a primitive's lock: wakers are moved out into [`Wakers`] and woken when
//! the lock is released.
//!
//! # Rejected
//! An intrusive list: it saves the vector's growth, and pays with pinned futures and `unsafe` everywhere.
//! A `VecDeque` of entries: leaving from the middle costs O(n), and 100,000 waiters who all time out are
//! an ordinary event.

mod wakers;

use std::num::NonZeroU32;

pub(crate) use wakers::Wakers;

/// The number that stands for "no place".
const NIL: u32 = u32::MAX;

/// A list that has become empty keeps its memory up to this many places and frees it beyond.
const KEPT: usize = 32;

/// The name of one entry, held by the operation that waits (W2): its place, counted from one, so that no
/// key costs no space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key(NonZeroU32);

impl Key {
    /// The key of the place `at`; `None` for [`NIL`], which counted from one would be zero.
    fn of(at: u32) -> Option<Self> {
        NonZeroU32::new(at.wrapping_add(1)).map(Self)
    }

    fn place(self) -> u32 {
        self.0.get() - 1
    }
}

/// A FIFO whose entries can leave from the middle, and can outlive their place in the queue.
#[derive(Debug)]
pub(crate) struct WaitList<T> {
    places: Vec<Place<T>>,
    first: u32,
    last: u32,
    free: u32,
    occupied: u32,
}

#[derive(Debug)]
struct Place<T> {
    previous: u32,
    next: u32,
    queued: bool,
    value: Option<T>,
}

impl<T> WaitList<T> {
    /// An empty list, without memory of its own.
    pub(crate) const fn new() -> Self {
        Self { places: Vec::new(), first: NIL, last: NIL, free: NIL, occupied: 0 }
    }

    /// Whether nobody is queued. Entries that were taken off the queue do not count.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.first == NIL
    }

    /// Queues `value` behind all others. O(1), amortised over the vector's growth.
    pub(crate) fn push_back(&mut self, value: T) -> Key {
        let key = self.place(value);
        self.link(key.place(), self.last, NIL);
        key
    }

    /// Queues `value` ahead of all others. O(1), amortised over the vector's growth.
    pub(crate) fn push_front(&mut self, value: T) -> Key {
        let key = self.place(value);
        self.link(key.place(), NIL, self.first);
        key
    }

    /// The entry at the front of the queue.
    #[inline]
    pub(crate) fn front(&self) -> Option<Key> {
        Key::of(self.first)
    }

    /// The entry at the end of the queue.
    #[inline]
    pub(crate) fn back(&self) -> Option<Key> {
        Key::of(self.last)
    }

    /// The entry queued behind `after`.
    #[inline]
    pub(crate) fn behind(&self, after: Key) -> Option<Key> {
        debug_assert!(
            self.places[after.place() as usize].queued,
            "W1: only what is queued has somebody behind it"
        );
        Key::of(self.places[after.place() as usize].next)
    }

    /// Takes the front entry off the queue; its value stays for its owner (W1). O(1).
    pub(crate) fn take_front(&mut self) -> Option<&mut T> {
        let front = self.front()?;
        self.unlink(front.place());
        Some(self.get_mut(front))
    }

    /// The value of an entry, queued or taken.
    #[inline]
    pub(crate) fn get_mut(&mut self, key: Key) -> &mut T {
        self.places[key.place() as usize].value.as_mut().expect("W2: a key outlives its entry")
    }

    /// Frees the place of `key`, off the queue or still on it, and returns its value. O(1).
    pub(crate) fn remove(&mut self, key: Key) -> T {
        if self.places[key.place() as usize].queued {
            self.unlink(key.place());
        }
        let place = &mut self.places[key.place() as usize];
        let value = place.value.take().expect("W2: a key is given back twice");
        place.next = self.free;
        self.free = key.place();
        self.occupied -= 1;
        if self.occupied == 0 && self.places.len() > KEPT {
            *self = Self::new();
        }
        value
    }

    fn place(&mut self, value: T) -> Key {
        self.occupied += 1;
        if let Some(key) = Key::of(self.free) {
            let place = &mut self.places[key.place() as usize];
            self.free = place.next;
            place.value = Some(value);
            return key;
        }
        let at = u32::try_from(self.places.len()).ok().and_then(Key::of);
        let key = at.expect("fewer than 2³² − 1 operations wait in one list");
        self.places.push(Place { previous: NIL, next: NIL, queued: false, value: Some(value) });
        key
    }

    fn link(&mut self, at: u32, previous: u32, next: u32) {
        let place = &mut self.places[at as usize];
        (place.previous, place.next, place.queued) = (previous, next, true);
        self.set_next(previous, at);
        self.set_previous(next, at);
    }

    fn unlink(&mut self, at: u32) {
        let place = &mut self.places[at as usize];
        place.queued = false;
        let (previous, next) = (place.previous, place.next);
        self.set_next(previous, next);
        self.set_previous(next, previous);
    }

    fn set_next(&mut self, of: u32, next: u32) {
        match of {
            NIL => self.first = next,
            of => self.places[of as usize].next = next,
        }
    }

    fn set_previous(&mut self, of: u32, previous: u32) {
        match of {
            NIL => self.last = previous,
            of => self.places[of as usize].previous = previous,
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
