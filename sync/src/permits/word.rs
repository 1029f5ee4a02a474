//! The word of [`permits`](super): how many are free, and five flags about the queue. Every access to it,
//! and every ordering, stands here.
//!
//! ```text
//!   63                5        4        3        2          1          0
//!   ┌─────────────────┬────────┬────────┬────────┬──────────┬──────────┐
//!   │ free permits    │ ASLEEP │ CALLED │ CLOSED │ RESERVED │  QUEUED  │
//!   └─────────────────┴────────┴────────┴────────┴──────────┴──────────┘
//! ```
//!
//! `QUEUED`: somebody is in the queue. `RESERVED`: what is free is meant for somebody in the queue.
//! `CLOSED`: nothing is given out any more. `CALLED`: whoever would have to be called for one free permit
//! has been, and has not come yet. `ASLEEP`: somebody in the queue has to be run before those behind it have their
//! turn, so that it is in vain to spin outside; a hint, set without barging only. P1, P2 and P5 of
//! [`permits`](super) say what the others guarantee.
//!
//! # Orderings
//! | # | access                                  | order   | with | why                                     | weakened, fails in |
//! |---|-----------------------------------------|---------|------|-----------------------------------------|--------------------|
//! | 1 | [`try_take_idle`](Word::try_take_idle), [`take_from`](Word::take_from), [`take`](Word::take), [`forget`](Word::forget): exchange | Acquire | 2, 3 | the taker sees what the last holder wrote | `loom::a_permit_carries_what_its_holder_wrote`, `loom::a_queued_release_carries_what_its_holder_wrote`, `loom::who_forgets_a_permit_sees_what_its_holder_wrote` |
//! | 2 | [`add`](Word::add): addition; [`give_back`](Word::give_back), [`give_back_while`](Word::give_back_while): exchange | Release | 1 | | the first two of these, `loom::a_release_that_leaves_it_to_a_call_is_seen_by_the_one_who_was_called` |
//! | 3 | [`set_flags`](Word::set_flags): exchange | Release | 1   | 2, when somebody is queued              | `mutex::loom::three_who_want_it_all_get_it` |
//! | 4 | [`close`](Word::close): or              | Release | 5    | who sees it closed sees what was done before | `once::loom::one_runs_and_all_see_what_it_did` |
//! | 5 | [`is_closed`](Word::is_closed): load    | Acquire | 4    |                                         | `once::loom::one_runs_and_all_see_what_it_did` |
//! | 6 | every other load                        | Relaxed | –    | a guess that an exchange checks, or read under the queue's lock | – |
//! | 7 | [`begin_wait`](Word::begin_wait): exchange | Relaxed | – | a read-modify-write, which continues the release sequences of 2 and 3; the lock orders the queue itself | – |

use crate::primitive::atomic::AtomicUsize;
use crate::primitive::atomic::Ordering::{Acquire, Relaxed, Release};
use crate::primitive::hint;

pub(super) const QUEUED: usize = 1;
pub(super) const RESERVED: usize = 2;
pub(super) const CLOSED: usize = 4;
pub(super) const CALLED: usize = 8;
pub(super) const ASLEEP: usize = 16;
const SHIFT: u32 = 5;

/// How long the loser of an exchange stays away, in spin-loop hints: about a microsecond.
const PAUSE: u32 = 128;

/// The most permits that the word can count.
pub(crate) const MAX_PERMITS: usize = usize::MAX >> SHIFT;

/// Free permits and flags.
#[derive(Debug)]
pub(super) struct Word(AtomicUsize);

/// What the word was at some moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen(usize);

impl Seen {
    /// So many are free, and nobody queues.
    pub(super) const fn idle(free: usize) -> Self {
        Self(free << SHIFT)
    }

    pub(super) const fn free(self) -> usize {
        self.0 >> SHIFT
    }

    pub(super) const fn has(self, flags: usize) -> bool {
        self.0 & flags != 0
    }

    /// The flags alone.
    #[cfg(test)]
    pub(super) const fn flags(self) -> usize {
        self.0 & !(usize::MAX << SHIFT)
    }
}

/// Whoever loses an exchange leaves the word to the winner's core for a while: it can go on there, take and give
/// back, many times in the time that one move of the cache line to another core takes.
fn back_off() {
    if !cfg!(loom) {
        (0..PAUSE).for_each(|_| hint::spin_loop());
    }
}

impl Word {
    crate::const_fn! {
        pub(super) const fn new(free: usize) -> Self {
            Self(AtomicUsize::new(free << SHIFT))
        }
    }

    #[inline]
    pub(super) fn look(&self) -> Seen {
        Seen(self.0.load(Relaxed))
    }

    #[inline]
    pub(super) fn is_closed(&self) -> bool {
        self.0.load(Acquire) & CLOSED != 0
    }

    /// Takes `need` permits if no more are free and no flag is set, which is the guess, or as
    /// [`try_take`](Self::try_take) does. What follows a wrong guess is kept out of the caller's code, and so it
    /// is in [`give_back`](Self::give_back): that leaves an exchange of two constants.
    #[inline]
    pub(super) fn try_take_idle(&self, need: usize, keep_out: usize) -> bool {
        match self.0.compare_exchange(Seen::idle(need).0, Seen::idle(0).0, Acquire, Relaxed) {
            Ok(_) => true,
            Err(now) => self.try_take_again(need, keep_out, Seen(now)),
        }
    }

    /// Takes `need` permits if they are free and none of the flags `keep_out` is set.
    #[inline]
    pub(super) fn try_take(&self, need: usize, keep_out: usize, seen: Seen) -> bool {
        if seen.has(keep_out) || seen.free() < need {
            return false;
        }
        self.take_from(seen, need) || self.try_take_contended(need, keep_out)
    }

    #[cold]
    fn try_take_contended(&self, need: usize, keep_out: usize) -> bool {
        back_off();
        self.try_take_again(need, keep_out, self.look())
    }

    fn try_take_again(&self, need: usize, keep_out: usize, mut seen: Seen) -> bool {
        while !seen.has(keep_out) && seen.free() >= need {
            if self.take_from(seen, need) {
                return true;
            }
            back_off();
            seen = self.look();
        }
        false
    }

    #[inline]
    fn take_from(&self, seen: Seen, need: usize) -> bool {
        self.0.compare_exchange(seen.0, seen.0 - (need << SHIFT), Acquire, Relaxed).is_ok()
    }

    /// Takes `need` permits, reserved or not, if `others` are left. Under the queue's lock.
    pub(super) fn take(&self, need: usize, others: usize) -> bool {
        let mut seen = self.look();
        while seen.free().checked_sub(others).is_some_and(|free| free >= need) {
            let left = seen.0 - (need << SHIFT);
            match self.0.compare_exchange_weak(seen.0, left, Acquire, Relaxed) {
                Ok(_) => return true,
                Err(now) => seen = Seen(now),
            }
        }
        false
    }

    /// Makes permits free, whatever the flags, and says what the word was: one step that cannot be lost to another
    /// core, unlike an exchange.
    #[inline]
    pub(super) fn add(&self, count: usize) -> Seen {
        Seen(self.0.fetch_add(count << SHIFT, Release))
    }

    /// Makes permits free unless the flag `look_if` is set; then says what the word was. `seen` may be a guess.
    #[inline]
    pub(super) fn give_back(&self, count: usize, look_if: usize, seen: Seen) -> Result<(), Seen> {
        if seen.has(look_if) {
            return Err(seen);
        }
        match self.0.compare_exchange(seen.0, seen.0 + (count << SHIFT), Release, Relaxed) {
            Ok(_) => Ok(()),
            Err(now) => self.give_back_while(count, Seen(now), |seen| !seen.has(look_if)),
        }
    }

    /// Makes permits free as long as `may` agrees to what the word is; else says what it was.
    pub(super) fn give_back_while(
        &self,
        count: usize,
        mut seen: Seen,
        may: impl Fn(Seen) -> bool,
    ) -> Result<(), Seen> {
        while may(seen) {
            match self.0.compare_exchange_weak(seen.0, seen.0 + (count << SHIFT), Release, Relaxed) {
                Ok(_) => return Ok(()),
                Err(now) => seen = Seen(now),
            }
        }
        Err(seen)
    }

    /// Sets and clears flags for somebody who is about to wait, in one step with the returned look at what
    /// is free: a permit given back before this step is seen here, one given back later sees the flags.
    pub(super) fn begin_wait(&self, set: usize, clear: usize) -> Seen {
        let mut seen = self.look();
        while let Err(now) = self.0.compare_exchange_weak(seen.0, seen.0 & !clear | set, Relaxed, Relaxed) {
            seen = Seen(now);
        }
        seen
    }

    /// If the word is still what was `seen`: adds permits, and replaces the flags that tell of the
    /// queue. Under the queue's lock.
    pub(super) fn set_flags(&self, seen: Seen, flags: usize, returned: usize) -> Result<(), Seen> {
        let new = (seen.0 & !(QUEUED | RESERVED | CALLED | ASLEEP) | flags) + (returned << SHIFT);
        self.0.compare_exchange(seen.0, new, Release, Relaxed).map(drop).map_err(Seen)
    }

    /// Takes up to `count` free permits, whoever they are meant for; returns how many.
    pub(super) fn forget(&self, count: usize) -> usize {
        let mut seen = self.look();
        loop {
            let gone = seen.free().min(count);
            // Acquire, as `try_take`: whoever forgets a permit has it for the moment.
            match self.0.compare_exchange_weak(seen.0, seen.0 - (gone << SHIFT), Acquire, Relaxed) {
                Ok(_) => return gone,
                Err(now) => seen = Seen(now),
            }
        }
    }

    pub(super) fn close(&self) {
        self.0.fetch_or(CLOSED, Release);
    }
}
