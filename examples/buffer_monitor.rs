//! A producer that is faster than its consumer, a small buffer between them, and a monitor that watches it fill.
//!
//! What to do when a buffer is full is a decision: wait (`send`), or give up this value (`try_send`), and then count
//! how many were given up. This producer does the second, like a logger that must not hold up its program.

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use pirn::channel::{Receiver, Sender, TrySendError, bounded};
use pirn::select;
use pirn::time::{interval, sleep, tick};
use pirn_examples::{Failure, Outcome, check, check_eq, finish};

/// Shows how full a buffer is while a fast producer drops what does not fit.
#[derive(Parser)]
pub(crate) struct Args {
    /// How many values are produced
    #[arg(long, default_value_t = 60)]
    values: u32,
    /// How many of them the buffer holds
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..))]
    capacity: u32,
}

#[pirn::main]
async fn main() -> ExitCode {
    finish(run).await
}

#[derive(Default)]
struct Produced {
    sent: Vec<u32>,
    dropped: usize,
}

async fn produce(values: u32, buffer: Sender<u32>) -> Produced {
    let mut produced = Produced::default();
    let mut pace = interval(Duration::from_millis(2));
    for value in 1..=values {
        pace.tick().await;
        match buffer.try_send(value) {
            Ok(()) => produced.sent.push(value),
            Err(TrySendError::Full(_)) => produced.dropped += 1,
            Err(TrySendError::Closed(_)) => break,
        }
    }
    produced
}

async fn consume(buffer: Receiver<u32>) -> Vec<u32> {
    let mut received = Vec::new();
    while let Ok(value) = buffer.recv().await {
        sleep(Duration::from_millis(10)).await;
        received.push(value);
    }
    received
}

pub(crate) async fn run(args: Args) -> Outcome {
    let (send, receive) = bounded(args.capacity as usize);
    // A receiver that only looks: `len` and `capacity` are for this, and for nothing that must be exact.
    let watched = receive.clone();
    let capacity = watched.capacity().unwrap_or(usize::MAX);
    let producer = pirn::spawn(produce(args.values, send));
    let mut consumer = pirn::spawn(consume(receive));

    let ticks = tick(Duration::from_millis(20));
    let mut fullest = 0;
    let received = loop {
        select! {
            _ = ticks.recv() => {
                let len = watched.len();
                fullest = fullest.max(len);
                println!("buffer {len:>2}/{capacity} {}", "#".repeat(len));
            }
            received = &mut consumer => break received.map_err(task_failed)?,
        }
    };
    let Produced { sent, dropped } = producer.await.map_err(task_failed)?;

    println!("{} values: {} received, {dropped} dropped", args.values, received.len());
    check("the buffer never held more than fits", fullest <= capacity)?;
    check_eq("what was sent was received, in order", &received, &sent)?;
    check_eq("the rest was dropped, and counted", received.len() + dropped, args.values as usize)?;
    check("a producer this fast must drop some", dropped > 0 || args.values <= args.capacity)
}

fn task_failed(error: pirn::JoinError) -> Failure {
    Failure::Wrong(format!("a task failed: {error}"))
}
