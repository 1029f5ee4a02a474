//! The read-write lock: many readers or one writer, first come, first served.
//!
//! It is [`Permits`](crate::permits) without barging: a reader takes one permit, a writer takes all. The
//! queue's order answers both questions of fairness at once: a waiting writer holds back the readers that come
//! after it, and the readers that came before it, or between it and the next writer, have their turn before
//! that one. With one exception: a writer that finds nobody reading goes past readers that are awake again but
//! have not come yet, unless one of them has waited for a millisecond. Otherwise a write would have to wait
//! until everybody has been run whom the write before it held up, and lock out everybody in turn.
//!
//! # Upgrading
//! A reader that wants to become the writer waits until all other readers have left. Two of them would wait
//! for each other for ever; so only one *upgradable* reader exists at a time, and a second permit of its own
//! (the *slot*) says so. Writers that wait in the queue would be in the way too: the upgrader waits for the
//! readers, the writer for the upgrader; therefore the upgrade goes to the front of the queue.
//!
//! # Invariants
//! L1. Whoever holds one permit may read; whoever holds all may write. Permits are held by a
//!     [`Held`](guard::Held), inside a guard; a mapped guard has taken them over.
//! L2. Whoever holds the slot is the only one who asks for the rest of the permits while holding one. Model:
//!     `loom::two_who_upgrade_do_so_one_after_the_other`.
//! L3. Who waits to become the upgradable reader holds nothing between its polls, neither the slot nor a
//!     permit, and stands in one queue at most: the one for what it lacks. So if nobody polls it any more, it
//!     is skipped, as every other waiter is. Model: `loom::an_abandoned_upgradable_read_stops_no_other`.
//!
//! # Rejected
//! To keep the slot while waiting for a permit: a future that is abandoned then keeps all other upgradable
//! readers out for ever. To keep a permit while waiting for the slot: it then keeps out all writers.

mod acquire;
mod guard;

use std::fmt;
use std::panic::Location;
use std::sync::Arc;

use guard::GiveBack;

pub use acquire::{Read, UpgradableRead, Upgrade, Write};
pub use guard::{
    Holder, MappedRwLockReadGuard, MappedRwLockWriteGuard, OwnedRwLockReadGuard,
    OwnedRwLockUpgradableReadGuard, OwnedRwLockWriteGuard, ReadGuard, RwLockReadGuard,
    RwLockUpgradableReadGuard, RwLockWriteGuard, UpgradableReadGuard, WriteGuard,
};

use crate::block;
use crate::host::WaitKind;
use crate::permits::{MAX_PERMITS, Permits, Ticket, Want};
use crate::primitive::UnsafeCell;

/// What a writer takes.
const ALL: usize = MAX_PERMITS;

const READING: Want = Want::new(1, WaitKind::RwLockRead);
const WRITING: Want = Want::new(ALL, WaitKind::RwLockWrite).past_called();

/// A value that many may read or one may write, also across `.await`.
///
/// First come, first served, to within a millisecond: a waiting writer holds back the readers that come after it,
/// and writers cannot starve readers. A waiting future that nobody polls any more delays the others by about a
/// millisecond; two of them may hold back the third until somebody else comes to the lock. (An
/// [upgrade](UpgradableReadGuard::upgrade) holds the lock while it waits.) A task that holds a read lock and
/// asks for another may wait for a writer that waits for it: hold one lock at a time.
///
/// There is no poisoning: a panic while the lock is held releases it.
///
/// # Examples
/// ```
/// use pirn_sync::RwLock;
///
/// # pirn_sync::block::wait(async {
/// static NAMES: RwLock<Vec<&str>> = RwLock::new(Vec::new());
///
/// NAMES.write().await.push("warp");
/// let (one, other) = (NAMES.read().await, NAMES.read().await);
/// assert_eq!((one.len(), other[0]), (1, "warp"));
/// # });
/// ```
pub struct RwLock<T: ?Sized> {
    permits: Permits<false>,
    slot: Permits<false>,
    value: UnsafeCell<T>,
}

// SAFETY: sharing the lock lets several threads read the value at once and one at a time write it (L1).
unsafe impl<T: ?Sized + Send + Sync> Sync for RwLock<T> {}
// SAFETY: sending the lock sends its value and nothing else that belongs to a thread.
unsafe impl<T: ?Sized + Send> Send for RwLock<T> {}

impl<T> RwLock<T> {
    crate::const_fn! {
        /// An unlocked lock around `value`.
        pub const fn new(value: T) -> Self {
            Self { permits: Permits::new(ALL), slot: Permits::new(1), value: UnsafeCell::new(value) }
        }
    }

    /// The value, out of the lock.
    pub fn into_inner(self) -> T {
        self.value.into_inner()
    }
}

impl<T: ?Sized> RwLock<T> {
    /// Waits until it may read.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the queue; those behind it go on if it was what they waited for.
    #[inline]
    #[track_caller]
    pub fn read(&self) -> Read<&Self> {
        Read::new(self, Ticket::new(Location::caller()))
    }

    /// Waits until it may write: until everybody who came before has left.
    ///
    /// # Cancel safety
    /// As [`read`](Self::read).
    #[inline]
    #[track_caller]
    pub fn write(&self) -> Write<&Self> {
        Write::new(self, Ticket::new(Location::caller()))
    }

    /// Waits until it may read, as the one reader that can be [upgraded](UpgradableReadGuard::upgrade) to
    /// the writer. Other readers may read beside it.
    ///
    /// # Cancel safety
    /// As [`read`](Self::read).
    ///
    /// # Examples
    /// ```
    /// use pirn_sync::{RwLock, RwLockUpgradableReadGuard};
    ///
    /// # pirn_sync::block::wait(async {
    /// let lock = RwLock::new(None);
    /// let guard = lock.upgradable_read().await;
    /// if guard.is_none() {
    ///     *RwLockUpgradableReadGuard::upgrade(guard).await = Some(1);
    /// }
    /// assert_eq!(*lock.read().await, Some(1));
    /// # });
    /// ```
    #[track_caller]
    pub fn upgradable_read(&self) -> UpgradableRead<&Self> {
        UpgradableRead::new(self, Location::caller())
    }

    /// [`read`](Self::read) with a guard that keeps the lock alive.
    ///
    /// # Examples
    /// ```
    /// # pirn_sync::block::wait(async {
    /// use std::sync::Arc;
    ///
    /// let lock = Arc::new(pirn_sync::RwLock::new(1));
    /// let guard = Arc::clone(&lock).read_owned().await;
    /// std::thread::spawn(move || assert_eq!(*guard, 1)).join().unwrap();
    /// # });
    /// ```
    #[track_caller]
    pub fn read_owned(self: Arc<Self>) -> Read<Arc<Self>> {
        Read::new(self, Ticket::new(Location::caller()))
    }

    /// [`write`](Self::write) with a guard that keeps the lock alive.
    #[track_caller]
    pub fn write_owned(self: Arc<Self>) -> Write<Arc<Self>> {
        Write::new(self, Ticket::new(Location::caller()))
    }

    /// [`upgradable_read`](Self::upgradable_read) with a guard that keeps the lock alive.
    #[track_caller]
    pub fn upgradable_read_owned(self: Arc<Self>) -> UpgradableRead<Arc<Self>> {
        UpgradableRead::new(self, Location::caller())
    }

    /// [`read`](Self::read), blocking this thread.
    ///
    /// # Examples
    /// ```
    /// let lock = pirn_sync::RwLock::new(1);
    /// *lock.write_blocking() += 1;
    /// assert_eq!(*lock.read_blocking(), 2);
    /// ```
    #[inline]
    #[track_caller]
    pub fn read_blocking(&self) -> RwLockReadGuard<'_, T> {
        match self.try_read() {
            Some(guard) => guard,
            None => block::wait(self.read()),
        }
    }

    /// [`write`](Self::write), blocking this thread.
    #[inline]
    #[track_caller]
    pub fn write_blocking(&self) -> RwLockWriteGuard<'_, T> {
        match self.try_write() {
            Some(guard) => guard,
            None => block::wait(self.write()),
        }
    }

    /// [`upgradable_read`](Self::upgradable_read), blocking this thread.
    #[track_caller]
    pub fn upgradable_read_blocking(&self) -> RwLockUpgradableReadGuard<'_, T> {
        block::wait(self.upgradable_read())
    }

    /// Reads if nobody writes and nobody waits. Never waits itself.
    ///
    /// # Examples
    /// ```
    /// let lock = pirn_sync::RwLock::new(1);
    /// let guard = lock.try_read().unwrap();
    /// assert!(lock.try_read().is_some());
    /// assert!(lock.try_write().is_none());
    /// ```
    #[inline]
    pub fn try_read(&self) -> Option<RwLockReadGuard<'_, T>> {
        self.try_take(1).then(|| ReadGuard::new(self))
    }

    /// Writes if nobody reads, writes or waits. Never waits itself.
    #[inline]
    pub fn try_write(&self) -> Option<RwLockWriteGuard<'_, T>> {
        self.try_take(ALL).then(|| WriteGuard::new(self))
    }

    /// [`try_read`](Self::try_read) with a guard that keeps the lock alive.
    pub fn try_read_owned(self: Arc<Self>) -> Option<OwnedRwLockReadGuard<T>> {
        self.try_take(1).then(|| ReadGuard::new(self))
    }

    /// [`try_write`](Self::try_write) with a guard that keeps the lock alive.
    pub fn try_write_owned(self: Arc<Self>) -> Option<OwnedRwLockWriteGuard<T>> {
        self.try_take(ALL).then(|| WriteGuard::new(self))
    }

    /// Reads as the one upgradable reader, if nobody else is it, writes or waits. Never waits itself.
    pub fn try_upgradable_read(&self) -> Option<RwLockUpgradableReadGuard<'_, T>> {
        self.try_take_upgradable().then(|| UpgradableReadGuard::new(self))
    }

    /// [`try_upgradable_read`](Self::try_upgradable_read) with a guard that keeps the lock alive.
    ///
    /// # Examples
    /// ```
    /// # use std::sync::Arc;
    /// let lock = Arc::new(pirn_sync::RwLock::new(1));
    /// let guard = Arc::clone(&lock).try_upgradable_read_owned().unwrap();
    /// assert_eq!((*guard, *lock.try_read().unwrap()), (1, 1));
    /// assert!(Arc::clone(&lock).try_upgradable_read_owned().is_none());
    /// ```
    pub fn try_upgradable_read_owned(self: Arc<Self>) -> Option<OwnedRwLockUpgradableReadGuard<T>> {
        self.try_take_upgradable().then(|| UpgradableReadGuard::new(self))
    }

    /// The slot and a permit, or neither (L2).
    fn try_take_upgradable(&self) -> bool {
        if !matches!(self.slot.try_acquire(1), Ok(true)) {
            return false;
        }
        let slot = GiveBack(&self.slot);
        let taken = self.try_take(1);
        if taken {
            std::mem::forget(slot);
        }
        taken
    }

    #[inline]
    fn try_take(&self, count: usize) -> bool {
        matches!(self.permits.try_acquire(count), Ok(true))
    }

    /// The value, by way of the only reference to the lock.
    pub fn get_mut(&mut self) -> &mut T {
        // SAFETY: `&mut self` is the only way to the value: no guard exists, since guards borrow the lock.
        self.value.with_mut(|value| unsafe { &mut *value })
    }
}

impl<T: Default> Default for RwLock<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T> From<T> for RwLock<T> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

/// Shows the value if it can be read at this moment; never waits for it.
impl<T: ?Sized + fmt::Debug> fmt::Debug for RwLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("RwLock");
        match self.try_read() {
            Some(guard) => out.field("value", &&*guard),
            None => out.field("value", &format_args!("<locked>")),
        };
        out.finish()
    }
}

#[cfg(all(test, loom))]
mod loom;
#[cfg(all(test, not(loom)))]
mod tests;
