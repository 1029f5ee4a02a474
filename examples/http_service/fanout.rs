//! The client of `/fanout`: asks all backends at once and merges what they say, under one deadline.
//!
//! ```text
//!                    ┌─ task: GET /profile ───┐
//!   ask_all ── go ───┼─ task: GET /inventory ─┼──► a channel of 3 ──► one JSON object
//!             (group)└─ task: GET /pricing ───┘
//!   the first error, or the end of the context, ends the others
//! ```
//!
//! # A pool is a channel
//! A connection that has been used once is put into a buffered channel, and the next call takes it out: `try_recv`
//! or else connect, `try_send` or else close. That bounds how many are kept, and nothing else is needed.
//!
//! A kept connection may have been closed by the other side in the meantime, which shows only when it is used. All
//! calls here are `GET`s, so asking again, on a new connection, is right.

use std::fmt::{self, Display};
use std::net::SocketAddr;

use axum::http::{Request, header};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1::{self, SendRequest};
use pirn::channel::{Receiver, Sender, bounded};
use pirn::net::TcpStream;
use pirn::{Context, ContextError, ErrGroup};
use serde_json::{Map, Value};

/// How many connections are kept for later.
pub(crate) const KEPT: usize = 1024;

/// How many bytes of an answer are taken in.
const LONGEST_ANSWER: usize = 64 * 1024;

type Connection = SendRequest<Empty<Bytes>>;

/// The backends, and the connections to them.
pub(crate) struct Backends {
    address: SocketAddr,
    names: [&'static str; 3],
    keep: Sender<Connection>,
    kept: Receiver<Connection>,
}

/// Why there is no merged answer.
#[derive(Debug)]
pub(crate) enum CallError {
    /// The context ended first.
    Ended(ContextError),
    /// A backend could not be asked, or said something that is no answer.
    Failed(String),
}

impl Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ended(ended) => ended.fmt(f),
            Self::Failed(why) => f.write_str(why),
        }
    }
}

type AnyError = Box<dyn std::error::Error + Send + Sync>;

impl Backends {
    pub(crate) fn new(address: SocketAddr, names: [&'static str; 3]) -> Self {
        let (keep, kept) = bounded(KEPT);
        Self { address, names, keep, kept }
    }

    /// Asks all of them at once, each to take `ms` milliseconds over it.
    pub(crate) async fn ask_all(
        self: &std::sync::Arc<Self>,
        ctx: &Context,
        ms: u64,
    ) -> Result<Map<String, Value>, CallError> {
        let (calls, ctx) = ErrGroup::with_context(ctx);
        let (tell, told) = bounded(self.names.len());
        for name in self.names {
            let (backends, ctx, tell) = (self.clone(), ctx.clone(), tell.clone());
            let call = async move {
                let answer = ctx.run(backends.ask(name, ms)).await.map_err(CallError::Ended)?;
                let answer = answer.map_err(|error| CallError::Failed(format!("{name}: {error}")))?;
                // There is room for all.
                let _ = tell.try_send((name.to_owned(), answer));
                Ok(())
            };
            calls.go(call).await;
        }
        calls.wait().await?;
        Ok(told.try_iter().collect())
    }

    async fn ask(&self, name: &str, ms: u64) -> Result<Value, AnyError> {
        if let Ok(connection) = self.kept.try_recv()
            && let Ok(answer) = self.ask_on(connection, name, ms).await
        {
            return Ok(answer);
        }
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let (connection, driver) = http1::handshake(stream).await?;
        pirn::go!(driver);
        self.ask_on(connection, name, ms).await
    }

    async fn ask_on(&self, mut connection: Connection, name: &str, ms: u64) -> Result<Value, AnyError> {
        connection.ready().await?;
        let request = Request::get(format!("/{name}?ms={ms}"))
            .header(header::HOST, self.address.to_string())
            .body(Empty::new())?;
        let response = connection.send_request(request).await?;
        let status = response.status();
        if !status.is_success() {
            return Err(format!("status {status}").into());
        }
        let body = Limited::new(response, LONGEST_ANSWER).collect().await?.to_bytes();
        let _ = self.keep.try_send(connection);
        Ok(serde_json::from_slice(&body)?)
    }
}
