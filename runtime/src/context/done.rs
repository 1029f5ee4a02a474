//! Waiting for a context's end: one numbered place in the context's list, and a waker in it.
//!
//! ```text
//!   poll                                         the walk that ends the context
//!   P1  ended? ready                             W1  lock; state := ended; take all wakers; unlock
//!   P2  clone the waker (no lock held)           W2  wake them
//!   P3  lock; Live? put it in the list; unlock
//!   If P3 finds Live, W1 comes later and takes the waker. If it does not, the poll is ready. No third way.
//! ```
//!
//! # Invariants
//! F1. `key` is `Some` while the list of a Live context may hold this future's waker, which is one at most.
//! F2. A future that is dropped takes its waker along: nothing stays in a context that lives on.
//! F3. While `key` is `Some` and the context is Live, `known` is that waker, by address. The waker in the list keeps what
//!     it points to alive, so a waker with the same addresses wakes the same task; and a context that is polled over and
//!     over, as around a connection, is looked at without its lock.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::ptr;
use std::sync::Arc;
use std::task::{Context as Cx, Poll, Waker, ready};

use pirn_sync::host::{self, WaitKind};

use super::ContextError;
use super::node::{Dependent, Node};

/// Waits for the end of a [`Context`](super::Context); made by [`done`](super::Context::done).
///
/// `Send + Unpin + 'static`: it may be kept in a struct, moved to another task, and polled in place in any
/// number of `select!`s. Polled again after it was ready it is ready again. Dropping it only stops waiting.
#[must_use = "futures do nothing unless polled or awaited"]
pub struct Done {
    node: Option<Arc<Node>>,
    key: Option<usize>,
    known: WakerId,
    at: &'static Location<'static>,
}

/// What `Waker::will_wake` compares: its data and its functions.
#[derive(Clone, Copy, PartialEq, Eq)]
struct WakerId {
    data: usize,
    functions: usize,
}

impl WakerId {
    const NONE: Self = Self { data: 0, functions: 0 };

    fn of(waker: &Waker) -> Self {
        Self { data: waker.data().addr(), functions: ptr::from_ref(waker.vtable()).addr() }
    }
}

impl Done {
    pub(super) fn new(node: Option<Arc<Node>>, at: &'static Location<'static>) -> Self {
        Self { node, key: None, known: WakerId::NONE, at }
    }

    /// How the context ended, if it has.
    pub(super) fn err(&self) -> Option<ContextError> {
        self.node.as_ref().and_then(|node| node.err())
    }

    /// Whether the context has ended; otherwise the task of `cx` is woken at its end, and is noted as waiting for it.
    pub(crate) fn poll_ended(&mut self, cx: &mut Cx<'_>) -> Poll<()> {
        let polled = self.poll_quietly(cx);
        if polled.is_pending() {
            self.note();
        }
        polled
    }

    /// Notes that the task waits for this end, until it notes something else.
    pub(super) fn note(&self) {
        host::waiting_on(WaitKind::Context, self.at);
    }

    /// As [`poll_ended`](Self::poll_ended), without the note.
    pub(super) fn poll_quietly(&mut self, cx: &mut Cx<'_>) -> Poll<()> {
        if let Some(node) = &self.node {
            if node.err().is_some() {
                self.key = None;
                return Poll::Ready(());
            }
            if self.key.is_none() || self.known != WakerId::of(cx.waker()) {
                let old = self.key.take().and_then(|key| node.leave(key));
                let waker = cx.waker().clone();
                // Of the clone: it need not look like what it was cloned from.
                self.known = WakerId::of(&waker);
                match node.join(Dependent::Waiter(waker)) {
                    Ok(key) => self.key = Some(key),
                    Err(_) => return Poll::Ready(()),
                }
                drop(old);
            }
        }
        Poll::Pending
    }
}

impl Future for Done {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Cx<'_>) -> Poll<()> {
        ready!(host::poll_yield(cx));
        self.poll_ended(cx)
    }
}

impl Drop for Done {
    fn drop(&mut self) {
        if let (Some(node), Some(key)) = (&self.node, self.key.take()) {
            drop(node.leave(key));
        }
    }
}

impl fmt::Debug for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Done").field("err", &self.err()).field("at", &self.at).finish()
    }
}
