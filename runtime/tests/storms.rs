//! The channels' storm on this runtime: selecting tasks that drop at every await, on one processor, on several, and beside tasks
//! that hold their threads. Values are conserved and nobody is left asleep.
//!
//! `PIRN_STORM_SECS` says how long each of them blows.

// Formatted with its own crate, whose edition orders imports differently.
#[rustfmt::skip]
#[path = "../../channel/tests/storm/mod.rs"]
mod storm;

use pirn::{Builder, Runtime};
use std::time::Duration;
use storm::{Books, channels, consume, produce, storm};

fn round(runtime: &Runtime, round: u64) {
    let (tasks, n) = (8, 1000);
    let books = Books::new(tasks * n);
    let (txs, rxs) = channels(6);
    let mut handles = Vec::new();
    for task in 0..tasks {
        handles.push(runtime.spawn(produce(txs.clone(), books.clone(), task * n, n)));
        handles.push(runtime.spawn(consume(rxs.clone(), books.clone(), task + 50 + round * 100)));
    }
    drop((txs, rxs));
    handles.into_iter().for_each(|handle| runtime.block_on(handle).unwrap());
    books.check();
}

#[test]
fn storm_of_selecting_tasks_on_one_processor() {
    let runtime = Builder::new().procs(1).build().unwrap();
    storm(move |number| round(&runtime, number));
}

#[test]
fn storm_of_selecting_tasks_on_several_processors() {
    let runtime = Builder::new().procs(3).build().unwrap();
    storm(move |number| round(&runtime, number));
}

#[test]
fn storm_of_selecting_tasks_beside_a_task_that_blocks_its_thread() {
    let runtime = Builder::new().procs(2).build().unwrap();
    let hog = runtime.spawn(async {
        loop {
            std::thread::sleep(Duration::from_millis(5));
            pirn::yield_now().await;
        }
    });
    storm(move |number| {
        round(&runtime, number);
        assert!(!hog.is_finished());
    });
}
