//! Every live task of one runtime: for the dump, which lists them, and for the shutdown, which drops them.
//!
//! Each spawn registers its task and each end forgets it, so this is on the way of both, and the two may be on
//! different processors. Each processor spawns into a shard of its own, whose lock nobody else takes, but for a dump
//! or the shutdown; threads outside have one in common. A task that ends leaves its [slot](super::slots) without
//! the lock, and counts in the shard of the processor where it ended. So two processors share nothing but the
//! slots themselves, eight bytes a task. Those that came after the registry's processors begin tasks in the others' shards,
//! and count ends with the threads outside.
//!
//! # Invariants
//! - O1. A task has its slot from before it is first scheduled until its future is dropped, and its life
//!   outlasts the slot's (C4 of the cell).
//! - O2. A closed registry takes nothing more: after [`close`](Owned::close) the count only falls.
//! - O3. No user code runs under a lock.
//! - O4. `ended` is counted up before the slot is vacated, `spawned` after it is taken, and `ended` is read first:
//!   they are found equal only if at some moment in between no future lived. Model:
//!   `loom::a_registry_is_not_empty_while_a_task_leaves_another_behind`.
//! - O5. A shard's `ended` is written by whoever holds its processor, and nobody else; the last shard's by anybody.
//!   Model: `loom::every_end_is_counted`.
//!
//! # Why the end of the last task is announced
//! The shutdown raises a flag, closes, and waits until the registry [is empty](Owned::is_empty), sleeping on a condition
//! variable between two looks. Whoever ends a task and then sees the flag looks too, and announces what it found.
//!
//! ```text
//!   shutdown                                 the end of a task
//!   C1  flag = true                          E1  ended += 1
//!   C2  close: visit each slot               E2  vacate the slot
//!   C3  fence(SeqCst)                        E3  flag ?  no: go on
//!   C4  all ended ?  no: wait                E4  fence(SeqCst)
//!                                            E5  all ended ?  yes: announce
//! ```
//!
//! Take one task. If C2 finds its slot vacant, the shutdown sees its E1 (`vacate` releases, the look acquires). If C2
//! finds it taken, its E2 is later and acquires what C1 wrote: E3 says yes, and the task's end comes to its fence E4. So
//! each E1 is seen by C3, or followed by a fence E4.
//!
//! Of C3 and all those E4 one fence is the last. The look behind it sees every E1: one that is followed by an E4, since that
//! fence is this one or an earlier one; one that is seen by C3, since C3 is this one or an earlier one. So that look
//! finds that all have ended. If it is C4, the shutdown does not wait; if it is an E5, it announces.
//!
//! # Orderings
//! `spawned` is behind the locks. `ended` is `Relaxed`: the table of [`slots`](super::slots) and the fences above order it.
//! Leave out the fence and `loom::the_end_of_the_last_task_is_seen` fails. Who holds a processor has got it from its last
//! holder, and sees what that one counted: a load and a store are enough (O5).

use super::slots::{Slot, Slots};
use super::{AbortHandle, Runnable, TaskId};
use crossbeam_utils::CachePadded;
use pirn_sync::host::Wait;
use pirn_sync::primitive::Mutex;
use pirn_sync::primitive::atomic::{AtomicU64, Ordering, fence};
use std::collections::HashMap;
use std::panic::Location;
use std::ptr::NonNull;
use std::sync::Arc;

/// Every live task.
#[derive(Debug)]
pub(crate) struct Owned {
    /// One for each processor, and a last one for all who have none.
    shards: Box<[Shard]>,
    /// Few tasks have a name, so names do not lie in every task.
    names: Mutex<HashMap<TaskId, Arc<str>>>,
}

#[derive(Debug, Default)]
struct Shard {
    /// Who began here.
    begun: CachePadded<Mutex<Begun>>,
    /// How many have ended here (O5).
    ended: CachePadded<AtomicU64>,
}

#[derive(Debug, Default)]
struct Begun {
    closed: bool,
    spawned: u64,
    slots: Slots,
}

/// A task's place in the registry.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OwnedKey {
    pub(super) slot: NonNull<Slot>,
    pub(super) id: TaskId,
}

/// One live task, as a dump shows it.
#[derive(Debug)]
pub(crate) struct TaskView {
    pub(crate) id: TaskId,
    pub(crate) name: Option<Arc<str>>,
    pub(crate) spawned_at: &'static Location<'static>,
    pub(crate) running: bool,
    pub(crate) scheduled: bool,
    pub(crate) wait: Option<Wait>,
    /// When it began to wait last, or was spawned, in the executor's coarse unit.
    pub(crate) since: u64,
}

/// The registry is closed: the runtime shuts down.
#[derive(Debug)]
pub(crate) struct Closed;

impl Owned {
    pub(crate) fn new(processors: usize) -> Self {
        let shards = (0..=processors.max(1)).map(|_| Shard::default()).collect();
        Self { shards, names: Mutex::default() }
    }

    /// The shard of a processor, or of those who have none.
    fn shard(&self, near: Option<usize>) -> &Shard {
        let last = self.shards.len() - 1;
        // A division is dear, and few processors come after those that the runtime began with.
        let among = |processor| if processor < last { processor } else { processor % last };
        &self.shards[near.map_or(last, among)]
    }

    /// Registers a task that is about to be scheduled, in the shard of the processor `near`.
    pub(crate) fn insert(
        &self,
        task: &Runnable,
        name: Option<Arc<str>>,
        near: Option<usize>,
    ) -> Result<(), Closed> {
        // SAFETY: the `Runnable` keeps the task alive.
        let header = unsafe { task.raw().header() };
        let mut begun = self.shard(near).begun.lock();
        if begun.closed {
            return Err(Closed);
        }
        let slot = begun.slots.put(task.raw(), name.is_some());
        begun.spawned += 1;
        drop(begun);
        header.set_slot(slot);
        if let Some(name) = name {
            self.names.lock().insert(header.id, name);
        }
        Ok(())
    }

    /// Forgets a task that ends on the processor `near`, which the caller holds; its name, if it had one, comes back.
    ///
    /// # Safety
    /// The key is that of a task which is registered here; its future is dropped, and the caller alone ends it.
    pub(crate) unsafe fn remove(&self, key: OwnedKey, near: Option<usize>) -> Option<Arc<str>> {
        self.count_end(near);
        // SAFETY: a segment is not freed while a slot in it is taken (L3 of the slots), nor before the registry.
        let named = unsafe { key.slot.as_ref() }.vacate();
        if named { self.names.lock().remove(&key.id) } else { None }
    }

    fn count_end(&self, near: Option<usize>) {
        let (others, own) =
            self.shards.split_last().expect("there is a shard for those who have no processor");
        match near.and_then(|processor| own.get(processor)) {
            Some(Shard { ended, .. }) => ended.store(ended.load(Ordering::Relaxed) + 1, Ordering::Relaxed),
            None => {
                others.ended.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// How many have ended.
    fn ended(&self) -> u64 {
        self.shards.iter().map(|shard| shard.ended.load(Ordering::Relaxed)).sum()
    }

    /// How many tasks live.
    pub(crate) fn len(&self) -> usize {
        let ended = self.ended();
        (self.spawned() - ended) as usize
    }

    /// Whether no task lives. Of all who look after they have raised or seen the flag (C3, E4) one sees that none does.
    pub(crate) fn is_empty(&self) -> bool {
        fence(Ordering::SeqCst);
        self.len() == 0
    }

    /// How many were ever registered.
    pub(crate) fn spawned(&self) -> u64 {
        self.shards.iter().map(|shard| shard.begun.lock().spawned).sum()
    }

    /// Refuses all further tasks (O2) and aborts those that live.
    pub(crate) fn close(&self) {
        for shard in &self.shards {
            let live: Vec<AbortHandle> = {
                let mut begun = shard.begun.lock();
                begun.closed = true;
                begun.slots.all().collect()
            };
            // O3: an abort schedules the task, and the last reference may free it.
            live.iter().for_each(AbortHandle::abort);
        }
    }

    /// A picture of every live task.
    pub(crate) fn view(&self) -> Vec<TaskView> {
        let mut live: Vec<AbortHandle> = Vec::new();
        for shard in &self.shards {
            live.extend(shard.begun.lock().slots.all());
        }
        let names = self.names.lock();
        let views = live.iter().filter_map(|task| task.view(|id| names.get(&id).cloned())).collect();
        // O3: `live` goes after the lock, and what it frees with it.
        drop(names);
        views
    }
}
