//! What a blocked task costs: a million of them wait on one channel.
//!
//! Two figures are printed: what was asked of the allocator, and what the system says is resident; each
//! beyond the future itself, which is the program's own.

mod common;

use common::{eventually, within};
use pirn::Builder;
use pirn::channel::bounded;
use std::alloc::{GlobalAlloc, Layout, System};
use std::fs;
use std::future::{Future, pending};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// The system's allocator, counting the bytes that live.
struct Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);

// SAFETY: the system's allocator does the work; counting touches no memory of its caller's.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promises, passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promises, passed on.
        unsafe { System.dealloc(ptr, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const TASKS: usize = 1_000_000;

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
    // The bytes are counted for the whole program, so one test at a time.
    static ALONE: Mutex<()> = Mutex::new(());
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let runtime = Builder::new().procs(2).build().unwrap();
    let future = size_of::<F>();
    let (live, pages) = (LIVE.load(Ordering::Relaxed), resident());
    for _ in 0..TASKS {
        drop(runtime.spawn(make()));
    }
    let polls = || runtime.metrics().procs.iter().map(|proc| proc.polls).sum::<u64>();
    eventually(|| polls() >= TASKS as u64);
    let beyond = |bytes: usize| bytes as f64 / TASKS as f64 - future as f64;
    let asked = beyond(LIVE.load(Ordering::Relaxed) - live);
    let resident = beyond(resident() - pages);
    println!(
        "{what}, beyond its future of {future} bytes: {asked:.1} bytes asked of the allocator, \
         {resident:.1} resident"
    );
    assert_eq!(runtime.metrics().live_tasks, TASKS);
    end();
    drop(runtime);
    // The memory of a burst goes back; the last machine to end may still hold some as the drop returns. What queues have
    // outgrown is freed by whoever uses one next: nobody does any more, so this thread collects it.
    eventually(|| {
        crossbeam_epoch::pin().flush();
        LIVE.load(Ordering::Relaxed).saturating_sub(live) < 1 << 20
    });
    asked
}

#[test]
fn a_blocked_task_costs_a_hundred_bytes_beyond_its_future() {
    within(240, || {
        let asked = cost_beyond_the_future("a task that waits", pending::<()>, || ());
        assert!(asked <= 100.0, "{asked} bytes");
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
        let asked = cost_beyond_the_future("a task that waits to receive", wait, move || drop(tx));
        assert!(asked <= 100.0, "{asked} bytes");
    });
}
