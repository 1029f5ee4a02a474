//! Tasks that stand or fall together: Go's `errgroup`.
//!
//! ```text
//!   go(f) ── a slot, if there is a limit ──► task: poll f ──► Ok        ── gives the slot back
//!                                                        ├──► Err(e)    ── first? keep e · cancel the context
//!                                                        └──► panic     ── cancel the context · panic on
//!   wait ── joins every task ──► cancels the context ──► resumes a panic, else the first error, else Ok
//! ```
//!
//! The error is kept by the task that has it, the moment it has it: nobody needs to be in `wait` for the
//! others to be told to stop. A panic goes on into the task's join handle, where the runtime reports it if the
//! group is dropped and nobody will ever resume it.
//!
//! # Invariants
//! W1. The first error is written once, under the lock, and before the context is cancelled.
//! W2. The first task that panics as it is polled names itself in `panicked` before it ends. Its panic is kept for `wait`
//!     to resume, also if others end before it, since it gives its slot back before its end; and it is reported if nobody
//!     resumes it. While nobody has panicked, `go` may join the members that have ended: a group that runs for ever does
//!     not grow. Those that a runtime's shutdown has cancelled are noted.
//! W3. A slot is held by exactly the futures that were started, until they are dropped; a `go` that waits for
//!     one holds its future unstarted, and takes it along when it is dropped.
//!
//! # Rejected
//! Giving the error to the context as its cause: `E` need be neither an `Error` nor `Clone`, and `wait` is owed
//! the value itself.

use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as Cx, Poll, ready};

use pirn_sync::primitive::Mutex;
use pirn_sync::unwind::{caught, drop_caught};
use pirn_sync::{AcquireOwned, OwnedSemaphorePermit, Semaphore, host};

use super::JoinSet;
use crate::context::{CancelFunc, Context};
use crate::task::{self, JoinError, TaskId};

/// A group of tasks that return `Result<(), E>`, of which the first error counts.
///
/// Dropping the group, or the future of [`wait`](Self::wait), aborts its tasks and cancels its context.
///
/// ```
/// use pirn::{Context, ErrGroup};
///
/// pirn::block_on(async {
///     let (group, ctx) = ErrGroup::with_context(&Context::background());
///     group.go(async { Err("no such host") }).await;
///     let patient = ctx.clone();
///     group
///         .go(async move {
///             patient.done().await;
///             Ok(())
///         })
///         .await;
///     assert_eq!(group.wait().await, Err("no such host"));
///     assert!(ctx.err().is_some());
/// });
/// ```
pub struct ErrGroup<E> {
    members: Mutex<JoinSet<()>>,
    owner: Owner<E>,
    slots: Option<Arc<Semaphore>>,
}

/// What the group and its tasks have in common.
struct Shared<E> {
    outcome: Mutex<Outcome<E>>,
    cancel: Option<CancelFunc>,
}

struct Outcome<E> {
    /// Any task was started, be it one that has ended and gone.
    started: bool,
    first_error: Option<E>,
    /// The first task that panicked as it was polled.
    panicked: Option<TaskId>,
    /// Of the tasks that ended without an output the one that counts: the one in `panicked`, else the first other one that
    /// panicked, else the first that was cancelled.
    failed: Option<JoinError>,
}

/// The group's own end of it: the context does not outlive the owner, although tasks may for a moment.
struct Owner<E>(Arc<Shared<E>>);

impl<E> Shared<E> {
    fn cancel(&self) {
        if let Some(cancel) = &self.cancel {
            cancel.cancel();
        }
    }

    fn fail(&self, error: E) {
        let late = {
            let mut outcome = self.outcome.lock();
            match outcome.first_error {
                None => outcome.first_error.replace(error),
                Some(_) => Some(error),
            }
        };
        self.cancel();
        drop(late);
    }

    /// A task has no output. What need not be kept is dropped without the lock, and its panic is a later one.
    fn note(&self, error: JoinError) {
        let surplus = {
            let mut outcome = self.outcome.lock();
            let is_first = outcome.panicked == Some(error.id());
            match &mut outcome.failed {
                Some(before) if error.is_cancelled() || (before.is_panic() && !is_first) => Some(error),
                failed => failed.replace(error),
            }
        };
        drop_caught(surplus);
    }
}

impl<E> Drop for Owner<E> {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

impl<E> ErrGroup<E> {
    /// A group without a context: an error does not stop the others.
    pub fn new() -> Self {
        Self::with_cancel(None)
    }

    /// A group and a context below `parent`, which ends at the first error or panic, or when `wait` returns.
    pub fn with_context(parent: &Context) -> (Self, Context) {
        let (context, cancel) = parent.with_cancel();
        (Self::with_cancel(Some(cancel)), context)
    }

    fn with_cancel(cancel: Option<CancelFunc>) -> Self {
        let outcome = Mutex::new(Outcome { started: false, first_error: None, panicked: None, failed: None });
        let owner = Owner(Arc::new(Shared { outcome, cancel }));
        Self { members: Mutex::new(JoinSet::new()), owner, slots: None }
    }

    /// The same group, of whose tasks at most `n` run at any time. With 0 none ever starts, as in Go.
    ///
    /// # Panics
    /// If a task was started before.
    #[track_caller]
    pub fn limit(mut self, n: usize) -> Self {
        assert!(!self.owner.0.outcome.lock().started, "`limit` must be called before the group's first task");
        // More of them than a semaphore can count do not run anyway.
        self.slots = Some(Arc::new(Semaphore::new(n.min(Semaphore::MAX_PERMITS))));
        self
    }

    /// Waits for a slot, if there is a limit, and then starts `future` as a task of the group.
    ///
    /// Slots are given in the order in which they were asked for. The end of the context does not interrupt
    /// this; where it should, wrap it in [`Context::run`].
    ///
    /// *Cancel safety*: dropped before it was ready, it never starts the future.
    #[track_caller]
    pub fn go<F>(&self, future: F) -> Go<'_, E, F>
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: Send + 'static,
    {
        // Not in a closure: there the wait would be recorded as begun here instead of at the caller's.
        let mut slot = None;
        if let Some(slots) = &self.slots {
            slot = Some(Arc::clone(slots).acquire_owned());
        }
        Go { group: self, future: Some(future), slot, at: Location::caller() }
    }

    /// Starts `future` as a task of the group if there is a slot for it now.
    ///
    /// # Errors
    /// The future itself, if all slots are taken or others wait for one.
    #[track_caller]
    pub fn try_go<F>(&self, future: F) -> Result<(), F>
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: Send + 'static,
    {
        let slot = match self.slots.as_ref().map(|slots| Arc::clone(slots).try_acquire_owned()) {
            None => None,
            Some(Ok(slot)) => Some(slot),
            Some(Err(_)) => return Err(future),
        };
        self.start(future, slot, Location::caller());
        Ok(())
    }

    /// Waits until all tasks have ended and their futures are dropped; then cancels the group's context.
    ///
    /// # Errors
    /// The first error that a task returned.
    ///
    /// # Panics
    /// As the first task did that panicked. Also if the runtime was shut down under a task of the group: then
    /// neither `Ok` nor an `E` would be true.
    ///
    /// *Cancel safety*: none. Dropping this aborts the tasks, as dropping the group does.
    #[track_caller]
    pub fn wait(self) -> Wait<E> {
        let members = std::mem::take(&mut *self.members.lock());
        Wait { members, owner: self.owner, at: Location::caller() }
    }

    fn start<F>(&self, future: F, slot: Option<OwnedSemaphorePermit>, at: &'static Location<'static>)
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: Send + 'static,
    {
        self.owner.0.outcome.lock().started = true;
        let task = Member { future: Some(future), shared: Arc::clone(&self.owner.0), _slot: slot };
        // A runtime that has shut down drops the future here, so no lock is held.
        let handle = crate::global::spawn(task, None, at);
        self.members.lock().adopt(handle);
        while let Some(ended) = self.try_join_next() {
            if let Err(error) = ended {
                self.owner.0.note(error);
            }
        }
    }

    /// A member that has ended, while `go` may join it (W2).
    fn try_join_next(&self) -> Option<Result<(), JoinError>> {
        let mut members = self.members.lock();
        if self.owner.0.outcome.lock().panicked.is_some() {
            return None;
        }
        members.try_join_next()
    }
}

impl<E> Default for ErrGroup<E> {
    fn default() -> Self {
        Self::new()
    }
}

impl<E> fmt::Debug for ErrGroup<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ErrGroup").field("members", &self.members.lock().len()).finish_non_exhaustive()
    }
}

/// One task of the group: the user's future, whose end is noted before the task's own.
struct Member<E, F> {
    /// `None` once it has ended.
    future: Option<F>,
    shared: Arc<Shared<E>>,
    /// W3: behind `future`, so that it is dropped after it.
    _slot: Option<OwnedSemaphorePermit>,
}

impl<E, F: Future<Output = Result<(), E>>> Future for Member<E, F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Cx<'_>) -> Poll<()> {
        // SAFETY: `future` is pinned with the member: it is polled in place and dropped in place (`Pin::set`).
        // The other fields are never pinned, and `Member` has no `Drop` and derives its `Unpin`.
        let (mut future, shared) = unsafe {
            let this = self.get_unchecked_mut();
            (Pin::new_unchecked(&mut this.future), &this.shared)
        };
        let polled = catch_unwind(AssertUnwindSafe(|| {
            let running = future.as_mut().as_pin_mut().expect("a task is not polled after its end");
            let result = ready!(running.poll(cx));
            // Here, so that a destructor that panics counts like any other panic; and so does a waker that hears
            // of the context's end.
            future.set(None);
            if let Err(error) = result {
                shared.fail(error);
            }
            Poll::Ready(())
        }));
        polled.unwrap_or_else(|panic| {
            shared.outcome.lock().panicked.get_or_insert(task::id());
            // A waker's panic must not take the place of the task's own.
            caught(|| shared.cancel());
            resume_unwind(panic)
        })
    }
}

/// Starts a task of an [`ErrGroup`] as soon as there is a slot; made by [`ErrGroup::go`].
#[must_use = "futures do nothing unless polled or awaited"]
pub struct Go<'a, E, F> {
    group: &'a ErrGroup<E>,
    /// `None` once it has been started.
    future: Option<F>,
    slot: Option<AcquireOwned>,
    at: &'static Location<'static>,
}

/// The future is not pinned here: it has yet to be moved into its task.
impl<E, F> Unpin for Go<'_, E, F> {}

impl<E, F> Future for Go<'_, E, F>
where
    F: Future<Output = Result<(), E>> + Send + 'static,
    E: Send + 'static,
{
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Cx<'_>) -> Poll<()> {
        let this = self.get_mut();
        let slot = match &mut this.slot {
            Some(waiting) => {
                Some(ready!(Pin::new(waiting).poll(cx)).expect("nobody closes the group's semaphore"))
            }
            None => {
                ready!(host::poll_yield(cx));
                None
            }
        };
        let future = this.future.take().expect("`Go` polled after it was ready");
        this.group.start(future, slot, this.at);
        Poll::Ready(())
    }
}

impl<E, F> fmt::Debug for Go<'_, E, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Go").field("started", &self.future.is_none()).finish_non_exhaustive()
    }
}

/// Waits for the end of all tasks of an [`ErrGroup`]; made by [`ErrGroup::wait`].
#[must_use = "futures do nothing unless polled or awaited; dropping it aborts the group's tasks"]
pub struct Wait<E> {
    members: JoinSet<()>,
    owner: Owner<E>,
    at: &'static Location<'static>,
}

impl<E> Unpin for Wait<E> {}

impl<E> Future for Wait<E> {
    type Output = Result<(), E>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Cx<'_>) -> Poll<Result<(), E>> {
        let this = &mut *self;
        while let Some(ended) = ready!(this.members.poll_next(cx, this.at)) {
            if let Err(error) = ended {
                // The destructor of an aborted future may have panicked, which nobody has told the others.
                this.owner.0.cancel();
                this.owner.0.note(error);
            }
        }
        this.owner.0.cancel();
        let (failed, first_error) = {
            let mut outcome = this.owner.0.outcome.lock();
            (outcome.failed.take(), outcome.first_error.take())
        };
        match (failed.map(JoinError::try_into_panic), first_error) {
            (Some(Ok(panic)), error) => {
                // Not in the unwinding: two panics at once would end the process.
                drop_caught(error);
                resume_unwind(panic)
            }
            (_, Some(error)) => Poll::Ready(Err(error)),
            (Some(Err(cancelled)), None) => {
                panic!("ErrGroup::wait at {}: {cancelled} by its runtime's shutdown", this.at)
            }
            (None, None) => Poll::Ready(Ok(())),
        }
    }
}

impl<E> fmt::Debug for Wait<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wait").field("members", &self.members.len()).finish_non_exhaustive()
    }
}
