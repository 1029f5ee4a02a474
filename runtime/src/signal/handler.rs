//! The signal handler, and setting it: the code that must be async-signal-safe, and no other.
//!
//! # Invariants
//! H1. The handler calls nothing but atomic operations and `write`, and leaves `errno` as it found it.
//! H2. [`EVENTFD`] is set before the handler is installed for the first time, and never changes or closes:
//!     nobody owns it, so whatever becomes of the dispatcher, the handler writes into no file that has come by
//!     its number since.
//! H3. A bit is set before the eventfd is written, and the dispatcher reads the eventfd before it takes the
//!     bits: whichever bit it misses has a write still to come.
//!
//! # Orderings
//! The bits are set `Release` and taken `Acquire`. They carry no data, and the eventfd's write and read order
//! them anyway; a stale look would be followed by another (H3). `EVENTFD` is `Relaxed`: it is set under the
//! registry's lock, and the handler, which that lock's holder installs, runs after the system call that does it.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::RawFd;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};

use super::Signal;

/// Bit n − 1: signal n has come.
static ARRIVED: AtomicU64 = AtomicU64::new(0);

/// What wakes the dispatcher; −1 before the first use (H2).
static EVENTFD: AtomicI32 = AtomicI32::new(-1);

extern "C" fn on_signal(number: libc::c_int) {
    // SAFETY: `errno` of this thread; `one` lives through the write, which is async-signal-safe. A full
    // eventfd is impossible, and an interrupted write is: eventfds do not wait below 2⁶⁴.
    unsafe {
        let errno = libc::__errno_location();
        let saved = *errno;
        ARRIVED.fetch_or(1 << (number - 1), Ordering::Release);
        let one = 1_u64;
        libc::write(EVENTFD.load(Ordering::Relaxed), (&raw const one).cast(), 8);
        *errno = saved;
    }
}

/// What happens when a signal comes.
#[derive(Clone, Copy)]
pub(super) enum Disposition {
    /// The system's default.
    Default,
    /// Nothing.
    Ignored,
    /// Our handler.
    Heard,
    /// What was there before us.
    Former(libc::sigaction),
}

impl Disposition {
    fn action(self) -> libc::sigaction {
        let handler = match self {
            Self::Former(action) => return action,
            Self::Default => libc::SIG_DFL,
            Self::Ignored => libc::SIG_IGN,
            Self::Heard => on_signal as extern "C" fn(libc::c_int) as usize,
        };
        // SAFETY: all zeros is a valid `sigaction`: no flags, an empty mask, no restorer.
        let mut action: libc::sigaction = unsafe { MaybeUninit::zeroed().assume_init() };
        action.sa_sigaction = handler;
        action.sa_flags = libc::SA_RESTART;
        action
    }
}

/// Makes `disposition` what happens at `signal`, and returns what happened before.
pub(super) fn set(signal: Signal, disposition: Disposition) -> io::Result<Disposition> {
    let action = disposition.action();
    let mut former = MaybeUninit::uninit();
    // SAFETY: `action` is a full description and `former` has room for one; the handler in it is ours, which
    // is async-signal-safe (H1), or one that was installed before.
    let result = unsafe { libc::sigaction(signal.as_raw(), &raw const action, former.as_mut_ptr()) };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call succeeded, so it has filled `former` in.
    Ok(Disposition::Former(unsafe { former.assume_init() }))
}

/// Whether our handler is what happens at `signal`: somebody else may have set another since.
pub(super) fn is_ours(signal: Signal) -> bool {
    let mut now = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: nothing is set; `now` has room for the answer and is valid without one.
    let now = unsafe {
        libc::sigaction(signal.as_raw(), std::ptr::null(), now.as_mut_ptr());
        now.assume_init()
    };
    now.sa_sigaction == on_signal as extern "C" fn(libc::c_int) as usize
}

/// The dispatcher's end of the eventfd, which stays open for as long as the process lives (H2).
pub(super) struct Arrivals(RawFd);

impl Arrivals {
    /// Has the handler write to an eventfd from now on. Only the registry calls it, under its lock and before
    /// any handler is installed (H2).
    pub(super) fn open() -> io::Result<Self> {
        let mut fd = EVENTFD.load(Ordering::Relaxed);
        // A call before this one has made it, if there was no thread for the dispatcher then.
        if fd < 0 {
            // SAFETY: the call takes plain numbers and returns a descriptor that nobody else owns.
            fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC) };
            if fd < 0 {
                return Err(io::Error::last_os_error());
            }
            EVENTFD.store(fd, Ordering::Relaxed);
        }
        Ok(Self(fd))
    }

    /// Blocks until signals have come, and takes them.
    pub(super) fn wait(&self) -> impl Iterator<Item = Signal> {
        let mut count = 0_u64;
        // An interrupted read takes what has come: nothing, or what the interruption brought.
        // SAFETY: `count` is 8 bytes of room that live through the call.
        unsafe { libc::read(self.0, (&raw mut count).cast(), 8) };
        let bits = ARRIVED.swap(0, Ordering::Acquire);
        (1..=Signal::MAX).filter(move |number| bits >> (number - 1) & 1 == 1).filter_map(Signal::from_raw)
    }
}
