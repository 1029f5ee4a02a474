//! The condition variable: sleep until somebody has changed what a mutex protects (Go's `sync.Cond`).
//!
//! `wait` lets go of the mutex and falls asleep *in one step* as far as signals are concerned: it stands in
//! the queue before the mutex is free, so whoever locks it next and signals finds it there.
//!
//! ```text
//!   Entering ──── queue up, then unlock ────► Waiting ──── signalled ────► Locking ──── locked ────► ready
//!   holds the guard                           holds nothing                holds the signal
//! ```
//!
//! # Invariants
//! C1. The entry is queued before the mutex is unlocked.
//! C2. A `notify_one` is given to exactly one wait, and is spent when that wait returns the guard. A wait
//!     that is dropped with an unspent one (in `Waiting`, told but not polled, or in `Locking`) passes it
//!     on to the next in the queue. A `notify_all` needs no passing on: everybody had it.
//! C3. Signals go to waits in the order in which they came.
//!
//! # Always in a loop
//! Between the signal and the return of the guard others may lock the mutex and change the value again. So
//! look at the value after every wait; [`Cond::wait_while`] does.

mod wait;

pub use wait::{CondWait, CondWaitWhile};

use std::fmt;
use std::panic::Location;

use crate::block;
use crate::host::WaitKind;
use crate::mutex::MutexGuard;
use crate::signals::{Signals, Wait};

/// A place where tasks and threads sleep until the value of a [`Mutex`](crate::Mutex) has changed.
///
/// # Examples
/// ```
/// use pirn_sync::{Cond, Mutex};
///
/// static QUEUE: Mutex<Vec<u32>> = Mutex::new(Vec::new());
/// static FILLED: Cond = Cond::new();
///
/// # pirn_sync::block::wait(async {
/// std::thread::spawn(|| {
///     QUEUE.lock_blocking().push(7);
///     FILLED.notify_one();
/// });
/// let mut queue = FILLED.wait_while(QUEUE.lock().await, |queue| queue.is_empty()).await;
/// assert_eq!(queue.pop(), Some(7));
/// # });
/// ```
pub struct Cond {
    waiters: Signals<(), Notice>,
}

/// What a wait is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Notice {
    /// By `notify_one`: it is this wait's, and to be passed on if the wait is dropped.
    One,
    /// By `notify_all`.
    All,
}

impl Cond {
    crate::const_fn! {
        /// A condition variable for whom nobody waits.
        pub const fn new() -> Self {
            Self { waiters: Signals::new(()) }
        }
    }

    /// Unlocks the mutex, waits until notified, locks it again and returns the guard.
    ///
    /// It unlocks at the future's first poll. It never wakes up by itself, but the value may have changed
    /// again before the mutex is locked: wait in a loop.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the mutex unlocked; a `notify_one` that it had been given, also while it
    /// was locking again, goes to the next one.
    ///
    /// # Examples
    /// ```
    /// use pirn_sync::{Cond, Mutex};
    ///
    /// static READY: Mutex<bool> = Mutex::new(false);
    /// static CHANGED: Cond = Cond::new();
    ///
    /// # pirn_sync::block::wait(async {
    /// std::thread::spawn(|| {
    ///     *READY.lock_blocking() = true;
    ///     CHANGED.notify_all();
    /// });
    /// let mut ready = READY.lock().await;
    /// while !*ready {
    ///     ready = CHANGED.wait(ready).await;
    /// }
    /// # });
    /// ```
    #[track_caller]
    pub fn wait<'c, 'm, T: ?Sized>(&'c self, guard: MutexGuard<'m, T>) -> CondWait<'c, 'm, T> {
        CondWait::new(self, guard, Wait::new(WaitKind::Cond, Location::caller()))
    }

    /// Waits for as long as `condition` is true of the value, which it may change.
    ///
    /// The condition is evaluated at the first poll, and then with the mutex locked after every notice.
    ///
    /// # Cancel safety
    /// As [`wait`](Self::wait).
    #[track_caller]
    pub fn wait_while<'c, 'm, T: ?Sized, F>(
        &'c self,
        guard: MutexGuard<'m, T>,
        condition: F,
    ) -> CondWaitWhile<'c, 'm, T, F>
    where
        F: FnMut(&mut T) -> bool,
    {
        CondWaitWhile::new(self, guard, condition, Location::caller())
    }

    /// [`wait`](Self::wait), blocking this thread.
    #[track_caller]
    pub fn wait_blocking<'m, T: ?Sized>(&self, guard: MutexGuard<'m, T>) -> MutexGuard<'m, T> {
        block::wait(self.wait(guard))
    }

    /// [`wait_while`](Self::wait_while), blocking this thread.
    ///
    /// # Examples
    /// ```
    /// use pirn_sync::{Cond, Mutex};
    ///
    /// let (value, changed) = (Mutex::new(0), Cond::new());
    /// std::thread::scope(|scope| {
    ///     scope.spawn(|| {
    ///         *value.lock_blocking() = 1;
    ///         changed.notify_one();
    ///     });
    ///     let guard = changed.wait_while_blocking(value.lock_blocking(), |value| *value == 0);
    ///     assert_eq!(*guard, 1);
    /// });
    /// ```
    #[track_caller]
    pub fn wait_while_blocking<'m, T: ?Sized>(
        &self,
        guard: MutexGuard<'m, T>,
        condition: impl FnMut(&mut T) -> bool,
    ) -> MutexGuard<'m, T> {
        block::wait(self.wait_while(guard, condition))
    }

    /// Wakes the one that has waited longest, if anybody waits. Never waits itself.
    ///
    /// The mutex need not be locked, but the value must have been changed with it locked.
    pub fn notify_one(&self) {
        self.waiters.with(|waiters, wakers| {
            waiters.signal_first(Notice::One, wakers);
        });
    }

    /// Wakes everybody who waits. Never waits itself.
    pub fn notify_all(&self) {
        self.waiters.with(|waiters, wakers| waiters.signal_all(Notice::All, wakers));
    }
}

impl Default for Cond {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Cond {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cond").finish_non_exhaustive()
    }
}

#[cfg(all(test, loom))]
mod loom;
#[cfg(all(test, not(loom)))]
mod tests;
