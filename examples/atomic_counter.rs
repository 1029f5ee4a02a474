//! Five workers add one to the same counter, a thousand times each, and nothing is lost.
//!
//! With a plain integer two workers on two processors could both read 41 and both write 42. The compiler refuses
//! such a program; an atomic addition reads and writes in one step. `Relaxed` suffices, because the counter
//! guards no other memory: what makes the total visible to `run` is that a task's end comes before its join.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use clap::Parser;
use pirn_examples::{Failure, MOST, Outcome, check_eq, finish};

/// Several workers increment one atomic counter; no increment is lost.
#[derive(Parser)]
pub(crate) struct Args {
    /// How many workers there are
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(..=MOST))]
    workers: u32,
    /// How often each worker adds one
    #[arg(long, default_value_t = 1000)]
    increments: u32,
}

#[pirn::main]
async fn main() -> ExitCode {
    finish(run).await
}

pub(crate) async fn run(args: Args) -> Outcome {
    let Args { workers, increments } = args;
    let counter = Arc::new(AtomicUsize::new(0));
    let workers: Vec<_> = (1..=workers)
        .map(|number| {
            let counter = counter.clone();
            let work = async move {
                for done in 1..=increments {
                    counter.fetch_add(1, Relaxed);
                    if done % 100 == 0 {
                        // Lets the others in between, so that the workers take turns even on one processor.
                        pirn::yield_now().await;
                    }
                }
                println!("worker {number} is done and sees {}", counter.load(Relaxed));
            };
            pirn::spawn(work)
        })
        .collect();

    let expected = workers.len() * increments as usize;
    for worker in workers {
        worker.await.map_err(|error| Failure::Wrong(format!("a worker failed: {error}")))?;
    }
    println!("{} increments were counted", counter.load(Relaxed));
    check_eq("no increment was lost", counter.load(Relaxed), expected)
}
