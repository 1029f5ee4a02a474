//! An echo server and the load client that measures it.
//!
//! ```text
//!   clients, a task each               server, a task per connection
//!   write 64 bytes, and meanwhile ────► read what is there
//!   read the answer; check it ◄──────── write it back
//!        └─ again, until the time is up     └─ until the client closes
//! ```
//!
//! Each connection is a loop that reads as if it blocked. That is the whole point: a thousand of them share two
//! threads, since every `read` that finds nothing suspends its task only.
//!
//! With `--serve` it serves until SIGINT or SIGTERM; without, it serves itself a load and reports round trips per
//! second and how long they took. The signal drains it: the port is closed, what clients have sent by then is sent
//! back, and after a moment connections are closed.

use std::io;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Parser;
use futures_lite::future::try_zip;
use pirn::io::{AsyncReadExt, AsyncWriteExt};
use pirn::net::{TcpListener, TcpStream};
use pirn::select;
use pirn::sync::Semaphore;
use pirn::time::timeout;
use pirn_examples::server::{self, LastReads, Linger, Stop};
use pirn_examples::{Failure, MOST, Outcome, check, duration, finish};
use tracing::{debug, info};

/// How long a connection is still waited for after the signal to stop, and then for the client to close it.
const LINGER: Duration = Duration::from_millis(200);

/// Serves an echo, and measures it with a load of its own.
///
/// Exit codes: 0 after the load, or after a signal; 1 when an answer was wrong, or a connection had to be cut off; 2
/// when the address cannot be listened on.
#[derive(Parser)]
#[command(version)]
struct Args {
    /// The address to listen on; port 0 picks a free one
    #[arg(long, default_value = "127.0.0.1:0", value_name = "HOST:PORT")]
    listen: String,
    /// Only serve, until SIGINT or SIGTERM
    #[arg(long)]
    serve: bool,
    /// How many connections are served at once; more wait to be accepted
    #[arg(long, default_value_t = 10_000, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    max_connections: u32,
    /// How long a client may leave its echo unread
    #[arg(long, default_value = "10s", value_name = "D", value_parser = duration)]
    write_timeout: Duration,
    /// How long connections may go on after the first signal
    #[arg(long, default_value = "5s", value_name = "D", value_parser = duration)]
    grace: Duration,
    /// How many connections the load client keeps
    #[arg(long, default_value_t = 64, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=MOST))]
    connections: u32,
    /// How many bytes each message has, 16 MiB at most
    #[arg(long, default_value_t = 64, value_name = "BYTES", value_parser = clap::value_parser!(u32).range(1..=1 << 24))]
    size: u32,
    /// How long the load lasts
    #[arg(long, default_value = "2s", value_name = "D", value_parser = duration)]
    time: Duration,
}

#[pirn::main]
async fn main() -> ExitCode {
    finish(run).await
}

async fn run(args: Args) -> Outcome {
    server::log();
    let stop = Stop::on_signals(args.grace);
    let all = args.max_connections as usize;
    // The load's ends of its connections are descriptors too.
    let load_ends = if args.serve { 0 } else { args.connections as usize };
    server::raise_descriptors(all + load_ends);
    let listener = server::listen(&args.listen).await?;
    let address = listener.local_addr().map_err(|error| Failure::Wrong(error.to_string()))?;
    // The clients could take all there are, and wait for a server that has none left to accept them with.
    server::room_for(2 * load_ends).map_err(|error| {
        let message = format!("the load needs {} descriptors more: {error}", 2 * load_ends);
        Failure::Input(format!("{message}; raise `ulimit -n`, or have fewer --connections"))
    })?;

    // A task, since what is spawned runs on the workers; the main future is polled by this thread alone.
    let server = pirn::spawn(serve(listener, stop.clone(), all, args.write_timeout));
    if args.serve {
        return server.await.unwrap_or_else(|panic| Err(Failure::Wrong(panic.to_string())));
    }
    let load = pirn::spawn(load(address, args));
    select! {
        report = load => report.unwrap_or_else(|panic| Err(Failure::Wrong(panic.to_string()))),
        _ = stop.draining.done() => Err(Failure::Wrong("stopped before the load was done".to_owned())),
    }
}

/// Accepts until it is stopped, and returns when nobody is left.
async fn serve(listener: TcpListener, stop: Stop, all: usize, write_timeout: Duration) -> Outcome {
    let places = Arc::new(Semaphore::new(all));
    let serve = |stream, peer, place| {
        let stop = stop.clone();
        pirn::go!({
            match connection(stream, &stop, write_timeout).await {
                Ok(()) => debug!(%peer, "closed"),
                Err(error) => info!(%peer, %error, "ended early"),
            }
            drop(place);
        });
    };
    let late = server::accept(listener, &stop.draining, &places, &serve).await;
    server::drained(&stop, &places, all, late, &serve).await
}

/// One connection, until its end.
async fn connection(stream: TcpStream, stop: &Stop, write_timeout: Duration) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let stream = Arc::new(stream);
    // The loop knows nothing of signals: when the server drains, its reads get a deadline.
    let hang_up = stop.draining.after_func({
        let stream = stream.clone();
        move || stream.set_read_deadline(Instant::now() + LINGER)
    });
    // A node of its own below the context that all share: what it does often, it does here.
    let (alive, _gone) = stop.now.with_cancel();
    let echoed = alive.run(echo(&stream, write_timeout)).await;
    hang_up.stop();
    echoed.unwrap_or_else(|stopped| Err(io::Error::other(stopped)))
}

/// Reads and writes back, until the client closes, or there is a deadline for reads, it passes, and what has arrived by
/// then is written back.
async fn echo(mut stream: &TcpStream, write_timeout: Duration) -> io::Result<()> {
    let (mut buf, mut reads) = ([0; 4096], LastReads::default());
    loop {
        let count = reads.read(stream, &mut buf).await?;
        if count == 0 {
            return Linger::new(LINGER, usize::MAX).on(stream).await;
        }
        let written = timeout(write_timeout, stream.write_all(&buf[..count])).await;
        written.unwrap_or_else(|late| Err(io::Error::new(io::ErrorKind::TimedOut, late)))?;
    }
}

/// Runs the clients and reports.
async fn load(address: SocketAddr, args: Args) -> Outcome {
    let begin = Instant::now();
    // None if the clock cannot tell it: then only a signal ends the load.
    let end = begin.checked_add(args.time);
    let clients: Vec<_> = (0..args.connections)
        .map(|number| pirn::spawn(client(address, number, args.size as usize, end)))
        .collect();
    let mut trips = Vec::new();
    for client in clients {
        let done = client.await.map_err(|panic| Failure::Wrong(panic.to_string()))?;
        trips.extend(done.map_err(|error| Failure::Wrong(format!("a connection failed: {error}")))?);
    }
    let elapsed = begin.elapsed();

    trips.sort_unstable();
    let at = |share: f64| trips[((trips.len() - 1) as f64 * share) as usize];
    check("every answer was the message that was sent", !trips.is_empty())?;
    println!("{} connections, {} bytes, {:.1} s", args.connections, args.size, elapsed.as_secs_f64());
    println!("{:.0} round trips per second", trips.len() as f64 / elapsed.as_secs_f64());
    println!("median {:?}, 99th percentile {:?}, longest {:?}", at(0.5), at(0.99), at(1.0));
    Ok(())
}

/// Sends and checks until `end`, if there is one; returns how long each round trip took.
async fn client(
    address: SocketAddr,
    number: u32,
    size: usize,
    end: Option<Instant>,
) -> io::Result<Vec<Duration>> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (mut there, mut back) = (&stream, &stream);
    let mut message = vec![number as u8; size];
    let (mut answer, mut trips) = (vec![0; size], Vec::new());
    loop {
        let sent = Instant::now();
        if end.is_some_and(|end| sent >= end) && !trips.is_empty() {
            return Ok(trips);
        }
        message[0] = message[0].wrapping_add(1);
        // At once: a message that the sockets between us cannot hold comes back before it has gone.
        try_zip(there.write_all(&message), back.read_exact(&mut answer)).await?;
        if answer != message {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the answer is not what was sent"));
        }
        trips.push(sent.elapsed());
    }
}
