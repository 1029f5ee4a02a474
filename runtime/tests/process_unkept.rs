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
            let mut child =
                Command::new("sh").args(["-c", "read x; exit 3"]).stdin(Stdio::piped()).spawn().unwrap();
            assert_eq!(child.try_wait().unwrap(), None);
            let ended = child.wait().await;
            match the_pidfd_knows() {
                true => assert_eq!(ended.unwrap().code(), Some(3)),
                false => assert_eq!(ended.unwrap_err().raw_os_error(), Some(libc::ECHILD)),
            }
            child.kill().expect("it has ended: there is nobody to kill");
        });
    });
}

/// Whether it tells how a process ended that has been reaped: from Linux 6.15 on.
fn the_pidfd_knows() -> bool {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut numbers = release.split(['.', '-']).map_while(|number| number.parse::<u32>().ok());
    (numbers.next(), numbers.next()) >= (Some(6), Some(15))
}
