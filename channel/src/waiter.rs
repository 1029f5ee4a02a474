//! One waiting operation: whom to wake, and what it carries.
//!
//! A waiter is plain data in its channel's slab, touched only under the channel's lock. The future that waits
//! holds its key; partners find it through the queue. A waiter is *done* when its party has been taken.
//!
//! ```text
//!             waits                    done: party taken
//!   receive   Empty ──────────────►    Handed(number, value)   or Empty: look again (closed, or a pull)
//!   send      Offer(value) ───────►    Sent                    or Offer(value): closed, have it back
//!   reserve   Slot ───────────────►    Granted                 or Slot: closed
//! ```
//!
//! # Invariants
//! W1. Whoever takes the party sets the cargo in the same critical section, and wakes the party after it.
//! W2. The key belongs to one future alone; only that future frees the waiter.
//! W3. Neither a waker nor a value is dropped, cloned or called here: both leave the lock with the caller.

use std::task::Waker;

use pirn_sync::primitive::Arc;

use crate::claim::Claim;

/// Who is to be woken when a waiter is done.
#[derive(Debug)]
pub(crate) enum Party {
    /// A single operation.
    Plain(Waker),
    /// One case of a select; it may be completed only by whoever claims it.
    Select { claim: Arc<Claim>, case: u32 },
}

impl Party {
    /// Wakes whoever waits. Never call it with a channel's lock held.
    pub(crate) fn wake(self) {
        match self {
            Self::Plain(waker) => waker.wake(),
            Self::Select { claim, .. } => claim.wake(),
        }
    }
}

/// What a waiter carries.
#[derive(Debug)]
pub(crate) enum Cargo<T> {
    /// A receive that has nothing yet.
    Empty,
    /// A send's value.
    Offer(T),
    /// A reserve that has no slot yet.
    Slot,
    /// A receive's value, and its number in the order of sending.
    Handed(u64, T),
    /// A send whose value has been taken.
    Sent,
    /// A reserve that holds a slot.
    Granted,
}

/// The parties to wake once the lock is released: almost always none or one.
#[derive(Debug, Default)]
pub(crate) struct WakeList {
    first: Option<Party>,
    more: Vec<Party>,
}

impl WakeList {
    pub(crate) const fn new() -> Self {
        Self { first: None, more: Vec::new() }
    }

    pub(crate) fn push(&mut self, party: Party) {
        if self.first.is_none() {
            self.first = Some(party);
        } else {
            self.more.push(party);
        }
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        usize::from(self.first.is_some()) + self.more.len()
    }

    /// Wakes them all in order. A waker that panics keeps none of the others from being woken; the first panic is
    /// resumed at the end.
    #[inline]
    pub(crate) fn wake_all(self) {
        if self.more.is_empty() {
            if let Some(party) = self.first {
                party.wake();
            }
        } else {
            wake_each(self.first.into_iter().chain(self.more));
        }
    }
}

#[cold]
fn wake_each(parties: impl Iterator<Item = Party>) {
    let mut panicked = None;
    for party in parties {
        let woken = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| party.wake()));
        panicked = panicked.or(woken.err());
    }
    if let Some(panic) = panicked {
        std::panic::resume_unwind(panic);
    }
}
