//! Three stages, each a task, joined by channels: validate → process → enrich.
//!
//! ```text
//!   orders ──► validate ──► process ──► enrich ──► receipts        a context runs through all stages
//! ```
//!
//! All stages work at the same time, on different orders. Backpressure comes for free: a stage that is slow fills
//! the channel before it, and whoever is ahead waits. The interesting part is stopping early. When the reader of
//! the last channel goes away, or the context ends, every stage must notice, also the one that waits to send;
//! otherwise each such pipeline leaves its tasks behind, and a server that runs many of them grows for ever.

use std::process::ExitCode;

use clap::Parser;
use pirn::channel::{Receiver, bounded};
use pirn::{Context, select};
use pirn_examples::{MOST, Outcome, check_eq, check_no_task_is_left, finish, live_tasks};

/// Orders pass through three stages, to their end and with an early stop; no task is left behind.
#[derive(Parser)]
pub(crate) struct Args {
    /// How many orders are placed
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(..=MOST))]
    orders: u32,
}

#[pirn::main]
async fn main() -> ExitCode {
    finish(run).await
}

#[derive(Clone, Debug, PartialEq)]
struct Order {
    id: u32,
    cents: i64,
}

#[derive(Clone, Debug, PartialEq)]
struct Receipt {
    id: u32,
    total: i64,
    text: String,
}

/// A stage: what `step` makes of each value of `input`, where it makes anything, until the context ends.
fn stage<A, B>(
    ctx: &Context,
    input: Receiver<A>,
    mut step: impl FnMut(A) -> Option<B> + Send + 'static,
) -> Receiver<B>
where
    A: Send + 'static,
    B: Send + 'static,
{
    let (send, output) = bounded(1);
    let ctx = ctx.clone();
    pirn::go!({
        loop {
            let value = select! {
                value = input.recv() => match value {
                    Ok(value) => value,
                    Err(_) => return,
                },
                _ = ctx.done() => return,
            };
            let Some(value) = step(value) else { continue };
            select! {
                sent = send.send(value) => if sent.is_err() { return },
                _ = ctx.done() => return,
            }
        }
    });
    output
}

/// The whole pipeline over `orders`.
fn receipts(ctx: &Context, orders: Vec<Order>) -> Receiver<Receipt> {
    let (send, placed) = bounded(0);
    let source = ctx.clone();
    pirn::go!({
        for order in orders {
            select! {
                sent = send.send(order) => if sent.is_err() { return },
                _ = source.done() => return,
            }
        }
    });
    let valid = stage(ctx, placed, validate);
    let processed = stage(ctx, valid, |order| Some(process(order)));
    stage(ctx, processed, |(order, total)| Some(enrich(order, total)))
}

fn validate(order: Order) -> Option<Order> {
    if order.cents > 0 {
        return Some(order);
    }
    println!("  validate refuses order {}: {} cents", order.id, order.cents);
    None
}

fn process(order: Order) -> (Order, i64) {
    let tax = order.cents / 5;
    let total = order.cents + tax;
    println!("  process adds {tax} cents of tax to order {}", order.id);
    (order, total)
}

fn enrich(order: Order, total: i64) -> Receipt {
    let text = format!("order {}: {}.{:02}", order.id, total / 100, total % 100);
    println!("  enrich writes “{text}”");
    Receipt { id: order.id, total, text }
}

pub(crate) async fn run(args: Args) -> Outcome {
    let before = live_tasks();
    // Every fourth order is for nothing and will be refused.
    let orders: Vec<Order> = (1..=args.orders)
        .map(|id| Order { id, cents: if id % 4 == 0 { 0 } else { 250 * i64::from(id) } })
        .collect();

    println!("{} orders, to their end:", orders.len());
    let done = receipts(&Context::background(), orders.clone());
    let mut found = Vec::new();
    while let Ok(receipt) = done.recv().await {
        found.push((receipt.id, receipt.total));
    }
    let good = orders.iter().filter(|order| order.cents > 0);
    let expected: Vec<_> = good.map(|order| (order.id, order.cents + order.cents / 5)).collect();
    check_eq("every good order has its receipt, in order", found, expected)?;
    check_no_task_is_left(before).await?;

    println!("the same, stopped by the context after two receipts:");
    let (ctx, cancel) = Context::background().with_cancel();
    let done = receipts(&ctx, orders.clone());
    for _ in 0..2.min(args.orders) {
        let _ = done.recv().await;
    }
    cancel.cancel();
    check_no_task_is_left(before).await?;

    println!("the same, stopped by a reader who goes away after one receipt:");
    let done = receipts(&Context::background(), orders);
    let _ = done.recv().await;
    drop(done);
    check_no_task_is_left(before).await
}
