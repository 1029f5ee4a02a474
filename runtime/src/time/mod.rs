//! Time: sleeping, deadlines, tickers and timers, with Go's semantics and a Rust face.
//!
//! | wanted | future | channel, for `select!` |
//! |--------|--------|------------------------|
//! | once, after a while | [`sleep()`], [`sleep_until`] | [`after()`] |
//! | again and again | [`interval()`] | [`tick`] |
//! | a limit for something else | [`timeout()`], [`timeout_at`] | |
//! | once, and to be stopped or set anew | [`Sleep::reset`] | [`Timer`] |
//!
//! All of it is legal anywhere: a task's timers live with the processor that runs it, and outside a
//! runtime the global one serves. When a runtime is shut down its timers move to the runtime that polls
//! them next, else to the global one.
//!
//! # Rules that hold everywhere
//! - Nothing ends early. How late it ends is the scheduler's affair: on an idle machine less than 0.1 ms.
//! - A deadline of this instant or the past completes without waiting.
//! - A duration that is too large to be added to the present means *never*; it does not panic.
//! - A timer that nobody refers to any more is cancelled and costs nothing.
//! - A channel of this module has length 0 at all times, even while a due value can be received; its
//!   value is the moment at which it was due, not the one at which it came.
//!
//! ```
//! use pirn::time::{Duration, Instant, sleep, timeout};
//!
//! # pirn::block_on(async {
//! let start = Instant::now();
//! sleep(Duration::from_millis(2)).await;
//! assert!(start.elapsed() >= Duration::from_millis(2));
//!
//! let slow = sleep(Duration::from_secs(60));
//! assert!(timeout(Duration::from_millis(1), slow).await.is_err());
//! # });
//! ```

mod after;
mod alarm;
mod interval;
mod sleep;
mod timeout;
mod timer;

pub use after::{after, tick};
pub use interval::{Interval, MissedTick, Tick, interval, interval_at};
pub use sleep::{Sleep, sleep, sleep_until};
pub use timeout::{Elapsed, Timeout, timeout, timeout_at};
pub use timer::Timer;

pub use std::time::{Duration, Instant};

#[cfg(all(test, not(loom)))]
mod testing;
