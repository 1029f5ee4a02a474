//! Visits: what a processor that always has something to do takes over from those that are behind.
//!
//! Stealing is for the idle. But the kernel may take a machine's core away for milliseconds, a poll may be long, and one
//! processor may have many more connections than another: while everybody is busy, nobody looks at what is left lying
//! there. So a processor visits the others, each in its turn: *thoroughly* at every fairness tick, and while there are
//! descriptors *in passing* a few times in between ([`find_work`](super::find_work)), for a peer waits for an answer
//! meanwhile. (With a long queue of one's own the others' wait no longer than that, and to mix them up costs more.)
//!
//! | the other one | what the visitor takes |
//! |---|---|
//! | has begun and ended no poll since the last visit | a share of its queue, and in passing what is ready in its set |
//! | (thorough) has not had its set of the network looked at since | what is ready in it |
//! | (thorough) has a much longer line of connections | half the difference, for good ([`netpoll`](crate::netpoll)) |
//! | is as busy as the visitor | nothing |
//!
//! A visit costs a look at one or two counters of the other one's. At the end of a thorough round somebody has looked at
//! every set since the visitor's last thorough visit there, or the visitor has just done so. So all of the network was seen
//! since the round before began, those sets included that belong to nobody since a processor was given up; more is not
//! known, and not claimed.

use super::current::Context;
use super::processor::{Peers, Processor, Remote};
use std::mem;
use std::sync::Arc;

/// How closely a visitor looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Visitor {
    /// Only at whether the other one stands still.
    Passing,
    /// At all of the table.
    Thorough,
}

/// What one processor saw of another at its last visits.
#[derive(Clone, Debug, Default)]
pub(super) struct Visit {
    polls: u64,
    looks: u32,
}

impl Visit {
    /// Whether `other` stands still: it has begun and ended no poll since.
    fn finds_as_it_was(&mut self, other: &Remote) -> bool {
        let polls = other.counters.raw_polls();
        mem::replace(&mut self.polls, polls) == polls
    }
}

impl Context {
    /// Visits the processor whose turn it is.
    pub(super) fn visit_another(&self, visitor: Visitor) {
        let Some(queued) = self.with_processor(|own| self.visit(own, visitor)) else { return };
        if queued && !self.searching.get() {
            // What was taken was in nobody's queue for a moment: a last look may have missed it.
            self.shared.notify();
        }
        self.wake_due();
    }

    /// True if tasks were taken. What the network had ready is among what is due.
    fn visit(&self, own: &Processor, visitor: Visitor) -> bool {
        let Peers { list, turn, passing, visits, rounds, .. } = &mut *own.peers(&self.shared.roster);
        visits.resize(list.len(), Visit::default());
        let turn = if visitor == Visitor::Thorough { turn } else { passing };
        *turn = (*turn + 1) % list.len();
        let (other, last) = (&list[*turn], &mut visits[*turn]);
        let stands_still = last.finds_as_it_was(other) && !Arc::ptr_eq(other, &own.remote);
        let stolen = if stands_still { other.steal(&own.queue) } else { None };
        let queued = stolen.is_some();
        if let Some(task) = stolen {
            own.remote.counters.stole();
            own.queue.push(task);
        }
        let (netpoll, due) = (&self.shared.netpoll, &mut self.due.borrow_mut());
        if visitor == Visitor::Passing {
            if stands_still {
                netpoll.look_for_other(own.remote.index, other.index, due);
            }
            return queued;
        }
        netpoll.visit(own.remote.index, own.queue.len(), other.index, &mut last.looks, due);
        if *turn == 0 {
            let [last, this] = *rounds;
            *rounds = [this, self.shared.now()];
            self.shared.network_seen(last);
        }
        queued
    }
}
