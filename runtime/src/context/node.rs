//! The tree of cancellation, and the walk that ends a part of it.
//!
//! Ending a context must reach everything below it before the caller goes on, however wide or deep that is,
//! while children are made, dropped and ended by other threads. A tree under one lock would do it and would
//! make every request of a server queue for that lock. So each node has its own, no two are ever held at
//! once, and nothing of the user's (wakers, functions, causes, values) runs or is dropped under any.
//!
//! ```text
//!              parent: Arc           Unwatched ── something hangs on it ──► Live
//!   background ◄────────── node           │                                 │ end
//!                          │ ▲            │ end        it has no children ┌─┴─┐ it has (and keeps their list)
//!           dependents: Weak │            ├───────────────────────────────┘   │
//!                          ▼ │            ▼                                   ▼
//!           [child │ waiter │ func │ –]   Ended ◄── all below have ended ── Ending
//! ```
//!
//! A node is kept alive by what may look at it from below: its handles and its children. Upwards it is
//! known by a weak reference at a numbered place of the parent's list ([`Slab`]), so leaving is O(1).
//!
//! # Where things stand
//! Here are the nodes themselves, and what hangs on them. [`told`] says when a node is told of its end, and how one that is
//! not finds out; [`walk`] is what ends a node with everything below it. The invariants are of all three.
//!
//! # Invariants
//! N1. A node is ended once; `state` and `verdict` change under its lock, and at an end together.
//! N2. While a node is Live everything in its list is there at the number its owner holds. Otherwise numbers
//!     mean nothing.
//! N3. A node gets its children's outcome from nobody but itself: a child struck by a helper ends as its own
//!     parent did, whatever the helper was called with; and one that nobody tells takes over what it finds above
//!     it, by way of all those in between, before anything else can end it.
//! N4. Ended means that every descendant is struck, or is unwatched and finds the end above it. For Ending has the list of all
//!     watched children there can ever be (a node that has ended takes none), and a walk settles only after its last strike.
//! N5. A child leaves its parent's list after it is settled, never before: until then a walk from the parent
//!     finds it and helps.
//! N6. No lock is held while another is taken, nor while foreign code runs or is dropped.
//! N7. Neither walking nor dropping recurses, nor looking upwards: chains of any length use constant stack.
//! N8. The verdict [`LIVE`] can be relied on: such a node has no parent, or is in the list of one that is `LIVE` or has been.
//!     Whatever ends that one strikes this one too before its caller goes on. Who is in the list of one of which it is
//!     not yet known, or is about to enter it, is [`UNWATCHED`] still, and is asked the long way.
//!
//! # Orderings
//! | # | access | order | with | why | weakened, fails in |
//! |---|---|---|---|---|---|
//! | 1 | [`err`][Node::err]: `verdict` | Acquire | `conclude` of [`walk`] | who sees the end sees what the canceller did before it | `loom::err_shows_what_came_before` |
//! | 2 | [`is_told`][Node::is_told]: `verdict` | Relaxed | – | as in [`told`] | – |
//! | 3 | `place` | Relaxed | – | the exchange alone decides who removes it, and a look before saves most of them; the list itself is under the parent's lock | – |
//!
//! # Rejected
//! Holding the parent's lock while children are ended (Go): recursion, and a waker that touches the tree
//! deadlocks. Every node in its parent's list from the start: fourteen atomic exchanges for the two contexts of an HTTP request,
//! which nobody waits for. Taking the children out at the first strike: a second `cancel` returns while the first is
//! still walking. Never telling anybody, and always looking upwards: every `err()` costs the depth.

mod told;
mod walk;

use std::mem;
use std::panic::RefUnwindSafe;
use std::sync::{Arc, Weak};
use std::task::Waker;
use std::time::Instant;

use pirn_sync::primitive::Mutex;
use pirn_sync::primitive::atomic::{AtomicU8, AtomicUsize, Ordering};
use pirn_sync::slab::Slab;

use super::after_func::{self, Func};
use super::cause::{Cause, ContextError, Outcome};
use super::deadline;
use crate::sched::timer_slot::TimerSlot;

/// `place` of a node that is in nobody's list.
const NOWHERE: usize = usize::MAX;

/// It has not ended; should it, it is told.
const LIVE: u8 = 0;
/// It has not been ended, but its deadline may have passed, or an ancestor ended.
const UNWATCHED: u8 = 1;
const CANCELED: u8 = 2;
const EXCEEDED: u8 = 3;

/// One context that can end.
pub(super) struct Node {
    parent: Option<Arc<Node>>,
    /// The earliest deadline here or above.
    deadline: Option<Instant>,
    /// The number at which the parent knows this node.
    place: AtomicUsize,
    /// What `err` reads without the lock: [`LIVE`], [`UNWATCHED`], [`CANCELED`] or [`EXCEEDED`].
    verdict: AtomicU8,
    state: Mutex<State>,
}

// Whatever panics, wakers and destructors of causes, does so with the lock released and the tree whole.
impl RefUnwindSafe for Node {}

enum State {
    /// Nothing has ever hung on it. The cause is its own deadline's.
    Unwatched {
        cause: Option<Cause>,
    },
    Live {
        dependents: Slab<Dependent>,
        timer: Option<TimerSlot>,
    },
    Ending {
        outcome: Outcome,
        children: Arc<[Weak<Node>]>,
    },
    Ended {
        outcome: Outcome,
    },
}

/// What hangs on a context.
pub(super) enum Dependent {
    /// A context that ends with it.
    Child(Weak<Node>),
    /// A future that waits for its end.
    Waiter(Waker),
    /// A function to run at its end.
    Func(Func),
}

/// What the first thing to hang on a node has to see to: that the node is told of its end.
struct First {
    /// Its own deadline's.
    cause: Option<Cause>,
}

impl Node {
    /// A node below `parent`, unwatched. `deadline` is the earliest here or above; `cause` is why it will have ended if
    /// that is its own and passes.
    pub(super) fn new(
        parent: Option<&Arc<Node>>,
        deadline: Option<Instant>,
        cause: Option<Cause>,
    ) -> Arc<Self> {
        let told_of_all = parent.is_none() && deadline.is_none();
        Arc::new(Self {
            parent: parent.cloned(),
            deadline,
            place: AtomicUsize::new(NOWHERE),
            verdict: AtomicU8::new(if told_of_all { LIVE } else { UNWATCHED }),
            state: Mutex::new(State::Unwatched { cause }),
        })
    }

    /// The earliest deadline here or above.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// The deadline, if it is this node's own.
    fn own_deadline(&self) -> Option<Instant> {
        let inherited = self.parent.as_ref().and_then(|parent| parent.deadline);
        deadline::earlier_than(inherited, self.deadline)
    }

    /// How it ended, if it has.
    pub(super) fn err(self: &Arc<Self>) -> Option<ContextError> {
        match self.verdict.load(Ordering::Acquire) {
            LIVE => None,
            UNWATCHED => self.find_out(),
            CANCELED => Some(ContextError::Canceled),
            _ => Some(ContextError::DeadlineExceeded),
        }
    }

    /// Whether it has ended or will be told of its end: nobody has to look for it.
    pub(super) fn is_told(&self) -> bool {
        self.verdict.load(Ordering::Relaxed) != UNWATCHED
    }

    /// How and why it ended, if it has been ended.
    pub(super) fn outcome(&self) -> Option<Outcome> {
        match &*self.state.lock() {
            State::Unwatched { .. } | State::Live { .. } => None,
            State::Ending { outcome, .. } | State::Ended { outcome } => Some(outcome.clone()),
        }
    }

    /// Hangs `dependent` on this node and returns its number, or gives it back if the node has ended.
    pub(super) fn join(self: &Arc<Self>, dependent: Dependent) -> Result<usize, Dependent> {
        if self.err().is_some() {
            return Err(dependent);
        }
        let (key, first) = self.enlist(dependent)?;
        if let Some(first) = first {
            self.have_told(first);
        }
        Ok(key)
    }

    /// Puts `dependent` into the list, or gives it back.
    fn enlist(&self, dependent: Dependent) -> Result<(usize, Option<First>), Dependent> {
        let mut state = self.state.lock();
        let first = self.become_live(&mut state);
        match &mut *state {
            State::Live { dependents, .. } => Ok((dependents.insert(dependent), first)),
            _ => Err(dependent),
        }
    }

    /// Takes the dependent numbered `key` off, unless the node has ended and has taken it.
    pub(super) fn leave(&self, key: usize) -> Option<Dependent> {
        match &mut *self.state.lock() {
            State::Live { dependents, .. } => Some(dependents.remove(key)),
            _ => None,
        }
    }

    /// Keeps the first timer that is armed until the end, which disarms it; a node that has ended disarms it at once.
    pub(super) fn keep_timer(&self, armed: TimerSlot) {
        let refused = match &mut *self.state.lock() {
            State::Live { timer: timer @ None, .. } => timer.replace(armed),
            // It has fired before its time, and was renewed, before it could be kept.
            _ => Some(armed),
        };
        drop(refused);
    }

    /// Keeps an armed timer in place of one that has fired, or that is not to be the last word.
    pub(super) fn renew_timer(&self, armed: TimerSlot) {
        let refused = match &mut *self.state.lock() {
            State::Live { timer, .. } => timer.replace(armed),
            _ => Some(armed),
        };
        drop(refused);
    }

    /// Whether it has a place in the parent's list.
    fn is_listed(&self) -> bool {
        self.place.load(Ordering::Relaxed) != NOWHERE
    }

    /// Leaves the parent's list, if it is in there.
    fn unlink(&self) {
        if !self.is_listed() {
            return;
        }
        let place = self.place.swap(NOWHERE, Ordering::Relaxed);
        if let Some(parent) = self.parent.as_ref().filter(|_| place != NOWHERE) {
            drop(parent.leave(place));
        }
    }

    /// What there is to do when nobody holds this node any more: it leaves the tree, passes on the functions
    /// that still have to run, and gives its parent to the caller, who may be the last to hold that one.
    fn depart(&mut self) -> Option<Arc<Node>> {
        self.unlink();
        let parent = self.parent.take();
        if let State::Live { dependents, timer } = self.state.get_mut() {
            let funcs: Vec<_> = mem::replace(dependents, Slab::new())
                .into_values()
                .filter_map(|dependent| match dependent {
                    Dependent::Func(func) => Some(func),
                    _ => None,
                })
                .collect();
            if !funcs.is_empty() {
                after_func::bequeath(funcs, parent.as_ref(), self.deadline.filter(|_| timer.is_some()));
            }
        }
        parent
    }

    /// How many dependents are in the list, and for how many it has room.
    #[cfg(test)]
    pub(super) fn dependents(&self) -> (usize, usize) {
        match &*self.state.lock() {
            State::Unwatched { .. } => (0, 0),
            State::Live { dependents, .. } => (dependents.len(), dependents.capacity()),
            State::Ending { children, .. } => (children.len(), children.len()),
            State::Ended { .. } => (0, 0),
        }
    }

    /// Whether it has a timer, which is to say a deadline of its own and somebody who waits for it.
    #[cfg(all(test, not(loom)))]
    pub(super) fn has_timer(&self) -> bool {
        matches!(&*self.state.lock(), State::Live { timer: Some(_), .. })
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let mut ancestor = self.depart();
        while let Some(node) = ancestor {
            // N7: the node taken out has no parent any more when it is dropped here.
            ancestor = Arc::into_inner(node).and_then(|mut node| node.depart());
        }
    }
}
