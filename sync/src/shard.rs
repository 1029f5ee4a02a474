//! Shards: which of several copies of a thing this thread uses, so that threads keep out of each other's
//! cache lines.
//!
//! A thread gets its number when it first asks, one after another: the first sixteen threads have a shard
//! each, which is what a machine's worth of busy threads needs. A number of the *core* would be better still
//! and costs a system call or inline assembly; the thread's costs a thread-local load.

use std::sync::atomic::{AtomicUsize, Ordering};

/// How many shards there are.
pub(crate) const SHARDS: usize = 16;

/// This thread's shard, below [`SHARDS`].
#[inline]
pub(crate) fn shard() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local!(static SHARD: usize = NEXT.fetch_add(1, Ordering::Relaxed) % SHARDS);
    // A thread that is ending may have lost its number; any shard will do.
    SHARD.try_with(|shard| *shard).unwrap_or(0)
}
