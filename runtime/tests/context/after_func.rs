//! `Context::after_func`: stopped before, during and after, and who keeps the function alive.

use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Barrier};
use std::time::Duration;

use pirn::Context;

use crate::support::in_time;

const SOON: Duration = Duration::from_secs(10);

/// Waits until the function has run, or has been dropped unrun.
fn ran(receiver: &Receiver<()>) -> bool {
    match receiver.recv_timeout(SOON) {
        Ok(()) => true,
        Err(RecvTimeoutError::Disconnected) => false,
        Err(RecvTimeoutError::Timeout) => panic!("it neither ran nor was it dropped"),
    }
}

#[test]
fn after_func_runs_at_the_end_and_once() {
    let (ctx, cancel) = Context::background().with_cancel();
    let (sender, receiver) = channel();
    let func = ctx.after_func(move || sender.send(()).expect("the test waits"));
    cancel.cancel();
    assert!(ran(&receiver));
    assert!(!func.stop(), "stopped after: too late");
    assert!(!ran(&receiver), "once");
}

#[test]
fn after_func_on_an_ended_context_runs_now() {
    let (ctx, cancel) = Context::background().with_cancel();
    cancel.cancel();
    let (sender, receiver) = channel();
    let func = ctx.after_func(move || sender.send(()).expect("the test waits"));
    assert!(!func.stop());
    assert!(ran(&receiver));
}

#[test]
fn after_func_stopped_before_never_runs_and_is_dropped() {
    let (ctx, cancel) = Context::background().with_cancel();
    let (sender, receiver) = channel();
    let func = ctx.after_func(move || sender.send(()).expect("the test waits"));
    assert!(func.stop(), "it kept it from running");
    assert!(!ran(&receiver), "dropped by `stop`");
    assert!(!func.stop(), "only the first stop does");
    cancel.cancel();
}

#[test]
fn after_func_stopped_during_tells_that_it_did_not_keep_it_from_running() {
    in_time(|| {
        let (ctx, cancel) = Context::background().with_cancel();
        let meet = Arc::new(Barrier::new(2));
        let func = ctx.after_func({
            let meet = Arc::clone(&meet);
            move || {
                meet.wait();
                meet.wait();
            }
        });
        cancel.cancel();
        meet.wait();
        assert!(!func.stop(), "it is running, and `stop` does not wait for it");
        meet.wait();
    });
}

#[test]
fn stop_is_true_exactly_when_the_function_does_not_run() {
    in_time(|| {
        for _ in 0..500 {
            let (ctx, cancel) = Context::background().with_cancel();
            let (sender, receiver) = channel();
            let func = ctx.after_func(move || sender.send(()).expect("the test waits"));
            let canceller = std::thread::spawn(move || cancel.cancel());
            let stopped = func.stop();
            canceller.join().expect("it cancels");
            assert_ne!(stopped, ran(&receiver));
        }
    });
}

#[test]
fn dropping_the_handle_does_not_stop_the_function() {
    let (ctx, cancel) = Context::background().with_cancel();
    let (sender, receiver) = channel();
    drop(ctx.after_func(move || sender.send(()).expect("the test waits")));
    cancel.cancel();
    assert!(ran(&receiver));
}

#[test]
fn a_function_outlives_the_handles_of_its_context_and_runs_at_its_parents_end() {
    let (root, cancel) = Context::background().with_cancel();
    let (sender, receiver) = channel();
    let (outer, cancel_outer) = root.with_cancel();
    let (ctx, cancel_ctx) = outer.with_cancel();
    drop(ctx.after_func(move || sender.send(()).expect("the test waits")));
    [cancel_outer, cancel_ctx].into_iter().for_each(pirn::CancelFunc::detach);
    drop((ctx, outer));
    cancel.cancel();
    assert!(ran(&receiver));
}

#[test]
fn a_function_of_a_forgotten_context_runs_at_its_deadline_or_at_its_parents_end() {
    for parent_first in [false, true] {
        let (parent, cancel) = Context::background().with_cancel();
        let timeout = if parent_first { Duration::from_secs(3_600) } else { Duration::from_millis(10) };
        let (ctx, cancel_ctx) = parent.with_timeout(timeout);
        let (sender, receiver) = channel();
        drop(ctx.after_func(move || sender.send(()).expect("the test waits")));
        cancel_ctx.detach();
        drop(ctx);
        if parent_first {
            cancel.cancel();
        }
        assert!(ran(&receiver));
    }
}

#[test]
fn a_function_that_nothing_can_run_any_more_is_dropped() {
    let (ctx, cancel) = Context::background().with_cancel();
    let (sender, receiver) = channel();
    drop(ctx.after_func(move || sender.send(()).expect("the test waits")));
    cancel.detach();
    drop(ctx);
    assert!(!ran(&receiver));
}

#[test]
fn a_deadline_in_centuries_keeps_no_function() {
    in_time(|| {
        let (ctx, cancel) = Context::background().with_timeout(Duration::from_millis(u64::MAX));
        let (sender, receiver) = channel();
        drop(ctx.after_func(move || sender.send(()).expect("the test waits")));
        cancel.detach();
        drop(ctx);
        assert!(!ran(&receiver));
    });
}

#[test]
fn a_function_of_the_background_never_runs_and_stop_says_so() {
    let (sender, receiver) = channel();
    let func = Context::background().after_func(move || sender.send(()).expect("the test waits"));
    assert!(func.stop());
    assert!(!ran(&receiver));
}

#[test]
fn after_func_runs_on_the_runtime_in_which_it_was_registered() {
    in_time(|| {
        let own = pirn::Builder::new().procs(1).thread_name("own").build().expect("a runtime");
        let other = pirn::Builder::new().procs(1).thread_name("other").build().expect("a runtime");
        let (ctx, cancel) = Context::background().with_cancel();
        let (sender, receiver) = channel();
        own.block_on(async {
            drop(ctx.after_func(move || {
                sender.send(std::thread::current().name().map(str::to_owned)).expect("the test waits");
            }));
        });
        other.block_on(async { cancel.cancel() });
        let name = receiver.recv().expect("it runs").expect("a name");
        assert!(name.starts_with("own"), "{name}");
    });
}
