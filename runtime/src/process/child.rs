//! [`Child`]: a process that was started here.
//!
//! # Invariants
//! C1. `running` is `Some` until the child has been reaped. Signals go through the pidfd, so none hits a stranger, though
//!     where SIGCHLD is ignored the kernel reaps, and the number is free from the child's end on. (There a child that
//!     ends within the moment until its pidfd is opened has been reaped unseen, unless its number is a stranger's by then.)
//! C2. A child that is dropped unreaped goes to the reaper, together with its pidfd.
//! C3. The pidfd becomes readable when the child ends and stays so; `try_wait` then reaps without waiting.

use std::future::Future;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::panic::Location;
use std::pin::Pin;
use std::process::ExitStatus;
use std::ptr;
use std::task::{Context, Poll};

use super::pipe::{ChildStderr, ChildStdin, ChildStdout};
use super::reaper;
use crate::io::AsyncFd;
use crate::netpoll::{Direction, Waiting};
use crate::signal::Signal;

/// A process that was started by [`Command::spawn`](super::Command::spawn).
///
/// Dropping it neither kills the process (unless [`kill_on_drop`](super::Command::kill_on_drop) is set) nor
/// leaves a zombie: it is reaped when it ends.
#[derive(Debug)]
pub struct Child {
    /// The child's standard input, if it was set to be piped.
    pub stdin: Option<ChildStdin>,
    /// The child's standard output, if it was set to be piped.
    pub stdout: Option<ChildStdout>,
    /// The child's standard error, if it was set to be piped.
    pub stderr: Option<ChildStderr>,
    /// C1.
    running: Option<Running>,
    status: Option<ExitStatus>,
    kill_on_drop: bool,
}

/// What there is of a child that has not been reaped.
#[derive(Debug)]
struct Running {
    process: std::process::Child,
    pidfd: AsyncFd<OwnedFd>,
}

impl Child {
    #[track_caller]
    pub(super) fn new(mut process: std::process::Child, kill_on_drop: bool) -> io::Result<Self> {
        let at = Location::caller();
        let pidfd = match open_pidfd(&process).and_then(AsyncFd::register) {
            Ok(pidfd) => Some(pidfd),
            // It has ended, and the kernel has reaped it (C1); what it wrote can be read all the same.
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => None,
            Err(error) => {
                // Nobody could ever wait for it. It ends at once, so reaping it here takes a moment only.
                let _ = process.kill();
                let _ = process.wait();
                return Err(error);
            }
        };
        let (stdin, stdout, stderr) = (process.stdin.take(), process.stdout.take(), process.stderr.take());
        // From here on an error drops the child, which kills it and sends it to the reaper.
        let mut child = Self {
            stdin: None,
            stdout: None,
            stderr: None,
            running: pidfd.map(|pidfd| Running { process, pidfd }),
            status: None,
            kill_on_drop: true,
        };
        child.stdin = stdin.map(|pipe| ChildStdin::new(pipe, at)).transpose()?;
        child.stdout = stdout.map(|pipe| ChildStdout::new(pipe, at)).transpose()?;
        child.stderr = stderr.map(|pipe| ChildStderr::new(pipe, at)).transpose()?;
        child.kill_on_drop = kill_on_drop;
        Ok(child)
    }

    /// The process number; `None` once the child has been reaped, when the number may be another's.
    pub fn id(&self) -> Option<u32> {
        self.running.as_ref().map(|running| running.process.id())
    }

    /// Closes [`stdin`](Self::stdin), then waits for the child's end. After that it returns the same status
    /// again and again.
    ///
    /// Cancel-safe. A child that writes more than a pipe holds and is not read waits for its reader, and so
    /// would this.
    ///
    /// # Errors
    /// After the shutdown of the runtime in which the child was started. `ECHILD` where SIGCHLD is ignored, unless
    /// the kernel is Linux 6.15 or later: the child has ended then, and nobody knows how.
    #[track_caller]
    pub fn wait(&mut self) -> Wait<'_> {
        self.stdin = None;
        Wait { child: self, waiting: Waiting::new(), at: Location::caller() }
    }

    /// The status, if the child has ended.
    ///
    /// # Errors
    /// The system's; `ECHILD` as for [`wait`](Self::wait).
    pub fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        if let Some(Running { process, pidfd }) = &mut self.running {
            let Some(status) = try_reap(process, pidfd.as_fd())? else { return Ok(None) };
            self.status = Some(status);
            self.running = None;
        }
        self.reaped().map(Some)
    }

    /// How it ended, of a child that has been reaped.
    fn reaped(&self) -> io::Result<ExitStatus> {
        self.status.ok_or_else(|| io::Error::from_raw_os_error(libc::ECHILD))
    }

    /// Kills the child (SIGKILL) and returns at once; [`wait`](Self::wait) for its end. Without effect on one
    /// that has ended.
    ///
    /// # Errors
    /// The system's: the child may have changed its user.
    pub fn kill(&mut self) -> io::Result<()> {
        self.signal(Signal::KILL)
    }

    /// Sends the child a signal. Without effect on one that has ended.
    ///
    /// # Errors
    /// The system's: the child may have changed its user.
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        let Some(running) = &self.running else { return Ok(()) };
        let (pidfd, nothing, no_flags) =
            (running.pidfd.as_fd().as_raw_fd(), ptr::null::<libc::siginfo_t>(), 0);
        // SAFETY: the descriptor is open and names our child; without an information the kernel makes up its own.
        let sent =
            unsafe { libc::syscall(libc::SYS_pidfd_send_signal, pidfd, signal.as_raw(), nothing, no_flags) };
        if sent == 0 {
            return Ok(());
        }
        match io::Error::last_os_error() {
            // It has ended, and the kernel has reaped it (C1).
            gone if gone.raw_os_error() == Some(libc::ESRCH) => Ok(()),
            error => Err(error),
        }
    }

    pub(super) fn poll_wait(
        &mut self,
        waiting: Option<&mut Waiting>,
        cx: &mut Context<'_>,
        at: &'static Location<'static>,
    ) -> Poll<io::Result<ExitStatus>> {
        if let Some(Running { process, pidfd }) = &mut self.running {
            let attempt =
                || try_reap(process, pidfd.as_fd())?.ok_or_else(|| io::ErrorKind::WouldBlock.into());
            let registration = pidfd.registration();
            let status = std::task::ready!(registration.poll_attempt(
                Direction::Read,
                waiting,
                cx,
                at,
                attempt,
                |_| false
            ))?;
            self.status = Some(status);
            self.running = None;
        }
        Poll::Ready(self.reaped())
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if self.kill_on_drop {
            // A child that cannot be killed is left to itself, as without `kill_on_drop`.
            let _ = self.kill();
        }
        if let Some(Running { process, pidfd }) = self.running.take() {
            reaper::adopt(process, pidfd.into_inner());
        }
    }
}

/// The future of [`Child::wait`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Wait<'a> {
    child: &'a mut Child,
    waiting: Waiting,
    at: &'static Location<'static>,
}

impl Future for Wait<'_> {
    type Output = io::Result<ExitStatus>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { child, waiting, at } = self.get_mut();
        child.poll_wait(Some(waiting), cx, at)
    }
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        if let Some(running) = &self.child.running {
            running.pidfd.registration().descriptor().cancel(Direction::Read, &mut self.waiting);
        }
    }
}

fn open_pidfd(process: &std::process::Child) -> io::Result<OwnedFd> {
    // SAFETY: plain numbers; whose the number is says C1.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, process.id(), 0) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call has just returned it, so it is open and nobody else's.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// The status of a child that has ended. The pidfd knows it where the kernel has reaped the child itself.
fn try_reap(process: &mut std::process::Child, pidfd: BorrowedFd<'_>) -> io::Result<Option<ExitStatus>> {
    match process.try_wait() {
        Err(error) if error.raw_os_error() == Some(libc::ECHILD) => kept_status(pidfd).map(Some).ok_or(error),
        ended => ended,
    }
}

/// What a pidfd tells of a process that has been reaped, from Linux 6.15 on.
fn kept_status(pidfd: BorrowedFd<'_>) -> Option<ExitStatus> {
    let wanted = u64::from(libc::PIDFD_INFO_EXIT);
    // SAFETY: plain numbers, for which zero is valid.
    let mut info: libc::pidfd_info = unsafe { std::mem::zeroed() };
    info.mask = wanted;
    // SAFETY: the descriptor is open, and the number of the request says how large the structure is.
    let told = unsafe { libc::ioctl(pidfd.as_raw_fd(), libc::PIDFD_GET_INFO, &raw mut info) };
    (told == 0 && info.mask & wanted != 0).then(|| ExitStatus::from_raw(info.exit_code))
}

#[cfg(all(test, not(loom)))]
mod tests;
