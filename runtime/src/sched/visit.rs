//! Visits: what a processor that always has something to do takes over from those that are behind.
//!
//! Stealing is for the idle. But the kernel may take a machine's core away for milliseconds, a poll may be long, and one
//! processor may have many more connections than another: while everybody is busy, nobody looks at what is left lying
//! there. So a processor visits the others, each in its turn: *thoroughly* at every fairness tick, and *in passing* in
//! between ([`find_work`](super::find_work)). "Since" means: since this visitor's last visit of the same kind.
//!
//! | the other processor | a thorough visitor takes | one in passing takes |
//! |---|---|---|
//! | is inside a poll, the same one since | half its queue | half its queue, and what is ready in its set |
//! | is inside no poll, and has begun none since | half its queue | nothing |
//! | has not had its set of the network looked at since | what is ready in that set | nothing |
//! | has a much longer line of connections | half the difference, for good ([`netpoll`](crate::netpoll)) | nothing |
//! | is as busy as the visitor | nothing | nothing |
//!
//! A visit costs a look at one or two counters of the other processor, and a system call where it takes from the
//! network.
//!
//! # What a round of visits shows
//! At each thorough visit the visitor either finds that somebody has looked at that set since, or looks itself. So when
//! it has been everywhere once, every set has been looked at since the *previous* round began, and that moment is what
//! [`note_network_seen`](super::shared::Shared::note_network_seen) is told. This includes the sets of processors that were given
//! up, which belong to nobody.

use super::current::Place;
use super::pace::MOST;
use super::processor::{Peers, Processor, Remote};
use std::mem;
use std::sync::Arc;

/// How closely a visitor looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Visitor {
    /// Only whether the other processor is in a long poll, or has lost its core in one.
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

impl Place {
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

    /// A thorough visit. True if tasks were taken. What the network had ready is among what is due.
    fn visit(&self, own: &Processor) -> bool {
        let Peers { list, visits, rounds_began, .. } = &mut *own.peers(&self.shared.roster);
        // Its own turn is passed over; after that it is another one's, unless there is no other.
        for _ in 0..2 {
            let (turn, last) = visits.next(list);
            let other = Some(&list[turn]).filter(|other| !Arc::ptr_eq(other, &own.remote));
            let queued = other.map(|other| self.visit_thoroughly(own, other, last));
            if turn == 0 {
                let [before, this] = *rounds_began;
                *rounds_began = [this, self.shared.now()];
                self.shared.note_network_seen(before);
            }
            if let Some(queued) = queued {
                return queued;
            }
        }
        false
    }

    fn visit_thoroughly(&self, own: &Processor, other: &Remote, last: &mut Visit) -> bool {
        let queued = last.finds_as_it_was(other) && take(own, other);
        let (line, due) = (own.queue.len(), &mut self.due.borrow_mut());
        self.shared.netpoll.visit(own.remote.home(), line, other.home(), &mut last.looks, due);
        queued
    }

    /// A visit in passing. The rest is as for [`visit`](Self::visit).
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
