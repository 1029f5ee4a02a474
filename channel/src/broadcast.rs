//! Every receiver sees every value, unless it is too slow: a sender never waits.
//!
//! ```text
//!   number:      7     8     9    10          the last `cap` values are kept, numbered
//!             [ v7  | v8  | v9  | v10 ]  ◄── send (drops v6 now)
//!                      ▲           ▲
//!             receiver at 8        receiver at 11 waits;  one at 5 gets Lagged(2), then v7
//! ```
//!
//! # Invariants
//! L1. `first + kept.len()` is the number of the next value; exactly the last `cap` values are kept while a
//!     receiver lives.
//! L2. A value is cloned and dropped with no lock held: the ring holds shared boxes. A box that nobody looks at any more when it
//!     leaves the ring is filled anew, so sending allocates nothing in the long run.

use std::collections::VecDeque;
use std::error::Error;
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use pirn_sync::host::{self, WaitKind};

use crate::block;
use crate::error::SendError;
use crate::monitor::{Key, Monitor};

#[derive(Debug)]
struct State<T> {
    kept: VecDeque<Arc<T>>,
    first: u64,
    cap: usize,
    senders: usize,
    receivers: usize,
}

impl<T> State<T> {
    fn next(&self) -> u64 {
        self.first + self.kept.len() as u64
    }
}

/// A channel that keeps the last `cap` values for every receiver.
///
/// # Panics
/// If `cap` is 0.
///
/// ```
/// let (tx, mut a) = pirn_channel::broadcast::channel(2);
/// let mut b = tx.subscribe();
/// tx.send(1).unwrap();
/// assert_eq!((a.try_recv(), b.try_recv()), (Ok(1), Ok(1)));
/// ```
#[track_caller]
pub fn channel<T: Clone>(cap: usize) -> (Sender<T>, Receiver<T>) {
    assert!(cap > 0, "a broadcast channel keeps at least one value");
    let state = State { kept: VecDeque::new(), first: 0, cap, senders: 1, receivers: 1 };
    let shared = Arc::new(Monitor::new(state));
    (Sender { shared: shared.clone() }, Receiver { shared, next: 0 })
}

/// The end that sends to everybody.
pub struct Sender<T> {
    shared: Arc<Monitor<State<T>>>,
}

/// The end that sees every value sent after it was made.
pub struct Receiver<T> {
    shared: Arc<Monitor<State<T>>>,
    next: u64,
}

/// Why a receive came without a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RecvError {
    /// So many values were dropped before this receiver came to them. It goes on with the oldest one kept.
    Lagged(u64),
    /// Every sender is gone and every value was seen.
    Closed,
}

/// Why a receive that does not wait came without a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TryRecvError {
    /// Nothing new.
    Empty,
    /// As [`RecvError::Lagged`].
    Lagged(u64),
    /// As [`RecvError::Closed`].
    Closed,
}

impl<T: Clone> Sender<T> {
    /// Sends to all receivers; returns how many there are. Never waits: the oldest value makes room.
    ///
    /// # Errors
    /// [`SendError`] with the value when there is no receiver. Later there may be one again.
    pub fn send(&self, value: T) -> Result<usize, SendError<T>> {
        let mut unsent = Some(value);
        // What has to be dropped once the lock is released.
        let (mut old, mut outgoing) = (None, None);
        let receivers = self.shared.change(|state| {
            if state.receivers == 0 {
                return (0, false);
            }
            if state.kept.len() == state.cap {
                outgoing = state.kept.pop_front();
                state.first += 1;
            }
            let reused = match outgoing.as_mut().and_then(Arc::get_mut) {
                Some(slot) => {
                    old = unsent.take().map(|value| std::mem::replace(slot, value));
                    outgoing.take()
                }
                None => unsent.take().map(Arc::new),
            };
            state.kept.extend(reused);
            (state.receivers, true)
        });
        drop((old, outgoing));
        unsent.map_or(Ok(receivers), |value| Err(SendError(value)))
    }

    /// A new receiver, which sees what is sent from now on.
    pub fn subscribe(&self) -> Receiver<T> {
        subscribe(&self.shared)
    }

    /// How many receivers there are.
    pub fn receiver_count(&self) -> usize {
        self.shared.with(|state| state.receivers)
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        self.shared.with(|state| state.senders += 1);
        Self { shared: self.shared.clone() }
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        self.shared.change(|state| {
            state.senders -= 1;
            ((), state.senders == 0)
        });
    }
}

impl<T: Clone> Receiver<T> {
    /// Waits for the next value.
    ///
    /// # Errors
    /// [`RecvError::Lagged`] when values were dropped before this receiver came to them; [`RecvError::Closed`].
    ///
    /// # Cancel safety
    /// Dropping the future changes nothing: the value stays for the next call.
    ///
    /// # Examples
    /// ```
    /// # smol::block_on(async {
    /// use pirn_channel::broadcast::{self, RecvError};
    ///
    /// let (tx, mut rx) = broadcast::channel(2);
    /// for n in 1..=3 {
    ///     tx.send(n).unwrap();
    /// }
    /// assert_eq!(rx.recv().await, Err(RecvError::Lagged(1)));
    /// assert_eq!(rx.recv().await, Ok(2));
    /// # });
    /// ```
    #[track_caller]
    pub fn recv(&mut self) -> Recv<'_, T> {
        Recv { rx: self, key: None, at: Location::caller() }
    }

    /// [`recv`][Self::recv] for a plain thread: blocks it.
    ///
    /// # Errors
    /// As [`recv`][Self::recv].
    #[track_caller]
    pub fn recv_blocking(&mut self) -> Result<T, RecvError> {
        block::block_on(self.recv())
    }

    /// The next value, if it is there.
    ///
    /// # Errors
    /// See [`TryRecvError`].
    pub fn try_recv(&mut self) -> Result<T, TryRecvError> {
        let next = &mut self.next;
        match self.shared.with(|state| take(state, next)) {
            Some(Ok(value)) => Ok(unbox(value)),
            Some(Err(RecvError::Lagged(n))) => Err(TryRecvError::Lagged(n)),
            Some(Err(RecvError::Closed)) => Err(TryRecvError::Closed),
            None => Err(TryRecvError::Empty),
        }
    }

    /// A new receiver, which sees what is sent from now on; a clone sees all that this one has not seen.
    ///
    /// # Examples
    /// ```
    /// let (tx, rx) = pirn_channel::broadcast::channel(2);
    /// tx.send(1).unwrap();
    /// let (mut twin, mut late) = (rx.clone(), rx.resubscribe());
    /// tx.send(2).unwrap();
    /// assert_eq!((twin.try_recv(), late.try_recv()), (Ok(1), Ok(2)));
    /// ```
    #[must_use = "it makes a receiver and leaves this one as it is"]
    pub fn resubscribe(&self) -> Self {
        subscribe(&self.shared)
    }

    /// How many kept values this receiver has not seen.
    pub fn len(&self) -> usize {
        self.shared.with(|state| (state.next() - self.next.max(state.first)) as usize)
    }

    /// Whether this receiver has seen every value.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A new receiver, for what is sent from now on.
fn subscribe<T>(shared: &Arc<Monitor<State<T>>>) -> Receiver<T> {
    let next = shared.with(|state| {
        state.receivers += 1;
        state.next()
    });
    Receiver { shared: shared.clone(), next }
}

fn take<T>(state: &State<T>, next: &mut u64) -> Option<Result<Arc<T>, RecvError>> {
    if *next < state.first {
        let lost = state.first - *next;
        *next = state.first;
        return Some(Err(RecvError::Lagged(lost)));
    }
    match state.kept.get((*next - state.first) as usize) {
        Some(value) => {
            *next += 1;
            Some(Ok(value.clone()))
        }
        None => (state.senders == 0).then_some(Err(RecvError::Closed)),
    }
}

/// A value of one's own: without a clone if nobody else wants it.
fn unbox<T: Clone>(value: Arc<T>) -> T {
    Arc::try_unwrap(value).unwrap_or_else(|value| T::clone(&value))
}

impl<T> Clone for Receiver<T> {
    /// Another receiver at the same place.
    fn clone(&self) -> Self {
        self.shared.with(|state| state.receivers += 1);
        Self { shared: self.shared.clone(), next: self.next }
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        let unseen = self.shared.with(|state| {
            state.receivers -= 1;
            if state.receivers > 0 {
                return VecDeque::new();
            }
            state.first = state.next();
            std::mem::take(&mut state.kept)
        });
        drop(unseen);
    }
}

/// The future of [`Receiver::recv`].
#[must_use = "a future does nothing unless it is awaited"]
pub struct Recv<'a, T> {
    rx: &'a mut Receiver<T>,
    key: Option<Key>,
    at: &'static Location<'static>,
}

impl<T: Clone> Future for Recv<'_, T> {
    type Output = Result<T, RecvError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if host::poll_yield(cx).is_pending() {
            return Poll::Pending;
        }
        let this = &mut *self;
        let next = &mut this.rx.next;
        let polled = this.rx.shared.poll(&mut this.key, cx, |state| take(state, next));
        if polled.is_pending() {
            host::waiting_on(WaitKind::Recv, this.at);
        }
        polled.map_ok(unbox)
    }
}

impl<T> Drop for Recv<'_, T> {
    fn drop(&mut self) {
        self.rx.shared.leave(&mut self.key);
    }
}

impl fmt::Display for RecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lagged(n) => write!(
                f,
                "the receiver was too slow and missed {n} values; receive on, or use a larger capacity"
            ),
            Self::Closed => f.write_str("every sender is gone; stop receiving"),
        }
    }
}

impl fmt::Display for TryRecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("nothing new; wait with `recv`, or try later"),
            Self::Lagged(n) => RecvError::Lagged(*n).fmt(f),
            Self::Closed => RecvError::Closed.fmt(f),
        }
    }
}

impl Error for RecvError {}
impl Error for TryRecvError {}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("broadcast::Sender")
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("broadcast::Receiver").field("next", &self.next).finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Recv<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("broadcast::Recv").field("waiting", &self.key.is_some()).finish_non_exhaustive()
    }
}
