//! [`Job`]: one blocking call, made on a thread that holds no processor.
//!
//! Files have no readiness: the kernel calls a regular file always ready and then blocks anyway. So each call
//! goes, whole, to a thread that may block. A call costs a hand-over between threads (some 10 to 50 µs when
//! the thread slept), which is why whole-file functions are one job and not many.

use std::future::Future;
use std::io;
use std::panic::{Location, resume_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pirn_sync::host::{self, WaitKind};

use crate::{JoinError, JoinHandle};

/// A blocking call that starts when the future is first polled.
///
/// Once started it runs to its end, whether or not anybody still waits: dropping the future abandons the
/// result, it does not undo the call. A runtime that shuts down first gives an error.
#[must_use = "futures do nothing unless awaited"]
pub struct Job<T> {
    step: Step<T>,
    at: &'static Location<'static>,
}

type Call<T> = Box<dyn FnOnce() -> io::Result<T> + Send + Sync>;

enum Step<T> {
    Unstarted(Call<T>),
    Running(JoinHandle<io::Result<T>>),
    Done,
}

impl<T: Send + 'static> Job<T> {
    #[track_caller]
    pub(super) fn new(call: impl FnOnce() -> io::Result<T> + Send + Sync + 'static) -> Self {
        Self::called_at(Location::caller(), call)
    }

    /// A job that the dump shows as called at `at`.
    pub(crate) fn called_at(
        at: &'static Location<'static>,
        call: impl FnOnce() -> io::Result<T> + Send + Sync + 'static,
    ) -> Self {
        Self { step: Step::Unstarted(Box::new(call)), at }
    }
}

impl<T: Send + 'static> Future for Job<T> {
    type Output = io::Result<T>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        if let Step::Unstarted(_) = this.step {
            let Step::Unstarted(call) = std::mem::replace(&mut this.step, Step::Done) else {
                unreachable!("looked at above")
            };
            this.step = Step::Running(crate::spawn_blocking(call));
        }
        let Step::Running(handle) = &mut this.step else {
            panic!("a file operation was polled after it returned");
        };
        let poll = Pin::new(handle).poll(cx);
        if poll.is_pending() {
            host::waiting_on(WaitKind::Blocking, this.at);
        }
        let joined = ready!(poll);
        this.step = Step::Done;
        Poll::Ready(joined.unwrap_or_else(|error| Err(lost(error))))
    }
}

/// What is left of a job that did not return: its panic goes on here.
fn lost(error: JoinError) -> io::Error {
    if error.is_panic() {
        resume_unwind(error.into_panic());
    }
    io::Error::other("the runtime has shut down before this blocking call was made")
}

impl<T> std::fmt::Debug for Job<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Job").field("at", &self.at).finish_non_exhaustive()
    }
}
