//! What a primitive and the executor that polls it may tell each other: a mailbox per thread.
//!
//! `pirn-sync` and `pirn-channel` run under any executor, so they cannot call one. Two things are still
//! worth saying. The executor says *please yield*: this task has used up its time slice.
//! The leaf future says *what it waits on, and where* as it returns `Pending`, which is what a dump of all
//! tasks shows. Both go through thread-local cells that are empty under an executor which never installs
//! anything: [`should_yield`] is then false and [`waiting_on`] writes to a cell that nobody reads.
//!
//! ```text
//!   executor                            leaf future, inside the poll
//!   install(flag)      ── flag ──►      should_yield()  once per poll, before it takes what is ready
//!   take_wait()        ◄─ wait ───      waiting_on(kind, at)  as it returns Pending
//! ```
//!
//! # The rule for leaves
//! A leaf that could complete asks [`should_yield`] first; if it is true the leaf wakes its own task and
//! returns `Pending` without taking anything ([`poll_yield`] does both). The flag stays up until the
//! executor lowers it, which it does when the task comes back to it: so one poll yields once.
//!
//! # Executors inside a task
//! A `block_on` of another library, called inside a task, polls again at once whatever was woken. Meanwhile the task does
//! not come back to its executor, the flag stays up, and the leaves would give way for ever. So the leaf that is asked
//! for the 64th time on a thread lowers the flag and goes on. For a task that merely polls many leaves in one poll
//! this means that the rest of them are not asked, or that the task yields a moment later.
//!
//! # Cost and orderings
//! One thread-local access and one relaxed load for [`should_yield`]; two thread-local stores for
//! [`waiting_on`]. The flag is `Relaxed` on both sides: it is advice, carries no data, and a poll that
//! misses it by a moment honours it at its next leaf.

use std::cell::Cell;
use std::panic::Location;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

/// Of so many times that leaves are asked to give way on a thread, the last is in vain.
const PATIENCE: u32 = 64;

thread_local! {
    static PLEASE_YIELD: Cell<Option<&'static AtomicBool>> = const { Cell::new(None) };
    static WAIT: Cell<Option<Wait>> = const { Cell::new(None) };
    /// How often leaves have been asked to give way, every `PATIENCE`th in vain.
    static GAVE_WAY: Cell<u32> = const { Cell::new(0) };
}

/// What a task waits on: the kind of operation and the place in the user's source that began it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait {
    /// The kind of operation.
    pub kind: WaitKind,
    /// Where it was called.
    pub at: &'static Location<'static>,
}

/// The kinds of operation that can wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(u8)]
pub enum WaitKind {
    /// Sending on a channel.
    Send = 1,
    /// Receiving from a channel.
    Recv,
    /// A `select!`.
    Select,
    /// A mutex.
    Mutex,
    /// Reading under a read-write lock.
    RwLockRead,
    /// Writing under a read-write lock.
    RwLockWrite,
    /// A condition variable.
    Cond,
    /// A wait group.
    WaitGroup,
    /// A semaphore.
    Semaphore,
    /// A barrier.
    Barrier,
    /// A notification.
    Notify,
    /// An initialisation by another task.
    Once,
    /// The end of another task.
    Join,
    /// A point in time.
    Sleep,
    /// A descriptor that is to become readable or writable.
    Io,
    /// The end of a context.
    Context,
    /// A signal.
    Signal,
    /// A blocking job on another thread.
    Blocking,
}

impl WaitKind {
    const ALL: [Self; 18] = [
        Self::Send,
        Self::Recv,
        Self::Select,
        Self::Mutex,
        Self::RwLockRead,
        Self::RwLockWrite,
        Self::Cond,
        Self::WaitGroup,
        Self::Semaphore,
        Self::Barrier,
        Self::Notify,
        Self::Once,
        Self::Join,
        Self::Sleep,
        Self::Io,
        Self::Context,
        Self::Signal,
        Self::Blocking,
    ];

    /// The kind that `self as u8` came from; `None` for 0 and for numbers that no kind has.
    pub fn from_u8(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number).checked_sub(1)?).copied()
    }
}

impl std::fmt::Display for WaitKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Send => "channel send",
            Self::Recv => "channel receive",
            Self::Select => "select",
            Self::Mutex => "mutex",
            Self::RwLockRead => "rwlock read",
            Self::RwLockWrite => "rwlock write",
            Self::Cond => "cond",
            Self::WaitGroup => "wait group",
            Self::Semaphore => "semaphore",
            Self::Barrier => "barrier",
            Self::Notify => "notify",
            Self::Once => "once",
            Self::Join => "join",
            Self::Sleep => "sleep",
            Self::Io => "io",
            Self::Context => "context",
            Self::Signal => "signal",
            Self::Blocking => "blocking job",
        })
    }
}

/// Whether the executor asks the current task to yield. False where no executor has installed a flag.
#[inline]
pub fn should_yield() -> bool {
    PLEASE_YIELD.with(|flag| flag.get().is_some_and(|flag| flag.load(Ordering::Relaxed)))
}

/// `Pending`, with the task woken, if the executor asks for a yield: what a leaf calls once per poll.
///
/// ```text
/// fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
///     ready!(host::poll_yield(cx));
///     …
/// ```
#[inline]
pub fn poll_yield(cx: &mut Context<'_>) -> Poll<()> {
    if should_yield() { give_way(cx) } else { Poll::Ready(()) }
}

#[cold]
fn give_way(cx: &mut Context<'_>) -> Poll<()> {
    let times = GAVE_WAY.get().wrapping_add(1);
    GAVE_WAY.set(times);
    if times.is_multiple_of(PATIENCE) {
        if let Some(flag) = PLEASE_YIELD.get() {
            flag.store(false, Ordering::Relaxed);
        }
        return Poll::Ready(());
    }
    cx.waker().wake_by_ref();
    Poll::Pending
}

/// How often leaves have been asked to give way on this thread. Where that has changed over a poll, a future that was
/// pending in it may have been ready; the flag does not tell any more once it was lowered.
#[inline]
pub fn times_given_way() -> u32 {
    GAVE_WAY.get()
}

/// Notes what the current task waits on. A leaf calls it as it returns `Pending`.
#[inline]
pub fn waiting_on(kind: WaitKind, at: &'static Location<'static>) {
    WAIT.with(|wait| wait.set(Some(Wait { kind, at })));
}

/// Takes what the leaf polled last has noted. For executors, after a poll.
#[inline]
pub fn take_wait() -> Option<Wait> {
    WAIT.with(Cell::take)
}

/// Makes `flag` this thread's yield flag, or none. For executors; returns what was installed before.
///
/// The flag is `'static` so that reading it costs one load and no lifetime: executors keep one per thread
/// and reuse it.
pub fn install(flag: Option<&'static AtomicBool>) -> Option<&'static AtomicBool> {
    PLEASE_YIELD.with(|cell| cell.replace(flag))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_survives_its_number() {
        for kind in WaitKind::ALL {
            assert_eq!(WaitKind::from_u8(kind as u8), Some(kind));
        }
        assert_eq!(WaitKind::from_u8(0), None);
        assert_eq!(WaitKind::from_u8(200), None);
    }

    #[test]
    fn a_flag_is_seen_only_while_installed() {
        static FLAG: AtomicBool = AtomicBool::new(true);
        assert!(!should_yield());
        assert!(install(Some(&FLAG)).is_none());
        assert!(should_yield());
        assert!(install(None).is_some());
        assert!(!should_yield());
    }

    #[test]
    fn who_polls_again_and_again_without_coming_back_goes_on() {
        static FLAG: AtomicBool = AtomicBool::new(true);
        install(Some(&FLAG));
        let mut cx = Context::from_waker(std::task::Waker::noop());
        assert!(poll_yield(&mut cx).is_pending());
        let more =
            std::iter::repeat_with(|| poll_yield(&mut cx)).take_while(|poll| poll.is_pending()).count();
        assert_eq!(more as u32, PATIENCE - 2);
        assert!(!should_yield(), "until the flag is raised again");
        install(None);
    }

    #[test]
    fn the_last_wait_is_taken_once() {
        let at = Location::caller();
        waiting_on(WaitKind::Mutex, at);
        waiting_on(WaitKind::Sleep, at);
        assert_eq!(take_wait(), Some(Wait { kind: WaitKind::Sleep, at }));
        assert_eq!(take_wait(), None);
    }
}
