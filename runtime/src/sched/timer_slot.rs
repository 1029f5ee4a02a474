//! What lies in every future that waits for a point in time: one pending deadline, or none.
//!
//! ```text
//!   no timer ── first poll before the deadline ──► armed ── polled, or the deadline is over ──► no timer
//!                                                   │  ▲
//!                                                   └──┘ polled for a later deadline: put off
//! ```
//! The timer is set in the [`TimerHome`] of the processor on which the future is polled, so that setting it contends
//! with nobody; on a thread that holds no processor, in the runtime's first one. There it stays, wherever the future
//! goes afterwards: every later poll, and the drop, reach it through the home's lock. Who looks at the homes is told in
//! [`timers`](super::timers).
//!
//! If its runtime shuts down, all its timers are woken. A future that is polled after that sets its timer in the runtime
//! that polls it, or, where that is the one that is shutting down, in the global one.

use super::current::{self, Place};
use super::shared::Shared;
use crate::timer::{EntryState, Key, TimerHome};
use pirn_sync::clock;
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::Instant;

/// One pending deadline, or none. Dropping it cancels the timer.
#[derive(Debug)]
pub(crate) struct TimerSlot(Option<Armed>);

#[derive(Debug)]
struct Armed {
    home: Arc<TimerHome>,
    key: Key,
}

impl TimerSlot {
    pub(crate) const fn new() -> Self {
        Self(None)
    }

    /// Ready once `deadline` has passed. It may be another deadline than in the last poll; a later one costs less than an
    /// earlier one, because the timer is only put off.
    ///
    /// # Panics
    /// If this thread's runtime has shut down, and the global one has too.
    pub(crate) fn poll_until(&mut self, deadline: Instant, cx: &mut std::task::Context<'_>) -> Poll<()> {
        if let Some(armed) = &self.0 {
            match armed.home.update(armed.key, armed.home.epoch.ticks(deadline), cx.waker()) {
                EntryState::Pending => return Poll::Pending,
                EntryState::PutOff if clock::now() < deadline => return Poll::Pending,
                EntryState::PutOff => {
                    self.cancel();
                    return Poll::Ready(());
                }
                EntryState::Later => drop(self.cancel()),
                // Perhaps for an earlier deadline than this one.
                EntryState::Fired | EntryState::Closed => self.0 = None,
            }
        }
        if clock::now() >= deadline {
            return Poll::Ready(());
        }
        self.arm(deadline, cx.waker().clone());
        Poll::Pending
    }

    /// Sets it, in place of an earlier setting, to wake `waker` of whatever kind; it is woken on a worker
    /// with no lock held. A deadline too far off to represent is never reached, and the waker is dropped.
    ///
    /// # Panics
    /// As [`poll_until`](Self::poll_until).
    pub(crate) fn arm(&mut self, deadline: Instant, waker: Waker) {
        self.cancel();
        self.0 = current::with(|place| match place {
            Some(place) => register(&place.shared, Some(place), deadline, waker),
            None => register(&crate::global::shared(), None, deadline, waker),
        });
    }

    /// Whether it was set, and has not been taken back.
    pub(crate) fn is_armed(&self) -> bool {
        self.0.is_some()
    }

    /// Takes it back; true when it was pending.
    pub(crate) fn cancel(&mut self) -> bool {
        self.0.take().is_some_and(|armed| armed.home.cancel(armed.key))
    }
}

impl Drop for TimerSlot {
    fn drop(&mut self) {
        self.cancel();
    }
}

fn register(shared: &Arc<Shared>, place: Option<&Place>, deadline: Instant, waker: Waker) -> Option<Armed> {
    let due = shared.epoch.ticks(deadline);
    if due == u64::MAX {
        return None;
    }
    let own = place.and_then(|place| place.with_processor(|p| p.remote.timers.clone()));
    let outside = own.is_none();
    let home = own.unwrap_or_else(|| shared.roster.list()[0].timers.clone());
    match home.insert(due, waker) {
        Ok((key, earliest)) => {
            if outside && earliest {
                shared.tell_sleeper();
            }
            Some(Armed { home, key })
        }
        // Its runtime is shutting down: the global one serves whoever still waits.
        Err(waker) => {
            let global = crate::global::shared();
            assert!(
                !Arc::ptr_eq(shared, &global),
                "a timer was set after the global runtime had shut down (UnhandledPanic::Shutdown), and nobody is left to \
                 wake it; use a runtime of your own, or another UnhandledPanic"
            );
            register(&global, None, deadline, waker)
        }
    }
}
