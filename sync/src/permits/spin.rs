//! Spinning before queueing: how long it pays to wait for a holder without going to sleep.
//!
//! A holder that runs on another core gives back after a few nanoseconds; going to sleep and being woken
//! costs hundreds. A holder that is itself asleep, in an `.await`, gives back after who knows how long, and
//! every look for it is lost time. Nothing in a lock tells the one from the other, but its past does: where
//! looking has paid, it pays again. So each lock keeps its *luck*: full in the beginning, halved when a
//! spell of looking was in vain, and growing when it was not; who is out of luck looks only now and then.
//! (glibc's adaptive mutexes do the like.)
//!
//! The pauses between two looks grow. Each look takes the lock's cache line away from the holder, who
//! meanwhile might have locked and unlocked dozens of times: whoever looks rarely disturbs little.
//!
//! The luck is a hint: written without care by whoever has just spun, `Relaxed`, wrong without harm.

use crate::primitive::atomic::AtomicU8;
use crate::primitive::atomic::Ordering::Relaxed;
use crate::primitive::hint;

/// The most looks that one spell takes: a few microseconds.
const MOST_LOOKS: u8 = 6;

/// The pause before the first look, in spin-loop hints.
const FIRST_PAUSE: u32 = 16;

/// No pause is longer than this.
const LONGEST_PAUSE: u32 = 32;

/// Who is out of luck looks only every so many times.
const TIMES_OUT: u8 = 16;

/// What spinning on one lock has been worth lately: up to [`MOST_LOOKS`] looks; beyond that, how many times
/// to leave it altogether, counted down.
#[derive(Debug)]
pub(super) struct Luck(AtomicU8);

impl Luck {
    crate::const_fn! {
        pub(super) const fn new() -> Self {
            Self(AtomicU8::new(MOST_LOOKS))
        }
    }

    /// Looks again and again until `look` says yes, or it is no longer worth it, or `look` says that it
    /// will not be (`None`).
    pub(super) fn spin(&self, mut look: impl FnMut() -> Option<bool>) -> bool {
        let luck = self.0.load(Relaxed);
        if cfg!(loom) {
            return false;
        }
        if luck > MOST_LOOKS {
            let out_of_luck = luck - 1 > MOST_LOOKS;
            self.0.store(if out_of_luck { luck - 1 } else { 1 }, Relaxed);
            return false;
        }
        for turn in 0..luck {
            (0..(FIRST_PAUSE << turn).min(LONGEST_PAUSE)).for_each(|_| hint::spin_loop());
            match look() {
                Some(true) => {
                    if luck < MOST_LOOKS {
                        self.0.store(luck + 1, Relaxed);
                    }
                    return true;
                }
                Some(false) => {}
                None => return false,
            }
        }
        self.0.store(if luck > 1 { luck / 2 } else { MOST_LOOKS + TIMES_OUT }, Relaxed);
        false
    }
}
