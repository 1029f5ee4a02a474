//! What the tests of single rules share: a poll by hand, wakers that count or panic, and a hard time limit.

#![allow(dead_code, reason = "each test target takes what it needs")]

use std::future::Future;
use std::mem::ManuallyDrop;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use std::task::{Context, Poll, RawWaker, RawWakerVTable, Wake, Waker};
use std::time::Duration;

/// Polls once, with a waker that does nothing.
pub(crate) fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// Polls once, with a waker that counts.
pub(crate) fn poll_with<F: Future>(future: Pin<&mut F>, count: &Arc<Count>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(&Waker::from(count.clone())))
}

/// Counts how often it wakes.
#[derive(Default)]
pub(crate) struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Count {
    pub(crate) fn get(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

/// A waker that panics when it is to wake.
pub(crate) fn bomb() -> Waker {
    struct Bomb;
    impl Wake for Bomb {
        fn wake(self: Arc<Self>) {
            panic!("the waker's own fault");
        }
    }
    Waker::from(Arc::new(Bomb))
}

/// A waker that panics when it is to wake, and as it is dropped.
pub(crate) fn touchy() -> ManuallyDrop<Waker> {
    static VTABLE: RawWakerVTable = RawWakerVTable::new(
        |_| RawWaker::new(std::ptr::null(), &VTABLE),
        |_| panic!("the waker's own fault"),
        |_| (),
        |_| panic!("the waker's own fault"),
    );
    // SAFETY: there is no data, and what does not panic does nothing.
    unsafe { ManuallyDrop::new(Waker::from_raw(RawWaker::new(std::ptr::null(), &VTABLE))) }
}

/// Whether `body` panics.
pub(crate) fn panics<R>(body: impl FnOnce() -> R) -> bool {
    catch_unwind(AssertUnwindSafe(body)).is_err()
}

/// Runs `body` on a thread of its own and fails if it has not ended within so many seconds.
pub(crate) fn within<R: Send + 'static>(seconds: u64, body: impl FnOnce() -> R + Send + 'static) -> R {
    let (tx, rx) = std::sync::mpsc::channel();
    std::thread::spawn(move || tx.send(body()));
    rx.recv_timeout(Duration::from_secs(seconds)).expect("it hangs or has panicked")
}
