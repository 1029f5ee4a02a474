//! A key-value server that speaks the Redis protocol.
//!
//! ```text
//!   socket ─► frame.rs ─► command.rs ─► command/*.rs ─► db.rs      the keyspace: sharded, each shard under its lock
//!     ▲       requests    table, arity,  one file per    │  └ expiry.rs     one task that sleeps until a key is due
//!     │                   flags          kind of value   ▼
//!     └── one write ◄── reply.rs ◄──────────────── pubsub.rs                channels: a mailbox per subscriber
//!          connection.rs: a task per client               server.rs: accepts, and ends in good order
//! ```
//!
//! Each connection is a task that reads as if it blocked; ten thousand of them cost a few kilobytes each
//! (`buffers.rs`). Commands run where their connection's task runs, on any processor, and meet in a shard for the
//! length of one command.
//!
//! Read `connection.rs` first, then follow a request: `frame.rs`, `command.rs`, `command/strings.rs`, `db.rs`.
//! `docs/kv-server.md` says how it differs from Redis and how it was measured.

use std::process::ExitCode;
use std::sync::Arc;

use pirn::net::TcpListener;
use pirn_examples::server::{Stop, log_up_to, raise_descriptors};
use pirn_examples::{Failure, Outcome, arguments, start};

mod buffers;
mod clients;
mod command;
mod connection;
mod db;
mod error;
mod expiry;
mod frame;
mod integer;
mod memory;
mod options;
mod pubsub;
mod pulse;
mod reply;
mod server;
mod session;

use options::Options;
use server::Server;

fn main() -> ExitCode {
    memory::give_back_large_blocks();
    let options: Options = arguments();
    log_up_to(options.log);
    if let Some(procs) = options.procs {
        let installed = pirn::Builder::new().procs(procs.into()).install_global();
        installed.expect("nothing has used the global runtime before");
    }
    start(run(options))
}

async fn run(options: Options) -> Outcome {
    let stop = Stop::on_signals(options.drain);
    let cannot = |error: std::io::Error| {
        let address = &options.listen;
        Failure::Input(format!("cannot listen on {address}: {error}; --listen chooses another address"))
    };
    let listener = TcpListener::bind(options.listen.as_str()).await.map_err(cannot)?;
    let address = listener.local_addr().map_err(cannot)?;
    raise_descriptors(options.max_clients);
    let server = Arc::new(Server::new(&options, address));
    let (procs, maxmemory) = (pirn::procs(), server.maxmemory);
    tracing::info!(%address, procs, maxmemory, max_clients = options.max_clients, "serving");
    println!("listening on {address}");
    // A task, since what is spawned runs on the workers; this future is polled by the main thread alone.
    let served = pirn::spawn(server::run(server, listener, stop)).await;
    served.unwrap_or_else(|panic| Err(Failure::Wrong(panic.to_string())))
}
