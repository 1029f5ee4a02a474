//! The loop of a machine that holds a processor: find a task, run it, repeat.
//!
//! The loop ends when the processor is gone: put down because there is nothing to do, or given away inside
//! a poll by a task that blocks ([`handoff`](super::handoff)). The machine then waits for its next
//! assignment ([`machine`](super::machine)).

use super::current::Place;
use super::processor::Processor;
use crate::task::{Outcome, Runnable};

impl Place {
    /// Runs tasks with `processor` until it is put down or given away.
    pub(super) fn work(&self, processor: Box<Processor>, searching: bool) {
        self.hold(processor);
        self.searching.set(searching);
        // A machine that comes from the netpoller brings along what it found ready there.
        self.wake_due();
        while self.has_processor() {
            self.retire_if_surplus();
            match self.find_work() {
                Some(task) => {
                    self.stop_searching();
                    self.run(task);
                }
                None => self.rest(),
            }
        }
        debug_assert!(!self.searching.get(), "I2: who searches holds a processor");
    }

    /// This machine has something to do. If it was the last to search and there is more, another takes its place.
    pub(super) fn stop_searching(&self) {
        if self.searching.take() && self.shared.idle.found() && self.shared.has_work() {
            self.shared.notify();
        }
    }

    /// Polls one task, and queues it again if it was woken meanwhile: here, or, if the poll gave the processor
    /// away, in the injector.
    fn run(&self, task: Runnable) {
        self.with_processor(|processor| processor.remote.counters.poll_edge());
        let mut again = match task.run() {
            Outcome::Again(task) => Some(task),
            Outcome::Idle | Outcome::Complete => None,
        };
        let made_work = self.with_processor(|processor| {
            processor.remote.counters.poll_edge();
            // Sysmon raised it: this task, or the chain through `next` that it belongs to, has run for long enough.
            let slice_used_up = processor.remote.stuck.please_yield.lower();
            match again.take() {
                Some(task) => processor.push_last(task, &self.shared.injector),
                None if slice_used_up => processor.push_next_last(),
                None => false,
            }
        });
        if made_work == Some(true) {
            self.shared.notify();
        }
        if let Some(task) = again {
            self.shared.inject(task);
        }
        self.retire_if_replaced();
    }

    /// Puts the processor down, because there is nothing to do; takes one up again if there is after all (M1 to
    /// M3 of [`idle`](super::idle)).
    fn rest(&self) {
        let Some(processor) = self.let_go() else { return };
        processor.remote.counters.parked();
        if self.shared.idle.release(processor, self.searching.take())
            && self.shared.has_work()
            && let Some(processor) = self.shared.idle.acquire(true)
        {
            self.shared.sysmon.wake();
            self.searching.set(true);
            self.hold(processor);
            return;
        }
        self.shared.tell_sleeper();
    }
}
