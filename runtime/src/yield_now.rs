//! Letting others run.

use crate::sched::current;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Goes behind everything that is runnable now: on this processor, and in the injector.
///
/// Under another executor it wakes its task and returns `Pending` once. Dropping it undoes nothing.
///
/// ```
/// # pirn::block_on(async {
/// pirn::yield_now().await;
/// # });
/// ```
pub fn yield_now() -> YieldNow {
    YieldNow { yielded: false }
}

/// The future of [`yield_now`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct YieldNow {
    yielded: bool,
}

impl Future for YieldNow {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if std::mem::replace(&mut self.yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// Whether this task has used up its time slice while others wait: for hand-written loops, which then
/// [`yield_now`].
///
/// Every leaf future of `pirn` gives way by itself, and also if nobody waits, so that the task can be aborted. False outside
/// tasks and while nobody waits; each return to the scheduler resets it. Costs one relaxed load until the slice is over.
///
/// ```
/// # pirn::block_on(async {
/// for _ in 0..1000 {
///     if pirn::should_yield() {
///         pirn::yield_now().await;
///     }
/// }
/// # });
/// ```
pub fn should_yield() -> bool {
    pirn_sync::host::should_yield() && current::somebody_waits()
}

/// How many processors the current runtime has, else the global one: how many tasks can run at the same time.
///
/// # Panics
/// If the global runtime is needed and cannot start.
///
/// ```
/// assert!(pirn::procs() >= 1);
/// ```
#[track_caller]
pub fn procs() -> usize {
    crate::global::current_or_global().procs()
}

/// Changes how many processors the current runtime has, else the global one, while they run; returns how
/// many there were.
///
/// ```
/// let before = pirn::set_procs(3);
/// assert_eq!(pirn::set_procs(before), 3);
/// ```
///
/// # Panics
/// For 0, and for more than 65,536; and as [`procs`].
#[track_caller]
pub fn set_procs(n: usize) -> usize {
    crate::global::current_or_global().set_procs(n)
}
