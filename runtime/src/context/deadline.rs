//! Deadlines: the one timer that a context has, if it needs one.
//!
//! # Nobody waits, no timer
//! Most requests are over long before their deadline, and most contexts end before anybody has waited for their
//! end. So a deadline is only noted at first, and `err` compares it with the clock. The timer is set when the context
//! becomes watched (see [`node`](super::node)), for then somebody has to be told.
//!
//! ```text
//!   noted ── something hangs on it ──► timer ── it fires ──► the context has ended
//!     └───── err() or cancel() finds it past ──────────────►
//! ```
//!
//! # Who gets one
//! A child never outlives its parent. So where the parent's deadline is no later than the child's own, the
//! child needs no timer at all: the parent's end reaches it. Only a deadline that is earlier than everything
//! above it gets a timer, and each context has at most that one, however many wait for it.
//!
//! | parent's deadline | own | `deadline()` | timer |
//! |---|---|---|---|
//! | none, or later | d | d | one, at d, once somebody waits |
//! | p ≤ d | d | p | none: ends as the parent does, and with the parent's cause |
//! | any | d, already past | d | none: born ended |
//! | p or none | too far off to represent | p or none | none |
//!
//! # Invariants
//! D1. An armed timer knows its context weakly: a context that nobody holds any more goes, and takes its timer
//!     with it. (The heir of [`after_func`](super::after_func) is the exception, until its deadline.)
//! D2. The timer fires with no lock held and ends the context by the ordinary walk. It may race with `cancel`:
//!     the node takes the first outcome, whole.
//! D3. No deadline is early: a runtime that shuts down wakes the timers it still has. An alarm that is woken
//!     before its time sets itself again, on a runtime that lives.

use std::sync::{Arc, Weak};
use std::task::{Wake, Waker};
use std::time::Instant;

use pirn_sync::clock;

use super::cause::{Cause, Outcome};
use super::node::Node;
use crate::sched::timer_slot::TimerSlot;

/// Which of two deadlines a child gets a timer for: its own, if it is earlier than the parent's.
pub(super) fn earlier_than(inherited: Option<Instant>, own: Option<Instant>) -> Option<Instant> {
    own.filter(|own| inherited.is_none_or(|inherited| *own < inherited))
}

/// Sets the timer of `node`: somebody waits.
pub(super) fn set(node: &Arc<Node>, at: Instant, cause: Option<Cause>) {
    let target = Target::Weak(Arc::downgrade(node));
    if let Some(timer) = Arc::new(Alarm { at, cause, target }).arm() {
        node.keep_timer(timer);
    }
}

/// Sets it anew: from now on it keeps the node alive until it fires.
pub(super) fn set_keeping(node: &Arc<Node>, at: Instant) {
    let target = Target::Strong(Arc::clone(node));
    if let Some(timer) = Arc::new(Alarm { at, cause: None, target }).arm() {
        node.renew_timer(timer);
    }
}

/// What the timer wakes: not a task, but the end of a context.
struct Alarm {
    at: Instant,
    cause: Option<Cause>,
    target: Target,
}

enum Target {
    Weak(Weak<Node>),
    Strong(Arc<Node>),
}

impl Alarm {
    /// `None` if it is too far off: nothing will ever come of it, and nobody may count on it.
    fn arm(self: Arc<Self>) -> Option<TimerSlot> {
        let mut slot = TimerSlot::new();
        slot.arm(self.at, Waker::from(self));
        slot.is_armed().then_some(slot)
    }
}

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        let node = match &self.target {
            Target::Strong(node) => Some(Arc::clone(node)),
            Target::Weak(node) => node.upgrade(),
        };
        let Some(node) = node else { return };
        if clock::now() < self.at {
            // D3.
            if let Some(timer) = self.arm() {
                node.renew_timer(timer);
            }
        } else {
            node.end(Outcome::deadline_exceeded(self.cause.clone()));
        }
    }
}
