//! [`Status`] and [`CollectOutput`]: a process waited for in one go, from its start or from later on.

use std::future::Future;
use std::io;
use std::panic::Location;
use std::pin::Pin;
use std::process::{ExitStatus, Output};
use std::task::{Context, Poll, ready};

use futures_io::AsyncRead;
use pirn_sync::host;

use super::Child;

/// The room that each read offers.
const CHUNK: usize = 16 * 1024;

/// The future of [`Command::status`](super::Command::status). Dropping it leaves the process to itself, or
/// kills it if [`kill_on_drop`](super::Command::kill_on_drop) is set.
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Status {
    child: Result<Child, Option<io::Error>>,
    at: &'static Location<'static>,
}

impl Status {
    #[track_caller]
    pub(super) fn new(child: io::Result<Child>) -> Self {
        let child = child.map_err(Some).map(|mut child| {
            child.stdin = None;
            child
        });
        Self { child, at: Location::caller() }
    }
}

impl Future for Status {
    type Output = io::Result<ExitStatus>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        ready!(host::poll_yield(cx));
        child(&mut this.child)?.poll_wait(None, cx, this.at)
    }
}

/// The future of [`Command::output`](super::Command::output) and [`Child::wait_with_output`]. Dropped like [`Status`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct CollectOutput {
    child: Result<Child, Option<io::Error>>,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    at: &'static Location<'static>,
}

impl CollectOutput {
    #[track_caller]
    pub(super) fn new(child: io::Result<Child>) -> Self {
        let Status { child, at } = Status::new(child);
        Self { child, stdout: Vec::new(), stderr: Vec::new(), at }
    }
}

impl Child {
    /// [`wait`](Self::wait), collecting what it writes meanwhile to those of [`stdout`](Self::stdout) and
    /// [`stderr`](Self::stderr) that are piped and have not been taken.
    ///
    /// Dropping the future drops the child.
    ///
    /// # Errors
    /// Those of `wait`, and of reading.
    ///
    /// ```
    /// use pirn::io::AsyncWriteExt;
    /// use pirn::process::{Command, Stdio};
    ///
    /// # fn main() -> std::io::Result<()> {
    /// pirn::block_on(async {
    ///     let mut child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    ///     child.stdin.as_mut().expect("piped").write_all(b"purr").await?;
    ///     assert_eq!(child.wait_with_output().await?.stdout, b"purr");
    ///     Ok(())
    /// })
    /// # }
    /// ```
    #[track_caller]
    pub fn wait_with_output(self) -> CollectOutput {
        CollectOutput::new(Ok(self))
    }
}

impl Future for CollectOutput {
    type Output = io::Result<Output>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        ready!(host::poll_yield(cx));
        let child = child(&mut this.child)?;
        let stdout = poll_collect(&mut child.stdout, &mut this.stdout, cx)?;
        let stderr = poll_collect(&mut child.stderr, &mut this.stderr, cx)?;
        ready!(stdout);
        ready!(stderr);
        let status = ready!(child.poll_wait(None, cx, this.at))?;
        let (stdout, stderr) = (std::mem::take(&mut this.stdout), std::mem::take(&mut this.stderr));
        Poll::Ready(Ok(Output { status, stdout, stderr }))
    }
}

/// The child, or once the error for which there is none.
fn child(child: &mut Result<Child, Option<io::Error>>) -> io::Result<&mut Child> {
    let already = || io::Error::other("the process could not be started, as was told before");
    child.as_mut().map_err(|error| error.take().unwrap_or_else(already))
}

/// Reads `pipe` to its end and drops it there.
fn poll_collect<P: AsyncRead + Unpin>(
    pipe: &mut Option<P>,
    collected: &mut Vec<u8>,
    cx: &mut Context<'_>,
) -> Poll<io::Result<()>> {
    while let Some(reader) = pipe {
        let length = collected.len();
        collected.resize(length + CHUNK, 0);
        let poll = Pin::new(reader).poll_read(cx, &mut collected[length..]);
        let count = if let Poll::Ready(Ok(count)) = poll { count } else { 0 };
        collected.truncate(length + count);
        if ready!(poll)? == 0 {
            *pipe = None;
        }
    }
    Poll::Ready(Ok(()))
}
