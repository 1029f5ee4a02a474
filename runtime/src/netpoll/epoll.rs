//! The kernel's side of the netpoller on Linux: one epoll set, edge-triggered.
//!
//! Every system call that registers or asks stands here; the wait for several sets at once stands in
//! [`sleep`](super::sleep). [`Selector`] is the surface that a twin for another kernel would have (see [`super`]).
//!
//! Several threads may look at one set, and one wait in it meanwhile; each event goes to one of them.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;
use std::time::Duration;

use super::descriptor::Direction;
use super::table::Token;

/// Events taken from the kernel at once: 3 KiB of stack, and a turn short enough to stay fair.
const BATCH: usize = 256;

/// What an event says of a descriptor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Readiness {
    /// Something to read, or an end or error that reading will tell of.
    pub(super) read: bool,
    /// Room to write, or an end or error that writing will tell of.
    pub(super) write: bool,
    /// A single read may leave something: the peer writes no more, or has sent urgent data, at which reads stop, or there
    /// is an error, which is told when the bytes before it have been read.
    pub(super) read_partial: bool,
    /// The same of writes: the peer reads no more, or there is an error.
    pub(super) write_partial: bool,
}

impl Readiness {
    fn from_events(events: u32) -> Self {
        let any = |mask: i32| events & mask as u32 != 0;
        Self {
            read: any(libc::EPOLLIN | libc::EPOLLPRI | libc::EPOLLRDHUP | libc::EPOLLHUP | libc::EPOLLERR),
            write: any(libc::EPOLLOUT | libc::EPOLLHUP | libc::EPOLLERR),
            read_partial: any(libc::EPOLLPRI | libc::EPOLLRDHUP | libc::EPOLLHUP | libc::EPOLLERR),
            write_partial: any(libc::EPOLLHUP | libc::EPOLLERR),
        }
    }
}

/// One of the kernel's sets of descriptors.
#[derive(Debug)]
pub(super) struct Selector(OwnedFd);

impl Selector {
    /// An empty set.
    pub(super) fn new() -> io::Result<Self> {
        // SAFETY: the call takes no pointer and returns a descriptor that nobody else owns.
        unsafe { owned(libc::epoll_create1(libc::EPOLL_CLOEXEC)) }.map(Self)
    }

    /// Adds `fd` for both directions, edge-triggered, as `token`.
    pub(super) fn register(&self, fd: RawFd, token: Token) -> io::Result<()> {
        let reading = libc::EPOLLIN | libc::EPOLLPRI | libc::EPOLLRDHUP;
        let interest = reading | libc::EPOLLOUT | libc::EPOLLET;
        self.control(libc::EPOLL_CTL_ADD, fd, interest as u32, token.to_bits())
    }

    /// Adds `fd` as [`Token::WAKE`], which every wait and look reports while `fd` is readable.
    pub(super) fn register_wake(&self, fd: RawFd) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_ADD, fd, libc::EPOLLIN as u32, Token::WAKE.to_bits())
    }

    /// Takes `fd` out.
    pub(super) fn deregister(&self, fd: RawFd) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_DEL, fd, 0, 0)
    }

    fn control(&self, operation: i32, fd: RawFd, events: u32, token: u64) -> io::Result<()> {
        let mut event = libc::epoll_event { events, u64: token };
        // SAFETY: `event` lives through the call, which keeps no pointer to it.
        check(unsafe { libc::epoll_ctl(self.0.as_raw_fd(), operation, fd, &raw mut event) }).map(drop)
    }

    /// Passes what has happened to `deliver`, which is not called when nothing did. Never waits.
    pub(super) fn look(
        &self,
        deliver: impl FnOnce(&mut dyn Iterator<Item = (Token, Readiness)>),
    ) -> io::Result<()> {
        self.look_for(BATCH, deliver)
    }

    /// As [`look`](Self::look), for no more than `most` events.
    pub(super) fn look_for(
        &self,
        most: usize,
        deliver: impl FnOnce(&mut dyn Iterator<Item = (Token, Readiness)>),
    ) -> io::Result<()> {
        let most = most.min(BATCH) as i32;
        // SAFETY: `take` vouches for `events`.
        self.take(deliver, |events| unsafe { libc::epoll_wait(self.0.as_raw_fd(), events, most, 0) })
    }

    /// As [`look`](Self::look), but waits at most `timeout` (`None`: for ever) until something has happened.
    pub(super) fn wait(
        &self,
        timeout: Option<Duration>,
        deliver: impl FnOnce(&mut dyn Iterator<Item = (Token, Readiness)>),
    ) -> io::Result<()> {
        let timeout = timeout.map(KernelTime::from);
        let timeout = timeout.as_ref().map_or(ptr::null(), ptr::from_ref);
        let no_mask = ptr::null::<libc::sigset_t>();
        // Not every C library has a function of this name.
        // SAFETY: `take` vouches for `events`; `timeout` is null or points at a time that lives through the call, whose
        // layout is the kernel's; no signal mask is passed.
        self.take(deliver, |events| unsafe {
            let set = self.0.as_raw_fd();
            libc::syscall(libc::SYS_epoll_pwait2, set, events, BATCH as i32, timeout, no_mask, 0_usize) as i32
        })
    }

    /// Has `ask` fill the room for [`BATCH`] events that it is given, and passes them on.
    fn take(
        &self,
        deliver: impl FnOnce(&mut dyn Iterator<Item = (Token, Readiness)>),
        ask: impl FnOnce(*mut libc::epoll_event) -> i32,
    ) -> io::Result<()> {
        let mut buffer = [const { MaybeUninit::<libc::epoll_event>::uninit() }; BATCH];
        let count = check(ask(buffer.as_mut_ptr().cast()))?;
        if count > 0 {
            // SAFETY: the kernel has filled in the first `count` events.
            let events = buffer[..count as usize].iter().map(|event| unsafe { event.assume_init() });
            deliver(
                &mut events.map(|event| (Token::from_bits(event.u64), Readiness::from_events(event.events))),
            );
        }
        Ok(())
    }
}

/// A length of time as the kernel's younger system calls read it, on machines of any word size.
#[repr(C)]
struct KernelTime {
    seconds: i64,
    nanoseconds: i64,
}

impl From<Duration> for KernelTime {
    fn from(time: Duration) -> Self {
        let seconds = time.as_secs().try_into().unwrap_or(i64::MAX);
        Self { seconds, nanoseconds: time.subsec_nanos().into() }
    }
}

impl AsFd for Selector {
    /// Readable while the set has something to tell.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// The CPU that handles what arrives for `fd`, if it is a socket for which something has arrived.
pub(super) fn arrival_cpu(fd: RawFd) -> Option<usize> {
    let (mut cpu, mut size) = (0_i32, size_of::<i32>() as libc::socklen_t);
    let (value, size) = ((&raw mut cpu).cast(), &raw mut size);
    // SAFETY: `value` is room for the number of bytes that `size` says, and both live through the call.
    let result = unsafe { libc::getsockopt(fd, libc::SOL_SOCKET, libc::SO_INCOMING_CPU, value, size) };
    check(result).ok().and(usize::try_from(cpu).ok())
}

/// The CPU that this thread runs on at this moment.
pub(super) fn this_cpu() -> Option<usize> {
    // SAFETY: the call takes no pointer.
    usize::try_from(unsafe { libc::sched_getcpu() }).ok()
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

/// The result of a system call, or what went wrong.
pub(super) fn check(result: i32) -> io::Result<i32> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// Owns the descriptor that a system call returned.
///
/// # Safety
/// A `fd` that is not negative is open, and nobody else owns it.
pub(super) unsafe fn owned(fd: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: the caller vouches for ownership, `check` for the sign.
    check(fd).map(|fd| unsafe { OwnedFd::from_raw_fd(fd) })
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    /// A TCP socket has an error and is not shut when a router says so of it, and it was asked to tell (`IP_RECVERR`).
    #[test]
    fn after_an_error_a_short_read_or_write_proves_nothing() {
        for (bytes, partial) in
            [(libc::EPOLLIN | libc::EPOLLOUT, false), (libc::EPOLLIN | libc::EPOLLERR, true)]
        {
            let readiness = Readiness::from_events(bytes as u32);
            assert_eq!((readiness.read_partial, readiness.write_partial), (partial, partial));
        }
    }
}
