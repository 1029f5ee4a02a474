//! A tree of tasks: each starts ten more, down to a million leaves, and adds up what they send back.
//!
//! It measures how much a task costs: about 1.1 million of them are started here, of which most exist at the same
//! time. A leaf sends its own number; everyone else sends the sum of its ten children.

use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use pirn::channel::{Sender, bounded};
use pirn_examples::{Failure, Outcome, check_eq, check_no_task_is_left, finish, live_tasks};

/// Adds up numbers with a tree of tasks in which every task has ten children.
#[derive(Parser)]
pub(crate) struct Args {
    /// How many leaves the tree has; rounded up to a power of ten
    #[arg(default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    leaves: u64,
}

#[pirn::main]
async fn main() -> ExitCode {
    finish(run).await
}

const CHILDREN: u64 = 10;

pub(crate) async fn run(args: Args) -> Outcome {
    let before = live_tasks();
    let leaves = CHILDREN.pow((args.leaves - 1).checked_ilog10().map_or(0, |digits| digits + 1));
    let begun = Instant::now();
    let (send, sum) = bounded(1);
    start(0, leaves, send);
    let sum = sum.recv().await.map_err(|_| Failure::Wrong("the root sent nothing".to_owned()))?;
    println!("{sum}, from {leaves} leaves in {:.2?}", begun.elapsed());
    check_eq("the sum is that of the numbers below the number of leaves", sum, leaves * (leaves - 1) / 2)?;
    check_no_task_is_left(before).await
}

/// Starts the task that adds up the `leaves` numbers from `first` on.
fn start(first: u64, leaves: u64, parent: Sender<u64>) {
    pirn::go!({
        let sum = if leaves == 1 {
            first
        } else {
            let (send, sums) = bounded(CHILDREN as usize);
            let share = leaves / CHILDREN;
            for child in 0..CHILDREN {
                start(first + child * share, share, send.clone());
            }
            drop(send);
            let mut sum = 0;
            while let Ok(part) = sums.recv().await {
                sum += part;
            }
            sum
        };
        // The parent waits for this, unless the whole tree is being torn down.
        let _ = parent.send(sum).await;
    });
}
