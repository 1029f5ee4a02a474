//! How an operation waits on a channel: it begins, is polled, and ends.
//!
//! ```text
//!   None ── first poll: look · enlist ──► Some(key) ── poll: done? ──► None, Ready
//!    ▲                                       │
//!    └─────────── drop: dismiss, pass on ────┘
//! ```
//! The waiting future holds nothing but the key of its waiter. Looking and enlisting are one critical section: a partner
//! that comes later finds the waiter, one that came earlier was found. The waker is cloned before that section and, if it is not
//! needed, dropped after it (H1 of [`chan`][crate::chan]).
//!
//! # Invariants
//! A1. A future whose key is `Some` stands in a queue, or its waiter is done and holds what it came to.
//! A2. A poll asks the host for a yield before it takes anything that is ready.
//! A3. A select's case waits under the select's claim (see [`claim`][crate::claim]); everything else about it is the same.

use std::panic::Location;
use std::task::{Context, Poll};

use pirn_sync::host::{self, WaitKind};
use pirn_sync::primitive::Arc;

use crate::chan::Chan;
use crate::claim::Claim;
use crate::error::{RecvError, SendError, TryRecvError, TrySendError};
use crate::state::State;
use crate::wait_queue::{Key, Side};
use crate::waiter::{Cargo, Party, WakeList};

/// How a select looks at one of its channel cases.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seat<'a> {
    pub(crate) claim: &'a Arc<Claim>,
    pub(crate) case: u32,
}

impl Seat<'_> {
    fn party(self) -> Party {
        Party::Select { claim: self.claim.clone(), case: self.case }
    }
}

impl<T> Chan<T> {
    /// Polls a receive; `key` is its waiter, if it has one.
    #[inline]
    pub(crate) fn poll_recv(
        &self,
        key: &mut Option<Key>,
        cx: &mut Context<'_>,
        at: &'static Location<'static>,
    ) -> Poll<Result<T, RecvError>> {
        if host::poll_yield(cx).is_pending() {
            return Poll::Pending;
        }
        if let Some(waiter) = *key {
            match self.poll_waiter(waiter, cx) {
                None => return pending(WaitKind::Recv, at),
                Some(Cargo::Handed(_, value)) => {
                    *key = None;
                    return Poll::Ready(Ok(value));
                }
                Some(_) => *key = None,
            }
        }
        match self.try_recv() {
            Ok(value) => return Poll::Ready(Ok(value)),
            Err(TryRecvError::Closed) => return Poll::Ready(Err(RecvError)),
            Err(TryRecvError::Empty) if self.never => return pending(WaitKind::Recv, at),
            Err(TryRecvError::Empty) => {}
        }
        let mut party = Some(Party::Plain(cx.waker().clone()));
        let looked = self.with(|state, wakes| look_to_recv(state, None, wakes, || party.take(), key));
        drop(party);
        match looked {
            Some(result) => Poll::Ready(result),
            None => pending(WaitKind::Recv, at),
        }
    }

    /// Polls a send; `value` is there until it is sent or waits.
    #[inline]
    pub(crate) fn poll_send(
        &self,
        value: &mut Option<T>,
        key: &mut Option<Key>,
        cx: &mut Context<'_>,
        at: &'static Location<'static>,
    ) -> Poll<Result<(), SendError<T>>> {
        if host::poll_yield(cx).is_pending() {
            return Poll::Pending;
        }
        if let Some(waiter) = *key {
            return match self.poll_waiter(waiter, cx) {
                None => pending(WaitKind::Send, at),
                Some(cargo) => {
                    *key = None;
                    Poll::Ready(sent(cargo))
                }
            };
        }
        let Some(unsent) = value.take() else { panic!("a send was polled after it had completed") };
        match self.try_send(unsent) {
            Ok(()) => return Poll::Ready(Ok(())),
            Err(TrySendError::Closed(unsent)) => return Poll::Ready(Err(SendError(unsent))),
            Err(TrySendError::Full(unsent)) => *value = Some(unsent),
        }
        let mut party = Some(Party::Plain(cx.waker().clone()));
        let looked = self.with(|state, wakes| look_to_send(state, None, wakes, || party.take(), value, key));
        drop(party);
        match looked {
            Some(result) => Poll::Ready(result),
            None => pending(WaitKind::Send, at),
        }
    }

    /// Polls for a slot.
    pub(crate) fn poll_reserve(
        &self,
        key: &mut Option<Key>,
        cx: &mut Context<'_>,
        at: &'static Location<'static>,
    ) -> Poll<Result<(), SendError<()>>> {
        if host::poll_yield(cx).is_pending() {
            return Poll::Pending;
        }
        if let Some(waiter) = *key {
            return match self.poll_waiter(waiter, cx) {
                None => pending(WaitKind::Send, at),
                Some(cargo) => {
                    *key = None;
                    Poll::Ready(if matches!(cargo, Cargo::Granted) { Ok(()) } else { Err(SendError(())) })
                }
            };
        }
        let mut party = Some(Party::Plain(cx.waker().clone()));
        let taken = self.with(|state, _| {
            if state.is_closed() {
                return Some(Err(SendError(())));
            }
            if state.reserve() {
                return Some(Ok(()));
            }
            *key = party.take().map(|party| state.enlist(Side::Senders, party, Cargo::Slot));
            None
        });
        drop(party);
        taken.map_or_else(|| pending(WaitKind::Send, at), Poll::Ready)
    }

    /// What a waiter has come to: its cargo if it is done (then it is freed), else its waker is brought up to date.
    #[inline]
    fn poll_waiter(&self, key: Key, cx: &mut Context<'_>) -> Option<Cargo<T>> {
        let (cargo, stale) = self.state.with(|state| match state.waiters.party_mut(key) {
            None => (Some(state.waiters.remove(key).1), false),
            Some(Party::Plain(old)) => (None, !old.will_wake(cx.waker())),
            Some(Party::Select { .. }) => (None, true),
        });
        if !stale {
            return cargo;
        }
        let mut party = Party::Plain(cx.waker().clone());
        let cargo = self.state.with(|state| match state.waiters.party_mut(key) {
            None => Some(state.waiters.remove(key).1),
            Some(old) => {
                std::mem::swap(old, &mut party);
                None
            }
        });
        drop(party);
        cargo
    }

    /// Ends a wait, passing on what it had been given.
    #[cold]
    pub(crate) fn cancel(&self, key: Key) -> Cargo<T> {
        let (party, cargo) = self.with(|state, wakes| state.dismiss(key, wakes));
        drop(party);
        cargo
    }

    /// Looks for a select, and enlists it unless it stands in the queue already.
    pub(crate) fn seat_recv(&self, key: &mut Option<Key>, seat: Seat<'_>) -> Option<Result<T, RecvError>> {
        if self.never {
            return None;
        }
        self.with(|state, wakes| look_to_recv(state, Some(seat), wakes, || Some(seat.party()), key))
    }

    /// The same for a send. A value that waits lies in the waiter.
    pub(crate) fn seat_send(
        &self,
        value: &mut Option<T>,
        key: &mut Option<Key>,
        seat: Seat<'_>,
    ) -> Option<Result<(), SendError<T>>> {
        self.with(|state, wakes| look_to_send(state, Some(seat), wakes, || Some(seat.party()), value, key))
    }

    /// Frees the waiter of a case that was claimed, and returns its cargo.
    pub(crate) fn collect(&self, key: Key) -> Cargo<T> {
        let (party, cargo) = self.locked(|state| state.waiters.remove(key));
        drop(party);
        cargo
    }
}

/// Receives, or begins to wait as `party`; `None` when it waits.
fn look_to_recv<T>(
    state: &mut State<T>,
    seat: Option<Seat<'_>>,
    wakes: &mut WakeList,
    party: impl FnOnce() -> Option<Party>,
    key: &mut Option<Key>,
) -> Option<Result<T, RecvError>> {
    let me = seat.map(|seat| seat.claim);
    loop {
        match state.take(wakes) {
            Ok(value) => return Some(Ok(value)),
            Err(TryRecvError::Closed) => return Some(Err(RecvError)),
            Err(TryRecvError::Empty) if state.announce(Side::Receivers, me) => {}
            Err(TryRecvError::Empty) => break,
        }
    }
    if key.is_none() {
        *key = party().map(|party| state.enlist(Side::Receivers, party, Cargo::Empty));
    }
    None
}

/// Sends, or begins to wait as `party`; `None` when it waits. The value of one that waits already lies in its waiter.
fn look_to_send<T>(
    state: &mut State<T>,
    seat: Option<Seat<'_>>,
    wakes: &mut WakeList,
    party: impl FnOnce() -> Option<Party>,
    value: &mut Option<T>,
    key: &mut Option<Key>,
) -> Option<Result<(), SendError<T>>> {
    let me = seat.map(|seat| seat.claim);
    let mut unsent = match *key {
        None => value.take()?,
        Some(waiter) => match std::mem::replace(state.waiters.cargo_mut(waiter), Cargo::Empty) {
            Cargo::Offer(value) => value,
            _ => unreachable!("a send that waits has its value in its waiter"),
        },
    };
    loop {
        match state.put(unsent, me, wakes) {
            Ok(()) => {
                if let Some(waiter) = *key {
                    *state.waiters.cargo_mut(waiter) = Cargo::Sent;
                }
                return Some(Ok(()));
            }
            Err(TrySendError::Closed(value)) => return Some(Err(SendError(value))),
            Err(TrySendError::Full(value)) => unsent = value,
        }
        if !state.announce(Side::Senders, me) {
            break;
        }
    }
    match *key {
        Some(waiter) => *state.waiters.cargo_mut(waiter) = Cargo::Offer(unsent),
        None => *key = party().map(|party| state.enlist(Side::Senders, party, Cargo::Offer(unsent))),
    }
    None
}

/// The result of a send whose waiter is done.
pub(crate) fn sent<T>(cargo: Cargo<T>) -> Result<(), SendError<T>> {
    match cargo {
        Cargo::Offer(value) => Err(SendError(value)),
        _ => Ok(()),
    }
}

#[inline]
fn pending<R>(kind: WaitKind, at: &'static Location<'static>) -> Poll<R> {
    host::waiting_on(kind, at);
    Poll::Pending
}
