//! An echo server and the load client that measures it.
//!
//! ```text
//!   clients, a task each               server, a task per connection
//!   write 64 bytes ───────────────────► read what is there
//!   read the answer, check it ◄──────── write it back
//!        └─ again, until the time is up     └─ until the client closes
//! ```
//!
//! Each connection is a loop that reads as if it blocked. That is the whole point: a thousand of them share two
//! threads, since every `read` that finds nothing suspends its task only.
//!
//! With `--serve` it serves until Ctrl-C or SIGTERM; without, it serves itself a load and reports round trips per
//! second and how long they took.

use std::io;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use pirn::io::{AsyncReadExt, AsyncWriteExt};
use pirn::net::{TcpListener, TcpStream};
use pirn::select;
use pirn::signal::{self, Signal};
use pirn_examples::{Failure, Outcome, check, duration, exit};

/// Serves an echo, and measures it with a load of its own.
#[derive(Parser)]
struct Args {
    /// The address to listen on; port 0 picks a free one
    #[arg(long, default_value = "127.0.0.1:0", value_name = "HOST:PORT")]
    listen: String,
    /// Only serve, until Ctrl-C
    #[arg(long)]
    serve: bool,
    /// How many connections the load client keeps
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..))]
    connections: u32,
    /// How many bytes each message has
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..))]
    size: u32,
    /// How long the load lasts
    #[arg(long, default_value = "2s", value_parser = duration)]
    time: Duration,
}

#[pirn::main]
async fn main() -> ExitCode {
    exit(run(Args::parse()).await)
}

async fn run(args: Args) -> Outcome {
    let stop = signal::notify(&[Signal::INT, Signal::TERM]);
    let cannot = |error: io::Error| Failure::Input(format!("cannot listen on {}: {error}", args.listen));
    let listener = TcpListener::bind(args.listen.as_str()).await.map_err(cannot)?;
    let address = listener.local_addr().map_err(cannot)?;
    println!("listening on {address}");

    // A task, since what is spawned runs on the workers; the main future is polled by this thread alone.
    let server = pirn::spawn(serve(listener));
    let outcome = if args.serve {
        let _ = stop.recv().await;
        eprintln!("stopped");
        Ok(())
    } else {
        let load = pirn::spawn(load(address, args));
        select! {
            report = load => report.unwrap_or_else(|panic| Err(Failure::Wrong(panic.to_string()))),
            _ = stop.recv() => Err(Failure::Wrong("stopped before the load was done".to_owned())),
        }
    };
    server.abort();
    outcome
}

/// Accepts for ever.
async fn serve(listener: TcpListener) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => pirn::go!(echo(stream)),
            // Out of descriptors, most likely. The listener rests before it tries again.
            Err(error) => eprintln!("cannot accept: {error}"),
        }
    }
}

/// One connection, until its end.
async fn echo(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buf = [0; 4096];
    loop {
        let count = stream.read(&mut buf).await?;
        if count == 0 {
            return Ok(());
        }
        stream.write_all(&buf[..count]).await?;
    }
}

/// Runs the clients and reports.
async fn load(address: SocketAddr, args: Args) -> Outcome {
    let begin = Instant::now();
    let clients: Vec<_> = (0..args.connections)
        .map(|number| pirn::spawn(client(address, number, args.size as usize, begin + args.time)))
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

/// Sends and checks until `end`; returns how long each round trip took.
async fn client(address: SocketAddr, number: u32, size: usize, end: Instant) -> io::Result<Vec<Duration>> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let mut message = vec![number as u8; size];
    let (mut answer, mut trips) = (vec![0; size], Vec::new());
    loop {
        let sent = Instant::now();
        if sent >= end && !trips.is_empty() {
            return Ok(trips);
        }
        message[0] = message[0].wrapping_add(1);
        stream.write_all(&message).await?;
        stream.read_exact(&mut answer).await?;
        if answer != message {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the answer is not what was sent"));
        }
        trips.push(sent.elapsed());
    }
}
