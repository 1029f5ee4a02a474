//! Visits: what a processor that always has something to do takes over from those that are behind.
//!
//! Stealing is for the idle. But the kernel may take a machine's core away for milliseconds, a poll may be long, and one
//! processor may have many more connections than another: while everybody is busy, nobody looks at what is left lying
//! there. So a processor visits the others, each in its turn: *thoroughly* at every fairness tick, and *in passing* in
//! between ([`find_work`](super::find_work)).
//!
//! | the other one | what a thorough visitor takes | one in passing |
//! |---|---|---|
//! | is in the poll in which it was at the last visit of the kind | half its queue | half its queue, and what is ready in its set |
//! | is in none, and has begun none since | half its queue | nothing |
//! | has not had its set of the network looked at since | what is ready in it | nothing |
//! | has a much longer line of connections | half the difference, for good ([`netpoll`](crate::netpoll)) | nothing |
//! | is as busy as the visitor | nothing | nothing |
//!
//! A visit costs a look at one or two counters of the other one's, and a system call where it takes from the network. At
//! the end of a thorough round somebody has looked at every set since the visitor's last thorough visit there, or the
//! visitor has just done so. So all of the network was seen since the round before began, those sets included that belong
//! to nobody since a processor was given up; more is not known, and not claimed.

use super::current::Context;
use super::pace::MOST;
use super::processor::{Peers, Processor, Remote};
use std::mem;
use std::sync::Arc;

/// How closely a visitor looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Visitor {
    /// Only at whether the other one is in a long poll, or has lost its core in one.
    Passing,
    /// At everything.
    Thorough,
}

/// What one processor saw of another at its last visits of one kind.
#[derive(Clone, Debug, Default)]
pub(super) struct Visit {
    polls: u64,
    looks: u32,
}

/// Whom a processor has visited last, and what it saw at each: of one kind of visits.
#[derive(Debug)]
pub(super) struct Rounds {
    turn: usize,
    visits: Vec<Visit>,
}

impl Visit {
    /// Whether `other` stands still: it has begun and ended no poll since.
    fn finds_as_it_was(&mut self, other: &Remote) -> bool {
        let polls = other.counters.raw_polls();
        mem::replace(&mut self.polls, polls) == polls
    }
}

impl Rounds {
    /// The first one after `index` comes first.
    pub(super) fn after(index: usize) -> Self {
        Self { turn: index, visits: Vec::new() }
    }

    /// The one of `list` whose turn it is, and what was seen of it.
    fn next(&mut self, list: &[Arc<Remote>]) -> (usize, &mut Visit) {
        self.visits.resize(list.len(), Visit::default());
        self.turn = (self.turn + 1) % list.len();
        (self.turn, &mut self.visits[self.turn])
    }
}

impl Context {
    /// Visits the processor whose turn it is.
    pub(super) fn visit_another(&self, visitor: Visitor) {
        let visit = |own: &Processor| match visitor {
            Visitor::Passing => self.pass_by(own),
            Visitor::Thorough => self.visit(own),
        };
        let Some(queued) = self.with_processor(visit) else { return };
        if queued && !self.searching.get() {
            // What was taken was in nobody's queue for a moment: a last look may have missed it.
            self.shared.notify();
        }
        self.wake_due();
    }

    /// True if tasks were taken. What the network had ready is among what is due.
    fn visit(&self, own: &Processor) -> bool {
        let Peers { list, visits, seen_at, .. } = &mut *own.peers(&self.shared.roster);
        // Its own turn is over at once.
        for _ in 0..2 {
            let (turn, last) = visits.next(list);
            let other = &list[turn];
            let is_other = !Arc::ptr_eq(other, &own.remote);
            let queued = is_other && last.finds_as_it_was(other) && take(own, other);
            if is_other {
                let (line, due) = (own.queue.len(), &mut self.due.borrow_mut());
                self.shared.netpoll.visit(own.remote.home(), line, other.home(), &mut last.looks, due);
            }
            if turn == 0 {
                let [last, this] = *seen_at;
                *seen_at = [this, self.shared.now()];
                self.shared.network_seen(last);
            }
            if is_other {
                return queued;
            }
        }
        false
    }

    /// As [`visit`](Self::visit), in passing.
    fn pass_by(&self, own: &Processor) -> bool {
        let Peers { list, passing, .. } = &mut *own.peers(&self.shared.roster);
        let (mut turn, mut last) = passing.next(list);
        if Arc::ptr_eq(&list[turn], &own.remote) {
            (turn, last) = passing.next(list);
        }
        let other = &list[turn];
        let stands_still = last.finds_as_it_was(other) && other.counters.is_inside_poll();
        if !stands_still || Arc::ptr_eq(other, &own.remote) {
            return false;
        }
        self.shared.netpoll.look_for_other(own.remote.home(), other.home(), &mut self.due.borrow_mut());
        take(own, other)
    }
}

/// Takes half of the tasks over, [`MOST`] at most, from one that does not come to them. True if there were any.
fn take(own: &Processor, other: &Remote) -> bool {
    let Some(task) = other.thief.steal(&own.queue, MOST) else { return false };
    own.remote.counters.stole();
    own.queue.push(task);
    true
}

#[cfg(all(test, not(loom)))]
mod tests;
