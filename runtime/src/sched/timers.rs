//! Timers in the scheduler: who looks at which deadline, and who sleeps until the earliest one.
//!
//! A timer lives in the [`TimerHome`] of the processor that made it ([`timer_slot`](super::timer_slot)). Its machine
//! looks there as it looks for work; so do all others once in a while, and sysmon while no machine waits in the
//! netpoller, so a processor that is idle or stuck delays its timers by milliseconds at most. When nothing runs, one
//! machine waits in the netpoller until the earliest deadline of all processors.
//!
//! A look fires a batch, a few hundred timers, and then a task is run: a million that are due at once hold
//! nobody up. What is left is due still, and the next look comes after a handful of tasks. Nor does it hold anybody up that
//! a million are sorted before the first of them can fire: a look sorts [`SORTED`] batches at most.
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
//! its own processor does nothing: it looks there before it rests, and only then tells the sleeper
//! ([`Shared::tell_sleeper`]). All accesses to `sleeping_until` are `Relaxed`: the fences order them.
//!
//! # The end
//! A shutdown closes every home. A processor that is made later may still come to a task that was left, so its home is closed
//! from the start: `closed` is raised before the shutdown looks at the roster, and read with the roster locked, which orders
//! the two; both accesses are `Relaxed`.

use super::current::Place;
use super::shared::Shared;
use crate::timer::TimerHome;
use pirn_sync::primitive::atomic::{AtomicBool, AtomicU64, Ordering, fence};
use pirn_sync::unwind::wake_caught;
use std::time::Duration;

/// So many batches one look sorts when none of them has anything to fire: some tenths of a millisecond.
const SORTED: usize = 16;

/// What is true of all homes together.
#[derive(Debug)]
pub(super) struct Deadlines {
    /// What the sleeper sleeps until: nanoseconds since the runtime's start, 0 when nobody sleeps there.
    sleeping_until: AtomicU64,
    /// Every home is closed, or about to be.
    closed: AtomicBool,
}

impl Deadlines {
    pub(super) fn new() -> Self {
        Self { sleeping_until: AtomicU64::new(0), closed: AtomicBool::new(false) }
    }
}

impl Shared {
    /// The earliest deadline of all processors, `u64::MAX` if there is none.
    pub(super) fn next_deadline(&self) -> u64 {
        self.roster.list().iter().map(|remote| remote.timers.next_deadline()).min().unwrap_or(u64::MAX)
    }

    /// M1 to M3: how long the sleeper may wait; `None` is for ever.
    pub(super) fn begin_netpoll_sleep(&self) -> Option<Duration> {
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

    pub(super) fn end_netpoll_sleep(&self) {
        self.deadlines.sleeping_until.store(0, Ordering::Relaxed);
    }

    /// S2 and S3, for whoever leaves timers behind: a machine that rests, a thread outside.
    pub(super) fn tell_sleeper(&self) {
        fence(Ordering::SeqCst);
        if self.next_deadline() < self.deadlines.sleeping_until.load(Ordering::Relaxed) {
            self.netpoll.wake();
        }
    }

    /// Closes every home: what waits there is woken, and finds its runtime gone.
    pub(super) fn close_timers(&self) {
        self.deadlines.closed.store(true, Ordering::Relaxed);
        let mut due = Vec::new();
        for remote in self.roster.list().iter() {
            remote.timers.close(&mut due);
        }
        due.into_iter().for_each(wake_caught);
    }

    /// Closes a new home if the others were closed. With the roster locked that it is about to enter.
    pub(super) fn close_if_late(&self, home: &TimerHome) {
        if self.deadlines.closed.load(Ordering::Relaxed) {
            home.close(&mut Vec::new());
        }
    }

    /// How many timers are pending.
    pub(crate) fn timer_count(&self) -> usize {
        self.roster.list().iter().map(|remote| remote.timers.len()).sum()
    }
}

impl Place {
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
            self.shared.look_at_whole_network(&mut self.due.borrow_mut());
            self.wake_due();
        }
        let now = self.shared.now();
        while self.expire_on_all(now) {}
    }

    /// One batch of each processor. True if more is due.
    fn expire_on_all(&self, now: u64) -> bool {
        let roster = self.shared.roster.list();
        roster.iter().fold(false, |more, remote| more | self.expire_batch(&remote.timers, now))
    }

    /// True if more is due.
    fn expire_batch(&self, home: &TimerHome, now: u64) -> bool {
        let mut more = true;
        for _ in 0..SORTED {
            more = home.expire(now, &mut self.due.borrow_mut());
            // Some batches only sort what is due later.
            if !more || !self.due.borrow().is_empty() {
                break;
            }
        }
        self.wake_due();
        more
    }
}
