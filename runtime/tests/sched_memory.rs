//! What a blocked task costs: a million of them wait on one channel.
//!
//! The figure is what the system says is resident, beyond the future itself, which is the program's own. And when they have
//! gone their memory goes back.

mod common;

use common::{eventually, within};
use pirn::channel::bounded;
use pirn::{Builder, JoinHandle};
use std::fs;
use std::future::{Future, pending};
use std::sync::{Mutex, PoisonError};
use std::thread;

const TASKS: usize = 1_000_000;
/// What may be left of a burst: what each thread keeps, and what the kernel has not counted yet.
const LEFT: usize = 4 << 20;

/// What is resident is that of the whole process, so one test at a time.
static ALONE: Mutex<()> = Mutex::new(());

/// What the system says is resident, without the pages that the allocator merely keeps.
fn resident() -> usize {
    #[cfg(target_env = "gnu")]
    // SAFETY: the C library's allocator gives free pages back; it may be asked to at any time, by any thread.
    unsafe {
        libc::malloc_trim(0);
    }
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1024
}

/// Spawns a million of what `make` makes, lets all of them block, and says what each costs beyond its future.
fn cost_beyond_the_future<F>(what: &str, make: impl Fn() -> F, end: impl FnOnce()) -> f64
where
    F: Future<Output = ()> + Send + 'static,
{
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let runtime = Builder::new().procs(2).build().unwrap();
    let future = size_of::<F>();
    let before = resident();
    for _ in 0..TASKS {
        drop(runtime.spawn(make()));
    }
    let polls = || runtime.metrics().procs.iter().map(|proc| proc.polls).sum::<u64>();
    eventually(|| polls() >= TASKS as u64);
    let cost = (resident() - before) as f64 / TASKS as f64 - future as f64;
    println!("{what}, beyond its future of {future} bytes: {cost:.1} bytes");
    assert_eq!(runtime.metrics().live_tasks, TASKS);
    end();
    drop(runtime);
    eventually_resident(before + LEFT);
    cost
}

/// The memory of a burst goes back; the last machine to end may still hold some as the drop returns. What queues have
/// outgrown is freed by whoever uses one next: nobody does any more, so this thread collects it.
fn eventually_resident(most: usize) {
    eventually(|| {
        crossbeam_epoch::pin().flush();
        resident() <= most
    });
}

#[test]
fn a_blocked_task_costs_a_hundred_bytes_beyond_its_future() {
    within(240, || {
        let cost = cost_beyond_the_future("a task that waits", pending::<()>, || ());
        assert!(cost <= 100.0, "{cost} bytes");
    });
}

#[test]
fn a_task_blocked_on_a_channel_costs_a_hundred_bytes_beyond_its_future() {
    within(240, || {
        let (tx, rx) = bounded::<()>(1);
        let wait = move || {
            let rx = rx.clone();
            async move {
                let _closed = rx.recv().await;
            }
        };
        let cost = cost_beyond_the_future("a task that waits to receive", wait, move || drop(tx));
        assert!(cost <= 100.0, "{cost} bytes");
    });
}

/// Whoever drops the handles last gives the memory back, and no runtime is there to look after it any more.
#[test]
fn handles_that_outlive_their_runtime_leave_nothing_behind() {
    within(240, || {
        let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let before = resident();
        let runtime = Builder::new().procs(2).build().unwrap();
        let spawn = |_| {
            let large = [1_u8; 1000];
            runtime.spawn(async move { _ = std::hint::black_box(&large) })
        };
        let mut handles: Vec<_> = (0..50_000).map(spawn).collect();
        eventually(|| handles.iter().all(JoinHandle::is_finished));
        drop(runtime);
        // In an order that frees no span before its last block comes, or nearly so.
        let (count, mut at) = (handles.len(), 0);
        for index in 0..count {
            at = (at + 7919) % count;
            handles.swap(index, at);
        }
        // The thread's own blocks go back when it ends.
        thread::spawn(move || drop(handles)).join().unwrap();
        eventually_resident(before + LEFT);
    });
}
