//! Every live task of one runtime: for the dump, which lists them, and for the shutdown, which drops them.
//!
//! A slab of pointers in several shards, each behind its own lock. A processor spawns into shards of its own, so two
//! meet at a lock only when a task ends on another processor than it began on; and since that is what becomes of
//! every stolen task, a processor's tasks are spread over several shards, by their addresses. Eight bytes a task:
//! links in the header would cost sixteen, and unlinking from the middle of a list of a million would touch two
//! cold neighbours.
//!
//! # Invariants
//! - O1. An entry is there from before its task is first scheduled until its future is dropped, and the
//!   task's life outlasts the entry (C4 of the cell): while a shard's lock is held its entries are alive.
//! - O2. A closed registry takes nothing more: after [`close`](Owned::close) the count only falls.
//! - O3. No user code runs under a shard's lock.

use super::raw::RawTask;
use super::{AbortHandle, Runnable, TaskId};
use crossbeam_utils::CachePadded;
use pirn_sync::host::Wait;
use pirn_sync::primitive::Mutex;
use std::collections::HashMap;
use std::panic::Location;
use std::sync::Arc;

/// Shards for each processor: who spawns and who ends its tasks elsewhere meet once in so many times. One under
/// loom, whose models must take the same path every time: addresses differ.
const SPREAD: usize = if cfg!(loom) { 1 } else { 8 };

/// Every live task.
#[derive(Debug)]
pub(crate) struct Owned {
    shards: Box<[CachePadded<Mutex<Shard>>]>,
}

#[derive(Debug, Default)]
struct Shard {
    closed: bool,
    entries: Vec<Option<RawTask>>,
    vacant: Vec<u32>,
    /// Few tasks have a name, so names do not lie in every task.
    names: HashMap<u32, Arc<str>>,
    spawned: u64,
}

/// A task's place in the registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OwnedKey {
    shard: u32,
    index: u32,
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

impl OwnedKey {
    /// The key of a task that was never registered.
    pub(crate) const NONE: Self = Self { shard: u32::MAX, index: u32::MAX };

    pub(super) fn to_bits(self) -> u64 {
        u64::from(self.shard) << 32 | u64::from(self.index)
    }

    pub(super) fn from_bits(bits: u64) -> Self {
        Self { shard: (bits >> 32) as u32, index: bits as u32 }
    }
}

impl Owned {
    pub(crate) fn new(processors: usize) -> Self {
        Self { shards: (0..SPREAD * processors.max(1)).map(|_| CachePadded::default()).collect() }
    }

    /// Registers a task that is about to be scheduled, in a shard of the processor `near`.
    pub(crate) fn insert(&self, task: &Runnable, name: Option<Arc<str>>, near: usize) -> Result<(), Closed> {
        // Tasks are 64 bytes at least: neighbours in memory, spawned one after the other, differ above these bits.
        let number = (near * SPREAD + (task.raw().address() >> 6) % SPREAD) % self.shards.len();
        let mut shard = self.shards[number].lock();
        if shard.closed {
            return Err(Closed);
        }
        let entry = Some(task.raw());
        let index = match shard.vacant.pop() {
            Some(index) => {
                shard.entries[index as usize] = entry;
                index
            }
            None => {
                shard.entries.push(entry);
                u32::try_from(shard.entries.len() - 1).expect("fewer than 2³² live tasks")
            }
        };
        if let Some(name) = name {
            shard.names.insert(index, name);
        }
        shard.spawned += 1;
        // SAFETY: the `Runnable` keeps the task alive.
        unsafe { task.raw().header() }.set_owned_key(OwnedKey { shard: number as u32, index });
        Ok(())
    }

    /// Forgets a task; its name, if it had one, comes back.
    pub(crate) fn remove(&self, key: OwnedKey) -> Option<Arc<str>> {
        let mut shard = self.shards[key.shard as usize].lock();
        let shard = &mut *shard;
        let entry = shard.entries[key.index as usize].take();
        debug_assert!(entry.is_some(), "a task is released once");
        shard.vacant.push(key.index);
        if shard.vacant.len() == shard.entries.len() && shard.entries.capacity() > 1024 {
            // After a burst of a million tasks the memory goes back.
            shard.entries = Vec::new();
            shard.vacant = Vec::new();
        }
        if shard.names.is_empty() { None } else { shard.names.remove(&key.index) }
    }

    /// How many tasks live.
    pub(crate) fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().len()).sum()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.shards.iter().all(|shard| shard.lock().len() == 0)
    }

    /// How many were ever registered.
    pub(crate) fn spawned(&self) -> u64 {
        self.shards.iter().map(|shard| shard.lock().spawned).sum()
    }

    /// Refuses all further tasks (O2) and aborts those that live.
    pub(crate) fn close(&self) {
        for shard in &self.shards {
            let live: Vec<AbortHandle> = {
                let mut shard = shard.lock();
                shard.closed = true;
                shard.entries.iter().flatten().map(|&task| abort_handle(task)).collect()
            };
            // O3: an abort schedules the task, and the last reference may free it.
            live.iter().for_each(AbortHandle::abort);
        }
    }

    /// A picture of every live task.
    pub(crate) fn view(&self) -> Vec<TaskView> {
        let mut views = Vec::new();
        for shard in &self.shards {
            let shard = shard.lock();
            let live = shard.entries.iter().enumerate().filter_map(|(i, task)| Some((i as u32, (*task)?)));
            views.extend(live.map(|(index, task)| {
                // SAFETY: O1.
                let header = unsafe { task.header() };
                let now = header.state.snapshot();
                TaskView {
                    id: header.id,
                    name: shard.names.get(&index).cloned(),
                    spawned_at: header.spawned_at,
                    running: now.is_running(),
                    scheduled: now.is_scheduled(),
                    wait: header.wait(),
                    since: header.since(),
                }
            }));
        }
        views
    }
}

impl Shard {
    fn len(&self) -> usize {
        self.entries.len() - self.vacant.len()
    }
}

/// A reference to a task whose shard is locked.
fn abort_handle(task: RawTask) -> AbortHandle {
    // SAFETY: O1: the task's life holds a reference, so one may be added.
    unsafe { task.header() }.state.add_ref();
    AbortHandle::from_ref(task)
}
