//! Counts the lines of a stream, or of many streams, and prints every second how many came, and of which kind.
//!
//! ```text
//!   peer ──► reader ──┐
//!   peer ──► reader ──┼─ batches ──► statistics ──► a line per second
//!   peer ──► reader ──┘  (bounded)       ▲
//!                                        └── tick
//! ```
//!
//! A line is an event, and its first word is the kind of it. Readers are tasks, one per connection. Each counts what
//! one read has brought and sends that, a *batch*, instead of each line: so handing over costs little beside reading,
//! and since the channel is bounded, a slow terminal slows down the peers and fills no memory.
//!
//! The statistics are one task, the only one that knows the window: it needs no lock. It waits for three things at
//! once, which is what `select!` is for: the next batch, the next tick, the end.
//!
//! # Where it ends
//! With `--connect` at the stream's end; with `--listen` at SIGINT or SIGTERM. Then the readers take in what has
//! arrived, the channel closes as the last of them ends, and the totals are printed. The readers' totals and those
//! of the lines that were printed must agree, or the exit code is 1. When a line cannot be printed the statistics
//! end first, and with them the program, at once: there is nobody to count for.

use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Parser;
use pirn::channel::{Receiver, bounded};
use pirn::net::TcpStream;
use pirn::select;
use pirn::sync::Semaphore;
use pirn::time::interval;
use pirn_examples::server::{self, Stop};
use pirn_examples::{Failure, Outcome, check_eq, duration, finish};
use tracing::info;

mod source;
mod window;

use source::{Limits, Sources};
use window::{Batch, Window};

/// Counts the lines that come in over TCP, and prints rates every second.
///
/// Exit codes: 0 at the stream's end, or after a signal; 1 when a peer had to be cut off, the totals do not agree, or
/// a line cannot be printed; 2 when the address cannot be listened on or connected to.
#[derive(Parser)]
#[command(version)]
struct Args {
    /// The address to listen on; port 0 picks a free one
    #[arg(long, default_value = "127.0.0.1:7878", value_name = "HOST:PORT")]
    listen: String,
    /// Connect to this address and read from it, instead of listening
    #[arg(long, value_name = "HOST:PORT", conflicts_with = "listen")]
    connect: Option<String>,
    /// Over how long the rates of the kinds are taken
    #[arg(long, default_value = "10s", value_name = "D", value_parser = duration)]
    window: Duration,
    /// How often a line is printed
    #[arg(long, default_value = "1s", value_name = "D", value_parser = period)]
    every: Duration,
    /// How many kinds are named in a line
    #[arg(long, default_value_t = 5, value_name = "N")]
    top: usize,
    /// How long connections may go on after the first signal
    #[arg(long, default_value = "5s", value_name = "D", value_parser = duration)]
    grace: Duration,
    #[command(flatten)]
    limits: Limits,
}

fn period(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        Duration::ZERO => Err("that would be all the time".to_owned()),
        period => Ok(period),
    }
}

#[pirn::main]
async fn main() -> ExitCode {
    finish(run).await
}

async fn run(args: Args) -> Outcome {
    server::log();
    let stop = Stop::on_signals(args.grace);
    let (send, batches) = bounded(256);
    let sources = Arc::new(Sources { limits: args.limits.clone(), stop, batches: send });

    let window = Window::new(args.window, args.every);
    let mut statistics = pirn::spawn(statistics(batches, window, args.every, args.top));
    let (served, ended) = select! {
        // With the last reader goes the last sender, the channel closes, and the statistics end.
        served = serve(&args, sources) => match served {
            // It has not begun.
            Err(Failure::Input(_)) => return served,
            served => (served, statistics.await),
        },
        // Before that they end only by failing.
        ended = &mut statistics => (Ok(()), ended),
    };
    let totals = ended.map_err(|panic| Failure::Wrong(panic.to_string()))??;
    println!("{} lines, {} bytes, {} connections", totals.read.lines, totals.read.bytes, totals.connections);
    check_eq(
        "every line that was read was in one line of the statistics",
        totals.printed,
        totals.read.lines,
    )?;
    served
}

/// Has the sources read, to the end of the one stream or until the end of all.
async fn serve(args: &Args, sources: Arc<Sources>) -> Outcome {
    let stop = &sources.stop;
    if let Some(address) = &args.connect {
        let cannot = |error| Failure::Input(format!("cannot connect to {address}: {error}"));
        if let Ok(stream) = stop.draining.run(TcpStream::connect(address.as_str())).await {
            let stream = stream.map_err(cannot)?;
            info!(%address, "connected");
            sources.read(stream).await;
        }
        return Ok(());
    }
    let all = sources.limits.max_connections;
    server::raise_descriptors(all);
    let listener = server::listen(&args.listen).await?;
    let places = Arc::new(Semaphore::new(all));
    let serve = |stream, _peer, place| {
        let sources = sources.clone();
        pirn::go!({
            sources.read(stream).await;
            drop(place);
        });
    };
    let late = server::accept(listener, &stop.draining, &places, &serve).await;
    server::drained(stop, &places, all, late, &serve).await
}

/// What there was from the beginning.
#[derive(Default)]
struct Totals {
    read: Batch,
    connections: u64,
    /// The sum of what the printed lines said.
    printed: u64,
}

/// Takes batches until all readers are gone, and prints a line at each tick, and at the end.
async fn statistics(
    batches: Receiver<Batch>,
    mut window: Window,
    every: Duration,
    top: usize,
) -> Outcome<Totals> {
    let (mut totals, mut since_tick) = (Totals::default(), Batch::default());
    let mut ticks = interval(every);
    // The first is at once: there is nothing to tell yet.
    ticks.tick().await;
    // Ticks may be late or left out, and the last one is cut short: what passed in between is looked up.
    let mut last = Instant::now();
    loop {
        select! {
            batch = batches.recv() => match batch {
                Ok(batch) => {
                    totals.connections += u64::from(batch.is_first);
                    since_tick.add(&batch);
                }
                Err(_) => break,
            },
            _ = ticks.tick() => {
                let took = last.elapsed();
                last += took;
                window.push(std::mem::take(&mut since_tick), took, &mut totals.read);
                totals.printed += print(&window, top)?;
            }
        }
    }
    if since_tick.lines > 0 {
        window.push(since_tick, last.elapsed(), &mut totals.read);
        totals.printed += print(&window, top)?;
    }
    Ok(totals)
}

/// Prints the line of the last tick, and returns how many lines it tells of.
fn print(window: &Window, top: usize) -> Outcome<u64> {
    let (last, took) = window.last();
    // The clock may not have moved for what came all at once.
    let rate = |lines: u64, over: Duration| lines as f64 / over.max(Duration::from_nanos(1)).as_secs_f64();
    let mut text = format!(
        "{:>8} lines {:>10.1} lines/s {:>10.1} KiB/s",
        last.lines,
        rate(last.lines, took),
        rate(last.bytes, took) / 1024.0,
    );
    for (kind, lines) in window.most_frequent(top) {
        text += &format!(
            "  {}: {:.1}/s",
            String::from_utf8_lossy(kind).escape_debug(),
            rate(lines, window.covered())
        );
    }
    writeln!(io::stdout(), "{text}").map_err(|error| Failure::Wrong(format!("cannot write: {error}")))?;
    Ok(last.lines)
}
