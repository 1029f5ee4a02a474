//! Connections: how many, how long they may take over what, and how they end.
//!
//! | who … | is held up by | after |
//! |---|---|---|
//! | sends its head slowly, or none on a kept connection | hyper's `header_read_timeout` | `--head-timeout` |
//! | sends a head that is too large | hyper's buffer: 431 | `--max-head` |
//! | sends a body that is too large | tower-http's limit: 413 | `--max-body` |
//! | sends its body slowly | the request's budget: 408 | `--budget` |
//! | does not read what it asked for | `patience.rs` | `--write-timeout` |
//! | is one too many | the kernel's queue | `--max-connections` |
//!
//! # Draining
//! To close a connection between two requests is a race: the next request may be on its way. So draining has two
//! steps. Once the port is closed each answer says `Connection: close`, and a client that is busy learns that way
//! that it must not send another one. Whoever has been silent for [`LINGER`] after that is closed by hyper's
//! `graceful_shutdown`, and whoever has sent half a head by then by [`connection`]; a request that is being answered
//! goes on to its end. Who was in the kernel's queue and found no place is served meanwhile, as those leave who had
//! one, and has as long for its request.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::{Duration, Instant};

use axum::Router;
use clap::Args;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use pirn::hyper::Timer;
use pirn::net::{TcpListener, TcpStream};
use pirn::sync::Semaphore;
use pirn::time::sleep;
use pirn::{Context, select};
use pirn_examples::server::{self, Place, Stop};
use pirn_examples::{Outcome, duration};
use tracing::{debug, info};

use crate::metrics::Metrics;
use crate::patience::Patient;
use crate::request::answer;

/// How long a silent connection is kept after the signal to stop.
const LINGER: Duration = Duration::from_millis(200);

/// What a client may ask of the server.
#[derive(Args, Clone)]
pub(crate) struct Limits {
    /// How many connections there may be at once; more wait to be accepted
    #[arg(long, default_value = "10000", value_name = "N", value_parser = server::connections)]
    pub(crate) max_connections: usize,
    /// How many bytes a request's line and headers may have together
    #[arg(long, default_value_t = 16 * 1024, value_name = "BYTES", value_parser = head_size)]
    pub(crate) max_head: usize,
    /// How many bytes a request's body may have
    #[arg(long, default_value_t = 64 * 1024, value_name = "BYTES")]
    pub(crate) max_body: usize,
    /// How long a request's head may take, and a connection may be idle
    #[arg(long, default_value = "10s", value_name = "D", value_parser = duration)]
    pub(crate) head_timeout: Duration,
    /// How long a client may leave an answer unread
    #[arg(long, default_value = "10s", value_name = "D", value_parser = duration)]
    pub(crate) write_timeout: Duration,
}

fn head_size(text: &str) -> Result<usize, String> {
    // hyper takes no smaller buffer.
    match text.parse() {
        Ok(size) if size >= 8192 => Ok(size),
        Ok(_) => Err("at least 8192 are needed".to_owned()),
        Err(error) => Err(format!("{error}")),
    }
}

/// A service, and everything that its connections share.
pub(crate) struct Server {
    pub(crate) router: Router,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) limits: Limits,
    pub(crate) places: Arc<Semaphore>,
    pub(crate) stop: Stop,
    /// From then on each answer says that it is the connection's last.
    pub(crate) is_leaving: AtomicBool,
}

impl Server {
    /// Serves until it is stopped, and then until everybody has been answered.
    pub(crate) async fn serve(self, listener: TcpListener) -> Outcome {
        let server = Arc::new(self);
        let (closing, close) = Context::background().with_cancel();
        let serve = |stream, peer, place| {
            server.metrics.connected();
            pirn::go!(connection(server.clone(), closing.clone(), stream, peer, place));
        };
        let late = server::accept(listener, &server.stop.draining, &server.places, &serve).await;

        // Not before the port is closed: whoever is told may connect again at once, and must be refused then rather
        // than accepted by a queue that nobody reads any more.
        server.is_leaving.store(true, Ordering::Relaxed);
        let open = server.limits.max_connections - server.places.available_permits();
        info!(connections = open, late = late.len(), "the port is closed");
        // Meanwhile it is waited for those who are still here: whoever is cut off in this time has been cut off too.
        pirn::go!({
            sleep(LINGER).await;
            close.cancel();
        });
        server::drained(&server.stop, &server.places, server.limits.max_connections, late, &serve).await
    }
}

/// One connection, until its end.
async fn connection(
    server: Arc<Server>,
    closing: Context,
    stream: TcpStream,
    peer: SocketAddr,
    _place: Place,
) {
    // An answer is written at once: to gather small writes would only delay it.
    let _ = stream.set_nodelay(true);
    // A node of its own, under which its requests come and go; `closing` it only looks at.
    let (alive, _gone) = server.stop.now.with_cancel();
    // Who has got its place since the port was closed may be silent for as long as the others then.
    let late = server.is_leaving.load(Ordering::Relaxed).then(|| Context::background().with_timeout(LINGER));
    let closing = late.as_ref().map_or(&closing, |(closing, _ends)| closing);

    let mut http = http1::Builder::new();
    // Answers are short: to copy one behind its head costs less than to write two buffers at once.
    http.writev(false);
    // hyper adds the limit to the time; one that the clock cannot tell is none.
    let head_timeout =
        Some(server.limits.head_timeout).filter(|limit| Instant::now().checked_add(*limit).is_some());
    http.timer(Timer).header_read_timeout(head_timeout).max_buf_size(server.limits.max_head);
    // hyper calls the service as soon as it has read a whole head.
    let has_asked = AtomicBool::new(false);
    let service = service_fn(|request| {
        has_asked.store(true, Ordering::Relaxed);
        answer(&server, &alive, request)
    });
    let mut http = pin!(http.serve_connection(Patient::new(stream, server.limits.write_timeout), service));

    let ended = match closing.run(http.as_mut()).await {
        Ok(ended) => ended,
        Err(_closing) => {
            http.as_mut().graceful_shutdown();
            // Where it has read a part of the first head hyper still waits for the rest. But who has asked for nothing,
            // also not with what has arrived by now (hyper is polled first, and reads that), is owed nothing.
            let nothing_asked = poll_fn(|_| match has_asked.load(Ordering::Relaxed) {
                false => Poll::Ready(()),
                true => Poll::Pending,
            });
            let out_of_time = async {
                alive.done().await;
                // Its request's context has ended too: there is an answer that says so, if the handler listens.
                sleep(LINGER).await;
            };
            select! {
                biased;
                ended = http => ended,
                _ = nothing_asked => return debug!(%peer, "closed before it had asked for anything"),
                _ = out_of_time => return debug!(%peer, "cut off"),
            }
        }
    };
    match ended {
        Ok(()) => debug!(%peer, "closed"),
        Err(error) => info!(%peer, error = &error as &dyn std::error::Error, "ended early"),
    }
}
