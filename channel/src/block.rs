//! Waiting on a plain thread, for as long as it takes or for a limited time.
//!
//! The blocking twins drive the futures themselves with [`pirn_sync::block`]: one algorithm serves tasks and threads,
//! and a task and a thread can meet on one channel. This file turns a limit into a deadline, and has a thread look again a few
//! times before it stands in a queue.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use pirn_sync::primitive::thread;
use pirn_sync::{block, clock};

pub(crate) use pirn_sync::block::wait as block_on;

/// How often a thread gives its core away and looks again before it begins to wait.
const YIELDS: usize = if cfg!(loom) { 0 } else { 8 };

/// Looks again a few times, and gives the core away in between. Where threads outnumber cores, whoever is needed is
/// most often merely not running: to be put in line and woken costs both sides more than to let it run.
pub(crate) fn look_again<R>(mut look: impl FnMut() -> Option<R>) -> Option<R> {
    (0..YIELDS).find_map(|_| {
        thread::yield_now();
        look()
    })
}

/// Drives `future` for at most `limit`; `None` when the time is up. A limit too large to represent is none.
pub(crate) fn block_on_for<F: Future>(future: Pin<&mut F>, limit: Duration) -> Option<F::Output> {
    match clock::now().checked_add(limit) {
        Some(deadline) => block::wait_until(future, deadline),
        None => Some(block::wait(future)),
    }
}
