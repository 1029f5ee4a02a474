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

use std::panic::Location;
use std::pin::Pin;
use std::ptr::NonNull;
use std::task::{Context, Poll, Waker};

use pirn_sync::host::{self, WaitKind};

use crate::chan::Chan;
use crate::claim::Claim;
use crate::error::{RecvError, SendError, TryRecvError, TrySendError};
use crate::state::{State, MAY_PUT};
use crate::wait_queue::Side;
use crate::waiter::{Cargo, Party, Waiter};

/// The claim under which the cases of a select wait.
#[derive(Clone, Copy, Debug)]
pub struct Seat<'a>(&'a Claim);

impl<'a> Seat<'a> {
    /// # Safety
    /// The claim must stay where it is for as long as an operation that took this seat waits.
    pub(crate) unsafe fn new(claim: &'a Claim) -> Self {
        Self(claim)
    }
}

/// Where an operation waits.
///
/// # Safety
/// `chan` returns the same channel every time.
pub(crate) unsafe trait Home<T> {
    /// Which queue of it.
    const SIDE: Side;
    fn chan(&self) -> &Chan<T>;
}

/// One operation, which may come to wait.
#[derive(Debug)]
pub(crate) struct Op<H: Home<T>, T> {
    pub(crate) home: H,
    waiter: Waiter<T>,
}

impl<H: Home<T>, T> Op<H, T> {
    #[inline]
    pub(crate) fn new(home: H, cargo: Cargo<T>) -> Self {
        Self { home, waiter: Waiter::new(cargo) }
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
        unsafe { self.waiter.node(|node| std::mem::replace(&mut node.cargo, cargo)) }
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
        let (waiter, chan) = (&self.waiter, self.home.chan());
        let knows = |party: &Party| matches!(party, Party::Plain(old) if old.will_wake(cx.waker()));
        // SAFETY: W1: under the lock.
        if chan.locked(|_| waiter.is_linked() && unsafe { waiter.place(|place, _| knows(&place.party)) }) {
            return false;
        }
        let mut party = Party::Plain(cx.waker().clone());
        chan.locked(|_| {
            if waiter.is_linked() {
                // SAFETY: W1: under the lock.
                unsafe { waiter.place(|place, _| std::mem::swap(&mut place.party, &mut party)) };
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
        let (waiter, chan) = (&self.waiter, self.home.chan());
        // SAFETY: A1.
        let left = chan.locked(|state| waiter.is_linked().then(|| unsafe { state.leave(H::SIDE, waiter) }));
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
                self.home.chan().locked(|state| unsafe { state.waiters.leave(H::SIDE, &self.waiter) });
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
            unsafe { state.enlist(H::SIDE, &self.get_ref().waiter, party, case) };
        }
    }

    /// Exchanges the cargo under the lock, where a waiter that is linked may be touched, too.
    #[inline]
    fn exchange_locked(&self, _: &mut State<T>, cargo: Cargo<T>) -> Cargo<T> {
        // SAFETY: W1: linked and under the lock, or its owner calls.
        unsafe { self.waiter.node(|node| std::mem::replace(&mut node.cargo, cargo)) }
    }
}

// --- receiving ---------------------------------------------------------------------------------------------------

impl<H: Home<T>, T> Op<H, T> {
    /// Polls a receive.
    #[inline]
    pub(crate) fn poll_recv(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        at: &'static Location<'static>,
    ) -> Poll<Result<T, RecvError>> {
        if host::poll_yield(cx).is_pending() {
            return Poll::Pending;
        }
        let chan = self.home.chan();
        if self.waiter.is_waiting() {
            match self.poll_wait(cx) {
                None => return pending(WaitKind::Recv, at),
                Some(Cargo::Handed(value)) => return Poll::Ready(Ok(value)),
                Some(_) => {}
            }
        }
        match chan.try_recv() {
            Ok(value) => return Poll::Ready(Ok(value)),
            Err(TryRecvError::Closed) => return Poll::Ready(Err(RecvError)),
            Err(TryRecvError::Empty) if chan.never => return pending(WaitKind::Recv, at),
            Err(TryRecvError::Empty) => {}
        }
        let (this, mut waker) = (self.as_ref(), Some(cx.waker().clone()));
        let received = if chan.wait(H::SIDE, |state| this.enlist(state, || plain(&mut waker))) {
            None
        } else {
            this.look_to_recv(None, || plain(&mut waker))
        };
        drop(waker);
        received.map_or_else(|| pending(WaitKind::Recv, at), Poll::Ready)
    }

    /// Looks for a select, and enlists it unless it stands in the queue already.
    pub(crate) fn seat_recv(self: Pin<&mut Self>, seat: Seat<'_>, case: u32) -> Option<Result<T, RecvError>> {
        let (chan, this) = (self.home.chan(), self.as_ref());
        if chan.never || chan.wait(H::SIDE, |state| this.enlist(state, || (seat.party(), case))) {
            return None;
        }
        this.look_to_recv(Some(seat), || (seat.party(), case))
    }

    /// Receives, or tells those who are busy and begins to wait; `None` when it waits.
    #[cold]
    fn look_to_recv(
        self: Pin<&Self>,
        seat: Option<Seat<'_>>,
        party: impl FnOnce() -> (Party, u32),
    ) -> Option<Result<T, RecvError>> {
        self.home.chan().with(|state, wakes| {
            loop {
                match state.take(wakes) {
                    Ok(value) => return Some(Ok(value)),
                    Err(TryRecvError::Closed) => return Some(Err(RecvError)),
                    Err(TryRecvError::Empty) if state.announce(H::SIDE, seat.map(|seat| seat.0)) => {}
                    Err(TryRecvError::Empty) => break,
                }
            }
            self.enlist(state, party);
            None
        })
    }
}

// --- sending -----------------------------------------------------------------------------------------------------

impl<H: Home<T>, T> Op<H, T> {
    /// Polls a send.
    #[inline]
    pub(crate) fn poll_send(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        at: &'static Location<'static>,
    ) -> Poll<Result<(), SendError<T>>> {
        if host::poll_yield(cx).is_pending() {
            return Poll::Pending;
        }
        if self.waiter.is_waiting() {
            return match self.poll_wait(cx) {
                None => pending(WaitKind::Send, at),
                Some(Cargo::Offer(value)) => Poll::Ready(Err(SendError(value))),
                Some(_) => Poll::Ready(Ok(())),
            };
        }
        if let Some(result) = self.as_mut().send_at_once() {
            return Poll::Ready(result);
        }
        let (chan, this, mut waker) = (self.home.chan(), self.as_ref(), Some(cx.waker().clone()));
        let sent = if chan.wait(H::SIDE, |state| this.enlist(state, || plain(&mut waker))) {
            None
        } else {
            this.look_to_send(None, || plain(&mut waker))
        };
        drop(waker);
        sent.map_or_else(|| pending(WaitKind::Send, at), Poll::Ready)
    }

    /// Sends if that needs no waiting.
    ///
    /// # Panics
    /// If it has sent its value before.
    #[inline]
    pub(crate) fn send_at_once(self: Pin<&mut Self>) -> Option<Result<(), SendError<T>>> {
        let chan = self.home.chan();
        let Some(look) = chan.look(MAY_PUT) else {
            assert!(self.has_an_offer(), "a send was polled after it had completed");
            return None;
        };
        let Cargo::Offer(value) = self.exchange(Cargo::Sent) else {
            panic!("a send was polled after it had completed")
        };
        match chan.send_after(look, value) {
            Ok(()) => Some(Ok(())),
            Err(TrySendError::Closed(value)) => Some(Err(SendError(value))),
            Err(TrySendError::Full(value)) => {
                self.exchange(Cargo::Offer(value));
                None
            }
        }
    }

    /// Whether it has its value yet. Only for the owner, while it does not wait or is done.
    #[inline]
    fn has_an_offer(&self) -> bool {
        debug_assert!(self.waiter.is_mine());
        // SAFETY: W1: it is not linked, and its owner calls.
        unsafe { self.waiter.node(|node| matches!(node.cargo, Cargo::Offer(_))) }
    }

    /// Looks for a select, and enlists it unless it stands in the queue already.
    pub(crate) fn seat_send(
        self: Pin<&mut Self>,
        seat: Seat<'_>,
        case: u32,
    ) -> Option<Result<(), SendError<T>>> {
        let (chan, this) = (self.home.chan(), self.as_ref());
        if chan.wait(H::SIDE, |state| this.enlist(state, || (seat.party(), case))) {
            return None;
        }
        this.look_to_send(Some(seat), || (seat.party(), case))
    }

    /// Sends, or tells those who are busy and begins to wait; `None` when it waits.
    #[cold]
    fn look_to_send(
        self: Pin<&Self>,
        seat: Option<Seat<'_>>,
        party: impl FnOnce() -> (Party, u32),
    ) -> Option<Result<(), SendError<T>>> {
        let me = seat.map(|seat| seat.0);
        self.home.chan().with(|state, wakes| {
            let Cargo::Offer(mut value) = self.exchange_locked(state, Cargo::Sent) else {
                unreachable!("a send has its value until it is sent")
            };
            loop {
                match state.put(value, me, wakes) {
                    Ok(()) => return Some(Ok(())),
                    Err(TrySendError::Closed(value)) => return Some(Err(SendError(value))),
                    Err(TrySendError::Full(back)) => value = back,
                }
                if !state.announce(H::SIDE, me) {
                    break;
                }
            }
            self.exchange_locked(state, Cargo::Offer(value));
            self.enlist(state, party);
            None
        })
    }

    /// Polls for a slot.
    pub(crate) fn poll_reserve(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        at: &'static Location<'static>,
    ) -> Poll<Result<(), SendError<()>>> {
        if host::poll_yield(cx).is_pending() {
            return Poll::Pending;
        }
        if self.waiter.is_waiting() {
            return match self.poll_wait(cx) {
                None => pending(WaitKind::Send, at),
                Some(Cargo::Granted) => Poll::Ready(Ok(())),
                Some(_) => Poll::Ready(Err(SendError(()))),
            };
        }
        let mut waker = Some(cx.waker().clone());
        let (chan, this) = (self.home.chan(), self.as_ref());
        let taken = chan.with(|state, _| {
            if state.is_closed() {
                return Some(Err(SendError(())));
            }
            if state.reserve() {
                return Some(Ok(()));
            }
            this.exchange_locked(state, Cargo::Slot);
            this.enlist(state, || plain(&mut waker));
            None
        });
        drop(waker);
        taken.map_or_else(|| pending(WaitKind::Send, at), Poll::Ready)
    }
}

impl<H: Home<T>, T> Drop for Op<H, T> {
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
