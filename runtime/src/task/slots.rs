//! The slots of a registry's shard: where each live task stands, found by a hand that sweeps, left without a lock.
//!
//! ```text
//!   segments   [ t · t t t · · t ] [ t t t t t t t t ] [ · · · · · · · · ]
//!                        ▲ the hand: whoever comes takes the next vacant slot, round and round
//! ```
//!
//! A task comes under the shard's lock, which only one processor takes, and *goes without it*: it may end on any
//! processor, and one exchange empties its slot. So there is no list of vacant slots, which both would write to. The
//! hand looks for one instead. It finds one soon: when it comes to the end of the slots and has passed over as many
//! that were taken as all the others together, there is more room behind, and it goes on there; else it begins anew.
//! Every second slot that it looks at is therefore vacant, in the mean. Each time it comes to another segment, the
//! last one goes back to the allocator if nobody is in it.
//!
//! # A slot
//! ```text
//!                  put (the lock)                  get begins (the lock)
//!   vacant: null ─────────────────► taken: task ──────────────────────────► pinned: task | PINNED
//!         ▲                             │   ▲                                      │
//!         └───────── vacate ────────────┘   └──────────── get ends ────────────────┘
//! ```
//! - L1. Only the one who ends a task vacates its slot, once, and before it lets go of the task's life. While the
//!   slot is pinned it waits. So whoever has pinned a slot may add a reference to the task, and needs no longer.
//! - L2. Slots are taken and pinned under the shard's lock, by one thread at a time.
//! - L3. After the exchange that vacates it nobody touches a slot but under the lock: a segment of vacant slots
//!   can be freed there.
//!
//! # Orderings
//! | access | order | with | why | weakened, fails in |
//! |---|---|---|---|---|
//! | [`Slot::get`]: the first load, finding nothing | Acquire | `vacate` | what the task's end wrote before is seen: the count of those that ended | – (argued: a fence follows where it counts) |
//! | [`Slot::get`]: exchange | Relaxed | – | the task was put there under the same lock | – |
//! | [`Slot::get`]: store | Release | `vacate` | the reference is added before the task's life lets go; and the flag that the runtime closes is seen by whoever ends afterwards | – (argued) |
//! | [`Slot::vacate`]: exchange | AcqRel | `get`, `is_vacant` | Release: the first of these, and its last access to the segment is before the free; Acquire: the other two | Release: `loom::the_end_of_the_last_task_is_seen`; Acquire: – (argued) |
//! | [`Slot::is_vacant`] | Acquire | `vacate` | its last access to the segment is before the free | – (argued) |

use super::AbortHandle;
use super::raw::{Header, RawTask};
use pirn_sync::primitive::atomic::{AtomicPtr, Ordering};
use pirn_sync::primitive::thread;
use std::ptr::{self, NonNull};

/// Slots in a segment. Two under loom, so that its models come to the end.
const SEGMENT: usize = if cfg!(loom) { 2 } else { 512 };

/// In the pointer's lowest bits, which are zero in a task's address.
const NAMED: usize = 1;
const PINNED: usize = 2;
const _: () = assert!(align_of::<Header>() > (NAMED | PINNED));

/// The place of one task.
#[derive(Debug, Default)]
pub(super) struct Slot(AtomicPtr<Header>);

/// All places of one shard. What takes `&mut self` happens under the shard's lock (L2).
#[derive(Debug, Default)]
pub(super) struct Slots {
    segments: Vec<Box<[Slot; SEGMENT]>>,
    /// The hand: the slot that is looked at next.
    hand: usize,
    /// How many taken slots it has passed over since it began anew.
    passed: usize,
}

impl Slot {
    /// The task in it, with a reference of the caller's. Under the shard's lock.
    fn get(&self) -> Option<AbortHandle> {
        let mut entry = self.0.load(Ordering::Acquire);
        loop {
            let task = RawTask(NonNull::new(entry.map_addr(|bits| bits & !NAMED))?);
            let pinned = entry.map_addr(|bits| bits | PINNED);
            match self.0.compare_exchange_weak(entry, pinned, Ordering::Relaxed, Ordering::Acquire) {
                Ok(_) => {
                    // SAFETY: L1: while the slot is pinned the task lives, so a reference may be added.
                    unsafe { task.header() }.state.add_ref();
                    self.0.store(entry, Ordering::Release);
                    return Some(AbortHandle::from_ref(task));
                }
                Err(now) => entry = now,
            }
        }
    }

    /// Empties it. By the one who ends its task (L1). True if the task has a name.
    pub(super) fn vacate(&self) -> bool {
        let entry = self.0.load(Ordering::Relaxed).map_addr(|bits| bits & !PINNED);
        while self.0.compare_exchange(entry, ptr::null_mut(), Ordering::AcqRel, Ordering::Relaxed).is_err() {
            // Whoever has pinned it is a few instructions from letting go, or has lost its core.
            thread::yield_now();
        }
        entry.addr() & NAMED != 0
    }

    fn is_vacant(&self) -> bool {
        self.0.load(Ordering::Acquire).is_null()
    }
}

impl Slots {
    /// Finds a place for a task.
    pub(super) fn put(&mut self, task: RawTask, named: bool) -> NonNull<Slot> {
        let entry = task.0.as_ptr().map_addr(|bits| bits | if named { NAMED } else { 0 });
        let slot = self.vacant();
        // Relaxed: whoever looks for it holds the lock, and who ends the task got it through a queue.
        slot.0.store(entry, Ordering::Relaxed);
        NonNull::from(slot)
    }

    fn vacant(&mut self) -> &Slot {
        loop {
            if self.hand.is_multiple_of(SEGMENT) {
                self.enter_segment();
            }
            let at = self.hand;
            self.hand += 1;
            if self.slot(at).is_vacant() {
                return self.slot(at);
            }
            self.passed += 1;
        }
    }

    #[inline]
    fn slot(&self, at: usize) -> &Slot {
        &self.segments[at / SEGMENT][at % SEGMENT]
    }

    /// The hand comes to another segment, or to the end of all.
    fn enter_segment(&mut self) {
        let slots = self.segments.len() * SEGMENT;
        if self.hand == slots {
            if 2 * self.passed >= slots {
                self.segments.push(Box::new(std::array::from_fn(|_| Slot::default())));
                return;
            }
            (self.hand, self.passed) = (0, 0);
        }
        let is_ahead = self.hand + SEGMENT < slots;
        if is_ahead && self.segments.last().is_some_and(|last| last.iter().all(Slot::is_vacant)) {
            self.segments.pop();
        }
    }

    /// Every task that has a place, each with a reference.
    pub(super) fn all(&self) -> impl Iterator<Item = AbortHandle> {
        self.segments.iter().flat_map(|segment| segment.iter()).filter_map(Slot::get)
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
