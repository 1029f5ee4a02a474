//! Two counters that run at the same time: the smallest program that shows what a task is.
//!
//! In Go this is `go count("left")`, twice. Each counter is a task. While one sleeps between two lines the other
//! gets the thread, so their lines interleave even where there is only one processor (`PIRN_PROCS=1`). The end
//! of `main` ends the program whether or not tasks still run; so `run` waits for both, by a [`WaitGroup`].

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use pirn::sync::{Mutex, WaitGroup};
use pirn::time::sleep;
use pirn_examples::{Outcome, check, check_eq, duration, finish};

/// Two counters that run at the same time, and a main task that waits for both.
#[derive(Parser)]
pub(crate) struct Args {
    /// How far each counter counts
    #[arg(long, default_value_t = 5)]
    count: usize,
    /// How long a counter sleeps after each line
    #[arg(long, default_value = "40ms", value_parser = duration)]
    pause: Duration,
}

#[pirn::main]
async fn main() -> ExitCode {
    finish(run).await
}

pub(crate) async fn run(args: Args) -> Outcome {
    let Args { count, pause } = args;
    let group = WaitGroup::new();
    let said = Arc::new(Mutex::new(Vec::new()));
    for name in ["left", "right"] {
        let done = group.guard();
        let said = said.clone();
        pirn::go!({
            for number in 1..=count {
                println!("{name:>5} {number}");
                said.lock().await.push(name);
                sleep(pause).await;
            }
            drop(done);
        });
    }
    group.wait().await;

    let said = said.lock().await;
    for name in ["left", "right"] {
        let lines = said.iter().filter(|said| **said == name).count();
        check_eq(&format!("the {name} counter came to its end"), lines, count)?;
    }
    if count > 1 && !pause.is_zero() {
        // Where one counter had waited for the other, the name would change only once.
        let changes = said.windows(2).filter(|pair| pair[0] != pair[1]).count();
        check("the two took turns", changes > 1)?;
    }
    Ok(())
}
