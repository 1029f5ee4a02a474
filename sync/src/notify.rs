//! Notify: wakes one waiter, or all, and remembers one wake-up that found nobody.
//!
//! The smallest way to say "something has changed": no value, one bit of memory. A `notify_one` that finds
//! a waiter is given to it; one that finds none is stored, and the next `notified` returns at once. A second
//! one that finds none adds nothing to the first.
//!
//! Where nobody waits, both sides meet in one atomic word and nowhere else:
//!
//! ```text
//!            notify_one                    somebody queues (under the lock)
//!   STORED ◄──────────── EMPTY ────────────────────────────────────────────► WAITED_FOR
//!          ────────────►       ◄────────────────────────────────────────────
//!            notified                      nobody queues any more (under the lock)
//! ```
//!
//! # Invariants
//! N1. A permit is stored only while nobody is queued: `WAITED_FOR` is entered and left under the queue's lock
//!     alone, and stands while somebody is queued; whoever would queue takes a stored permit instead.
//! N2. A `notify_one` is spent when the waiter it was given to becomes ready. If that waiter is dropped
//!     first, it passes the notice on to the next one, or stores it. A `notify_waiters` is never passed on.
//!
//! # Orderings
//! | # | access                                   | order   | with | why                                        | weakened, fails in |
//! |---|------------------------------------------|---------|------|--------------------------------------------|--------------------|
//! | 1 | [`notify_one`](Notify::notify_one), `hand_out`: exchange | Release | 2, 3 | who takes the permit sees what came before the notice, and before one that it was added to | `loom::a_stored_permit_carries_what_the_notifier_wrote`, `loom::of_two_notices_in_one_permit_neither_is_overlooked` |
//! | 2 | `take_stored`: exchange                  | Acquire | 1    |                                            | the first of these |
//! | 3 | `take_or_queue`: entering `WAITED_FOR` | Acquire | 1 | who looks for work after it has queued sees what came before a notice that another took | `loom::who_queues_sees_what_came_before_a_notice_that_another_took` |
//! | 4 | leaving `WAITED_FOR`: store              | Relaxed | –    | only the holder of the lock leaves it, and no permit is in it | – |

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use crate::block;
use crate::host::{self, WaitKind};
use crate::primitive::atomic::AtomicU8;
use crate::primitive::atomic::Ordering::{Acquire, Relaxed, Release};
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
    permit: AtomicU8,
    waiters: Signals<(), Notice>,
}

const EMPTY: u8 = 0;
const STORED: u8 = 1;
const WAITED_FOR: u8 = 2;

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
            Self { permit: AtomicU8::new(EMPTY), waiters: Signals::new(()) }
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
    #[inline]
    pub fn notify_one(&self) {
        let mut seen = EMPTY;
        while seen != WAITED_FOR {
            // Also where one is stored already: who takes it is to see what came before this notice too.
            match self.permit.compare_exchange_weak(seen, STORED, Release, Relaxed) {
                Ok(_) => return,
                Err(now) => seen = now,
            }
        }
        self.waiters.with(|waiters, wakers| self.hand_out(waiters, wakers));
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
        self.waiters.with(|waiters, wakers| {
            waiters.signal_all(Notice::All, wakers);
            self.settle(waiters);
        });
    }

    /// Waits for a notice, or takes the stored permit.
    ///
    /// It stands in the queue from its first poll, or from [`Notified::enable`].
    ///
    /// # Cancel safety
    /// Dropping the future gives up its place; a `notify_one` that it had been given goes to the next one.
    #[inline]
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
    #[inline]
    fn take_stored(&self) -> bool {
        self.permit.compare_exchange(STORED, EMPTY, Acquire, Relaxed).is_ok()
    }

    /// Takes the stored permit, or makes known that somebody queues. Under the lock (N1).
    fn take_or_queue(&self) -> Option<Notice> {
        loop {
            // Relaxed: `take_stored` looks properly.
            match self.permit.load(Relaxed) {
                WAITED_FOR => return None,
                STORED if self.take_stored() => return Some(Notice::One),
                STORED => {}
                _ if self.permit.compare_exchange(EMPTY, WAITED_FOR, Acquire, Relaxed).is_ok() => {
                    return None;
                }
                _ => {}
            }
        }
    }

    /// Gives a `notify_one` to the first waiter, or stores it. Under the lock (N1).
    fn hand_out(&self, waiters: &mut Inner<(), Notice>, wakers: &mut Wakers) {
        if !waiters.signal_first(Notice::One, wakers) {
            // An exchange, not a store: it goes on with the release sequence of the notice it may add to.
            self.permit.swap(STORED, Release);
        }
        self.settle(waiters);
    }

    /// Restores N1 after somebody has left the queue. Under the lock.
    fn settle(&self, waiters: &Inner<(), Notice>) {
        if waiters.is_empty() && self.permit.load(Relaxed) == WAITED_FOR {
            self.permit.store(EMPTY, Relaxed);
        }
    }
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
    /// A notice that was found, by [`enable`](Self::enable) or a poll, and that no poll has returned yet.
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
                false => self.notify.waiters.enter(&mut self.wait, None, |_, _| self.notify.take_or_queue()),
                true => self.notify.waiters.try_fetch(&mut self.wait),
            };
        }
        self.told.is_some()
    }
}

impl Future for Notified<'_> {
    type Output = ();

    #[inline]
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        if host::poll_yield(context).is_pending() {
            // The first poll queues up all the same: whoever looks for work after it is told of what comes later.
            this.enable();
            return Poll::Pending;
        }
        if this.told.take().is_some() || (!this.wait.has_begun() && this.notify.take_stored()) {
            return Poll::Ready(());
        }
        let (notify, told) = (this.notify, &mut this.told);
        // Kept here until this poll has returned it: a waker that panics meanwhile costs no permit (N2).
        let take_or_queue = |_: &mut _, _: &mut _| {
            *told = notify.take_or_queue();
            *told
        };
        ready!(notify.waiters.poll(&mut this.wait, context, take_or_queue));
        this.told = None;
        Poll::Ready(())
    }
}

impl Drop for Notified<'_> {
    #[inline]
    fn drop(&mut self) {
        let notify = self.notify;
        // N2: a notice that is not spent goes to the next one.
        notify.waiters.cancel(&mut self.wait, |waiters, told, wakers| match told {
            Some(Notice::One) => notify.hand_out(waiters, wakers),
            _ => notify.settle(waiters),
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
