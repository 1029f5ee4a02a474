//! The tree of cancellation, and the walk that ends a part of it.
//!
//! Ending a context must reach everything below it before the caller goes on, however wide or deep that is,
//! while children are made, dropped and ended by other threads. A tree under one lock would do it and would
//! make every request of a server queue for that lock. So each node has its own, no two are ever held at
//! once, and nothing of the user's (wakers, functions, causes, values) runs or is dropped under any.
//!
//! ```text
//!              parent: Arc                    Live ── end ──► Ending ── every descendant ended ──► Ended
//!   background ◄────────── node ◄─── child          │         (has the list of children)             ▲
//!                           │ ▲                     └────────── it has no children ──────────────────┘
//!            dependents: Weak │
//!                           ▼ │
//!            [child │ waiter │ func │ –]
//! ```
//!
//! A node is kept alive by what may look at it from below: its handles and its children. Upwards it is
//! known by a weak reference at a numbered place of the parent's list ([`Slab`]), so leaving is O(1).
//!
//! # The walk
//! [`Node::end`] keeps a stack of nodes. It *strikes* each: under that node's lock it writes the outcome,
//! takes waiters, functions and the timer out, and notes the children. After the last strike it *settles*
//! the nodes that had children, leaves its parent's list, and only then wakes and starts what it took.
//!
//! Somebody else may call `end` on a struck node while the first walk is still below it. That call must not
//! return early either, so it *helps*: it walks down from any node that is not yet settled.
//!
//! Most nodes end with nothing on them: a request that was answered in time. Theirs is a walk of one step
//! ([`end_alone`][Node::end_alone]).
//!
//! # Invariants
//! N1. A node is ended once; `state` and `verdict` change together, under its lock.
//! N2. While a node is Live everything in its list is there at the number its owner holds. Afterwards numbers
//!     mean nothing.
//! N3. A node gets its children's outcome from nobody but itself: a child struck by a helper ends as its own
//!     parent did, whatever the helper was called with.
//! N4. Ended means that every descendant is struck. For Ending has the list of all children there can ever
//!     be (a node that is not Live takes none), and a walk settles only after its last strike.
//! N5. A child leaves its parent's list after it is settled, never before: until then a walk from the parent
//!     finds it and helps.
//! N6. No lock is held while another is taken, nor while foreign code runs or is dropped.
//! N7. Neither walking nor dropping recurses: chains of any length use constant stack.
//!
//! # Orderings
//! | # | access | order | with | why | weakened, fails in |
//! |---|---|---|---|---|---|
//! | 1 | [`conclude`][Node::conclude]: `verdict` | Release | 2 | who sees the end sees what the canceller did before it | `loom::err_shows_what_came_before` |
//! | 2 | [`err`][Node::err]: `verdict` | Acquire | 1 | | `loom::err_shows_what_came_before` |
//! | 3 | `verdict`: `LIVE`, `UNWATCHED` | Relaxed | – | they publish nothing: who reads the wrong one of them looks at the clock in vain, or leaves it to the timer | – |
//! | 4 | `place` | Relaxed | – | the exchange alone decides who removes it, and a look before saves most of them; the list itself is under the parent's lock | – |
//!
//! # Rejected
//! Holding the parent's lock while children are ended (Go): recursion, and a waker that touches the tree
//! deadlocks. Taking the children out at the first strike: a second `cancel` returns while the first is
//! still walking. Looking upwards for an ended ancestor: no walk at all, but every `err()` costs the depth.

use std::mem;
use std::sync::{Arc, Weak};
use std::task::Waker;
use std::time::Instant;

use pirn_sync::clock;
use pirn_sync::primitive::Mutex;
use pirn_sync::primitive::atomic::{AtomicU8, AtomicUsize, Ordering};
use pirn_sync::slab::Slab;

use super::after_func::{self, Func};
use super::cause::{ContextError, Outcome};
use super::deadline::{self, Timer};
use super::wake_up::WakeUp;

/// `place` of a node that is in nobody's list.
const NOWHERE: usize = usize::MAX;

/// It has not ended.
const LIVE: u8 = 0;
/// It has not been ended, but its deadline may have passed: its timer is [`Timer::Unset`].
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

enum State {
    Live { dependents: Slab<Dependent>, timer: Timer },
    Ending { outcome: Outcome, children: Vec<Weak<Node>> },
    Ended { outcome: Outcome },
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

impl Node {
    /// A node below `parent`: already ended, as the parent is, if the parent is. `timer` is unset if `deadline` is the
    /// node's own, else there is none.
    pub(super) fn new(parent: Option<&Arc<Node>>, deadline: Option<Instant>, timer: Timer) -> Arc<Self> {
        let verdict = if matches!(timer, Timer::Unset(_)) { UNWATCHED } else { LIVE };
        let node = Arc::new(Self {
            parent: parent.cloned(),
            deadline,
            place: AtomicUsize::new(NOWHERE),
            verdict: AtomicU8::new(verdict),
            state: Mutex::new(State::Live { dependents: Slab::new(), timer }),
        });
        if let Some(parent) = parent {
            match parent.join(Dependent::Child(Arc::downgrade(&node))) {
                // The parent may end this node before its place is noted. That does no harm: a place is used
                // only while the parent is Live (N2).
                Ok(place) => node.place.store(place, Ordering::Relaxed),
                Err(_) => node.end(parent.outcome().expect("N1: a node that takes no dependents has ended")),
            }
        }
        node
    }

    /// The earliest deadline here or above.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// How it ended, if it has.
    pub(super) fn err(&self) -> Option<ContextError> {
        match self.verdict.load(Ordering::Acquire) {
            LIVE => None,
            UNWATCHED => self.look_at_clock(),
            CANCELED => Some(ContextError::Canceled),
            _ => Some(ContextError::DeadlineExceeded),
        }
    }

    /// Ends an unwatched node whose deadline has passed.
    fn look_at_clock(&self) -> Option<ContextError> {
        if clock::now() < self.deadline? {
            return None;
        }
        let unset = match &*self.state.lock() {
            State::Live { timer: Timer::Unset(cause), .. } => Some(cause.clone()),
            _ => None,
        };
        if let Some(cause) = unset {
            self.end(Outcome::deadline_exceeded(cause));
        }
        // If it is still Live, somebody has begun to wait meanwhile, and the timer will end it.
        self.outcome().map(|outcome| outcome.err)
    }

    /// How and why it ended, if it has been ended.
    pub(super) fn outcome(&self) -> Option<Outcome> {
        match &*self.state.lock() {
            State::Live { .. } => None,
            State::Ending { outcome, .. } | State::Ended { outcome } => Some(outcome.clone()),
        }
    }

    /// Hangs `dependent` on this node and returns its number, or gives it back if the node has ended. The first one
    /// to join sets the timer.
    pub(super) fn join(self: &Arc<Self>, dependent: Dependent) -> Result<usize, Dependent> {
        if self.err().is_some() {
            return Err(dependent);
        }
        let (key, unset) = match &mut *self.state.lock() {
            State::Live { dependents, timer } => {
                let unset = match timer {
                    Timer::Unset(cause) => Some(cause.take()),
                    _ => None,
                };
                if unset.is_some() {
                    *timer = Timer::None;
                    self.verdict.store(LIVE, Ordering::Relaxed);
                }
                (dependents.insert(dependent), unset)
            }
            _ => return Err(dependent),
        };
        if let (Some(cause), Some(at)) = (unset, self.deadline) {
            deadline::set(self, at, cause);
        }
        Ok(key)
    }

    /// Takes the dependent numbered `key` off, unless the node has ended and has taken it.
    pub(super) fn leave(&self, key: usize) -> Option<Dependent> {
        match &mut *self.state.lock() {
            State::Live { dependents, .. } => Some(dependents.remove(key)),
            _ => None,
        }
    }

    /// Keeps the first timer that is armed until the end, which disarms it; a node that has ended disarms it at once.
    pub(super) fn keep_timer(&self, armed: Timer) {
        let refused = match &mut *self.state.lock() {
            State::Live { timer: timer @ Timer::None, .. } => mem::replace(timer, armed),
            // It has fired before its time, and was renewed, before it could be kept.
            _ => armed,
        };
        drop(refused);
    }

    /// Keeps an armed timer in place of one that has fired.
    pub(super) fn renew_timer(&self, armed: Timer) {
        let refused = match &mut *self.state.lock() {
            State::Live { timer, .. } => mem::replace(timer, armed),
            _ => armed,
        };
        drop(refused);
    }

    /// Ends this node and every descendant, before it returns; then wakes and starts what waited for it.
    ///
    /// A node that has ended before keeps its outcome; the descendants are ended all the same (N4).
    pub(super) fn end(&self, outcome: Outcome) {
        if let Err(outcome) = self.end_alone(outcome) {
            self.walk(outcome);
        }
    }

    /// The walk for a node on which nothing hangs, as on most that end: nobody to strike, nothing to take out. Gives
    /// the outcome back if there is more to do.
    fn end_alone(&self, outcome: Outcome) -> Result<(), Outcome> {
        let mut state = self.state.lock();
        match &*state {
            State::Live { dependents, timer: Timer::None | Timer::Unset(None) } if dependents.is_empty() => {}
            _ => return Err(outcome),
        }
        self.conclude(&mut state, outcome.err, State::Ended { outcome });
        drop(state);
        self.unlink();
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
            match mem::take(timer) {
                Timer::None => {}
                timer => wake_up.timers.push(timer),
            }
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
            self.conclude(&mut state, err, end);
        }
        let State::Ending { outcome, children } = &*state else { return false };
        // N3: the outcome in the state, not the one this walk was called with.
        stack.extend(children.iter().filter_map(Weak::upgrade).map(|child| (child, outcome.clone())));
        true
    }

    /// Writes down how this node ends (N1). Nothing of the user's is left in `state` (N6).
    fn conclude(&self, state: &mut State, err: ContextError, end: State) {
        let verdict = match err {
            ContextError::Canceled => CANCELED,
            ContextError::DeadlineExceeded => EXCEEDED,
        };
        self.verdict.store(verdict, Ordering::Release);
        *state = end;
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

    /// Leaves the parent's list, if it is in there.
    fn unlink(&self) {
        if self.place.load(Ordering::Relaxed) == NOWHERE {
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
                after_func::bequeath(
                    funcs,
                    parent.as_ref(),
                    self.deadline.filter(|_| !matches!(timer, Timer::None)),
                );
            }
        }
        parent
    }

    /// How many dependents are in the list, and for how many it has room.
    #[cfg(all(test, not(loom)))]
    pub(super) fn dependents(&self) -> (usize, usize) {
        match &*self.state.lock() {
            State::Live { dependents, .. } => (dependents.len(), dependents.capacity()),
            State::Ending { children, .. } => (children.len(), children.capacity()),
            State::Ended { .. } => (0, 0),
        }
    }

    /// Whether it has a timer, which is to say a deadline of its own and somebody who waits for it.
    #[cfg(all(test, not(loom)))]
    pub(super) fn has_timer(&self) -> bool {
        matches!(&*self.state.lock(), State::Live { timer: Timer::Set(_), .. })
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
