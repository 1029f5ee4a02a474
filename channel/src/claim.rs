//! The one-winner word of a `select!`: every waiter of one select shares it, and whoever moves it first to
//! *claimed* completes the select.
//!
//! # Problem
//! A select waits in the queues of several channels at once, each under its own lock. Two partners may find
//! it at the same moment through two channels; exactly one may have it. And the select itself, while it polls
//! the plain futures of its other branches or looks at its channels once more, must not be had by anyone:
//! what it finds then is its own commit.
//!
//! # Picture
//! ```text
//!                begin                               try_claim(i), by a partner
//!      ┌────────────────────────────┐         ┌───────────────────────────────────► CLAIMED(i)
//!      ▼                            │         │
//!     BUSY ──── settle ────────► WAITING ─────┘
//!      │ ▲
//! flag │ │ settle finds the flag: look once more
//!      ▼ │
//!  BUSY+LOOK
//! ```
//!
//! # Invariants
//! C1. Only the owner moves the word between BUSY and WAITING; a partner only claims or flags.
//! C2. A claim moves WAITING to CLAIMED once; nothing leaves CLAIMED.
//! C3. A claim is taken, and a flag is set, by a partner that holds the lock of a channel in whose queue the
//!     select stands. What the partner then does to that channel happens before the owner's next look at it,
//!     because that look takes the same lock.
//! C4. A partner that passes a busy select by, and leaves something behind that the select could use (a value
//!     in the buffer, a free slot, itself in the other queue), flags it under the same lock. So the
//!     owner looks again before it waits, and finds it. Nobody who could meet sleeps.
//!
//! # Two selects face to face
//! Both are busy while they look, so neither can be claimed and they pass each other by. If each then flagged
//! the other, both could look again in lockstep for ever. Therefore a select that is itself flagged, and so will be
//! back anyway, flags nobody (see [`is_flagged`][Claim::is_flagged]). Take the flags of one round of looking as
//! arrows, "flagged by": the flagger was unflagged then, so its own arrows all come before any that hits it; the
//! arrows cannot close a circle, except through the gap between the two steps "am I flagged?" and "flag it",
//! which spans a few instructions and is never met twice in a row in practice. So somebody is unflagged, begins
//! to wait, and the others claim it.
//!
//! # Orderings
//! | # | access | order | with | why | weakened, fails in |
//! |---|---|---|---|---|---|
//! | 1 | [`try_claim`][Claim::try_claim]: exchange | `AcqRel` | 3, 4 | the claimer sees the waker that the owner stored before it settled | argued: the waker has its own lock |
//! | 2 | [`flag`][Claim::flag]: exchange | `AcqRel` | 3 | atomic on the one word: either the owner sees the flag or the flagger sees WAITING | `loom::busy_partner_is_flagged` |
//! | 3 | [`settle`][Claim::settle]: exchange | `AcqRel` | 1, 2 | as 2 | `loom::busy_partner_is_flagged` |
//! | 4 | [`begin`][Claim::begin]: exchange | `AcqRel` | 1 | the owner sees CLAIMED or shuts the claimers out | `loom::two_claimers_one_winner` |
//! | 5 | loads before an exchange | `Relaxed` | – | a stale value only fails the exchange | – |
//!
//! The value itself never travels through this word: it lies in the waiter, under the channel's lock (C3).
//!
//! # Rejected
//! *Locking all channels of a select in address order*, as Go does: then no word is needed, but every look
//! costs n locks at once, values of different types need a list of guards on the heap, and plain futures
//! could not be polled between. *A compare-exchange over two words* (claim me and you together): it is
//! needed only if a select can be claimed while it looks; being busy for that moment replaces it.

use std::task::Waker;

use pirn_sync::primitive::atomic::{AtomicU32, Ordering};
use pirn_sync::primitive::{Arc, Mutex};

const WAITING: u32 = 0;
const LOOK: u32 = 1;
const BUSY: u32 = 2;
const CLAIMED: u32 = 4;
const CASE_SHIFT: u32 = 3;

/// The shared word of one waiting select, and whom to wake when it is claimed.
#[derive(Debug)]
pub struct Claim {
    word: AtomicU32,
    waker: Mutex<Option<Waker>>,
}

/// What became of an attempt to claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attempt {
    /// It is ours: complete the case and wake the owner.
    Won,
    /// The owner is looking or polling right now.
    Busy,
    /// Somebody else claimed it through another case.
    Lost,
}

/// What the owner finds at the start of a poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Begin {
    /// Nobody claimed it; the word is now BUSY. `look`: somebody asked for another look at the channels.
    Busy { look: bool },
    /// This case was completed by a partner.
    Claimed(u32),
}

/// What becomes of a flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flag {
    /// The owner will look again, or is out of reach for ever.
    Set,
    /// The owner waits by now: claim it instead.
    Waiting,
}

impl Claim {
    /// A claim whose owner is busy.
    pub(crate) fn new() -> Self {
        Self { word: AtomicU32::new(BUSY), waker: Mutex::new(None) }
    }

    /// Tries to complete `case` on behalf of a partner. Call with the lock of that case's channel held.
    pub(crate) fn try_claim(&self, case: u32) -> Attempt {
        let mut word = self.word.load(Ordering::Relaxed);
        loop {
            if word & CLAIMED != 0 {
                return Attempt::Lost;
            }
            if word & BUSY != 0 {
                return Attempt::Busy;
            }
            let claimed = CLAIMED | case << CASE_SHIFT;
            match self.word.compare_exchange(word, claimed, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return Attempt::Won,
                Err(now) => word = now,
            }
        }
    }

    /// Asks a busy owner to look at its channels again before it waits (C4).
    pub(crate) fn flag(&self) -> Flag {
        self.raise(false)
    }

    /// Asks the owner to look again, whether it is busy or waits; the caller wakes it.
    pub(crate) fn flag_waiting(&self) {
        self.raise(true);
    }

    fn raise(&self, even_waiting: bool) -> Flag {
        let mut word = self.word.load(Ordering::Relaxed);
        loop {
            if word & CLAIMED != 0 {
                return Flag::Set;
            }
            if word & BUSY == 0 && !even_waiting {
                return Flag::Waiting;
            }
            match self.word.compare_exchange(word, word | LOOK, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return Flag::Set,
                Err(now) => word = now,
            }
        }
    }

    /// Whether the owner is going to look again anyway.
    pub(crate) fn is_flagged(&self) -> bool {
        self.word.load(Ordering::Relaxed) & LOOK != 0
    }

    /// For the owner, at the start of a poll: shuts partners out, or learns that one has come.
    pub(crate) fn begin(&self) -> Begin {
        let mut word = self.word.load(Ordering::Acquire);
        loop {
            if word & CLAIMED != 0 {
                return Begin::Claimed(word >> CASE_SHIFT);
            }
            match self.word.compare_exchange(word, BUSY, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return Begin::Busy { look: word & LOOK != 0 },
                Err(now) => word = now,
            }
        }
    }

    /// For the busy owner: begins to wait, unless it was flagged. Then the flag is taken down and the answer is
    /// false: look again, and come back.
    pub(crate) fn settle(&self) -> bool {
        if self.word.compare_exchange(BUSY, WAITING, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
            return true;
        }
        self.word.swap(BUSY, Ordering::AcqRel);
        false
    }

    /// For the busy owner: whom to wake.
    pub(crate) fn set_waker(&self, waker: &Waker) {
        if self.waker.lock().as_ref().is_some_and(|old| old.will_wake(waker)) {
            return;
        }
        let new = Some(waker.clone());
        let old = std::mem::replace(&mut *self.waker.lock(), new);
        drop(old);
    }

    /// Wakes the owner, if nobody has since it last stored a waker.
    pub(crate) fn wake(&self) {
        let waker = self.waker.lock().take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// A fresh claim, from this thread's spare one if there is any: waiting in a select then allocates nothing.
    pub(crate) fn obtain() -> Arc<Self> {
        spare::take().unwrap_or_else(|| Arc::new(Self::new()))
    }

    /// Keeps `claim` for the thread's next select, if no partner still holds it.
    pub(crate) fn recycle(mut claim: Arc<Self>) {
        if let Some(only) = Arc::get_mut(&mut claim) {
            *only = Self::new();
            spare::put(claim);
        }
    }
}

/// One spare claim per thread.
#[cfg(not(loom))]
mod spare {
    use super::{Arc, Claim};
    use std::cell::Cell;

    thread_local!(static SPARE: Cell<Option<Arc<Claim>>> = const { Cell::new(None) });

    pub(super) fn take() -> Option<Arc<Claim>> {
        SPARE.try_with(Cell::take).ok().flatten()
    }

    pub(super) fn put(claim: Arc<Claim>) {
        // A thread that is ending has no spare any more: the claim is freed.
        let _ = SPARE.try_with(|spare| spare.set(Some(claim)));
    }
}

/// loom's objects belong to one execution, so none is kept.
#[cfg(loom)]
mod spare {
    use super::{Arc, Claim};

    pub(super) fn take() -> Option<Arc<Claim>> {
        None
    }

    pub(super) fn put(_: Arc<Claim>) {}
}

#[cfg(all(test, loom))]
mod loom;
