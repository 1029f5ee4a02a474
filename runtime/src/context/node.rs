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
//! # Nobody waits, nobody is told
//! Most contexts end before anything has ever waited for their end: a request that was answered in time. To have put
//! such a one into its parent's list, and to take it out again, would be most of its cost. So a node begins
//! *unwatched*: its parent does not know it, and its deadline has no timer. Who asks it for its end looks at the clock
//! and upwards, as far as there are others of its kind. The first thing that hangs on it (a waiter, a function, a
//! child that is watched) makes it watched for good: it enters the parent's list, which may be the first thing
//! that hangs on *that* one, and so on up to one that is watched. From then on it is told. One that is asked and
//! has to look far up becomes watched too, and where there is an end above, all those in between end with it: so no
//! question costs the depth twice. Who is to end asks the parent first, as anybody would.
//!
//! # The walk
//! [`Node::end`] keeps a stack of nodes. It *strikes* each: under that node's lock it writes the outcome,
//! takes waiters, functions and the timer out, and notes the children. After the last strike it *settles*
//! the nodes that had children, leaves its parent's list, and only then wakes and starts what it took. On most nodes
//! nothing hangs: theirs is a walk of one step ([`end_alone`][Node::end_alone]).
//!
//! Somebody else may call `end` on a struck node while the first walk is still below it. That call must not
//! return early either, so it *helps*: it walks down from any node that is not yet settled.
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
//! | 1 | [`conclude`][Node::conclude]: `verdict` | Release | 2 | who sees the end sees what the canceller did before it | `loom::err_shows_what_came_before` |
//! | 2 | [`err`][Node::err]: `verdict` | Acquire | 1 | | `loom::err_shows_what_came_before` |
//! | 3 | `verdict`: `LIVE`, `UNWATCHED`; an ancestor's | Relaxed | – | they publish nothing: N8 follows from the order of the critical sections, who reads `UNWATCHED` too late looks in vain, and an ancestor's end is then read under its lock | – |
//! | 4 | `place` | Relaxed | – | the exchange alone decides who removes it, and a look before saves most of them; the list itself is under the parent's lock | – |
//!
//! # Rejected
//! Holding the parent's lock while children are ended (Go): recursion, and a waker that touches the tree
//! deadlocks. Every node in its parent's list from the start: fourteen atomic exchanges for the two contexts of an HTTP request,
//! which nobody waits for. Taking the children out at the first strike: a second `cancel` returns while the first is
//! still walking. Never telling anybody, and always looking upwards: every `err()` costs the depth.

use std::iter;
use std::mem;
use std::sync::{Arc, Weak};
use std::task::Waker;
use std::time::Instant;

use pirn_sync::clock;
use pirn_sync::primitive::Mutex;
use pirn_sync::primitive::atomic::{AtomicU8, AtomicUsize, Ordering};
use pirn_sync::slab::Slab;
use pirn_sync::unwind::AllSteps;
use smallvec::SmallVec;

use super::after_func::{self, Func};
use super::cause::{Cause, ContextError, Outcome};
use super::deadline;
use super::wake_up::WakeUp;
use crate::sched::timers::TimerSlot;

/// `place` of a node that is in nobody's list.
const NOWHERE: usize = usize::MAX;

/// It has not ended; should it, it is told.
const LIVE: u8 = 0;
/// It has not been ended, but its deadline may have passed, or an ancestor ended.
const UNWATCHED: u8 = 1;
const CANCELED: u8 = 2;
const EXCEEDED: u8 = 3;

/// Who has looked so far up for its end becomes watched.
const FAR: usize = 8;

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
        children: Vec<Weak<Node>>,
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

/// What a node sees that looks up.
enum Above<'a> {
    /// An ancestor has ended.
    Ended,
    /// None has. The last it has looked at, so far up, is one that is told; else all are looked at.
    Live { watched: Option<&'a Node>, height: usize },
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

    /// As `err`, for a node that nobody tells. What it finds is its end from now on (N3).
    fn find_out(self: &Arc<Self>) -> Option<ContextError> {
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
                LIVE => {
                    if node.is_listed() {
                        node.rely_on_parent(&node.state.lock());
                    }
                    return Above::Live { watched: Some(parent), height };
                }
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

    /// Makes an unwatched node watched, of which the caller has to tell those above.
    fn become_live(&self, state: &mut State) -> Option<First> {
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
            // Whoever made it watched met somebody who was just making one above watched, and could not rely on that one.
            None => self.rely_on_those_above(),
        }
    }

    /// Enters the parent's list, and sets the timer; and does so for each ancestor that is watched from now on.
    fn have_told(self: &Arc<Self>, first: First) {
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

    /// Ends this node and every descendant, before it returns; then wakes and starts what waited for it.
    ///
    /// A node that has ended before keeps its outcome; the descendants are ended all the same (N4). One that nobody has
    /// told yet ends as its parent did (N3), if that has ended, or should have by its deadline.
    pub(super) fn end(&self, outcome: Outcome) {
        if !self.is_told()
            && let Some(parent) = &self.parent
            && parent.err().is_some()
            && let Some(before) = parent.outcome()
        {
            return self.end_with(before);
        }
        self.end_with(outcome);
    }

    /// As `end`, where it is known what has ended above.
    fn end_with(&self, outcome: Outcome) {
        if let Err(outcome) = self.end_alone(outcome) {
            self.walk(outcome);
        }
    }

    /// The walk for a node on which nothing hangs, as on most that end: nobody to strike, nothing to take out. Gives
    /// the outcome back if there is more to do.
    fn end_alone(&self, outcome: Outcome) -> Result<(), Outcome> {
        let mut state = self.state.lock();
        match &*state {
            State::Unwatched { .. } => {}
            State::Live { dependents, timer: None } if dependents.is_empty() => {}
            _ => return Err(outcome),
        }
        let before = self.conclude(&mut state, outcome.err, State::Ended { outcome });
        drop(state);
        self.unlink();
        drop(before);
        Ok(())
    }

    /// The walk from this node down.
    fn walk(&self, outcome: Outcome) {
        let mut wake_up = WakeUp::default();
        let mut stack = Vec::new();
        if self.strike(outcome, &mut stack, &mut wake_up) {
            let mut struck = Vec::new();
            while let Some((node, outcome)) = stack.pop() {
                if node.strike(outcome, &mut stack, &mut wake_up) {
                    struck.push(node);
                }
            }
            struck.iter().for_each(|node| node.settle());
            self.settle();
        }
        self.unlink();
        wake_up.run();
    }

    /// Ends this one node, unless it has ended. Pushes its children, with the outcome that is to be theirs,
    /// and returns true if it has any that may not be struck yet.
    fn strike(&self, outcome: Outcome, stack: &mut Vec<(Arc<Node>, Outcome)>, wake_up: &mut WakeUp) -> bool {
        let mut state = self.state.lock();
        if let State::Live { dependents, timer } = &mut *state {
            wake_up.timers.extend(timer.take());
            let mut children = Vec::new();
            for dependent in mem::replace(dependents, Slab::new()).into_values() {
                match dependent {
                    Dependent::Child(child) => children.push(child),
                    Dependent::Waiter(waker) => wake_up.wakers.push(waker),
                    Dependent::Func(func) => wake_up.funcs.push(func),
                }
            }
            let err = outcome.err;
            let end = if children.is_empty() {
                State::Ended { outcome }
            } else {
                State::Ending { outcome, children }
            };
            drop(self.conclude(&mut state, err, end));
        }
        let State::Ending { outcome, children } = &*state else { return false };
        // N3: the outcome in the state, not the one this walk was called with.
        stack.extend(children.iter().filter_map(Weak::upgrade).map(|child| (child, outcome.clone())));
        true
    }

    /// Writes down how this node ends (N1), and returns what it was before, for the caller to drop (N6).
    fn conclude(&self, state: &mut State, err: ContextError, end: State) -> State {
        let verdict = match err {
            ContextError::Canceled => CANCELED,
            ContextError::DeadlineExceeded => EXCEEDED,
        };
        self.verdict.store(verdict, Ordering::Release);
        mem::replace(state, end)
    }

    /// Notes that every descendant is struck, and lets go of the list of children.
    fn settle(&self) {
        let mut state = self.state.lock();
        if let State::Ending { outcome, children } = &mut *state {
            let children = mem::take(children);
            *state = State::Ended { outcome: outcome.clone() };
            drop(state);
            drop(children);
        }
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
            State::Ending { children, .. } => (children.len(), children.capacity()),
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
