//! What the tests of I/O share: a runtime per test, a hard limit, and futures polled by hand.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::mpsc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// Runs `body` on a thread of its own and fails after a minute, so that a lost wake-up is a failure and not a
/// test run that never ends.
pub(crate) fn within_a_minute(body: impl FnOnce() + Send + 'static) {
    let (done, finished) = mpsc::channel();
    let thread = std::thread::spawn(move || {
        body();
        let _ = done.send(());
    });
    match finished.recv_timeout(Duration::from_secs(60)) {
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("the test hangs"),
        _ => thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
    }
}

/// Runs `future` on a runtime of its own.
#[allow(dead_code, reason = "not every test file wants two processors")]
pub(crate) fn run(future: impl Future<Output = io::Result<()>> + Send + 'static) {
    within_a_minute(move || {
        let runtime = pirn::Builder::new().procs(2).build().unwrap();
        runtime.block_on(future).unwrap();
    });
}

/// Polls `future` once and drops it.
#[allow(dead_code, reason = "not every test file cancels")]
pub(crate) fn poll_once<F: Future>(future: F) -> Option<F::Output> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

/// Polls `future` once, insists that it waits, and drops it.
#[allow(dead_code, reason = "not every test file cancels")]
#[track_caller]
pub(crate) fn assert_pending<F: Future>(future: F) {
    assert!(poll_once(future).is_none(), "ready where it should wait");
}
