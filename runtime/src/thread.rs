//! The thread seam: the one place where the runtime starts an OS thread.

use std::io;
use std::thread::{Builder, JoinHandle};

/// Starts a thread named `name`, with `stack` bytes of stack or the platform's default.
///
/// # Errors
/// The system's, when it has no room for another thread.
pub(crate) fn start(
    name: String,
    stack: Option<usize>,
    f: impl FnOnce() + Send + 'static,
) -> io::Result<JoinHandle<()>> {
    let builder = Builder::new().name(name);
    match stack {
        Some(bytes) => builder.stack_size(bytes),
        None => builder,
    }
    .spawn(|| {
        ask_for_exact_timers();
        f();
    })
}

/// Asks the kernel to wake this thread when it is due.
///
/// Left alone, Linux ends every timed wait of a thread up to 50 µs late, so that wake-ups can be merged. A
/// runtime merges its own: only one machine waits with a deadline. Half of the lateness of a sleep
/// was this slack. A kernel that refuses leaves it as it was.
fn ask_for_exact_timers() {
    #[cfg(target_os = "linux")]
    // SAFETY: the call takes a number and changes nothing but this thread's timer slack.
    unsafe {
        libc::prctl(libc::PR_SET_TIMERSLACK, 1 as libc::c_ulong);
    }
}
