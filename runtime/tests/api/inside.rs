//! *Seeing inside*: metrics, the dump, and what the environment asks for.

use std::panic::Location;
use std::sync::Arc;

use pirn::io::{AsyncBufReadExt, AsyncReadExt, BufReader, StreamExt};
use pirn::process::{Child, Command, Stdio};
use pirn::signal::Signal;
use pirn::{Builder, Handle, Metrics, ProcMetrics, TaskDump, TaskInfo, Wait};

use crate::{send_sync, until};

#[test]
fn the_types_are_as_free_as_they_can_be() {
    send_sync::<Metrics>();
    send_sync::<TaskDump>();
    send_sync::<TaskInfo>();
}

#[pirn::test(procs = 2, timeout = "10s")]
async fn the_metrics_have_their_fields() {
    pirn::spawn(async {}).await.unwrap();
    until(|| Handle::current().metrics().live_tasks == 0).await;
    let metrics: Metrics = Handle::current().metrics();
    let Metrics { procs, live_tasks, spawned, threads, injector_len, timers, descriptors, .. } = metrics;
    assert_eq!((procs.len(), live_tasks, spawned), (2, 0, 1), "the future of `block_on` is none");
    assert!(threads >= 1);
    assert_eq!((injector_len, timers, descriptors), (0, 0, 0));
    let mut all = 0;
    for ProcMetrics { polls, steals, local_queue_len, parks, handoffs, .. } in procs {
        assert_eq!((local_queue_len, handoffs), (0, 0));
        let _: (u64, u64) = (steals, parks);
        all += polls;
    }
    assert!(all >= 1);
}

#[pirn::test(procs = 2, timeout = "10s")]
async fn the_metrics_count_timers_and_descriptors() {
    let listener = pirn::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut sleeping = Box::pin(pirn::time::sleep(std::time::Duration::from_secs(3600)));
    assert!(crate::poll(&mut sleeping).is_pending());
    let metrics = Handle::current().metrics();
    assert!(metrics.timers >= 1 && metrics.descriptors >= 1, "{metrics:?}");
    drop((listener, sleeping));
}

#[test]
fn a_dump_shows_every_task_and_what_it_waits_on() {
    let runtime = Builder::new().procs(1).build().unwrap();
    let (tx, rx) = pirn::channel::bounded::<()>(1);
    let waiter = async move { rx.recv().await.is_err() };
    let spawned = async { Some(pirn::task::Builder::new().name("waiter").spawn(waiter)) };
    let task = runtime.block_on(spawned).unwrap();
    let waits = |dump: &TaskDump| dump.into_iter().any(|task| task.waiting_on.is_some());
    runtime.block_on(until(|| waits(&runtime.handle().dump())));
    let dump: TaskDump = runtime.handle().dump();
    let text = dump.to_string();
    assert!(text.contains("waiter") && text.contains("inside.rs"), "{text}");
    let mut tasks = dump.into_iter();
    let info: TaskInfo = tasks.next().unwrap();
    let TaskInfo { id, name, spawned_at, waiting_on, .. } = info;
    let _ = info.state;
    assert_eq!((id, name.as_deref()), (task.id(), Some("waiter")));
    let spawned_at: &'static Location<'static> = spawned_at;
    assert!(spawned_at.file().ends_with("inside.rs"));
    let Wait { kind, at, since, .. } = waiting_on.unwrap();
    let _: pirn::WaitKind = kind;
    let at: Option<&'static Location<'static>> = at;
    assert!(at.unwrap().file().ends_with("inside.rs"));
    let _: pirn::time::Instant = since;
    let _: Option<Arc<str>> = name;
    assert!(tasks.next().is_none());
    drop(tx);
    assert!(runtime.block_on(task).unwrap());
}

/// Says how many processors it has, leaves a task waiting, and ends when its standard input does.
#[pirn::test(timeout = "10s")]
#[ignore = "runs in processes of its own, which the tests below start"]
async fn child() {
    let (_tx, rx) = pirn::channel::bounded::<()>(1);
    let waiter = pirn::task::Builder::new().name("left waiting").spawn(async move { rx.recv().await });
    eprintln!("\nprocs={}", Builder::new().build().unwrap().procs());
    pirn::io::stdin().read_to_end(&mut Vec::new()).await.unwrap();
    assert!(!waiter.is_finished());
}

/// Starts [`child`] with one more variable in its environment.
fn start_child(name: &str, value: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "inside::child", "--ignored", "--nocapture"])
        .env(name, value)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

/// Reads what the child says until one line is `wanted`, then lets it end, which it must do well.
async fn hear(mut child: Child, wanted: &[&str]) {
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    for wanted in wanted {
        while !lines.next().await.expect("the process has ended too soon").unwrap().contains(wanted) {}
    }
    drop(child.stdin.take());
    assert!(child.wait().await.unwrap().success());
}

#[pirn::test(procs = 2, timeout = "10s")]
async fn pirn_procs_overrides_the_default() {
    hear(start_child("PIRN_PROCS", "3"), &["procs=3"]).await;
}

#[pirn::test(procs = 2, timeout = "10s")]
async fn pirn_trace_prints_a_line_about_every_processor_again_and_again() {
    hear(start_child("PIRN_TRACE", "sched=5"), &["P0:", "P0:", "P0:"]).await;
}

#[pirn::test(procs = 2, timeout = "10s")]
async fn pirn_dump_prints_the_dump_at_sigquit_and_the_process_goes_on() {
    let mut child = start_child("PIRN_DUMP", "1");
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    // It listens before its test's body begins to speak.
    while !lines.next().await.expect("the process has ended too soon").unwrap().contains("procs=") {}
    child.signal(Signal::QUIT).unwrap();
    while !lines.next().await.expect("the process has ended too soon").unwrap().contains("left waiting") {}
    drop(child.stdin.take());
    assert!(child.wait().await.unwrap().success());
}
