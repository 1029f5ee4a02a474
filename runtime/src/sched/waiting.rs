//! The machines that wait, and what found none of them: the data under the lock of [`machines`](super::machines).
//!
//! ```text
//!   who has something to do                     a machine with nothing to do, or about to end
//!   ── one critical section ─────────           ── one critical section ─────────────────────────
//!   a machine waits: take it out                something was refused: take that up instead of waiting
//!   none does, none can be started:             else: into `parked`, or into the netpoller
//!   leave what it was for where it is           nobody has needed it for long: out of `parked`, and no
//!   found, and the mark `refused`               longer counted among the threads
//! ```
//!
//! # Why nothing is left lying
//! Of two critical sections one is first. If the machine's is, it lies in the list and is taken, or it has
//! left and is not counted, so that another can be started in its place. If the other's is, the machine sees
//! the mark. Two things must hold for that:
//! - *What was refused is available when the mark is.* A machine that finds the mark takes it down. If the
//!   processor were put down, or the job counted out, only after the lock is released, that machine would find
//!   nothing and wait, and nobody else would come.
//! - *A machine that is about to end is not counted any more.* Otherwise it would keep a successor from being started,
//!   and not look at the mark itself. So for the few instructions that are left to it there may be one thread more
//!   than the limit.
//!
//! The machine in the netpoller may stay there for ever, so who leaves a mark wakes it.
//!
//! # Invariants
//! - W1. A machine is in `parked` or in `sleeper` exactly while it waits and has no assignment. Whoever takes another one out
//!   gives it one before the lock is released.
//! - W2. One machine at most is in the netpoller: `netpoller_taken` is true from the moment it enters until it has left,
//!   also while it is on its way out with an assignment. A second one would eat the wake-up that is meant for the first.
//! - W3. `refused_work` is set only while a processor is idle, `refused_jobs` only while a job queues that is
//!   not counted in; what is no longer so is taken up by others, and the mark does no harm.

use super::blocking::Jobs;
use super::idle::Idle;

/// Who waits, and what for. `M` is a machine, which only the tests replace.
#[derive(Debug)]
pub(super) struct Waiting<M> {
    parked: Vec<M>,
    sleeper: Option<M>,
    netpoller_taken: bool,
    threads: usize,
    ended: bool,
    refused_work: bool,
    refused_jobs: bool,
}

/// How a machine that was taken out is woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WokenBy {
    /// It is parked.
    Futex,
    /// It is the sleeper, in the netpoller.
    Eventfd,
}

/// What found no machine and is taken up instead of waiting.
#[derive(Debug)]
pub(super) enum AtHand<P> {
    /// A processor, to search with.
    Processor(P),
    /// The queue of jobs; the machine is counted in.
    Jobs,
}

impl<M> Waiting<M> {
    pub(super) fn new() -> Self {
        Self {
            parked: Vec::new(),
            sleeper: None,
            netpoller_taken: false,
            threads: 0,
            ended: false,
            refused_work: false,
            refused_jobs: false,
        }
    }

    /// The machines that live, without those on their way out.
    pub(super) fn threads(&self) -> usize {
        self.threads
    }

    pub(super) fn thread_started(&mut self) {
        self.threads += 1;
    }

    pub(super) fn thread_ended(&mut self) {
        self.threads -= 1;
    }

    /// Whether the machines have been told to end.
    pub(super) fn has_ended(&self) -> bool {
        self.ended
    }

    /// Whether a machine is in the netpoller (W2).
    pub(super) fn has_sleeper(&self) -> bool {
        self.netpoller_taken
    }

    /// A machine for a processor. A parked one is preferred to the sleeper, which would leave the network
    /// unattended, unless no processor stays idle: then the workers look at the network, and the sleeper is as good as any.
    pub(super) fn take_for_work(&mut self, none_stays_idle: bool) -> Option<(M, WokenBy)> {
        let sleeper = if self.parked.is_empty() || none_stays_idle { self.sleeper.take() } else { None };
        sleeper.map(|sleeper| (sleeper, WokenBy::Eventfd)).or_else(|| self.take_parked())
    }

    /// A machine for what needs no processor: the one that parked last.
    pub(super) fn take_parked(&mut self) -> Option<(M, WokenBy)> {
        self.parked.pop().map(|machine| (machine, WokenBy::Futex))
    }

    /// Nobody takes the processor: it is put down (W3). True if the sleeper must be woken to look.
    #[must_use]
    pub(super) fn refuse_work<P>(&mut self, idle: &Idle<P>, processor: P, searching: bool) -> bool {
        // Who looks again is whoever sees the mark.
        let _look_again = idle.release(processor, searching);
        self.refused_work = true;
        self.sleeper.is_some()
    }

    /// Nobody takes the job for which a machine was counted in: it is counted out (W3). True if the sleeper must
    /// be woken to look.
    #[must_use]
    pub(super) fn refuse_jobs<J>(&mut self, jobs: &Jobs<J>) -> bool {
        jobs.count_out();
        self.refused_jobs = true;
        self.sleeper.is_some()
    }

    /// What a machine does instead of waiting.
    pub(super) fn at_hand<P, J>(&mut self, idle: &Idle<P>, jobs: &Jobs<J>) -> Option<AtHand<P>> {
        if std::mem::take(&mut self.refused_work)
            && let Some(processor) = idle.acquire(true)
        {
            return Some(AtHand::Processor(processor));
        }
        (std::mem::take(&mut self.refused_jobs) && jobs.count_in()).then_some(AtHand::Jobs)
    }

    /// A machine waits from now on: in the netpoller if it `may_poll` and nobody does. True if it must go there.
    #[must_use]
    pub(super) fn wait(&mut self, machine: M, may_poll: bool) -> bool {
        let polls = may_poll && !self.netpoller_taken;
        if polls {
            self.netpoller_taken = true;
            self.sleeper = Some(machine);
        } else {
            self.parked.push(machine);
        }
        polls
    }

    /// The machine in the netpoller is back. True if nobody has given it anything to do meanwhile.
    #[must_use]
    pub(super) fn leave_netpoller(&mut self) -> bool {
        self.netpoller_taken = false;
        self.sleeper.take().is_some()
    }

    /// The parked machine that `is_it` ends if there are more than `enough`. True if so: it is counted no more.
    #[must_use]
    pub(super) fn leave_if_surplus(&mut self, enough: usize, is_it: impl FnMut(&M) -> bool) -> bool {
        if self.threads <= enough {
            return false;
        }
        let Some(place) = self.parked.iter().position(is_it) else { return false };
        self.parked.remove(place);
        self.threads -= 1;
        true
    }

    /// The machines are told to end: nobody waits any more. Those that do now, for the caller to tell.
    pub(super) fn end(&mut self) -> Vec<M> {
        self.ended = true;
        let mut waiting = std::mem::take(&mut self.parked);
        waiting.extend(self.sleeper.take());
        waiting
    }

    /// Every parked machine, which stays where it is.
    pub(super) fn parked(&self) -> &[M] {
        &self.parked
    }
}

#[cfg(all(test, loom))]
mod loom;
