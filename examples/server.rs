//! What the servers among the programs share: how one listens, how it stops, how its connections end, how it keeps a
//! log, and how it gets by with its descriptors.
//!
//! ```text
//!              first signal                 nobody left, or          the end
//!   accepting ─────────────► draining ────► the grace is over ─────► exit code 0, or 1
//!      │                        │           or a second signal           if somebody was cut off
//!      │ a task per connection  │ no new connections; what
//!      │ each holds a place     │ was accepted is completed
//! ```
//!
//! Two contexts say it to everybody who has to know: [`draining`](Stop::draining) ends with the first signal,
//! [`now`](Stop::now) when patience does. A semaphore counts the connections: each holds one of its permits, so
//! there are never more of them than it has permits; and when all are back, nobody is left.

use std::io::{self, IsTerminal};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use pirn::net::{TcpListener, TcpStream};
use pirn::signal::{self, Signal};
use pirn::sync::{OwnedSemaphorePermit, Semaphore};
use pirn::time::sleep;
use pirn::{Context, select};
use tracing::level_filters::LevelFilter;
use tracing::{info, warn};

use crate::{Failure, Outcome};

mod descriptors;
mod last;
mod refusals;

pub use descriptors::{raise_descriptors, room_for};
pub use last::{LastReads, Linger, unread};
pub use refusals::Refusals;

/// Writes the log to standard error; `RUST_LOG=debug` shows more of it, `RUST_LOG=off` nothing.
pub fn log() {
    let level = std::env::var("RUST_LOG").ok().and_then(|level| level.parse().ok());
    log_up_to(level.unwrap_or(LevelFilter::INFO));
}

/// Writes the log of this level and the ones above it to standard error. What cannot be written there is lost.
pub fn log_up_to(level: LevelFilter) {
    tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        // It would say on standard error that standard error takes nothing, and panic since that fails as well.
        .log_internal_errors(false)
        .init();
}

/// Listens on `address` (`HOST:PORT`), and says so on standard output.
///
/// # Errors
/// [`Failure::Input`] with the reason: the port is taken, say.
pub async fn listen(address: &str) -> Outcome<TcpListener> {
    let cannot = |error: io::Error| Failure::Input(format!("cannot listen on {address}: {error}"));
    let listener = TcpListener::bind(address).await.map_err(cannot)?;
    println!("listening on {}", listener.local_addr().map_err(cannot)?);
    Ok(listener)
}

/// Reads from the command line how many connections there may be at once: one at least, and no more than a
/// semaphore can count.
///
/// # Errors
/// What is wrong with the number.
pub fn connections(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("there must be room for one".to_owned()),
        Ok(number) if number > Semaphore::MAX_PERMITS => {
            Err(format!("no more than {} can be counted", Semaphore::MAX_PERMITS))
        }
        Ok(number) => Ok(number),
        Err(error) => Err(error.to_string()),
    }
}

/// How a server is told to stop.
#[derive(Clone, Debug)]
pub struct Stop {
    /// Ends when nothing new is to be begun.
    pub draining: Context,
    /// Ends when there is no more time for what was begun.
    pub now: Context,
}

impl Stop {
    /// Drains at the first SIGINT or SIGTERM; stops at the second, or when the draining takes longer than `grace`.
    pub fn on_signals(grace: Duration) -> Self {
        // Asked for here, and not in the task: from now on no signal ends the process by itself.
        let signals = signal::notify(&[Signal::INT, Signal::TERM]);
        let (draining, drain) = Context::background().with_cancel();
        let (now, stop) = Context::background().with_cancel();
        pirn::go!({
            let Ok(signal) = signals.recv().await else { return };
            info!(%signal, ?grace, "draining; a second signal stops at once");
            drain.cancel();
            select! {
                _ = signals.recv() => warn!("a second signal: stopping at once"),
                _ = sleep(grace) => warn!(?grace, "the grace is over: stopping"),
            }
            stop.cancel();
        });
        Self { draining, now }
    }
}

/// One connection's place among those that there may be at once. Dropping it makes room.
pub type Place = OwnedSemaphorePermit;

/// Those who were in the kernel's queue when the port was closed, and for whom there was no place.
pub type Late = Vec<(TcpStream, SocketAddr)>;

/// Accepts until `draining` ends, and then all who are in the kernel's queue; then the port is closed.
///
/// `serve` starts a task for the connection, which keeps the place for as long as it lives. While there is no place
/// nobody is accepted: the others wait in the kernel's queue. At the end nobody is waited for: a place may not become
/// free before its owner is told that the server drains, and that is to be told only once the port is closed. So
/// those who find none are returned, for [`drained`].
pub async fn accept(
    listener: TcpListener,
    draining: &Context,
    places: &Arc<Semaphore>,
    serve: &impl Fn(TcpStream, SocketAddr, Place),
) -> Late {
    let next = async || (place(places).await, listener.accept().await);
    let mut refusals = Refusals::default();
    while let Ok((place, accepted)) = draining.run(next()).await {
        match accepted {
            Ok((stream, peer)) => serve(stream, peer, place),
            // Out of descriptors, most likely. The listener rests before it tries again.
            Err(error) => refusals.note(&error),
        }
    }
    // Whoever is in the queue has been told that it is connected. Std's listener does not wait for more.
    let queue = listener.into_std();
    let mut late = Late::new();
    while let Ok((stream, peer)) = queue.accept() {
        let Ok(stream) = TcpStream::from_std(stream) else { continue };
        match places.clone().try_acquire_owned() {
            Ok(place) => serve(stream, peer, place),
            Err(_) => late.push((stream, peer)),
        }
    }
    late
}

async fn place(places: &Arc<Semaphore>) -> Place {
    places.clone().acquire_owned().await.expect("nobody closes this semaphore")
}

/// Serves those who are late as places become free, and waits until all are free again; also when there is no more
/// time: then everybody ends soon, and who is late still is not served at all. It is called as soon as the port is
/// closed: it knows only of those who are there then.
///
/// # Errors
/// [`Failure::Wrong`] when there was no more time, and somebody may have been cut off.
pub async fn drained(
    stop: &Stop,
    places: &Arc<Semaphore>,
    all: usize,
    late: Late,
    serve: &impl Fn(TcpStream, SocketAddr, Place),
) -> Outcome {
    // Without looking at the time first: where nobody is left nobody is cut off, however little time there is.
    let is_drained = late.is_empty() && places.try_acquire_many(all).is_ok() || {
        let everybody = async {
            for (stream, peer) in late {
                serve(stream, peer, place(places).await);
            }
            let _ = places.acquire_many(all).await;
        };
        stop.now.run(everybody).await.is_ok()
    };
    if is_drained {
        info!("drained");
        return Ok(());
    }
    let _ = places.acquire_many(all).await;
    Err(Failure::Wrong("stopped before everybody was done".to_owned()))
}
