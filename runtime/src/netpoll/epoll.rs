//! The kernel's side of the netpoller on Linux: epoll, edge-triggered, and an eventfd to end a wait.
//!
//! Every system call of the netpoller stands here. [`Selector`] is the surface that a twin for another
//! kernel would have (see [`super`]).
//!
//! # Waiting with precision
//! `epoll_wait` counts whole milliseconds, which would make a timer of 100 µs take ten times as long.
//! `epoll_pwait2` (Linux 5.11) counts nanoseconds. Where the kernel, or a filter of system calls, does not
//! offer it, the first attempt says so and [`Selector::wait`] rounds up to milliseconds from then on.
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
//! E4. The eventfd is level-triggered and only a thread that waits reads it. A look with a zero timeout that
//!     meets it leaves it alone: the wake belongs to the thread that sleeps.
//!
//! # Orderings
//! | # | access                               | order   | with | why | weakened, fails in |
//! |---|--------------------------------------|---------|------|-----|--------------------|
//! | 1 | [`Signal::raise`]: exchange to true  | AcqRel  | 2    | what was published before the wake is seen after the wait | `loom::no_wake_is_lost` |
//! | 2 | [`Signal::lower`]: exchange to false | AcqRel  | 1    |     | `loom::no_wake_is_lost` |
//! | 3 | `NO_PWAIT2`                          | Relaxed | –    | a hint: a stale `false` costs one failed call | – |
//!
//! # Rejected
//! An edge-triggered eventfd that is never read saves P2, but a look by another thread would take the edge
//! away from the thread that sleeps.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool as PlainAtomicBool, Ordering::Relaxed};
use std::time::Duration;

use pirn_sync::primitive::atomic::{AtomicBool, Ordering::AcqRel};

use super::descriptor::Direction;
use super::table::Token;

/// The token of the eventfd, which no descriptor has (B3 of [`super::table`]).
const WAKE: u64 = u64::MAX;

/// Events taken from the kernel at once: 3 KiB of stack, and a turn short enough to stay fair.
const BATCH: usize = 256;

/// Set when the kernel turned out not to offer `epoll_pwait2`.
static NO_PWAIT2: PlainAtomicBool = PlainAtomicBool::new(false);

/// What an event says of a descriptor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Readiness {
    /// Something to read, or an end or error that reading will tell of.
    pub(super) read: bool,
    /// Room to write, or an end or error that writing will tell of.
    pub(super) write: bool,
    /// The peer writes no more.
    pub(super) read_hung_up: bool,
    /// The peer reads no more.
    pub(super) write_hung_up: bool,
}

impl Readiness {
    fn from_events(events: u32) -> Self {
        let any = |mask: i32| events & mask as u32 != 0;
        Self {
            read: any(libc::EPOLLIN | libc::EPOLLRDHUP | libc::EPOLLHUP | libc::EPOLLERR),
            write: any(libc::EPOLLOUT | libc::EPOLLHUP | libc::EPOLLERR),
            read_hung_up: any(libc::EPOLLRDHUP | libc::EPOLLHUP),
            write_hung_up: any(libc::EPOLLHUP),
        }
    }
}

/// The kernel's set of descriptors.
#[derive(Debug)]
pub(super) struct Selector {
    epoll: OwnedFd,
    eventfd: OwnedFd,
    signal: Signal,
}

impl Selector {
    /// An empty set, with the eventfd in it.
    pub(super) fn new() -> io::Result<Self> {
        // SAFETY: the call takes no pointer and returns a descriptor that nobody else owns.
        let epoll = unsafe { owned(libc::epoll_create1(libc::EPOLL_CLOEXEC)) }?;
        // SAFETY: as above.
        let eventfd = unsafe { owned(libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK)) }?;
        let selector = Self { epoll, eventfd, signal: Signal::new() };
        // Level-triggered (E4).
        selector.control(libc::EPOLL_CTL_ADD, selector.eventfd.as_raw_fd(), libc::EPOLLIN as u32, WAKE)?;
        Ok(selector)
    }

    /// Adds `fd` for both directions, edge-triggered, as `token`.
    pub(super) fn register(&self, fd: RawFd, token: Token) -> io::Result<()> {
        let interest = libc::EPOLLIN | libc::EPOLLOUT | libc::EPOLLRDHUP | libc::EPOLLET;
        self.control(libc::EPOLL_CTL_ADD, fd, interest as u32, token.to_bits())
    }

    /// Takes `fd` out.
    pub(super) fn deregister(&self, fd: RawFd) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_DEL, fd, 0, 0)
    }

    fn control(&self, operation: i32, fd: RawFd, events: u32, token: u64) -> io::Result<()> {
        let mut event = libc::epoll_event { events, u64: token };
        // SAFETY: `event` lives through the call, which keeps no pointer to it.
        check(unsafe { libc::epoll_ctl(self.epoll.as_raw_fd(), operation, fd, &raw mut event) }).map(drop)
    }

    /// Waits at most `timeout` and passes what happened to `deliver`, which is not called when nothing did.
    /// A signal handler that ran ends the wait early.
    pub(super) fn wait(
        &self,
        timeout: Option<Duration>,
        deliver: impl FnOnce(&mut dyn Iterator<Item = (Token, Readiness)>),
    ) -> io::Result<()> {
        let mut buffer = [const { MaybeUninit::<libc::epoll_event>::uninit() }; BATCH];
        let count = match self.wait_in_kernel(timeout, &mut buffer) {
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => 0,
            Err(error) => return Err(error),
        };
        // SAFETY: the kernel has filled in the first `count` events.
        let events = buffer[..count].iter().map(|event| unsafe { event.assume_init() });
        let mut woken = false;
        let mut others = events
            .map(|event| (event.u64, event.events))
            .filter(|&(token, _)| {
                let is_wake = token == WAKE;
                woken |= is_wake;
                !is_wake
            })
            .map(|(token, events)| (Token::from_bits(token), Readiness::from_events(events)))
            .peekable();
        if others.peek().is_some() {
            deliver(&mut others);
        }
        if woken && timeout != Some(Duration::ZERO) {
            self.signal.lower(|| self.drain_eventfd());
        }
        Ok(())
    }

    fn wait_in_kernel(
        &self,
        timeout: Option<Duration>,
        buffer: &mut [MaybeUninit<libc::epoll_event>; BATCH],
    ) -> io::Result<usize> {
        if !NO_PWAIT2.load(Relaxed) {
            match self.epoll_pwait2(timeout, buffer) {
                Err(error) if matches!(error.raw_os_error(), Some(libc::ENOSYS | libc::EPERM)) => {
                    NO_PWAIT2.store(true, Relaxed);
                }
                result => return result,
            }
        }
        let events = buffer.as_mut_ptr().cast();
        let timeout = timeout.map_or(-1, whole_milliseconds);
        // SAFETY: `events` points at room for BATCH events, which the kernel may overwrite.
        let count = unsafe { libc::epoll_wait(self.epoll.as_raw_fd(), events, BATCH as i32, timeout) };
        check(count).map(|count| count as usize)
    }

    fn epoll_pwait2(
        &self,
        timeout: Option<Duration>,
        buffer: &mut [MaybeUninit<libc::epoll_event>; BATCH],
    ) -> io::Result<usize> {
        let timeout = timeout.map(|timeout| libc::timespec {
            tv_sec: timeout.as_secs().try_into().unwrap_or(libc::time_t::MAX),
            tv_nsec: timeout.subsec_nanos().into(),
        });
        let timeout = timeout.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
        // By number, since the C library has had it only since glibc 2.35.
        // SAFETY: `buffer` has room for BATCH events, which the kernel may overwrite; `timeout` is null or
        // points at a time that lives through the call; no signal mask is passed.
        let count = unsafe {
            libc::syscall(
                libc::SYS_epoll_pwait2,
                self.epoll.as_raw_fd(),
                buffer.as_mut_ptr(),
                BATCH as i32,
                timeout,
                std::ptr::null::<libc::sigset_t>(),
                0_usize,
            )
        };
        check(count as i32).map(|count| count as usize)
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

/// Whether `fd` is ready in `direction` at this moment, by asking the kernel.
pub(crate) fn is_ready_now(fd: RawFd, direction: Direction) -> io::Result<bool> {
    let events = match direction {
        Direction::Read => libc::POLLIN | libc::POLLRDHUP,
        Direction::Write => libc::POLLOUT,
    };
    let mut asked = libc::pollfd { fd, events, revents: 0 };
    // SAFETY: `asked` is one entry and lives through the call.
    check(unsafe { libc::poll(&raw mut asked, 1, 0) }).map(|count| count > 0)
}

/// `timeout` in milliseconds, rounded up: a wait may be late, never early.
fn whole_milliseconds(timeout: Duration) -> i32 {
    i32::try_from(timeout.as_nanos().div_ceil(1_000_000)).unwrap_or(i32::MAX)
}

fn check(result: i32) -> io::Result<i32> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// Owns the descriptor that a system call returned.
///
/// # Safety
/// A `fd` that is not negative is open, and nobody else owns it.
unsafe fn owned(fd: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: the caller vouches for ownership, `check` for the sign.
    check(fd).map(|fd| unsafe { OwnedFd::from_raw_fd(fd) })
}

#[cfg(all(test, loom))]
mod loom;
#[cfg(all(test, not(loom)))]
mod tests;
