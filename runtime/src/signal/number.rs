//! [`Signal`]: a signal's number, with a name.

use std::fmt;

/// A signal, by its number.
///
/// ```
/// use pirn::signal::Signal;
///
/// assert_eq!(Signal::TERM.to_string(), "SIGTERM");
/// assert_eq!(Signal::from_raw(15), Some(Signal::TERM));
/// assert_eq!(Signal::from_raw(0), None);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Signal(i32);

macro_rules! signals {
    ($($(#[$doc:meta])* $name:ident = $number:ident,)*) => {
        impl Signal {
            $($(#[$doc])* pub const $name: Self = Self(libc::$number);)*

            fn name(self) -> Option<&'static str> {
                match self {
                    $(Self::$name => Some(stringify!($number)),)*
                    _ => None,
                }
            }
        }
    };
}

signals! {
    /// A timer has expired.
    ALRM = SIGALRM,
    /// A child has ended or stopped.
    CHLD = SIGCHLD,
    /// Go on after a stop.
    CONT = SIGCONT,
    /// A fault of memory access. It cannot be listened to.
    BUS = SIGBUS,
    /// A fault of arithmetic. It cannot be listened to.
    FPE = SIGFPE,
    /// The terminal is gone; to a server: read the configuration again.
    HUP = SIGHUP,
    /// A fault of the program text. It cannot be listened to.
    ILL = SIGILL,
    /// Ctrl-C.
    INT = SIGINT,
    /// A descriptor is ready.
    IO = SIGIO,
    /// Ends the process. It cannot be listened to.
    KILL = SIGKILL,
    /// Writing to a pipe or socket that nobody reads.
    PIPE = SIGPIPE,
    /// The profiling timer has expired.
    PROF = SIGPROF,
    /// Ctrl-\.
    QUIT = SIGQUIT,
    /// A fault of memory access. It cannot be listened to.
    SEGV = SIGSEGV,
    /// Stops the process. It cannot be listened to.
    STOP = SIGSTOP,
    /// Please end.
    TERM = SIGTERM,
    /// Ctrl-Z.
    TSTP = SIGTSTP,
    /// Reading from the terminal in the background.
    TTIN = SIGTTIN,
    /// Writing to the terminal in the background.
    TTOU = SIGTTOU,
    /// Urgent data has arrived.
    URG = SIGURG,
    /// Free for the program's own use.
    USR1 = SIGUSR1,
    /// Free for the program's own use.
    USR2 = SIGUSR2,
    /// The terminal's size has changed.
    WINCH = SIGWINCH,
}

impl Signal {
    /// The highest number there is.
    pub(super) const MAX: i32 = 64;

    /// The signal with this number, if there can be one.
    pub const fn from_raw(number: i32) -> Option<Self> {
        if number >= 1 && number <= Self::MAX { Some(Self(number)) } else { None }
    }

    /// The number.
    pub const fn as_raw(self) -> i32 {
        self.0
    }

    /// Sends the signal to this process, as `kill` from outside would.
    pub fn raise(self) {
        // SAFETY: both calls take plain numbers. This one cannot fail: the number is valid, and a process may
        // always signal itself.
        unsafe { libc::kill(libc::getpid(), self.0) };
    }

    /// Whether a handler for it makes sense and is allowed. Those between the named ones and the first that is free are
    /// the C library's, which uses them between threads.
    pub(super) fn can_be_heard(self) -> bool {
        let faults = [Self::SEGV, Self::BUS, Self::FPE, Self::ILL];
        let library = 32..libc::SIGRTMIN();
        ![Self::KILL, Self::STOP].contains(&self) && !faults.contains(&self) && !library.contains(&self.0)
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "signal {}", self.0),
        }
    }
}

impl fmt::Debug for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
