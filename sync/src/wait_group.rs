//! The wait group: waits until a number of things are done (Go's `sync.WaitGroup`).
//!
//! A count, and a queue of those who wait until it is zero. Tasks finish far more often than anybody waits,
//! so finishing is one exchange on one word; only the one that brings the count to zero, and only if
//! somebody waits, touches the queue.
//!
//! ```text
//!   63                                            1     0
//!   ┌─────────────────────────────────────────────┬──────────┐
//!   │ how many are not done                       │ AWAITED  │
//!   └─────────────────────────────────────────────┴──────────┘
//! ```
//!
//! # Invariants
//! G1. `AWAITED` is set, and a waiter queued, under the queue's lock and only while the count is above zero.
//! G2. The step from one to zero with `AWAITED` set is made under that lock too, clears it, and releases
//!     everybody who is queued. So one round's waiters are released by that round's last `done`, never by
//!     another's; and released means told ([`signals`](crate::signals)): they stay released when the count
//!     rises again before they are polled.
//!
//! # Orderings
//! | # | access                                   | order   | with | why                                            | weakened, fails in |
//! |---|------------------------------------------|---------|------|------------------------------------------------|--------------------|
//! | 1 | [`WaitGroup::done`]: exchange            | Release | 2, 3 | `wait` sees everything written before `done`   | `loom::wait_sees_what_was_written_before_done` |
//! | 2 | [`WaitGroup::wait`], first look: load of zero | Acquire | 1 | every later exchange continues 1's release sequence | `loom::wait_sees_what_was_written_before_done` |
//! | 3 | `await_zero`, under the lock: load, failed exchange | Acquire | 1 | the same, if zero came between the two looks | `loom::wait_sees_what_was_written_before_done` |
//! | 4 | the last `done`: exchange under the lock | AcqRel  | 1, 2, 3, the lock | as 1, and collects all `done`s for those who are released through the lock | `loom::wait_sees_what_was_written_before_done`, `loom::a_queued_wait_sees_what_was_written_before_done` |
//! | 5 | [`WaitGroup::add`]                       | Relaxed | –    | publishes nothing                              | – |

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::block;
use crate::host::{self, WaitKind};
use crate::primitive::atomic::AtomicUsize;
use crate::primitive::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use crate::signals::{Signals, Wait};

const AWAITED: usize = 1;
const ONE: usize = 2;

/// A handle to a count of things that are not done yet. Clones share the count.
///
/// Add before you start what is to be waited for, not inside it: otherwise `wait` may come first and find
/// nothing to wait for. [`guard`](Self::guard) does both ends, and its end also when the task panics.
///
/// # Examples
/// ```
/// use pirn_sync::WaitGroup;
///
/// let group = WaitGroup::new();
/// for _ in 0..4 {
///     let guard = group.guard();
///     std::thread::spawn(move || drop(guard));
/// }
/// group.wait_blocking();
/// assert_eq!(group.count(), 0);
/// ```
#[derive(Clone)]
pub struct WaitGroup {
    shared: Arc<Shared>,
}

struct Shared {
    state: AtomicUsize,
    waiters: Signals<(), ()>,
}

impl WaitGroup {
    /// A group with nothing to wait for.
    pub fn new() -> Self {
        Self { shared: Arc::new(Shared { state: AtomicUsize::new(0), waiters: Signals::new(()) }) }
    }

    /// Adds `count` things to wait for. Never waits.
    ///
    /// # Panics
    /// When the sum would be above `usize::MAX / 2`.
    ///
    /// # Examples
    /// ```
    /// let group = pirn_sync::WaitGroup::new();
    /// group.add(2);
    /// group.done();
    /// assert_eq!(group.count(), 1);
    /// ```
    #[track_caller]
    pub fn add(&self, count: usize) {
        let added = count.checked_mul(ONE).is_some_and(|count| {
            self.shared.state.fetch_update(Relaxed, Relaxed, |state| state.checked_add(count)).is_ok()
        });
        assert!(added, "a wait group counts up to {}", usize::MAX / ONE);
    }

    /// One thing is done. The last one wakes everybody who waits. Never waits.
    ///
    /// # Panics
    /// When nothing was left to be done: `done` was called more often than things were added.
    ///
    /// # Examples
    /// ```
    /// let group = pirn_sync::WaitGroup::new();
    /// group.add(1);
    /// group.done();
    /// group.wait_blocking();
    /// ```
    #[track_caller]
    pub fn done(&self) {
        assert!(
            self.shared.done(),
            "WaitGroup: negative count: `done` was called more often than things were added"
        );
    }

    /// Adds one thing that is done when the guard is dropped, at the end of its task, also by a panic.
    ///
    /// # Panics
    /// As [`add`](Self::add).
    ///
    /// # Examples
    /// ```
    /// let group = pirn_sync::WaitGroup::new();
    /// let guard = group.guard();
    /// let task = std::thread::spawn(move || {
    ///     let _guard = guard;
    ///     panic!("never mind");
    /// });
    /// group.wait_blocking();
    /// assert!(task.join().is_err());
    /// ```
    #[track_caller]
    pub fn guard(&self) -> WaitGuard {
        self.add(1);
        WaitGuard { shared: Arc::clone(&self.shared) }
    }

    /// Waits until everything is done; at once if nothing is left. It then sees all that was written before
    /// each `done`.
    ///
    /// Whoever waits when the count reaches zero is released, even if more is added before it is polled.
    ///
    /// # Cancel safety
    /// Dropping the future has no effect on the group.
    ///
    /// # Examples
    /// ```
    /// # pirn_sync::block::wait(async {
    /// let group = pirn_sync::WaitGroup::new();
    /// let guard = group.guard();
    /// std::thread::spawn(move || drop(guard));
    /// group.wait().await;
    /// # });
    /// ```
    #[track_caller]
    pub fn wait(&self) -> WaitGroupWait<'_> {
        WaitGroupWait { shared: &self.shared, wait: Wait::new(WaitKind::WaitGroup, Location::caller()) }
    }

    /// [`wait`](Self::wait), blocking this thread.
    ///
    /// # Examples
    /// ```
    /// pirn_sync::WaitGroup::new().wait_blocking(); // nothing to wait for
    /// ```
    #[track_caller]
    pub fn wait_blocking(&self) {
        block::wait(self.wait());
    }

    /// How many things are not done at this moment.
    ///
    /// # Examples
    /// ```
    /// assert_eq!(pirn_sync::WaitGroup::new().count(), 0);
    /// ```
    pub fn count(&self) -> usize {
        self.shared.state.load(Relaxed) / ONE
    }
}

impl Default for WaitGroup {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for WaitGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaitGroup").field("count", &self.count()).finish()
    }
}

impl Shared {
    /// False if the count is zero already.
    #[must_use]
    fn done(&self) -> bool {
        let mut state = self.state.load(Relaxed);
        while state >= ONE {
            if state == ONE | AWAITED {
                return self.done_last();
            }
            match self.state.compare_exchange_weak(state, state - ONE, Release, Relaxed) {
                Ok(_) => return true,
                Err(seen) => state = seen,
            }
        }
        false
    }

    /// `done` where somebody waits and this may be the last one (G2).
    #[cold]
    fn done_last(&self) -> bool {
        self.waiters.with(|waiters, wakers| {
            let mut state = self.state.load(Relaxed);
            while state >= ONE {
                let last = state == ONE | AWAITED;
                let next = if last { 0 } else { state - ONE };
                match self.state.compare_exchange_weak(state, next, AcqRel, Relaxed) {
                    Ok(_) if last => {
                        waiters.signal_all((), wakers);
                        return true;
                    }
                    Ok(_) => return true,
                    Err(seen) => state = seen,
                }
            }
            false
        })
    }

    /// Under the lock: whether there is something to wait for; if so it is known that somebody does (G1).
    fn await_zero(&self) -> Option<()> {
        let mut state = self.state.load(Acquire);
        while state >= ONE {
            match self.state.compare_exchange_weak(state, state | AWAITED, Relaxed, Acquire) {
                Ok(_) => return None,
                Err(seen) => state = seen,
            }
        }
        Some(())
    }
}

/// One thing that a [`WaitGroup`] waits for; done when dropped.
#[must_use = "it is done as soon as the guard is dropped"]
pub struct WaitGuard {
    shared: Arc<Shared>,
}

impl Drop for WaitGuard {
    fn drop(&mut self) {
        // Somebody called `done` for what only this guard should end. A second panic would abort.
        let kept = self.shared.done();
        assert!(kept || std::thread::panicking(), "WaitGroup: negative count: `done` was called for a guard");
    }
}

impl fmt::Debug for WaitGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaitGuard").finish_non_exhaustive()
    }
}

/// The future of [`WaitGroup::wait`].
#[must_use = "futures do nothing unless awaited"]
pub struct WaitGroupWait<'a> {
    shared: &'a Shared,
    wait: Wait,
}

impl Future for WaitGroupWait<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        if host::poll_yield(context).is_pending() {
            // It waits from now on all the same: the next zero releases it. Where there is nothing to wait for, the
            // next poll will see.
            if !this.wait.has_begun() {
                this.shared.waiters.enter(&mut this.wait, None, |_, _| this.shared.await_zero());
            }
            return Poll::Pending;
        }
        if !this.wait.has_begun() && this.shared.state.load(Acquire) < ONE {
            return Poll::Ready(());
        }
        this.shared.waiters.poll(&mut this.wait, context, |_, _| this.shared.await_zero())
    }
}

impl Drop for WaitGroupWait<'_> {
    fn drop(&mut self) {
        // The signal goes to everybody, so there is none to pass on.
        self.shared.waiters.cancel(&mut self.wait, |_, _, _| ());
    }
}

impl fmt::Debug for WaitGroupWait<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaitGroupWait").finish_non_exhaustive()
    }
}

#[cfg(all(test, loom))]
mod loom;
#[cfg(all(test, not(loom)))]
mod tests;
