//! Timers in the scheduler: who looks at which deadline, and what a sleeping future holds.
//!
//! A timer lives in the [`TimerHome`] of the processor that made it. Its machine looks there as it looks for
//! work; so do all others once in a while, and sysmon while no machine waits in the netpoller, so a processor
//! that is idle or stuck delays its timers by milliseconds at most. When nothing runs, one machine waits in the
//! netpoller until the earliest deadline of all processors.
//!
//! A look fires a batch, a few hundred timers, and then a task is run: a million that are due at once hold
//! nobody up. What is left is due still, and the next look comes after a handful of tasks.
//!
//! # The sleeper's handshake
//! A timer may be set while that machine falls asleep with a later deadline:
//!
//! ```text
//!   who sets a timer from outside                the machine about to wait
//!   S1  publish the home's next deadline         M1  sleeping_until = earliest deadline
//!   S2  fence(SeqCst)                            M2  fence(SeqCst)
//!   S3  deadline < sleeping_until ? wake it      M3  look at every home once more
//! ```
//!
//! As in [`idle`](super::idle): whichever fence is first, the other side sees. A machine that sets a timer on
//! its own processor does nothing: it looks there before it rests, and only then tells the poller
//! ([`Shared::tell_poller`]). All accesses to `sleeping_until` are `Relaxed`: the fences order them.

use super::current::{self, Context};
use super::shared::Shared;
use crate::timer::{EntryState, Key, TimerHome};
use pirn_sync::clock;
use pirn_sync::primitive::atomic::{AtomicU64, Ordering, fence};
use pirn_sync::unwind::wake_caught;
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

/// What the poller sleeps until: nanoseconds since the runtime's start, 0 when nobody sleeps there.
#[derive(Debug)]
pub(super) struct Deadlines {
    sleeping_until: AtomicU64,
}

impl Deadlines {
    pub(super) fn new() -> Self {
        Self { sleeping_until: AtomicU64::new(0) }
    }
}

impl Shared {
    /// The earliest deadline of all processors, `u64::MAX` if there is none.
    pub(super) fn next_deadline(&self) -> u64 {
        self.roster.list().iter().map(|remote| remote.timers.next_deadline()).min().unwrap_or(u64::MAX)
    }

    /// M1 to M3: how long the poller may wait; `None` is for ever.
    pub(super) fn begin_poller_sleep(&self) -> Option<Duration> {
        let mut deadline = self.next_deadline();
        loop {
            self.deadlines.sleeping_until.store(deadline, Ordering::Relaxed);
            fence(Ordering::SeqCst);
            let earlier = self.next_deadline();
            if earlier >= deadline {
                break;
            }
            deadline = earlier;
        }
        (deadline != u64::MAX).then(|| Duration::from_nanos(deadline.saturating_sub(self.now())))
    }

    pub(super) fn end_poller_sleep(&self) {
        self.deadlines.sleeping_until.store(0, Ordering::Relaxed);
    }

    /// S2 and S3, for whoever leaves timers behind: a machine that rests, a thread outside.
    pub(super) fn tell_poller(&self) {
        fence(Ordering::SeqCst);
        if self.next_deadline() < self.deadlines.sleeping_until.load(Ordering::Relaxed) {
            self.netpoll.wake();
        }
    }

    /// Closes every home: what waits there is woken, and finds its runtime gone.
    pub(super) fn close_timers(&self) {
        let mut due = Vec::new();
        for remote in self.roster.list().iter() {
            remote.timers.close(&mut due);
        }
        due.into_iter().for_each(wake_caught);
    }

    /// How many timers are pending.
    pub(crate) fn timer_count(&self) -> usize {
        self.roster.list().iter().map(|remote| remote.timers.len()).sum()
    }
}

impl Context {
    /// Queues a batch of what is due on the processor that this machine holds.
    pub(super) fn expire_own_timers(&self) {
        let home = self.with_processor(|processor| {
            let timers = &processor.remote.timers;
            (timers.next_deadline() != u64::MAX).then(|| timers.clone())
        });
        if let Some(Some(home)) = home {
            self.expire_batch(&home, self.shared.now());
        }
    }

    /// Queues a batch of what is due on each processor: its own machine may be idle, or stuck in a poll.
    pub(super) fn expire_all_timers(&self) {
        if self.shared.next_deadline() != u64::MAX {
            self.expire_on_all(self.shared.now());
        }
    }

    /// Wakes everything that is due or ready by now, without a processor: for those that are stuck.
    pub(super) fn look_after_stuck(&self) {
        if !self.shared.netpoll.is_empty() {
            self.shared.look_at_network(&mut self.due.borrow_mut());
            self.wake_due();
        }
        let now = self.shared.now();
        while self.expire_on_all(now) {}
    }

    /// True if more is due.
    fn expire_on_all(&self, now: u64) -> bool {
        let roster = self.shared.roster.list();
        roster.iter().fold(false, |more, remote| more | self.expire_batch(&remote.timers, now))
    }

    /// True if more is due.
    fn expire_batch(&self, home: &TimerHome, now: u64) -> bool {
        loop {
            let more = home.expire(now, &mut self.due.borrow_mut());
            // Some batches only sort what is due later.
            if !more || !self.due.borrow().is_empty() {
                self.wake_due();
                return more;
            }
        }
    }
}

/// One pending deadline, or none: what lies in every future that waits for a point in time.
///
/// Dropping it cancels the timer.
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

    /// Ready once `deadline` has passed. It may be another one than in the last poll: a later one is the cheaper, as the
    /// timer is only put off.
    ///
    /// The timer is set where it is polled; if its runtime goes away it moves to the one that polls it next.
    ///
    /// # Panics
    /// If that has shut down, and so has the global runtime.
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
        self.0 = current::with(|context| match context {
            Some(context) => register(&context.shared, Some(context), deadline, waker),
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

fn register(
    shared: &Arc<Shared>,
    context: Option<&Context>,
    deadline: Instant,
    waker: Waker,
) -> Option<Armed> {
    let due = shared.epoch.ticks(deadline);
    if due == u64::MAX {
        return None;
    }
    let own = context.and_then(|context| context.with_processor(|p| p.remote.timers.clone()));
    let outside = own.is_none();
    let home = own.unwrap_or_else(|| shared.roster.list()[0].timers.clone());
    match home.insert(due, waker) {
        Ok((key, earliest)) => {
            if outside && earliest {
                shared.tell_poller();
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
