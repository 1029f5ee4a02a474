//! The lock of a channel: one byte, taken with one atomic exchange and given back with a plain store.
//!
//! # Problem
//! What is done under a channel's lock takes about as long as an atomic read-modify-write. A lock that can put threads to
//! sleep needs a second such exchange to unlock, to learn whether somebody sleeps. Here nobody sleeps on the lock itself:
//! whoever finds it taken spins for a while, then yields the core, then naps.
//!
//! The first pause already takes some microseconds, in which the other core passes hundreds of values. Two cores that take
//! turns move the lock and all under it from cache to cache for every value, which costs several times what the operation
//! does: with short pauses eight senders and eight receivers passed a quarter of the values (`chan_mpmc_8x8` of the
//! benchmarks).
//!
//! Spinning is sound only because of what runs under the lock: never foreign code (H1 of [`chan`][crate::chan]), never a
//! wait, and rarely more than a hundred instructions (a buffer that grows is the exception). A holder that loses its core
//! holds up all others until it gets a core again. Hence the naps: they leave it one.
//!
//! # Invariants
//! K1. `held` is true from a thread's successful exchange to its store: at most one thread is between the two.
//! K2. The data is touched only between the two.
//!
//! # Orderings
//! | # | access | order | with | why | weakened, fails in |
//! |---|---|---|---|---|---|
//! | 1 | [`with`][SpinLock::with]: exchange | `Acquire` | 2 | sees what the last holder did | `loom::one_at_a_time` |
//! | 2 | unlocking: store | `Release` | 1 | | `loom::one_at_a_time` |
//! | 3 | looking whether it is free | `Relaxed` | – | only decides whether to try | – |
//!
//! # Rejected
//! `parking_lot::Mutex`: its unlock is an exchange as well, and those two exchanges led the profile of
//! `benches/benches/channel_tasks.rs`, where one task sends to another.

// In a loom build only the model of this lock uses it; see the stand-in below.
#![cfg_attr(all(loom, not(test)), allow(dead_code))]

use pirn_sync::primitive::atomic::{AtomicBool, Ordering};
use pirn_sync::primitive::{hint, thread, UnsafeCell};

/// Data that one thread at a time may touch, for a moment.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct SpinLock<T> {
    held: AtomicBool,
    data: UnsafeCell<T>,
}

// SAFETY: K1 and K2: the data is only lent out to one thread at a time, so sharing the lock only sends the data around.
unsafe impl<T: Send> Sync for SpinLock<T> {}

/// Gives the lock back, also when the holder panics.
struct Held<'a>(&'a AtomicBool);

impl Drop for Held<'_> {
    #[inline]
    fn drop(&mut self) {
        // The partner is the next holder's exchange (Acquire): it sees what was done under the lock.
        self.0.store(false, Ordering::Release);
    }
}

impl<T> SpinLock<T> {
    pub(crate) fn new(data: T) -> Self {
        Self { held: AtomicBool::new(false), data: UnsafeCell::new(data) }
    }

    /// Runs `f` with the lock held. `f` must be short, must not wait, and must not run anybody else's code.
    #[inline]
    pub(crate) fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
        if self.held.compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed).is_err() {
            self.wait();
        }
        let _held = Held(&self.held);
        self.data.with_mut(|data| {
            // SAFETY: K1 and K2: this thread made the exchange and has not yet stored.
            f(unsafe { &mut *data })
        })
    }

    #[cold]
    fn wait(&self) {
        let mut turn = 0;
        // The look before each try guesses, Relaxed; the exchange is Acquire as in `with`.
        while self.held.load(Ordering::Relaxed)
            || self.held.compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed).is_err()
        {
            pause(turn);
            turn += 1;
        }
    }
}

/// Steps aside, longer each turn: spins, then yields, then naps.
#[cfg(not(loom))]
fn pause(turn: u32) {
    const FIRST: u32 = 256;
    const SPINS: u32 = 3;
    const YIELDS: u32 = 200;
    if turn < SPINS {
        (0..FIRST << turn).for_each(|_| hint::spin_loop());
    } else if turn < SPINS + YIELDS {
        thread::yield_now();
    } else {
        thread::sleep(std::time::Duration::from_micros(50));
    }
}

#[cfg(loom)]
fn pause(_: u32) {
    hint::spin_loop();
    thread::yield_now();
}

#[cfg(not(loom))]
pub(crate) use SpinLock as Lock;

#[cfg(loom)]
pub(crate) use stand_in::Lock;

/// Under loom the channel's models take loom's own lock, which blocks: spinning would multiply their schedules without
/// end. The spinning one has a model of its own.
#[cfg(loom)]
mod stand_in {
    use pirn_sync::primitive::Mutex;

    #[derive(Debug)]
    pub(crate) struct Lock<T>(Mutex<T>);

    impl<T> Lock<T> {
        pub(crate) fn new(data: T) -> Self {
            Self(Mutex::new(data))
        }

        pub(crate) fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
            f(&mut self.0.lock())
        }
    }
}

#[cfg(all(test, loom))]
mod loom;
