//! Storms: many tasks do random things to one primitive, yield inside, drop futures half-way, keep some
//! that they never poll again, and everything still adds up and comes to an end.
//!
//! Every storm runs on tokio (many threads and one), on smol and on plain threads. Each prints its seed when
//! it fails; a run that does not end within its limit fails too.
#![cfg(not(loom))]

mod executors;
mod locks;
mod signals;

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Mutex;
use std::task::Poll;

use pirn_sync::random::Random;

/// Random numbers that a task can hold across a wait.
struct Dice(Mutex<Random>);

impl Dice {
    fn new(seed: u64) -> Self {
        Self(Mutex::new(Random::new(seed)))
    }

    fn below(&self, n: u32) -> u32 {
        self.0.lock().unwrap().below(n)
    }

    /// Another one, for another task.
    fn fork(&self) -> Self {
        Self::new(self.0.lock().unwrap().next_u32().into())
    }
}

/// A task of a storm.
type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Goes behind whatever else is ready, on any executor.
async fn yield_once() {
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
async fn linger(random: &Dice) {
    for _ in 0..random.below(4) {
        yield_once().await;
    }
}

/// Polls a future once and returns its output if it was ready at once.
async fn poll_once<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    poll_fn(|context| match Pin::new(&mut *future).poll(context) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

/// Polls a future a few times and drops it, or sees it through; `None` if it was dropped.
async fn perhaps<F: Future + Unpin>(mut future: F, random: &Dice) -> Option<F::Output> {
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
