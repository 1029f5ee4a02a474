//! Deadlines of one socket: a moment after which its reads, or its writes, fail with `TimedOut`.
//!
//! As in Go, a deadline belongs to the socket and not to one operation: it holds for the operation that
//! waits now and for all later ones, until it is moved or taken away. So it costs a timer when it is *set*. Each attempt
//! of an operation then looks at the clock; where no deadline is set it costs a load.
//!
//! ```text
//!   set(deadline)                     timer                        operation
//!   S1  store the moment              T1  it fires: nudge          O1  take a stamp
//!   S2  nudge: set the timer,             READY, tick + 1,         O2  past the moment? TimedOut
//!       look again                        waiters woken            O3  try; would block: clear the stamp
//!                                                                  O4  wait
//! ```
//!
//! # Invariants
//! L1. An operation looks at the moment after it has taken its stamp (O1 before O2). A nudge between O2 and
//!     O4 changes the word, so O3 clears nothing and O4 finds the descriptor ready: it looks again.
//! L2. A timer that fires late, for a moment that was moved, is a nudge too many and nothing worse.
//! L3. The timer's waker belongs to no task: it nudges the direction, which wakes whoever waits. A task that
//!     goes away takes nobody's deadline with it. Nor does a runtime: one that shuts down wakes the timers it has left,
//!     and a nudge that comes too early sets the timer again, on a runtime that lives.
//! L4. The nudge knows the deadline weakly: its socket, and the timer with it, goes when nobody holds it.
//!
//! # Orderings
//! | # | access                                            | order   | with | why |
//! |---|---------------------------------------------------|---------|------|-----|
//! | 1 | [`Moment`]: `set` stores the moment               | Relaxed | –    | the nudge that follows is a release (1 in the table of the netpoller's descriptors) |
//! | 2 | [`Moment`]: `pending`, `has_passed` load it       | Relaxed | –    | the stamp taken before is an acquire (2 in that table) |
//!
//! The model that fails when either half of that pair is weakened stands there:
//! `loom::what_precedes_a_nudge_is_seen_after_it`. A listener's rest has no nudge: whoever reads it too early
//! tries too early, and is told again.

use std::io;
use std::panic::RefUnwindSafe;
use std::sync::{Arc as PlainArc, LazyLock, Weak};
use std::task::{Context, Wake, Waker};
use std::time::Instant;

use pirn_sync::clock;
use pirn_sync::primitive::atomic::{AtomicU64, Ordering::Relaxed};
use pirn_sync::primitive::{Arc, Mutex};
use pirn_sync::unwind::wake_all;

use crate::netpoll::{Descriptor, Direction};
use crate::sched::timer_slot::TimerSlot;

/// The moment from which deadlines are counted, so that one fits into an atomic word.
static EPOCH: LazyLock<Instant> = LazyLock::new(clock::now);

/// A moment in a word: nanoseconds after [`EPOCH`], 0 for none.
#[derive(Debug)]
pub(super) struct Moment(AtomicU64);

impl Moment {
    pub(super) fn none() -> Self {
        Self(AtomicU64::new(0))
    }

    pub(super) fn set(&self, moment: Option<Instant>) {
        let nanos = moment.map(|moment| {
            let since = moment.saturating_duration_since(*EPOCH).as_nanos();
            u64::try_from(since).unwrap_or(u64::MAX).max(1)
        });
        // Relaxed: the number is all there is to see.
        self.0.store(nanos.unwrap_or(0), Relaxed);
    }

    /// The moment, if it has not come yet or `None` was set: what is left to wait for.
    pub(super) fn pending(&self) -> Option<Instant> {
        let nanos = self.0.load(Relaxed);
        let moment = EPOCH.checked_add(std::time::Duration::from_nanos(nanos))?;
        (nanos != 0 && clock::now() < moment).then_some(moment)
    }

    pub(super) fn has_passed(&self) -> bool {
        // Relaxed: as in `set`.
        let nanos = self.0.load(Relaxed);
        nanos != 0 && clock::now().saturating_duration_since(*EPOCH).as_nanos() >= u128::from(nanos)
    }
}

/// One direction's deadline.
pub(super) struct Deadline(PlainArc<Alarm>);

/// The deadline, and the timer that nudges when it has come.
struct Alarm {
    moment: Moment,
    timer: Mutex<TimerSlot>,
}

// Nothing happens under its lock that could panic halfway.
impl RefUnwindSafe for Alarm {}

impl Alarm {
    /// Sets the timer to wake `waker`, if the moment is still to come.
    fn set(&self, waker: &Waker) {
        let mut timer = self.timer.lock();
        if let Some(moment) = self.moment.pending() {
            let _ = timer.poll_until(moment, &mut Context::from_waker(waker));
        }
    }
}

impl Deadline {
    pub(super) fn new() -> Self {
        Self(PlainArc::new(Alarm { moment: Moment::none(), timer: Mutex::new(TimerSlot::new()) }))
    }

    /// Moves the deadline, or takes it away.
    pub(super) fn set(&self, moment: Option<Instant>, descriptor: &Arc<Descriptor>, direction: Direction) {
        let alarm = PlainArc::downgrade(&self.0);
        let waker =
            Waker::from(PlainArc::new(Nudge { descriptor: Arc::clone(descriptor), direction, alarm }));
        {
            let mut timer = self.0.timer.lock();
            self.0.moment.set(moment);
            timer.cancel();
        }
        waker.wake();
    }

    /// `TimedOut` once the moment has passed.
    pub(super) fn check(&self) -> io::Result<()> {
        if self.0.moment.has_passed() {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "the socket's deadline has passed"));
        }
        Ok(())
    }
}

impl std::fmt::Debug for Deadline {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Deadline").field(&self.0.moment).finish()
    }
}

/// The waker that makes a direction's waiters look again (L3).
struct Nudge {
    descriptor: Arc<Descriptor>,
    direction: Direction,
    /// L4.
    alarm: Weak<Alarm>,
}

impl Wake for Nudge {
    fn wake(self: PlainArc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &PlainArc<Self>) {
        if let Some(alarm) = self.alarm.upgrade() {
            alarm.set(&Waker::from(PlainArc::clone(self)));
        }
        let mut ready = Vec::new();
        self.descriptor.nudge(self.direction, &mut ready);
        wake_all(ready);
    }
}
