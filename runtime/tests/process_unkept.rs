//! A child whose end the kernel does not keep, because SIGCHLD is ignored: for the whole process, so alone in its own.

use pirn::process::{Command, Stdio};

#[path = "common/mod.rs"]
mod common;
use common::within;

#[test]
fn a_signal_to_a_child_that_the_kernel_has_reaped_hits_nobody() {
    within(30, || {
        // SAFETY: plain numbers, and nothing else in this process handles it.
        unsafe { libc::signal(libc::SIGCHLD, libc::SIG_IGN) };
        pirn::block_on(async {
            // It reads its input, which `wait` closes, so that it does not end before it is known.
            let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
            let unknown = child.wait().await.unwrap_err();
            assert_eq!(unknown.raw_os_error(), Some(libc::ECHILD));
            child.kill().expect("it has ended: there is nobody to kill");
        });
    });
}
