//! Where a storm runs: executors of others, and plain threads.

use std::time::Duration;

use pirn_sync::block;

use crate::driver::drive;
use crate::{Executor, Storm, Task};

/// Runs the storm that `storm` makes from a generator on every executor, each under the limit.
pub(crate) fn everywhere(storm: Storm) {
    let executors: [(&str, Executor); 4] = [
        ("tokio, two threads", on_tokio),
        ("tokio, one thread", on_tokio_alone),
        ("smol", on_smol),
        ("threads", on_threads),
    ];
    drive(&executors, Duration::ZERO, storm);
}

fn on_tokio(tasks: Vec<Task>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    run_on(&runtime, tasks);
}

fn on_tokio_alone(tasks: Vec<Task>) {
    run_on(&tokio::runtime::Builder::new_current_thread().build().unwrap(), tasks);
}

fn run_on(runtime: &tokio::runtime::Runtime, tasks: Vec<Task>) {
    runtime.block_on(async {
        let tasks: Vec<_> = tasks.into_iter().map(tokio::spawn).collect();
        for task in tasks {
            task.await.unwrap();
        }
    });
}

fn on_smol(tasks: Vec<Task>) {
    let executor = smol::Executor::new();
    let tasks: Vec<_> = tasks.into_iter().map(|task| executor.spawn(task)).collect();
    std::thread::scope(|scope| {
        let (stop, stopped) = smol::channel::bounded::<()>(1);
        for _ in 0..2 {
            let (executor, stopped) = (&executor, stopped.clone());
            scope.spawn(move || smol::future::block_on(executor.run(stopped.recv())));
        }
        smol::future::block_on(async {
            for task in tasks {
                task.await;
            }
        });
        drop(stop);
    });
}

fn on_threads(tasks: Vec<Task>) {
    let threads: Vec<_> = tasks.into_iter().map(|task| std::thread::spawn(|| block::wait(task))).collect();
    for thread in threads {
        thread.join().unwrap();
    }
}
