//! The wait for every set at once, and the eventfd that ends it.
//!
//! `ppoll` over the sets: a set is readable while it has something to tell, so nothing that came before the wait
//! is missed, and nobody who runs meanwhile pays for there being a sleeper. It counts nanoseconds, unlike
//! `epoll_wait`, whose milliseconds would make a timer of 100 µs take ten times as long.
//!
//! # Waking
//! ```text
//!   who wakes                              who waits
//!   W1  signalled: false → true ?          P1  the wait reports the eventfd
//!   W2  if so, write 1 to the eventfd      P2  read it: 0 is left
//!                                          P3  signalled := false, return
//! ```
//! E1. At most one write is outstanding: `signalled` is true from W1 to P3.
//! E2. A wake that finds `signalled` true is answered by the wait that passes P3 afterwards: that wait returns
//!     after it, and sees what was published before it (W1 and P3 are exchanges of one location,
//!     acquire-release: a release sequence).
//! E3. P2 before P3. The other way round a wake between them would be read away, and `signalled` stay true
//!     with nothing written: every later wake lost. `loom::no_wake_is_lost` fails then.
//! E4. Only a thread that waits reads the eventfd: a look at a set cannot take a wake away from the sleeper.
//!
//! # Orderings
//! | # | access                               | order   | with | why | weakened, fails in |
//! |---|--------------------------------------|---------|------|-----|--------------------|
//! | 1 | [`Signal::raise`]: exchange to true  | AcqRel  | 2    | what was published before the wake is seen after the wait | `loom::no_wake_is_lost` |
//! | 2 | [`Signal::lower`]: exchange to false | AcqRel  | 1    |     | `loom::no_wake_is_lost` |
//!
//! # Rejected
//! A set of all sets (epoll nests): every event of every set would walk on into the outer one, sleeper or not.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::Duration;

use pirn_sync::primitive::atomic::{AtomicBool, Ordering::AcqRel};

use super::epoll::{Selector, check, owned};

/// As many sets as one wait can take.
pub(super) const MAX_SETS: usize = 64;

/// What a thread that waits for the network sleeps on.
#[derive(Debug)]
pub(super) struct Sleep {
    eventfd: OwnedFd,
    signal: Signal,
}

impl Sleep {
    pub(super) fn new() -> io::Result<Self> {
        // SAFETY: the call takes no pointer and returns a descriptor that nobody else owns.
        let eventfd = unsafe { owned(libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK)) }?;
        Ok(Self { eventfd, signal: Signal::new() })
    }

    /// Waits at most `timeout` (`None`: for ever) until one of `sets`, at most [`MAX_SETS`], has something to tell.
    /// Returns early when [woken](Self::wake), or when a signal handler ran.
    pub(super) fn wait(&self, sets: &[Selector], timeout: Option<Duration>) -> io::Result<()> {
        let readable = |fd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
        let mut asked = [readable(-1); MAX_SETS + 1];
        asked[0] = readable(self.eventfd.as_raw_fd());
        for (asked, set) in asked[1..].iter_mut().zip(sets) {
            *asked = readable(set.as_fd().as_raw_fd());
        }
        let timeout = timeout.map(|timeout| libc::timespec {
            tv_sec: timeout.as_secs().try_into().unwrap_or(libc::time_t::MAX),
            tv_nsec: timeout.subsec_nanos().into(),
        });
        let timeout = timeout.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
        let count = (sets.len() + 1) as libc::nfds_t;
        // SAFETY: `asked` has at least `count` entries, `timeout` is null or points at a time, and both live through
        // the call; no signal mask is passed.
        let result = check(unsafe { libc::ppoll(asked.as_mut_ptr(), count, timeout, std::ptr::null()) });
        if asked[0].revents != 0 {
            self.signal.lower(|| self.drain_eventfd());
        }
        match result {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => Err(error),
            _ => Ok(()),
        }
    }

    /// Ends a wait in progress, or the next one. Async-signal-safe: an exchange and a `write`.
    pub(super) fn wake(&self) {
        self.signal.raise(|| {
            let one = 1_u64;
            // It cannot fail: at most one write is outstanding (E1), so the counter never overflows.
            // SAFETY: `one` lives through the call and is 8 bytes long.
            unsafe { libc::write(self.eventfd.as_raw_fd(), (&raw const one).cast(), 8) };
        });
    }

    /// Empties the eventfd; false if another thread has done so.
    fn drain_eventfd(&self) -> bool {
        let mut count = 0_u64;
        // SAFETY: `count` is 8 bytes of room that live through the call.
        unsafe { libc::read(self.eventfd.as_raw_fd(), (&raw mut count).cast(), 8) == 8 }
    }
}

/// Whether a wake is on its way; the protocol of the module head, apart from the descriptor so that it can
/// be model-checked.
#[derive(Debug)]
struct Signal {
    signalled: AtomicBool,
}

impl Signal {
    fn new() -> Self {
        Self { signalled: AtomicBool::new(false) }
    }

    /// W1 and W2.
    fn raise(&self, write: impl FnOnce()) {
        if !self.signalled.swap(true, AcqRel) {
            write();
        }
    }

    /// P2 and P3. Whoever finds the eventfd empty has nothing to lower: another thread does.
    fn lower(&self, read: impl FnOnce() -> bool) {
        if read() {
            self.signalled.swap(false, AcqRel);
        }
    }
}

#[cfg(all(test, loom))]
mod loom;
#[cfg(all(test, not(loom)))]
mod tests;
