//! The state word of a task: one atomic that says who may touch the task's future and its output.
//!
//! ```text
//!             wake               begin_poll               Ready · panic · cancelled
//!   IDLE ──────────► SCHEDULED ────────────► RUNNING ────────────────────────────► COMPLETE
//!    ▲                   ▲                    │   │    a wake here only sets SCHEDULED beside RUNNING
//!    │                   └── Pending, woken ──┘   │
//!    └─────────── Pending, not woken ─────────────┘
//! ```
//!
//! | state | bits | who owns the future | a `Runnable` exists | legal next |
//! |---|---|---|---|---|
//! | T1 IDLE | none | nobody touches it | no | SCHEDULED |
//! | T2 SCHEDULED | `SCHEDULED` | the run queue, through the `Runnable` | exactly one | RUNNING |
//! | T3 RUNNING | `RUNNING` (+ `SCHEDULED`: woken meanwhile) | the polling machine, alone | that one, in hand | IDLE, SCHEDULED, COMPLETE |
//! | T4 COMPLETE | `COMPLETE` | it is dropped; the output belongs to the `JoinHandle` | no | – |
//!
//! Once `COMPLETE` is set, `SCHEDULED` and `CANCELLED` mean nothing: a late wake or abort may still set them.
//!
//! # Invariants
//! - S1. The task's *life* holds one reference from its birth until the completer lets go. So whoever sees a task that is
//!   not complete may drop its own reference without freeing it, and a `Runnable` needs none. More are given only by who
//!   has one, or, while the task is not complete, to who walks through all tasks (S5). So whoever finds that a complete task
//!   has one reference, its own, may free it without another exchange.
//! - S2. An abort is a wake that also sets `CANCELLED`: the next `begin_poll` drops the future instead of
//!   polling it. It therefore happens on a worker, and an output that a running poll produces wins.
//! - S3. `JOIN_HANDLE` set when `COMPLETE` is set: the output is the handle's. Clear: it is the completer's.
//! - S4. The join waker's slot may be written only by the `JoinHandle`, and only while `JOIN_WAKER` is clear.
//!   While it is set both sides may read it. The completer clears a complete task's bit when it has woken the joiner, and
//!   nobody changes it after that. The slot of a complete task is emptied by who leaves it last: by the handle if the bit
//!   is clear as it goes, by the completer if it finds, as it is to clear the bit, that the handle has gone. It
//!   must not wait for the last reference: tasks that have waited for each other have wakers, and so references, in each
//!   other's slots, and would never be freed.
//! - S5. The word outlives the task (L1 of the [spans](super::spans)): zero before the block's first one, and complete when
//!   the last one has gone. So anybody may ask it for a reference at any time. To whom it gives one, the task lives.
//!
//! # Orderings
//! | access | order | with | why | weakened, fails in |
//! |---|---|---|---|---|
//! | [`wake_by_ref`](State::wake_by_ref), [`wake_by_value`](State::wake_by_value), [`abort`](State::abort) | Release | `begin_poll` | what the waker did before is seen by the poll it causes. Even when `SCHEDULED` is set already: then the poll that an earlier wake asked for must see it | `loom::a_poll_sees_what_its_waker_did`, `loom::a_destructor_sees_what_its_aborter_did` |
//! | [`begin_poll`](State::begin_poll) | Acquire | wakes, `end_poll` | the above, and what the last poll left in the future | the same, `loom::polls_follow_each_other` |
//! | [`end_poll`](State::end_poll) | Release | `begin_poll` | the next poll, maybe on another machine, sees the future | `loom::polls_follow_each_other` |
//! | [`leave_join_waker`](State::leave_join_waker) | AcqRel | `drop_join_handle`, `snapshot` | Release: who empties the slot does so after the completer has read it. Acquire: and the completer after the handle has | `loom::the_join_waker_of_a_task_that_is_over_is_dropped_once` |
//! | [`complete`](State::complete) | AcqRel | `snapshot`, `set_join_waker` | the handle sees the output; the completer sees the join waker, and all use if the reference is the last | `loom::join_sees_the_output`, `loom::the_join_waker_is_swapped_while_the_task_ends` |
//! | [`set_join_waker`](State::set_join_waker) | Release | `complete` | the completer sees the join waker | `loom::join_sees_the_output` |
//! | [`unset_join_waker`](State::unset_join_waker) | Release, as its twin | – | argued: the handle takes back what only it has touched so far (S4); Relaxed would do | – |
//! | [`snapshot`](State::snapshot), failed exchanges of the join side | Acquire | `complete`, `drop_ref` | the handle sees the output, and all use if its reference is the last | `loom::join_sees_the_output`, `loom::the_join_waker_of_a_task_that_is_over_is_dropped_once` |
//! | [`drop_join_handle`](State::drop_join_handle) | AcqRel | `complete`, `drop_ref` | Acquire: the handle drops the output that it sees. Release: its reference may be given up here | Acquire: `loom::a_handle_dropped_while_the_task_ends_drops_the_output_once`. Release, argued: as `drop_ref` |
//! | [`begin`](State::begin) | Release | `try_add_ref` | who is given a reference sees the task's header | `loom::a_dump_against_a_spawn` |
//! | [`try_add_ref`](State::try_add_ref) | AcqRel | `begin`, `complete` | Acquire: the header; and whoever finds the task complete sees that its end was counted. Release: what the walker did before is seen by whoever ends the task afterwards: that the runtime closes | Acquire of a reference that is given, in both exchange and load: `loom::a_dump_against_a_spawn`. The rest, argued: the walker's fence, or the exchange that gives the reference back, would do |
//! | [`add_ref`](State::add_ref) | Relaxed | – | whoever adds holds one already | – |
//! | [`drop_ref`](State::drop_ref) and every other release of a reference | AcqRel | each other | all use happens before the free | Acquire: `loom::whoever_gives_back_the_last_reference_has_seen_all_use`. Release: `loom::a_handle_dropped_after_a_poll_leaves_no_waker`: without it the last use may sink below the decrement, and meet the free |

use pirn_sync::primitive::atomic::{AtomicUsize, Ordering};

const SCHEDULED: usize = 1 << 0;
const RUNNING: usize = 1 << 1;
const COMPLETE: usize = 1 << 2;
const CANCELLED: usize = 1 << 3;
const JOIN_HANDLE: usize = 1 << 4;
const JOIN_WAKER: usize = 1 << 5;
const NAMED: usize = 1 << 6;
const REFUSED: usize = 1 << 7;
const REF: usize = 1 << 8;
const PHASE: usize = SCHEDULED | RUNNING | COMPLETE;

/// The word. Nobody outside this file sees a bit of it.
#[derive(Debug)]
pub(super) struct State(AtomicUsize);

/// One moment of the word.
#[derive(Clone, Copy)]
pub(super) struct Snapshot(usize);

/// What the registry has to say of a task, seldom.
#[derive(Clone, Copy, Debug)]
pub(super) enum Mark {
    /// It keeps a name for it.
    Named = NAMED as isize,
    /// It was closed: the task is not counted.
    Refused = REFUSED as isize,
}

/// What a wake by value asks of the waker.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wake {
    /// The task was idle: make its `Runnable` and schedule it.
    Schedule,
    /// Somebody else polls it, or it is over.
    Nothing,
    /// It was the last reference: free the task.
    Free,
}

/// What the end of a pending poll asks of the machine.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub(super) enum EndPoll {
    /// The task is idle; from here on it may be polled and freed elsewhere.
    Idle,
    /// It was woken during the poll: the `Runnable` in hand must be scheduled.
    Again,
}

/// What dropping the `JoinHandle` leaves to its owner, who still holds the reference unless told otherwise.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Detach {
    /// Nothing: the reference is gone too.
    Done,
    /// The join waker's slot is the handle's again: drop what it holds.
    DropWaker,
    /// The task is complete: drop the output, unless it was taken. The completer empties the slot.
    DropOutput,
    /// The same, and the slot is the handle's.
    DropOutputAndWaker,
}

impl Snapshot {
    pub(super) fn is_complete(self) -> bool {
        self.0 & COMPLETE != 0
    }

    pub(super) fn has_join_handle(self) -> bool {
        self.0 & JOIN_HANDLE != 0
    }

    pub(super) fn has_join_waker(self) -> bool {
        self.0 & JOIN_WAKER != 0
    }

    pub(super) fn is_running(self) -> bool {
        self.0 & RUNNING != 0
    }

    pub(super) fn is_scheduled(self) -> bool {
        self.0 & SCHEDULED != 0
    }

    /// Whether there is one reference only: the asker's own, if it has one (S1).
    pub(super) fn is_only_ref(self) -> bool {
        self.refs() == 1
    }

    pub(super) fn has(self, mark: Mark) -> bool {
        self.0 & mark as usize != 0
    }

    /// Whether there is a task which has not ended: one to whom references may be added by those who have none (S5).
    fn is_live(self) -> bool {
        self.refs() > 0 && !self.is_complete()
    }

    fn is_idle(self) -> bool {
        self.0 & PHASE == 0
    }

    fn refs(self) -> usize {
        self.0 / REF
    }
}

impl State {
    /// The word of a block that no task has lived in yet.
    pub(super) fn vacant() -> Self {
        Self(AtomicUsize::new(0))
    }

    /// Begins a task that is about to be scheduled, with a `JoinHandle`: two references, its life's and the handle's. All
    /// else of the task is there.
    pub(super) fn begin(&self) {
        debug_assert!(!self.snapshot().is_live());
        self.0.store(SCHEDULED | JOIN_HANDLE | (2 * REF), Ordering::Release);
    }

    /// Adds a reference for one who has none, if a task lives here (S5).
    #[must_use]
    pub(super) fn try_add_ref(&self) -> bool {
        self.0
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |bits| {
                Snapshot(bits).is_live().then(|| bits + REF)
            })
            .is_ok()
    }

    /// The registry knows the task's name, or has refused the task. By the owner of the `Runnable`.
    pub(super) fn mark(&self, mark: Mark) {
        // Relaxed: it is read by whoever ends the task, who is the same or got the `Runnable` from him.
        self.0.fetch_or(mark as usize, Ordering::Relaxed);
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        Snapshot(self.0.load(Ordering::Acquire))
    }

    /// Wakes; true if the caller must make the `Runnable` and schedule it.
    #[must_use]
    pub(super) fn wake_by_ref(&self) -> bool {
        Snapshot(self.0.fetch_or(SCHEDULED, Ordering::Release)).is_idle()
    }

    /// Wakes and gives up the caller's reference, in one exchange.
    pub(super) fn wake_by_value(&self) -> Wake {
        let mut current = self.0.load(Ordering::Relaxed);
        loop {
            let next = (current | SCHEDULED) - REF;
            match self.0.compare_exchange_weak(current, next, Ordering::AcqRel, Ordering::Relaxed) {
                Err(now) => current = now,
                Ok(_) if Snapshot(next).refs() == 0 => return Wake::Free,
                Ok(_) if Snapshot(current).is_idle() => return Wake::Schedule,
                Ok(_) => return Wake::Nothing,
            }
        }
    }

    /// Asks for the future to be dropped (S2); true if the caller must make the `Runnable` and schedule it.
    #[must_use]
    pub(super) fn abort(&self) -> bool {
        Snapshot(self.0.fetch_or(SCHEDULED | CANCELLED, Ordering::Release)).is_idle()
    }

    /// T2 → T3, by the owner of the `Runnable`. True if the task is cancelled and must not be polled.
    #[must_use]
    pub(super) fn begin_poll(&self) -> bool {
        let before = self.0.fetch_xor(SCHEDULED | RUNNING, Ordering::Acquire);
        debug_assert_eq!(before & PHASE, SCHEDULED, "a Runnable exists in T2 only");
        before & CANCELLED != 0
    }

    /// T3 → T1 or T2, after a poll that returned `Pending`.
    pub(super) fn end_poll(&self) -> EndPoll {
        let before = Snapshot(self.0.fetch_and(!RUNNING, Ordering::Release));
        debug_assert!(before.is_running() && !before.is_complete());
        if before.is_scheduled() { EndPoll::Again } else { EndPoll::Idle }
    }

    /// T3 → T4. The snapshot tells whose the output is (S3) and whether a waker waits for it (S4).
    #[must_use]
    pub(super) fn complete(&self) -> Snapshot {
        let before = Snapshot(self.0.fetch_xor(RUNNING | COMPLETE, Ordering::AcqRel));
        debug_assert!(before.is_running() && !before.is_complete());
        before
    }

    /// The completer has woken the joiner, and gives up the life's reference. False if the handle has gone meanwhile: then
    /// the slot is the completer's (S4), who still holds the reference.
    #[must_use]
    pub(super) fn leave_join_waker(&self) -> bool {
        let left = self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, |bits| {
            debug_assert!(bits & JOIN_WAKER != 0);
            // The handle still holds a reference, so this one is not the last.
            Snapshot(bits).has_join_handle().then(|| (bits & !JOIN_WAKER) - REF)
        });
        left.is_ok()
    }

    pub(super) fn add_ref(&self) {
        let before = self.0.fetch_add(REF, Ordering::Relaxed);
        if before > isize::MAX as usize {
            // Two billion billion leaked wakers: the count is about to wrap into a use after free.
            std::process::abort();
        }
    }

    /// True if it was the last reference: the caller frees the task.
    #[must_use]
    pub(super) fn drop_ref(&self) -> bool {
        let before = Snapshot(self.0.fetch_sub(REF, Ordering::AcqRel));
        debug_assert!(before.refs() >= 1);
        before.refs() == 1
    }

    /// Publishes the waker that the handle has just written. False if the task is complete (S4).
    #[must_use]
    pub(super) fn set_join_waker(&self) -> bool {
        self.update_unless_complete(|bits| bits | JOIN_WAKER)
    }

    /// Makes the slot the handle's again, to write another waker. False if the task is complete.
    #[must_use]
    pub(super) fn unset_join_waker(&self) -> bool {
        self.update_unless_complete(|bits| bits & !JOIN_WAKER)
    }

    fn update_unless_complete(&self, change: impl Fn(usize) -> usize) -> bool {
        self.0
            .fetch_update(Ordering::Release, Ordering::Acquire, |bits| {
                (!Snapshot(bits).is_complete()).then(|| change(bits))
            })
            .is_ok()
    }

    /// The `JoinHandle` goes.
    pub(super) fn drop_join_handle(&self) -> Detach {
        let mut current = self.0.load(Ordering::Relaxed);
        loop {
            let now = Snapshot(current);
            let (next, action) = if now.is_complete() {
                let completer_reads = now.has_join_waker();
                let action = if completer_reads { Detach::DropOutput } else { Detach::DropOutputAndWaker };
                (current & !JOIN_HANDLE, action)
            } else if now.has_join_waker() {
                (current & !(JOIN_HANDLE | JOIN_WAKER), Detach::DropWaker)
            } else {
                // S1: the task's life still holds a reference, so this one is never the last.
                ((current & !JOIN_HANDLE) - REF, Detach::Done)
            };
            match self.0.compare_exchange_weak(current, next, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return action,
                Err(seen) => current = seen,
            }
        }
    }
}
