//! What the tests of this crate share: a time limit, a waker that counts, and polling by hand.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

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
                std::panic::resume_unwind(panic);
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
