//! A child that has been reaped before it could be watched.

use std::process::{Command, Stdio};

use super::*;
use crate::io::AsyncReadExt;

/// As where SIGCHLD is ignored: to reap it here spares the other tests that.
fn spawn_and_reap() -> std::process::Child {
    let process = Command::new("echo").arg("said").stdout(Stdio::piped()).spawn().unwrap();
    let id = libc::pid_t::try_from(process.id()).unwrap();
    // SAFETY: plain numbers, and no status is asked for; nobody else waits for this child.
    assert_eq!(unsafe { libc::waitpid(id, ptr::null_mut(), 0) }, id);
    process
}

#[test]
fn a_child_that_was_reaped_before_it_could_be_watched_can_be_read_but_has_no_status() {
    crate::block_on(async {
        let mut child = Child::new(spawn_and_reap(), true).expect("it was started");
        assert_eq!((child.id(), child.kill().is_ok()), (None, true));
        let mut said = String::new();
        child.stdout.take().unwrap().read_to_string(&mut said).await.unwrap();
        assert_eq!(said, "said\n");
        assert_eq!(child.try_wait().unwrap_err().raw_os_error(), Some(libc::ECHILD));
        assert_eq!(child.wait().await.unwrap_err().raw_os_error(), Some(libc::ECHILD));
    });
}
