//! *Running*, its runtimes: configured, resized, shut down.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use pirn::{Builder, Handle, JoinError, NoRuntime, Runtime, ShutdownReport, UnhandledPanic};

use crate::panic_of;

#[test]
fn procs_can_be_changed_while_running() {
    let runtime: Runtime = Builder::new().procs(2).build().unwrap();
    assert_eq!(runtime.procs(), 2);
    let former: usize = runtime.set_procs(3);
    assert_eq!((former, runtime.procs(), runtime.handle().procs()), (2, 3, 3));
    assert_eq!(runtime.handle().set_procs(1), 3);
    runtime.block_on(async {
        assert_eq!(pirn::procs(), 1);
        assert_eq!(pirn::set_procs(2), 1);
    });
    assert_eq!(runtime.procs(), 2);
    panic_of(|| runtime.set_procs(0));
    panic_of(|| runtime.handle().set_procs(0));
    panic_of(|| runtime.block_on(async { pirn::set_procs(0) }));
}

#[test]
fn a_builder_takes_and_returns_itself() {
    let (tx, rx) = mpsc::channel();
    let built: io::Result<Runtime> = Builder::new()
        .procs(1)
        .max_threads(8)
        .thread_name("api")
        .thread_stack_size(1 << 20)
        .on_unhandled_panic(UnhandledPanic::Callback(Arc::new(move |panic| {
            tx.send(panic.to_string()).unwrap();
        })))
        .dump_on_sigquit(false)
        .build();
    let runtime = built.unwrap();
    let name = runtime.spawn(async { thread::current().name().map(str::to_owned) });
    assert!(runtime.block_on(name).unwrap().unwrap().starts_with("api"));
    drop(runtime.spawn(async { panic!("nobody listens") }));
    assert!(rx.recv_timeout(Duration::from_secs(10)).unwrap().contains("nobody listens"));
    let _: [UnhandledPanic; 3] = [UnhandledPanic::Report, UnhandledPanic::Shutdown, UnhandledPanic::Abort];
}

#[test]
fn a_panic_whose_handle_is_dropped_unawaited_counts_as_unhandled() {
    let (tx, rx) = mpsc::channel();
    let callback = UnhandledPanic::Callback(Arc::new(move |_| tx.send(()).unwrap()));
    let runtime = Builder::new().procs(1).on_unhandled_panic(callback).build().unwrap();
    let task = runtime.spawn(async { panic!("seen too late") });
    while !task.is_finished() {
        thread::yield_now();
    }
    drop(task);
    rx.recv_timeout(Duration::from_secs(10)).unwrap();
}

#[test]
fn an_unhandled_panic_may_shut_the_runtime_down() {
    let runtime = Builder::new().procs(1).on_unhandled_panic(UnhandledPanic::Shutdown).build().unwrap();
    let bystander = runtime.spawn(std::future::pending::<()>());
    drop(runtime.spawn(async { panic!("the end of it") }));
    let (tx, rx) = mpsc::channel();
    thread::spawn(move || tx.send(pirn::block_on(bystander)).unwrap());
    let result = rx.recv_timeout(Duration::from_secs(10)).expect("it shuts down");
    assert!(result.unwrap_err().is_cancelled());
}

#[test]
fn what_no_runtime_can_have_is_invalid_input() {
    for refused in
        [Builder::new().procs(0), Builder::new().procs(usize::MAX), Builder::new().thread_name("a\0b")]
    {
        let error: io::Error = refused.build().err().unwrap();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    }
}

#[test]
fn a_stack_is_large_enough_for_a_machine_whatever_was_asked_for() {
    let runtime = Builder::new().procs(1).thread_stack_size(0).build().unwrap();
    let sum = runtime.block_on(runtime.spawn(async {
        pirn::time::sleep(Duration::from_millis(1)).await;
        1 + 1
    }));
    assert_eq!(sum.unwrap(), 2);
}

#[test]
fn the_global_runtime_is_configured_before_its_first_use_or_not_at_all() {
    pirn::block_on(async {});
    assert!(Builder::new().procs(1).install_global().is_err());
}

#[test]
fn a_runtime_offers_what_its_handle_does() {
    let runtime: io::Result<Runtime> = Runtime::new();
    let runtime = runtime.unwrap();
    let handle: Handle = runtime.handle().clone();
    assert_eq!(runtime.block_on(runtime.spawn(async { 1 })).unwrap(), 1);
    assert_eq!(handle.block_on(handle.spawn(async { 2 })).unwrap(), 2);
    assert_eq!(handle.block_on(runtime.spawn_blocking(|| 3)).unwrap(), 3);
    assert_eq!(handle.block_on(handle.spawn_blocking(|| 4)).unwrap(), 4);
    assert!(runtime.metrics().spawned >= 2 && handle.metrics().spawned >= 2);
    runtime.shutdown_background();
}

#[test]
fn a_handle_says_where_one_is() {
    assert_eq!(Handle::try_current().err(), Some(NoRuntime));
    let runtime = Builder::new().procs(1).build().unwrap();
    runtime.block_on(async {
        let here: Result<Handle, NoRuntime> = Handle::try_current();
        assert_eq!(here.unwrap().procs(), 1);
        let task = Handle::current().spawn(async { pirn::procs() });
        assert_eq!(task.await.unwrap(), 1);
    });
}

#[test]
fn after_the_shutdown_a_handle_cancels_what_is_spawned() {
    let runtime = Builder::new().procs(1).build().unwrap();
    let handle = runtime.handle().clone();
    let waiting = runtime.spawn(std::future::pending::<()>());
    let report: ShutdownReport = runtime.shutdown_timeout(Duration::from_secs(10));
    assert!(report.is_clean());
    let left: &[pirn::Left] = report.left();
    assert!(left.is_empty());
    assert!(pirn::block_on(waiting).unwrap_err().is_cancelled());
    let held = Arc::new(());
    let inside = Arc::clone(&held);
    let late = handle.spawn(async move { drop(inside) });
    assert_eq!(Arc::strong_count(&held), 1, "the future is dropped");
    assert!(pirn::block_on(late).unwrap_err().is_cancelled());
    assert!(!panic_of(|| handle.block_on(async {})).is_empty());
    assert_eq!(handle.metrics().live_tasks, 0);
    assert_eq!(handle.dump().into_iter().count(), 0);
}

#[test]
fn a_shutdown_reports_the_blocking_job_that_it_left() {
    let runtime = Builder::new().procs(1).build().unwrap();
    let (started_in, started_out) = mpsc::channel();
    let (go_in, go_out) = mpsc::channel::<()>();
    let job = runtime.spawn_blocking(move || {
        started_in.send(()).unwrap();
        go_out.recv().unwrap();
    });
    started_out.recv().unwrap();
    let report = runtime.shutdown_timeout(Duration::from_millis(1));
    assert!(!report.is_clean());
    let pirn::Left { kind, name, spawned_at, age, .. } = &report.left()[0];
    assert_eq!((*kind, name.as_deref()), (pirn::LeftKind::Blocking, None));
    assert!(spawned_at.file().ends_with("runtimes.rs") && *age > Duration::ZERO);
    go_in.send(()).unwrap();
    // At its end, or as cancelled: it resolves.
    let _: Result<(), JoinError> = pirn::block_on(job);
}

#[test]
fn a_scope_is_left_when_all_of_its_tasks_are() {
    let runtime = Builder::new().procs(2).build().unwrap();
    let sum = AtomicU32::new(0);
    let returned: u8 = runtime.scope(|scope| {
        for n in 1..=10 {
            let sum = &sum;
            scope.spawn(async move {
                pirn::yield_now().await;
                sum.fetch_add(n, Ordering::Relaxed);
            });
        }
        7
    });
    assert_eq!((returned, sum.into_inner()), (7, 55));
}

#[test]
fn a_runtime_may_be_dropped_inside_one_of_its_own_tasks() {
    let runtime = Builder::new().procs(1).build().unwrap();
    let (tx, rx) = mpsc::channel();
    let handle = runtime.handle().clone();
    drop(handle.spawn(async move {
        drop(runtime);
        tx.send(()).unwrap();
    }));
    rx.recv_timeout(Duration::from_secs(10)).unwrap();
}
