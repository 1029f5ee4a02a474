//! Who is inside a scope: a count that is zero only when no child's future exists any more.
//!
//! The count is kept by a token, [`Presence`], which lies in each child *behind* its future. Whatever ends the
//! child (its own end, a panic, an abort, a runtime that shuts down or refuses it) drops the two in this
//! order, also when the first destructor panics. Nothing that a runtime does can drop the token and keep the
//! future; a future that is never dropped keeps its scope waiting.
//!
//! # Invariants
//! C1. `inside` is the number of tokens. It falls only after the future before the token is dropped.
//! C2. Once `closed`, every child that comes is aborted at once. It still has a token, so C1 holds for it too.
//! C3. `panicked` counts the children that panicked, in a poll or in a destructor, less those whose handle has
//!     given the panic to somebody. A child is counted once, as its token goes, and so before its handle can
//!     tell: every panic that is forgiven has been counted.

use std::future::Future;
use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as Cx, Poll, Waker};

use pirn_sync::host::{self, WaitKind};
use pirn_sync::primitive::Mutex;
use pirn_sync::unwind::wake_caught;

use crate::task::{AbortHandle, JoinHandle};

/// A child's future: its output goes where its handle finds it.
pub(super) type Body = Pin<Box<dyn Future<Output = ()> + Send>>;

#[derive(Default)]
pub(super) struct Ledger(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    inside: usize,
    panicked: usize,
    closed: bool,
    /// Of all who are inside, and of some who were.
    aborts: Vec<AbortHandle>,
    waiting: Option<Waker>,
}

impl Ledger {
    /// Starts `body` as a child, on the current runtime or on that of `handle`.
    pub(super) fn spawn(
        self: &Arc<Self>,
        body: Body,
        handle: Option<&crate::Handle>,
        at: &'static Location<'static>,
    ) -> JoinHandle<()> {
        self.0.lock().inside += 1;
        let presence = Presence { ledger: Arc::clone(self), panicked: false };
        let tenant = Tenant { body: Some(body), presence };
        let task = match handle {
            Some(handle) => handle.shared().spawn(tenant, None, at),
            None => crate::global::spawn(tenant, None, at),
        };
        let abort = task.abort_handle();
        let (closed, forgotten) = {
            let mut inner = self.0.lock();
            let inner = &mut *inner;
            let mut forgotten = Vec::new();
            if inner.aborts.len() >= 2 * inner.inside + 16 {
                forgotten.extend(inner.aborts.extract_if(.., |abort| abort.is_finished()));
            }
            inner.aborts.push(abort);
            (inner.closed, forgotten)
        };
        drop(forgotten);
        if closed {
            task.abort();
        }
        task
    }

    /// Aborts everybody who is inside, and whoever comes later (C2).
    pub(super) fn abort_all(&self) {
        let aborts = {
            let mut inner = self.0.lock();
            inner.closed = true;
            std::mem::take(&mut inner.aborts)
        };
        aborts.iter().for_each(AbortHandle::abort);
    }

    /// Ready, and closed for good, when nobody is inside.
    pub(super) fn poll_empty(&self, cx: &mut Cx<'_>, at: &'static Location<'static>) -> Poll<()> {
        let waker = cx.waker().clone();
        let old = {
            let mut inner = self.0.lock();
            if inner.inside == 0 {
                inner.closed = true;
                None
            } else {
                Some(inner.waiting.replace(waker))
            }
        };
        if old.is_none() {
            return Poll::Ready(());
        }
        host::waiting_on(WaitKind::Join, at);
        Poll::Pending
    }

    /// Whether a child panicked and nobody has learned of it.
    pub(super) fn has_panicked(&self) -> bool {
        self.0.lock().panicked > 0
    }

    /// Somebody has been given the panic of a child (C3).
    pub(super) fn forgive(&self) {
        self.0.lock().panicked -= 1;
    }
}

/// A child is inside, or its future is being dropped.
struct Presence {
    ledger: Arc<Ledger>,
    panicked: bool,
}

impl Drop for Presence {
    fn drop(&mut self) {
        let waiting = {
            let mut inner = self.ledger.0.lock();
            inner.inside -= 1;
            inner.panicked += usize::from(self.panicked);
            if inner.inside == 0 { inner.waiting.take() } else { None }
        };
        // Its panic would pass for the child's, which C3 has not counted.
        if let Some(waker) = waiting {
            wake_caught(waker);
        }
    }
}

/// A child's task.
struct Tenant {
    /// There until it is dropped.
    body: Option<Body>,
    /// C1: dropped after `body`, also where that panics.
    presence: Presence,
}

impl Tenant {
    /// Runs the child's code. A panic is noted, and goes on into the join handle.
    fn noting<R>(&mut self, code: impl FnOnce(&mut Option<Body>) -> R) -> R {
        catch_unwind(AssertUnwindSafe(|| code(&mut self.body))).unwrap_or_else(|panic| {
            self.presence.panicked = true;
            resume_unwind(panic)
        })
    }
}

impl Future for Tenant {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Cx<'_>) -> Poll<()> {
        self.noting(|body| body.as_mut().expect("only the destructor takes it").as_mut().poll(cx))
    }
}

impl Drop for Tenant {
    fn drop(&mut self) {
        self.noting(|body| drop(body.take()));
    }
}
