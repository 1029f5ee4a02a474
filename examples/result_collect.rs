//! Processes all inputs at the same time and collects every result, or error, in the inputs' order.
//!
//! There is one task for each input. Their handles stand in a list in the inputs' order, and whoever awaits the
//! handles one after the other gets the results in that order, however the tasks finish: a task that is done early
//! keeps its result in its handle. A task that panics spoils nothing but its own result.

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use pirn::time::sleep;
use pirn_examples::{Outcome, check_eq, finish};

/// Squares numbers concurrently; every input gets its result or its error, in order.
#[derive(Parser)]
pub(crate) struct Args {
    /// The inputs; what is not a number gives an error, and `panic` a panic
    #[arg(allow_negative_numbers = true, default_values_t = ["3", "1", "four", "1", "panic", "5", "-9"].map(String::from))]
    inputs: Vec<String>,
}

#[pirn::main]
async fn main() -> ExitCode {
    finish(run).await
}

async fn square(input: String, takes: Duration) -> Result<i64, String> {
    sleep(takes).await;
    assert!(input != "panic", "as the input says");
    let number: i64 = input.parse().map_err(|error| format!("{input:?}: {error}"))?;
    number.checked_mul(number).ok_or_else(|| format!("{number} is too large"))
}

/// What the same work gives without any tasks.
fn expected(input: &str) -> Result<i64, ()> {
    let number: i64 = input.parse().map_err(drop)?;
    number.checked_mul(number).ok_or(())
}

pub(crate) async fn run(args: Args) -> Outcome {
    let count = args.inputs.len();
    let running: Vec<_> = (0_u32..)
        .zip(&args.inputs)
        .map(|(index, input)| {
            // The first input takes longest, so that the tasks finish in another order than they started.
            let takes = Duration::from_millis(10) * (count as u32 - index);
            pirn::spawn(square(input.clone(), takes))
        })
        .collect();

    if args.inputs.iter().any(|input| input == "panic") {
        println!("(one of the tasks will panic, and say so on standard error; the others go on)");
    }
    let mut results = Vec::new();
    for (input, handle) in args.inputs.iter().zip(running) {
        let result = match handle.await {
            Ok(result) => result,
            Err(error) => Err(error.to_string()),
        };
        match &result {
            Ok(square) => println!("{input:>6}  →  {square}"),
            Err(error) => println!("{input:>6}  →  error: {error}"),
        }
        results.push(result.map_err(drop));
    }

    let expected = args.inputs.iter().map(|input| expected(input)).collect();
    check_eq("each input has its result or its error, in the inputs' order", results, expected)
}
