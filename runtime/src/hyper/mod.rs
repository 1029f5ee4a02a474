//! Serving with hyper, and with what is built on it: axum, tonic, warp. Feature `hyper`.
//!
//! hyper speaks HTTP and leaves everything else to its host. What it asks for are four small traits, and this
//! module answers each one with what `pirn` has:
//!
//! ```text
//!   hyper asks for            it gets
//!   rt::Read, rt::Write       TcpStream, UnixStream, DuplexStream, owned halves          stream
//!                             Io<T>, for any other stream of futures-io (TLS, say)       io
//!   rt::Timer, rt::Sleep      Timer: this crate's Sleep                                  timer
//!   rt::Executor              Executor: spawn                                            executor
//! ```
//!
//! No other runtime is in the process: no thread and no poller of tokio's is ever started. (hyper links
//! tokio's *channels*, which need none.)
//!
//! ```
//! use std::convert::Infallible;
//!
//! use http_body_util::{BodyExt, Empty, Full};
//! use hyper::body::Bytes;
//! use hyper::service::service_fn;
//! use hyper::{Request, Response};
//! use pirn::net::{TcpListener, TcpStream};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
//! pirn::block_on(async {
//!     let listener = TcpListener::bind("127.0.0.1:0").await?;
//!     let address = listener.local_addr()?;
//!     pirn::go!({
//!         while let Ok((stream, _)) = listener.accept().await {
//!             let hello = service_fn(async |_| Ok::<_, Infallible>(Response::new(Full::<Bytes>::from("hello"))));
//!             let mut http = hyper::server::conn::http1::Builder::new();
//!             pirn::go!(http.timer(pirn::hyper::Timer).serve_connection(stream, hello));
//!         }
//!     });
//!
//!     let stream = TcpStream::connect(address).await?;
//!     let (mut client, connection) = hyper::client::conn::http1::handshake(stream).await?;
//!     pirn::go!(connection);
//!     let answer = client.send_request(Request::new(Empty::<Bytes>::new())).await?;
//!     assert_eq!(answer.into_body().collect().await?.to_bytes(), "hello");
//!     Ok(())
//! })
//! # }
//! ```
//!
//! # What stopping means
//! A connection is a future, and dropping it closes the connection and drops the service's future with it. hyper
//! does the same when the client goes away while its request is worked on. So whatever a request holds is
//! released by being dropped; give it a [`Context`](crate::Context) of its own, and all that it has started
//! stops too.

mod executor;
mod io;
mod stream;
mod timer;

pub use executor::Executor;
pub use io::Io;
pub use timer::Timer;
