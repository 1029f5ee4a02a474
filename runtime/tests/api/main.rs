//! The public surface, used as a program outside this repository uses it: only paths that begin with `pirn::`,
//! with the types written out, each small promise asserted once.
//!
//! One file for each section of the surface, and one for the traits that are conventional everywhere. These tests pin
//! *names and promises*, not algorithms: what holds under load, in races and at the edges is tested beside the code. A
//! test here that does not compile any more means that somebody else's program does not either.
//!
//! Every asynchronous test is a `#[pirn::test]` with a time limit, so none hangs, and none sleeps to
//! synchronise.

mod channels;
mod context;
mod inside;
mod io;
mod join_set_and_groups;
mod primitives;
mod running;
mod runtimes;
mod select;
mod time;
mod traits;

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

/// Compiles for what is `Send` and `Sync`.
fn send_sync<T: Send + Sync>() {}

/// Compiles for what is `Send`.
fn send<T: Send>() {}

/// Compiles for what is `Unpin`.
fn unpin<T: Unpin>() {}

/// Compiles for what borrows nothing.
fn owned<T: 'static>() {}

/// Compiles for errors that can be passed on with `?`.
fn error<T: std::error::Error>() {}

/// Gives back a future that a task may own.
fn spawnable<F: Future + Send + 'static>(future: F) -> F {
    future
}

/// Polls once, with a waker that does nothing.
fn poll<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
}

/// Runs `body`, which must panic; what it says then.
fn panic_of<R>(body: impl FnOnce() -> R) -> String {
    let payload = catch_unwind(AssertUnwindSafe(body)).err().expect("a panic");
    match payload.downcast::<String>() {
        Ok(text) => *text,
        Err(payload) => (*payload.downcast::<&str>().expect("a panic with a message")).to_owned(),
    }
}

/// Lets other tasks run until `come` is true. Whether it ever is, the test's time limit tells.
async fn until(come: impl Fn() -> bool) {
    while !come() {
        pirn::yield_now().await;
    }
}
