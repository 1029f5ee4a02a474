//! Tasks: starting them with a name, knowing and cancelling them, waiting for many of them.
//!
//! ```
//! let task = pirn::task::Builder::new().name("greeter").spawn(async { pirn::task::id() });
//! let id = task.id();
//! assert_eq!(pirn::block_on(task).unwrap(), id);
//! ```
//!
//! # Inside
//! This is floor 1: the life of one task, from spawn to join, knowing nothing of who runs it. Reading order:
//! `state` (the word that everything turns on) → `raw` (the header, which is all that a pointer to a task shows) → `cell`
//! (the allocation; `blocks`, `spans` and `span` are where it comes from) → `runnable` (the right to poll) → `waker` →
//! `join` (the right to the output) → `owned` (every live task, for the dump and the shutdown). The one thing a task asks
//! of the floor above is `Schedule`. What upper floors add to the public module is only re-exported here.

mod abort;
mod blocks;
mod cell;
mod current;
mod error;
mod id;
mod join;
mod join_waker;
mod owned;
mod pages;
mod raw;
mod runnable;
mod schedule;
mod size_class;
mod span;
mod spans;
mod state;
mod waker;

#[cfg(all(test, loom))]
mod loom;
#[cfg(all(test, not(loom)))]
mod tests;

pub use crate::group::{
    Child, ErrGroup, Failure, Go, JoinAll, JoinNext, JoinSet, LastFailure, Restart, Shutdown, Single,
    Strategy, Supervise, Supervisor, SupervisorError, Wait,
};
pub use crate::scope::{Scope, ScopeFuture, ScopedJoinHandle, TaskScope, scope};
pub use crate::spawn::Builder;
pub use crate::task_local::{AccessError, LocalKey, Scope as LocalScope};
pub use abort::AbortHandle;
pub use error::JoinError;
pub use id::{TaskId, id, try_id};
pub use join::JoinHandle;

pub(crate) use blocks::{Trimmer, release_depot};
pub(crate) use cell::new_task;
pub(crate) use current::outside;
pub(crate) use owned::{Owned, TaskView};
pub(crate) use runnable::{Outcome, Runnable};
pub(crate) use schedule::{Schedule, UnhandledTaskPanic};
pub(crate) use waker::is_over;
