//! Changing the number of processors while they run. There are three reasons to: [`set_procs`](crate::set_procs) asks
//! for it, one of them is stuck and a spare makes up for it, or some are left unused ([`crowd`](super::crowd)).
//!
//! - *More*: a processor is taken from the spares, or made and added to the roster, and put down as an idle one.
//! - *Fewer*: an idle processor is retired at once. For a busy one `surplus` is raised, and the next machine that
//!   comes back to its loop retires its own.
//!
//! To retire a processor is to move its run queue to the injector and to put it among the spares. Its timers stay where
//! they are, since every machine looks at all timers.
//!
//! # Invariants
//! - Z1. `alive - surplus = procs - withheld + lent`. Here `alive` counts the processors that are not among the
//!   spares, and `lent` those of them that stand in for a stuck machine's processor.
//! - Z2. A spare's queue and next slot are empty, and nobody stands in for it.
//! - Z3. `withheld < procs`; both change under the lock of `changing`.
//!
//! `surplus`, `procs` and `withheld` are `Relaxed`, all of their accesses: they are numbers, and a machine that sees one
//! late retires late; exchanging `surplus` down gives each unit to one machine.

use super::current::Place;
use super::processor::Processor;
use super::shared::Shared;
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// More than any machine has cores.
pub(crate) const MAX_PROCS: usize = 1 << 16;

/// The processors that are not in use.
#[derive(Debug)]
pub(super) struct Spares {
    #[expect(clippy::vec_box, reason = "a processor is its box: it moves to a machine as it is")]
    list: Mutex<Vec<Box<Processor>>>,
    surplus: AtomicUsize,
    /// How many are left unused though they were asked for ([`crowd`](super::crowd)).
    withheld: AtomicUsize,
    /// One change at a time.
    changing: Mutex<()>,
}

impl Spares {
    pub(super) fn new() -> Self {
        Self {
            list: Mutex::default(),
            surplus: AtomicUsize::new(0),
            withheld: AtomicUsize::new(0),
            changing: Mutex::default(),
        }
    }

    fn add_surplus(&self) {
        self.surplus.fetch_add(1, Ordering::Relaxed);
    }

    /// Takes one unit of surplus, if there is any.
    fn take_surplus(&self) -> bool {
        let take = |surplus: usize| surplus.checked_sub(1);
        self.surplus.load(Ordering::Relaxed) > 0
            && self.surplus.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok()
    }
}

impl Shared {
    /// Makes it `procs` processors; returns how many there were.
    ///
    /// # Panics
    /// For 0, and for more than 65,536.
    #[track_caller]
    pub(crate) fn set_procs(self: &Arc<Self>, procs: usize) -> usize {
        assert!(procs > 0, "a runtime needs at least one processor; set_procs(0) was called");
        assert!(
            procs <= MAX_PROCS,
            "a runtime has {MAX_PROCS} processors at most; set_procs({procs}) was called"
        );
        let changing = self.spares.changing.lock();
        let before = self.procs.swap(procs, Ordering::Relaxed);
        let withheld = self.spares.withheld.swap(0, Ordering::Relaxed);
        self.bring_to(procs, before - withheld);
        let more_for_jobs = self.blocking.jobs.set_limit(self.config.jobs_limit(procs));
        drop(changing);
        (0..more_for_jobs).for_each(|_| self.ask_for_machine());
        if procs < before {
            self.machines.fewer_are_enough();
        }
        before
    }

    /// Leaves so many of the processors unused; one is used whatever is asked for (Z3).
    pub(super) fn withhold(self: &Arc<Self>, count: usize) {
        if count == self.withheld() {
            return;
        }
        let _changing = self.spares.changing.lock();
        let procs = self.procs();
        let count = count.min(procs - 1);
        let before = self.spares.withheld.swap(count, Ordering::Relaxed);
        self.bring_to(procs - count, procs - before);
    }

    /// How many processors there are but for those that are left unused.
    pub(super) fn procs_in_use(&self) -> usize {
        self.procs().saturating_sub(self.withheld()).max(1)
    }

    /// How many processors are left unused.
    pub(crate) fn withheld(&self) -> usize {
        self.spares.withheld.load(Ordering::Relaxed)
    }

    /// Brings the number of processors in use to `after`; it was `before`.
    fn bring_to(self: &Arc<Self>, after: usize, before: usize) {
        for _ in before..after {
            if !self.spares.take_surplus() {
                let _look_again = self.idle.release(self.spare(), false);
            }
        }
        for _ in after..before {
            match self.idle.acquire(false) {
                Some(processor) => self.retire(processor),
                None => self.spares.add_surplus(),
            }
        }
        self.notify_if_deserted();
    }

    /// A processor that is not in use, made if there is none.
    pub(super) fn spare(&self) -> Box<Processor> {
        if let Some(spare) = self.spares.list.lock().pop() {
            return spare;
        }
        let mut made = None;
        self.roster.add(|index| {
            let processor = Processor::new(index, self.epoch);
            self.close_if_late(&processor.remote.timers);
            let remote = processor.remote.clone();
            made = Some(processor);
            remote
        });
        made.expect("the roster calls the maker once")
    }

    /// Takes a processor out of use.
    pub(super) fn retire(self: &Arc<Self>, processor: Box<Processor>) {
        if let Some(why) = processor.remote.stuck.take_replaced() {
            // Its machine was back, and had missed the flag. This processor goes for another reason, and for the one that
            // was lent in its place another must go as well (Z1).
            self.sysmon.came_back(why);
            self.spares.add_surplus();
        }
        let mut moved = false;
        while let Some(task) = processor.remote.take_next().or_else(|| processor.queue.pop()) {
            self.injector.push(task);
            moved = true;
        }
        self.spares.list.lock().push(processor);
        if moved {
            self.notify();
        }
    }
}

impl Place {
    /// Retires this machine's processor if there is one too many.
    pub(super) fn retire_if_surplus(&self) {
        if self.shared.spares.take_surplus()
            && let Some(processor) = self.let_go()
        {
            self.stop_searching();
            self.shared.retire(processor);
            self.shared.tell_sleeper();
        }
    }

    /// Retires this machine's processor if a spare was lent in its place while it was stuck.
    pub(super) fn retire_if_replaced(&self) {
        let replaced = self.with_processor(|processor| processor.remote.stuck.take_replaced());
        if let Some(Some(why)) = replaced
            && let Some(processor) = self.let_go()
        {
            self.shared.sysmon.came_back(why);
            self.shared.retire(processor);
            self.shared.tell_sleeper();
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
