//! Tasks that belong together: started by one owner, ended with it.
//!
//! | | ends when | a task fails | its owner is dropped |
//! |---|---|---|---|
//! | [`JoinSet`] | its owner has seen every result | the owner sees it and decides | aborts |
//! | [`ErrGroup`] | all have ended | the first error cancels the others' context | aborts |
//! | [`Supervisor`] | nothing is left to restart | it is started again, within limits | aborts |
//!
//! None of them holds a lock while a future is polled, spawned or dropped. All rest on the join handle: a
//! member is over when its future is dropped, not when it has merely produced its output.

mod err_group;
mod join_set;
pub(crate) mod supervisor;

pub use err_group::{ErrGroup, Go, Wait};
pub use join_set::{JoinAll, JoinNext, JoinSet, Shutdown};
pub use supervisor::{
    Child, Failure, LastFailure, Restart, Single, Strategy, Supervise, Supervisor, SupervisorError,
};
