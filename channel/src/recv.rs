//! The futures that receive: [`Recv`], and [`RecvMany`] for batches.
//!
//! ```text
//!   unpolled ── poll ──► waiting ── a sender hands a value over ──► done ── poll ──► Ready(value)
//!                           │                                        │
//!                         drop: unlinked                           drop: the value goes to the next receiver,
//!                                                                        or back ahead of the buffer
//! ```

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::cargo::Cargo;
use crate::chan::Chan;
use crate::error::{RecvError, TryRecvError};
use crate::receiver::Receiver;
use crate::wait::{Endpoint, Op, Seat};
use crate::wait_queue::Side;

/// The receiving side of a channel, as a place to wait.
struct Rx<'a, T>(&'a Receiver<T>);

// SAFETY: a receiver's channel never changes, and the reference does not either.
unsafe impl<T> Endpoint<T> for Rx<'_, T> {
    const SIDE: Side = Side::Receivers;
    #[inline]
    fn chan(&self) -> &Chan<T> {
        &self.0.chan
    }
}

/// The future of [`Receiver::recv`].
///
/// Not `Unpin`: while it waits, a sender puts the value into it.
#[must_use = "a future does nothing unless it is awaited"]
pub struct Recv<'a, T> {
    op: Op<Rx<'a, T>, T>,
    at: &'static Location<'static>,
}

impl<'a, T> Recv<'a, T> {
    #[inline]
    pub(crate) fn new(rx: &'a Receiver<T>, at: &'static Location<'static>) -> Self {
        Self { op: Op::new(Rx(rx), Cargo::Empty), at }
    }

    fn rx(&self) -> &'a Receiver<T> {
        self.op.endpoint.0
    }

    #[inline]
    fn op(self: Pin<&mut Self>) -> Pin<&mut Op<Rx<'a, T>, T>> {
        // SAFETY: a projection: `op` is pinned whenever `self` is, and nothing moves it out.
        unsafe { self.map_unchecked_mut(|this| &mut this.op) }
    }

    /// Ends the wait, passing on a value that was handed over.
    pub(crate) fn reset(self: Pin<&mut Self>) {
        drop(self.op().cancel());
    }

    pub(crate) fn seat(self: Pin<&mut Self>, seat: Seat<'_>, case: u32) -> Option<Result<T, RecvError>> {
        self.op().seat_recv(seat, case)
    }

    /// Receives if that needs no waiting.
    #[inline]
    pub(crate) fn look(&self) -> Option<Result<T, RecvError>> {
        let rx = self.rx();
        rx.end_stream_wait();
        match rx.chan.recv_at_once() {
            Ok(value) => Some(Ok(value)),
            Err(TryRecvError::Closed) => Some(Err(RecvError)),
            Err(TryRecvError::Empty) => None,
        }
    }

    pub(crate) fn collect(mut self: Pin<&mut Self>) -> Option<Result<T, RecvError>> {
        match self.as_mut().op().collect() {
            Cargo::Handed(value) => Some(Ok(value)),
            // The channel has closed, and whoever sees that the wait is over sees the hint that says so (H4 of `chan`).
            _ => self.look(),
        }
    }

    /// After a wait that ran out of time: the value, if one was handed over in the last moment.
    pub(crate) fn collect_late(self: Pin<&mut Self>) -> Option<T> {
        match self.op().collect() {
            Cargo::Handed(value) => Some(value),
            _ => None,
        }
    }

    pub(crate) fn version(&self) -> u64 {
        self.rx().chan.locked(|state| state.version())
    }
}

impl<T> Future for Recv<'_, T> {
    type Output = Result<T, RecvError>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let at = self.at;
        self.rx().end_stream_wait();
        self.op().poll_recv(cx, at)
    }
}

impl<T> fmt::Debug for Recv<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recv")
            .field("waiting", &self.op.is_waiting())
            .field("at", &self.at)
            .finish_non_exhaustive()
    }
}

/// The future of [`Receiver::recv_many`].
#[must_use = "a future does nothing unless it is awaited"]
pub struct RecvMany<'a, T> {
    first: Recv<'a, T>,
    into: &'a mut Vec<T>,
    limit: usize,
}

impl<'a, T> RecvMany<'a, T> {
    pub(crate) fn new(first: Recv<'a, T>, into: &'a mut Vec<T>, limit: usize) -> Self {
        Self { first, into, limit }
    }
}

impl<T> Future for RecvMany<'_, T> {
    type Output = usize;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<usize> {
        // SAFETY: a projection: `first` is pinned whenever `self` is, and nothing moves it out; the rest never is.
        let (mut first, into, limit) = unsafe {
            let this = self.get_unchecked_mut();
            (Pin::new_unchecked(&mut this.first), &mut *this.into, this.limit)
        };
        if limit == 0 {
            return Poll::Ready(0);
        }
        match first.as_mut().poll(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Err(RecvError)) => Poll::Ready(0),
            Poll::Ready(Ok(value)) => {
                into.push(value);
                let mut count = 1;
                while count < limit {
                    let Ok(value) = first.rx().chan.recv_at_once() else { break };
                    into.push(value);
                    count += 1;
                }
                Poll::Ready(count)
            }
        }
    }
}

impl<T> fmt::Debug for RecvMany<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecvMany")
            .field("first", &self.first)
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}
