//! The wait for the network, and the eventfd that ends it.
//!
//! There are two ways to wait; both count nanoseconds, unlike `epoll_wait`, whose milliseconds would make a timer of
//! 100 µs take ten times as long.
//!
//! - *In one set*: `epoll_pwait2`, where one holds every descriptor ([`population`](super::population) says when). The
//!   eventfd is registered there too, so this one call hears of everything and brings the events along.
//! - *For all sets*: `ppoll` over them and the eventfd, and then a look at each of them. A set is readable while it has
//!   something to tell, so nothing that came before the wait is missed, and nobody who runs meanwhile pays for there
//!   being a sleeper.
//!
//! A kernel older than 5.11, or a filter of system calls, knows no `epoll_pwait2`. That is found out by the first wait
//! that tries, and from then on every wait is the second kind.
//!
//! And where a process may have fewer descriptors than there are sets, `ppoll` refuses to take so many: then whoever
//! waits naps and looks at all sets in between.
//!
//! Descriptors that come and go in another set make one set enough only from time to time, and each that comes while
//! the sleeper is in the other costs a wake. So a wait is in one set only after [`CALM`] waits for which it would have
//! been enough.
//!
//! # Waking
//! ```text
//!   who wakes                              who waits
//!   W1  signalled: false → true ?          P1  the wait reports the eventfd
//!   W2  if so, write 1 to the eventfd      P2  read it: 0 is left
//!                                          P3  signalled := false, return
//! ```
//! E1. At most one write is outstanding: `signalled` is true from W1 to P3, and P2 precedes the W2 of whoever raises it
//!     next.
//! E2. A wake that finds `signalled` true is answered by the wait that passes P3 afterwards: that wait returns
//!     after it, and sees what was published before it (W1 and P3 are exchanges of one location,
//!     acquire-release: a release sequence).
//! E3. P2 before P3. The other way round a wake between them would be read away, and `signalled` stay true
//!     with nothing written: every later wake lost. `loom::no_wake_is_lost` fails then.
//! E4. Only the thread that waits reads the eventfd. A look at the set that holds it may report it too, and passes
//!     over it: it is level-triggered there, so the look does not take the wake away from the sleeper.
//! E5. One thread waits at a time: it holds the lock of [`Sleeper`].
//!
//! # Orderings
//! | # | access                               | order   | with | why | weakened, fails in |
//! |---|--------------------------------------|---------|------|-----|--------------------|
//! | 1 | [`Signal::raise`]: exchange to true  | AcqRel  | 2    | Release: what was published before the wake is seen after the wait (E2); Acquire: the read that preceded the lowering is before the write that follows (E1) | `loom::no_wake_is_lost` |
//! | 2 | [`Signal::lower`]: exchange to false | AcqRel  | 1    | the other halves of both | `loom::no_wake_is_lost` |
//!
//! # Rejected
//! A set of all sets (epoll nests): every event of every set would walk on into the outer one, sleeper or not. The
//! eventfd in every set: each wake would walk into all of them, and each look report it until it is read. After a wait
//! for all sets, a look only at those that ended it: it saves system calls, but what came into the others meanwhile ends
//! the next wait, and `cargo bench -p pirn-benches --bench echo -- 64` makes a tenth fewer round trips.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::thread;
use std::time::Duration;

use pirn_sync::primitive::Mutex;
use pirn_sync::primitive::atomic::{AtomicBool, Ordering::AcqRel};

use super::epoll::{Readiness, Selector, check, owned};
use super::population::Population;
use super::table::Token;

/// As many sets as one wait can take.
pub(super) const MAX_SETS: usize = 64;

/// Between two looks where the kernel waits for nothing: a latency that is bearable, at some hundredths of a core.
const NAP: Duration = Duration::from_millis(1);

/// Waits in a row for which one set must have been enough before one is spent in it.
const CALM: u32 = 16;

/// What a thread that waits for the network sleeps on.
#[derive(Debug)]
pub(super) struct Sleep {
    eventfd: OwnedFd,
    signal: Signal,
    sleeper: Mutex<Sleeper>,
}

/// What whoever waits (E5) leaves to the next wait.
#[derive(Debug)]
struct Sleeper {
    /// The set that the eventfd is registered in.
    eventfd_in: Option<usize>,
    /// Waits in a row for which one set was enough, or would have been.
    calm: u32,
    /// There is no `epoll_pwait2`.
    refused: bool,
}

/// Gets the events of one set.
pub(super) type Hear<'a> = dyn FnMut(&mut dyn Iterator<Item = (Token, Readiness)>) + 'a;

impl Sleep {
    pub(super) fn new() -> io::Result<Self> {
        // SAFETY: the call takes no pointer and returns a descriptor that nobody else owns.
        let eventfd = unsafe { owned(libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK)) }?;
        // Nothing is registered yet: as calm as can be.
        let sleeper = Mutex::new(Sleeper { eventfd_in: None, calm: CALM, refused: false });
        Ok(Self { eventfd, signal: Signal::new(), sleeper })
    }

    /// Waits at most `timeout` (`None`: for ever) until one of `sets`, at most [`MAX_SETS`], has something to tell, and
    /// lets `hear` have it. Returns early when [woken](Self::wake), or when a signal handler ran.
    pub(super) fn wait(
        &self,
        sets: &[Selector],
        population: &Population,
        timeout: Option<Duration>,
        hear: &mut Hear<'_>,
    ) -> io::Result<()> {
        let mut sleeper = self.sleeper.lock();
        let alone = self
            .one_set(&mut sleeper, sets, population)
            .and_then(|set| population.alone(set, || self.wait_in(&sets[set], timeout, hear)));
        let result = match alone {
            Some(Err(error)) if is_missing(&error) => {
                sleeper.refused = true;
                self.wait_for(sets, timeout, hear)
            }
            Some(result) => result,
            None => self.wait_for(sets, timeout, hear),
        };
        match result {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            Err(_) => {
                // A wake goes unheard for so long, and is answered all the same: this returns.
                thread::sleep(timeout.map_or(NAP, |timeout| timeout.min(NAP)));
                sets.iter().try_for_each(|set| set.look(&mut *hear))
            }
            result => result,
        }
    }

    /// The set that it is enough to wait in, if there is one: the eventfd is there too then.
    fn one_set(&self, sleeper: &mut Sleeper, sets: &[Selector], population: &Population) -> Option<usize> {
        if sleeper.refused {
            return None;
        }
        let one = population.one_set(sleeper.eventfd_in.unwrap_or(0));
        sleeper.calm = if one.is_some() { sleeper.calm.saturating_add(1) } else { 0 };
        let set = one.filter(|_| sleeper.calm > CALM)?;
        if sleeper.eventfd_in != Some(set) {
            let eventfd = self.eventfd.as_raw_fd();
            sets[set].register_wake(eventfd).ok()?;
            if let Some(before) = sleeper.eventfd_in.replace(set) {
                // It is registered there: leaving cannot fail.
                let _ = sets[before].deregister(eventfd);
            }
        }
        Some(set)
    }

    /// The first way.
    fn wait_in(&self, set: &Selector, timeout: Option<Duration>, hear: &mut Hear<'_>) -> io::Result<()> {
        let mut woken = false;
        set.wait(timeout, |events| {
            hear(&mut events.filter(|&(token, _)| {
                woken |= token == Token::WAKE;
                token != Token::WAKE
            }));
        })?;
        if woken {
            self.signal.lower(|| self.drain_eventfd());
        }
        Ok(())
    }

    /// The second way.
    fn wait_for(&self, sets: &[Selector], timeout: Option<Duration>, hear: &mut Hear<'_>) -> io::Result<()> {
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
        check(unsafe { libc::ppoll(asked.as_mut_ptr(), count, timeout, std::ptr::null()) })?;
        if asked[0].revents != 0 {
            self.signal.lower(|| self.drain_eventfd());
        }
        sets.iter().try_for_each(|set| set.look(&mut *hear))
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

    /// Empties the eventfd.
    fn drain_eventfd(&self) {
        let mut count = 0_u64;
        // SAFETY: `count` is 8 bytes of room that live through the call.
        unsafe { libc::read(self.eventfd.as_raw_fd(), (&raw mut count).cast(), 8) };
    }
}

/// Whether `error` says that there is no such system call: the kernel's way, and that of filters.
fn is_missing(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOSYS | libc::EPERM))
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

    /// P2 and P3.
    fn lower(&self, read: impl FnOnce()) {
        read();
        self.signalled.swap(false, AcqRel);
    }
}

#[cfg(all(test, loom))]
mod loom;
#[cfg(all(test, not(loom)))]
mod tests;
