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
//! C3. `panicked` counts the children that panicked, less those whose handle has given the panic to somebody.

use std::future::Future;
use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as Cx, Poll, Waker};

use pirn_sync::host::{self, WaitKind};
use pirn_sync::primitive::Mutex;

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
        let tenant = Tenant { body, presence: Presence(Arc::clone(self)) };
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
        let mut inner = self.0.lock();
        // A destructor's panic was never counted.
        inner.panicked = inner.panicked.saturating_sub(1);
    }
}

/// A child is inside, or its future is being dropped.
struct Presence(Arc<Ledger>);

impl Drop for Presence {
    fn drop(&mut self) {
        let waiting = {
            let mut inner = self.0.0.lock();
            inner.inside -= 1;
            if inner.inside == 0 { inner.waiting.take() } else { None }
        };
        if let Some(waker) = waiting {
            waker.wake();
        }
    }
}

/// A child's task.
struct Tenant {
    body: Body,
    /// C1: declared, hence dropped, after `body`.
    presence: Presence,
}

impl Future for Tenant {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Cx<'_>) -> Poll<()> {
        let body = self.body.as_mut();
        match catch_unwind(AssertUnwindSafe(|| body.poll(cx))) {
            Ok(polled) => polled,
            Err(panic) => {
                self.presence.0.0.lock().panicked += 1;
                // It goes on into the join handle.
                resume_unwind(panic)
            }
        }
    }
}
