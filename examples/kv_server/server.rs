//! The server: what all connections share, accepting them, and ending in good order.
//!
//! ```text
//!   SIGTERM ─► accept what has connected already ─► close the port
//!                 └─► what arrives from now on does not count: reads get a deadline
//!                        └─► each connection answers what it was sent, and ends
//!                               └─► all have ended: exit 0
//!                                   `--drain` is over, or a second signal: exit 1
//! ```

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use pirn::net::{TcpListener, TcpStream};
use pirn::sync::WaitGroup;
use pirn::sync::atomic::Counter;
use pirn_examples::server::{Refusals, Stop};
use pirn_examples::{Failure, Outcome};

use crate::buffers::Buffers;
use crate::clients::Clients;
use crate::db::Db;
use crate::error::{Done, Error};
use crate::options::Options;
use crate::pubsub::Hub;
use crate::pulse::Pulse;
use crate::{connection, expiry, memory};

/// What all connections share.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) db: Arc<Db>,
    pub(crate) hub: Arc<Hub>,
    pub(crate) clients: Arc<Clients>,
    pub(crate) buffers: Buffers,
    pub(crate) pulse: Pulse,
    /// How many have been executed.
    pub(crate) commands: Counter,
    pub(crate) since: Instant,
    pub(crate) address: SocketAddr,
    pub(crate) maxmemory: Option<usize>,
}

impl Server {
    pub(crate) fn new(options: &Options, address: SocketAddr) -> Self {
        Self {
            db: Arc::new(Db::new(options.maxmemory())),
            hub: Arc::new(Hub::new(options.pubsub_limit, reply_bound(options.maxmemory()))),
            clients: Arc::new(Clients::new(options.max_clients)),
            buffers: Buffers::new(),
            pulse: Pulse::new(),
            commands: Counter::new(),
            since: Instant::now(),
            address,
            maxmemory: options.maxmemory(),
        }
    }

    /// Whether more memory is in use than there should be, or would be with so much more.
    pub(crate) fn is_full(&self, more: usize) -> bool {
        self.maxmemory.is_some_and(|bound| memory::used() + more > bound)
    }

    /// How much memory may be in use while a long reply is written. A quarter more than writes may fill: what is stored
    /// can still be read when there is no room to store more.
    pub(crate) fn reply_bound(&self) -> Option<usize> {
        reply_bound(self.maxmemory)
    }

    /// Whether so much more can be kept of a client, for as long as it is there. As replies it may be a quarter more than
    /// writes may fill: a full server can still be connected to and listened to.
    pub(crate) fn may_keep(&self, size: usize) -> Done {
        let is_beyond = self.reply_bound().is_some_and(|bound| memory::used() + size > bound);
        if is_beyond { Err(Error::OutOfMemory) } else { Ok(()) }
    }
}

fn reply_bound(maxmemory: Option<usize>) -> Option<usize> {
    maxmemory.map(|bound| bound.saturating_add(bound / 4))
}

/// Serves until it is stopped, and then until everything received is answered.
///
/// # Errors
/// [`Failure::Wrong`] when there was no more time, and somebody was cut off.
pub(crate) async fn run(server: Arc<Server>, listener: TcpListener, stop: Stop) -> Outcome {
    let sweeper = pirn::spawn(expiry::sweep(server.db.clone()));
    let pulse = pirn::spawn({
        let server = server.clone();
        async move { server.pulse.keep_awake().await }
    });
    let connections = WaitGroup::new();
    let mut refusals = Refusals::default();
    while let Ok(accepted) = stop.draining.run(listener.accept()).await {
        match accepted {
            Ok((stream, address)) => admit(&server, &connections, stream, address),
            // Out of descriptors, most likely. The listener rests before it tries again.
            Err(error) => refusals.note(&error),
        }
    }
    // The system's own call, which knows of connections that the netpoller has not told of yet.
    let listener = listener.into_std();
    while let Ok((stream, address)) = listener.accept() {
        if let Ok(stream) = TcpStream::from_std(stream) {
            admit(&server, &connections, stream, address);
        }
    }
    drop(listener);
    server.clients.hang_up();
    // Without looking at the time first: where nobody is left nobody is cut off, however little time there is.
    let is_drained = connections.count() == 0 || stop.now.run(connections.wait()).await.is_ok();
    sweeper.abort();
    pulse.abort();
    tracing::info!(commands = server.commands.get(), "stopped");
    if is_drained {
        return Ok(());
    }
    Err(Failure::Wrong(format!("{} clients did not take their replies in time", server.clients.len())))
}

/// Starts serving a new connection, or refuses it.
fn admit(server: &Arc<Server>, connections: &WaitGroup, stream: TcpStream, address: SocketAddr) {
    // Replies are written whole; waiting to gather more would only delay them.
    if let Err(error) = stream.set_nodelay(true) {
        return tracing::debug!(%error, "a client was gone at once");
    }
    match server.clients.enter(stream, address) {
        Ok(entered) => {
            let (server, guard) = (server.clone(), connections.guard());
            pirn::go!({
                let _guard = guard;
                let client = entered.client.clone();
                tracing::debug!(client = client.id, %address, "connected");
                match connection::serve(server, client).await {
                    Ok(()) => tracing::debug!(client = entered.client.id, "gone"),
                    Err(error) => tracing::debug!(client = entered.client.id, %error, "gone"),
                }
            });
        }
        Err(stream) => {
            tracing::warn!(%address, "refused a client: there are too many");
            let guard = connections.guard();
            pirn::go!({
                let _guard = guard;
                // A client that does not wait for the refusal does not need it.
                let _ = stream.write(b"-ERR max number of clients reached\r\n").await;
            });
        }
    }
}
