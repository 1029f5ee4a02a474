//! A guided tour: runs the programs one after another, each with a heading and a line that says what it shows.
//!
//! Every program is the file that one can also run by itself. It is taken in as a module, and its `run` is called
//! with the arguments that it would have by default. A program that fails does not stop the tour; the summary at
//! the end says which did, and the exit code is then 1.

use std::pin::Pin;
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use pirn_examples::{Failure, Outcome, finish, live_tasks, tasks_left};

/// Takes the programs in as modules and lists them, in the order of the tour.
macro_rules! programs {
    ($($name:ident: $shows:literal,)*) => {
        // A program's own `main` has no use here.
        $(#[allow(dead_code)] mod $name;)*

        const PROGRAMS: &[Program] = &[$(Program {
            name: stringify!($name),
            shows: $shows,
            run: || Box::pin($name::run($name::Args::parse_from([stringify!($name)]))),
        },)*];
    };
}

programs! {
    hello_tasks: "Two tasks count at the same time, and the main task waits for both.",
    ping_pong_channels: "Two tasks alternate by handing the turn to each other through unbuffered channels.",
    ping_pong_cond: "The same alternation through a mutex and a condition variable.",
    atomic_counter: "Five workers increment one counter, and nothing is lost.",
    worker_pool: "A fixed number of workers turns jobs into results, each under a time limit.",
    fan_in: "Many channels are merged into one, to their end or until a context ends.",
    fetch_timeout: "A call that may be slow runs against a clock.",
    buffer_monitor: "A fast producer drops what does not fit, and a monitor watches the buffer.",
    result_collect: "All inputs are processed at once, and every result or error is kept in order.",
    pipeline: "Three stages work at the same time, and stopping early leaves no task behind.",
    semaphore_limit: "A channel, and beside it a semaphore, bound how many calls run at once.",
    word_loop: "The words of a sentence are handed to tasks one by one.",
    token_cache: "One task keeps a token fresh for everybody, and survives failures until there are too many.",
}

struct Program {
    name: &'static str,
    shows: &'static str,
    run: fn() -> Pin<Box<dyn Future<Output = Outcome>>>,
}

/// Runs the programs of this folder one after another and checks each of them.
#[derive(Parser)]
struct Args {
    /// Run only these programs
    #[arg(value_parser = PROGRAMS.iter().map(|program| program.name).collect::<Vec<_>>())]
    only: Vec<String>,
}

#[pirn::main]
async fn main() -> ExitCode {
    finish(tour).await
}

async fn tour(args: Args) -> Outcome {
    let chosen = PROGRAMS
        .iter()
        .filter(|program| args.only.is_empty() || args.only.iter().any(|name| name == program.name));
    let chosen: Vec<&Program> = chosen.collect();
    let begun = Instant::now();
    let mut failed = Vec::new();
    for (number, program) in (1..).zip(&chosen) {
        println!("\n── {number}. {} ──\n{}\n", program.name, program.shows);
        let before = live_tasks();
        if let Err(failure) = (program.run)().await {
            println!("  ✗ {failure}");
            failed.push(program.name);
        }
        let left = tasks_left(before).await;
        if left > 0 {
            println!("  ✗ it left {left} tasks behind");
            failed.push(program.name);
        }
    }

    let took = begun.elapsed();
    println!("\n── summary ──");
    println!("{} programs in {took:.1?}, on {} processors", chosen.len(), pirn::procs());
    if failed.is_empty() {
        println!("every check held");
        return Ok(());
    }
    Err(Failure::Wrong(format!("these failed: {}", failed.join(", "))))
}
