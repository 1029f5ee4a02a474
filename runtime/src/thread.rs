//! The thread seam: the one place where the runtime starts an OS thread.

use std::cell::Cell;
use std::io;
use std::thread::{Builder, JoinHandle};

thread_local! {
    /// On a thread that was started here: how much later than due the kernel would have woken it.
    static FORMER_SLACK: Cell<Option<i32>> = const { Cell::new(None) };
}

/// Starts a thread named `name`, with `stack` bytes of stack or the platform's default.
///
/// # Errors
/// The system's, when it has no room for another thread.
pub(crate) fn start(
    name: String,
    stack: Option<usize>,
    f: impl FnOnce() + Send + 'static,
) -> io::Result<JoinHandle<()>> {
    let slack = FORMER_SLACK.get().unwrap_or_else(timer_slack);
    let builder = Builder::new().name(name);
    match stack {
        Some(bytes) => builder.stack_size(bytes),
        None => builder,
    }
    .spawn(move || {
        FORMER_SLACK.set(Some(slack));
        ask_for_exact_timers();
        f();
    })
}

/// Runs `f`, which starts a process: that has the timers of an ordinary one. It inherits those of the thread that starts
/// it, and so does every process that it starts itself.
pub(crate) fn with_ordinary_timers<R>(f: impl FnOnce() -> R) -> R {
    let Some(slack) = FORMER_SLACK.get() else { return f() };
    set_timer_slack(slack);
    let result = f();
    ask_for_exact_timers();
    result
}

/// Asks the kernel to wake this thread when it is due.
///
/// Left alone, Linux ends every timed wait of a thread up to 50 µs late, so that wake-ups can be merged. A
/// runtime merges its own: only one machine waits with a deadline. Half of the lateness of a sleep
/// was this slack. A kernel that refuses leaves it as it was.
fn ask_for_exact_timers() {
    set_timer_slack(1);
}

/// The slack of this thread's timers, in nanoseconds; 0, which stands for the default, if the kernel does not say.
fn timer_slack() -> i32 {
    // SAFETY: the call takes no pointer.
    unsafe { libc::prctl(libc::PR_GET_TIMERSLACK) }.max(0)
}

fn set_timer_slack(nanoseconds: i32) {
    // SAFETY: the call takes a number and changes nothing but this thread's timer slack.
    unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, nanoseconds as libc::c_ulong) };
}
