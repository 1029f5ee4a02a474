//! The receiving handle: [`Receiver`], its blocking iterators, and [`WeakReceiver`].
//!
//! A receiver is also a `Stream`, which waits in a box of the handle's (see [`stream`][crate::stream]): any other receive on the
//! handle, and dropping it, ends that wait and passes on what it was given.

use std::fmt;
use std::panic::Location;
use std::pin::{pin, Pin};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_core::{FusedStream, Stream};
use pirn_sync::primitive::atomic::Ordering;
use pirn_sync::primitive::Arc;
use pirn_sync::unwind;

use crate::block;
use crate::cargo::Cargo;
use crate::chan::Chan;
use crate::error::{RecvError, RecvTimeoutError, TryRecvError};
use crate::recv::{Recv, RecvMany};
use crate::stream::{Shared, StreamWait};
use crate::wait::Op;

/// The end that receives. Cloning it makes another receiver; each value goes to one of them.
///
/// The channel closes when its last receiver is dropped; what is buffered is then dropped at once.
pub struct Receiver<T> {
    pub(crate) chan: Arc<Chan<T>>,
    /// The receive of a pending stream poll.
    stream: StreamWait<T>,
}

impl<T> Receiver<T> {
    pub(crate) fn new(chan: Arc<Chan<T>>) -> Self {
        Self { chan, stream: StreamWait::new() }
    }

    /// Receives the next value, waiting while there is none.
    ///
    /// # Errors
    /// [`RecvError`] when the channel is closed and drained.
    ///
    /// # Cancel safety
    /// Nothing is lost: a value that was handed to a future which is dropped goes to the next receiver that waits, or
    /// back ahead of the buffer.
    ///
    /// # Panics
    /// When the waker of a sender that is woken panics. The value that was being received is then dropped, though its sender
    /// was told that it was sent. So it is with every way to receive.
    #[track_caller]
    pub fn recv(&self) -> Recv<'_, T> {
        Recv::new(self, Location::caller())
    }

    /// Receives a value if one is there.
    ///
    /// # Errors
    /// [`TryRecvError::Empty`] when there is none yet, [`TryRecvError::Closed`] when there never will be.
    ///
    /// # Panics
    /// As [`recv`][Self::recv].
    #[inline]
    pub fn try_recv(&self) -> Result<T, TryRecvError> {
        self.end_stream_wait();
        self.chan.try_recv()
    }

    /// Receives up to `limit` values: waits for the first, then takes what is there. Returns how many it
    /// pushed onto `into`: 0 only if the channel is closed and drained, or `limit` is 0.
    ///
    /// # Cancel safety
    /// Nothing is lost: `into` is touched only in the poll that completes.
    #[track_caller]
    pub fn recv_many<'a>(&'a self, into: &'a mut Vec<T>, limit: usize) -> RecvMany<'a, T> {
        RecvMany::new(self.recv(), into, limit)
    }

    /// [`recv`][Self::recv] for a plain thread: blocks it.
    ///
    /// # Errors
    /// As [`recv`][Self::recv].
    #[track_caller]
    pub fn recv_blocking(&self) -> Result<T, RecvError> {
        self.end_stream_wait();
        let look = || match self.chan.recv_at_once() {
            Ok(value) => Some(Ok(value)),
            Err(TryRecvError::Closed) => Some(Err(RecvError)),
            Err(TryRecvError::Empty) => None,
        };
        look().or_else(|| block::look_again(look)).unwrap_or_else(|| block::block_on(self.recv()))
    }

    /// [`recv_blocking`][Self::recv_blocking] for at most `limit`.
    ///
    /// # Errors
    /// [`RecvTimeoutError::Timeout`] when the time is up, [`RecvTimeoutError::Closed`] when no value will ever come.
    #[track_caller]
    pub fn recv_timeout_blocking(&self, limit: Duration) -> Result<T, RecvTimeoutError> {
        let mut recv = pin!(self.recv());
        match block::block_on_for(recv.as_mut(), limit) {
            Some(Ok(value)) => Ok(value),
            Some(Err(RecvError)) => Err(RecvTimeoutError::Closed),
            None => match recv.as_mut().collect_late() {
                Some(value) => Ok(value),
                None => Err(RecvTimeoutError::Timeout),
            },
        }
    }

    /// An iterator that blocks for each value and ends when the channel is closed and drained.
    pub fn iter(&self) -> Iter<'_, T> {
        Iter { rx: self }
    }

    /// An iterator over what is there now; it never blocks.
    pub fn try_iter(&self) -> TryIter<'_, T> {
        TryIter { rx: self }
    }

    /// Another handle that does not keep the channel open.
    #[must_use = "it makes a weak handle and leaves this one as it is"]
    pub fn downgrade(&self) -> WeakReceiver<T> {
        WeakReceiver { chan: self.chan.clone() }
    }

    /// Ends a stream poll's wait, passing on what it was given.
    #[inline]
    pub(crate) fn end_stream_wait(&self) {
        if !self.stream.is_empty() {
            self.end_stream_wait_now();
        }
    }

    #[cold]
    fn end_stream_wait_now(&self) {
        drop(self.stream.take());
    }
}

impl<T> Stream for Receiver<T> {
    type Item = T;

    #[track_caller]
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let this = self.get_mut();
        let mut op = match this.stream.take() {
            Some(op) => op,
            None => Box::pin(Op::new(Shared(this.chan.clone()), Cargo::Empty)),
        };
        let polled = op.as_mut().poll_recv(cx, Location::caller());
        match polled {
            Poll::Ready(Err(_)) => this.stream.end(),
            _ => this.stream.put(op),
        }
        polled.map(Result::ok)
    }
}

/// Terminated once it has returned `None`.
///
/// (Should a future of another receiver be dropped after that which had been handed a value, the value comes back and can
/// still be received, by this stream as well.)
///
/// # Examples
/// ```
/// use futures_core::FusedStream;
/// use smol::{block_on, stream::StreamExt};
///
/// let (tx, mut rx) = pirn_channel::bounded(1);
/// tx.try_send(1).unwrap();
/// drop(tx);
/// assert_eq!(block_on(rx.next()), Some(1));
/// assert!(!rx.is_terminated(), "nobody has been told");
/// assert_eq!(block_on(rx.next()), None);
/// assert!(rx.is_terminated());
/// ```
impl<T> FusedStream for Receiver<T> {
    fn is_terminated(&self) -> bool {
        self.stream.has_ended()
    }
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Self {
        // Relaxed: whoever clones a handle holds one, so the count cannot reach zero meanwhile.
        self.chan.receivers.fetch_add(1, Ordering::Relaxed);
        Self::new(self.chan.clone())
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        // What the wait was given goes on to the next, whose waker may panic: this receiver is gone all the same.
        unwind::both(|| self.end_stream_wait(), || self.chan.drop_receiver());
    }
}

crate::handle::getters!(Receiver);

/// A receiver that does not keep its channel open.
pub struct WeakReceiver<T> {
    chan: Arc<Chan<T>>,
}

impl<T> WeakReceiver<T> {
    /// A receiver, if one still lives.
    pub fn upgrade(&self) -> Option<Receiver<T>> {
        Chan::<T>::upgrade(&self.chan.receivers).then(|| Receiver::new(self.chan.clone()))
    }
}

impl<T> Clone for WeakReceiver<T> {
    fn clone(&self) -> Self {
        Self { chan: self.chan.clone() }
    }
}

impl<T> fmt::Debug for WeakReceiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WeakReceiver")
    }
}

/// The blocking iterator of [`Receiver::iter`].
#[derive(Debug)]
pub struct Iter<'a, T> {
    rx: &'a Receiver<T>,
}

impl<T> Iterator for Iter<'_, T> {
    type Item = T;

    #[track_caller]
    fn next(&mut self) -> Option<T> {
        self.rx.recv_blocking().ok()
    }
}

/// The iterator of [`Receiver::try_iter`].
#[derive(Debug)]
pub struct TryIter<'a, T> {
    rx: &'a Receiver<T>,
}

impl<T> Iterator for TryIter<'_, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.rx.try_recv().ok()
    }
}

/// The blocking iterator that owns its receiver.
#[derive(Debug)]
pub struct IntoIter<T> {
    rx: Receiver<T>,
}

impl<T> Iterator for IntoIter<T> {
    type Item = T;

    #[track_caller]
    fn next(&mut self) -> Option<T> {
        self.rx.recv_blocking().ok()
    }
}

impl<'a, T> IntoIterator for &'a Receiver<T> {
    type Item = T;
    type IntoIter = Iter<'a, T>;

    fn into_iter(self) -> Iter<'a, T> {
        self.iter()
    }
}

impl<T> IntoIterator for Receiver<T> {
    type Item = T;
    type IntoIter = IntoIter<T>;

    fn into_iter(self) -> IntoIter<T> {
        IntoIter { rx: self }
    }
}
