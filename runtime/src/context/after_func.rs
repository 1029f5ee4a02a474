//! Functions that run when a context ends: Go's `context.AfterFunc`.
//!
//! A function is a dependent of the context like any other, in its list until the end takes it out and
//! starts it, or `stop` takes it out and drops it. Whoever takes it out decides: so it runs at most once, and
//! `stop` is true exactly when it kept it from running.
//!
//! # Who keeps it alive
//! Not the handle: dropping an [`AfterFunc`] does not stop the function. The list does, and the list belongs
//! to the node. But a node goes when nobody holds it, and a detached context can go long before its parent
//! ends it. Then the functions are *bequeathed* to whoever can still end them:
//!
//! | the node that goes has | its functions go to |
//! |---|---|
//! | a timer of its own | an heir: a node of the same deadline and parent, which its timer keeps alive |
//! | a parent | the parent; if that has ended, they run now |
//! | neither | nobody: nothing can end it any more, so they are dropped and never run |
//!
//! # Invariants
//! A1. While an [`AfterFunc`] exists its node exists, so the number it holds is good (the node's N2). Hence only
//!     functions that nobody can stop any more are ever bequeathed.
//! A2. A number is used once: `key` is exchanged for [`SPENT`].

use std::fmt;
use std::panic::Location;
use std::sync::Arc;
use std::time::Instant;

use pirn_sync::primitive::atomic::{AtomicUsize, Ordering};

use super::deadline;
use super::node::{Dependent, Node};
use crate::Handle;

/// `key` of a function that was stopped, or has been started at once.
const SPENT: usize = usize::MAX;

/// A function that waits for a context's end, and the runtime it is to run on.
pub(super) struct Func {
    body: Box<dyn FnOnce() + Send>,
    /// `None`: it was registered outside every runtime.
    home: Option<Handle>,
    at: &'static Location<'static>,
}

impl Func {
    /// Runs it as a task: on the runtime it was registered in, else on the one that ends the context.
    pub(super) fn start(self) {
        let home = self.home.unwrap_or_else(Handle::current);
        drop(home.shared().spawn(async move { (self.body)() }, None, self.at));
    }
}

/// The handle of a function registered with [`Context::after_func`](super::Context::after_func).
///
/// Dropping it does not stop the function.
pub struct AfterFunc {
    node: Arc<Node>,
    /// Relaxed: only the exchange matters, the function itself is under the node's lock.
    key: AtomicUsize,
}

impl AfterFunc {
    pub(super) fn register(
        node: Option<&Arc<Node>>,
        body: Box<dyn FnOnce() + Send>,
        at: &'static Location<'static>,
    ) -> Self {
        // A context that cannot end has no node. One that nobody else knows keeps the function until this
        // handle goes.
        let node = node.map_or_else(|| Node::new(None, None, None), Arc::clone);
        let key = match node.join(Dependent::Func(Func { body, home: Handle::try_current().ok(), at })) {
            Ok(key) => key,
            Err(refused) => {
                start(refused);
                SPENT
            }
        };
        Self { node, key: AtomicUsize::new(key) }
    }

    /// Keeps the function from running; true if that succeeded.
    ///
    /// False when the context has ended (the function has been started, and may still be running), and when
    /// it was stopped before. Never waits for the function. The function is dropped on the calling thread.
    pub fn stop(&self) -> bool {
        let key = self.key.swap(SPENT, Ordering::Relaxed);
        key != SPENT && self.node.leave(key).is_some()
    }
}

impl fmt::Debug for AfterFunc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AfterFunc").field("started", &self.node.err().is_some()).finish_non_exhaustive()
    }
}

/// Passes on the functions of a node that goes; `own` is its deadline if it had a timer for it.
pub(super) fn bequeath(funcs: Vec<Func>, parent: Option<&Arc<Node>>, own: Option<Instant>) {
    let heir = match own {
        Some(at) => Some(Node::new(parent, Some(at), None)),
        None => parent.cloned(),
    };
    let Some(heir) = heir else { return };
    for func in funcs {
        if let Err(refused) = heir.join(Dependent::Func(func)) {
            start(refused);
        }
    }
    if let Some(at) = own {
        deadline::set_keeping(&heir, at);
    }
}

/// Starts a function that an ended node has refused.
fn start(refused: Dependent) {
    if let Dependent::Func(func) = refused {
        func.start();
    }
}
