//! What the tests of this crate share: a time limit, a waker that counts, one that panics, and polling by hand.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::task::{Context, Poll, RawWaker, RawWakerVTable, Wake, Waker};
use std::time::Duration;

use crate::host;

/// Runs `body` on a thread of its own and fails if it takes longer than ten seconds.
pub(crate) fn within_limit(body: impl FnOnce() + Send + 'static) {
    within(Duration::from_secs(10), body);
}

/// Runs `body` on a thread of its own and fails if it takes longer than `limit`.
pub(crate) fn within(limit: Duration, body: impl FnOnce() + Send + 'static) {
    let (done, ended) = mpsc::channel();
    let thread = std::thread::spawn(move || {
        body();
        let _ = done.send(());
    });
    match ended.recv_timeout(limit) {
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("the test hangs: not done within {limit:?}"),
        _ => {
            if let Err(panic) = thread.join() {
                resume_unwind(panic);
            }
        }
    }
}

/// A waker that counts how often it was woken.
#[derive(Default)]
pub(crate) struct Woken(AtomicUsize);

impl Woken {
    pub(crate) fn new() -> (Arc<Self>, Waker) {
        let woken = Arc::new(Self::default());
        (Arc::clone(&woken), Waker::from(woken))
    }

    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// What a waker can be asked to do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Touch {
    Clone,
    Wake,
    Drop,
}

/// What is done at the next touch of one kind.
type Hook = (Touch, Box<dyn FnOnce()>);

thread_local! {
    static HOOK: Cell<Option<Hook>> = const { Cell::new(None) };
}

/// A waker that does nothing, unless [`on_touch`] has been called on the same thread.
pub(crate) fn touchy() -> Waker {
    static TABLE: RawWakerVTable = RawWakerVTable::new(
        |_| {
            touch(Touch::Clone);
            RawWaker::new(std::ptr::null(), &TABLE)
        },
        |_| touch(Touch::Wake),
        |_| touch(Touch::Wake),
        |_| touch(Touch::Drop),
    );
    // SAFETY: the table's functions do not use the pointer, and may be called on any thread.
    unsafe { Waker::from_raw(RawWaker::new(std::ptr::null(), &TABLE)) }
}

/// Runs `body`, in which the first `touch` of a [`touchy`] waker panics. It has to come.
#[track_caller]
pub(crate) fn panics_at<R>(touch: Touch, body: impl FnOnce() -> R) {
    let result = catch_unwind(AssertUnwindSafe(|| on_touch(touch, move || panic!("{touch:?}"), body)));
    assert!(result.is_err());
}

/// Runs `body`, in which the first `touch` of a [`touchy`] waker runs `hook`. It has to come.
#[track_caller]
pub(crate) fn on_touch<R>(touch: Touch, hook: impl FnOnce() + 'static, body: impl FnOnce() -> R) -> R {
    arm(touch, hook);
    let result = catch_unwind(AssertUnwindSafe(body));
    assert!(HOOK.take().is_none(), "there was no {touch:?}");
    result.unwrap_or_else(|panic| resume_unwind(panic))
}

/// Lets the next `touch` of a [`touchy`] waker on this thread run `hook`.
pub(crate) fn arm(touch: Touch, hook: impl FnOnce() + 'static) {
    HOOK.set(Some((touch, Box::new(hook))));
}

fn touch(touch: Touch) {
    match HOOK.take() {
        Some((at, hook)) if at == touch => hook(),
        other => HOOK.set(other),
    }
}

/// Runs `body` under an executor that asks every leaf to yield.
pub(crate) fn asked_to_yield<R>(body: impl FnOnce() -> R) -> R {
    static FLAG: AtomicBool = AtomicBool::new(true);
    let before = host::install(Some(&FLAG));
    let result = body();
    host::install(before);
    result
}

/// Polls `future` once, in the task that awaits this; it has to wait.
pub(crate) async fn begins_to_wait<F: Future>(mut future: Pin<&mut F>) {
    poll_fn(|context| {
        assert!(future.as_mut().poll(context).is_pending());
        Poll::Ready(())
    })
    .await;
}

/// A future polled by hand, with a waker of its own: a task that does nothing else.
pub(crate) struct Task<F> {
    future: F,
    woken: Arc<Woken>,
    waker: Waker,
}

impl<F: Future + Unpin> Task<F> {
    pub(crate) fn new(future: F) -> Self {
        let (woken, waker) = Woken::new();
        Self { future, woken, waker }
    }

    /// Begins: polled once, and not ready.
    #[track_caller]
    pub(crate) fn waiting(future: F) -> Self {
        let mut task = Self::new(future);
        assert!(task.poll().is_none(), "it should have to wait");
        task
    }

    /// Begins with, or goes on with, another waker.
    pub(crate) fn with_waker(mut self, waker: Waker) -> Self {
        self.waker = waker;
        self
    }

    pub(crate) fn poll(&mut self) -> Option<F::Output> {
        match pin!(&mut self.future).poll(&mut Context::from_waker(&self.waker)) {
            Poll::Ready(output) => Some(output),
            Poll::Pending => None,
        }
    }

    /// Polls, as a task is, as long as it is woken; `None` when it sleeps.
    pub(crate) fn run(&mut self) -> Option<F::Output> {
        let mut seen = self.wakes();
        loop {
            if let Some(output) = self.poll() {
                return Some(output);
            }
            if self.wakes() == seen {
                return None;
            }
            seen = self.wakes();
        }
    }

    pub(crate) fn wakes(&self) -> usize {
        self.woken.count()
    }
}
