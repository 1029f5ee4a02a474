//! Idling: which processors nobody holds, how many machines search, and when one more is woken.
//!
//! The problem: a task is published while machines go to sleep. To wake a machine for every task costs tens of
//! microseconds each time (`wake_latency` of the benchmarks), more than most tasks do; to wake none loses the task.
//! So at most one machine is *woken to search* at a time: whoever publishes work wakes one only if no machine is
//! searching already, and the last machine that stops searching looks at everything once more before it sleeps.
//!
//! ```text
//!   submitter                              machine about to give up its processor
//!   S1  publish the task                   M1  searching −= 1, idle += 1   (one step on one word)
//!   S2  fence(SeqCst)                      M2  fence(SeqCst)
//!   S3  searching == 0 and idle > 0 ?      M3  look at every run queue once more;
//!       take a processor, unpark one           something there: take a processor back
//! ```
//!
//! # Why no wake-up is lost
//! Of the two fences one is first.
//! - If S2 is first, M3 sees what S1 published.
//! - If M2 is first, S3 sees the word after M1. That says *idle*, so the submitter wakes a machine; unless it
//!   also says *searching*, because yet another machine searches, or *none idle*, because another machine has taken
//!   the processor up since. Then that machine's M1 is still to come, after which *it* looks, and the same two
//!   lines hold for it.
//!
//! Three cases beside the picture:
//! - *A machine gives up while others search.* It need not look: the last of them will.
//! - *The last searcher finds work.* Submitters have relied on it, so it goes through the same steps, but keeps
//!   its processor: one searcher less, fence, look. If there is more work, it wakes another machine in its place.
//! - *A batch moves from one queue to another.* For a moment it is in neither, and a last look may miss it. So
//!   whoever moves a batch without searching is a submitter again, and notifies.
//!
//! # Invariants
//! - I1. `idle` in the word is the number of processors in the list; both change under the list's lock.
//! - I2. `searching` counts machines that hold a processor and have found nothing yet, and those that have
//!   been given one to search with and have not woken up.
//! - I3. A machine begins to search only while fewer than half of the busy processors' number do
//!   ([`Idle::may_search`]). That is advice, read without order; the proof does not use it.
//!
//! # Orderings
//! Every access to the word is `Relaxed`; the two fences carry the proof, and what travels with a processor
//! is published by the list's lock. Drop either fence and `loom::no_wake_up_is_lost` finds a task with
//! nobody coming for it; so it does when M3 is left out.
//!
//! # Rejected
//! Waking another machine in the place of the last searcher whether or not there is more work (as Go and tokio
//! do): whatever woke an idle runtime then woke two machines, and the second one before the task was run.
//!
//! Waking a machine per task (tokio before 2019: measured there as the cost of every spawn). `SeqCst`
//! accesses in place of the fences: equally correct, but loom takes them for `AcqRel` and reports a
//! wake-up that cannot be lost.

use pirn_sync::primitive::Mutex;
use pirn_sync::primitive::atomic::{AtomicU64, Ordering, fence};

#[cfg(all(test, loom))]
mod loom;
#[cfg(all(test, not(loom)))]
mod tests;

const SEARCHING: u64 = 1;
const IDLE: u64 = 1 << 32;

/// The processors that no machine holds. `P` is the processor, which only the tests replace.
#[derive(Debug)]
pub(crate) struct Idle<P> {
    word: AtomicU64,
    list: Mutex<Vec<P>>,
}

fn searching(word: u64) -> u32 {
    word as u32
}

fn idle(word: u64) -> u32 {
    (word >> 32) as u32
}

impl<P> Idle<P> {
    pub(crate) fn new() -> Self {
        Self { word: AtomicU64::new(0), list: Mutex::new(Vec::new()) }
    }

    /// The submitter's side, after S1: a processor for one more searching machine, if one should be woken.
    /// The caller unparks a machine with it, as a searching one.
    #[must_use]
    pub(crate) fn notify(&self) -> Option<P> {
        fence(Ordering::SeqCst);
        let word = self.word.load(Ordering::Relaxed);
        if searching(word) != 0 || idle(word) == 0 {
            return None;
        }
        let mut list = self.list.lock();
        if searching(self.word.load(Ordering::Relaxed)) != 0 {
            // Another submitter was faster; its machine's last look comes after our S2.
            return None;
        }
        let processor = list.pop()?;
        self.word.fetch_add(SEARCHING.wrapping_sub(IDLE), Ordering::Relaxed);
        Some(processor)
    }

    /// Puts a processor down: M1 and M2. True if the caller must look once more (M3): nobody searches now.
    #[must_use]
    pub(crate) fn release(&self, processor: P, was_searching: bool) -> bool {
        let change = if was_searching { IDLE - SEARCHING } else { IDLE };
        let word = {
            let mut list = self.list.lock();
            list.push(processor);
            self.word.fetch_add(change, Ordering::Relaxed).wrapping_add(change)
        };
        fence(Ordering::SeqCst);
        searching(word) == 0
    }

    /// Takes any idle processor: after a look that found something (then `searching`), after the netpoller
    /// returned with events, after a blocking call.
    #[must_use]
    pub(crate) fn acquire(&self, to_search: bool) -> Option<P> {
        if idle(self.word.load(Ordering::Relaxed)) == 0 {
            return None;
        }
        let mut list = self.list.lock();
        let processor = list.pop()?;
        let change = if to_search { SEARCHING.wrapping_sub(IDLE) } else { 0_u64.wrapping_sub(IDLE) };
        self.word.fetch_add(change, Ordering::Relaxed);
        Some(processor)
    }

    /// Starts searching if it may: of the `processors`, fewer than half of the busy ones are used to search so far (I3).
    #[must_use]
    pub(crate) fn may_search(&self, processors: usize) -> bool {
        let word = self.word.load(Ordering::Relaxed);
        let busy = processors.saturating_sub(idle(word) as usize);
        if 2 * searching(word) as usize >= busy {
            return false;
        }
        self.word.fetch_add(SEARCHING, Ordering::Relaxed);
        true
    }

    /// A machine is about to be given a processor that was never in the list, to search with.
    pub(crate) fn lend_searching(&self) {
        self.word.fetch_add(SEARCHING, Ordering::Relaxed);
    }

    /// A searching machine has found something. True if it was the last: the caller looks (M3), and notifies if
    /// there is more.
    #[must_use]
    pub(crate) fn found(&self) -> bool {
        let last = searching(self.word.fetch_sub(SEARCHING, Ordering::Relaxed)) == 1;
        fence(Ordering::SeqCst);
        last
    }

    /// Whether some processor is idle. Advice.
    pub(crate) fn any(&self) -> bool {
        idle(self.word.load(Ordering::Relaxed)) > 0
    }

    /// Whether somebody looks for work: a searching machine, or an idle processor that a submitter would wake.
    pub(crate) fn somebody_looks(&self) -> bool {
        self.word.load(Ordering::Relaxed) != 0
    }

    /// How many processors are idle. Advice.
    pub(crate) fn len(&self) -> usize {
        idle(self.word.load(Ordering::Relaxed)) as usize
    }
}
