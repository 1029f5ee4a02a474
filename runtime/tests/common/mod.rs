//! What the tests of the scheduler share: a hard time limit, and waiting for what must come to pass.

#![allow(dead_code, reason = "each test target takes what it needs")]

use std::panic::resume_unwind;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// Runs `body` on a thread of its own and fails if it has not ended within so many seconds.
pub(crate) fn within(seconds: u64, body: impl FnOnce() + Send + 'static) {
    let (done, wait) = mpsc::channel();
    let thread = thread::spawn(move || {
        body();
        let _ = done.send(());
    });
    match wait.recv_timeout(Duration::from_secs(seconds)) {
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("the test hangs: not done within {seconds} s"),
        _ => thread.join().unwrap_or_else(|panic| resume_unwind(panic)),
    }
}

/// Looks again and again until `come` is true. Whether it ever is, the time limit tells.
pub(crate) fn eventually(come: impl Fn() -> bool) {
    while !come() {
        thread::sleep(Duration::from_micros(50));
    }
}
