//! Values that travel with a context: a list that only ever grows at the front, searched by type.
//!
//! Every `with_value` puts one node in front of the list that its parent sees; nodes never change. So
//! siblings share their tail, a context is cheap to clone, and looking up takes no lock: it walks from the
//! newest value to the oldest and stops at the first of the type asked for, which is *the nearest wins*.
//!
//! ```text
//!   background ◄── UserId(7) ◄──┬── TraceId(1)          sees TraceId(1), UserId(7)
//!                               └── UserId(8)           sees UserId(8): it shadows UserId(7)
//! ```
//!
//! The list is apart from the tree of cancellation: the nodes in between hold nothing, and
//! [`without_cancel`](super::Context::without_cancel) keeps this list and leaves that tree.
//!
//! # Invariants
//! V1. A node is immutable once made; its tail outlives it.
//! V2. Dropping is iterative: the last owner of a node takes the tail out before the node goes, and goes on
//!     with the tail. A list of 10,000 values uses no more stack than one of 1. `Arc::into_inner` makes
//!     exactly one of several simultaneous droppers the last owner.

use std::any::Any;
use std::sync::Arc;

/// One value, and the values it was put in front of.
pub(super) struct Values {
    value: Box<dyn Any + Send + Sync>,
    tail: Option<Arc<Values>>,
}

impl Values {
    /// `value` in front of `tail`.
    pub(super) fn push<T: Send + Sync + 'static>(tail: Option<Arc<Values>>, value: T) -> Arc<Self> {
        Arc::new(Self { value: Box::new(value), tail })
    }

    /// The nearest value of type `T`, this one first.
    pub(super) fn find<T: 'static>(&self) -> Option<&T> {
        let mut node = self;
        loop {
            if let Some(value) = node.value.downcast_ref() {
                return Some(value);
            }
            node = node.tail.as_deref()?;
        }
    }
}

impl Drop for Values {
    fn drop(&mut self) {
        let mut tail = self.tail.take();
        while let Some(node) = tail {
            // V2: the node taken out has no tail any more when it is dropped here.
            tail = Arc::into_inner(node).and_then(|mut node| node.tail.take());
        }
    }
}
