//! The barrier: n tasks wait until all n have come, again and again.
//!
//! Under one lock stand the number of those who have come and the queue of those who wait. The one who
//! completes the round signals the others, becomes the leader and begins the next round in the same step;
//! so a fast task that comes again at once counts for the next round, while the slow ones of this round
//! keep their signal ([`signals`](crate::signals)).
//!
//! # Invariants
//! B1. The count equals the number of queued waits: it is below `size` whenever the lock is free.
//! B2. Each round has exactly one leader: the wait that completed it, which never queued.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::block;
use crate::host::{self, WaitKind};
use crate::signals::{Inner, Signals, Wait};
use crate::wait_list::Wakers;

/// A point that n tasks or threads pass together.
///
/// # Examples
/// ```
/// use pirn_sync::Barrier;
///
/// let barrier = Barrier::new(3);
/// std::thread::scope(|scope| {
///     let waits = [(); 3].map(|()| scope.spawn(|| barrier.wait_blocking().is_leader()));
///     let leaders = waits.map(|wait| u32::from(wait.join().unwrap()));
///     assert_eq!(leaders.iter().sum::<u32>(), 1);
/// });
/// ```
pub struct Barrier {
    size: usize,
    waiters: Signals<usize, ()>,
}

impl Barrier {
    crate::const_fn! {
        /// A barrier for `size` waiters; 0 acts as 1.
        pub const fn new(size: usize) -> Self {
            Self { size: if size == 0 { 1 } else { size }, waiters: Signals::new(0) }
        }
    }

    /// Waits until as many waits as the barrier's size have come; exactly one of them is told that it is
    /// the leader.
    ///
    /// It counts as having come from its first poll.
    ///
    /// # Cancel safety
    /// A wait that is dropped before the round is complete takes its arrival back.
    ///
    /// # Examples
    /// ```
    /// # pirn_sync::block::wait(async {
    /// assert!(pirn_sync::Barrier::new(1).wait().await.is_leader());
    /// # });
    /// ```
    #[track_caller]
    pub fn wait(&self) -> BarrierWait<'_> {
        BarrierWait { barrier: self, wait: Wait::new(WaitKind::Barrier, Location::caller()) }
    }

    /// [`wait`](Self::wait), blocking this thread.
    #[track_caller]
    pub fn wait_blocking(&self) -> BarrierWaitResult {
        block::wait(self.wait())
    }

    /// One more has come: `Some` if it completes the round.
    fn arrive(&self, round: &mut Inner<usize, ()>, wakers: &mut Wakers) -> Option<()> {
        round.state += 1;
        if round.state < self.size {
            return None;
        }
        round.state = 0;
        round.signal_all((), wakers);
        Some(())
    }
}

impl fmt::Debug for Barrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Barrier").field("size", &self.size).finish_non_exhaustive()
    }
}

/// What [`Barrier::wait`] returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BarrierWaitResult {
    leader: bool,
}

impl BarrierWaitResult {
    /// Whether this wait was the one that completed the round.
    pub fn is_leader(&self) -> bool {
        self.leader
    }
}

/// The future of [`Barrier::wait`].
#[must_use = "futures do nothing unless awaited"]
pub struct BarrierWait<'a> {
    barrier: &'a Barrier,
    wait: Wait,
}

impl Future for BarrierWait<'_> {
    type Output = BarrierWaitResult;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let leader = !this.wait.has_begun();
        let arrive = |round: &mut _, wakers: &mut _| this.barrier.arrive(round, wakers);
        if host::poll_yield(context).is_pending() {
            // It comes all the same, for others may rely on it: none where it is alone. Who completes the round says so
            // at once: dropped before it could, it would leave the round without a leader (B2).
            let told = match leader && this.barrier.size > 1 {
                true => this.barrier.waiters.enter(&mut this.wait, None, arrive),
                false => None,
            };
            return told.map_or(Poll::Pending, |()| Poll::Ready(BarrierWaitResult { leader }));
        }
        this.barrier.waiters.poll(&mut this.wait, context, arrive).map(|()| BarrierWaitResult { leader })
    }
}

impl Drop for BarrierWait<'_> {
    fn drop(&mut self) {
        self.barrier.waiters.cancel(&mut self.wait, |round, told, _| {
            if told.is_none() {
                round.state -= 1;
            }
        });
    }
}

impl fmt::Debug for BarrierWait<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BarrierWait").finish_non_exhaustive()
    }
}

#[cfg(all(test, loom))]
mod loom;
#[cfg(all(test, not(loom)))]
mod tests;
