//! [`Closed`]: waiting until a channel is closed, without sending.
//!
//! It waits in no queue: nobody hands anything to it, and only a close ends it. So its waker lies among what only few channels
//! have, where no send and no receive looks. A close takes all of them at once.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{ready, Context, Poll};

use pirn_sync::host::{self, WaitKind};

use crate::chan::Chan;

/// The future of [`Sender::closed`][crate::Sender::closed].
#[must_use = "a future does nothing unless it is awaited"]
pub struct Closed<'a, T> {
    chan: &'a Chan<T>,
    /// Where its waker lies, until the channel closes.
    key: Option<usize>,
    at: &'static Location<'static>,
}

impl<'a, T> Closed<'a, T> {
    pub(super) fn new(chan: &'a Chan<T>, at: &'static Location<'static>) -> Self {
        Self { chan, key: None, at }
    }
}

impl<T> Future for Closed<'_, T> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        ready!(host::poll_yield(cx));
        let Self { chan, key, at } = self.get_mut();
        let mut waker = Some(cx.waker().clone());
        let (closed, old) = chan.locked(|state| (state.is_closed(), state.wait_for_close(key, &mut waker)));
        drop((old, waker));
        if closed {
            return Poll::Ready(());
        }
        host::waiting_on(WaitKind::Send, at);
        Poll::Pending
    }
}

impl<T> Drop for Closed<'_, T> {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            let waker = self.chan.locked(|state| state.no_more_wait_for_close(key));
            drop(waker);
        }
    }
}

impl<T> fmt::Debug for Closed<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Closed").field("at", &self.at).finish_non_exhaustive()
    }
}
