//! Every live task of one runtime: for the dump, which lists them, and for the shutdown, which drops them.
//!
//! Here they are only counted. Each spawn and each end is, so this is on the way of both, and the two may be on
//! different processors. So each processor counts in a shard of its own, those who begin on it and those who end on it;
//! threads outside have one in common, and processors that came after the registry count with them. Where the tasks
//! are, the [spans](super::spans) know: who looks for them walks there, past those of other runtimes.
//!
//! # Invariants
//! - O1. A task is counted in before it is first scheduled, and out when its future is dropped, before it is seen complete
//!   (C4 of the cell).
//! - O2. A closed registry takes nothing more: after [`close`](Owned::close) the count only falls.
//! - O3. No user code runs under a lock.
//! - O4. `ended` is read first, and then `begun`: they are found equal only if at some moment in between no future lived.
//!   Model: `loom::a_registry_is_not_empty_while_a_task_leaves_another_behind`.
//! - O5. A shard's `ended` is written by whoever holds its processor, and nobody else; the last shard's by anybody.
//!   Model: `loom::every_end_is_counted`.
//!
//! # Why a shutdown finds every task
//! A spawn makes its task before it counts it in, and close raises `CLOSED` in the same word before it walks. If the spawn
//! is first, close acquires what it has made, and the walk finds it. Else the spawn is refused.
//! Model: `loom::a_spawn_against_a_shutdown_is_run_or_refused`.
//!
//! # Why the end of the last task is announced
//! The shutdown raises a flag, closes, and waits until the registry [is empty](Owned::is_empty), sleeping on a condition
//! variable between two looks. Whoever ends a task and then sees the flag looks too, and announces what it found.
//!
//! ```text
//!   shutdown                                 the end of a task
//!   C1  flag = true                          E1  ended += 1
//!   C2  close: ask each state word           E2  the state word says complete
//!   C3  fence(SeqCst)                        E3  flag ?  no: go on
//!   C4  all ended ?  no: wait                E4  fence(SeqCst)
//!                                            E5  all ended ?  yes: announce
//! ```
//!
//! Take one task. If C2 finds it complete, the shutdown sees its E1 (E2 releases, the question acquires). If C2 is given a
//! reference, its E2 is later and acquires what C1 wrote: E3 says yes, and the task's end comes to its fence E4. If C2
//! finds another task in the block, or the block is gone, then that was done by somebody who had seen E2, and who held the
//! lock of the spans afterwards, as C2 does when its walk ends. So each E1 is seen by C3, or followed by a fence E4.
//!
//! Of C3 and all those E4 one fence is the last. The look behind it sees every E1: one that is followed by an E4, since that
//! fence is this one or an earlier one; one that is seen by C3, since C3 is this one or an earlier one. So that look
//! finds that all have ended. If it is C4, the shutdown does not wait; if it is an E5, it announces.
//!
//! # Orderings
//! | access | order | with | why | weakened, fails in |
//! |---|---|---|---|---|
//! | `begun`: exchange of a spawn | Release | `close` | the walk finds the task | `loom::a_spawn_against_a_shutdown_is_run_or_refused` |
//! | `begun`: `CLOSED` | Acquire | spawns | as above | the same |
//! | `begun`: load | Relaxed | – | O4, and who sees an end sees its spawn | – |
//! | `ended`: addition, store | Release | the look | O4: who sees a task's end sees the spawns before it | the addition: `loom::a_registry_is_not_empty_while_a_task_leaves_another_behind`; the store, argued: as the addition |
//! | `ended`: load | Acquire | both | as above | the same |
//!
//! Leave out the fence and `loom::the_end_of_the_last_task_is_seen` fails. Who holds a processor has got it from its last
//! holder, and sees what that one counted: a load and a store are enough (O5).

use super::spans::spans;
use super::state::Mark;
use super::{AbortHandle, Runnable, TaskId};
use crossbeam_utils::CachePadded;
use pirn_sync::host::Wait;
use pirn_sync::primitive::Mutex;
use pirn_sync::primitive::atomic::{AtomicU64, Ordering, fence};
use std::collections::HashMap;
use std::panic::Location;
use std::ptr;
use std::sync::Arc;

/// In `begun`: it takes no more. Tasks are counted in the bits above.
const CLOSED: u64 = 1;
const ONE: u64 = 2;

/// Every live task.
#[derive(Debug)]
pub(crate) struct Owned {
    /// One for each processor, and a last one for all others.
    shards: Box<[Shard]>,
    /// Few tasks have a name, so names do not lie in every task.
    names: Mutex<HashMap<TaskId, Arc<str>>>,
}

#[derive(Debug, Default)]
struct Shard {
    /// How many have begun here, and `CLOSED`.
    begun: CachePadded<AtomicU64>,
    /// How many have ended here (O5).
    ended: CachePadded<AtomicU64>,
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

    /// Counts a task in that is about to be scheduled, at the processor `near`, which the caller holds.
    pub(crate) fn insert(
        &self,
        task: &Runnable,
        name: Option<Arc<str>>,
        near: Option<usize>,
    ) -> Result<(), Closed> {
        // SAFETY: the `Runnable` keeps the task alive.
        let header = unsafe { task.raw().header() };
        // Before the task may end: its end takes the name out again.
        if let Some(name) = name {
            header.state.mark(Mark::Named);
            self.names.lock().insert(header.id, name);
        }
        let count = |begun| (begun & CLOSED == 0).then_some(begun + ONE);
        match self.shard(near).begun.fetch_update(Ordering::Release, Ordering::Relaxed, count) {
            Ok(_) => Ok(()),
            Err(_closed) => {
                self.names.lock().remove(&header.id);
                header.state.mark(Mark::Refused);
                Err(Closed)
            }
        }
    }

    /// Counts the end of a task on the processor `near`, which the caller holds. If the task is `named`, its name comes back.
    pub(crate) fn remove(&self, named: Option<TaskId>, near: Option<usize>) -> Option<Arc<str>> {
        self.count_end(near);
        // Few have one: the others do not come to the lock.
        let id = named?;
        self.names.lock().remove(&id)
    }

    fn count_end(&self, near: Option<usize>) {
        let (others, own) =
            self.shards.split_last().expect("there is a shard for those who have no processor");
        match near.and_then(|processor| own.get(processor)) {
            Some(Shard { ended, .. }) => ended.store(ended.load(Ordering::Relaxed) + 1, Ordering::Release),
            None => {
                others.ended.fetch_add(1, Ordering::Release);
            }
        }
    }

    /// How many have ended.
    fn ended(&self) -> u64 {
        self.shards.iter().map(|shard| shard.ended.load(Ordering::Acquire)).sum()
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

    /// How many were ever counted in.
    pub(crate) fn spawned(&self) -> u64 {
        self.shards.iter().map(|shard| shard.begun.load(Ordering::Relaxed) / ONE).sum()
    }

    /// Refuses all further tasks (O2) and aborts those that live.
    pub(crate) fn close(&self) {
        for shard in &self.shards {
            shard.begun.fetch_or(CLOSED, Ordering::Acquire);
        }
        self.walk(|task| task.abort());
    }

    /// A picture of every live task.
    pub(crate) fn view(&self) -> Vec<TaskView> {
        let mut views = Vec::new();
        self.walk(|task| views.extend(task.view(|id| self.names.lock().get(&id).cloned())));
        views
    }

    /// Shows every live task of this registry. No lock is held.
    fn walk(&self, mut visit: impl FnMut(&AbortHandle)) {
        spans().walk(|word| {
            // SAFETY: the words that a walk shows are those of blocks, which stay meanwhile.
            if let Some(task) = unsafe { AbortHandle::to_live(word) }
                && ptr::eq(task.registry(), self)
            {
                visit(&task);
            }
        });
    }
}
