//! Go's concurrency model for Rust: cheap tasks, channels with `select!`, contexts, on a work-stealing
//! scheduler written from scratch.
//!
//! ```
//! use pirn::{channel, go};
//!
//! pirn::block_on(async {
//!     let (tx, rx) = channel::bounded(8);
//!     for n in 1..=3 {
//!         let tx = tx.clone();
//!         go!({
//!             tx.send(n * n).await.ok();
//!         });
//!     }
//!     drop(tx);
//!     let mut sum = 0;
//!     while let Ok(square) = rx.recv().await {
//!         sum += square;
//!     }
//!     assert_eq!(sum, 14);
//! });
//! ```
//!
//! # Finding one's way
//! | to … | use |
//! |---|---|
//! | start a task | [`spawn()`], [`go!`], [`spawn_blocking`], [`task::Builder`] |
//! | wait on a thread | [`block_on()`], `#[pirn::main]`, `#[pirn::test]` |
//! | pass values | [`channel`], [`select!`] |
//! | share state | [`sync`] |
//! | sleep, limit, tick | [`time`] |
//! | talk to the world | [`net`], [`io`], [`fs`], [`process`], [`signal`] |
//! | stop what is no longer wanted | [`Context`] |
//! | wait for many, or keep one alive | [`JoinSet`], [`ErrGroup`], [`Supervisor`], [`scope()`] |
//! | serve HTTP with hyper, axum, tonic | `hyper`, behind the feature of that name |
//! | own the threads | [`Runtime`], [`Builder`], [`Handle`] |
//! | look inside | [`Handle::dump`], [`Metrics`] |
//!
//! Everything works without set-up: whatever is called outside a [`Runtime`] uses the global one, which
//! starts at its first use with as many processors as this process may use.
//!
//! # How it works
//! Tasks (G) run on processors (P), which are held by machines (M), OS threads. A processor has a run queue
//! that others may rob; a machine without work steals, then sleeps; one thread watches for machines that are
//! stuck in a long poll and makes up for them. Start reading at `sched/mod.rs`.

// The floors, from the ground up: a module imports only from those above it in this list.
mod netpoll;
mod park;
pub mod signal;
pub mod task;
mod thread;
mod timer;

mod queue;

mod sched;

mod block_on;
mod builder;
mod dump;
mod global;
mod handle;
mod metrics;
mod quit;
mod runtime;
mod spawn;
mod trace;
mod yield_now;

pub mod time;

pub mod io;

pub mod fs;
pub mod net;
pub mod process;

#[cfg(feature = "hyper")]
pub mod hyper;

pub mod context;
mod group;
mod scope;
mod task_local;

pub use block_on::{block_in_place, block_on};
pub use builder::Builder;
pub use context::{AfterFunc, CancelFunc, Context, ContextError, Done};
pub use dump::{TaskDump, TaskInfo, TaskState, Wait};
#[doc(hidden)]
pub use global::start_or_exit;
pub use global::{GlobalAlreadyStarted, GlobalCannotStart, start_global};
pub use group::{ErrGroup, JoinSet, Supervisor, SupervisorError};
pub use handle::{Handle, NoRuntime};
pub use metrics::{Metrics, ProcMetrics};
pub use runtime::Runtime;
pub use sched::{Left, LeftKind, PanicInfo, ShutdownReport, UnhandledPanic};
pub use scope::scope;
pub use spawn::{spawn, spawn_blocking};
pub use task::{AbortHandle, JoinError, JoinHandle, LocalKey, TaskId};
pub use yield_now::{YieldNow, procs, set_procs, should_yield, yield_now};

pub use pirn_channel as channel;
pub use pirn_channel::select;
pub use pirn_macros::{main, test};
pub use pirn_sync as sync;
#[doc(inline)]
pub use pirn_sync::host::WaitKind;

#[doc(hidden)]
pub mod testing;

#[cfg(all(test, not(loom)))]
#[path = "../tests/common/mod.rs"]
mod common;
