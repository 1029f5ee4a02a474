//! Receiving: look, and if there is nothing wait for a value.

use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use pirn_sync::host::{self, WaitKind};

use super::{pending, plain, Endpoint, Op, Seat};
use crate::cargo::Cargo;
use crate::error::{RecvError, TryRecvError};
use crate::waiter::Party;

impl<E: Endpoint<T>, T> Op<E, T> {
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
        let chan = self.endpoint.chan();
        if self.waiter.is_waiting() {
            match self.poll_wait(cx) {
                None => return pending(WaitKind::Recv, at),
                Some(Cargo::Handed(value)) => return Poll::Ready(Ok(value)),
                Some(_) => {}
            }
        }
        match chan.recv_at_once() {
            Ok(value) => return Poll::Ready(Ok(value)),
            Err(TryRecvError::Closed) => return Poll::Ready(Err(RecvError)),
            Err(TryRecvError::Empty) if chan.never => return pending(WaitKind::Recv, at),
            Err(TryRecvError::Empty) => {}
        }
        let (this, mut waker) = (self.as_ref(), Some(cx.waker().clone()));
        let received = if chan.wait(E::SIDE, |state| this.enlist(state, || plain(&mut waker))) {
            None
        } else {
            this.look_to_recv(None, || plain(&mut waker))
        };
        drop(waker);
        received.map_or_else(|| pending(WaitKind::Recv, at), Poll::Ready)
    }

    /// Looks for a select, and enlists it unless it stands in the queue already.
    pub(crate) fn seat_recv(self: Pin<&mut Self>, seat: Seat<'_>, case: u32) -> Option<Result<T, RecvError>> {
        let (chan, this) = (self.endpoint.chan(), self.as_ref());
        if chan.never || chan.wait(E::SIDE, |state| this.enlist(state, || (seat.party(), case))) {
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
        self.endpoint.chan().with(|state, wakes| {
            loop {
                match state.take(wakes) {
                    Ok(value) => return Some(Ok(value)),
                    Err(TryRecvError::Closed) => return Some(Err(RecvError)),
                    Err(TryRecvError::Empty) if state.announce(E::SIDE, seat.map(|seat| seat.0)) => {}
                    Err(TryRecvError::Empty) => break,
                }
            }
            self.enlist(state, party);
            None
        })
    }
}
