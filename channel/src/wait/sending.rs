//! Sending: look, and if there is no room wait until the value is taken; or wait for a slot alone.

use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use pirn_sync::host::{self, WaitKind};

use super::{pending, plain, Endpoint, Op, Seat};
use crate::cargo::{Cargo, Kind};
use crate::chan::Chan;
use crate::error::{SendError, TrySendError};
use crate::state::MAY_PUT;
use crate::waiter::Party;

impl<E: Endpoint<T>, T> Op<E, T> {
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
        let (chan, this, mut waker) = (self.endpoint.chan(), self.as_ref(), Some(cx.waker().clone()));
        let sent = if chan.wait(E::SIDE, |state| this.enlist(state, || plain(&mut waker))) {
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
        let chan = self.endpoint.chan();
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
        unsafe { self.waiter.kind() == Kind::Offer }
    }

    /// Looks for a select, and enlists it unless it stands in the queue already.
    pub(crate) fn seat_send(
        self: Pin<&mut Self>,
        seat: Seat<'_>,
        case: u32,
    ) -> Option<Result<(), SendError<T>>> {
        let (chan, this) = (self.endpoint.chan(), self.as_ref());
        if chan.wait(E::SIDE, |state| this.enlist(state, || (seat.party(), case))) {
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
        self.endpoint.chan().with(|state, wakes| {
            let Cargo::Offer(mut value) = self.exchange_locked(state, Cargo::Sent) else {
                unreachable!("a send has its value until it is sent")
            };
            loop {
                match state.put(value, me, wakes) {
                    Ok(()) => return Some(Ok(())),
                    Err(TrySendError::Closed(value)) => return Some(Err(SendError(value))),
                    Err(TrySendError::Full(back)) => value = back,
                }
                if !state.announce(E::SIDE, me) {
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
        let (chan, this) = (self.endpoint.chan(), self.as_ref());
        let taken = chan.with(|state, _| match state.reserve() {
            Ok(()) => Some(Ok(())),
            Err(TrySendError::Closed(())) => Some(Err(SendError(()))),
            Err(TrySendError::Full(())) => {
                this.exchange_locked(state, Cargo::Slot);
                this.enlist(state, || plain(&mut waker));
                None
            }
        });
        // Should the waker panic as it is dropped, nobody will know of the slot, and it goes back.
        let slot = matches!(taken, Some(Ok(()))).then(|| Slot(chan));
        drop(waker);
        std::mem::forget(slot);
        taken.map_or_else(|| pending(WaitKind::Send, at), Poll::Ready)
    }
}

/// A slot on the way to its owner; dropped, it goes back.
struct Slot<'a, T>(&'a Chan<T>);

impl<T> Drop for Slot<'_, T> {
    #[cold]
    fn drop(&mut self) {
        self.0.with(|state, wakes| state.unreserve(wakes));
    }
}
