//! The semaphore: at most so many at a time.
//!
//! It is [`Permits`](crate::permits) without barging, with a face: strictly first come, first served, so a
//! request for many permits is not starved by requests for few. What it adds is the owned permit, and the
//! arithmetic of permits that are split, merged, added and forgotten.
//!
//! # Invariants
//! F1. A permit object gives back exactly what it holds when it is dropped; `forget`, `split` and `merge`
//!     change what it holds, and nothing else does.
//! F2. `total` counts the permits that are free or held, and is never more than [`MAX_PERMITS`]. So adding is
//!     where an overflow shows, and giving back need not look for one (P6 of [`permits`](crate::permits)). Model:
//!     `loom::what_is_added_in_place_of_what_is_forgotten_comes_after_it`.

mod permit;

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

pub use permit::{OwnedSemaphorePermit, SemaphorePermit};

use crate::block;
use crate::error::{AcquireError, TryAcquireError};
use crate::host::WaitKind;
use crate::permits::{MAX_PERMITS, Permits, Ticket, Want};
use crate::primitive::atomic::{AtomicUsize, Ordering};

/// A number of permits, of which each may be held by one at a time.
///
/// First come, first served: a request waits behind those that came before it, even if it is smaller. Only
/// if a waiter whose turn has come is not polled for about a millisecond do the others go past it.
///
/// # Examples
/// ```
/// use pirn_sync::Semaphore;
///
/// # pirn_sync::block::wait(async {
/// static TABLES: Semaphore = Semaphore::new(2);
///
/// let table = TABLES.acquire().await?;
/// let other = TABLES.acquire().await?;
/// assert_eq!(TABLES.available_permits(), 0);
/// drop((table, other));
/// assert_eq!(TABLES.available_permits(), 2);
/// # Ok::<(), pirn_sync::AcquireError>(())
/// # }).unwrap();
/// ```
pub struct Semaphore {
    permits: Permits<false>,
    /// Changed before permits are added, and after they are gone.
    total: AtomicUsize,
}

impl Semaphore {
    /// The most permits that a semaphore can have.
    pub const MAX_PERMITS: usize = MAX_PERMITS;

    crate::const_fn! {
        /// A semaphore with this many permits.
        ///
        /// # Panics
        /// When `permits` is more than [`MAX_PERMITS`](Self::MAX_PERMITS).
        #[track_caller]
        pub const fn new(permits: usize) -> Self {
            assert!(permits <= MAX_PERMITS, "more permits than a semaphore can have");
            Self { permits: Permits::new(permits), total: AtomicUsize::new(permits) }
        }
    }

    /// Waits for a permit.
    ///
    /// # Errors
    /// When the semaphore is closed, before or during the wait.
    ///
    /// # Cancel safety
    /// Dropping the future gives up its place in the queue and holds back no permit.
    #[inline]
    #[track_caller]
    pub fn acquire(&self) -> Acquire<'_> {
        self.acquire_many(1)
    }

    /// Waits until `count` permits are free at once, and takes them. More than the semaphore has: it waits
    /// until they are added, and so does everybody behind.
    ///
    /// # Errors
    /// When the semaphore is closed, before or during the wait.
    ///
    /// # Cancel safety
    /// As [`acquire`](Self::acquire).
    ///
    /// # Examples
    /// ```
    /// # pirn_sync::block::wait(async {
    /// let semaphore = pirn_sync::Semaphore::new(5);
    /// let three = semaphore.acquire_many(3).await?;
    /// assert_eq!((three.permits(), semaphore.available_permits()), (3, 2));
    /// # Ok::<(), pirn_sync::AcquireError>(())
    /// # }).unwrap();
    /// ```
    #[inline]
    #[track_caller]
    pub fn acquire_many(&self, count: usize) -> Acquire<'_> {
        Acquire { semaphore: self, count, ticket: Ticket::new(Location::caller()) }
    }

    /// [`acquire`](Self::acquire) with a permit that keeps the semaphore alive.
    ///
    /// # Examples
    /// ```
    /// # pirn_sync::block::wait(async {
    /// use std::sync::Arc;
    ///
    /// let semaphore = Arc::new(pirn_sync::Semaphore::new(1));
    /// let permit = Arc::clone(&semaphore).acquire_owned().await?;
    /// std::thread::spawn(move || drop(permit)).join().unwrap();
    /// assert_eq!(semaphore.available_permits(), 1);
    /// # Ok::<(), pirn_sync::AcquireError>(())
    /// # }).unwrap();
    /// ```
    #[track_caller]
    pub fn acquire_owned(self: Arc<Self>) -> AcquireOwned {
        self.acquire_many_owned(1)
    }

    /// [`acquire_many`](Self::acquire_many) with permits that keep the semaphore alive.
    #[track_caller]
    pub fn acquire_many_owned(self: Arc<Self>, count: usize) -> AcquireOwned {
        AcquireOwned { semaphore: Some(self), count, ticket: Ticket::new(Location::caller()) }
    }

    /// [`acquire`](Self::acquire), blocking this thread.
    ///
    /// # Errors
    /// When the semaphore is closed, before or during the wait.
    #[track_caller]
    pub fn acquire_blocking(&self) -> Result<SemaphorePermit<'_>, AcquireError> {
        block::wait(self.acquire())
    }

    /// [`acquire_many`](Self::acquire_many), blocking this thread.
    ///
    /// # Errors
    /// When the semaphore is closed, before or during the wait.
    #[track_caller]
    pub fn acquire_many_blocking(&self, count: usize) -> Result<SemaphorePermit<'_>, AcquireError> {
        block::wait(self.acquire_many(count))
    }

    /// Takes a permit if one is free and nobody waits for it. Never waits.
    ///
    /// # Errors
    /// [`TryAcquireError::NoPermits`], [`TryAcquireError::Closed`].
    ///
    /// # Examples
    /// ```
    /// use pirn_sync::{Semaphore, TryAcquireError};
    ///
    /// let semaphore = Semaphore::new(1);
    /// let permit = semaphore.try_acquire().unwrap();
    /// assert_eq!(semaphore.try_acquire().unwrap_err(), TryAcquireError::NoPermits);
    /// drop(permit);
    /// semaphore.close();
    /// assert_eq!(semaphore.try_acquire().unwrap_err(), TryAcquireError::Closed);
    /// ```
    #[inline]
    pub fn try_acquire(&self) -> Result<SemaphorePermit<'_>, TryAcquireError> {
        self.try_acquire_many(1)
    }

    /// Takes `count` permits if they are free and nobody waits. Never waits.
    ///
    /// # Errors
    /// As [`try_acquire`](Self::try_acquire).
    #[inline]
    pub fn try_acquire_many(&self, count: usize) -> Result<SemaphorePermit<'_>, TryAcquireError> {
        self.try_take(count).map(|()| SemaphorePermit::new(self, count))
    }

    /// [`try_acquire`](Self::try_acquire) with a permit that keeps the semaphore alive.
    ///
    /// # Errors
    /// As [`try_acquire`](Self::try_acquire).
    pub fn try_acquire_owned(self: Arc<Self>) -> Result<OwnedSemaphorePermit, TryAcquireError> {
        self.try_acquire_many_owned(1)
    }

    /// [`try_acquire_many`](Self::try_acquire_many) with permits that keep the semaphore alive.
    ///
    /// # Errors
    /// As [`try_acquire`](Self::try_acquire).
    pub fn try_acquire_many_owned(
        self: Arc<Self>,
        count: usize,
    ) -> Result<OwnedSemaphorePermit, TryAcquireError> {
        self.try_take(count).map(|()| OwnedSemaphorePermit::new(self, count))
    }

    #[inline]
    fn try_take(&self, count: usize) -> Result<(), TryAcquireError> {
        match self.permits.try_acquire(count) {
            Ok(true) => Ok(()),
            Ok(false) => Err(TryAcquireError::NoPermits),
            Err(_) => Err(TryAcquireError::Closed),
        }
    }

    /// Adds new permits.
    ///
    /// # Panics
    /// When there would be more than [`MAX_PERMITS`](Self::MAX_PERMITS), those in use included.
    ///
    /// # Examples
    /// ```
    /// let semaphore = pirn_sync::Semaphore::new(0);
    /// semaphore.add_permits(2);
    /// assert_eq!(semaphore.available_permits(), 2);
    /// ```
    #[track_caller]
    pub fn add_permits(&self, count: usize) {
        let sum = |total: usize| total.checked_add(count).filter(|sum| *sum <= MAX_PERMITS);
        // Acquire: where there is room because permits were forgotten, the word is without them by now.
        if self.total.fetch_update(Ordering::Acquire, Ordering::Relaxed, sum).is_err() {
            panic!("too many permits: a semaphore counts up to {MAX_PERMITS}");
        }
        self.permits.release(count);
    }

    /// So many permits, out of circulation already, are not to come back (F2).
    fn forgotten(&self, count: usize) {
        // Release: pairs with the Acquire in `add_permits`.
        self.total.fetch_sub(count, Ordering::Release);
    }

    /// Takes up to `count` free permits out of the semaphore for good; returns how many were free. (To do
    /// the same with permits in hand, [`forget`](SemaphorePermit::forget) them.)
    ///
    /// # Examples
    /// ```
    /// let semaphore = pirn_sync::Semaphore::new(3);
    /// assert_eq!(semaphore.forget(5), 3);
    /// ```
    pub fn forget(&self, count: usize) -> usize {
        let gone = self.permits.forget(count);
        self.forgotten(gone);
        gone
    }

    /// Ends it: whoever waits, and whoever comes, gets an error. Permits in hand stay good. Idempotent.
    ///
    /// # Examples
    /// ```
    /// let semaphore = pirn_sync::Semaphore::new(1);
    /// let permit = semaphore.try_acquire().unwrap();
    /// semaphore.close();
    /// assert!(semaphore.is_closed());
    /// assert!(semaphore.acquire_blocking().is_err());
    /// drop(permit);
    /// ```
    pub fn close(&self) {
        self.permits.close();
    }

    /// Whether [`close`](Self::close) was called.
    pub fn is_closed(&self) -> bool {
        self.permits.is_closed()
    }

    /// How many permits are free at this moment. They may be meant for those who wait.
    pub fn available_permits(&self) -> usize {
        self.permits.free()
    }
}

impl fmt::Debug for Semaphore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Semaphore")
            .field("available", &self.available_permits())
            .field("closed", &self.is_closed())
            .finish()
    }
}

/// The future of [`Semaphore::acquire`] and [`Semaphore::acquire_many`].
#[must_use = "futures do nothing unless awaited"]
#[derive(Debug)]
pub struct Acquire<'a> {
    semaphore: &'a Semaphore,
    count: usize,
    ticket: Ticket,
}

impl<'a> Future for Acquire<'a> {
    type Output = Result<SemaphorePermit<'a>, AcquireError>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        this.semaphore
            .permits
            .poll_acquire(&Want::new(this.count, WaitKind::Semaphore), &mut this.ticket, context)
            .map(|acquired| match acquired {
                Ok(()) => Ok(SemaphorePermit::new(this.semaphore, this.count)),
                Err(_) => Err(AcquireError(())),
            })
    }
}

impl Drop for Acquire<'_> {
    #[inline]
    fn drop(&mut self) {
        self.semaphore.permits.cancel(&mut self.ticket);
    }
}

/// The future of [`Semaphore::acquire_owned`] and [`Semaphore::acquire_many_owned`].
#[must_use = "futures do nothing unless awaited"]
#[derive(Debug)]
pub struct AcquireOwned {
    semaphore: Option<Arc<Semaphore>>,
    count: usize,
    ticket: Ticket,
}

impl Future for AcquireOwned {
    type Output = Result<OwnedSemaphorePermit, AcquireError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let semaphore =
            this.semaphore.as_ref().expect("an `AcquireOwned` was polled again after it had been ready");
        let want = Want::new(this.count, WaitKind::Semaphore);
        let acquired = ready!(semaphore.permits.poll_acquire(&want, &mut this.ticket, context));
        // Only now: had the poll panicked, the destructor would need it to leave the queue.
        let semaphore = this.semaphore.take().expect("seen above");
        Poll::Ready(match acquired {
            Ok(()) => Ok(OwnedSemaphorePermit::new(semaphore, this.count)),
            Err(_) => Err(AcquireError(())),
        })
    }
}

impl Drop for AcquireOwned {
    fn drop(&mut self) {
        if let Some(semaphore) = &self.semaphore {
            semaphore.permits.cancel(&mut self.ticket);
        }
    }
}

#[cfg(all(test, loom))]
mod loom;
#[cfg(all(test, not(loom)))]
mod tests;
