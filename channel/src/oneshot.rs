//! One value, once: the reply to a request.
//!
//! ```text
//!   OPEN ── send ──► VALUE ── received ──► empty
//!    │ sender dropped ──────────────────► CLOSED     receiver: RecvError
//!    │ receiver dropped or closed ──────► CLOSED     sender: the value comes back
//! ```
//! Sending never waits, so it is no future. The value is in the channel or with the receiver, never in between: a
//! receiver that is dropped after the send drops the value. There are two parties only, so one word decides everything.
//!
//! # The word
//! `VALUE` and `CLOSED` end the channel; whichever is set first decides, and neither is taken back. `RX_WAITS` and `TX_WAITS` say that
//! the receiver's waker, or that of [`Sender::closed`], lies in its slot for the other side.
//!
//! # Invariants
//! O1. The value's slot is the sender's until `VALUE` is set, and the receiver's from then on.
//! O2. A waker's slot belongs to the side that waits. It becomes the other side's when that side ends the word while the
//!     slot's bit is set in it. So a side that wants its slot back clears the bit; the slot is its own again, unless
//!     the word had ended by then.
//!
//! # Orderings
//! | # | access | order | with | why | weakened, fails in |
//! |---|---|---|---|---|---|
//! | 1 | `Shared::end`: exchange | `AcqRel` | 2, 4 | publishes the value; sees the other side's waker | `loom::send_against_a_poll_that_nobody_woke` |
//! | 2 | `Shared::word`: load | `Acquire` | 1 | sees the value | `loom::of_two_that_send_and_look_one_finds` |
//! | 3 | [`try_recv`][Receiver::try_recv], before it says that nothing is there, and [`is_closed`][Sender::is_closed], before it says no: fence | `SeqCst` | itself, and that of `chan` | of two that each send (or close), and then look for what the other has done, one finds it | `loom::of_two_that_send_and_look_one_finds`, `loom::of_two_that_close_and_look_one_finds` |
//! | 4 | setting and taking away a `WAITS` bit | `AcqRel` | 1 | publishes the waker; sees what was done before the end, if that is there | `loom::send_against_another_waker`, `loom::who_is_told_that_the_receiver_is_gone_sees_what_came_before`; in the drop of [`Closed`] nothing is relied on |

use std::fmt;
use std::future::Future;
use std::panic::{Location, RefUnwindSafe};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use pirn_sync::host::{self, WaitKind};
use pirn_sync::primitive::atomic::{fence, AtomicU8, Ordering};
use pirn_sync::primitive::{Arc, UnsafeCell};
use pirn_sync::unwind;

use crate::block;
use crate::error::{RecvError, TryRecvError};

const VALUE: u8 = 1;
const CLOSED: u8 = 2;
const ENDED: u8 = VALUE | CLOSED;
const RX_WAITS: u8 = 4;
const TX_WAITS: u8 = 8;

/// What both ends share.
struct Shared<T> {
    word: AtomicU8,
    value: UnsafeCell<Option<T>>,
    rx_waker: UnsafeCell<Option<Waker>>,
    tx_waker: UnsafeCell<Option<Waker>>,
}

// SAFETY: it sends a value of T from one side to the other; each slot is one side's at a time (O1, O2).
unsafe impl<T: Send> Sync for Shared<T> {}

// A waker that panics as it is cloned or dropped does so while no bit says that one lies in the slot.
impl<T> RefUnwindSafe for Shared<T> {}

impl<T> Shared<T> {
    fn word(&self) -> u8 {
        self.word.load(Ordering::Acquire)
    }

    /// Ends the channel with `how` unless it has ended; the word before.
    fn end(&self, how: u8) -> u8 {
        // Relaxed: a stale guess only fails the exchange, which is row 1.
        let mut word = self.word.load(Ordering::Relaxed);
        while word & ENDED == 0 {
            match self.word.compare_exchange_weak(word, word | how, Ordering::AcqRel, Ordering::Acquire) {
                Ok(before) => return before,
                Err(now) => word = now,
            }
        }
        // It had ended: by the other side's exchange, or by this side's own.
        self.word()
    }

    /// Closes; if this call did it, the other side's waker in `slot` is woken, and this side's own is dropped.
    #[inline]
    fn close(&self, theirs: (u8, &UnsafeCell<Option<Waker>>), mine: (u8, &UnsafeCell<Option<Waker>>)) {
        let before = self.end(CLOSED);
        if before & ENDED == 0 {
            Self::let_go(before, theirs, mine);
        }
    }

    /// This side has ended the word, which was `before`.
    fn let_go(before: u8, theirs: (u8, &UnsafeCell<Option<Waker>>), mine: (u8, &UnsafeCell<Option<Waker>>)) {
        // SAFETY: O2: this side has ended the word, in which the bits were set: theirs is ours now, and mine stays so.
        let (theirs, mine) = unsafe {
            (
                (before & theirs.0 != 0).then(|| take(theirs.1)).flatten(),
                (before & mine.0 != 0).then(|| take(mine.1)).flatten(),
            )
        };
        match theirs {
            Some(theirs) => unwind::both(|| theirs.wake(), || drop(mine)),
            None => unwind::step(|| drop(mine)),
        }
    }

    /// Waits for the end of the word, with the waker in `slot`. True if it has ended.
    fn poll_end(&self, bit: u8, slot: &UnsafeCell<Option<Waker>>, cx: &Context<'_>) -> bool {
        let mut word = self.word();
        if word & ENDED == 0 && word & bit != 0 {
            // Take the slot back before it is touched.
            word = self.word.fetch_and(!bit, Ordering::AcqRel);
        }
        if word & ENDED != 0 {
            return true;
        }
        // SAFETY: O2: the bit is not set, and the word had not ended when it was taken away.
        let old = unsafe {
            let known = slot.with(|slot| (*slot).as_ref().is_some_and(|old| old.will_wake(cx.waker())));
            if known {
                None
            } else {
                replace(slot, Some(cx.waker().clone()))
            }
        };
        drop(old);
        self.word.fetch_or(bit, Ordering::AcqRel) & ENDED != 0
    }

    /// Takes the value out, if it was sent and is still there.
    ///
    /// # Safety
    /// The receiver calls.
    unsafe fn receive(&self) -> Option<Result<T, TryRecvError>> {
        match self.word() {
            // SAFETY: O1, and the caller's promise.
            word if word & VALUE != 0 => Some(unsafe { take(&self.value) }.ok_or(TryRecvError::Closed)),
            word if word & CLOSED != 0 => Some(Err(TryRecvError::Closed)),
            _ => None,
        }
    }

    fn rx(&self) -> (u8, &UnsafeCell<Option<Waker>>) {
        (RX_WAITS, &self.rx_waker)
    }

    fn tx(&self) -> (u8, &UnsafeCell<Option<Waker>>) {
        (TX_WAITS, &self.tx_waker)
    }
}

/// # Safety
/// The slot is the caller's (O1, O2).
unsafe fn replace<V>(slot: &UnsafeCell<Option<V>>, value: Option<V>) -> Option<V> {
    // SAFETY: the caller's promise.
    slot.with_mut(|slot| std::mem::replace(unsafe { &mut *slot }, value))
}

/// # Safety
/// The slot is the caller's (O1, O2).
unsafe fn take<V>(slot: &UnsafeCell<Option<V>>) -> Option<V> {
    // SAFETY: the caller's promise.
    unsafe { replace(slot, None) }
}

/// A channel for one value.
///
/// ```
/// let (tx, rx) = pirn_channel::oneshot::channel();
/// tx.send("done").unwrap();
/// assert_eq!(rx.recv_blocking(), Ok("done"));
/// ```
pub fn channel<T>() -> (Sender<T>, Receiver<T>) {
    let shared = Arc::new(Shared {
        word: AtomicU8::new(0),
        value: UnsafeCell::new(None),
        rx_waker: UnsafeCell::new(None),
        tx_waker: UnsafeCell::new(None),
    });
    (Sender { shared: Some(shared.clone()) }, Receiver { shared })
}

/// The end that sends the one value.
pub struct Sender<T> {
    shared: Option<Arc<Shared<T>>>,
}

/// The end that receives the one value: a future of it.
///
/// # Cancel safety
/// Dropping it closes the channel, and drops the value if it was sent. To wait for it within a `select!` in a loop, put `&mut rx` in the branch.
#[must_use = "a future does nothing unless it is awaited"]
pub struct Receiver<T> {
    shared: Arc<Shared<T>>,
}

impl<T> Sender<T> {
    /// Sends the value. Never waits.
    ///
    /// # Errors
    /// The value, when the receiver is gone or closed.
    pub fn send(mut self, value: T) -> Result<(), T> {
        let Some(shared) = self.shared.take() else {
            unreachable!("only `send` takes the channel out of its sender")
        };
        if shared.word() & ENDED != 0 {
            return Err(value);
        }
        // SAFETY: O1: the sender's, until `VALUE` is set.
        unsafe { replace(&shared.value, Some(value)) };
        let before = shared.end(VALUE);
        if before & ENDED != 0 {
            // SAFETY: O1: the receiver closed it first, so `VALUE` will never be set.
            return unsafe { take(&shared.value) }.map_or(Ok(()), Err);
        }
        if before & RX_WAITS != 0 {
            // SAFETY: O2: this call ended the word, in which the bit was set.
            let waker = unsafe { take(&shared.rx_waker) };
            waker.into_iter().for_each(|waker| unwind::step(|| waker.wake()));
        }
        Ok(())
    }

    /// Whether the receiver is gone or closed.
    pub fn is_closed(&self) -> bool {
        self.shared.as_ref().is_none_or(|shared| {
            let ended = || shared.word() & ENDED != 0;
            ended() || {
                // Row 3: who finds it open goes on with its work.
                fence(Ordering::SeqCst);
                ended()
            }
        })
    }

    /// Waits until the receiver is gone or closed: nobody wants the value any more.
    ///
    /// # Cancel safety
    /// Dropping the future changes nothing.
    ///
    /// # Examples
    /// ```
    /// # smol::block_on(async {
    /// let (mut answer, question) = pirn_channel::oneshot::channel::<u32>();
    /// drop(question);
    /// answer.closed().await; // so there is no need to work it out
    /// # });
    /// ```
    #[track_caller]
    pub fn closed(&mut self) -> Closed<'_, T> {
        Closed { sender: self, at: Location::caller() }
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        if let Some(shared) = self.shared.take() {
            shared.close(shared.rx(), shared.tx());
        }
    }
}

impl<T> Receiver<T> {
    /// Takes the value if it is there.
    ///
    /// # Errors
    /// [`TryRecvError::Empty`] before it is sent, [`TryRecvError::Closed`] when it never will be or was taken.
    pub fn try_recv(&mut self) -> Result<T, TryRecvError> {
        // SAFETY: this is the receiver.
        let receive = || unsafe { self.shared.receive() };
        let again = || {
            fence(Ordering::SeqCst);
            receive()
        };
        receive().or_else(again).unwrap_or(Err(TryRecvError::Empty))
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
        self.shared.close(self.shared.tx(), self.shared.rx());
    }
}

impl<T> Future for Receiver<T> {
    type Output = Result<T, RecvError>;

    #[track_caller]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if host::poll_yield(cx).is_pending() {
            return Poll::Pending;
        }
        let (bit, slot) = self.shared.rx();
        if !self.shared.poll_end(bit, slot, cx) {
            host::waiting_on(WaitKind::Recv, Location::caller());
            return Poll::Pending;
        }
        // SAFETY: this is the receiver.
        Poll::Ready(unsafe { self.shared.receive() }.and_then(Result::ok).ok_or(RecvError))
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        self.close();
        // SAFETY: this is the receiver.
        let unread = unsafe { self.shared.receive() };
        drop(unread);
    }
}

/// The future of [`Sender::closed`].
#[must_use = "a future does nothing unless it is awaited"]
pub struct Closed<'a, T> {
    sender: &'a Sender<T>,
    at: &'static Location<'static>,
}

impl<T> Future for Closed<'_, T> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if host::poll_yield(cx).is_pending() {
            return Poll::Pending;
        }
        let Some(shared) = &self.sender.shared else { return Poll::Ready(()) };
        let (bit, slot) = shared.tx();
        if shared.poll_end(bit, slot, cx) {
            return Poll::Ready(());
        }
        host::waiting_on(WaitKind::Send, self.at);
        Poll::Pending
    }
}

impl<T> Drop for Closed<'_, T> {
    fn drop(&mut self) {
        let Some(shared) = &self.sender.shared else { return };
        let (bit, slot) = shared.tx();
        let word = shared.word.fetch_and(!bit, Ordering::AcqRel);
        if word & ENDED == 0 && word & bit != 0 {
            // SAFETY: O2: the bit was taken away before the word ended.
            drop(unsafe { take(slot) });
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
        let waiting = self.shared.word() & RX_WAITS != 0;
        f.debug_struct("Receiver").field("waiting", &waiting).finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Closed<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Closed").field("at", &self.at).finish_non_exhaustive()
    }
}

#[cfg(all(test, loom))]
mod loom;
