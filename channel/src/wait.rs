//! How an operation waits on a channel: it begins, is polled, and ends.
//!
//! ```text
//!   IDLE ── first poll: look · enlist ──► LINKED ── completed ──► DONE ── poll ──► IDLE, Ready
//!    ▲                                      │                      │
//!    └─────────── drop: leave, pass on ─────┴──────────────────────┘
//! ```
//! Looking and enlisting are one critical section: a partner that comes later finds the waiter, one that came earlier was found.
//! The waker is cloned before that section and, if it is not needed, dropped after it (H1 of [`chan`][crate::chan]). A wait that is
//! done needs the lock no more: the node is its owner's again.
//!
//! # Invariants
//! A1. An [`Op`] names one channel for life, and its waiter waits on that side of that channel alone (W2 of
//!     [`waiter`][crate::waiter]).
//! A2. An `Op` begins to wait only when it is pinned, and its drop ends the wait (W3).
//! A3. A poll asks the host for a yield before it takes anything that is ready.
//! A4. A select's case waits under the select's claim (see [`claim`][crate::claim]); everything else about it is the same.

mod receiving;
mod sending;

use std::panic::Location;
use std::pin::Pin;
use std::ptr::NonNull;
use std::task::{Context, Poll, Waker};

use pirn_sync::host::{self, WaitKind};

use crate::cargo::Cargo;
use crate::chan::Chan;
use crate::claim::Claim;
use crate::state::State;
use crate::wait_queue::Side;
use crate::waiter::{Party, Waiter};

/// A select's leave for its cases to take their seats: the claim under which they wait.
#[derive(Clone, Copy, Debug)]
pub struct Seat<'a>(&'a Claim);

impl<'a> Seat<'a> {
    /// # Safety
    /// The claim must stay where it is for as long as an operation that took this seat waits.
    pub(crate) unsafe fn new(claim: &'a Claim) -> Self {
        Self(claim)
    }
}

/// Where an operation waits: which queue of which channel.
///
/// # Safety
/// `chan` returns the same channel every time.
pub(crate) unsafe trait Endpoint<T> {
    /// Which queue of it.
    const SIDE: Side;
    fn chan(&self) -> &Chan<T>;
}

/// One operation, which may come to wait.
#[derive(Debug)]
pub(crate) struct Op<E: Endpoint<T>, T> {
    pub(crate) endpoint: E,
    waiter: Waiter<T>,
}

impl<E: Endpoint<T>, T> Op<E, T> {
    #[inline]
    pub(crate) fn new(endpoint: E, cargo: Cargo<T>) -> Self {
        Self { endpoint, waiter: Waiter::new(cargo) }
    }

    /// Whether it stands in a queue, or has come to something that was not looked at.
    #[inline]
    pub(crate) fn is_waiting(&self) -> bool {
        self.waiter.is_waiting()
    }

    /// Exchanges what it carries. Only for the owner, while it does not wait or is done.
    #[inline]
    fn exchange(&self, cargo: Cargo<T>) -> Cargo<T> {
        debug_assert!(self.waiter.is_mine());
        // SAFETY: W1: it is not linked, and its owner calls: every caller is a method that has the `Op` to itself.
        unsafe { self.waiter.exchange(cargo) }
    }

    /// Gives it back what it carried.
    #[inline]
    pub(crate) fn load(self: Pin<&mut Self>, cargo: Cargo<T>) {
        drop(self.exchange(cargo));
    }

    /// What the wait has come to: the cargo if it is over, else the waker is brought up to date.
    #[inline]
    fn poll_wait(&self, cx: &mut Context<'_>) -> Option<Cargo<T>> {
        if !self.waiter.is_mine() && !self.renew(cx) {
            return None;
        }
        self.waiter.settle();
        Some(self.exchange(Cargo::Empty))
    }

    /// Brings the waker up to date; true if the wait is over.
    #[cold]
    fn renew(&self, cx: &mut Context<'_>) -> bool {
        let (waiter, chan) = (&self.waiter, self.endpoint.chan());
        let knows = |party: &Party| matches!(party, Party::Plain(old) if old.will_wake(cx.waker()));
        // SAFETY: W1: under the lock.
        if chan.locked(|_| waiter.is_linked() && unsafe { waiter.place(|place| knows(&place.party)) }) {
            return false;
        }
        let mut party = Party::Plain(cx.waker().clone());
        chan.locked(|_| {
            if waiter.is_linked() {
                // SAFETY: W1: under the lock.
                unsafe { waiter.place(|place| std::mem::swap(&mut place.party, &mut party)) };
            }
        });
        drop(party);
        waiter.is_mine()
    }

    /// Ends the wait, if there is one, passing on what it had been given. Returns what is left of its cargo.
    #[inline]
    pub(crate) fn cancel(self: Pin<&mut Self>) -> Cargo<T> {
        if self.waiter.is_waiting() {
            self.dismiss()
        } else {
            self.exchange(Cargo::Empty)
        }
    }

    #[inline(never)]
    fn dismiss(&self) -> Cargo<T> {
        let (waiter, chan) = (&self.waiter, self.endpoint.chan());
        // SAFETY: A1.
        let left = chan.locked(|state| waiter.is_linked().then(|| unsafe { state.leave(E::SIDE, waiter) }));
        match left {
            Some(party) => {
                drop(party);
                self.exchange(Cargo::Empty)
            }
            // SAFETY: A1; and it is linked no more.
            None => chan.with(|state, wakes| unsafe { state.pass_on(waiter, wakes) }),
        }
    }

    /// Ends the wait without passing on: its cargo.
    pub(crate) fn collect(self: Pin<&mut Self>) -> Cargo<T> {
        if self.waiter.is_mine() {
            self.waiter.settle();
        } else {
            // SAFETY: A1.
            let party =
                self.endpoint.chan().locked(|state| unsafe { state.waiters.leave(E::SIDE, &self.waiter) });
            drop(party);
        }
        self.exchange(Cargo::Empty)
    }

    /// Begins to wait, under the lock, unless it does.
    #[inline]
    fn enlist(self: Pin<&Self>, state: &mut State<T>, party: impl FnOnce() -> (Party, u32)) {
        if !self.waiter.is_waiting() {
            let (party, case) = party();
            // SAFETY: A1 and A2: it is pinned, and does not wait yet.
            unsafe { state.enlist(E::SIDE, &self.get_ref().waiter, party, case) };
        }
    }

    /// Exchanges the cargo under the lock, where a waiter that is linked may be touched, too.
    #[inline]
    fn exchange_locked(&self, _: &mut State<T>, cargo: Cargo<T>) -> Cargo<T> {
        // SAFETY: W1: linked and under the lock, or its owner calls.
        unsafe { self.waiter.exchange(cargo) }
    }
}

impl<E: Endpoint<T>, T> Drop for Op<E, T> {
    #[inline]
    fn drop(&mut self) {
        if self.waiter.is_waiting() {
            drop(self.dismiss());
        }
    }
}

impl Seat<'_> {
    fn party(self) -> Party {
        Party::Select(Some(NonNull::from(self.0)))
    }
}

/// The party of a single operation.
#[inline]
fn plain(waker: &mut Option<Waker>) -> (Party, u32) {
    (waker.take().map_or(Party::NOBODY, Party::Plain), 0)
}

#[inline]
fn pending<R>(kind: WaitKind, at: &'static Location<'static>) -> Poll<R> {
    host::waiting_on(kind, at);
    Poll::Pending
}
