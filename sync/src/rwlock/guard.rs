//! The guards of a read-write lock, and how one becomes another.
//!
//! Borrowed or owned, a guard is the same thing around another *holder*, `&RwLock<T>` or `Arc<RwLock<T>>`:
//! so each guard is written once, and the familiar names are aliases. What must be given back stands in
//! [`Held`], the only part with a destructor; becoming another guard moves it, with another count. Only a borrowed guard can
//! be narrowed to a part of the value: see [`mapped`].

mod mapped;

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::panic::Location;
use std::sync::Arc;

use super::{ALL, RwLock, Upgrade};
use crate::permits::Permits;

pub use mapped::{MappedRwLockReadGuard, MappedRwLockWriteGuard};

/// What a guard holds the lock by: a reference or an `Arc`.
pub trait Holder: Deref<Target = RwLock<Self::Value>> + Unpin + sealed::Sealed {
    /// The value under the lock.
    type Value: ?Sized;
}

impl<T: ?Sized> Holder for &RwLock<T> {
    type Value = T;
}

impl<T: ?Sized> Holder for Arc<RwLock<T>> {
    type Value = T;
}

mod sealed {
    pub trait Sealed {}
    impl<T: ?Sized> Sealed for &super::RwLock<T> {}
    impl<T: ?Sized> Sealed for super::Arc<super::RwLock<T>> {}
}

/// The right to read, borrowed from the lock.
pub type RwLockReadGuard<'a, T> = ReadGuard<&'a RwLock<T>>;
/// The right to write, borrowed from the lock.
pub type RwLockWriteGuard<'a, T> = WriteGuard<&'a RwLock<T>>;
/// The right to read and to become the writer, borrowed from the lock.
pub type RwLockUpgradableReadGuard<'a, T> = UpgradableReadGuard<&'a RwLock<T>>;
/// The right to read, which keeps the lock alive.
pub type OwnedRwLockReadGuard<T> = ReadGuard<Arc<RwLock<T>>>;
/// The right to write, which keeps the lock alive.
pub type OwnedRwLockWriteGuard<T> = WriteGuard<Arc<RwLock<T>>>;
/// The right to read and to become the writer, which keeps the lock alive.
pub type OwnedRwLockUpgradableReadGuard<T> = UpgradableReadGuard<Arc<RwLock<T>>>;

/// Permits of a lock, and perhaps its slot; given back when dropped (L1, L2 of [`rwlock`](super)).
///
/// It is sent and shared between threads as the holder is, and so only if the value may be sent *and* shared: `RwLock` is
/// `Sync` for no other. (A `PhantomData` of the value's type would say the same, and forbid that a guard be taken for one
/// that lives shorter: what is named by way of a trait is of one lifetime only.)
pub(super) struct Held<H: Holder> {
    pub(super) lock: H,
    pub(super) permits: usize,
    pub(super) slot: bool,
}

// Nothing is pinned in here: the value lives in the lock.
impl<H: Holder> Unpin for Held<H> {}

impl<H: Holder> Held<H> {
    /// For who has just taken these.
    #[inline]
    pub(super) fn new(lock: H, permits: usize, slot: bool) -> Self {
        Self { lock, permits, slot }
    }

    /// Gives back all but one permit.
    fn downgrade(mut self) -> Self {
        let spare = self.permits - 1;
        self.permits = 1;
        if spare > 0 {
            self.lock.permits.release(spare);
        }
        self.give_back_slot();
        self
    }

    pub(super) fn give_back_slot(&mut self) {
        if std::mem::take(&mut self.slot) {
            self.lock.slot.release(1);
        }
    }

    #[inline]
    fn get(&self) -> &H::Value {
        debug_assert!(self.permits > 0, "L1: reading takes a permit");
        // SAFETY: a permit is held, so nobody holds all of them but perhaps this guard itself (L1), whose
        // `&mut` would borrow it exclusively.
        self.lock.value.with(|value| unsafe { &*value })
    }

    #[inline]
    fn get_mut(&mut self) -> &mut H::Value {
        debug_assert!(self.permits == ALL, "L1: writing takes all permits");
        // SAFETY: called by `WriteGuard` alone, which holds all permits: nobody else reads or writes (L1).
        self.lock.value.with_mut(|value| unsafe { &mut *value })
    }
}

impl<H: Holder> Drop for Held<H> {
    #[inline]
    fn drop(&mut self) {
        let _slot = self.slot.then(|| GiveBack(&self.lock.slot));
        self.lock.permits.release(self.permits);
    }
}

/// Gives the slot back when it is dropped: also if a waker panics that was called before.
pub(super) struct GiveBack<'a>(pub(super) &'a Permits<false>);

impl Drop for GiveBack<'_> {
    #[inline]
    fn drop(&mut self) {
        self.0.release(1);
    }
}

/// The right to read a [`RwLock`]'s value; dropping it unlocks.
#[must_use = "the lock is released as soon as the guard is dropped"]
pub struct ReadGuard<H: Holder>(Held<H>);

impl<H: Holder> ReadGuard<H> {
    #[inline]
    pub(super) fn new(lock: H) -> Self {
        Self(Held::new(lock, 1, false))
    }
}

/// The right to write a [`RwLock`]'s value; dropping it unlocks.
#[must_use = "the lock is released as soon as the guard is dropped"]
pub struct WriteGuard<H: Holder>(Held<H>);

impl<H: Holder> WriteGuard<H> {
    #[inline]
    pub(super) fn new(lock: H) -> Self {
        Self(Held::new(lock, ALL, false))
    }

    /// For an upgrade that has come through.
    pub(super) fn from_held(held: Held<H>) -> Self {
        Self(held)
    }

    /// Becomes a reader without letting another writer in between.
    ///
    /// # Examples
    /// ```
    /// use pirn_sync::{RwLock, RwLockWriteGuard};
    ///
    /// let lock = RwLock::new(1);
    /// let mut guard = lock.write_blocking();
    /// *guard = 2;
    /// let guard = RwLockWriteGuard::downgrade(guard);
    /// assert_eq!((*guard, *lock.read_blocking()), (2, 2));
    /// ```
    pub fn downgrade(guard: Self) -> ReadGuard<H> {
        ReadGuard(guard.0.downgrade())
    }
}

/// The right to read a [`RwLock`]'s value and to become its writer; dropping it unlocks.
#[must_use = "the lock is released as soon as the guard is dropped"]
pub struct UpgradableReadGuard<H: Holder>(Held<H>);

impl<H: Holder> UpgradableReadGuard<H> {
    pub(super) fn new(lock: H) -> Self {
        Self(Held::new(lock, 1, true))
    }

    /// Waits until all other readers have left, and becomes the writer. It goes before every waiting
    /// writer: nobody changes the value in between. Meanwhile the future holds the lock as the guard did,
    /// polled or not.
    ///
    /// # Cancel safety
    /// Dropping the future gives up the lock altogether.
    #[track_caller]
    pub fn upgrade(guard: Self) -> Upgrade<H> {
        Upgrade::new(guard.0, Location::caller())
    }

    /// Becomes the writer if no one else is reading; the guard comes back if someone is. Never waits.
    ///
    /// # Errors
    /// The guard itself, when there are other readers.
    pub fn try_upgrade(guard: Self) -> Result<WriteGuard<H>, Self> {
        let mut held = guard.0;
        // Past the queue, as `upgrade`: who waits there waits for this guard too.
        if !held.lock.permits.try_take_ahead(ALL - 1) {
            return Err(Self(held));
        }
        held.permits = ALL;
        held.give_back_slot();
        Ok(WriteGuard(held))
    }

    /// Becomes an ordinary reader, so that another one can be the upgradable one.
    pub fn downgrade(guard: Self) -> ReadGuard<H> {
        ReadGuard(guard.0.downgrade())
    }
}

macro_rules! reads {
    ($($guard:ident)*) => {$(
        impl<H: Holder> Deref for $guard<H> {
            type Target = H::Value;

            #[inline]
            fn deref(&self) -> &H::Value {
                self.0.get()
            }
        }

        impl<H: Holder<Value: fmt::Debug>> fmt::Debug for $guard<H> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                (**self).fmt(f)
            }
        }

        impl<H: Holder<Value: fmt::Display>> fmt::Display for $guard<H> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                (**self).fmt(f)
            }
        }
    )*};
}

reads!(ReadGuard WriteGuard UpgradableReadGuard);

impl<H: Holder> DerefMut for WriteGuard<H> {
    #[inline]
    fn deref_mut(&mut self) -> &mut H::Value {
        self.0.get_mut()
    }
}
