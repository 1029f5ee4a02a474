//! Seeing inside: what each task waits on, where it was spawned, what it is called.

mod common;

use common::{eventually, within};
use pirn::channel::bounded;
use pirn::fs::File;
use pirn::io::AsyncReadExt;
use pirn::process::{Command, Stdio};
use pirn::sync::Mutex;
use pirn::time::sleep;
use pirn::{Builder, TaskState, spawn};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::{Duration, Instant};

#[test]
fn a_dump_shows_kinds_places_and_names() {
    within(60, || {
        let runtime = Builder::new().procs(2).build().unwrap();
        let (tx, rx) = bounded::<u32>(0);
        let (full, _kept) = bounded::<u32>(1);
        full.try_send(1).unwrap();
        let mutex = Arc::new(Mutex::new(()));
        let locked = mutex.try_lock().unwrap();
        let start = Instant::now();

        // (what it waits on, the line of the wait, the line of the spawn, its name)
        let mut expected = Vec::new();
        let named = |name: &'static str| pirn::task::Builder::new().name(name);
        let entered = runtime.handle().clone();
        let mut tasks = Vec::new();
        runtime.block_on(async {
            let receiver = rx.clone();
            expected.push(("channel receive", line!() + 2, line!() + 1, Some("eats")));
            tasks.push(named("eats").spawn(async move {
                let _closed = receiver.recv().await;
            }));
            let sender = full.clone();
            expected.push(("channel send", line!() + 2, line!() + 1, None));
            tasks.push(spawn(async move {
                let _closed = sender.send(2).await;
            }));
            expected.push(("sleep", line!() + 1, line!() + 1, Some("naps")));
            tasks.push(named("naps").spawn(async { sleep(Duration::from_secs(3600)).await }));
            let contended = mutex.clone();
            expected.push(("mutex", line!() + 1, line!() + 1, None));
            tasks.push(spawn(async move { drop(contended.lock().await) }));
        });
        eventually(|| entered.dump().iter().all(|task| task.waiting_on.is_some()));
        let dump = runtime.handle().dump();
        assert_eq!(dump.len(), expected.len());
        let text = dump.to_string();
        println!("{text}");
        for (task, (kind, at, spawned_at, name)) in tasks.iter().zip(expected) {
            let info = dump.iter().find(|info| info.id == task.id()).unwrap();
            let wait = info.waiting_on.unwrap();
            assert_eq!((wait.kind.to_string().as_str(), info.state), (kind, TaskState::Waiting));
            assert_eq!(wait.at.map(|at| (at.file(), at.line())), Some((file!(), at)), "{kind}");
            assert_eq!((info.spawned_at.file(), info.spawned_at.line()), (file!(), spawned_at), "{kind}");
            assert_eq!(info.name.as_deref(), name);
            // Coarse: to about the time between two looks at the clock.
            assert!(wait.since + Duration::from_millis(50) >= start && wait.since <= Instant::now());
            assert!(text.contains(&format!(": waiting on {kind} at {}:{at}:", file!())), "{kind}: {text}");
        }
        drop((locked, tx));
    });
}

#[test]
fn a_wait_for_a_file_or_a_pipe_is_shown_where_that_was_opened() {
    within(60, || {
        let runtime = Builder::new().procs(1).build().unwrap();
        // A pipe by another name: opened anew it is a file whose reads block until somebody writes.
        let (reader, writer) = std::io::pipe().unwrap();
        let path = format!("/proc/self/fd/{}", reader.as_raw_fd());
        let mut cat = Command::new("cat");
        cat.stdin(Stdio::piped()).stdout(Stdio::piped());
        let (mut file, mut child, opened_at) =
            runtime.block_on(async { (File::open(path).await.unwrap(), cat.spawn().unwrap(), line!()) });
        let file = runtime.spawn(async move { file.read(&mut [0]).await.unwrap() });
        let child = runtime.spawn(async move {
            let output = child.stdout.as_mut().unwrap();
            output.read(&mut [0]).await.unwrap()
        });
        for (task, kind) in [(&file, "blocking job"), (&child, "io")] {
            let wait = || {
                let dump = runtime.handle().dump();
                dump.iter().find(|info| info.id == task.id()).and_then(|info| info.waiting_on)
            };
            eventually(|| wait().is_some());
            let wait = wait().unwrap();
            let at = wait.at.map(|at| (at.file(), at.line()));
            assert_eq!((wait.kind.to_string().as_str(), at), (kind, Some((file!(), opened_at))));
        }
        // The read ends, so that the runtime need not wait for it.
        drop(writer);
    });
}

#[test]
fn a_dump_while_tasks_come_and_go_polls_and_harms_nothing() {
    within(60, || {
        let runtime = Builder::new().procs(2).build().unwrap();
        let handle = runtime.handle().clone();
        let (over, wait) = mpsc::channel::<()>();
        let dumper = std::thread::spawn(move || {
            let mut dumps = 0;
            while wait.try_recv() == Err(mpsc::TryRecvError::Empty) {
                for task in &handle.dump() {
                    assert!(task.spawned_at.file().ends_with("dump.rs"));
                }
                let _metrics = handle.metrics();
                dumps += 1;
            }
            dumps
        });
        for _ in 0..50 {
            runtime.block_on(async {
                let tasks: Vec<_> = (0..100).map(|_| spawn(pirn::yield_now())).collect();
                for task in tasks {
                    task.await.unwrap();
                }
            });
        }
        over.send(()).unwrap();
        assert!(dumper.join().unwrap() > 0);
        assert!(runtime.handle().dump().is_empty());
    });
}

#[test]
fn a_task_inside_a_poll_is_shown_as_running_and_one_that_queues_as_scheduled() {
    within(60, || {
        let runtime = Builder::new().procs(1).sysmon(false).build().unwrap();
        let (started, wait_started) = mpsc::channel();
        let (leave, wait_leave) = mpsc::channel::<()>();
        let running = runtime.spawn(async move {
            started.send(()).unwrap();
            wait_leave.recv().unwrap();
        });
        wait_started.recv().unwrap();
        let queued = runtime.spawn(async {});
        let dump = runtime.handle().dump();
        let state = |id| dump.iter().find(|task| task.id == id).unwrap().state;
        assert_eq!((state(running.id()), state(queued.id())), (TaskState::Running, TaskState::Scheduled));
        let text = dump.to_string();
        assert!(text.starts_with("2 live tasks\n"), "{text}");
        for (task, does) in [(&running, "running"), (&queued, "scheduled")] {
            let at = dump.iter().find(|info| info.id == task.id()).unwrap().spawned_at;
            assert!(text.contains(&format!("task {}, spawned at {at}: {does}\n", task.id())), "{text}");
        }
        leave.send(()).unwrap();
        runtime.block_on(running).unwrap();
        runtime.block_on(queued).unwrap();
    });
}

#[test]
fn a_poll_is_counted_once_however_often_it_gives_its_processor_away() {
    within(60, || {
        let runtime = Builder::new().procs(4).build().unwrap();
        let task = runtime.spawn(async { (0..100).for_each(|_| pirn::block_in_place(|| ())) });
        runtime.block_on(task).unwrap();
        assert_eq!(runtime.metrics().procs.iter().map(|proc| proc.polls).sum::<u64>(), 1);
    });
}

#[test]
fn metrics_count_tasks_threads_polls_timers_and_handoffs() {
    within(60, || {
        let runtime = Builder::new().procs(2).build().unwrap();
        let sleepers: Vec<_> = (0..10).map(|_| runtime.spawn(sleep(Duration::from_secs(3600)))).collect();
        eventually(|| runtime.metrics().timers == 10);
        let metrics = runtime.metrics();
        assert_eq!((metrics.live_tasks, metrics.spawned, metrics.procs.len()), (10, 10, 2));
        assert!(metrics.threads >= 1 && metrics.procs.iter().map(|proc| proc.polls).sum::<u64>() >= 10);
        sleepers.iter().for_each(|sleeper| sleeper.abort());
        for sleeper in sleepers {
            assert!(runtime.block_on(sleeper).unwrap_err().is_cancelled());
        }
        runtime.block_on(runtime.spawn(async { pirn::block_in_place(|| ()) })).unwrap();
        let metrics = runtime.metrics();
        assert_eq!((metrics.live_tasks, metrics.timers, metrics.spawned), (0, 0, 11));
        assert_eq!(metrics.procs.iter().map(|proc| proc.handoffs).sum::<u64>(), 1);
    });
}
