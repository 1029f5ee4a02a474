//! The pool: values that are costly to make and can be used again, one user at a time (Go's `sync.Pool`).
//!
//! A shelf per shard, each a small stack under a lock of its own: a thread takes from its own shelf and puts
//! back there, so the value is warm and the lock is free. An empty shelf looks at the others before it makes
//! a new value. `get` never waits for anybody: a shelf whose lock is taken at this moment is passed by.
//!
//! # Invariants
//! K1. A value is on one shelf or in one guard.
//! K2. A shelf keeps at most [`KEPT`] values; what comes back to a full one is dropped, with no lock held.

use std::fmt;
use std::ops::{Deref, DerefMut};

use crossbeam_utils::CachePadded;

use crate::primitive::Mutex;
use crate::shard::{SHARDS, shard};

/// How many idle values one shelf keeps.
const KEPT: usize = 32;

/// Values that are made when needed and kept for the next one.
///
/// What comes back is what is handed out again: reset it when you get it. The pool keeps at most 512 idle
/// values and drops what is above; it is a cache, not a limit on how many there are.
///
/// # Examples
/// ```
/// use pirn_sync::Pool;
///
/// let buffers = Pool::new(|| Vec::<u8>::with_capacity(4096));
/// let mut buffer = buffers.get();
/// buffer.extend_from_slice(b"weft");
/// drop(buffer);
/// let mut again = buffers.get();
/// assert_eq!(*again, b"weft");
/// again.clear();
/// ```
pub struct Pool<T> {
    make: Box<dyn Fn() -> T + Send + Sync>,
    shelves: [CachePadded<Mutex<Vec<T>>>; SHARDS],
}

impl<T> Pool<T> {
    /// An empty pool whose values are made by `make`.
    pub fn new(make: impl Fn() -> T + Send + Sync + 'static) -> Self {
        Self {
            make: Box::new(make),
            shelves: std::array::from_fn(|_| CachePadded::new(Mutex::new(Vec::new()))),
        }
    }

    /// A value that was used before, or a new one. Never waits.
    ///
    /// # Panics
    /// When the function that makes values does; the pool is none the worse for it.
    pub fn get(&self) -> PoolGuard<'_, T> {
        let own = shard();
        let kept = (0..SHARDS).find_map(|n| self.shelves[(own + n) % SHARDS].try_lock()?.pop());
        PoolGuard { pool: self, value: Some(kept.unwrap_or_else(&self.make)) }
    }

    /// How many idle values are kept at this moment.
    pub fn idle(&self) -> usize {
        self.shelves.iter().map(|shelf| shelf.lock().len()).sum()
    }

    fn put(&self, value: T) {
        let mut shelf = self.shelves[shard()].lock();
        if shelf.len() < KEPT {
            shelf.push(value);
            return;
        }
        drop(shelf);
        drop(value);
    }
}

impl<T> fmt::Debug for Pool<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").finish_non_exhaustive()
    }
}

/// A value of a [`Pool`], which goes back when it is dropped, also by a panic.
#[must_use = "the value goes back as soon as the guard is dropped"]
pub struct PoolGuard<'a, T> {
    pool: &'a Pool<T>,
    /// `Some` until it goes back or is taken out.
    value: Option<T>,
}

impl<T> PoolGuard<'_, T> {
    /// Takes the value out for good: the pool will not see it again.
    ///
    /// # Examples
    /// ```
    /// use pirn_sync::{Pool, PoolGuard};
    ///
    /// let pool = Pool::new(|| 1);
    /// assert_eq!(PoolGuard::into_inner(pool.get()), 1);
    /// assert_eq!(pool.idle(), 0);
    /// ```
    pub fn into_inner(mut guard: Self) -> T {
        guard.value.take().expect("a guard has its value")
    }
}

impl<T> Deref for PoolGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.value.as_ref().expect("a guard has its value")
    }
}

impl<T> DerefMut for PoolGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.value.as_mut().expect("a guard has its value")
    }
}

impl<T> Drop for PoolGuard<'_, T> {
    fn drop(&mut self) {
        if let Some(value) = self.value.take() {
            self.pool.put(value);
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for PoolGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
