//! Signals as channels: Ctrl-C, `SIGTERM` and the others arrive where tasks can wait for them.
//!
//! ```text
//!   kernel ──► handler, on any thread      dispatcher, a thread of its own          tasks
//!              sets a bit, writes to an ──► takes the bits, one by one, ──► channel ──► recv
//!              eventfd, nothing else        to everybody who asked         channel ──► recv
//! ```
//!
//! A signal handler may interrupt any instruction, so it may do next to nothing: `handler` is the only code
//! that runs in one. Everything else is ordinary code: `registry` knows who listens to what, and puts the
//! former disposition back when nobody does.
//!
//! # What is promised
//! - Listening begins inside the call of [`notify`] or [`ctrl_c`], not at the first poll.
//! - Every receiver of a signal gets it. Signals merge, as they do in the kernel: while one lies unread in a
//!   receiver's channel, further ones of the same number add nothing. So a flood of one never crowds out
//!   another, and each is seen at least once after it was sent last.
//! - The disposition that was there before returns when the last receiver is dropped.
//!
//! ```no_run
//! use pirn::signal::{self, Signal};
//!
//! # async fn serve() {
//! let signals = signal::notify(&[Signal::TERM, Signal::HUP]);
//! while let Ok(signal) = signals.recv().await {
//!     match signal {
//!         Signal::HUP => println!("reading the configuration again"),
//!         other => {
//!             println!("{other}: shutting down");
//!             break;
//!         }
//!     }
//! }
//! # }
//! ```

mod handler;
mod number;
mod registry;

use std::future::Future;
use std::io;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use pirn_channel::Receiver;
use pirn_sync::host::{self, WaitKind};

pub use number::Signal;
pub(crate) use registry::Listening;

/// Listens to `signals`. Each that arrives from now on can be received, merged with what is still unread.
///
/// Dropping the receiver ends it. The channel closes only when [`ignore`] or [`reset`] has taken the last of
/// its signals away. For an empty list nothing ever comes.
///
/// # Panics
/// For a signal that cannot be handled (`KILL`, `STOP`), that the C library keeps to itself (32 and 33), or that
/// tells of a fault of the very instruction it interrupts (`SEGV`, `BUS`, `FPE`, `ILL`). If the system has no room
/// for the descriptor and the thread that the first call needs.
///
/// ```
/// use pirn::signal::{self, Signal};
///
/// let signals = signal::notify(&[Signal::USR1]);
/// Signal::USR1.raise();
/// assert_eq!(pirn::block_on(signals.recv()), Ok(Signal::USR1));
/// ```
#[track_caller]
pub fn notify(signals: &[Signal]) -> Receiver<Signal> {
    match registry::subscribe(signals) {
        Ok(receiver) => receiver,
        Err(error) => panic!("the system has no room to listen for signals: {error}"),
    }
}

/// Listens to `SIGQUIT`, for the dump, until the receiver is dropped or the listening is ended.
pub(crate) fn listen_to_quit() -> io::Result<(Receiver<Signal>, Listening)> {
    registry::listen(&[Signal::QUIT])
}

/// Waits for Ctrl-C (`SIGINT`), from the call on.
///
/// A second Ctrl-C kills the process again once the future is dropped or has returned and been dropped: keep
/// it, or call this again, to go on listening.
///
/// # Errors
/// When the system has no room for the descriptor and the thread that listening needs; after [`ignore`] or
/// [`reset`] has taken `SIGINT` away.
///
/// ```no_run
/// # async fn serve() -> std::io::Result<()> {
/// pirn::signal::ctrl_c().await?;
/// println!("goodbye");
/// # Ok(())
/// # }
/// ```
#[track_caller]
pub fn ctrl_c() -> CtrlC {
    CtrlC { signals: registry::subscribe(&[Signal::INT]).map_err(Some), at: Location::caller() }
}

/// The future of [`ctrl_c`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct CtrlC {
    signals: Result<Receiver<Signal>, Option<io::Error>>,
    at: &'static Location<'static>,
}

impl Future for CtrlC {
    type Output = io::Result<()>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let signals = match &mut this.signals {
            Ok(signals) => signals,
            Err(error) => return Poll::Ready(Err(error.take().expect("`CtrlC` polled after its error"))),
        };
        match Pin::new(signals).poll_next(cx) {
            Poll::Ready(Some(_)) => Poll::Ready(Ok(())),
            Poll::Ready(None) => Poll::Ready(Err(io::Error::other(
                "SIGINT was ignored or reset elsewhere: nobody will hear a Ctrl-C here",
            ))),
            Poll::Pending => {
                host::waiting_on(WaitKind::Signal, this.at);
                Poll::Pending
            }
        }
    }
}

/// Has the system throw `signals` away. Receivers hear them no more.
///
/// # Panics
/// As [`notify`].
#[track_caller]
pub fn ignore(signals: &[Signal]) {
    registry::settle(signals, handler::Disposition::Ignored);
}

/// Gives `signals` their default action again, whatever [`notify`] and [`ignore`] have set. Receivers hear
/// them no more.
///
/// # Panics
/// As [`notify`].
#[track_caller]
pub fn reset(signals: &[Signal]) {
    registry::settle(signals, handler::Disposition::Default);
}
