//! The algorithm of a select: look, take a seat in every queue, wait, look again when flagged.
//!
//! # Picture
//! ```text
//!   poll ──► look at every branch, in random order ── ready? ─────────────────────────────► won
//!              │ none
//!              ├── default: did all channels stand still while we looked? yes ────────────► default
//!              │                                      no: look again; after some looks go on
//!              ▼
//!            BUSY: stand in every channel's queue, looking once more under its lock ───────► won
//!              │ settle ── flagged: again             with a default: not flagged ──────────► default
//!              ▼
//!            WAITING ── claimed by a partner, woken ──► collect ───────────────────────────► won
//!              │ woken otherwise                          │ pattern does not match: branch out, begin anew
//!              ▼                                          ▼
//!            BUSY: poll the plain futures, if flagged beside the channels ─────────────────► won
//! ```
//!
//! # Invariants
//! F1. While anything is looked at or polled the claim is BUSY, so whatever this side finds it may commit alone: a partner
//!     never completes a case of a select that has won or is about to.
//! F2. When the select returns `Pending`, every live channel case stands in its queue and the claim is WAITING; unless it
//!     returns only to give way to the executor.
//! F3. The claim lies in the frame, which is pinned and outlives every wait under it: `select!` drops its branches before its frame, a
//!     [`Ready`][crate::select::Ready] resets its cases before it goes, and a frame that is to begin anew has all of them leave first.
//! F4. A select is *unsettled* from the moment before it takes its seats, or at which it learns that it was flagged, until
//!     it has settled. So if a poll panics in between, the next one takes the seats and looks again.
//! F5. A branch whose pattern did not match is retired: it leaves its queue and is asked nothing more.
//!
//! # `default` sees one moment
//! Every channel counts its changes. If the sum of the counts is the same before and after looking at all, no
//! channel changed in between, so that "nothing is ready" was true of all of them at once. Otherwise somebody else
//! has made progress, and the select looks again.
//!
//! That may go on for as long as the channels are in use by others, also where nothing is ever left for this select. So after
//! [`LOOKS`] looks it takes the seats as if it were to wait, and asks whether it was flagged since. If not, the moment of that
//! question is the one: each channel had nothing when it was looked at under its lock, and whoever has left something there
//! since would have flagged it (C4 of [`claim`][crate::claim]). If it was flagged, something was there, and it goes through
//! the seats again. It does so without a bound: if something is there at every moment and others are always faster to take
//! it, `default` would be wrong at every moment. It stays BUSY all the while, so nobody claims it, and the plain futures
//! are not polled any more.
//!
//! With a single channel case one look is one moment; the last one before the default is behind a fence, which makes it later
//! than all that this thread has done, as the locks do under which changes are counted. (`SeqCst`; its partner is the same fence
//! of others: row 4 of [`chan`][crate::chan].)
//!
//! A plain future that gives way to the executor does not say whether it is ready. So if nothing was found, one of the branches
//! is plain, and a yield is asked for or was meanwhile, the select gives way as well, and comes back.
//!
//! # Fairness
//! The order of looking is a fresh random permutation in each round, so each of several ready branches is equally
//! likely. The seats are taken in the order of the round before them: it was drawn without regard to what is ready now.
//! `biased` keeps the order written.

use std::cell::Cell;
use std::marker::PhantomPinned;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use pirn_sync::host::{self, WaitKind};
use pirn_sync::primitive::atomic::{fence, Ordering};
use pirn_sync::random::Batch;

use crate::claim::{Begin, Claim};
use crate::select::case::{Pass, Step};
use crate::wait::Seat;

/// How often a select with a default looks for a moment at which its channels stand still. In the models once, so that they
/// get past it.
const LOOKS: usize = if cfg!(loom) { 1 } else { 4 };

/// The state of one select while it waits.
#[derive(Debug)]
pub struct Frame<'o> {
    /// The cases still in play, in `order[..live]`.
    order: &'o mut [u32],
    live: usize,
    /// How many channel cases there were at most.
    channels: usize,
    biased: bool,
    default: bool,
    /// Cases may stand in queues, under the claim.
    waiting: bool,
    /// A seat may be missing, or a look be due (F4).
    unsettled: bool,
    claim: Claim,
    at: &'static Location<'static>,
    _pinned: PhantomPinned,
}

/// What one turn of the algorithm came to.
enum Turn<O> {
    Won(O),
    Default,
    Wait,
}

impl<'o> Frame<'o> {
    /// A frame with room for `order.len()` cases.
    pub fn new(order: &'o mut [u32], biased: bool, default: bool, at: &'static Location<'static>) -> Self {
        Self {
            order,
            live: 0,
            channels: 0,
            biased,
            default,
            waiting: false,
            unsettled: false,
            claim: Claim::new(),
            at,
            _pinned: PhantomPinned,
        }
    }

    /// A frame in which the channel cases that are `live` take part.
    pub(crate) fn with(
        order: &'o mut [u32],
        live: impl Iterator<Item = bool>,
        default: bool,
        at: &'static Location<'static>,
    ) -> Self {
        let channels = order.len();
        let mut frame = Self::new(order, false, default, at);
        frame.enroll(live, channels);
        frame
    }

    /// Lets those branches take part that are live. So many of all are channel cases.
    #[inline]
    pub fn admit(self: Pin<&mut Self>, live: impl IntoIterator<Item = bool>, channels: usize) {
        // SAFETY: the frame is not moved, nor the claim out of it.
        unsafe { self.get_unchecked_mut() }.enroll(live, channels);
    }

    #[inline]
    fn enroll(&mut self, live: impl IntoIterator<Item = bool>, channels: usize) {
        let (order, mut count) = (&mut *self.order, 0);
        for (case, live) in live.into_iter().enumerate() {
            order[count] = case as u32;
            count += usize::from(live);
        }
        (self.live, self.channels) = (count, channels);
    }

    /// Polls the select. `step` runs one branch and applies its pattern. `Ready(None)` is the default.
    ///
    /// # Panics
    /// If no case takes part, or is left, and there is no default.
    #[inline]
    pub fn poll<O>(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        step: impl FnMut(u32, Pass<'_>, &mut Context<'_>) -> Step<O>,
    ) -> Poll<Option<O>> {
        if host::poll_yield(cx).is_pending() {
            return Poll::Pending;
        }
        let may_give_way = self.default && self.order.len() > self.channels;
        let before = may_give_way.then(host::times_given_way);
        let polled = self.poll_unyielding(cx, step);
        let gave_way = |before| host::times_given_way() != before || host::should_yield();
        if matches!(polled, Poll::Ready(None)) && before.is_some_and(gave_way) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        polled
    }

    /// As [`poll`][Self::poll], but for who must have an answer: the host is not asked for a yield.
    #[inline]
    pub(crate) fn poll_unyielding<O>(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut step: impl FnMut(u32, Pass<'_>, &mut Context<'_>) -> Step<O>,
    ) -> Poll<Option<O>> {
        // SAFETY: the frame is not moved, nor the claim out of it.
        let this = unsafe { self.get_unchecked_mut() };
        let resumed = if this.waiting { this.resume(cx, &mut step) } else { None };
        let turn = match resumed {
            Some(turn) => turn,
            None => this.begin(cx, &mut step),
        };
        match turn {
            Turn::Won(output) => Poll::Ready(Some(output)),
            Turn::Default => Poll::Ready(None),
            Turn::Wait => {
                host::waiting_on(WaitKind::Select, this.at);
                Poll::Pending
            }
        }
    }

    /// Ends the wait: what a partner completed by now still counts, and nobody can claim the select any more.
    pub fn give_up<O>(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut step: impl FnMut(u32, Pass<'_>, &mut Context<'_>) -> Step<O>,
    ) -> Option<O> {
        match self.claim.begin() {
            Begin::Claimed(case) => match step(case, Pass::Collect, cx) {
                Step::Won(output) => Some(output),
                Step::Pending | Step::Out => None,
            },
            Begin::Busy { .. } | Begin::Roused => None,
        }
    }

    /// Looks without standing in any queue; then takes the seats.
    #[inline]
    fn begin<O>(
        &mut self,
        cx: &mut Context<'_>,
        step: &mut impl FnMut(u32, Pass<'_>, &mut Context<'_>) -> Step<O>,
    ) -> Turn<O> {
        for look in 1.. {
            let before = self.moment(cx, step);
            if let Some(output) = self.round(Pass::Look, cx, step) {
                return Turn::Won(output);
            }
            if self.default && self.channels == 1 {
                fence(Ordering::SeqCst);
                let missed = self.round(Pass::LookAgain, cx, step);
                return missed.map_or(Turn::Default, Turn::Won);
            }
            if !self.default {
                self.insist_on_a_branch();
                break;
            }
            if self.live == 0 || self.moment(cx, step) == before {
                return Turn::Default;
            }
            if look == LOOKS {
                break;
            }
        }
        if self.channels == 0 {
            return Turn::Wait;
        }
        (self.waiting, self.unsettled) = (true, true);
        self.claim.set_waker(cx.waker());
        self.seat(cx, step)
    }

    /// Stands in every queue, looking once more under each lock, until nothing was missed. The order is the last round's.
    fn seat<O>(
        &mut self,
        cx: &mut Context<'_>,
        step: &mut impl FnMut(u32, Pass<'_>, &mut Context<'_>) -> Step<O>,
    ) -> Turn<O> {
        loop {
            let (mut place, seat) = (0, self.lend_seat());
            while place < self.live {
                match step(self.order[place], Pass::Seat(seat), cx) {
                    Step::Pending => place += 1,
                    Step::Won(output) => return Turn::Won(output),
                    Step::Out => self.retire(place, cx, step),
                }
            }
            if self.default {
                // It takes the flag down, too.
                if matches!(self.claim.begin(), Begin::Busy { look: false }) {
                    return Turn::Default;
                }
                continue;
            }
            self.insist_on_a_branch();
            if self.claim.settle() {
                self.unsettled = false;
                return Turn::Wait;
            }
        }
    }

    /// A later poll: collects what a partner completed, or polls the plain futures. `None` when it is to begin anew.
    fn resume<O>(
        &mut self,
        cx: &mut Context<'_>,
        step: &mut impl FnMut(u32, Pass<'_>, &mut Context<'_>) -> Step<O>,
    ) -> Option<Turn<O>> {
        match self.claim.begin() {
            Begin::Claimed(case) => {
                if let Step::Won(output) = step(case, Pass::Collect, cx) {
                    return Some(Turn::Won(output));
                }
                for &case in &self.order[..self.live] {
                    step(case, Pass::Reset, cx);
                }
                self.waiting = false;
                self.claim.reset();
                let place = self.order[..self.live].iter().position(|&other| other == case);
                self.retire(place.expect("a claimed case is live"), cx, step);
                None
            }
            Begin::Roused => {
                cx.waker().wake_by_ref();
                Some(Turn::Wait)
            }
            Begin::Busy { look } => {
                // The flag is down now, and from here on others' code runs.
                self.unsettled |= look;
                self.claim.set_waker(cx.waker());
                // Something may lie in a channel: then its case and the plain futures are asked in one order.
                let pass = if self.unsettled { Pass::PollOrSeat(self.lend_seat()) } else { Pass::Poll };
                if let Some(output) = self.round(pass, cx, step) {
                    return Some(Turn::Won(output));
                }
                self.insist_on_a_branch();
                if !self.default && self.claim.settle() {
                    self.unsettled = false;
                    return Some(Turn::Wait);
                }
                self.unsettled = true;
                Some(self.seat(cx, step))
            }
        }
    }

    /// Its claim, for cases to wait under.
    fn lend_seat<'a>(&self) -> Seat<'a> {
        let claim = &raw const self.claim;
        // SAFETY: F3; and the claim is only ever shared. It is not `self` that is lent out, which `retire` changes.
        unsafe { Seat::new(&*claim) }
    }

    /// One pass over the live cases.
    #[inline]
    fn round<O>(
        &mut self,
        pass: Pass<'_>,
        cx: &mut Context<'_>,
        step: &mut impl FnMut(u32, Pass<'_>, &mut Context<'_>) -> Step<O>,
    ) -> Option<O> {
        let (mut random, mut place) = (Batch::new(), 0);
        while place < self.live {
            self.draw(place, &mut random);
            match step(self.order[place], pass, cx) {
                Step::Pending => place += 1,
                Step::Won(output) => return Some(output),
                Step::Out => self.retire(place, cx, step),
            }
        }
        None
    }

    /// Draws the case that comes at `place` from those that have not had their turn. So the cases come in a fresh random
    /// order, each permutation equally likely (Fisher and Yates), of which only as much is made as is looked at.
    #[inline]
    fn draw(&mut self, place: usize, random: &mut Batch) {
        if !self.biased {
            self.order.swap(place, place + random.below((self.live - place) as u32) as usize);
        }
    }

    /// Takes the case at `place` out of the game (F5), keeping the order of the others.
    fn retire<O>(
        &mut self,
        place: usize,
        cx: &mut Context<'_>,
        step: &mut impl FnMut(u32, Pass<'_>, &mut Context<'_>) -> Step<O>,
    ) {
        step(self.order[place], Pass::Reset, cx);
        self.order[place..self.live].rotate_left(1);
        self.live -= 1;
    }

    /// The sum of all changes, if it matters.
    fn moment<O>(
        &self,
        cx: &mut Context<'_>,
        step: &mut impl FnMut(u32, Pass<'_>, &mut Context<'_>) -> Step<O>,
    ) -> u64 {
        let sum = Cell::new(0);
        if self.default && self.channels > 1 {
            for &case in &self.order[..self.live] {
                step(case, Pass::Version(&sum), cx);
            }
        }
        sum.get()
    }

    fn insist_on_a_branch(&self) {
        assert!(
            self.live > 0 || self.default,
            "all branches of the select! at {} are disabled and it has no default: it would wait for ever",
            self.at
        );
    }
}

#[cfg(all(test, loom))]
mod loom;
