//! The watch itself: every way in which a test can end, and the two in which it cannot.

use std::future;
use std::panic::{self, AssertUnwindSafe};
use std::process::{ExitCode, Termination};
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::run;
use crate::Builder;

const SHORT: Duration = Duration::from_millis(200);
const LONG: Duration = Duration::from_secs(30);

/// What `run` panicked with.
fn panic_of(run: impl FnOnce() -> ExitCode) -> String {
    let payload = panic::catch_unwind(AssertUnwindSafe(run)).expect_err("a panic was to come");
    match payload.downcast::<String>() {
        Ok(text) => *text,
        Err(payload) => payload.downcast::<&str>().expect("a text").to_string(),
    }
}

fn is_success(code: ExitCode) -> bool {
    // An exit code cannot be compared; its debug form can.
    format!("{code:?}") == format!("{:?}", ExitCode::SUCCESS)
}

#[test]
fn a_body_that_ends_is_a_success() {
    assert!(is_success(run(Builder::new().procs(1), LONG, "ends", || async {})));
}

#[test]
fn a_body_that_errs_is_a_failure() {
    let code = run(Builder::new().procs(1), LONG, "errs", || async { Err::<(), _>("expected by the test") });
    assert!(!is_success(code));
}

#[test]
fn neither_the_body_nor_its_output_needs_to_be_send() {
    struct Unsendable(Rc<()>);
    impl Termination for Unsendable {
        fn report(self) -> ExitCode {
            assert_eq!(Rc::strong_count(&self.0), 1);
            ExitCode::SUCCESS
        }
    }
    let code = run(Builder::new().procs(1), LONG, "unsendable", || async {
        let kept = Rc::new(());
        crate::yield_now().await;
        Unsendable(kept)
    });
    assert!(is_success(code));
}

#[test]
fn a_panic_of_the_body_is_the_panic_of_the_test() {
    let text = panic_of(|| {
        run(Builder::new().procs(1), LONG, "panics", || async {
            panic!("the body's own words");
        })
    });
    assert_eq!(text, "the body's own words");
}

#[test]
fn a_body_that_waits_for_ever_is_late() {
    let begun = Instant::now();
    let text = panic_of(|| run(Builder::new().procs(1), SHORT, "waits", future::pending::<()>));
    assert_eq!(text, "waits has not ended after 200ms");
    assert!(begun.elapsed() >= SHORT);
    assert!(begun.elapsed() < LONG);
}

#[test]
fn a_body_stuck_in_its_poll_is_late() {
    let text = panic_of(|| {
        run(Builder::new().procs(1), SHORT, "stuck", || async {
            // Far longer than the limit; the process does not wait for it.
            std::thread::sleep(LONG);
        })
    });
    assert_eq!(text, "stuck has not ended after 200ms");
}

#[test]
fn a_runtime_that_cannot_shut_down_is_late() {
    let text = panic_of(|| {
        run(Builder::new().procs(1), SHORT, "shuts down", || async {
            let (inside, seen) = std::sync::mpsc::channel();
            drop(crate::spawn(async move {
                inside.send(()).expect("the body waits for it");
                std::thread::sleep(LONG);
            }));
            crate::block_in_place(|| seen.recv()).expect("the task started");
        })
    });
    assert_eq!(text, "shuts down has not ended after 200ms");
}
