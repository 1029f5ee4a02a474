//! The right to a task's output.
//!
//! The handle and the completer meet in the [state word](super::state): the handle writes its waker to the
//! slot and then sets `JOIN_WAKER`, unless the task is complete by then; the completer sets `COMPLETE` and
//! then looks whether the bit was set. Whoever is second sees the other. S3 and S4 there say who owns the
//! output and the slot at each moment.

use super::error::JoinError;
use super::join_waker::JoinWaker;
use super::raw::{Header, RawTask};
use super::state::{Detach, Snapshot};
use super::{AbortHandle, TaskId};
use pirn_sync::host::{self, WaitKind};
use std::fmt;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

/// A spawned task, as its spawner sees it: a future of the task's output.
///
/// Dropping it detaches the task, which goes on. Dropping it *after* the task panicked, unawaited, makes the
/// panic an unhandled one.
///
/// Cancel safety: a handle that was polled and not ready can be polled again later, by another task too.
///
/// ```
/// let task = pirn::spawn(async { 6 * 7 });
/// assert_eq!(pirn::block_on(task).unwrap(), 42);
/// ```
pub struct JoinHandle<T> {
    task: RawTask,
    /// The output has been given out: the slot in the task is empty.
    taken: bool,
    output: PhantomData<fn() -> T>,
}

impl<T> Unpin for JoinHandle<T> {}

// SAFETY: the handle moves a `T` out of the task to its own thread, so `T` must be `Send`. The rest of what
// it reaches is atomic or guarded by the state word.
unsafe impl<T: Send> Send for JoinHandle<T> {}
// SAFETY: a shared handle gives no access to the `T`.
unsafe impl<T: Send> Sync for JoinHandle<T> {}

impl<T> JoinHandle<T> {
    /// Takes over the handle's reference to a task whose output is a `Result<T, JoinError>`.
    pub(super) fn from_raw(task: RawTask) -> Self {
        Self { task, taken: false, output: PhantomData }
    }

    fn header(&self) -> &Header {
        // SAFETY: the handle holds a reference.
        unsafe { self.task.header() }
    }

    /// Asks for the task's future to be dropped.
    ///
    /// It takes effect before the next poll, or at the end of the one in progress, whose output then wins;
    /// the future is dropped on a worker, never here. A blocking job is aborted only before it starts. The
    /// handle still resolves: to a cancelled error, if the abort was in time. Never blocks.
    ///
    /// ```
    /// let task = pirn::spawn(std::future::pending::<()>());
    /// task.abort();
    /// assert!(pirn::block_on(task).unwrap_err().is_cancelled());
    /// ```
    pub fn abort(&self) {
        // SAFETY: the handle holds a reference.
        unsafe { self.task.abort() }
    }

    /// Whether the task has ended, in whatever way: the next poll is then ready.
    pub fn is_finished(&self) -> bool {
        self.header().state.snapshot().is_complete()
    }

    /// The task's id.
    pub fn id(&self) -> TaskId {
        self.header().id
    }

    /// Another way to cancel the task, which outlives this handle.
    #[must_use = "dropping it does nothing; `abort` cancels the task"]
    pub fn abort_handle(&self) -> AbortHandle {
        self.header().state.add_ref();
        AbortHandle::from_ref(self.task)
    }

    /// Whether it has returned the task's output: it must not be polled again.
    pub(crate) fn is_taken(&self) -> bool {
        self.taken
    }

    /// Puts `waker` where the completer finds it. False if the task is complete.
    pub(crate) fn register(&self, waker: &Waker) -> bool {
        let header = self.header();
        let slot = &header.join_waker;
        let now = header.state.snapshot();
        if now.is_complete() {
            return false;
        }
        if now.has_join_waker() {
            // SAFETY: S4: while the bit is set both sides may read; only this handle, borrowed here, clears it.
            let same = slot.with(|slot| unsafe { &*slot }.as_ref().is_some_and(|old| old.will_wake(waker)));
            if same {
                return true;
            }
            if !header.state.unset_join_waker() {
                return false;
            }
        }
        let waker = JoinWaker::of(waker);
        // SAFETY: S4: the bit is clear and only this handle, exclusively borrowed by its poll, sets it.
        let old = slot.with_mut(|slot| unsafe { &mut *slot }.replace(waker));
        let registered = header.state.set_join_waker();
        drop(old);
        registered
    }

    /// # Safety
    /// The task is complete, which the caller has seen with `Acquire`.
    unsafe fn take_output(&mut self) -> Result<T, JoinError> {
        self.taken = true;
        let mut output: Option<Result<T, JoinError>> = None;
        // SAFETY: T4, and the output is the handle's (S3): it was there until now, and `taken` keeps it from
        // being taken twice. The type is the one that `from_raw` was promised.
        unsafe { (self.header().vtable.take_output)(self.task, (&raw mut output).cast()) };
        output.expect("the task has written its output")
    }
}

impl<T> Future for JoinHandle<T> {
    type Output = Result<T, JoinError>;

    #[track_caller]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        assert!(!self.taken, "a JoinHandle was polled after it had returned the task's output");
        std::task::ready!(host::poll_yield(cx));
        if self.register(cx.waker()) {
            host::waiting_on(WaitKind::Join, self.header().spawned_at);
            return Poll::Pending;
        }
        // SAFETY: `register` found the task complete, with an acquiring access.
        Poll::Ready(unsafe { self.take_output() })
    }
}

impl<T> Drop for JoinHandle<T> {
    fn drop(&mut self) {
        let header = self.header();
        let complete = self.taken.then(|| header.state.snapshot());
        let detach = if complete.is_some_and(|now| !now.has_join_waker()) {
            // A complete task without an output, and the completer has left: nobody asks again whether there is a handle
            // (S3, S4).
            Detach::DropOutputAndWaker
        } else {
            header.state.drop_join_handle()
        };
        if detach == Detach::Done {
            return;
        }
        if detach != Detach::DropWaker && !self.taken {
            // SAFETY: T4, and the output is the handle's (S3), not taken yet.
            unsafe { (header.vtable.drop_output)(self.task) };
        }
        // It goes last: its destructor may panic, and the task must not be left with a reference of nobody's.
        let _waker = if detach == Detach::DropOutput {
            None
        } else {
            // SAFETY: S4: the bit is clear, and nobody else sets it or looks at the slot.
            header.join_waker.with_mut(|slot| unsafe { (*slot).take() })
        };
        let is_last = complete.is_some_and(Snapshot::is_only_ref);
        // SAFETY: the handle's own reference.
        unsafe { if is_last { self.task.free() } else { self.task.drop_ref() } }
    }
}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinHandle").field("id", &self.id()).field("finished", &self.is_finished()).finish()
    }
}
