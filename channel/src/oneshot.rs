//! One value, once: the reply to a request.
//!
//! ```text
//!   OPEN ── send ──► SENT ── received ──► DONE
//!    │ sender dropped ──────────────────► DONE      receiver: RecvError
//!    │ receiver dropped or closed ──────► DONE      sender: the value comes back
//! ```
//! Sending never waits, so it is no future. The value is in the channel or with the receiver, never in between: a
//! receiver that is dropped after the send drops the value.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use pirn_sync::host::{self, WaitKind};
use pirn_sync::primitive::Arc;

use crate::block;
use crate::crowd::Crowd;
use crate::error::{RecvError, TryRecvError};
use crate::wait_queue::Key;

#[derive(Debug)]
enum State<T> {
    Open,
    Sent(T),
    Done,
}

/// A channel for one value.
///
/// ```
/// let (tx, rx) = pirn_channel::oneshot::channel();
/// tx.send("done").unwrap();
/// assert_eq!(rx.recv_blocking(), Ok("done"));
/// ```
pub fn channel<T>() -> (Sender<T>, Receiver<T>) {
    let shared = Arc::new(Crowd::new(State::Open));
    (Sender { shared: Some(shared.clone()) }, Receiver { shared, key: None })
}

/// The end that sends the one value.
pub struct Sender<T> {
    shared: Option<Arc<Crowd<State<T>>>>,
}

/// The end that receives the one value: a future of it.
///
/// # Cancel safety
/// Dropping it closes the channel, and drops the value if it was sent. To wait for it within a `select!` in a loop, put `&mut rx` in the branch.
#[must_use = "a future does nothing unless it is awaited"]
pub struct Receiver<T> {
    shared: Arc<Crowd<State<T>>>,
    key: Option<Key>,
}

impl<T> Sender<T> {
    /// Sends the value. Never waits.
    ///
    /// # Errors
    /// The value, when the receiver is gone or closed.
    pub fn send(mut self, value: T) -> Result<(), T> {
        match self.shared.take() {
            Some(shared) => shared.change(|state| match state {
                State::Open => {
                    *state = State::Sent(value);
                    (Ok(()), true)
                }
                _ => (Err(value), false),
            }),
            None => unreachable!("only `send` takes the channel out of its sender"),
        }
    }

    /// Whether the receiver is gone or closed.
    pub fn is_closed(&self) -> bool {
        self.shared.as_ref().is_none_or(|shared| shared.with(|state| matches!(state, State::Done)))
    }

    /// Waits until the receiver is gone or closed: nobody wants the value any more.
    ///
    /// # Cancel safety
    /// Dropping the future changes nothing.
    #[track_caller]
    pub fn closed(&mut self) -> Closed<'_, T> {
        Closed { sender: self, key: None, at: Location::caller() }
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        if let Some(shared) = self.shared.take() {
            shared.change(|state| match state {
                State::Open => {
                    *state = State::Done;
                    ((), true)
                }
                _ => ((), false),
            });
        }
    }
}

impl<T> Receiver<T> {
    /// Takes the value if it is there.
    ///
    /// # Errors
    /// [`TryRecvError::Empty`] before it is sent, [`TryRecvError::Closed`] when it never will be or was taken.
    pub fn try_recv(&mut self) -> Result<T, TryRecvError> {
        self.shared.with(|state| take(state)).unwrap_or(Err(TryRecvError::Empty))
    }

    /// Waits for the value on a plain thread: blocks it.
    ///
    /// # Errors
    /// [`RecvError`] when the sender was dropped without sending.
    pub fn recv_blocking(self) -> Result<T, RecvError> {
        block::block_on(self)
    }

    /// Refuses the value from now on. One that was sent before can still be received.
    pub fn close(&mut self) {
        self.shared.change(|state| match state {
            State::Open => {
                *state = State::Done;
                ((), true)
            }
            _ => ((), false),
        });
    }
}

/// The value, if the channel is no longer open.
fn take<T>(state: &mut State<T>) -> Option<Result<T, TryRecvError>> {
    match std::mem::replace(state, State::Done) {
        State::Sent(value) => Some(Ok(value)),
        State::Done => Some(Err(TryRecvError::Closed)),
        State::Open => {
            *state = State::Open;
            None
        }
    }
}

impl<T> Future for Receiver<T> {
    type Output = Result<T, RecvError>;

    #[track_caller]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if host::poll_yield(cx).is_pending() {
            return Poll::Pending;
        }
        let this = &mut *self;
        let polled = this.shared.poll(&mut this.key, cx, take);
        if polled.is_pending() {
            host::waiting_on(WaitKind::Recv, Location::caller());
        }
        polled.map_err(|_| RecvError)
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        self.shared.leave(&mut self.key);
        let unread = self.shared.change(|state| (std::mem::replace(state, State::Done), true));
        drop(unread);
    }
}

/// The future of [`Sender::closed`].
#[must_use = "a future does nothing unless it is awaited"]
pub struct Closed<'a, T> {
    sender: &'a Sender<T>,
    key: Option<Key>,
    at: &'static Location<'static>,
}

impl<T> Future for Closed<'_, T> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if host::poll_yield(cx).is_pending() {
            return Poll::Pending;
        }
        let this = &mut *self;
        let Some(shared) = &this.sender.shared else { return Poll::Ready(()) };
        let polled = shared.poll(&mut this.key, cx, |state| matches!(state, State::Done).then_some(()));
        if polled.is_pending() {
            host::waiting_on(WaitKind::Send, this.at);
        }
        polled
    }
}

impl<T> Drop for Closed<'_, T> {
    fn drop(&mut self) {
        if let Some(shared) = &self.sender.shared {
            shared.leave(&mut self.key);
        }
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").field("closed", &self.is_closed()).finish()
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").field("waiting", &self.key.is_some()).finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Closed<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Closed").field("waiting", &self.key.is_some()).finish_non_exhaustive()
    }
}
