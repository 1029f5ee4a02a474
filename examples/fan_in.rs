//! Merges any number of channels into one.
//!
//! ```text
//!    source 1 ──► forwarder ──┐
//!    source 2 ──► forwarder ──┼──► merged     closes when every source has closed,
//!    source 3 ──► forwarder ──┘               or when the context ends
//! ```
//!
//! Each source has a forwarder, a task that holds a sender of the merged channel. Nobody counts them: the merged
//! channel closes by itself when the last of its senders is gone. A forwarder that waits (for its source or for
//! room in the merged channel) also listens to the context; without that, cancelling would leave it asleep for
//! ever beside a source that never speaks again.

use std::collections::BTreeMap;
use std::process::ExitCode;

use clap::Parser;
use pirn::channel::{Receiver, Sender, bounded};
use pirn::{Context, select};
use pirn_examples::{MOST, Outcome, check, check_eq, check_no_task_is_left, finish, live_tasks};

/// Merges many sources into one channel, to their end or until a context ends.
#[derive(Parser)]
pub(crate) struct Args {
    /// How many sources are merged
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=MOST))]
    sources: u32,
    /// How many values each source has
    #[arg(long, default_value_t = 4)]
    values: u32,
}

#[pirn::main]
async fn main() -> ExitCode {
    finish(run).await
}

/// One channel that yields what all of `sources` yield, each source in its own order.
fn merge<T: Send + 'static>(ctx: &Context, sources: Vec<Receiver<T>>) -> Receiver<T> {
    let (into, merged) = bounded(0);
    for source in sources {
        pirn::go!(forward(ctx.clone(), source, into.clone()));
    }
    merged
}

async fn forward<T>(ctx: Context, from: Receiver<T>, into: Sender<T>) {
    loop {
        let value = select! {
            value = from.recv() => match value {
                Ok(value) => value,
                Err(_) => return,
            },
            _ = ctx.done() => return,
        };
        select! {
            sent = into.send(value) => if sent.is_err() { return },
            _ = ctx.done() => return,
        }
    }
}

/// A channel that yields `(name, 1)`, `(name, 2)` and so on up to `last`, or for as long as somebody listens.
fn count(name: u32, last: Option<u32>) -> Receiver<(u32, u32)> {
    let (send, numbers) = bounded(0);
    pirn::go!({
        for number in 1..=last.unwrap_or(u32::MAX) {
            if send.send((name, number)).await.is_err() {
                return;
            }
        }
    });
    numbers
}

pub(crate) async fn run(args: Args) -> Outcome {
    let before = live_tasks();
    println!("{} sources with {} values each, to their end:", args.sources, args.values);
    let sources = (1..=args.sources).map(|name| count(name, Some(args.values))).collect();
    let merged = merge(&Context::background(), sources);
    let mut seen: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    while let Ok((name, number)) = merged.recv().await {
        println!("  source {name} says {number}");
        seen.entry(name).or_default().push(number);
    }
    let in_order = seen.values().all(|numbers| numbers.iter().copied().eq(1..=args.values));
    check("each source was heard in its own order, to its end", in_order)?;
    let heard = seen.values().map(Vec::len).sum();
    check_eq(
        "every value of every source came through",
        heard,
        args.sources as usize * args.values as usize,
    )?;

    println!("the same with sources that never end, until the context is cancelled:");
    let (ctx, cancel) = Context::background().with_cancel();
    let merged = merge(&ctx, (1..=args.sources).map(|name| count(name, None)).collect());
    for _ in 0..10 {
        let (name, number) = merged.recv().await.expect("an endless source goes on");
        println!("  source {name} says {number}");
    }
    cancel.cancel();
    // What a forwarder was handing over as the context ended may still arrive. Then the channel closes.
    let mut more = 0;
    while merged.recv().await.is_ok() {
        more += 1;
    }
    println!("  cancelled; {more} more came");
    check("the merged channel closes once the context has ended", merged.is_closed())?;
    check_no_task_is_left(before).await
}
