//! Notify: wakes one waiter, or all, and remembers one wake-up that found nobody.
//!
//! The smallest way to say "something has changed": no value, one bit of memory. A `notify_one` that finds
//! a waiter is given to it; one that finds none is stored, and the next `notified` returns at once. A second
//! one that finds none adds nothing to the first.
//!
//! # Invariants
//! N1. A permit is stored only while nobody is queued: both are decided under one lock, and whoever would
//!     queue takes the permit instead.
//! N2. A `notify_one` is spent when the waiter it was given to becomes ready. If that waiter is dropped
//!     first, it passes the notice on to the next one, or stores it. A `notify_waiters` is never passed on.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use crate::block;
use crate::host::{self, WaitKind};
use crate::signals::{Inner, Signals, Wait};
use crate::wait_list::Wakers;

/// Wakes one or all of those who wait, and stores one permit.
///
/// # Examples
/// ```
/// use pirn_sync::Notify;
///
/// static WORK: Notify = Notify::new();
///
/// # pirn_sync::block::wait(async {
/// std::thread::spawn(|| WORK.notify_one());
/// WORK.notified().await; // whether it came first or not
/// # });
/// ```
pub struct Notify {
    waiters: Signals<Stored, Notice>,
}

/// Whether a permit is stored.
type Stored = bool;

/// Who woke a waiter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Notice {
    /// `notify_one`: it is this waiter's, and to be passed on if the waiter is dropped.
    One,
    /// `notify_waiters`.
    All,
}

impl Notify {
    crate::const_fn! {
        /// Nobody waits, no permit is stored.
        pub const fn new() -> Self {
            Self { waiters: Signals::new(false) }
        }
    }

    /// Wakes the one that has waited longest; if nobody waits, stores a permit for the next one. Never waits.
    ///
    /// # Examples
    /// ```
    /// let notify = pirn_sync::Notify::new();
    /// notify.notify_one();
    /// notify.notified_blocking(); // takes the permit
    /// ```
    pub fn notify_one(&self) {
        self.waiters.with(hand_out);
    }

    /// Wakes everybody who waits at this moment. Stores nothing. Never waits.
    ///
    /// # Examples
    /// ```
    /// # pirn_sync::block::wait(async {
    /// let notify = pirn_sync::Notify::new();
    /// let mut waits = notify.notified();
    /// waits.enable();
    /// notify.notify_waiters();
    /// waits.await;
    /// # });
    /// ```
    pub fn notify_waiters(&self) {
        self.waiters.with(|waiters, wakers| waiters.signal_all(Notice::All, wakers));
    }

    /// Waits for a notice, or takes the stored permit.
    ///
    /// It stands in the queue from its first poll, or from [`Notified::enable`].
    ///
    /// # Cancel safety
    /// Dropping the future gives up its place; a `notify_one` that it had been given goes to the next one.
    #[track_caller]
    pub fn notified(&self) -> Notified<'_> {
        Notified { notify: self, wait: Wait::new(WaitKind::Notify, Location::caller()), told: None }
    }

    /// [`notified`](Self::notified), blocking this thread.
    #[track_caller]
    pub fn notified_blocking(&self) {
        block::wait(self.notified());
    }
}

impl Notify {
    /// Takes the stored permit, if there is one, without preparing to wait.
    fn take_stored(&self) -> bool {
        self.waiters.look(take_stored).is_some()
    }
}

/// Gives a `notify_one` to the first waiter, or stores it (N1).
fn hand_out(waiters: &mut Inner<Stored, Notice>, wakers: &mut Wakers) {
    if !waiters.signal_first(Notice::One, wakers) {
        waiters.state = true;
    }
}

/// Takes the stored permit.
fn take_stored(waiters: &mut Inner<Stored, Notice>) -> Option<Notice> {
    std::mem::take(&mut waiters.state).then_some(Notice::One)
}

impl Default for Notify {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Notify {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Notify").finish_non_exhaustive()
    }
}

/// The future of [`Notify::notified`].
#[must_use = "futures do nothing unless awaited"]
pub struct Notified<'a> {
    notify: &'a Notify,
    wait: Wait,
    /// A notice that [`enable`](Self::enable) found and no poll has returned yet.
    told: Option<Notice>,
}

impl Notified<'_> {
    /// Queues up without a poll, or takes the stored permit; true if it has been notified already.
    ///
    /// For "look, then wait" without a gap: enable, look whether there is something to do, and only then
    /// await.
    ///
    /// # Examples
    /// ```
    /// let notify = pirn_sync::Notify::new();
    /// let mut waits = notify.notified();
    /// assert!(!waits.enable());
    /// notify.notify_one();
    /// assert!(waits.enable());
    /// ```
    pub fn enable(&mut self) -> bool {
        if self.told.is_none() {
            self.told = match self.wait.has_begun() {
                false => self.notify.waiters.enter(&mut self.wait, None, |waiters, _| take_stored(waiters)),
                true => self.notify.waiters.try_fetch(&mut self.wait),
            };
        }
        self.told.is_some()
    }
}

impl Future for Notified<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        ready!(host::poll_yield(context));
        let this = &mut *self;
        if this.told.take().is_some() || (!this.wait.has_begun() && this.notify.take_stored()) {
            return Poll::Ready(());
        }
        this.notify.waiters.poll(&mut this.wait, context, |waiters, _| take_stored(waiters)).map(|_| ())
    }
}

impl Drop for Notified<'_> {
    fn drop(&mut self) {
        // N2: a notice that is not spent goes to the next one.
        self.notify.waiters.cancel(&mut self.wait, |waiters, told, wakers| {
            if told == Some(Notice::One) {
                hand_out(waiters, wakers);
            }
        });
        if self.told == Some(Notice::One) {
            self.notify.notify_one();
        }
    }
}

impl fmt::Debug for Notified<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Notified").finish_non_exhaustive()
    }
}

#[cfg(all(test, loom))]
mod loom;
#[cfg(all(test, not(loom)))]
mod tests;
