//! How long is long: the two bounds that keep waiting fair and abandoned waiters harmless.
//!
//! A waiter is *starved* when it has waited for a millisecond while others took what it wants; from then on
//! it goes first (Go's mutex draws the line at the same place). A call *lapses* when the waiter that was
//! woken to take its turn has not been polled for a millisecond; from then on others may go. Both are
//! policy, not correctness: a model checker explores either answer, so under loom the model says what is to
//! be believed, and no clock is asked.

#[cfg(not(loom))]
pub(crate) use measured::{has_lapsed, is_starved};
#[cfg(loom)]
pub(crate) use told::{has_lapsed, is_starved};

/// By the clock.
#[cfg(not(loom))]
mod measured {
    use std::time::{Duration, Instant};

    const STARVED_AFTER: Duration = Duration::from_millis(1);
    const LAPSES_AFTER: Duration = Duration::from_millis(1);

    /// Whether somebody who has waited since `since` is to go first.
    pub(crate) fn is_starved(since: Instant, now: Instant) -> bool {
        now.saturating_duration_since(since) >= STARVED_AFTER
    }

    /// Whether somebody woken at `called` has had time enough to come.
    pub(crate) fn has_lapsed(called: Instant, now: Instant) -> bool {
        now.saturating_duration_since(called) >= LAPSES_AFTER
    }
}

/// As a model tells.
#[cfg(loom)]
pub(crate) mod told {
    // Not loom's: what is told is no part of what a model explores.
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Instant;

    static STARVED: AtomicBool = AtomicBool::new(false);
    static LAPSED: AtomicBool = AtomicBool::new(false);

    pub(crate) fn is_starved(_since: Instant, _now: Instant) -> bool {
        // Relaxed: told before the model's threads start.
        STARVED.load(Ordering::Relaxed)
    }

    pub(crate) fn has_lapsed(_called: Instant, _now: Instant) -> bool {
        // Relaxed: as `STARVED`.
        LAPSED.load(Ordering::Relaxed)
    }

    /// Lets every waiter count as starved, every call as lapsed, or not, until the guard is dropped. The
    /// models of one process take turns under it.
    #[cfg(test)]
    pub(crate) fn tell(starved: bool, lapsed: bool) -> std::sync::MutexGuard<'static, ()> {
        use std::sync::{Mutex, PoisonError};
        static TURN: Mutex<()> = Mutex::new(());
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        STARVED.store(starved, Ordering::Relaxed);
        LAPSED.store(lapsed, Ordering::Relaxed);
        turn
    }
}
