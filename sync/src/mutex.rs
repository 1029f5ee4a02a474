//! The mutex: a value that one task at a time may use, also across `.await`.
//!
//! It is one permit of [`Permits`](crate::permits), with barging: an uncontended `lock().await` is one
//! compare-exchange, and so is the unlock. What keeps it fair, and why a waiter that nobody polls any more
//! cannot hang it, is told there. This file adds the value and the guards.
//!
//! # Invariants
//! M1. The value is touched only through a guard, and a guard exists only while it holds the one permit.
//! M2. A guard gives the permit back exactly once: when it is dropped, or when a mapped guard that took it
//!     over is.
//!
//! # When to use which
//! A lock that is never held across `.await` and never fought over is as cheap here as in parking_lot; one
//! that is fought over by *threads* for a long time is better a thread's lock, because a task that waits
//! here gives its thread to others, and being woken costs more than spinning.
//!
//! # Rejected
//! Poisoning: a panic releases the lock and that is all. The value is what the last holder left; who needs
//! more keeps a flag in it.

mod guard;

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

pub use guard::{MappedMutexGuard, MutexGuard, OwnedMutexGuard};

use crate::block;
use crate::host::WaitKind;
use crate::permits::{Permits, Ticket, Want};
use crate::primitive::UnsafeCell;

/// What everybody wants here.
const THE_PERMIT: Want = Want::new(1, WaitKind::Mutex);

/// A value that one task or thread at a time may use, also across `.await`.
///
/// Whoever runs may take a free lock, which keeps it fast when many want it; whoever has waited for about a
/// millisecond goes first, which keeps it fair. A waiting future that nobody polls any more delays the
/// others by about a millisecond, once. Two of them, one behind the other, may hold back the third until somebody else
/// comes to the lock: drop the futures that you do not poll.
///
/// There is no poisoning: a panic while the lock is held releases it.
///
/// # Examples
/// ```
/// use pirn_sync::Mutex;
///
/// # pirn_sync::block::wait(async {
/// static TOTAL: Mutex<u64> = Mutex::new(0);
///
/// *TOTAL.lock().await += 2;
/// *TOTAL.lock_blocking() += 1; // the same lock, from a thread
/// assert_eq!(*TOTAL.lock().await, 3);
/// # });
/// ```
pub struct Mutex<T: ?Sized> {
    permits: Permits<true>,
    value: UnsafeCell<T>,
}

// SAFETY: sharing a mutex lets each thread reach the value, but one at a time (M1), as if it were sent.
unsafe impl<T: ?Sized + Send> Sync for Mutex<T> {}
// SAFETY: sending a mutex sends its value and nothing else that belongs to a thread.
unsafe impl<T: ?Sized + Send> Send for Mutex<T> {}

impl<T> Mutex<T> {
    crate::const_fn! {
        /// An unlocked mutex around `value`.
        pub const fn new(value: T) -> Self {
            Self { permits: Permits::new(1), value: UnsafeCell::new(value) }
        }
    }

    /// The value, out of the mutex. No lock is needed: nobody else can have it.
    pub fn into_inner(self) -> T {
        self.value.into_inner()
    }
}

impl<T: ?Sized> Mutex<T> {
    /// Waits until the lock is free and takes it.
    ///
    /// Cost when free: one compare-exchange. Does not block the thread.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the queue; if its turn had come, the next one is woken.
    ///
    /// # Examples
    /// ```
    /// # pirn_sync::block::wait(async {
    /// let mutex = pirn_sync::Mutex::new(vec![1]);
    /// let mut guard = mutex.lock().await;
    /// guard.push(2);
    /// assert_eq!(*guard, [1, 2]);
    /// # });
    /// ```
    #[inline]
    #[track_caller]
    pub fn lock(&self) -> Lock<'_, T> {
        self.lock_from(Location::caller())
    }

    /// [`lock`](Self::lock) on behalf of the one who waits at `at`.
    #[inline]
    pub(crate) fn lock_from(&self, at: &'static Location<'static>) -> Lock<'_, T> {
        Lock { mutex: self, ticket: Ticket::new(at) }
    }

    /// Like [`lock`](Self::lock), with a guard that keeps the mutex alive and can be moved anywhere.
    ///
    /// Cost beside `lock`'s: one clone of the `Arc`, which the caller makes.
    ///
    /// # Cancel safety
    /// As [`lock`](Self::lock).
    ///
    /// # Examples
    /// ```
    /// # pirn_sync::block::wait(async {
    /// use std::sync::Arc;
    ///
    /// let mutex = Arc::new(pirn_sync::Mutex::new(1));
    /// let mut guard = Arc::clone(&mutex).lock_owned().await;
    /// std::thread::spawn(move || *guard += 1).join().unwrap();
    /// assert_eq!(*mutex.lock().await, 2);
    /// # });
    /// ```
    #[inline]
    #[track_caller]
    pub fn lock_owned(self: Arc<Self>) -> LockOwned<T> {
        LockOwned { mutex: Some(self), ticket: Ticket::new(Location::caller()) }
    }

    /// Takes the lock and blocks this thread until it is free.
    ///
    /// Inside a task this holds up the thread that runs it; use [`lock`](Self::lock) there.
    ///
    /// # Examples
    /// ```
    /// let mutex = pirn_sync::Mutex::new(0);
    /// std::thread::scope(|scope| {
    ///     for _ in 0..4 {
    ///         scope.spawn(|| *mutex.lock_blocking() += 1);
    ///     }
    /// });
    /// assert_eq!(mutex.into_inner(), 4);
    /// ```
    #[inline]
    #[track_caller]
    pub fn lock_blocking(&self) -> MutexGuard<'_, T> {
        match self.try_lock() {
            Some(guard) => guard,
            None => block::wait(self.lock()),
        }
    }

    /// Takes the lock if it is free and nobody has the right of way. Never waits.
    ///
    /// # Examples
    /// ```
    /// let mutex = pirn_sync::Mutex::new(());
    /// let guard = mutex.try_lock().unwrap();
    /// assert!(mutex.try_lock().is_none());
    /// drop(guard);
    /// assert!(mutex.try_lock().is_some());
    /// ```
    #[inline]
    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        matches!(self.permits.try_acquire(1), Ok(true)).then(|| MutexGuard::new(self))
    }

    /// [`try_lock`](Self::try_lock) with a guard that keeps the mutex alive.
    ///
    /// # Examples
    /// ```
    /// # use std::sync::Arc;
    /// let mutex = Arc::new(pirn_sync::Mutex::new(5));
    /// assert_eq!(*Arc::clone(&mutex).try_lock_owned().unwrap(), 5);
    /// ```
    pub fn try_lock_owned(self: Arc<Self>) -> Option<OwnedMutexGuard<T>> {
        matches!(self.permits.try_acquire(1), Ok(true)).then(|| OwnedMutexGuard::new(self))
    }

    /// The value, by way of the only reference to the mutex. No lock is needed.
    pub fn get_mut(&mut self) -> &mut T {
        // SAFETY: `&mut self` is the only way to the value: no guard exists, since guards borrow the mutex.
        self.value.with_mut(|value| unsafe { &mut *value })
    }
}

impl<T: Default> Default for Mutex<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T> From<T> for Mutex<T> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

/// Shows the value if the lock is free at this moment; never waits for it.
impl<T: ?Sized + fmt::Debug> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Mutex");
        match self.try_lock() {
            Some(guard) => out.field("value", &&*guard),
            None => out.field("value", &format_args!("<locked>")),
        };
        out.finish()
    }
}

/// The future of [`Mutex::lock`].
#[must_use = "futures do nothing unless awaited"]
pub struct Lock<'a, T: ?Sized> {
    mutex: &'a Mutex<T>,
    ticket: Ticket,
}

impl<'a, T: ?Sized> Future for Lock<'a, T> {
    type Output = MutexGuard<'a, T>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        // A mutex is never closed, so `Err` cannot come.
        this.mutex
            .permits
            .poll_acquire(&THE_PERMIT, &mut this.ticket, context)
            .map(|_| MutexGuard::new(this.mutex))
    }
}

impl<T: ?Sized> Drop for Lock<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.mutex.permits.cancel(&mut self.ticket);
    }
}

impl<T: ?Sized> fmt::Debug for Lock<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lock").finish_non_exhaustive()
    }
}

/// The future of [`Mutex::lock_owned`].
#[must_use = "futures do nothing unless awaited"]
pub struct LockOwned<T: ?Sized> {
    mutex: Option<Arc<Mutex<T>>>,
    ticket: Ticket,
}

impl<T: ?Sized> Future for LockOwned<T> {
    type Output = OwnedMutexGuard<T>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let mutex = this.mutex.as_ref().expect("a `LockOwned` was polled again after it had been ready");
        match mutex.permits.poll_acquire(&THE_PERMIT, &mut this.ticket, context) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(_) => Poll::Ready(OwnedMutexGuard::new(this.mutex.take().expect("seen above"))),
        }
    }
}

impl<T: ?Sized> Drop for LockOwned<T> {
    #[inline]
    fn drop(&mut self) {
        if let Some(mutex) = &self.mutex {
            mutex.permits.cancel(&mut self.ticket);
        }
    }
}

impl<T: ?Sized> fmt::Debug for LockOwned<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LockOwned").finish_non_exhaustive()
    }
}

#[cfg(all(test, loom))]
mod loom;
#[cfg(all(test, not(loom)))]
mod tests;
