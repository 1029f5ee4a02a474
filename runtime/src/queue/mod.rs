//! Floor 2: the queues that hold what is runnable.
//!
//! [`local`]: one per processor, which its owner fills and everybody may rob. [`injector`]: one per runtime,
//! for what comes from outside. Both are crossbeam-deque's; what stands here narrows its interface to what
//! the scheduler does, and under loom, which cannot see into crossbeam, puts a locked stand-in in its place.

pub(crate) mod injector;
pub(crate) mod local;
#[cfg(loom)]
mod stand_in;

#[cfg(all(test, not(loom)))]
mod tests;

#[cfg(not(loom))]
use crossbeam_deque as deque;
#[cfg(loom)]
use stand_in as deque;
