//! What the tasks of all storms do: throw dice, yield, poll a future a few times and drop it.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Mutex;
use std::task::Poll;

use pirn_sync::random::Random;

/// Random numbers that a task can hold across a wait.
pub(crate) struct Dice(Mutex<Random>);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Mutex::new(Random::new(seed)))
    }

    pub(crate) fn below(&self, n: u32) -> u32 {
        self.0.lock().unwrap().below(n)
    }

    /// Another one, for another task.
    pub(crate) fn fork(&self) -> Self {
        Self::new(self.0.lock().unwrap().next_u32().into())
    }
}

/// A task of a storm.
pub(crate) type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Goes behind whatever else is ready, on any executor.
pub(crate) async fn yield_once() {
    let mut yielded = false;
    poll_fn(|context| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Yields up to three times.
pub(crate) async fn linger(random: &Dice) {
    for _ in 0..random.below(4) {
        yield_once().await;
    }
}

/// Polls a future once and returns its output if it was ready at once.
pub(crate) async fn poll_once<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    poll_fn(|context| match Pin::new(&mut *future).poll(context) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

/// Polls a future a few times and drops it, or sees it through; `None` if it was dropped.
pub(crate) async fn perhaps<F: Future + Unpin>(mut future: F, random: &Dice) -> Option<F::Output> {
    if random.below(3) > 0 {
        return Some(future.await);
    }
    for _ in 0..=random.below(3) {
        if let Some(output) = poll_once(&mut future).await {
            return Some(output);
        }
        yield_once().await;
    }
    None
}
