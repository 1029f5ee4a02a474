//! Who is told of the end of those above: nobody, until something waits.
//!
//! Most contexts end before anything has ever waited for their end: a request that was answered in time. To have put
//! such a one into its parent's list, and to take it out again, would be most of its cost. So a node begins
//! *unwatched*: its parent does not know it, and its deadline has no timer. Who asks it for its end looks at the clock
//! and upwards, as far as there are others of its kind. The first thing that hangs on it (a waiter, a function, a
//! child that is watched) makes it watched for good: it enters the parent's list, which may be the first thing
//! that hangs on *that* one, and so on up to one that is watched. From then on it is told. One that is asked and
//! has to look far up becomes watched too, and where there is an end above, all those in between end with it: so no
//! question costs the depth twice. Who is to end asks itself first, as anybody would.
//!
//! # Orderings
//! | access | order | why |
//! |---|---|---|
//! | `verdict` | Relaxed | [`LIVE`] and [`UNWATCHED`] publish nothing: N8 follows from the order of the critical sections, and who reads `UNWATCHED` too late looks in vain; an ancestor's end is then read under its lock |
//! | `place` | Relaxed | under the lock; who looks without it learns only whether there is one |

use std::iter;
use std::sync::Arc;

use pirn_sync::clock;
use pirn_sync::primitive::atomic::Ordering;
use pirn_sync::slab::Slab;
use pirn_sync::unwind::AllSteps;
use smallvec::SmallVec;

use super::{Dependent, First, LIVE, Node, State, UNWATCHED};
use crate::context::cause::{ContextError, Outcome};
use crate::context::deadline;

/// Who has looked so far up for its end becomes watched.
const FAR: usize = 8;

/// What a node sees that looks up.
enum Above<'a> {
    /// An ancestor has ended.
    Ended,
    /// None has. The last it has looked at, so far up, is one that is told; else all are looked at.
    Live { watched: Option<&'a Node>, height: usize },
}

impl Node {
    /// As `err`, for a node that nobody tells. What it finds is its end from now on (N3).
    pub(super) fn find_out(self: &Arc<Self>) -> Option<ContextError> {
        if let Above::Live { watched, height } = self.look_up() {
            // A watched node has a timer for the deadline.
            let noted = self.deadline.filter(|_| watched.is_none_or(|node| node.deadline != self.deadline));
            let is_late = noted.is_some_and(|deadline| deadline <= clock::now());
            if !is_late || !self.end_late() {
                if height > FAR {
                    self.watch();
                }
                return None;
            }
        }
        self.take_over();
        self.outcome().map(|outcome| outcome.err)
    }

    /// An ancestor has ended, or this node itself: ends those in between, from the top, each as its parent did (N3).
    fn take_over(&self) {
        for node in self.untold().into_iter().rev() {
            if let Some(outcome) = node.parent.as_ref().and_then(|parent| parent.outcome()) {
                node.end_with(outcome);
            }
        }
    }

    /// This node and those above it, upwards, as far as nobody tells them.
    fn untold(&self) -> SmallVec<[&Self; FAR]> {
        iter::successors(Some(self), |node| node.parent.as_deref())
            .take_while(|node| !node.is_told())
            .collect()
    }

    /// Looks for an ancestor that has ended, up to one that would have told those below it.
    fn look_up(&self) -> Above<'_> {
        let (mut node, mut height) = (self, 0);
        while let Some(parent) = &node.parent {
            height += 1;
            match parent.verdict.load(Ordering::Relaxed) {
                UNWATCHED => node = parent,
                LIVE => return Above::Live { watched: Some(parent), height },
                _ => return Above::Ended,
            }
        }
        Above::Live { watched: None, height }
    }

    /// If the parent is `LIVE`, and has this node in its list as the caller knows, so is this node (N8).
    fn rely_on_parent(&self, state: &State) {
        let is_live = |parent: &Arc<Self>| parent.verdict.load(Ordering::Relaxed) == LIVE;
        if matches!(state, State::Live { .. }) && self.parent.as_ref().is_some_and(is_live) {
            self.verdict.store(LIVE, Ordering::Relaxed);
        }
    }

    /// Those from here upwards that are in their parents' lists become `LIVE` (N8): from the top, for none does below one
    /// that does not.
    fn rely_on_those_above(&self) {
        for node in self.untold().into_iter().rev() {
            if !node.is_listed() {
                return;
            }
            node.rely_on_parent(&node.state.lock());
        }
    }

    /// The deadline has passed: ends the node whose own it is, here or above, and returns true, unless a timer will do
    /// that. Nothing above has ended, and what passes there passes later.
    fn end_late(&self) -> bool {
        let mut node = self;
        while let Some(parent) = node.parent.as_deref().filter(|parent| parent.deadline == self.deadline) {
            node = parent;
        }
        let unset = match &*node.state.lock() {
            State::Unwatched { cause } => Some(cause.clone()),
            _ => None,
        };
        if let Some(cause) = unset {
            node.end_with(Outcome::deadline_exceeded(cause));
        }
        node.outcome().is_some()
    }

    /// Makes an unwatched node watched, of which the caller has to tell those above.
    pub(super) fn become_live(&self, state: &mut State) -> Option<First> {
        let State::Unwatched { cause } = state else { return None };
        let first = First { cause: cause.take() };
        *state = State::Live { dependents: Slab::new(), timer: None };
        if self.parent.is_none() {
            self.verdict.store(LIVE, Ordering::Relaxed);
        }
        Some(first)
    }

    /// Makes this node watched though nothing hangs on it.
    fn watch(self: &Arc<Self>) {
        let first = self.become_live(&mut self.state.lock());
        match first {
            Some(first) => self.have_told(first),
            // Whoever made it watched met somebody who was just making one above watched, and could not rely on that one: so
            // it has been asked the long way since, which is short as a rule.
            None => self.rely_on_those_above(),
        }
    }

    /// Enters the parent's list, and sets the timer; and does so for each ancestor that is watched from now on.
    pub(super) fn have_told(self: &Arc<Self>, first: First) {
        // A panic (of a cause that goes with a timer, or for want of a runtime) must not keep those above from being told.
        let (mut node, mut first, mut steps) = (self, Some(first), AllSteps::default());
        while let Some(First { cause }) = first.take() {
            let mut next = node;
            if let Some(parent) = &node.parent {
                let Ok((place, above)) = parent.enlist(Dependent::Child(Arc::downgrade(node))) else {
                    let outcome = parent.outcome().expect("N1: a node that takes no dependents has ended");
                    steps.take(|| node.end_with(outcome));
                    steps.take(|| drop(cause));
                    return steps.finish();
                };
                node.note(place);
                (next, first) = (parent, above);
            }
            if let Some(at) = node.own_deadline() {
                steps.take(|| deadline::set(node, at, cause));
            }
            node = next;
        }
        self.rely_on_those_above();
        steps.finish();
    }

    /// Notes the place in the parent's list.
    fn note(&self, place: usize) {
        // Under the lock: either who ends this node finds the place noted, or it is seen here that there is nothing to
        // wait for any more. While the node is Ending its walk is under way, and will leave the list (N5).
        let has_ended = {
            let state = self.state.lock();
            self.place.store(place, Ordering::Relaxed);
            self.rely_on_parent(&state);
            matches!(&*state, State::Ended { .. })
        };
        if has_ended {
            self.unlink();
        }
    }
}
