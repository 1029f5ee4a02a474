//! Slots that borrow nothing: [`ReserveOwned`], and the [`OwnedPermit`] that it gives.
//!
//! Both own a sender. The future also holds the channel by itself: what waits there stays with the future, while the sender
//! goes on to the permit.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use pirn_sync::primitive::Arc;

use super::Sender;
use crate::cargo::Cargo;
use crate::chan::Chan;
use crate::error::SendError;
use crate::send::send_reserved;
use crate::wait::{Endpoint, Op};
use crate::wait_queue::Side;

/// A channel that is kept alive while something waits to send on it.
struct OwnedTx<T>(Arc<Chan<T>>);

// SAFETY: the reference is never exchanged.
unsafe impl<T> Endpoint<T> for OwnedTx<T> {
    const SIDE: Side = Side::Senders;
    fn chan(&self) -> &Chan<T> {
        &self.0
    }
}

/// The future of [`Sender::reserve_owned`][crate::Sender::reserve_owned].
///
/// Not `Unpin`: while it waits, it stands in the channel's queue.
#[must_use = "a future does nothing unless it is awaited"]
pub struct ReserveOwned<T> {
    // Dropped first: a slot that was granted goes on while the channel still has this sender.
    op: Op<OwnedTx<T>, T>,
    sender: Option<Sender<T>>,
    at: &'static Location<'static>,
}

impl<T> ReserveOwned<T> {
    pub(crate) fn new(sender: Sender<T>, at: &'static Location<'static>) -> Self {
        Self { op: Op::new(OwnedTx(sender.chan.clone()), Cargo::Empty), sender: Some(sender), at }
    }
}

impl<T> Future for ReserveOwned<T> {
    type Output = Result<OwnedPermit<T>, SendError<()>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let at = self.at;
        // SAFETY: a projection: `op` is pinned whenever `self` is, and nothing moves it out; `sender` never is.
        let (op, sender) = unsafe {
            let this = self.get_unchecked_mut();
            (Pin::new_unchecked(&mut this.op), &mut this.sender)
        };
        assert!(sender.is_some(), "a reserve was polled after it had completed");
        op.poll_reserve(cx, at).map(|granted| {
            let sender = sender.take();
            granted.map(|()| OwnedPermit { sender })
        })
    }
}

impl<T> fmt::Debug for ReserveOwned<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReserveOwned").field("waiting", &self.op.is_waiting()).finish_non_exhaustive()
    }
}

/// A slot of a bounded channel with the sender that holds it, until it is used with [`send`][OwnedPermit::send], given away with
/// [`release`][OwnedPermit::release], or dropped. It keeps the channel open as that sender does.
#[must_use = "dropping a permit gives its slot away, and drops its sender"]
pub struct OwnedPermit<T> {
    sender: Option<Sender<T>>,
}

impl<T> OwnedPermit<T> {
    /// The slot is the sender's.
    pub(super) fn new(sender: Sender<T>) -> Self {
        Self { sender: Some(sender) }
    }

    /// Sends into the slot, and gives the sender back. Never waits.
    ///
    /// # Errors
    /// The channel was closed after the slot was reserved: the value comes back. The sender is dropped.
    pub fn send(mut self, value: T) -> Result<Sender<T>, SendError<T>> {
        let sender = self.take();
        send_reserved(&sender.chan, value).map(|()| sender)
    }

    /// Gives the slot away unused, and the sender back.
    pub fn release(mut self) -> Sender<T> {
        let sender = self.take();
        sender.chan.with(|state, wakes| state.unreserve(wakes));
        sender
    }

    fn take(&mut self) -> Sender<T> {
        match self.sender.take() {
            Some(sender) => sender,
            None => unreachable!("a permit has its sender until it is used"),
        }
    }
}

impl<T> Drop for OwnedPermit<T> {
    fn drop(&mut self) {
        if let Some(sender) = self.sender.take() {
            sender.chan.with(|state, wakes| state.unreserve(wakes));
        }
    }
}

impl<T> fmt::Debug for OwnedPermit<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OwnedPermit")
    }
}
