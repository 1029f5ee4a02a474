//! A child whose pipe cannot be watched, because its number is taken for another's: numbers are the whole process's, so
//! alone in its own.

use std::io::Read;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixStream;

use pirn::io::AsyncFd;
use pirn::process::{Command, Stdio};

#[path = "common/mod.rs"]
mod common;
use common::within;

#[test]
fn a_child_that_is_an_error_is_killed() {
    within(30, || {
        pirn::block_on(async {
            let (mut lives, held) = std::io::pipe().unwrap();
            let registered = AsyncFd::new(UnixStream::pair().unwrap().0).unwrap();
            let mut command = Command::new("sleep");
            command.arg("1000").stdout(Stdio::piped()).stderr(held);
            // SAFETY: whoever owns the number is forgotten below, and does nothing with it before.
            unsafe { libc::close(registered.as_fd().as_raw_fd()) };
            // The reading end of the pipe gets the lowest number that is free: this one.
            let error = command.spawn().unwrap_err();
            assert_eq!(error.kind(), std::io::ErrorKind::AlreadyExists);
            std::mem::forget(registered);
            drop(command);
            assert_eq!(lives.read(&mut [0; 1]).unwrap(), 0, "nobody is left who could write");
        });
    });
}
