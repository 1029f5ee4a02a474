//! Guards of a part of a lock's value.
//!
//! A mapped guard has taken over the permits of the guard that it was made of, and forgotten what else there is in the
//! lock. As for a mutex it holds a raw pointer to its part, not a reference: one would claim to be valid until the guard is
//! gone, while the unlock in its destructor already lets others in.

use std::fmt;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

use super::{ALL, RwLock, RwLockReadGuard, RwLockWriteGuard};
use crate::permits::Permits;

/// Permits without the value that they are for; given back when dropped.
struct Share<'a> {
    permits: &'a Permits<false>,
    count: usize,
}

impl Drop for Share<'_> {
    #[inline]
    fn drop(&mut self) {
        self.permits.release(self.count);
    }
}

/// The right to read a part of a [`RwLock`]'s value, from [`RwLockReadGuard::map`].
#[must_use = "the lock is released as soon as the guard is dropped"]
pub struct MappedRwLockReadGuard<'a, T: ?Sized> {
    share: Share<'a>,
    value: NonNull<T>,
    lives: PhantomData<&'a T>,
}

/// The right to write a part of a [`RwLock`]'s value, from [`RwLockWriteGuard::map`].
#[must_use = "the lock is released as soon as the guard is dropped"]
pub struct MappedRwLockWriteGuard<'a, T: ?Sized> {
    share: Share<'a>,
    value: NonNull<T>,
    lives: PhantomData<&'a mut T>,
}

// SAFETY: it is a shared reference to the value and the right to give the permit back, which any thread may do.
unsafe impl<T: ?Sized + Sync> Send for MappedRwLockReadGuard<'_, T> {}
// SAFETY: a shared guard gives out `&T` and nothing else.
unsafe impl<T: ?Sized + Sync> Sync for MappedRwLockReadGuard<'_, T> {}

// SAFETY: it is an exclusive reference to the value and the right to unlock, which any thread may use.
unsafe impl<T: ?Sized + Send> Send for MappedRwLockWriteGuard<'_, T> {}
// SAFETY: a shared guard gives out `&T` and nothing else.
unsafe impl<T: ?Sized + Sync> Sync for MappedRwLockWriteGuard<'_, T> {}

impl<'a, T: ?Sized> RwLockReadGuard<'a, T> {
    /// Narrows the guard to a part of the value.
    ///
    /// # Examples
    /// ```
    /// use pirn_sync::{RwLock, RwLockReadGuard};
    ///
    /// let lock = RwLock::new((1, "one"));
    /// let name = RwLockReadGuard::map(lock.read_blocking(), |pair| &pair.1);
    /// assert_eq!((*name, lock.try_write().is_none()), ("one", true));
    /// ```
    pub fn map<U: ?Sized>(guard: Self, part: impl FnOnce(&T) -> &U) -> MappedRwLockReadGuard<'a, U> {
        let value = NonNull::from(part(&guard));
        MappedRwLockReadGuard::taking_over(guard, value)
    }

    /// Narrows the guard to a part of the value that may not be there; the guard comes back if it is not.
    ///
    /// # Errors
    /// The guard itself, when `part` returns `None`.
    ///
    /// # Examples
    /// ```
    /// use pirn_sync::{RwLock, RwLockReadGuard};
    ///
    /// let lock = RwLock::new(vec![1]);
    /// let guard = RwLockReadGuard::try_map(lock.read_blocking(), |list| list.get(5)).unwrap_err();
    /// assert_eq!(guard.len(), 1);
    /// ```
    pub fn try_map<U: ?Sized>(
        guard: Self,
        part: impl FnOnce(&T) -> Option<&U>,
    ) -> Result<MappedRwLockReadGuard<'a, U>, Self> {
        match part(&guard).map(NonNull::from) {
            Some(value) => Ok(MappedRwLockReadGuard::taking_over(guard, value)),
            None => Err(guard),
        }
    }
}

impl<'a, T: ?Sized> RwLockWriteGuard<'a, T> {
    /// Narrows the guard to a part of the value. It can no more be [downgraded](super::WriteGuard::downgrade).
    ///
    /// # Examples
    /// ```
    /// use pirn_sync::{RwLock, RwLockWriteGuard};
    ///
    /// let lock = RwLock::new((1, "one"));
    /// let mut number = RwLockWriteGuard::map(lock.write_blocking(), |pair| &mut pair.0);
    /// *number = 2;
    /// drop(number);
    /// assert_eq!(lock.into_inner(), (2, "one"));
    /// ```
    pub fn map<U: ?Sized>(
        mut guard: Self,
        part: impl FnOnce(&mut T) -> &mut U,
    ) -> MappedRwLockWriteGuard<'a, U> {
        let value = NonNull::from(part(&mut guard));
        MappedRwLockWriteGuard::taking_over(guard, value)
    }

    /// Narrows the guard to a part of the value that may not be there; the guard comes back if it is not.
    ///
    /// # Errors
    /// The guard itself, when `part` returns `None`.
    ///
    /// # Examples
    /// ```
    /// use pirn_sync::{RwLock, RwLockWriteGuard};
    ///
    /// let lock = RwLock::new(vec![1]);
    /// let mut guard = RwLockWriteGuard::try_map(lock.write_blocking(), |list| list.get_mut(5)).unwrap_err();
    /// guard.push(2);
    /// ```
    pub fn try_map<U: ?Sized>(
        mut guard: Self,
        part: impl FnOnce(&mut T) -> Option<&mut U>,
    ) -> Result<MappedRwLockWriteGuard<'a, U>, Self> {
        match part(&mut guard).map(NonNull::from) {
            Some(value) => Ok(MappedRwLockWriteGuard::taking_over(guard, value)),
            None => Err(guard),
        }
    }
}

impl<'a, T: ?Sized> MappedRwLockReadGuard<'a, T> {
    /// Takes the permit over from `guard`, of whose value `value` is a part (L1).
    fn taking_over<U: ?Sized>(guard: RwLockReadGuard<'a, U>, value: NonNull<T>) -> Self {
        let lock: &'a RwLock<U> = ManuallyDrop::new(guard).0.lock;
        Self { share: Share { permits: &lock.permits, count: 1 }, value, lives: PhantomData }
    }

    /// Narrows the guard further.
    ///
    /// # Examples
    /// ```
    /// use pirn_sync::{MappedRwLockReadGuard, RwLock, RwLockReadGuard};
    ///
    /// let lock = RwLock::new(((1, 2), 3));
    /// let outer = RwLockReadGuard::map(lock.read_blocking(), |value| &value.0);
    /// assert_eq!(*MappedRwLockReadGuard::map(outer, |pair| &pair.1), 2);
    /// ```
    pub fn map<U: ?Sized>(guard: Self, part: impl FnOnce(&T) -> &U) -> MappedRwLockReadGuard<'a, U> {
        let value = NonNull::from(part(&guard));
        MappedRwLockReadGuard { share: guard.share, value, lives: PhantomData }
    }
}

impl<'a, T: ?Sized> MappedRwLockWriteGuard<'a, T> {
    /// Takes the permits over from `guard`, of whose value `value` is a part (L1).
    fn taking_over<U: ?Sized>(guard: RwLockWriteGuard<'a, U>, value: NonNull<T>) -> Self {
        let lock: &'a RwLock<U> = ManuallyDrop::new(guard).0.lock;
        Self { share: Share { permits: &lock.permits, count: ALL }, value, lives: PhantomData }
    }

    /// Narrows the guard further.
    ///
    /// # Examples
    /// ```
    /// use pirn_sync::{MappedRwLockWriteGuard, RwLock, RwLockWriteGuard};
    ///
    /// let lock = RwLock::new(((1, 2), 3));
    /// let outer = RwLockWriteGuard::map(lock.write_blocking(), |value| &mut value.0);
    /// *MappedRwLockWriteGuard::map(outer, |pair| &mut pair.1) += 1;
    /// assert_eq!(lock.into_inner(), ((1, 3), 3));
    /// ```
    pub fn map<U: ?Sized>(
        mut guard: Self,
        part: impl FnOnce(&mut T) -> &mut U,
    ) -> MappedRwLockWriteGuard<'a, U> {
        let value = NonNull::from(part(&mut guard));
        MappedRwLockWriteGuard { share: guard.share, value, lives: PhantomData }
    }
}

impl<T: ?Sized> Deref for MappedRwLockReadGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        debug_assert!(self.share.count > 0, "L1: reading takes a permit");
        // SAFETY: `value` is a part of the lock's value, which lives for `'a`; a permit is held, so nobody writes (L1).
        unsafe { self.value.as_ref() }
    }
}

impl<T: ?Sized> Deref for MappedRwLockWriteGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        debug_assert!(self.share.count == ALL, "L1: writing takes all permits");
        // SAFETY: `value` is a part of the lock's value, which lives for `'a`; all permits are held (L1), and a `&mut T` from
        // this guard would borrow it exclusively.
        unsafe { self.value.as_ref() }
    }
}

impl<T: ?Sized> DerefMut for MappedRwLockWriteGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as above, and the guard is borrowed exclusively.
        unsafe { self.value.as_mut() }
    }
}

macro_rules! shows {
    ($($guard:ident)*) => {$(
        impl<T: ?Sized + fmt::Debug> fmt::Debug for $guard<'_, T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                (**self).fmt(f)
            }
        }

        impl<T: ?Sized + fmt::Display> fmt::Display for $guard<'_, T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                (**self).fmt(f)
            }
        }
    )*};
}

shows!(MappedRwLockReadGuard MappedRwLockWriteGuard);
