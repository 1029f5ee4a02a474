//! The walk: ending a node, and everything below it, before the caller goes on.
//!
//! [`Node::end`] *strikes* one node after the other: under that node's lock it writes the outcome, takes waiters,
//! functions and the timer out, and notes the children. It keeps a stack of the lists of children that it is in, one for
//! each level, so that each node is looked at once, and held no longer than that. After the last strike it *settles*
//! the nodes that had children, leaves its parent's list, and only then wakes and starts what it took. On most nodes
//! nothing hangs: theirs is a walk of one step (`end_alone`).
//!
//! Somebody else may call `end` on a struck node while the first walk is still below it. That call must not
//! return early either, so it *helps*: it walks down from any node that is not yet settled.
//!
//! # Orderings
//! | access | order | with | why | weakened, fails in |
//! |---|---|---|---|---|
//! | `conclude`: `verdict` | Release | [`err`][Node::err] | who sees the end sees what the canceller did before it | `loom::err_shows_what_came_before` |

use std::mem;
use std::sync::{Arc, Weak};

use pirn_sync::primitive::atomic::Ordering;
use pirn_sync::slab::Slab;
use pirn_sync::unwind::{AllSteps, both};

use super::{CANCELED, Dependent, EXCEEDED, Node, State};
use crate::context::cause::{ContextError, Outcome};
use crate::context::wake_up::WakeUp;

impl Node {
    /// Ends this node and every descendant, before it returns; then wakes and starts what waited for it.
    ///
    /// A node that has ended before keeps its outcome; the descendants are ended all the same (N4). One that nobody tells
    /// asks first: its deadline may have passed, or those above have ended (N3).
    pub(in crate::context) fn end(self: &Arc<Self>, outcome: Outcome) {
        // Asking may set timers, and so drop a cause that panics: it ends all the same.
        let ask = || {
            let _before = self.err();
        };
        both(ask, || self.end_with(outcome));
    }

    /// As `end`, where it is known what has ended above.
    pub(super) fn end_with(&self, outcome: Outcome) {
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
        // Whoever else held a node may have let go of it meanwhile. A cause that panics then must keep nobody from being told.
        let mut steps = AllSteps::default();
        if let Some(children) = self.strike(outcome, &mut wake_up) {
            let (mut levels, mut struck) = (vec![children], Vec::new());
            while let Some(level) = levels.last_mut() {
                let Some(child) = level.next() else {
                    levels.pop();
                    continue;
                };
                match child.strike(level.outcome.clone(), &mut wake_up) {
                    Some(children) => {
                        levels.push(children);
                        struck.push(child);
                    }
                    None => steps.take(|| drop(child)),
                }
            }
            for node in struck {
                node.settle();
                steps.take(|| drop(node));
            }
            self.settle();
        }
        self.unlink();
        steps.take(|| wake_up.run());
        steps.finish();
    }

    /// Ends this one node, unless it has ended. Returns its children if it has any that may not be struck yet.
    fn strike(&self, outcome: Outcome, wake_up: &mut WakeUp) -> Option<Level> {
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
                State::Ending { outcome, children: children.into() }
            };
            drop(self.conclude(&mut state, err, end));
        }
        match &*state {
            // N3: the outcome in the state, not the one this walk was called with.
            State::Ending { outcome, children } => {
                Some(Level { outcome: outcome.clone(), children: Arc::clone(children), next: 0 })
            }
            _ => None,
        }
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
        if let State::Ending { outcome, .. } = &*state {
            let settled = State::Ended { outcome: outcome.clone() };
            let before = mem::replace(&mut *state, settled);
            drop(state);
            drop(before);
        }
    }
}

/// The children of a node that has been struck, with the outcome that is to be theirs.
struct Level {
    outcome: Outcome,
    children: Arc<[Weak<Node>]>,
    next: usize,
}

impl Iterator for Level {
    type Item = Arc<Node>;

    /// The next one that somebody still holds.
    fn next(&mut self) -> Option<Arc<Node>> {
        while let Some(child) = self.children.get(self.next) {
            self.next += 1;
            if let Some(child) = child.upgrade() {
                return Some(child);
            }
        }
        None
    }
}
