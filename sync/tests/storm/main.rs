//! Storms: many tasks do random things to one primitive, yield inside, drop futures half-way, keep some
//! that they never poll again, and everything still adds up and comes to an end.
//!
//! Every storm runs on tokio (many threads and one), on smol and on plain threads; the tests of `pirn` run
//! the same ones on the runtime itself. Each prints its seed when it fails; a run that does not end within
//! its limit fails too. `PIRN_STORM_SECS` says for how many seconds each storm is repeated.
#![cfg(not(loom))]

mod driver;
mod executors;
mod locks;
mod signals;
mod smaller;
mod steps;

use driver::{Executor, Storm};
use steps::{Dice, Task, linger, perhaps, poll_once, yield_once};
