//! An HTTP service: hyper speaks the protocol, axum finds the handler, `pirn` runs it all.
//!
//! ```text
//!   GET  /task?ms=N     the result of work that takes N ms; 408 when that is more than its budget
//!   POST /task          the same, asked for by a body: {"ms": N}
//!   GET  /fanout?ms=N   asks three backends, which take N ms each, at once, and merges their answers; 504 when late
//!   GET  /metrics       what is going on, in Prometheus' text form
//! ```
//!
//! The point is the *context*. Each request has one, and all that is done for the request is done under it. It ends
//! with the handler, with the request's budget, with the server, and also when the client goes away: then
//! hyper drops the handler, and with it the guard that ends the context, and the work stops, wherever it is, in this
//! process or (over a connection that closes) in a backend.
//!
//! ```text
//!   connection          request (a node of a tree)              what is done for it
//!   ──────────          ──────────────────────────              ───────────────────
//!   stop.now ─┬─ peer ─┬─ GET /task ──── budget 2 s ─────────── work
//!             │        └─ GET /fanout ── budget 1 s ─┬────────── call profile
//!             └─ peer ── …                           ├────────── call inventory
//!                                                    └────────── call pricing
//! ```
//!
//! # Reading order
//! `routes.rs` has the handlers; `request.rs` gives each request its context and counts it; `connection.rs` sets the
//! limits, and drains; `patience.rs` cuts off whoever does not read; `fanout.rs` and `backends.rs` are the client and
//! the servers of `/fanout`; `metrics.rs` counts. What all servers here share is in `examples/server.rs`.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use clap::Parser;
use pirn::sync::Semaphore;
use pirn_examples::server::{self, Stop};
use pirn_examples::{Failure, Outcome, duration, finish};

mod backends;
mod connection;
mod fanout;
mod metrics;
mod patience;
mod request;
mod routes;

use connection::{Limits, Server};
use metrics::Metrics;
use routes::{App, Budgets};

/// Serves HTTP: /task?ms=N, /fanout and /metrics.
///
/// SIGINT or SIGTERM ends it: requests that have come are completed, and the exit code is 0. It is 1 when one had to
/// be cut off, by a second signal or by the end of the grace, and 2 when the address cannot be listened on.
#[derive(Parser)]
#[command(version)]
struct Args {
    /// The address to listen on; port 0 picks a free one
    #[arg(long, default_value = "127.0.0.1:8080", value_name = "HOST:PORT")]
    listen: String,
    /// How long a task may take
    #[arg(long, default_value = "2s", value_name = "D", value_parser = duration)]
    budget: Duration,
    /// How long the three backends may take together
    #[arg(long, default_value = "1s", value_name = "D", value_parser = duration)]
    fanout_budget: Duration,
    /// How long accepted requests may go on after the first signal
    #[arg(long, default_value = "30s", value_name = "D", value_parser = duration)]
    grace: Duration,
    #[command(flatten)]
    limits: Limits,
}

#[pirn::main]
async fn main() -> ExitCode {
    finish(run).await
}

async fn run(args: Args) -> Outcome {
    server::log();
    let stop = Stop::on_signals(args.grace);
    let metrics = Arc::new(Metrics::default());
    // A connection between the front and the backends has both its ends in this process.
    let inner = backends::connections(args.limits.max_connections);
    server::raise_descriptors(args.limits.max_connections.saturating_add(inner.saturating_mul(2)));
    let backends = backends::start(&stop, &args.limits).await?;
    let budgets = Budgets { task: args.budget, fanout: args.fanout_budget };
    let listener = server::listen(&args.listen).await?;
    let server = Server {
        router: routes::router(App { budgets, metrics: metrics.clone(), backends }),
        metrics,
        places: Arc::new(Semaphore::new(args.limits.max_connections)),
        limits: args.limits,
        stop,
        is_leaving: AtomicBool::new(false),
    };
    // A task, since what is spawned runs on the workers; the main future is polled by this thread alone.
    let served = pirn::spawn(server.serve(listener)).await;
    served.unwrap_or_else(|panic| Err(Failure::Wrong(panic.to_string())))
}
