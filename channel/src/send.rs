//! The futures that send: [`Send`], and [`Reserve`] with the [`Permit`] that it gives.
//!
//! ```text
//!   unpolled: the value lies here ── poll ──► waiting: it lies in the waiter ──► taken, or closed: it comes back
//!        │                                     │
//!        └── drop: the value is dropped ◄──────┘ (not yet taken)
//! ```
//! A partner that takes the value of a waiting send completes it at that moment, even if the future is never
//! polled again. So dropping a `Send` either leaves the channel without the value, or the value had been sent.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::chan::Chan;
use crate::error::SendError;
use crate::wait::{sent, Seat};
use crate::wait_queue::Key;
use crate::waiter::Cargo;

/// The future of [`Sender::send`][crate::Sender::send].
#[must_use = "a future does nothing unless it is awaited"]
pub struct Send<'a, T> {
    chan: &'a Chan<T>,
    value: Option<T>,
    key: Option<Key>,
    at: &'static Location<'static>,
}

impl<'a, T> Send<'a, T> {
    pub(crate) fn new(chan: &'a Chan<T>, value: T, at: &'static Location<'static>) -> Self {
        Self { chan, value: Some(value), key: None, at }
    }

    /// Ends the wait and takes the value back; `None` if it has been sent.
    pub(crate) fn withdraw(&mut self) -> Option<T> {
        let waiting = match self.key.take().map(|key| self.chan.cancel(key)) {
            Some(Cargo::Offer(value)) => Some(value),
            _ => None,
        };
        waiting.or_else(|| self.value.take())
    }

    pub(crate) fn seat(&mut self, seat: Seat<'_>) -> Option<Result<(), SendError<T>>> {
        self.chan.seat_send(&mut self.value, &mut self.key, seat)
    }

    /// Sends if that needs no waiting.
    pub(crate) fn look(&mut self) -> Option<Result<(), SendError<T>>> {
        match self.chan.try_send(self.value.take()?) {
            Ok(()) => Some(Ok(())),
            Err(crate::TrySendError::Closed(value)) => Some(Err(SendError(value))),
            Err(crate::TrySendError::Full(value)) => {
                self.value = Some(value);
                None
            }
        }
    }

    pub(crate) fn collect(&mut self) -> Option<Result<(), SendError<T>>> {
        self.key.take().map(|key| sent(self.chan.collect(key)))
    }

    pub(crate) fn has_value(&self) -> bool {
        self.value.is_some()
    }

    pub(crate) fn version(&self) -> u64 {
        self.chan.with(|state, _| state.version())
    }

    /// A value that waits no more goes back to where it was before the first poll.
    pub(crate) fn reset(&mut self) {
        self.value = self.withdraw();
    }
}

// The value is never pinned: it moves into the channel.
impl<T> Unpin for Send<'_, T> {}

impl<T> Future for Send<'_, T> {
    type Output = Result<(), SendError<T>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        this.chan.poll_send(&mut this.value, &mut this.key, cx, this.at)
    }
}

impl<T> Drop for Send<'_, T> {
    fn drop(&mut self) {
        if self.key.is_some() {
            drop(self.withdraw());
        }
    }
}

impl<T> fmt::Debug for Send<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Send")
            .field("waiting", &self.key.is_some())
            .field("at", &self.at)
            .finish_non_exhaustive()
    }
}

/// The future of [`Sender::reserve`][crate::Sender::reserve].
#[must_use = "a future does nothing unless it is awaited"]
pub struct Reserve<'a, T> {
    chan: &'a Chan<T>,
    key: Option<Key>,
    at: &'static Location<'static>,
}

impl<'a, T> Reserve<'a, T> {
    pub(crate) fn new(chan: &'a Chan<T>, at: &'static Location<'static>) -> Self {
        Self { chan, key: None, at }
    }
}

impl<'a, T> Future for Reserve<'a, T> {
    type Output = Result<Permit<'a, T>, SendError<()>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let chan = this.chan;
        chan.poll_reserve(&mut this.key, cx, this.at).map_ok(|()| Permit { chan: Some(chan) })
    }
}

impl<T> Drop for Reserve<'_, T> {
    fn drop(&mut self) {
        if let Some(key) = self.key.take() {
            self.chan.cancel(key);
        }
    }
}

impl<T> fmt::Debug for Reserve<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reserve").field("waiting", &self.key.is_some()).finish_non_exhaustive()
    }
}

/// A slot of a bounded channel, held until it is used with [`send`][Permit::send] or dropped.
#[must_use = "dropping a permit gives its slot away"]
pub struct Permit<'a, T> {
    chan: Option<&'a Chan<T>>,
}

impl<T> Permit<'_, T> {
    /// Sends into the slot. Never waits.
    ///
    /// # Errors
    /// The channel was closed after the slot was reserved: the value comes back.
    pub fn send(mut self, value: T) -> Result<(), SendError<T>> {
        match self.chan.take() {
            Some(chan) => chan.with(|state, wakes| state.put_reserved(value, wakes)).map_err(SendError),
            None => unreachable!("a permit has its channel until it is used"),
        }
    }
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
