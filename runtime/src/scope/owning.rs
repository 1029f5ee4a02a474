//! The async scope: it owns its tasks, and is over when they are.
//!
//! An async scope cannot lend what it borrows, for nobody can be made to poll a future to its end: it may be
//! dropped, or forgotten, while its children run. (The blocking scope can, because a call cannot be left.) So
//! its children own what they use; what the scope adds is that *awaiting* it means that all of them are over.
//!
//! | the scope's future | its children |
//! |---|---|
//! | is ready | have ended: every future is dropped |
//! | is dropped | are aborted; a worker drops each as soon as a poll in progress is over |
//! | panics in its body | as dropped |

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as Cx, Poll, ready};

use pirn_sync::host;
use pirn_sync::primitive::Mutex;

use super::handle::ScopedJoinHandle;
use super::ledger::Ledger;

/// Runs `body` with a scope to spawn tasks in, and then waits for all of these tasks.
///
/// Tasks may spawn others through a clone of the [`TaskScope`]. One that is used after the scope's end gets
/// its tasks cancelled at once.
///
/// # Panics
/// When all tasks have ended, if one of them panicked and its handle was not awaited.
///
/// *Cancel safety*: dropping this aborts the tasks.
///
/// ```
/// let sum = pirn::block_on(pirn::task::scope(|scope| async move {
///     let left = scope.spawn(async { 1 });
///     let right = scope.spawn(async { 2 });
///     left.await.unwrap() + right.await.unwrap()
/// }));
/// assert_eq!(sum, 3);
/// ```
#[track_caller]
pub fn scope<F, Fut>(body: F) -> ScopeFuture<Fut>
where
    F: FnOnce(TaskScope) -> Fut,
    Fut: Future,
{
    let ledger = Arc::new(Ledger::default());
    // Made first: `body` may spawn and then panic, which the scope's destructor sees to.
    let mut scope = ScopeFuture { body: None, output: None, ledger, at: Location::caller() };
    let handed_over = TaskScope { ledger: Arc::clone(&scope.ledger) };
    scope.body = Some(body(handed_over));
    scope
}

/// Spawns tasks in an async [`scope`].
#[derive(Clone)]
pub struct TaskScope {
    ledger: Arc<Ledger>,
}

impl TaskScope {
    /// Starts `future` as a task of this scope, on the current runtime, else on the global one.
    #[track_caller]
    pub fn spawn<F>(&self, future: F) -> ScopedJoinHandle<'static, F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let packet = Arc::new(Mutex::new(None));
        let body = {
            let packet = Arc::clone(&packet);
            Box::pin(async move {
                let output = future.await;
                *packet.lock() = Some(output);
            })
        };
        let task = self.ledger.spawn(body, None, Location::caller());
        ScopedJoinHandle::new(task, packet, Arc::clone(&self.ledger))
    }
}

impl fmt::Debug for TaskScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskScope").finish_non_exhaustive()
    }
}

/// Runs a body and waits for its tasks; made by [`scope`].
#[must_use = "futures do nothing unless polled or awaited"]
pub struct ScopeFuture<Fut: Future> {
    /// `None` once it was ready.
    body: Option<Fut>,
    output: Option<Fut::Output>,
    ledger: Arc<Ledger>,
    at: &'static Location<'static>,
}

impl<Fut: Future> Future for ScopeFuture<Fut> {
    type Output = Fut::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Cx<'_>) -> Poll<Fut::Output> {
        // SAFETY: `body` is pinned with the scope: polled in place, and dropped in place, by `Pin::set` or with
        // the scope, whose `Drop` does not touch it. `output` is never pinned, and `Unpin` needs both to be.
        let (mut body, output, ledger, at) = unsafe {
            let this = self.get_unchecked_mut();
            (Pin::new_unchecked(&mut this.body), &mut this.output, &this.ledger, this.at)
        };
        if let Some(running) = body.as_mut().as_pin_mut() {
            *output = Some(ready!(running.poll(cx)));
            // With it goes its `TaskScope`, and what it had promised to keep alive only that long.
            body.set(None);
        }
        ready!(host::poll_yield(cx));
        ready!(ledger.poll_empty(cx, at));
        assert!(!ledger.has_panicked(), "a task of the scope at {at} panicked");
        Poll::Ready(output.take().expect("a scope was polled after it was ready"))
    }
}

impl<Fut: Future> Drop for ScopeFuture<Fut> {
    fn drop(&mut self) {
        self.ledger.abort_all();
    }
}

impl<Fut: Future> fmt::Debug for ScopeFuture<Fut> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScopeFuture").field("body_ended", &self.body.is_none()).finish_non_exhaustive()
    }
}
