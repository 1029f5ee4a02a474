//! *Running*: tasks, and the ways in.

use std::any::Any;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use pirn::task::TaskId;
use pirn::{AbortHandle, Builder, Handle, JoinError, JoinHandle, NoRuntime, Runtime, ShutdownReport};
use pirn::{UnhandledPanic, YieldNow, go};

use crate::{error, owned, panic_of, send_sync, spawnable, unpin, until};

#[test]
fn the_types_are_as_free_as_they_can_be() {
    send_sync::<Runtime>();
    send_sync::<Handle>();
    send_sync::<Builder>();
    send_sync::<UnhandledPanic>();
    send_sync::<AbortHandle>();
    send_sync::<TaskId>();
    send_sync::<ShutdownReport>();
    send_sync::<YieldNow>();
    send_sync::<pirn::task::Builder>();
    send_sync::<pirn::Left>();
    send_sync::<pirn::PanicInfo>();
    // A handle carries the output, and needs of it only what moving it needs.
    send_sync::<JoinHandle<std::cell::Cell<u8>>>();
    unpin::<JoinHandle<std::marker::PhantomPinned>>();
    owned::<JoinHandle<u8>>();
    error::<JoinError>();
    error::<NoRuntime>();
    error::<pirn::GlobalAlreadyStarted>();
    send_sync::<JoinError>();
    // The same types, by their module.
    let _: fn() -> pirn::task::JoinHandle<u8> = || pirn::spawn(async { 1_u8 });
    let _: fn(pirn::task::AbortHandle) -> AbortHandle = |handle| handle;
    let _: fn(pirn::task::JoinError) -> JoinError = |error| error;
    let _: fn(TaskId) -> pirn::TaskId = |id| id;
    let _: fn(pirn::task::LocalKey<u8>) -> pirn::LocalKey<u8> = |key| key;
}

#[test]
fn block_on_takes_what_is_not_send_and_borrows() {
    let word = String::from("seven");
    let length: usize = pirn::block_on(async {
        let local = Rc::new(&word);
        pirn::yield_now().await;
        local.len()
    });
    assert_eq!(length, 5);
}

#[pirn::test(procs = 1, timeout = "10s")]
async fn block_on_is_legal_inside_tasks_and_blocking_jobs() {
    let task = pirn::spawn(async { pirn::block_on(async { pirn::spawn(async { 1_u64 }).await }) });
    let inner: Result<u64, JoinError> = task.await.unwrap();
    assert_eq!(inner.unwrap(), 1);
    let job: JoinHandle<u64> = pirn::spawn_blocking(|| pirn::block_on(async { 2 }));
    assert_eq!(job.await.unwrap(), 2);
}

#[pirn::test(procs = 2, timeout = "10s")]
async fn spawn_gives_a_handle_to_the_output() {
    let task: JoinHandle<String> = pirn::spawn(async { String::from("done") });
    let id: TaskId = task.id();
    let other: AbortHandle = task.abort_handle();
    assert_eq!(other.id(), id);
    let result: Result<String, JoinError> = task.await;
    assert_eq!(result.unwrap(), "done");
    assert!(other.is_finished());
}

#[test]
fn spawn_is_legal_outside_of_any_runtime() {
    let task = pirn::spawn(async { pirn::procs() });
    assert_eq!(pirn::block_on(task).unwrap(), pirn::procs());
}

#[pirn::test(procs = 2, timeout = "10s")]
async fn go_takes_a_future_or_statements() {
    let (tx, rx) = pirn::channel::bounded::<u8>(2);
    let other = tx.clone();
    let future = async move { other.send(1).await.unwrap() };
    go!(future);
    go!({
        pirn::yield_now().await;
        tx.send(2).await.unwrap();
    });
    assert_eq!(rx.recv().await.unwrap() + rx.recv().await.unwrap(), 3);
    pirn::go!(async {});
}

#[pirn::test(procs = 2, timeout = "10s")]
async fn dropping_a_handle_detaches_the_task() {
    let (tx, rx) = pirn::channel::bounded::<u8>(1);
    drop(pirn::spawn(async move { tx.send(1).await }));
    assert_eq!(rx.recv().await, Ok(1));
}

#[pirn::test(procs = 2, timeout = "10s")]
async fn an_aborted_task_is_cancelled() {
    struct TellsWhere(mpsc::Sender<thread::ThreadId>);
    impl Drop for TellsWhere {
        fn drop(&mut self) {
            self.0.send(thread::current().id()).unwrap();
        }
    }
    let (tx, rx) = mpsc::channel();
    let inside = TellsWhere(tx);
    let task: JoinHandle<()> = pirn::spawn(async move {
        let _inside = inside;
        std::future::pending::<()>().await;
    });
    assert!(!task.is_finished());
    task.abort();
    let error: JoinError = task.await.unwrap_err();
    assert!(error.is_cancelled() && !error.is_panic());
    let dropped_on = rx.try_recv().expect("the future is dropped before its handle resolves");
    assert_ne!(dropped_on, thread::current().id(), "on a worker, never on the caller's thread");
}

#[pirn::test(procs = 1, timeout = "10s")]
async fn an_output_that_the_poll_in_progress_produces_wins_over_an_abort() {
    let (handle_in, handle_out) = pirn::channel::oneshot::channel::<AbortHandle>();
    let task: JoinHandle<u8> = pirn::spawn(async move {
        handle_out.await.unwrap().abort();
        7
    });
    assert!(handle_in.send(task.abort_handle()).is_ok());
    assert_eq!(task.await.unwrap(), 7);
}

#[pirn::test(procs = 2, timeout = "10s")]
async fn a_panic_is_an_error_that_names_it() {
    let error: JoinError = pirn::spawn(async { assert_eq!(1, 2, "sums differ") }).await.unwrap_err();
    assert!(error.is_panic() && !error.is_cancelled());
    assert!(error.to_string().contains("sums differ"), "{error}");
    let payload: Box<dyn Any + Send> = error.into_panic();
    assert!(payload.downcast_ref::<String>().unwrap().contains("sums differ"));
}

#[pirn::test(procs = 2, timeout = "10s")]
async fn a_panicking_destructor_is_caught_like_a_panic_in_poll() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("in drop");
        }
    }
    let task = pirn::spawn(async {
        let _bomb = Bomb;
        std::future::pending::<()>().await;
    });
    task.abort();
    assert!(task.await.is_err());
    pirn::spawn(async {}).await.unwrap();
}

#[pirn::test(procs = 1, timeout = "10s")]
async fn a_destructor_may_call_back_into_the_runtime() {
    struct CallsBack(pirn::channel::Sender<u8>);
    impl Drop for CallsBack {
        fn drop(&mut self) {
            let tx = self.0.clone();
            let inner = pirn::spawn(async { 7 });
            go!({ tx.send(pirn::block_on(inner).unwrap()).await.unwrap() });
            pirn::block_on(pirn::yield_now());
        }
    }
    let (tx, rx) = pirn::channel::bounded::<u8>(1);
    let inside = CallsBack(tx);
    let task = pirn::spawn(async move {
        let _inside = inside;
        std::future::pending::<()>().await;
    });
    task.abort();
    assert_eq!(rx.recv().await, Ok(7));
}

#[pirn::test(procs = 1, timeout = "10s")]
async fn a_blocking_job_is_aborted_only_before_it_starts() {
    let (started_in, started_out) = mpsc::channel();
    let (go_in, go_out) = mpsc::channel::<()>();
    let job: JoinHandle<u8> = pirn::spawn_blocking(move || {
        started_in.send(()).unwrap();
        go_out.recv().unwrap();
        7
    });
    pirn::block_in_place(|| started_out.recv().unwrap());
    job.abort();
    go_in.send(()).unwrap();
    assert_eq!(job.await.unwrap(), 7);
}

#[pirn::test(procs = 1, timeout = "10s")]
async fn block_in_place_gives_the_processor_away() {
    let answer: u8 = pirn::spawn(async {
        let (tx, rx) = mpsc::channel();
        go!({ tx.send(7_u8).unwrap() });
        pirn::block_in_place(move || rx.recv().unwrap())
    })
    .await
    .unwrap();
    assert_eq!(answer, 7);
}

#[test]
fn block_in_place_outside_a_runtime_is_a_plain_call() {
    let here = thread::current().id();
    assert_eq!(pirn::block_in_place(|| thread::current().id()), here);
}

#[pirn::test(procs = 1, timeout = "10s")]
async fn yield_now_lets_the_others_run() {
    pirn::spawn(async {
        let ran = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&ran);
        go!({ flag.store(true, Ordering::Relaxed) });
        while !ran.load(Ordering::Relaxed) {
            let yielding: YieldNow = spawnable(pirn::yield_now());
            let () = yielding.await;
        }
    })
    .await
    .unwrap();
}

#[test]
fn should_yield_is_false_outside_tasks() {
    assert!(!pirn::should_yield());
}

#[test]
fn should_yield_is_false_while_nobody_waits_and_after_each_return() {
    let runtime = Builder::new().procs(1).build().unwrap();
    let task = runtime.spawn(async {
        pirn::yield_now().await;
        // Several time slices.
        let end = Instant::now() + Duration::from_millis(50);
        while Instant::now() < end && !pirn::should_yield() {}
        pirn::should_yield()
    });
    assert!(!runtime.block_on(task).unwrap());
}

pirn::task_local! {
    static REQUEST: u32;
}

#[pirn::test(procs = 1, timeout = "10s")]
async fn a_task_knows_its_id_its_name_and_its_values() {
    assert_eq!(pirn::task::try_id(), None);
    panic_of(pirn::task::id);
    let task = pirn::task::Builder::new().name("teller").spawn(async {
        let id: TaskId = pirn::task::id();
        assert_eq!(pirn::task::try_id(), Some(id));
        REQUEST.scope(7, async move { REQUEST.with(|seen| (id, *seen)) }).await
    });
    let id = task.id();
    assert_eq!(task.await.unwrap(), (id, 7));
    let error =
        pirn::task::Builder::new().name("teller").spawn(async { panic!("a bad day") }).await.unwrap_err();
    assert!(error.to_string().contains("teller"));
    let _: &'static pirn::task::LocalKey<u32> = &REQUEST;
}

#[pirn::test(procs = 1, timeout = "10s")]
async fn a_test_has_a_runtime_of_its_own() {
    assert_eq!(pirn::procs(), 1);
    let count = Handle::current().metrics().spawned;
    pirn::spawn(async {}).await.unwrap();
    assert_eq!(Handle::current().metrics().spawned, count + 1);
    until(|| Handle::current().metrics().live_tasks == 0).await;
}

#[pirn::test]
async fn a_test_may_return_a_result() -> Result<(), JoinError> {
    pirn::spawn(async {}).await
}

mod plain {
    #[pirn::main]
    pub(super) async fn main() -> Result<u8, String> {
        Ok(pirn::spawn(async { 7 }).await.unwrap())
    }
}

mod with_options {
    #[pirn::main(procs = 4)]
    pub(super) async fn main() {}
}

#[test]
fn main_runs_its_body_on_the_global_runtime() {
    let main: fn() -> Result<u8, String> = plain::main;
    assert_eq!(main(), Ok(7));
    let started: Result<(), pirn::GlobalCannotStart> = pirn::start_global();
    started.unwrap();
    pirn::block_on(async {});
    // Its options come too late here, and are not ignored.
    let main: fn() = with_options::main;
    assert!(!panic_of(main).is_empty());
}
