//! `Supervisor`: what is restarted, when, with whom, in which order it stops, and what it says in the end.

use std::cell::Cell;
use std::fmt;
use std::future::{Future, pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context as Cx, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use pirn::task::{Child, Restart, Strategy};
use pirn::{CancelFunc, Context, Supervisor, SupervisorError};

use crate::support::{Alive, on_runtime};

const HOUR: Duration = Duration::from_secs(3_600);

/// A supervisor that hardly pauses and seldom gives up.
fn quick(name: &str) -> Supervisor {
    Supervisor::new(name).max_restarts(100, HOUR).backoff(Duration::ZERO, Duration::from_millis(1))
}

#[test]
fn ok_ends_it_and_an_error_or_a_panic_restarts_it() {
    on_runtime(|| async {
        let runs = Cell::new(0);
        let factory = || {
            runs.set(runs.get() + 1);
            let run = runs.get();
            async move {
                match run {
                    1 => Err("an error"),
                    2 => panic!("a panic"),
                    _ => Ok(()),
                }
            }
        };
        let ctx = Context::background();
        assert_eq!(quick("task").run(&ctx, factory).await, Ok(()));
        assert_eq!(runs.get(), 3);
    });
}

#[test]
fn more_than_n_restarts_within_the_window_are_an_error_that_tells_the_history() {
    on_runtime(|| async {
        let runs = Cell::new(0);
        let factory = || {
            runs.set(runs.get() + 1);
            let run = runs.get();
            async move { if run == 2 { panic!("run {run}") } else { Err::<(), _>(format!("run {run}")) } }
        };
        let supervisor = quick("fetcher").max_restarts(2, HOUR);
        let error = supervisor.run(Context::background(), factory).await.expect_err("it gives up");
        assert_eq!(runs.get(), 3, "two restarts");
        let text = error.to_string();
        assert!(text.starts_with("supervisor fetcher: too many restarts (fetcher after "), "{text}");
        let SupervisorError::TooManyRestarts { last } = error else { panic!("{error:?}") };
        assert_eq!(last, "run 3");
        assert!(last.contains("run"), "it reads like a string");
        let history: Vec<_> = last.history().iter().map(|failure| failure.message.as_str()).collect();
        assert_eq!(history, ["run 1", "panicked: run 2", "run 3"]);
    });
}

#[test]
fn no_restarts_allowed_means_that_the_first_failure_is_the_last() {
    on_runtime(|| async {
        let supervisor = quick("once").max_restarts(0, HOUR);
        let result = supervisor.run(Context::background(), || async { Err::<(), _>("boom") }).await;
        assert!(matches!(result, Err(SupervisorError::TooManyRestarts { last }) if last == "boom"));
    });
}

#[test]
fn restarts_outside_the_window_do_not_count() {
    on_runtime(|| async {
        let window = Duration::from_millis(2);
        let runs = Cell::new(0);
        let factory = || {
            runs.set(runs.get() + 1);
            let run = runs.get();
            async move {
                pirn::time::sleep(2 * window).await;
                if run < 10 { Err("boom") } else { Ok(()) }
            }
        };
        let supervisor = quick("slow").max_restarts(1, window);
        assert_eq!(supervisor.run(Context::background(), factory).await, Ok(()));
    });
}

/// Five runs, of which the third is longer than the window and the last is good: the pauses between them.
async fn pauses_around_a_long_run(min: Duration, window: Duration) -> [Duration; 4] {
    let (starts, ends) = (Mutex::new(Vec::new()), Arc::new(Mutex::new(Vec::new())));
    let factory = || {
        let run = starts.lock().expect("no panic").len();
        starts.lock().expect("no panic").push(Instant::now());
        let ends = Arc::clone(&ends);
        async move {
            if run == 2 {
                pirn::time::sleep(2 * window).await;
            }
            ends.lock().expect("no panic").push(Instant::now());
            if run < 4 { Err("boom") } else { Ok(()) }
        }
    };
    let supervisor = Supervisor::new("growing").max_restarts(100, window).backoff(min, HOUR);
    assert_eq!(supervisor.run(Context::background(), factory).await, Ok(()));
    let (starts, ends) = (starts.into_inner().expect("no panic"), ends.lock().expect("no panic"));
    [0, 1, 2, 3].map(|run| starts[run + 1] - ends[run])
}

#[test]
fn the_pause_before_a_restart_grows_and_starts_over_after_a_long_run() {
    on_runtime(|| async {
        let (min, window) = (Duration::from_millis(8), Duration::from_millis(100));
        let mut starts_over = false;
        for _ in 0..20 {
            let pauses = pauses_around_a_long_run(min, window).await;
            // With jitter the nominal pauses 8, 16 | 8, 16 ms are at least 8, 12 | 8, 12.
            let least = [min, min * 3 / 2, min, min * 3 / 2];
            assert!(pauses.iter().zip(least).all(|(&pause, least)| pause >= least), "{pauses:?}");
            // The third of an unbroken row would be at least 24 ms. A busy machine can only lengthen a pause.
            starts_over |= pauses[2] < 3 * min;
            if starts_over {
                return;
            }
        }
        panic!("the row went on after a long run");
    });
}

#[test]
fn the_contexts_end_aborts_the_task_and_waits_for_its_end() {
    on_runtime(|| async {
        let (ctx, cancel) = Context::background().with_cancel();
        let alive = Alive::default();
        let factory = || {
            let guard = alive.guard();
            async move {
                let _guard = guard;
                pending::<Result<(), &str>>().await
            }
        };
        let mut run = pin!(quick("endless").run(&ctx, factory));
        let first = poll_fn(|cx| Poll::Ready(run.as_mut().poll(cx))).await;
        assert!(first.is_pending() && alive.count() == 1);
        cancel.cancel();
        assert_eq!(run.await, Err(SupervisorError::Canceled));
        assert_eq!(alive.count(), 0);
    });
}

#[test]
fn the_contexts_end_interrupts_a_pause_and_an_ended_one_starts_nothing() {
    on_runtime(|| async {
        let (ctx, cancel) = Context::background().with_cancel();
        let supervisor = || Supervisor::new("paused").backoff(HOUR, HOUR);
        let failed = pirn::channel::bounded(1);
        let factory = || {
            let sender = failed.0.clone();
            async move {
                sender.try_send(()).expect("once");
                Err::<(), _>("boom")
            }
        };
        let cancels = async {
            failed.1.recv().await.expect("it fails");
            cancel.cancel();
        };
        let (result, ()) = futures_lite::future::zip(supervisor().run(&ctx, factory), cancels).await;
        assert_eq!(result, Err(SupervisorError::Canceled));
        let never = || -> std::future::Ready<Result<(), &str>> { unreachable!("it was started") };
        assert_eq!(supervisor().run(&ctx, never).await, Err(SupervisorError::Canceled));
    });
}

#[test]
fn dropping_run_aborts_the_task() {
    // `on_runtime` sees that no task is left.
    on_runtime(|| async {
        let mut run = Box::pin(quick("dropped").run(Context::background(), pending::<Result<(), &str>>));
        assert!(run.as_mut().poll(&mut Cx::from_waker(Waker::noop())).is_pending());
    });
}

#[test]
fn dropping_it_aborts_every_child_though_wakers_panic() {
    struct Panics;
    impl Wake for Panics {
        fn wake(self: Arc<Self>) {
            panic!("a waker panics");
        }
    }
    // `on_runtime` sees that no task is left.
    on_runtime(|| async {
        let waiting = Arc::new(Mutex::new(Vec::new()));
        let deaf = |name| {
            let waiting = Arc::clone(&waiting);
            Child::new(name, move |own: Context| {
                let mut done = Box::pin(own.done());
                let waker = Waker::from(Arc::new(Panics));
                assert!(done.as_mut().poll(&mut Cx::from_waker(&waker)).is_pending());
                waiting.lock().expect("no panic").push(done);
                pending::<Result<(), &str>>()
            })
        };
        let children = [deaf("a"), deaf("b")];
        let mut run = Box::pin(quick("dropped").run_children(Context::background(), children));
        assert!(run.as_mut().poll(&mut Cx::from_waker(Waker::noop())).is_pending());
        assert_eq!(waiting.lock().expect("no panic").len(), 2);
        let dropped = catch_unwind(AssertUnwindSafe(|| drop(run)));
        assert!(dropped.is_err(), "the first panic goes on");
    });
}

/// Panics with something that panics again as it is dropped.
async fn panic_twice() -> Result<(), String> {
    struct Payload;
    impl Drop for Payload {
        fn drop(&mut self) {
            panic!("in drop");
        }
    }
    std::panic::panic_any(Payload)
}

#[test]
fn a_panic_whose_payload_panics_as_it_is_dropped_is_a_failure_like_others() {
    on_runtime(|| async {
        let runs = Cell::new(0);
        let factory = || {
            runs.set(runs.get() + 1);
            let fails = runs.get() == 1;
            async move { if fails { panic_twice().await } else { Ok(()) } }
        };
        assert_eq!(quick("payload").run(Context::background(), factory).await, Ok(()));
        assert_eq!(runs.get(), 2);
    });
}

#[test]
fn a_payload_that_panics_as_it_is_dropped_does_not_end_an_orderly_stop() {
    on_runtime(|| async {
        let (ctx, cancel) = Context::background().with_cancel();
        let stopped = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&stopped);
        let first = Child::new("first", move |ctx: Context| {
            let count = Arc::clone(&count);
            async move {
                ctx.done().await;
                count.fetch_add(1, Ordering::Relaxed);
                Ok::<(), String>(())
            }
        });
        let last = Child::new("last", move |ctx: Context| {
            cancel.cancel();
            async move {
                ctx.done().await;
                panic_twice().await
            }
        });
        let ended = quick("payload").run_children(&ctx, [first, last]).await;
        assert_eq!((ended, stopped.load(Ordering::Relaxed)), (Err(SupervisorError::Canceled), 1));
    });
}

#[test]
fn a_factory_that_panics_is_a_failure_like_others() {
    on_runtime(|| async {
        let runs = Cell::new(0);
        let factory = || {
            runs.set(runs.get() + 1);
            assert!(runs.get() > 1, "the factory panics once");
            async { Ok::<(), &str>(()) }
        };
        assert_eq!(quick("factory").run(Context::background(), factory).await, Ok(()));
        assert_eq!(runs.get(), 2);
    });
}

#[test]
fn the_future_of_run_is_send_when_its_factory_is() {
    fn check<T: Send>(_: &T) {}
    check(&quick("send").run(Context::background(), || async { Ok::<(), fmt::Error>(()) }));
    check(&quick("send").run_children(Context::background(), []));
}

#[test]
#[should_panic(expected = "the least pause, 2s, is more than the greatest, 1s")]
fn a_backoff_that_is_no_range_panics() {
    let _ = Supervisor::new("wrong").backoff(Duration::from_secs(2), Duration::from_secs(1));
}

/// What children did, in order: `+a` a started, `-a` a's run was dropped.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

struct Logged(Log, &'static str);

impl Log {
    fn enter(&self, name: &'static str) -> Logged {
        self.0.lock().expect("no panic").push(format!("+{name}"));
        Logged(self.clone(), name)
    }

    fn take(&self) -> String {
        std::mem::take(&mut *self.0.lock().expect("no panic")).join(" ")
    }
}

impl Drop for Logged {
    fn drop(&mut self) {
        self.0.0.lock().expect("no panic").push(format!("-{}", self.1));
    }
}

/// A child that runs until it is told to stop.
fn steady(log: &Log, name: &'static str) -> Child {
    let log = log.clone();
    Child::new(name, move |ctx: Context| {
        let inside = log.enter(name);
        async move {
            let _inside = inside;
            ctx.done().await;
            Ok::<(), &str>(())
        }
    })
}

/// A child whose n-th run ends as `ends[n]` says: `None` goes on until it is told to stop.
fn scripted(log: &Log, name: &'static str, ends: &'static [Option<Result<(), &'static str>>]) -> Child {
    let (log, mut run) = (log.clone(), 0);
    Child::new(name, move |ctx: Context| {
        let (inside, end) = (log.enter(name), ends.get(run).copied().flatten());
        run += 1;
        async move {
            let _inside = inside;
            // The others have started when this one ends.
            pirn::time::sleep(Duration::from_millis(2)).await;
            match end {
                Some(end) => end,
                None => {
                    ctx.done().await;
                    Ok(())
                }
            }
        }
    })
}

/// Runs `children` until the log has `until` entries, then ends their context. The log without the final stop,
/// and the final stop.
async fn observe(supervisor: Supervisor, log: Log, children: Vec<Child>, until: usize) -> (String, String) {
    let (ctx, cancel) = Context::background().with_cancel();
    let mut before = String::new();
    let watch = async {
        while log.0.lock().expect("no panic").len() < until {
            pirn::time::sleep(Duration::from_millis(1)).await;
        }
        // Whatever should not follow would follow now.
        pirn::time::sleep(Duration::from_millis(10)).await;
        before = log.take();
        cancel.cancel();
    };
    let (result, ()) = futures_lite::future::zip(supervisor.run_children(&ctx, children), watch).await;
    assert_eq!(result, Err(SupervisorError::Canceled));
    (before, log.take())
}

const FAIL_ONCE: &[Option<Result<(), &str>>] = &[Some(Err("boom"))];
const END_ONCE: &[Option<Result<(), &str>>] = &[Some(Ok(()))];

#[test]
fn children_start_in_order_and_stop_in_reverse_order() {
    on_runtime(|| async {
        let log = Log::default();
        let children = vec![steady(&log, "a"), steady(&log, "b"), steady(&log, "c")];
        let (before, stop) = observe(quick("app"), log, children, 3).await;
        assert_eq!((before.as_str(), stop.as_str()), ("+a +b +c", "-c -b -a"));
    });
}

#[test]
fn one_for_one_restarts_the_one_that_failed() {
    on_runtime(|| async {
        let log = Log::default();
        let children = vec![steady(&log, "a"), scripted(&log, "b", FAIL_ONCE), steady(&log, "c")];
        let (before, stop) = observe(quick("app"), log, children, 5).await;
        assert_eq!((before.as_str(), stop.as_str()), ("+a +b +c -b +b", "-c -b -a"));
    });
}

#[test]
fn one_for_all_restarts_all_in_order_after_stopping_them_in_reverse() {
    on_runtime(|| async {
        let log = Log::default();
        let children = vec![steady(&log, "a"), scripted(&log, "b", FAIL_ONCE), steady(&log, "c")];
        let supervisor = quick("app").strategy(Strategy::OneForAll);
        let (before, stop) = observe(supervisor, log, children, 9).await;
        assert_eq!((before.as_str(), stop.as_str()), ("+a +b +c -b -c -a +a +b +c", "-c -b -a"));
    });
}

#[test]
fn rest_for_one_restarts_those_that_came_after() {
    on_runtime(|| async {
        let log = Log::default();
        let children =
            vec![steady(&log, "a"), scripted(&log, "b", FAIL_ONCE), steady(&log, "c"), steady(&log, "d")];
        let supervisor = quick("app").strategy(Strategy::RestForOne);
        let (before, stop) = observe(supervisor, log, children, 10).await;
        assert_eq!((before.as_str(), stop.as_str()), ("+a +b +c +d -b -d -c +b +c +d", "-d -c -b -a"));
    });
}

#[test]
fn a_permanent_child_is_restarted_after_ok_a_transient_one_is_not() {
    on_runtime(|| async {
        let log = Log::default();
        let children = vec![
            scripted(&log, "permanent", END_ONCE).restart(Restart::Permanent),
            scripted(&log, "transient", END_ONCE).restart(Restart::Transient),
        ];
        let (before, stop) = observe(quick("app"), log, children, 5).await;
        assert_eq!(before.matches("+permanent").count(), 2, "{before}");
        assert_eq!(before.matches("+transient").count(), 1, "{before}");
        assert_eq!(stop, "-permanent");
    });
}

#[test]
fn a_transient_child_that_has_ended_runs_again_when_it_is_restarted_with_others() {
    on_runtime(|| async {
        let log = Log::default();
        let (inner, mut runs) = (log.clone(), 0);
        let failing = move |ctx: Context| {
            runs += 1;
            let (inside, fails) = (inner.enter("b"), runs == 1);
            async move {
                let _inside = inside;
                if !fails {
                    ctx.done().await;
                    return Ok(());
                }
                // Until this is the only task: the other child is over.
                while pirn::Handle::current().metrics().live_tasks > 1 {
                    pirn::yield_now().await;
                }
                Err("boom")
            }
        };
        let children = vec![scripted(&log, "a", END_ONCE), Child::new("b", failing)];
        let supervisor = quick("app").strategy(Strategy::OneForAll);
        let (before, stop) = observe(supervisor, log, children, 6).await;
        assert_eq!((before.as_str(), stop.as_str()), ("+a +b -a -b +a +b", "-b -a"));
    });
}

#[test]
fn a_temporary_child_is_never_restarted_not_even_with_others() {
    on_runtime(|| async {
        let log = Log::default();
        let children = vec![
            scripted(&log, "failing", FAIL_ONCE).restart(Restart::Temporary),
            steady(&log, "steady").restart(Restart::Temporary),
            scripted(&log, "later", &[Some(Err("boom")), None]),
        ];
        let supervisor = quick("app").strategy(Strategy::OneForAll);
        let (before, stop) = observe(supervisor, log, children, 7).await;
        assert_eq!(before.matches("+failing").count(), 1, "{before}");
        assert_eq!(before.matches("+steady").count(), 1, "{before}");
        assert_eq!(before.matches("+later").count(), 2, "{before}");
        assert_eq!(stop, "-later");
    });
}

#[test]
fn it_is_ok_when_no_child_is_left_to_run() {
    on_runtime(|| async {
        let log = Log::default();
        let children = [
            scripted(&log, "a", END_ONCE),
            scripted(&log, "b", &[Some(Err("boom")), Some(Ok(()))]),
            scripted(&log, "c", FAIL_ONCE).restart(Restart::Temporary),
        ];
        assert_eq!(quick("app").run_children(Context::background(), children).await, Ok(()));
        assert_eq!(quick("none").run_children(Context::background(), []).await, Ok(()));
    });
}

#[test]
fn giving_up_stops_the_others_in_reverse_order_first() {
    on_runtime(|| async {
        let log = Log::default();
        let children = [steady(&log, "a"), scripted(&log, "b", FAIL_ONCE), steady(&log, "c")];
        let supervisor = quick("app").max_restarts(0, HOUR);
        let error = supervisor.run_children(Context::background(), children).await.expect_err("it gives up");
        assert_eq!(log.take(), "+a +b +c -b -c -a");
        let SupervisorError::TooManyRestarts { last } = error else { panic!("{error:?}") };
        assert_eq!((&*last.history()[0].child, last.as_str()), ("b", "boom"));
    });
}

#[test]
fn a_child_that_does_not_stop_is_aborted_after_its_timeout_and_not_before() {
    on_runtime(|| async {
        let (ctx, cancel) = Context::background().with_cancel();
        let patience = Duration::from_millis(20);
        let alive = Alive::default();
        let stubborn = {
            let alive = alive.clone();
            Child::new("stubborn", move |_| {
                let guard = alive.guard();
                async move {
                    let _guard = guard;
                    pending::<Result<(), &str>>().await
                }
            })
        };
        let never = Child::new("at once", |_| pending::<Result<(), &str>>()).shutdown_timeout(Duration::ZERO);
        let children = [stubborn.shutdown_timeout(patience), never.restart(Restart::Permanent)];
        let mut run = pin!(quick("app").run_children(&ctx, children));
        assert!(poll_fn(|cx| Poll::Ready(run.as_mut().poll(cx))).await.is_pending());
        let asked = Instant::now();
        cancel.cancel();
        assert_eq!(run.await, Err(SupervisorError::Canceled));
        assert!(asked.elapsed() >= patience && alive.count() == 0);
    });
}

#[test]
fn the_contexts_end_overrules_a_restart_that_is_under_way() {
    /// Ends the supervisor's context in the middle of stopping a child: as that child's context wakes it.
    struct EndAll(CancelFunc);
    impl Wake for EndAll {
        fn wake(self: Arc<Self>) {
            self.0.cancel();
        }
    }
    on_runtime(|| async {
        let (ctx, cancel) = Context::background().with_cancel();
        let (log, ended) = (Log::default(), Arc::new(AtomicUsize::new(0)));
        let end_all = Waker::from(Arc::new(EndAll(cancel)));
        let waiting = Arc::new(Mutex::new(None));
        // Nobody ends inside the supervisor's first poll: it would see them one by one.
        let (go, open) = Context::background().with_cancel();
        let failing = {
            let (log, ended, go) = (log.clone(), Arc::clone(&ended), go.clone());
            Child::new("failing", move |_| {
                let inside = log.enter("failing");
                let (ended, go) = (Arc::clone(&ended), go.clone());
                async move {
                    go.done().await;
                    drop(inside);
                    ended.fetch_add(1, Ordering::SeqCst);
                    Err::<(), _>("boom")
                }
            })
        };
        let last = {
            let (ended, waiting, go) = (Arc::clone(&ended), Arc::clone(&waiting), go.clone());
            Child::new("last", move |own: Context| {
                let mut done = Box::pin(own.done());
                assert!(done.as_mut().poll(&mut Cx::from_waker(&end_all)).is_pending());
                *waiting.lock().expect("no panic") = Some(done);
                let (ended, go) = (Arc::clone(&ended), go.clone());
                async move {
                    go.done().await;
                    ended.fetch_add(1, Ordering::SeqCst);
                    Ok::<(), &str>(())
                }
            })
        };
        let supervisor = quick("app").strategy(Strategy::RestForOne);
        let mut run = pin!(supervisor.run_children(&ctx, [failing, last]));
        // The supervisor is not polled while both end: it finds the first one failed and the second one over.
        assert!(poll_fn(|cx| Poll::Ready(run.as_mut().poll(cx))).await.is_pending());
        open.cancel();
        while ended.load(Ordering::SeqCst) < 2 || pirn::Handle::current().metrics().live_tasks > 0 {
            pirn::yield_now().await;
        }
        assert_eq!(run.await, Err(SupervisorError::Canceled));
        assert_eq!(log.take(), "+failing -failing", "nobody was started again");
    });
}

#[test]
fn a_supervisor_can_be_a_child_of_another_which_decides() {
    on_runtime(|| async {
        let inner = |_| {
            let failing = Child::new("worker", |_| async { Err::<(), _>("boom") });
            quick("inner").max_restarts(1, HOUR).run_children(Context::background(), [failing])
        };
        let outer = quick("outer").max_restarts(1, HOUR);
        let error = outer.run_children(Context::background(), [Child::new("inner", inner)]).await;
        let text = error.expect_err("both give up").to_string();
        assert_eq!(text.matches("boom").count(), 4, "the whole history: {text}");
    });
}

#[test]
fn a_childs_context_has_the_values_of_the_supervisors() {
    on_runtime(|| async {
        let ctx = Context::background().with_value(7_u32);
        let child = Child::new("child", |ctx: Context| async move {
            if ctx.value() == Some(&7_u32) { Ok(()) } else { Err("no value") }
        });
        assert_eq!(quick("app").run_children(ctx, [child]).await, Ok(()));
    });
}

#[test]
fn unless_told_otherwise_five_restarts_are_allowed() {
    on_runtime(|| async {
        let runs = Cell::new(0);
        let factory = || {
            runs.set(runs.get() + 1);
            async { Err::<(), _>("boom") }
        };
        let supervisor = Supervisor::new("plain").backoff(Duration::ZERO, Duration::ZERO);
        let error = supervisor.run(Context::background(), factory).await.expect_err("it gives up");
        assert_eq!(runs.get(), 6);
        let text = error.to_string();
        assert_eq!(text.matches(": boom; plain after ").count(), 5, "{text}");
        assert_eq!(SupervisorError::Canceled.to_string(), "supervisor canceled");
    });
}
