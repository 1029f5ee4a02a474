//! One processor as sysmon sees it, and the two things sysmon tells its machine: *please yield*, *replaced*.
//!
//! # The race of replacement against return
//! Sysmon lends a spare processor in place of one whose machine sits in a long poll. The poll may end at that
//! very moment, and then either nobody or exactly one of the two processors must retire.
//!
//! ```text
//!   sysmon                                    the machine, at the end of its poll
//!   R1  replaced = why                        E1  polls += 1
//!   R2  fence(SeqCst)                         E2  replaced ? exchange it to none: retire
//!   R3  polls changed since it was judged?
//!       exchange replaced to none:
//!       was set: withdrawn, lend nothing
//!       was none: the machine has retired, lend
//! ```
//!
//! `replaced` is taken down by one exchange, so one side alone decides: sysmon that takes it down lends
//! nothing; the machine that takes it down retires, and sysmon lends. No fence stands on the machine's side,
//! which is the hot path: it may miss a fresh flag, and finds it at the end of its next poll. Until then
//! there is a processor more than asked for, which is harmless.
//!
//! # Orderings
//! `Relaxed`, all of them: the flags carry no data. The lent processor travels through a lock. That one is
//! retired for each that is lent follows from the exchanges alone: make either a store and
//! `loom::a_processor_is_retired_for_each_that_is_lent` fails; leave R3 out and
//! `loom::a_machine_that_is_back_is_not_replaced` does. R2 has no partner and proves nothing; it keeps R3 from
//! being done before R1, which would only make the moment longer in which a machine is replaced for nothing.

use parking_lot::Mutex;
use pirn_sync::primitive::atomic::{AtomicI32, AtomicU8, Ordering, fence};
use std::fmt;
use std::sync::atomic::AtomicBool as PlainAtomicBool;

/// The flags between sysmon and the machine that holds the processor.
pub(super) struct Stuck {
    /// The flag that the leaf futures ask for through the host hook.
    pub(super) please_yield: YieldFlag,
    /// A [`Replaced`], or 0.
    replaced: AtomicU8,
    /// The thread that holds the processor, 0 when none does.
    thread: AtomicI32,
}

/// Why a spare stands in for a processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Replaced {
    /// Its machine is blocked in the kernel.
    Blocked = 1,
    /// Its machine computes.
    Burning,
}

impl Stuck {
    pub(super) fn new() -> Self {
        Self { please_yield: YieldFlag::new(), replaced: AtomicU8::new(0), thread: AtomicI32::new(0) }
    }

    /// R1 to R3: true if a spare is to be lent.
    pub(super) fn replace(&self, why: Replaced, still_stuck: impl FnOnce() -> bool) -> bool {
        self.replaced.store(why as u8, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        still_stuck() || self.replaced.swap(0, Ordering::Relaxed) == 0
    }

    /// Whether a spare stands in for the processor.
    pub(super) fn is_replaced(&self) -> bool {
        self.replaced.load(Ordering::Relaxed) != 0
    }

    /// E2: why the machine must retire its processor, if it must.
    #[inline]
    pub(super) fn take_replaced(&self) -> Option<Replaced> {
        if !self.is_replaced() {
            return None;
        }
        match self.replaced.swap(0, Ordering::Relaxed) {
            0 => None,
            blocked if blocked == Replaced::Blocked as u8 => Some(Replaced::Blocked),
            _ => Some(Replaced::Burning),
        }
    }

    pub(super) fn held_by(&self, thread: i32) {
        self.thread.store(thread, Ordering::Relaxed);
    }

    pub(super) fn thread(&self) -> i32 {
        self.thread.load(Ordering::Relaxed)
    }
}

impl fmt::Debug for Stuck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stuck").field("replaced", &self.is_replaced()).finish_non_exhaustive()
    }
}

/// A flag that lives for ever, so that a leaf future reads it without a lifetime. Flags are reused: there are
/// never more of them than there were processors at one time.
#[derive(Debug)]
pub(super) struct YieldFlag(&'static PlainAtomicBool);

static UNUSED: Mutex<Vec<&'static PlainAtomicBool>> = Mutex::new(Vec::new());

impl YieldFlag {
    fn new() -> Self {
        let unused = UNUSED.lock().pop();
        Self(unused.unwrap_or_else(|| Box::leak(Box::new(PlainAtomicBool::new(false)))))
    }

    pub(super) fn raise(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Lowers it; true if it was up.
    #[inline]
    pub(super) fn lower(&self) -> bool {
        let up = self.0.load(Ordering::Relaxed);
        if up {
            self.0.store(false, Ordering::Relaxed);
        }
        up
    }

    pub(super) fn get(&self) -> &'static PlainAtomicBool {
        self.0
    }
}

impl Drop for YieldFlag {
    fn drop(&mut self) {
        self.lower();
        UNUSED.lock().push(self.0);
    }
}

#[cfg(all(test, loom))]
mod loom;
