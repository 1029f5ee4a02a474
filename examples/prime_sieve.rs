//! The concurrent prime sieve: a chain of tasks, one for each prime found so far.
//!
//! ```text
//!   2, 3, 4, 5, …  ──►  no multiples of 2  ──►  no multiples of 3  ──►  no multiples of 5  ──►  …
//! ```
//!
//! The first number that comes out at the end of the chain is the next prime, and a filter for it is appended.
//! It is a famous program because it is so short, and a fine test of a scheduler because it does so little work
//! between two meetings: the hundredth prime costs thousands of them. The first prime needs no list of the others
//! and no task knows how long the chain is.
//!
//! Nothing tells the chain to stop. When the last receiver is dropped, the send of the filter before it fails, which
//! ends that filter and drops *its* receiver, and so on up to the source.

use std::process::ExitCode;

use clap::Parser;
use pirn::channel::{Receiver, bounded};
use pirn_examples::{Failure, Outcome, check_eq, check_no_task_is_left, finish, live_tasks};

/// Finds prime numbers with a chain of tasks.
#[derive(Parser)]
pub(crate) struct Args {
    /// How many primes to find
    #[arg(default_value_t = 100)]
    primes: usize,
}

#[pirn::main]
async fn main() -> ExitCode {
    finish(run).await
}

pub(crate) async fn run(args: Args) -> Outcome {
    let before = live_tasks();
    let mut found = Vec::new();
    let mut numbers = from_two();
    while found.len() < args.primes {
        let Ok(prime) = numbers.recv().await else {
            return Err(Failure::Wrong("the numbers ran out".to_owned()));
        };
        print!("{prime} ");
        found.push(prime);
        numbers = without_multiples(numbers, prime);
    }
    println!();
    drop(numbers);

    let expected: Vec<u64> = (2..).filter(|n| is_prime(*n)).take(args.primes).collect();
    check_eq("these are the first primes, by trial division", found, expected)?;
    check_no_task_is_left(before).await
}

/// 2, 3, 4 and so on.
fn from_two() -> Receiver<u64> {
    let (send, numbers) = bounded(0);
    pirn::go!({
        for number in 2.. {
            if send.send(number).await.is_err() {
                return;
            }
        }
    });
    numbers
}

/// What `numbers` yields, without the multiples of `prime`.
fn without_multiples(numbers: Receiver<u64>, prime: u64) -> Receiver<u64> {
    let (send, rest) = bounded(0);
    pirn::go!({
        while let Ok(number) = numbers.recv().await {
            if !number.is_multiple_of(prime) && send.send(number).await.is_err() {
                return;
            }
        }
    });
    rest
}

fn is_prime(number: u64) -> bool {
    (2..).take_while(|divisor| divisor * divisor <= number).all(|divisor| !number.is_multiple_of(divisor))
}
