//! The futures that send: [`Send`], and [`Reserve`] with the [`Permit`] that it gives.
//!
//! ```text
//!   unpolled ── poll ──► waiting, the value within a partner's reach ──► taken, or closed: it comes back
//!        │                  │
//!        └── drop: the value is dropped (not yet taken)
//! ```
//! A partner that takes the value of a waiting send completes it at that moment, even if the future is never
//! polled again. So dropping a `Send` either leaves the channel without the value, or the value had been sent.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::cargo::Cargo;
use crate::chan::Chan;
use crate::error::SendError;
use crate::wait::{Endpoint, Op, Seat};
use crate::wait_queue::Side;

/// The sending side of a channel, as a place to wait.
struct Tx<'a, T>(&'a Chan<T>);

// SAFETY: a reference that never changes.
unsafe impl<T> Endpoint<T> for Tx<'_, T> {
    const SIDE: Side = Side::Senders;
    #[inline]
    fn chan(&self) -> &Chan<T> {
        self.0
    }
}

/// The future of [`Sender::send`][crate::Sender::send].
///
/// Not `Unpin`: while it waits, a receiver takes the value out of it.
#[must_use = "a future does nothing unless it is awaited"]
pub struct Send<'a, T> {
    op: Op<Tx<'a, T>, T>,
    at: &'static Location<'static>,
}

impl<'a, T> Send<'a, T> {
    #[inline]
    pub(crate) fn new(chan: &'a Chan<T>, value: T, at: &'static Location<'static>) -> Self {
        Self { op: Op::new(Tx(chan), Cargo::Offer(value)), at }
    }

    #[inline]
    fn op(self: Pin<&mut Self>) -> Pin<&mut Op<Tx<'a, T>, T>> {
        // SAFETY: a projection: `op` is pinned whenever `self` is, and nothing moves it out.
        unsafe { self.map_unchecked_mut(|this| &mut this.op) }
    }

    /// Ends the wait and takes the value back; `None` if it has been sent.
    pub(crate) fn withdraw(self: Pin<&mut Self>) -> Option<T> {
        match self.op().cancel() {
            Cargo::Offer(value) => Some(value),
            _ => None,
        }
    }

    pub(crate) fn seat(self: Pin<&mut Self>, seat: Seat<'_>, case: u32) -> Option<Result<(), SendError<T>>> {
        self.op().seat_send(seat, case)
    }

    /// Sends if that needs no waiting.
    #[inline]
    pub(crate) fn look(self: Pin<&mut Self>) -> Option<Result<(), SendError<T>>> {
        self.op().send_at_once()
    }

    pub(crate) fn collect(self: Pin<&mut Self>) -> Result<(), SendError<T>> {
        match self.op().collect() {
            Cargo::Offer(value) => Err(SendError(value)),
            _ => Ok(()),
        }
    }

    pub(crate) fn version(&self) -> u64 {
        self.op.endpoint.0.locked(|state| state.version())
    }

    /// Ends the wait; afterwards it is as before the first poll. False if it has been sent.
    pub(crate) fn reset(mut self: Pin<&mut Self>) -> bool {
        match self.as_mut().withdraw() {
            Some(value) => {
                self.op().load(Cargo::Offer(value));
                true
            }
            None => false,
        }
    }
}

impl<T> Future for Send<'_, T> {
    type Output = Result<(), SendError<T>>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let at = self.at;
        self.op().poll_send(cx, at)
    }
}

impl<T> fmt::Debug for Send<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Send")
            .field("waiting", &self.op.is_waiting())
            .field("at", &self.at)
            .finish_non_exhaustive()
    }
}

/// The future of [`Sender::reserve`][crate::Sender::reserve].
#[must_use = "a future does nothing unless it is awaited"]
pub struct Reserve<'a, T> {
    op: Op<Tx<'a, T>, T>,
    at: &'static Location<'static>,
}

impl<'a, T> Reserve<'a, T> {
    pub(crate) fn new(chan: &'a Chan<T>, at: &'static Location<'static>) -> Self {
        Self { op: Op::new(Tx(chan), Cargo::Empty), at }
    }
}

impl<'a, T> Future for Reserve<'a, T> {
    type Output = Result<Permit<'a, T>, SendError<()>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let (at, chan) = (self.at, self.op.endpoint.0);
        // SAFETY: a projection: `op` is pinned whenever `self` is, and nothing moves it out.
        let op = unsafe { self.map_unchecked_mut(|this| &mut this.op) };
        op.poll_reserve(cx, at).map_ok(|()| Permit::new(chan))
    }
}

impl<T> fmt::Debug for Reserve<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reserve").field("waiting", &self.op.is_waiting()).finish_non_exhaustive()
    }
}

/// A slot of a bounded channel, held until it is used with [`send`][Permit::send] or dropped.
#[must_use = "dropping a permit gives its slot away"]
pub struct Permit<'a, T> {
    chan: Option<&'a Chan<T>>,
}

impl<'a, T> Permit<'a, T> {
    /// The slot is the channel's, and free for nobody else.
    pub(crate) fn new(chan: &'a Chan<T>) -> Self {
        Self { chan: Some(chan) }
    }

    /// Sends into the slot. Never waits.
    ///
    /// # Errors
    /// The channel was closed after the slot was reserved: the value comes back.
    pub fn send(mut self, value: T) -> Result<(), SendError<T>> {
        match self.chan.take() {
            Some(chan) => send_reserved(chan, value),
            None => unreachable!("a permit has its channel until it is used"),
        }
    }
}

/// Sends into a slot held before.
pub(crate) fn send_reserved<T>(chan: &Chan<T>, value: T) -> Result<(), SendError<T>> {
    chan.with(|state, wakes| state.put_reserved(value, wakes)).map_err(SendError)
}

impl<T> Drop for Permit<'_, T> {
    fn drop(&mut self) {
        if let Some(chan) = self.chan.take() {
            chan.with(|state, wakes| state.unreserve(wakes));
        }
    }
}

impl<T> fmt::Debug for Permit<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Permit")
    }
}
