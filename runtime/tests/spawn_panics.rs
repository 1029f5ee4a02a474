//! Panics that nobody joins, futures too big for the stack of their spawner's callee, and ids.

mod common;

use common::{eventually, within};
use pirn::{Builder, UnhandledPanic, block_on, spawn, yield_now};
use std::collections::HashSet;
use std::future::{Future, pending};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};

fn child(name: &str) -> Output {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--ignored", "--nocapture"])
        .output()
        .unwrap()
}

#[test]
#[ignore = "a child of a test below"]
fn child_that_reports() {
    let runtime = Builder::new().procs(1).build().unwrap();
    runtime.block_on(async {
        let _detached = pirn::task::Builder::new().name("gone wrong").spawn(async { panic!("spilt") });
        yield_now().await;
    });
    eventually(|| runtime.metrics().live_tasks == 0);
    assert_eq!(runtime.block_on(runtime.spawn(async { 4 })).unwrap(), 4, "the runtime goes on");
}

#[test]
fn report_names_the_task_its_panic_and_its_spawn_site() {
    within(60, || {
        let output = child("child_that_reports");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}");
        let line =
            said.lines().find(|line| line.starts_with("pirn: task")).unwrap_or_else(|| panic!("{said}"));
        assert!(line.contains("(gone wrong) panicked: spilt") && line.contains("spawn_panics.rs:"), "{line}");
    });
}

#[test]
#[ignore = "a child of a test below"]
fn child_that_aborts() {
    let runtime = Builder::new().procs(1).on_unhandled_panic(UnhandledPanic::Abort).build().unwrap();
    drop(runtime.spawn(async { panic!("the last straw") }));
    loop {
        std::thread::park();
    }
}

#[test]
fn abort_ends_the_process() {
    use std::os::unix::process::ExitStatusExt;
    within(60, || {
        let output = child("child_that_aborts");
        assert_eq!(output.status.signal(), Some(libc::SIGABRT), "{output:?}");
        assert!(
            String::from_utf8_lossy(&output.stderr).contains("panicked: the last straw; it was spawned at")
        );
    });
}

#[test]
fn shutdown_closes_the_runtime() {
    within(60, || {
        let runtime = Builder::new().procs(2).on_unhandled_panic(UnhandledPanic::Shutdown).build().unwrap();
        let others: Vec<_> = (0..10).map(|_| runtime.spawn(pending::<()>())).collect();
        drop(runtime.spawn(async { panic!("enough") }));
        for other in others {
            assert!(block_on(other).unwrap_err().is_cancelled());
        }
        let late = runtime.spawn(async {});
        assert!(block_on(late).unwrap_err().is_cancelled());
    });
}

#[test]
fn a_panic_is_unhandled_only_if_nobody_joins_it() {
    within(60, || {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = seen.clone();
        let runtime = Builder::new()
            .procs(1)
            .on_unhandled_panic(UnhandledPanic::Callback(Arc::new(move |info| {
                log.lock().unwrap().push((info.spawned_at().line(), info.error().to_string()));
                panic!("a callback's own panic is nobody's");
            })))
            .build()
            .unwrap();
        let joined = runtime.spawn(async { panic!("joined") });
        assert!(runtime.block_on(joined).unwrap_err().is_panic());
        let line = line!() + 1;
        let unawaited = runtime.spawn(async { panic!("unawaited") });
        eventually(|| unawaited.is_finished());
        assert!(seen.lock().unwrap().is_empty(), "its handle may still join it");
        drop(unawaited);
        drop(runtime.spawn_blocking(|| panic!("a job's")));
        eventually(|| seen.lock().unwrap().len() == 2);
        let seen = seen.lock().unwrap();
        assert_eq!(seen[0].0, line);
        assert!(seen[0].1.ends_with("panicked: unawaited") && seen[1].1.ends_with("panicked: a job's"));
    });
}

struct PanicsWhenDropped;

impl Drop for PanicsWhenDropped {
    fn drop(&mut self) {
        panic!("an output's destructor");
    }
}

#[test]
fn the_destructor_of_an_output_that_nobody_takes_panics_unhandled() {
    within(60, || {
        let (tells, told) = std::sync::mpsc::channel();
        let tells = Mutex::new(tells);
        let runtime = Builder::new()
            .procs(1)
            .on_unhandled_panic(UnhandledPanic::Callback(Arc::new(move |info| {
                tells.lock().unwrap().send(info.error().to_string()).unwrap();
            })))
            .build()
            .unwrap();
        drop(runtime.spawn(async { PanicsWhenDropped }));
        assert!(told.recv().unwrap().ends_with("panicked: an output's destructor"));
        // Dropped by whoever lets go of the handle, who goes on.
        let ended = runtime.spawn(async { PanicsWhenDropped });
        eventually(|| ended.is_finished());
        drop(ended);
        assert!(told.recv().unwrap().ends_with("panicked: an output's destructor"));
    });
}

/// The waker of a joiner that is of no more use, and says so when it goes.
struct PanickingWaker;

impl Wake for PanickingWaker {
    fn wake(self: Arc<Self>) {}
}

impl Drop for PanickingWaker {
    fn drop(&mut self) {
        panic!("a waker's destructor");
    }
}

#[test]
fn the_destructor_of_a_joiners_waker_panics_and_nothing_of_the_task_is_left() {
    within(60, || {
        let kept = Arc::new(());
        let left = Arc::downgrade(&kept);
        let runtime = Builder::new()
            .procs(1)
            .on_unhandled_panic(UnhandledPanic::Callback(Arc::new(move |_| {
                let _lives_as_long_as_the_runtime = &kept;
            })))
            .build()
            .unwrap();
        let mut task = runtime.spawn(pending::<()>());
        let waker = Waker::from(Arc::new(PanickingWaker));
        assert!(pin!(&mut task).poll(&mut Context::from_waker(&waker)).is_pending());
        drop(waker);
        assert!(catch_unwind(AssertUnwindSafe(|| drop(task))).is_err());
        drop(runtime);
        eventually(|| left.upgrade().is_none());
    });
}

/// A future of `N` bytes that are really used.
async fn big<const N: usize>() -> usize {
    let bytes = [1_u8; N];
    yield_now().await;
    bytes.iter().map(|&byte| usize::from(byte)).sum()
}

#[test]
fn big_futures_spawn_without_overflowing_the_stack() {
    within(60, || {
        let runtime = Builder::new().procs(2).build().unwrap();
        for _ in 0..50 {
            assert_eq!(runtime.block_on(runtime.spawn(big::<{ 64 << 10 }>())).unwrap(), 64 << 10);
        }
        // From inside a task, on a machine's stack of 2 MiB.
        let nested = runtime.spawn(async {
            let many: Vec<_> = (0..20).map(|_| spawn(big::<{ 64 << 10 }>())).collect();
            let mut sum = 0;
            for task in many {
                sum += task.await.unwrap();
            }
            sum
        });
        assert_eq!(runtime.block_on(nested).unwrap(), 20 * (64 << 10));
    });
}

#[test]
fn a_future_of_a_mebibyte_spawns_on_a_stack_of_eight() {
    let spawner = std::thread::Builder::new().stack_size(8 << 20).spawn(|| {
        let runtime = Builder::new().procs(2).thread_stack_size(8 << 20).build().unwrap();
        assert_eq!(runtime.block_on(runtime.spawn(big::<{ 1 << 20 }>())).unwrap(), 1 << 20);
        let task = runtime.spawn(big::<{ 1 << 20 }>());
        task.abort();
        drop(runtime.block_on(task));
    });
    within(60, move || spawner.unwrap().join().unwrap());
}

#[test]
fn ids_are_unique_and_known_inside() {
    within(60, || {
        let runtime = Builder::new().procs(4).build().unwrap();
        let wrong = Arc::new(AtomicUsize::new(0));
        let tasks: Vec<_> = (0..3000)
            .map(|_| {
                let wrong = wrong.clone();
                runtime.spawn(async move {
                    let id = pirn::task::id();
                    yield_now().await;
                    wrong.fetch_add(usize::from(id != pirn::task::id()), Ordering::SeqCst);
                    assert!(block_on(async { pirn::task::try_id() }).is_none(), "a block_on is no task");
                    id
                })
            })
            .collect();
        let ids: HashSet<_> = tasks
            .into_iter()
            .map(|task| {
                let id = task.id();
                assert_eq!(runtime.block_on(task).unwrap(), id);
                id
            })
            .collect();
        assert_eq!((ids.len(), wrong.load(Ordering::SeqCst)), (3000, 0));
        assert!(pirn::task::try_id().is_none());
    });
}

#[test]
fn an_error_of_a_task_names_it_and_says_how_it_ended() {
    within(60, || {
        let runtime = Builder::new().procs(1).build().unwrap();
        let named = || pirn::task::Builder::new().name("brews");
        let (cancelled, panicked) = runtime.block_on(async {
            let cancelled = named().spawn(std::future::pending::<()>());
            cancelled.abort();
            let panicked = named().spawn(async { std::panic::panic_any(7_u8) });
            (cancelled.await.unwrap_err(), panicked.await.unwrap_err())
        });
        let id = cancelled.id();
        assert_eq!(cancelled.to_string(), format!("task {id} (brews) was cancelled"));
        assert_eq!(format!("{cancelled:?}"), format!("JoinError({cancelled})"));
        assert_eq!(cancelled.name(), Some("brews"));
        let cancelled = cancelled.try_into_panic().unwrap_err();
        assert_eq!((cancelled.id(), cancelled.name(), cancelled.is_cancelled()), (id, Some("brews"), true));
        assert!(
            panicked.to_string().ends_with("(brews) panicked: (a payload that is no string)"),
            "{panicked}"
        );
        assert_eq!(panicked.into_panic().downcast_ref(), Some(&7_u8));
    });
}
