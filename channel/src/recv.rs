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

use crate::error::{RecvError, TryRecvError};
use crate::receiver::Receiver;
use crate::wait::Seat;
use crate::wait_queue::Key;
use crate::waiter::Cargo;

/// The future of [`Receiver::recv`].
#[must_use = "a future does nothing unless it is awaited"]
pub struct Recv<'a, T> {
    rx: &'a Receiver<T>,
    key: Option<Key>,
    at: &'static Location<'static>,
}

impl<'a, T> Recv<'a, T> {
    pub(crate) fn new(rx: &'a Receiver<T>, at: &'static Location<'static>) -> Self {
        Self { rx, key: None, at }
    }

    /// Ends the wait, passing on a value that was handed over.
    pub(crate) fn reset(&mut self) {
        if let Some(key) = self.key.take() {
            drop(self.rx.chan.cancel(key));
        }
    }

    pub(crate) fn seat(&mut self, seat: Seat<'_>) -> Option<Result<T, RecvError>> {
        self.rx.chan.seat_recv(&mut self.key, seat)
    }

    /// Receives if that needs no waiting.
    pub(crate) fn look(&mut self) -> Option<Result<T, RecvError>> {
        match self.rx.try_recv() {
            Ok(value) => Some(Ok(value)),
            Err(TryRecvError::Closed) => Some(Err(RecvError)),
            Err(TryRecvError::Empty) => None,
        }
    }

    pub(crate) fn collect(&mut self) -> Option<Result<T, RecvError>> {
        match self.key.take().map(|key| self.rx.chan.collect(key)) {
            Some(Cargo::Handed(_, value)) => Some(Ok(value)),
            _ => self.look(),
        }
    }

    /// After a wait that ran out of time: the value, if one was handed over in the last moment.
    pub(crate) fn collect_late(&mut self) -> Option<T> {
        match self.key.take().map(|key| self.rx.chan.collect(key)) {
            Some(Cargo::Handed(_, value)) => Some(value),
            _ => None,
        }
    }

    pub(crate) fn version(&self) -> u64 {
        self.rx.chan.with(|state, _| state.version())
    }
}

impl<T> Unpin for Recv<'_, T> {}

impl<T> Future for Recv<'_, T> {
    type Output = Result<T, RecvError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        this.rx.end_stream_wait();
        this.rx.chan.poll_recv(&mut this.key, cx, this.at)
    }
}

impl<T> Drop for Recv<'_, T> {
    fn drop(&mut self) {
        if self.key.is_some() {
            self.reset();
        }
    }
}

impl<T> fmt::Debug for Recv<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recv")
            .field("waiting", &self.key.is_some())
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

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<usize> {
        let this = &mut *self;
        if this.limit == 0 {
            return Poll::Ready(0);
        }
        match Pin::new(&mut this.first).poll(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Err(RecvError)) => Poll::Ready(0),
            Poll::Ready(Ok(value)) => {
                this.into.push(value);
                let mut count = 1;
                while count < this.limit {
                    let Ok(value) = this.first.rx.try_recv() else { break };
                    this.into.push(value);
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
