//! Permits in hand: they go back when they are dropped (F1 of [`semaphore`](super)).

use std::fmt;
use std::sync::Arc;

use super::Semaphore;

/// Permits of a [`Semaphore`]; dropping them gives them back.
#[must_use = "the permits go back as soon as this is dropped"]
pub struct SemaphorePermit<'a> {
    semaphore: &'a Semaphore,
    count: usize,
}

impl<'a> SemaphorePermit<'a> {
    #[inline]
    pub(super) fn new(semaphore: &'a Semaphore, count: usize) -> Self {
        Self { semaphore, count }
    }

    /// How many permits these are.
    pub fn permits(&self) -> usize {
        self.count
    }

    /// Drops them without giving the permits back: the semaphore has fewer from now on.
    ///
    /// # Examples
    /// ```
    /// let semaphore = pirn_sync::Semaphore::new(2);
    /// semaphore.try_acquire().unwrap().forget();
    /// assert_eq!(semaphore.available_permits(), 1);
    /// ```
    pub fn forget(mut self) {
        self.semaphore.forgotten(std::mem::take(&mut self.count));
    }

    /// Splits `count` permits off; `None` if there are not that many.
    ///
    /// # Examples
    /// ```
    /// let semaphore = pirn_sync::Semaphore::new(3);
    /// let mut three = semaphore.try_acquire_many(3).unwrap();
    /// drop(three.split(2));
    /// assert_eq!((three.permits(), semaphore.available_permits()), (1, 2));
    /// ```
    pub fn split(&mut self, count: usize) -> Option<Self> {
        self.count = self.count.checked_sub(count)?;
        Some(Self { count, ..*self })
    }

    /// Adds the permits of `other`.
    ///
    /// # Panics
    /// When they belong to another semaphore.
    #[track_caller]
    pub fn merge(&mut self, mut other: Self) {
        assert!(std::ptr::eq(self.semaphore, other.semaphore), "permits of two semaphores cannot be merged");
        self.count += std::mem::take(&mut other.count);
    }
}

impl Drop for SemaphorePermit<'_> {
    #[inline]
    fn drop(&mut self) {
        if self.count > 0 {
            self.semaphore.permits.release(self.count);
        }
    }
}

impl fmt::Debug for SemaphorePermit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SemaphorePermit").field("permits", &self.count).finish_non_exhaustive()
    }
}

/// Permits that keep their [`Semaphore`] alive; dropping them gives them back.
#[must_use = "the permits go back as soon as this is dropped"]
pub struct OwnedSemaphorePermit {
    semaphore: Arc<Semaphore>,
    count: usize,
}

impl OwnedSemaphorePermit {
    pub(super) fn new(semaphore: Arc<Semaphore>, count: usize) -> Self {
        Self { semaphore, count }
    }

    /// How many permits these are.
    pub fn permits(&self) -> usize {
        self.count
    }

    /// The semaphore that they belong to.
    pub fn semaphore(&self) -> &Arc<Semaphore> {
        &self.semaphore
    }

    /// Drops them without giving the permits back: the semaphore has fewer from now on.
    pub fn forget(mut self) {
        self.semaphore.forgotten(std::mem::take(&mut self.count));
    }

    /// Splits `count` permits off; `None` if there are not that many.
    pub fn split(&mut self, count: usize) -> Option<Self> {
        self.count = self.count.checked_sub(count)?;
        Some(Self { semaphore: Arc::clone(&self.semaphore), count })
    }

    /// Adds the permits of `other`.
    ///
    /// # Panics
    /// When they belong to another semaphore.
    #[track_caller]
    pub fn merge(&mut self, mut other: Self) {
        assert!(Arc::ptr_eq(&self.semaphore, &other.semaphore), "permits of two semaphores cannot be merged");
        self.count += std::mem::take(&mut other.count);
    }
}

impl Drop for OwnedSemaphorePermit {
    fn drop(&mut self) {
        if self.count > 0 {
            self.semaphore.permits.release(self.count);
        }
    }
}

impl fmt::Debug for OwnedSemaphorePermit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnedSemaphorePermit").field("permits", &self.count).finish_non_exhaustive()
    }
}
