//! Child processes: std's builder, with a child that tasks can wait for and talk to.
//!
//! ```text
//!   Command ── spawn ──► Child ── wait ──► ExitStatus        the kernel says when (a pidfd, in the netpoller)
//!                          ├─ stdin, stdout, stderr          pipes as async streams
//!                          └─ dropped ──► reaper             reaps it whenever it ends: no zombie is left
//! ```
//!
//! The exit is seen through a *pidfd*, a descriptor that becomes readable when the process ends: no SIGCHLD
//! handler that would clash with others', no thread per child, and no number that might be somebody else's
//! by now. (Linux 5.3.)
//!
//! The status is then asked for in the ordinary way, so the kernel must have kept it: where SIGCHLD is ignored
//! (by [`signal::ignore`](crate::signal::ignore), or by whoever started this program and left it so), it reaps
//! every child itself. From Linux 6.15 on the pidfd still knows the status then, unless the child had ended before
//! there was a pidfd; else whoever waits for it gets the error `ECHILD`, as with [`std::process`].
//!
//! ```
//! # fn main() -> std::io::Result<()> {
//! pirn::block_on(async {
//!     let output = pirn::process::Command::new("echo").arg("hello").output().await?;
//!     assert!(output.status.success());
//!     assert_eq!(output.stdout, b"hello\n");
//!     Ok(())
//! })
//! # }
//! ```

mod child;
mod command;
mod output;
mod pipe;
mod reaper;

pub use child::{Child, Wait};
pub use command::Command;
pub use output::{CollectOutput, Status};
pub use pipe::{ChildStderr, ChildStdin, ChildStdout};
pub use std::process::{ExitStatus, Output, Stdio};
