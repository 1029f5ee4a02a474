//! The one-winner word of a `select!`: every waiter of one select shares it, and whoever moves it first to
//! *claimed* completes the select.
//!
//! # Problem
//! A select waits in the queues of several channels at once, each under its own lock. Two partners may find
//! it at the same moment through two channels; exactly one may complete it. And the select itself, while it polls
//! the plain futures of its other branches or looks at its channels once more, must not be claimed by anyone:
//! what it finds then is its own commit.
//!
//! # Picture
//! ```text
//!                begin                               try_claim(i), by a partner
//!      ┌────────────────────────────┐         ┌───────────────────────────────────► CLAIMED(i)
//!      ▼                            │         │
//!     BUSY ──── settle ────────► WAITING ─────┤
//!      │ ▲                                    │ rouse, by a partner who has something to be pulled
//! flag │ │ settle finds the flag: look again  ▼
//!      ▼ │                             BUSY+LOOK+ROUSED
//!  BUSY+LOOK ◄── the partner has the waker ───┘
//! ```
//!
//! # Invariants
//! C1. Only the owner moves the word between BUSY and WAITING; a partner only claims, flags or rouses.
//! C2. A claim moves WAITING to CLAIMED once. Nothing leaves CLAIMED, but the owner that begins
//!     anew when no waiter of it is linked ([`reset`][Claim::reset]).
//! C3. A claim is taken, and a flag is set, by a partner that holds the lock of a channel in whose queue the
//!     select stands. What the partner then does to that channel happens before the owner's next look at it,
//!     because that look takes the same lock.
//! C4. A partner that passes a busy select by, and leaves something behind that the select could use (a value
//!     in the buffer, a free slot, itself in the other queue), flags it under the same lock. So the
//!     owner looks again before it waits, and finds it. Nobody who could meet sleeps.
//! C5. The waker is the owner's while the word is BUSY and not ROUSED. Whoever moves it from WAITING takes the waker: a claimer
//!     before it releases its channel's lock, a rouser before it takes ROUSED away. So it needs no lock of its own.
//!
//! The claim lies in the select's frame. Partners reach it through the waiters of its cases, and those have left their
//! queues before the frame goes (F3 of [`frame`][crate::select::frame]).
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
//! | 1 | [`try_claim`][Claim::try_claim]: exchange | `AcqRel` | 3 | the claimer sees the waker that the owner stored before it settled | `loom::the_waker_goes_to_the_claimer` |
//! | 2 | [`flag`][Claim::flag]: exchange | `AcqRel` | – | carries nothing; as one step it decides that either the owner sees the flag or the flagger sees WAITING | as a look and a store: `loom::busy_partner_is_flagged` |
//! | 3 | [`settle`][Claim::settle]: exchange | `AcqRel` | 1, 5 | publishes the waker; and as 2 | `loom::the_waker_goes_to_the_claimer` |
//! | 4 | [`begin`][Claim::begin]: load, exchange | `Acquire`, `AcqRel` | 5 | the owner has the waker back, by the one or the other; as one step it sees CLAIMED or shuts the claimers out | both: `loom::the_waker_goes_to_the_rouser`; as a look and a store: `loom::two_claimers_one_winner` |
//! | 5 | [`rouse`][Claim::rouse]: exchange, store | `AcqRel`, `Release` | 3, 4 | the rouser sees the waker, and has taken it when the owner goes on | `loom::the_waker_goes_to_the_rouser` |
//! | 6 | other loads before an exchange | `Relaxed` | – | a stale value only fails the exchange | – |
//!
//! Of an `AcqRel` the half is relied on that *why* names. The value itself never travels through this word: it lies in the waiter,
//! under the channel's lock (C3).
//!
//! # Rejected
//! *Locking all channels of a select in address order*, as Go does: then no word is needed, but every look
//! costs n locks at once, values of different types need a list of guards on the heap, and plain futures
//! could not be polled between. *A compare-exchange over two words* (claim me and you together): it is
//! needed only if a select can be claimed while it looks; being busy for that moment replaces it.

use std::task::Waker;

use pirn_sync::primitive::atomic::{AtomicU32, Ordering};
use pirn_sync::primitive::UnsafeCell;

const WAITING: u32 = 0;
const LOOK: u32 = 1;
const BUSY: u32 = 2;
const CLAIMED: u32 = 4;
const ROUSED: u32 = 8;
const CASE_SHIFT: u32 = 4;

/// The shared word of one waiting select, and whom to wake when it is claimed.
#[derive(Debug)]
pub(crate) struct Claim {
    word: AtomicU32,
    waker: UnsafeCell<Option<Waker>>,
}

// SAFETY: the waker, which is `Send` and `Sync` itself, is touched by one at a time (C5).
unsafe impl Sync for Claim {}

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
    /// A partner is about to wake the owner, and has not done with the waker: come back.
    Roused,
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
        Self { word: AtomicU32::new(BUSY), waker: UnsafeCell::new(None) }
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
        let mut word = self.word.load(Ordering::Relaxed);
        loop {
            if word & CLAIMED != 0 {
                return Flag::Set;
            }
            if word & BUSY == 0 {
                return Flag::Waiting;
            }
            match self.word.compare_exchange(word, word | LOOK, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return Flag::Set,
                Err(now) => word = now,
            }
        }
    }

    /// Asks the owner to look again, whether it is busy or waits. If it waits, the caller gets its waker and wakes it.
    pub(crate) fn rouse(&self) -> Option<Waker> {
        loop {
            if self.flag() == Flag::Set {
                return None;
            }
            let roused = BUSY | LOOK | ROUSED;
            if self.word.compare_exchange(WAITING, roused, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
                let waker = self.take_waker();
                // The owner's exchange in `begin` is the partner. A flag that comes between is no loss: this sets it, too.
                self.word.store(BUSY | LOOK, Ordering::Release);
                return waker;
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
            if word & ROUSED != 0 {
                return Begin::Roused;
            }
            match self.word.compare_exchange(word, BUSY, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return Begin::Busy { look: word & LOOK != 0 },
                Err(now) => word = now,
            }
        }
    }

    /// For the owner, when no waiter of the select is linked any more: as new.
    pub(crate) fn reset(&self) {
        // Relaxed: nobody else knows it; the next to do so learn of it under a channel's lock.
        self.word.store(BUSY, Ordering::Relaxed);
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
        let known = self.waker.with(|slot| {
            // SAFETY: C5: the word is BUSY.
            unsafe { &*slot }.as_ref().is_some_and(|old| old.will_wake(waker))
        });
        if known {
            return;
        }
        let new = Some(waker.clone());
        // SAFETY: C5, as above. The old one is dropped after the slot is let go.
        let old = self.waker.with_mut(|slot| std::mem::replace(unsafe { &mut *slot }, new));
        drop(old);
    }

    /// For whoever has just moved the word from WAITING (C5): whom to wake.
    pub(crate) fn take_waker(&self) -> Option<Waker> {
        // SAFETY: C5: the exchange was this caller's.
        self.waker.with_mut(|slot| unsafe { &mut *slot }.take())
    }
}

#[cfg(all(test, loom))]
mod loom;
