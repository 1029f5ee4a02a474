//! The sending handle: [`Sender`], and [`WeakSender`] that does not keep a channel open.

mod closed;
mod owned;

use std::fmt;
use std::panic::Location;
use std::pin::pin;
use std::time::Duration;

use pirn_sync::primitive::atomic::Ordering;
use pirn_sync::primitive::Arc;

use crate::block;
use crate::chan::Chan;
use crate::error::{SendError, SendTimeoutError, TrySendError};
use crate::send::{Permit, Reserve, Send};

pub use closed::Closed;
pub use owned::{OwnedPermit, ReserveOwned};

/// The end that sends. Cloning it makes another sender of the same channel.
///
/// The channel closes when its last sender is dropped: receivers then drain what is buffered, and learn of it.
pub struct Sender<T> {
    pub(crate) chan: Arc<Chan<T>>,
}

impl<T> Sender<T> {
    /// Sends `value`, waiting while the buffer is full; on an unbuffered channel until a receiver has been claimed.
    ///
    /// # Errors
    /// [`SendError`] with the value when the channel is or becomes closed.
    ///
    /// # Cancel safety
    /// A `Send` that is dropped either had sent its value, or drops it with itself and leaves no trace in the channel.
    ///
    /// # Examples
    /// ```
    /// # smol::block_on(async {
    /// let (tx, rx) = pirn_channel::bounded(1);
    /// tx.send("one").await?;
    /// assert_eq!(rx.recv().await, Ok("one"));
    /// # Ok::<_, pirn_channel::SendError<&str>>(()) }).unwrap();
    /// ```
    #[track_caller]
    pub fn send(&self, value: T) -> Send<'_, T> {
        Send::new(&self.chan, value, Location::caller())
    }

    /// Sends `value` if that needs no waiting: there is room, or a receiver waits. (A receiver in a `select!` does not wait
    /// while that select is being polled.)
    ///
    /// # Errors
    /// [`TrySendError::Closed`] or [`TrySendError::Full`], with the value. Closed beats full.
    ///
    /// ```
    /// let (tx, rx) = pirn_channel::bounded(1);
    /// assert!(tx.try_send(1).is_ok());
    /// assert!(tx.try_send(2).unwrap_err().is_full());
    /// # drop(rx);
    /// ```
    pub fn try_send(&self, value: T) -> Result<(), TrySendError<T>> {
        self.chan.try_send(value)
    }

    /// Waits for a free slot and holds it, so that a value can be made once it is sure that there is room for it.
    ///
    /// Waits in the same queue as the sends, first come, first served.
    ///
    /// # Errors
    /// The channel is or becomes closed.
    ///
    /// # Panics
    /// On an unbuffered channel, which has no slot to hold.
    ///
    /// # Cancel safety
    /// A slot that was granted to a future which is dropped goes to the next sender that waits.
    ///
    /// # Examples
    /// ```
    /// # smol::block_on(async {
    /// let (tx, rx) = pirn_channel::bounded(1);
    /// let slot = tx.reserve().await.unwrap();
    /// assert!(tx.try_send(1).unwrap_err().is_full(), "the slot is held");
    /// slot.send(2).unwrap();
    /// assert_eq!(rx.try_recv(), Ok(2));
    /// # });
    /// ```
    #[track_caller]
    pub fn reserve(&self) -> Reserve<'_, T> {
        self.assert_slots();
        Reserve::new(&self.chan, Location::caller())
    }

    /// [`reserve`][Self::reserve] without waiting.
    ///
    /// # Errors
    /// [`TrySendError::Full`] when no slot is free, [`TrySendError::Closed`] when the channel is closed.
    ///
    /// # Panics
    /// As [`reserve`][Self::reserve].
    ///
    /// # Examples
    /// ```
    /// let (tx, rx) = pirn_channel::bounded(1);
    /// let slot = tx.try_reserve().unwrap();
    /// assert!(tx.try_reserve().unwrap_err().is_full());
    /// slot.send(2).unwrap();
    /// assert_eq!(rx.try_recv(), Ok(2));
    /// ```
    #[track_caller]
    pub fn try_reserve(&self) -> Result<Permit<'_, T>, TrySendError<()>> {
        self.assert_slots();
        self.chan.with(|state, _| state.reserve()).map(|()| Permit::new(&self.chan))
    }

    /// [`reserve`][Self::reserve] with a permit that borrows nothing: it takes this sender along, and gives it back as it is
    /// used. To keep a sender, clone it first.
    ///
    /// # Errors
    /// As [`reserve`][Self::reserve]. The sender is dropped.
    ///
    /// # Panics
    /// As [`reserve`][Self::reserve].
    ///
    /// # Cancel safety
    /// As [`reserve`][Self::reserve]: the slot goes on. The sender is dropped with the future, which closes the channel if it
    /// was the last.
    ///
    /// # Examples
    /// ```
    /// # smol::block_on(async {
    /// let (tx, rx) = pirn_channel::bounded(1);
    /// let slot = tx.clone().reserve_owned().await.unwrap();
    /// let worker = std::thread::spawn(move || slot.send(6 * 7).unwrap());
    /// assert_eq!(rx.recv().await, Ok(42));
    /// assert!(worker.join().unwrap().same_channel(&tx));
    /// # });
    /// ```
    #[track_caller]
    pub fn reserve_owned(self) -> ReserveOwned<T> {
        self.assert_slots();
        ReserveOwned::new(self, Location::caller())
    }

    /// [`reserve_owned`][Self::reserve_owned] without waiting.
    ///
    /// # Errors
    /// As [`try_reserve`][Self::try_reserve]: the sender comes back.
    ///
    /// # Panics
    /// As [`reserve`][Self::reserve].
    ///
    /// # Examples
    /// ```
    /// let (tx, rx) = pirn_channel::bounded(1);
    /// let slot = tx.try_reserve_owned().unwrap();
    /// let tx = slot.send(2).unwrap();
    /// let tx = tx.try_reserve_owned().unwrap_err().into_inner();
    /// assert_eq!((rx.try_recv(), tx.len()), (Ok(2), 0));
    /// ```
    #[track_caller]
    pub fn try_reserve_owned(self) -> Result<OwnedPermit<T>, TrySendError<Self>> {
        self.assert_slots();
        match self.chan.with(|state, _| state.reserve()) {
            Ok(()) => Ok(OwnedPermit::new(self)),
            Err(TrySendError::Full(())) => Err(TrySendError::Full(self)),
            Err(TrySendError::Closed(())) => Err(TrySendError::Closed(self)),
        }
    }

    #[track_caller]
    fn assert_slots(&self) {
        assert!(self.capacity() != Some(0), "an unbuffered channel has no slot to reserve: use `send`");
    }

    /// Waits until the channel is closed: no receiver is left, or somebody has called [`close`][Self::close]. Then nobody wants
    /// what would be sent.
    ///
    /// # Cancel safety
    /// Dropping the future changes nothing.
    ///
    /// # Examples
    /// ```
    /// # smol::block_on(async {
    /// # async fn measure() -> u32 { std::future::pending().await }
    /// let (tx, rx) = pirn_channel::bounded(1);
    /// # smol::spawn(async move { drop(rx) }).detach();
    /// pirn_channel::select! {
    ///     value = measure() => tx.send(value).await.unwrap(),
    ///     _ = tx.closed() => println!("nobody waits for it any more"),
    /// }
    /// # });
    /// ```
    #[track_caller]
    pub fn closed(&self) -> Closed<'_, T> {
        Closed::new(&self.chan, Location::caller())
    }

    /// [`send`][Self::send] for a plain thread: blocks it.
    ///
    /// # Errors
    /// As [`send`][Self::send].
    #[track_caller]
    pub fn send_blocking(&self, value: T) -> Result<(), SendError<T>> {
        let mut unsent = Some(value);
        let mut look = || match self.chan.send_at_once(unsent.take()?) {
            Ok(()) => Some(Ok(())),
            Err(TrySendError::Closed(value)) => Some(Err(SendError(value))),
            Err(TrySendError::Full(value)) => {
                unsent = Some(value);
                None
            }
        };
        let sent = look().or_else(|| block::look_again(look));
        match (sent, unsent) {
            (None, Some(value)) => block::block_on(self.send(value)),
            (sent, _) => sent.unwrap_or(Ok(())),
        }
    }

    /// [`send_blocking`][Self::send_blocking] for at most `limit`.
    ///
    /// # Errors
    /// [`SendTimeoutError::Timeout`] when the time is up, [`SendTimeoutError::Closed`] when the channel is closed, with the value.
    #[track_caller]
    pub fn send_timeout_blocking(&self, value: T, limit: Duration) -> Result<(), SendTimeoutError<T>> {
        let mut send = pin!(self.send(value));
        match block::block_on_for(send.as_mut(), limit) {
            Some(Ok(())) => Ok(()),
            Some(Err(SendError(value))) => Err(SendTimeoutError::Closed(value)),
            // A partner may have taken the value between the last look and now: then it is sent.
            None => send.as_mut().withdraw().map_or(Ok(()), |value| Err(SendTimeoutError::Timeout(value))),
        }
    }

    /// Another handle that does not keep the channel open.
    #[must_use = "it makes a weak handle and leaves this one as it is"]
    pub fn downgrade(&self) -> WeakSender<T> {
        WeakSender { chan: self.chan.clone() }
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        // Relaxed: whoever clones a handle holds one, so the count cannot reach zero meanwhile.
        self.chan.senders.fetch_add(1, Ordering::Relaxed);
        Self { chan: self.chan.clone() }
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        self.chan.drop_sender();
    }
}

/// A sender that does not keep its channel open.
pub struct WeakSender<T> {
    chan: Arc<Chan<T>>,
}

impl<T> WeakSender<T> {
    /// A sender, if one still lives. On a closed channel its sends fail.
    pub fn upgrade(&self) -> Option<Sender<T>> {
        Chan::<T>::upgrade(&self.chan.senders).then(|| Sender { chan: self.chan.clone() })
    }
}

impl<T> Clone for WeakSender<T> {
    fn clone(&self) -> Self {
        Self { chan: self.chan.clone() }
    }
}

impl<T> fmt::Debug for WeakSender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WeakSender")
    }
}

crate::handle::getters!(Sender);
