//! What sysmon makes of one processor, and does about it: its duties 1, 2 and 4.
//!
//! At each tick it compares the processor's counters with the [`Note`] that it took at the last one. An odd number of
//! beginnings and ends of polls that has not changed is a poll that lasts.
//!
//! # Compensate
//! If work waits, nobody looks for it, and a machine has sat inside one poll since the last tick, a spare processor is lent
//! to another machine. How soon depends on what the stuck thread does:
//! - It is *blocked* in the kernel: at once, since it uses no core.
//! - It *burns* CPU: after a time slice, one spare above `procs` at most, and only if no other processor gets on either.
//!   One that gets on visits those that do not ([`visit`](crate::sched::visit)), and where it runs there is no further core
//!   to be had for the spare. Tasks that compute for long come back: a while after a spare was needed the next one is lent
//!   in a quarter of that time.
//!
//! The stuck machine keeps its own processor, so its pushes race with nothing. What is parked there stays within reach: run
//! queue and timers of everybody, the next slot of duty 4; its set of the network becomes the spare's. When the machine comes
//! back it retires its processor ([`stuck`](crate::sched::stuck)).
//!
//! # Please yield
//! A poll, or a chain of tasks that hand the next slot to each other while others wait, has used up its time slice: the flag
//! is raised that every leaf future honours. A poll is asked to yield even if no task waits, because some things happen
//! only between polls: an abort, a shutdown, a look at the poll's own timeouts.
//!
//! # Rescue a next slot
//! Nobody was woken for the task in it. If it has held the same one in the same poll since the last tick, the task goes to
//! the injector.
//!
//! # Rejected
//! Taking the processor away from the stuck machine, as Go does in system calls: its queue would have to be safe against an
//! owner that does not know that it is one no more, an atomic on every push.
//!
//! Counting operations to find out who must yield, as tokio does: it asks far too often, and livelocks code that polls a
//! future again in the same poll.

use crate::sched::processor::{Glimpse, Remote};
use crate::sched::shared::Shared;
use crate::sched::stuck::Replaced;
use crate::sched::thread_state;
use std::mem;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a task may run while others wait.
pub(super) const SLICE: Duration = Duration::from_millis(10);

/// So long after a spare was needed because polls computed,
const REMEMBERED: Duration = Duration::from_millis(500);
/// the next is lent when a poll has computed for so long, not for a whole slice.
const SOONER: Duration = Duration::from_micros(2_500);

/// What sysmon knows of all processors.
#[derive(Default)]
pub(super) struct Notes {
    pub(super) of_each: Vec<Note>,
    /// When a spare was needed last because polls computed.
    burnt: Option<Instant>,
}

/// What sysmon knows of one processor.
pub(super) struct Note {
    /// Its counters at the last tick.
    polls: u64,
    slices: u64,
    /// What lay in its next slot at the last tick.
    seen: Glimpse,
    /// When the poll that it is in was first seen, and the time slice.
    since: Instant,
    slice_since: Instant,
    /// The CPU time of its thread at `since`.
    cpu: Option<Duration>,
}

impl Note {
    pub(super) fn new(remote: &Remote, now: Instant) -> Self {
        Self {
            polls: remote.counters.raw_polls(),
            slices: remote.counters.slices(),
            seen: remote.glance(),
            since: now,
            slice_since: now,
            cpu: thread_state::used(remote.stuck.thread()),
        }
    }

    /// Whether the processor gets on: a poll has begun or ended since the last tick.
    fn gets_on(&self, remote: &Remote) -> bool {
        remote.counters.raw_polls() != self.polls
    }
}

impl Notes {
    /// Whether a processor gets on.
    pub(super) fn some_get_on(&self, roster: &[Arc<Remote>]) -> bool {
        roster.iter().zip(&self.of_each).any(|(remote, note)| note.gets_on(remote))
    }

    /// How long a poll may compute while work waits.
    pub(super) fn patience(&mut self, spare_is_lent: bool, now: Instant) -> Duration {
        if spare_is_lent {
            self.burnt = Some(now);
        }
        match self.burnt {
            Some(at) if now.saturating_duration_since(at) < REMEMBERED => SOONER,
            _ => SLICE,
        }
    }
}

impl Shared {
    /// Duties 1 and 2. True if the processor has been in one poll since the last tick. `patience` is how long that may compute
    /// while work waits: none at all limits it if others get on.
    pub(super) fn judge(
        self: &Arc<Self>,
        remote: &Remote,
        note: &mut Note,
        now: Instant,
        patience: Option<Duration>,
    ) -> bool {
        let slices = remote.counters.slices();
        if slices != note.slices {
            (note.slices, note.slice_since) = (slices, now);
        }
        let polls = remote.counters.raw_polls();
        let inside = polls % 2 == 1;
        if !inside || polls != note.polls {
            *note = Note { slices: note.slices, slice_since: note.slice_since, ..Note::new(remote, now) };
            if now.duration_since(note.slice_since) >= SLICE && remote.has_work() {
                remote.stuck.please_yield.raise();
            }
            return false;
        }
        let lasted = now.duration_since(note.since);
        if lasted >= SLICE {
            remote.stuck.please_yield.raise();
        }
        // What is withheld is given back in this very look (duty 5), and costs no thread.
        let spare_needed = self.withheld() == 0 && !remote.stuck.is_replaced() && !self.idle.somebody_looks();
        if spare_needed && self.somebody_waits() {
            if is_blocked(remote, note, lasted) {
                self.compensate(remote, polls, Replaced::Blocked);
            } else if patience.is_some_and(|patience| lasted >= patience)
                && !self.sysmon.has_lent_to_burning()
            {
                self.compensate(remote, polls, Replaced::Burning);
            }
        }
        true
    }

    /// Duty 1: lends a spare processor in the place of one that is stuck.
    fn compensate(self: &Arc<Self>, remote: &Remote, polls: u64, why: Replaced) {
        self.sysmon.lends(why);
        if !remote.stuck.replace(why, || remote.counters.raw_polls() == polls) {
            return self.sysmon.came_back(why);
        }
        self.idle.lend_searching();
        let spare = self.spare();
        spare.remote.exchange_homes(remote);
        // Refused: it is idle, and the next machine that would wait takes it up.
        let _refused = self.give_to_machine(spare, true);
    }

    /// Duty 4.
    pub(super) fn rescue_next(self: &Arc<Self>, remote: &Remote, note: &mut Note) {
        let seen = mem::replace(&mut note.seen, remote.glance());
        if let Some(task) = remote.rob_next(seen) {
            self.inject(task);
        }
    }
}

/// Whether the thread has used next to no CPU since the poll was first seen.
fn is_blocked(remote: &Remote, note: &Note, lasted: Duration) -> bool {
    let now = thread_state::used(remote.stuck.thread());
    match (note.cpu, now) {
        (Some(then), Some(now)) if now.saturating_sub(then) < lasted / 10 => {
            !thread_state::wants_a_core(remote.stuck.thread())
        }
        _ => false,
    }
}
