//! The order in which a machine looks for a task, the seam "what to run next".
//!
//! ```text
//!   0  every 61st time, the fairness tick: a look at the network, a visit to another processor, everybody's
//!      timers; then 4 and 2 before 1
//!   1  next          the task that was woken last
//!   2  local queue
//!   3  own timers    those that are due go to the local queue; every 16th time before 1
//!   4  injector      a fair share: its length divided by the processors, in one batch
//!   5  netpoller     without waiting: its own set, then the others'
//!   6  steal         a share of a victim's queue, half at most ([`pace`](super::pace)), four rounds over all
//!                    processors from a random start; in the last round also a victim's next, if it lay there
//!                    all the while
//!   7  the rest      everybody's timers, and the injector once more
//! ```
//!
//! Why 61: a prime keeps the fairness tick from falling into step with a program's own rhythm (Go's choice,
//! and tokio's). It bounds two kinds of greed at once: a local queue that never empties must not starve the
//! injector, and a pair of tasks that hand `next` to each other must not starve the local queue.
//!
//! Why visits: a processor that always has something to do would never look for what others cannot get done
//! ([`visit`](super::visit)). A visit at each fairness tick is not enough. If tasks take long, that tick is a
//! long time away; and where there are descriptors, a peer at the other end waits for it. Hence the more frequent
//! visits *in passing*. A processor with [`MANY`] tasks of its own makes none: what it took would wait as long here.
//!
//! Why `next` is robbed so late: its owner will most likely take it within a microsecond, and a task that is
//! stolen while its waker is about to wait for it costs two cache misses and a wake-up. When it lay there in
//! the first round and in the last, of one poll, the owner is busy with something long.

use super::current::Place;
use super::processor::{Glimpse, Peers, Processor, Remote};
use super::visit::Visitor;
use crate::task::Runnable;
use std::sync::Arc;

/// Once in so many times the injector, and then the queue, come before `next`.
const FAIRNESS_TICK: u32 = 61;
/// Own timers are looked at once in so many times while there is other work.
const TIMER_TICK: u32 = 16;
/// So many looks lie between two visits in passing while the pace is not known and there are descriptors.
const VISIT_TICK: u32 = 8;
/// A processor with so many tasks in its queue makes no visits in passing.
const MANY: usize = 64;
const ROUNDS: usize = 4;
/// A queue never has room for fewer tasks than this. To hold more it must grow, which is an allocation.
const SHORT: usize = 64;

/// Which of the network's sets to look at.
enum Scope {
    Own,
    /// Its own, and while nothing is found the others: what a processor does that has nothing to do.
    Any,
}

impl Place {
    /// The next task to run. The machine begins to search when it finds none of its own. On the way it wakes
    /// what is due, which may cost it the processor; then it finds nothing.
    pub(super) fn find_work(&self) -> Option<Runnable> {
        let tick = self.with_processor(|processor| {
            processor.tick.set(processor.tick.get().wrapping_add(1));
            processor.tick.get()
        })?;
        if tick.is_multiple_of(FAIRNESS_TICK) {
            // 0: the numbers are those of the module head.
            self.look_at_network(Scope::Own);
            self.visit_another(Visitor::Thorough);
            self.expire_all_timers();
            let now = self.shared.now();
            self.with_processor(|processor| {
                processor.remote.counters.new_slice();
                processor.remote.pace.note(FAIRNESS_TICK, now);
            });
            if let Some(task) = self.take_share().or_else(|| self.pop_local()) {
                return Some(task);
            }
        } else {
            self.visit_in_passing(tick);
            if tick.is_multiple_of(TIMER_TICK) {
                self.expire_own_timers();
            }
        }
        // 1 and 2.
        if let Some(task) = self.with_processor(Processor::take_first)? {
            return Some(task);
        }
        // 3 and 4.
        self.expire_own_timers();
        if let Some(task) = self.pop_local().or_else(|| self.take_share()) {
            return Some(task);
        }
        // 5, then 6 and 7.
        self.look_at_network(Scope::Any);
        self.pop_local().or_else(|| self.search())
    }

    fn pop_local(&self) -> Option<Runnable> {
        self.with_processor(|processor| processor.queue.pop())?
    }

    /// A fair share of the injector; a short queue takes no more than it has room for.
    fn take_share(&self) -> Option<Runnable> {
        let injector = &self.shared.injector;
        if injector.is_empty() {
            return None;
        }
        let share = injector.len() / self.shared.procs_in_use() + 1;
        let (task, more) = self.with_processor(|processor| {
            let queue = &processor.queue;
            let limit = if queue.len() < SHORT { share.min(SHORT - queue.len()) } else { share };
            (injector.take_batch(queue, limit), queue.len() > 0)
        })?;
        if more && !self.searching.get() {
            // The batch was in no queue for a moment, so a last look may have missed it ([`idle`](super::idle)).
            self.shared.notify();
        }
        task
    }

    /// Queues what the network has made ready, without waiting for it.
    fn look_at_network(&self, scope: Scope) {
        let netpoll = &self.shared.netpoll;
        if netpoll.is_empty() {
            return;
        }
        let here = |processor: &Processor| (processor.remote.home(), processor.queue.len());
        let Some((own, queued)) = self.with_processor(here) else { return };
        let mut due = self.due.borrow_mut();
        match scope {
            Scope::Own => netpoll.look_at(own, queued, &mut due),
            Scope::Any => {
                netpoll.look_at(own, queued, &mut due);
                netpoll.look_at_others(own, &mut due);
            }
        }
        drop(due);
        self.wake_due();
    }

    /// Looks whether another processor stands still, where that matters before the next fairness tick.
    fn visit_in_passing(&self, tick: u32) {
        let is_time = |own: &Processor| {
            let unknown = || if self.shared.netpoll.is_empty() { FAIRNESS_TICK } else { VISIT_TICK };
            tick.is_multiple_of(own.remote.pace.stride().unwrap_or_else(unknown)) && own.queue.len() < MANY
        };
        if self.with_processor(is_time) == Some(true) {
            self.visit_another(Visitor::Passing);
        }
    }

    /// Steps 6 and 7: looks at the other processors, if this machine may [search](super::idle).
    fn search(&self) -> Option<Runnable> {
        if !self.has_processor() {
            // A waker that was called a moment ago has blocked, and the processor is elsewhere.
            return None;
        }
        if !self.searching.get() {
            self.searching.set(self.shared.idle.may_search(self.shared.procs_in_use()));
            if !self.searching.get() {
                return None;
            }
        }
        let found = self.with_processor(|processor| self.steal(processor))?;
        if found.is_some() {
            return found;
        }
        self.expire_all_timers();
        self.pop_local().or_else(|| self.take_share())
    }

    fn steal(&self, own: &Processor) -> Option<Runnable> {
        let mut peers = own.peers(&self.shared.roster);
        let Peers { list, seen, .. } = &mut *peers;
        let start = own.random.below(list.len() as u32) as usize;
        let victims = || {
            let others = list[start..].iter().chain(&list[..start]);
            others.filter(|victim| !Arc::ptr_eq(victim, &own.remote))
        };
        seen.clear();
        seen.extend(victims().map(|victim| victim.glance()));
        for round in 1..=ROUNDS {
            for (victim, &seen) in victims().zip(&*seen) {
                let stolen = victim.steal(&own.queue).or_else(|| rob(victim, seen, round));
                if stolen.is_some() {
                    own.remote.counters.stole();
                    return stolen;
                }
            }
            std::hint::spin_loop();
        }
        None
    }
}

fn rob(victim: &Remote, seen: Glimpse, round: usize) -> Option<Runnable> {
    if round < ROUNDS { None } else { victim.rob_next(seen) }
}
