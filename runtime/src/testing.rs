//! What `#[pirn::test]` expands to: a fresh runtime, a thread of the test's own, and a watch over both.
//!
//! A concurrent test that goes wrong mostly does not fail, it hangs; and the runtime that would have to
//! notice is the very thing under test. So the watch stands outside of it:
//!
//! ```text
//!   libtest's thread                      the test's thread              the runtime's machines
//!   build the runtime, keep a handle
//!   start the test's thread      ──►      block_on(body)        ◄──►     tasks
//!   wait for the verdict, at most         drop the runtime
//!   as long as the limit         ◄──      send the verdict
//!   then: print the dump, panic
//! ```
//!
//! # Rules
//! W1. Libtest's thread polls nothing and takes no lock of the runtime before the limit has passed, so no
//!     stuck poll, lost wake-up or deadlock can keep it from failing the test.
//! W2. The runtime's shutdown stands under the limit too: the verdict is sent after it.
//! W3. The dump is taken by one more thread, with a limit of its own: where the runtime's own locks are what is
//!     stuck, the test must fail all the same.
//! W4. What a test leaves behind when it is late (its thread, its runtime) is left: nothing can end a thread
//!     from outside. The process ends when libtest does.
//!
//! The test's thread carries the test's name, which is where a panic's message gets it from, and libtest's
//! capture of the output follows into threads that a captured thread starts.

use std::any::Any;
use std::panic::{self, AssertUnwindSafe};
use std::process::{ExitCode, Termination};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use crate::{Builder, Handle};

/// How long a test may take unless it says otherwise.
pub const DEFAULT_TIME_LIMIT: Duration = Duration::from_secs(60);

/// How long the dump of a test that is late may take.
const DUMP_TIME_LIMIT: Duration = Duration::from_secs(5);

type Verdict = Result<ExitCode, Box<dyn Any + Send>>;

/// Runs the future that `body` makes on a runtime of its own and returns what its output comes to as a
/// program's result.
///
/// # Panics
/// With the body's own panic, if it has one; if the runtime cannot be built; and when the test has not ended
/// after `limit`, once the runtime's dump is printed on standard error.
pub fn run<B, F>(builder: Builder, limit: Duration, name: &'static str, body: B) -> ExitCode
where
    B: FnOnce() -> F + Send + 'static,
    F: Future,
    F::Output: Termination,
{
    let runtime = match builder.build() {
        Ok(runtime) => runtime,
        Err(error) => panic!("the runtime of {name} could not start: {error}"),
    };
    let handle = runtime.handle().clone();
    let (ended, verdict) = mpsc::channel::<Verdict>();
    let thread = crate::thread::start(name.to_owned(), None, move || {
        let outcome = panic::catch_unwind(AssertUnwindSafe(|| runtime.block_on(body()).report()));
        drop(runtime);
        // The receiver is gone only when the test was late and has failed already.
        drop(ended.send(outcome));
    });
    let thread = thread.unwrap_or_else(|error| panic!("the thread of {name} could not start: {error}"));
    let outcome = match verdict.recv_timeout(limit) {
        Ok(outcome) => outcome,
        Err(RecvTimeoutError::Timeout) => late(&handle, limit, name),
        Err(RecvTimeoutError::Disconnected) => panic!("the runtime of {name} panicked as it shut down"),
    };
    drop(thread.join());
    outcome.unwrap_or_else(|panic| panic::resume_unwind(panic))
}

/// Prints what every task waits for, and fails.
fn late(handle: &Handle, limit: Duration, name: &'static str) -> ! {
    eprintln!("{name} has not ended after {limit:?}; these tasks live:");
    let (taken, dump) = mpsc::channel();
    let asked = handle.clone();
    let thread = crate::thread::start("dump".to_owned(), None, move || {
        drop(taken.send(asked.dump().to_string()));
    });
    match thread.map(|_| dump.recv_timeout(DUMP_TIME_LIMIT)) {
        Ok(Ok(dump)) => eprintln!("{dump}"),
        Ok(Err(_)) => eprintln!("(no dump after {DUMP_TIME_LIMIT:?}: the runtime itself is stuck)"),
        Err(error) => eprintln!("(no dump: {error})"),
    }
    panic!("{name} has not ended after {limit:?}");
}

#[cfg(all(test, not(loom)))]
mod tests;
