//! The latest value of something: a receiver learns that it changed, not how often.
//!
//! ```text
//!   sender ── send ──► [ value, version 7 ] ◄── borrow ── receivers, each of which has seen some version
//!                             │ changed(): waits while seen == version
//! ```
//!
//! # Invariants
//! V1. `version` grows by one with each change, after the value was changed. A receiver that sees a version sees that value or a newer one.
//! V2. A change that was not seen is reported before the channel's end.
//!
//! A borrowed value is read under a read lock, so keep the borrow short. It is not `Send`, so that it cannot be held across an await.

use std::fmt;
use std::future::Future;
use std::ops::Deref;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{ready, Context, Poll};

use parking_lot::{RwLock, RwLockReadGuard};
use pirn_sync::host::{self, WaitKind};

use crate::block;
use crate::error::{RecvError, SendError};
use crate::monitor::{Key, Monitor};

#[derive(Debug)]
struct Shared<T> {
    value: RwLock<T>,
    monitor: Monitor<State>,
}

#[derive(Debug)]
struct State {
    version: u64,
    senders: usize,
    receivers: usize,
}

/// A channel that holds one value, `init` to begin with.
///
/// ```
/// let (tx, mut rx) = pirn_channel::watch::channel("starting");
/// tx.send("running").unwrap();
/// assert_eq!(rx.changed_blocking(), Ok(()));
/// assert_eq!(*rx.borrow(), "running");
/// ```
pub fn channel<T>(init: T) -> (Sender<T>, Receiver<T>) {
    let monitor = Monitor::new(State { version: 0, senders: 1, receivers: 1 });
    let shared = Arc::new(Shared { value: RwLock::new(init), monitor });
    (Sender { shared: shared.clone() }, Receiver { shared, seen: 0 })
}

/// The end that changes the value.
pub struct Sender<T> {
    shared: Arc<Shared<T>>,
}

/// The end that watches the value.
pub struct Receiver<T> {
    shared: Arc<Shared<T>>,
    seen: u64,
}

/// A look at the value, under a read lock.
#[derive(Debug)]
pub struct Ref<'a, T> {
    guard: RwLockReadGuard<'a, T>,
}

impl<T> Deref for Ref<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.guard
    }
}

impl<T> Sender<T> {
    /// Replaces the value and tells every receiver.
    ///
    /// # Errors
    /// [`SendError`] with the value when there is no receiver; then nothing changes.
    pub fn send(&self, value: T) -> Result<(), SendError<T>> {
        if self.receiver_count() == 0 {
            return Err(SendError(value));
        }
        drop(self.send_replace(value));
        Ok(())
    }

    /// Replaces the value, whether or not there is a receiver, and returns the old one.
    pub fn send_replace(&self, value: T) -> T {
        let old = std::mem::replace(&mut *self.shared.value.write(), value);
        self.shared.announce();
        old
    }

    /// Changes the value in place, whether or not there is a receiver. If `modify` panics, receivers are told nothing.
    pub fn send_modify(&self, modify: impl FnOnce(&mut T)) {
        modify(&mut self.shared.value.write());
        self.shared.announce();
    }

    /// As [`send_modify`](Self::send_modify); receivers are told only if `modify` returns true. Returns what it does.
    ///
    /// ```
    /// let (tx, rx) = pirn_channel::watch::channel(3);
    /// let raise_to = |n| tx.send_if_modified(|most| *most < n && { *most = n; true });
    /// assert!(!raise_to(2) && !rx.has_changed());
    /// assert!(raise_to(4) && rx.has_changed());
    /// ```
    pub fn send_if_modified(&self, modify: impl FnOnce(&mut T) -> bool) -> bool {
        let modified = modify(&mut self.shared.value.write());
        if modified {
            self.shared.announce();
        }
        modified
    }

    /// A look at the value, under a read lock. Keep it short, and not across an `.await`.
    ///
    /// Whoever sends blocks its thread until all looks are dropped. So a thread that sends while it holds a look blocks for
    /// ever; and one that takes a second look may, if another thread has begun to send in between.
    pub fn borrow(&self) -> Ref<'_, T> {
        Ref { guard: self.shared.value.read() }
    }

    /// A new receiver, which has seen the present value.
    pub fn subscribe(&self) -> Receiver<T> {
        let seen = self.shared.monitor.with(|state| {
            state.receivers += 1;
            state.version
        });
        Receiver { shared: self.shared.clone(), seen }
    }

    /// How many receivers there are.
    pub fn receiver_count(&self) -> usize {
        self.shared.monitor.with(|state| state.receivers)
    }

    /// Whether no receiver is left.
    pub fn is_closed(&self) -> bool {
        self.receiver_count() == 0
    }
}

impl<T> Shared<T> {
    fn announce(&self) {
        self.monitor.change(|state| {
            state.version += 1;
            ((), true)
        });
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        self.shared.monitor.with(|state| state.senders += 1);
        Self { shared: self.shared.clone() }
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        self.shared.monitor.change(|state| {
            state.senders -= 1;
            ((), state.senders == 0)
        });
    }
}

impl<T> Receiver<T> {
    /// A look at the value, as short as [`Sender::borrow`]'s. It does not count as having seen it.
    pub fn borrow(&self) -> Ref<'_, T> {
        Ref { guard: self.shared.value.read() }
    }

    /// A look at the value, as short as [`Sender::borrow`]'s, which counts as having seen it.
    pub fn borrow_and_update(&mut self) -> Ref<'_, T> {
        // The version first: a change between the two is then reported once too often, never missed.
        self.seen = self.shared.monitor.with(|state| state.version);
        self.borrow()
    }

    /// Whether the value has changed since it was seen last.
    pub fn has_changed(&self) -> bool {
        self.shared.monitor.with(|state| state.version != self.seen)
    }

    /// Waits until the value has changed since it was seen last, and counts that as seeing it.
    ///
    /// # Errors
    /// [`RecvError`] when every sender is gone and the last value was seen.
    ///
    /// # Cancel safety
    /// Dropping the future changes nothing.
    #[track_caller]
    pub fn changed(&mut self) -> Changed<'_, T> {
        Changed { shared: &self.shared, seen: &mut self.seen, key: None, at: Location::caller() }
    }

    /// [`changed`][Self::changed] for a plain thread: blocks it.
    ///
    /// # Errors
    /// As [`changed`][Self::changed].
    #[track_caller]
    pub fn changed_blocking(&mut self) -> Result<(), RecvError> {
        block::block_on(self.changed())
    }

    /// Waits until there is a value that `wanted` accepts, and returns a look at it, which counts as having seen it. The present
    /// value is asked about first, whether or not it was seen before; then the latest after each change.
    ///
    /// `wanted` is called under the read lock (see [`Sender::borrow`]). If it panics, so does this, and nothing else
    /// happens.
    ///
    /// # Errors
    /// [`RecvError`] when every sender is gone and the last value was not accepted.
    ///
    /// # Cancel safety
    /// Dropping the future changes nothing but that the values which were refused count as seen.
    ///
    /// ```
    /// # smol::block_on(async {
    /// let (tx, mut rx) = pirn_channel::watch::channel(1);
    /// std::thread::spawn(move || for n in 2..=10 { tx.send_replace(n); });
    /// assert!(*rx.wait_for(|n| *n > 5).await.unwrap() > 5);
    /// # });
    /// ```
    #[track_caller]
    pub fn wait_for<F: FnMut(&T) -> bool>(&mut self, wanted: F) -> WaitFor<'_, T, F> {
        WaitFor { changed: self.changed(), looked: false, wanted }
    }

    /// [`wait_for`][Self::wait_for] for a plain thread: blocks it.
    ///
    /// # Errors
    /// As [`wait_for`][Self::wait_for].
    #[track_caller]
    pub fn wait_for_blocking(&mut self, wanted: impl FnMut(&T) -> bool) -> Result<Ref<'_, T>, RecvError> {
        block::block_on(self.wait_for(wanted))
    }
}

impl<T> Clone for Receiver<T> {
    /// Another receiver, which has seen what this one has.
    fn clone(&self) -> Self {
        self.shared.monitor.with(|state| state.receivers += 1);
        Self { shared: self.shared.clone(), seen: self.seen }
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        self.shared.monitor.with(|state| state.receivers -= 1);
    }
}

/// The future of [`Receiver::changed`].
#[must_use = "a future does nothing unless it is awaited"]
pub struct Changed<'a, T> {
    shared: &'a Shared<T>,
    seen: &'a mut u64,
    key: Option<Key>,
    at: &'static Location<'static>,
}

impl<T> Future for Changed<'_, T> {
    type Output = Result<(), RecvError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if host::poll_yield(cx).is_pending() {
            return Poll::Pending;
        }
        let this = &mut *self;
        let polled = this.shared.monitor.poll(&mut this.key, cx, |state| {
            if state.version != *this.seen {
                *this.seen = state.version;
                return Some(Ok(()));
            }
            (state.senders == 0).then_some(Err(RecvError))
        });
        if polled.is_pending() {
            host::waiting_on(WaitKind::Recv, this.at);
        }
        polled
    }
}

impl<T> Drop for Changed<'_, T> {
    fn drop(&mut self) {
        self.shared.monitor.leave(&mut self.key);
    }
}

/// The future of [`Receiver::wait_for`].
#[must_use = "a future does nothing unless it is awaited"]
pub struct WaitFor<'a, T, F> {
    changed: Changed<'a, T>,
    /// Whether the value of the version that was seen last has been refused.
    looked: bool,
    wanted: F,
}

// Nothing in it is pinned: `wanted` is only called.
impl<T, F> Unpin for WaitFor<'_, T, F> {}

impl<'a, T, F: FnMut(&T) -> bool> Future for WaitFor<'a, T, F> {
    type Output = Result<Ref<'a, T>, RecvError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        loop {
            ready!(host::poll_yield(cx));
            if !this.looked {
                let shared = this.changed.shared;
                // The version first, as in `borrow_and_update`. It counts as seen once `wanted` has returned.
                let version = shared.monitor.with(|state| state.version);
                let guard = shared.value.read();
                let accepted = (this.wanted)(&guard);
                *this.changed.seen = version;
                if accepted {
                    return Poll::Ready(Ok(Ref { guard }));
                }
                this.looked = true;
            }
            ready!(Pin::new(&mut this.changed).poll(cx))?;
            this.looked = false;
        }
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("watch::Sender")
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("watch::Receiver").field("seen", &self.seen).finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Changed<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("watch::Changed").field("waiting", &self.key.is_some()).finish_non_exhaustive()
    }
}

impl<T, F> fmt::Debug for WaitFor<'_, T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("watch::WaitFor").field("changed", &self.changed).finish_non_exhaustive()
    }
}
