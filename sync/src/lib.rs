//! Synchronisation primitives for tasks of any executor and for plain threads.
//!
//! Go's half of the story that is not channels: locks that may be held across `.await`, condition variables,
//! wait groups, and what a server needs beside them. They wake through [`std::task::Waker`] and nothing else,
//! so they work under every executor, between executors, and between tasks and plain threads: what waits has a
//! `_blocking` twin that does so on the calling thread, in the same queue (but for owned guards and permits,
//! upgrades, and [`SingleFlight`]).
//!
//! | to let | use | who waits, and for what |
//! |---|---|---|
//! | one at a time use a value | [`Mutex`] | until the holder unlocks; whoever runs may barge in, for a millisecond at most |
//! | many read or one write | [`RwLock`] | first come, first served |
//! | at most n do something | [`Semaphore`] | first come, first served, big requests too |
//! | tasks sleep until a value has changed | [`Cond`] | until notified, in the order of waiting |
//! | tasks sleep until something happened | [`Notify`] | until notified; one notice is stored |
//! | one wait for n to be done | [`WaitGroup`] | until the count is zero |
//! | n go on together | [`Barrier`] | until the last has come |
//! | something be done once | [`Once`], [`OnceCell`] | while another does it |
//! | many share one answer | [`SingleFlight`] | while the leader fetches it |
//! | values be used again | [`Pool`] | nobody |
//! | many count | [`atomic::Counter`] | nobody |
//!
//! # What all of them promise
//! - *No futurelock.* A future that waits for a lock, and that its task does not poll any more, holds nothing: others
//!   pass it within about a millisecond. (Who waits to be *told* keeps what it was told, a `notify_one` for example,
//!   until it is polled or dropped; and who has the turn to initialise keeps that.)
//! - *Cancel safety.* Dropping any future undoes its wait and passes on what it had been given. Each says so.
//! - *No poisoning.* A panic releases what it held; the value is as the panic left it.
//! - Wakers and values are called, cloned and dropped with no lock held, and may panic without harm.
//! - A future that waits tells the executor what it waits on, and where in your source, for a dump.
//!
//! # Reading order
//! `wait_list` (who waits) → `permits` (the algorithm of the locks) → [`Mutex`], [`Semaphore`], [`RwLock`],
//! [`Once`] on it; `signals` (the algorithm of those who wait to be told) → [`Cond`], [`Notify`],
//! [`WaitGroup`], [`Barrier`] on it; `block` (how a thread waits for a future).
//!
//! # Example
//! ```
//! use std::sync::Arc;
//! use pirn_sync::{Mutex, WaitGroup};
//!
//! let (total, group) = (Arc::new(Mutex::new(0)), WaitGroup::new());
//! for n in 1..=4 {
//!     let (total, guard) = (Arc::clone(&total), group.guard());
//!     // A thread here, a task anywhere else.
//!     std::thread::spawn(move || {
//!         *total.lock_blocking() += n;
//!         drop(guard);
//!     });
//! }
//! group.wait_blocking();
//! assert_eq!(*total.lock_blocking(), 10);
//! ```

#[doc(hidden)]
pub mod block;
#[doc(hidden)]
pub mod clock;
#[doc(hidden)]
pub mod host;
#[doc(hidden)]
pub mod primitive;
#[doc(hidden)]
pub mod random;
#[doc(hidden)]
pub mod slab;
#[doc(hidden)]
pub mod unwind;

pub mod atomic;
mod barrier;
mod cond;
mod error;
#[cfg(all(test, loom))]
mod models;
mod mutex;
mod notify;
mod once;
mod once_cell;
mod patience;
mod permits;
mod pool;
mod rwlock;
mod semaphore;
mod shard;
mod signals;
mod single_flight;
#[cfg(all(test, not(loom)))]
mod testing;
mod wait_group;
mod wait_list;

pub use barrier::{Barrier, BarrierWait, BarrierWaitResult};
pub use cond::{Cond, CondWait, CondWaitWhile};
pub use error::{AcquireError, SetError, TryAcquireError};
pub use mutex::{Lock, LockOwned, MappedMutexGuard, Mutex, MutexGuard, OwnedMutexGuard};
pub use notify::{Notified, Notify};
pub use once::{CallOnce, Once};
pub use once_cell::{GetOrInit, GetOrTryInit, OnceCell};
pub use pool::{Pool, PoolGuard};
pub use rwlock::{
    Holder as RwLockHolder, MappedRwLockReadGuard, MappedRwLockWriteGuard, OwnedRwLockReadGuard,
    OwnedRwLockUpgradableReadGuard, OwnedRwLockWriteGuard, Read, ReadGuard, RwLock, RwLockReadGuard,
    RwLockUpgradableReadGuard, RwLockWriteGuard, UpgradableRead, UpgradableReadGuard, Upgrade, Write,
    WriteGuard,
};
pub use semaphore::{Acquire, AcquireOwned, OwnedSemaphorePermit, Semaphore, SemaphorePermit};
pub use single_flight::{Run, SingleFlight};
pub use wait_group::{WaitGroup, WaitGroupWait, WaitGuard};
