//! The algorithm of a select: look, take a seat in every queue, wait, look again when flagged.
//!
//! # Picture
//! ```text
//!   poll ──► look at every branch, in random order ── ready? ─────────────────────────────► won
//!              │ none
//!              ├── default: did all channels stand still while we looked? yes ────────────► default
//!              │                                                          no: look again
//!              ▼
//!            BUSY: stand in every channel's queue, looking once more under its lock ───────► won
//!              │ settle ── flagged: again
//!              ▼
//!            WAITING ── claimed by a partner, woken ──► collect ───────────────────────────► won
//!              │ woken otherwise                          │ pattern does not match: branch out, begin anew
//!              ▼                                          ▼
//!            BUSY: poll the plain futures ────────────────────────────────────────────────► won
//! ```
//!
//! # Invariants
//! F1. While anything is looked at or polled the claim is BUSY, so whatever this side finds it may commit alone: a partner
//!     never completes a case of a select that has won or is about to.
//! F2. Before the select returns `Pending` every live channel case stands in its queue and the claim is WAITING.
//! F3. The frame outlives the branches: they leave their queues, passing on what they were given, before the claim is recycled.
//! F4. A branch whose pattern did not match is retired: it leaves its queue and is asked nothing more.
//!
//! # `default` sees one moment
//! Every channel counts its changes. If the sum of the counts is the same before and after looking at all, no
//! channel changed in between, so that "nothing is ready" was true of all of them at once. Otherwise somebody else
//! has made progress, and the select looks again. With a single channel case one look is one moment.
//!
//! # Fairness
//! The order of looking is a fresh random permutation each time, so each of several ready branches is equally
//! likely. `biased` keeps the order written.

use std::cell::Cell;
use std::panic::Location;
use std::task::{Context, Poll};

use pirn_sync::host::{self, WaitKind};
use pirn_sync::primitive::Arc;
use pirn_sync::random;

use crate::claim::{Begin, Claim};
use crate::select::case::{Pass, Step};

/// The state of one select while it waits.
#[derive(Debug)]
pub struct Frame<'o> {
    /// The cases still in play, in `order[..live]`.
    order: &'o mut [u32],
    live: usize,
    channels: usize,
    biased: bool,
    default: bool,
    /// Present while cases stand in queues.
    claim: Option<Arc<Claim>>,
    at: &'static Location<'static>,
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
        Self { order, live: 0, channels: 0, biased, default, claim: None, at }
    }

    /// Lets a case take part.
    pub fn admit(&mut self, case: u32, is_channel: bool) {
        self.order[self.live] = case;
        self.live += 1;
        self.channels += usize::from(is_channel);
    }

    /// Polls the select. `step` runs one branch and applies its pattern. `Ready(None)` is the default.
    ///
    /// # Panics
    /// If no case takes part, or is left, and there is no default.
    pub fn poll<O>(
        &mut self,
        cx: &mut Context<'_>,
        mut step: impl FnMut(u32, Pass<'_>, &mut Context<'_>) -> Step<O>,
    ) -> Poll<Option<O>> {
        if host::poll_yield(cx).is_pending() {
            return Poll::Pending;
        }
        let turn = match self.claim.take() {
            None => self.begin(cx, &mut step),
            Some(claim) => self.resume(claim, cx, &mut step),
        };
        match turn {
            Turn::Won(output) => Poll::Ready(Some(output)),
            Turn::Default => Poll::Ready(None),
            Turn::Wait => {
                host::waiting_on(WaitKind::Select, self.at);
                Poll::Pending
            }
        }
    }

    /// Ends the wait: what a partner completed by now still counts, and nobody can claim the select any more.
    pub fn give_up<O>(
        &mut self,
        cx: &mut Context<'_>,
        mut step: impl FnMut(u32, Pass<'_>, &mut Context<'_>) -> Step<O>,
    ) -> Option<O> {
        match self.claim.as_ref()?.begin() {
            Begin::Claimed(case) => match step(case, Pass::Collect, cx) {
                Step::Won(output) => Some(output),
                Step::Pending | Step::Out => None,
            },
            Begin::Busy { .. } => None,
        }
    }

    /// Looks without standing in any queue; then takes the seats.
    fn begin<O>(
        &mut self,
        cx: &mut Context<'_>,
        step: &mut impl FnMut(u32, Pass<'_>, &mut Context<'_>) -> Step<O>,
    ) -> Turn<O> {
        loop {
            let before = self.moment(cx, step);
            if let Some(output) = self.round(Pass::Look, cx, step) {
                return Turn::Won(output);
            }
            if self.default {
                if self.live == 0 || self.moment(cx, step) == before {
                    return Turn::Default;
                }
                continue;
            }
            self.insist_on_a_branch();
            break;
        }
        if self.channels == 0 {
            return Turn::Wait;
        }
        let claim = Claim::obtain();
        claim.set_waker(cx.waker());
        self.seat(claim, cx, step)
    }

    /// Stands in every queue, looking once more under each lock, until nothing was missed.
    fn seat<O>(
        &mut self,
        claim: Arc<Claim>,
        cx: &mut Context<'_>,
        step: &mut impl FnMut(u32, Pass<'_>, &mut Context<'_>) -> Step<O>,
    ) -> Turn<O> {
        let won = loop {
            if let Some(output) = self.round(Pass::Seat(&claim), cx, step) {
                break Turn::Won(output);
            }
            self.insist_on_a_branch();
            if claim.settle() {
                break Turn::Wait;
            }
        };
        self.claim = Some(claim);
        won
    }

    /// A later poll: collects what a partner completed, or polls the plain futures.
    fn resume<O>(
        &mut self,
        claim: Arc<Claim>,
        cx: &mut Context<'_>,
        step: &mut impl FnMut(u32, Pass<'_>, &mut Context<'_>) -> Step<O>,
    ) -> Turn<O> {
        match claim.begin() {
            Begin::Claimed(case) => {
                if let Step::Won(output) = step(case, Pass::Collect, cx) {
                    self.claim = Some(claim);
                    return Turn::Won(output);
                }
                for &case in &self.order[..self.live] {
                    step(case, Pass::Reset, cx);
                }
                Claim::recycle(claim);
                let place = self.order[..self.live].iter().position(|&other| other == case);
                self.retire(place.expect("a claimed case is live"), cx, step);
                self.begin(cx, step)
            }
            Begin::Busy { look } => {
                claim.set_waker(cx.waker());
                if let Some(output) = self.round(Pass::Poll, cx, step) {
                    self.claim = Some(claim);
                    return Turn::Won(output);
                }
                self.insist_on_a_branch();
                if !look && claim.settle() {
                    self.claim = Some(claim);
                    return Turn::Wait;
                }
                self.seat(claim, cx, step)
            }
        }
    }

    /// One pass over the live cases.
    fn round<O>(
        &mut self,
        pass: Pass<'_>,
        cx: &mut Context<'_>,
        step: &mut impl FnMut(u32, Pass<'_>, &mut Context<'_>) -> Step<O>,
    ) -> Option<O> {
        self.shuffle();
        let mut place = 0;
        while place < self.live {
            match step(self.order[place], pass, cx) {
                Step::Pending => place += 1,
                Step::Won(output) => return Some(output),
                Step::Out => self.retire(place, cx, step),
            }
        }
        None
    }

    /// A fresh random order: each permutation equally likely (Fisher and Yates).
    fn shuffle(&mut self) {
        if !self.biased {
            for last in (1..self.live).rev() {
                self.order.swap(last, random::below(last as u32 + 1) as usize);
            }
        }
    }

    /// Takes the case at `place` out of the game (F4), keeping the order of the others.
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
            self.live > 0,
            "all branches of the select! at {} are disabled and it has no default: it would wait for ever",
            self.at
        );
    }
}

impl Drop for Frame<'_> {
    fn drop(&mut self) {
        if let Some(claim) = self.claim.take() {
            Claim::recycle(claim);
        }
    }
}

#[cfg(all(test, loom))]
mod loom;
