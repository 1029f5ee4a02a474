//! The handle of a scope's child: as a join handle, but its output may borrow.
//!
//! The task itself has no output; the child's lies in a packet that its future and its handle share. Both are
//! gone before the scope ends: the handle because its type says so, the future because the scope waits for it.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as Cx, Poll, ready};

use pirn_sync::block;
use pirn_sync::primitive::Mutex;

use super::ledger::Ledger;
use crate::task::{JoinError, JoinHandle, TaskId};

/// Where a child leaves its output.
pub(super) type Packet<T> = Arc<Mutex<Option<T>>>;

/// A task of a scope, as its spawner sees it: a future of the task's output.
///
/// Dropping it detaches the task from whoever spawned it, not from its scope.
///
/// *Cancel safety*: a handle that was polled and not ready can be polled again.
pub struct ScopedJoinHandle<'scope, T> {
    task: JoinHandle<()>,
    packet: Packet<T>,
    ledger: Arc<Ledger>,
    scope: std::marker::PhantomData<&'scope ()>,
}

impl<T> ScopedJoinHandle<'_, T> {
    pub(super) fn new(task: JoinHandle<()>, packet: Packet<T>, ledger: Arc<Ledger>) -> Self {
        Self { task, packet, ledger, scope: std::marker::PhantomData }
    }

    /// Asks for the task's future to be dropped; see [`JoinHandle::abort`].
    pub fn abort(&self) {
        self.task.abort();
    }

    /// Whether the task has ended, in whatever way.
    pub fn is_finished(&self) -> bool {
        self.task.is_finished()
    }

    /// The task's id.
    pub fn id(&self) -> TaskId {
        self.task.id()
    }

    /// Blocks this thread until the task has ended; inside a task the processor is given away meanwhile.
    ///
    /// # Errors
    /// As awaiting the handle: the [`JoinError`] of a task that panicked or was cancelled.
    pub fn join_blocking(self) -> Result<T, JoinError> {
        crate::block_in_place(|| block::wait(self))
    }
}

impl<T> Unpin for ScopedJoinHandle<'_, T> {}

impl<T> Future for ScopedJoinHandle<'_, T> {
    type Output = Result<T, JoinError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Cx<'_>) -> Poll<Self::Output> {
        Poll::Ready(match ready!(Pin::new(&mut self.task).poll(cx)) {
            Ok(()) => Ok(self.packet.lock().take().expect("a task that has ended well has left its output")),
            Err(error) => {
                if error.is_panic() {
                    self.ledger.forgive();
                }
                Err(error)
            }
        })
    }
}

impl<T> fmt::Debug for ScopedJoinHandle<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ScopedJoinHandle").field(&self.task).finish()
    }
}
