//! Waiting on a plain thread, for as long as it takes or for a limited time.
//!
//! The blocking twins drive the futures themselves with [`pirn_sync::block`]: one algorithm serves tasks and threads,
//! and a task and a thread can meet on one channel. This file only turns a limit into a deadline.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use pirn_sync::{block, clock};

pub(crate) use pirn_sync::block::wait as block_on;

/// Drives `future` for at most `limit`; `None` when the time is up. A limit too large to represent is none.
pub(crate) fn block_on_for<F: Future>(future: Pin<&mut F>, limit: Duration) -> Option<F::Output> {
    match clock::now().checked_add(limit) {
        Some(deadline) => block::wait_until(future, deadline),
        None => Some(block::wait(future)),
    }
}
