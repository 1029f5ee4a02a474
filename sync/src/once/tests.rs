//! Tests of rule R22, and of callers that panic or are dropped.

use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU32, Ordering};

use super::*;
use crate::testing::{Task, within_limit};

#[test]
fn r22_of_many_callers_one_runs_and_all_see_what_it_did() {
    within_limit(|| {
        for _ in 0..200 {
            let (once, runs) = (Once::new(), AtomicU32::new(0));
            std::thread::scope(|scope| {
                for caller in 0..4 {
                    let (once, runs) = (&once, &runs);
                    scope.spawn(move || {
                        let run = || runs.store(runs.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
                        match caller % 2 {
                            0 => once.call_once_blocking(run),
                            _ => crate::block::wait(once.call_once(|| async { run() })),
                        }
                        assert_eq!(runs.load(Ordering::Relaxed), 1);
                    });
                }
            });
        }
    });
}

#[test]
fn those_who_come_meanwhile_wait_until_it_is_done() {
    let (once, go) = (Once::new(), crate::Notify::new());
    let mut first = Task::waiting(once.call_once(|| go.notified()));
    let mut second = Task::waiting(once.call_once(|| async { unreachable!() }));
    assert!(!once.is_completed());
    go.notify_one();
    assert!(first.poll().is_some());
    assert!(once.is_completed());
    assert!(second.poll().is_some());
}

#[test]
fn a_panic_counts_as_done() {
    for blocking in [false, true] {
        let once = Once::new();
        let panicked = catch_unwind(AssertUnwindSafe(|| match blocking {
            true => once.call_once_blocking(|| panic!("in the closure")),
            false => crate::block::wait(once.call_once(|| async { panic!("in the future") })),
        }));
        assert!(panicked.is_err());
        assert!(once.is_completed());
        once.call_once_blocking(|| unreachable!());
    }
    let once = Once::new();
    let call = |()| -> std::future::Ready<()> { panic!("in the closure that makes the future") };
    assert!(catch_unwind(AssertUnwindSafe(|| crate::block::wait(once.call_once(|| call(()))))).is_err());
    assert!(once.is_completed());
}

#[test]
fn a_caller_that_is_dropped_while_it_runs_lets_the_next_one_run() {
    let once = Once::new();
    let first = Task::waiting(once.call_once(pending::<()>));
    let mut ran = false;
    let mut second = Task::waiting(once.call_once(|| {
        ran = true;
        async {}
    }));
    drop(first);
    assert!(!once.is_completed());
    assert!(second.run().is_some());
    drop(second);
    assert!(ran && once.is_completed());
}

#[test]
fn a_caller_that_waits_and_is_dropped_changes_nothing() {
    let once = Once::new();
    let first = Task::waiting(once.call_once(pending::<()>));
    drop(Task::waiting(once.call_once(|| async { unreachable!() })));
    let mut third = Task::waiting(once.call_once(|| async {}));
    drop(first);
    assert!(third.run().is_some());
}

#[test]
fn the_future_of_a_dropped_caller_is_gone_before_the_next_one_runs() {
    struct Says<'a>(&'a AtomicU32);
    impl Drop for Says<'_> {
        fn drop(&mut self) {
            self.0.store(1, Ordering::Relaxed);
        }
    }
    let (once, gone) = (Once::new(), AtomicU32::new(0));
    let first = Task::waiting(once.call_once(|| {
        let says = Says(&gone);
        async move {
            let _says = says;
            pending::<()>().await;
        }
    }));
    let mut second = Task::waiting(once.call_once(|| async { assert_eq!(gone.load(Ordering::Relaxed), 1) }));
    drop(first);
    assert!(second.run().is_some());
}
