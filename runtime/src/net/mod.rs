//! Sockets whose operations suspend the task and never the thread.
//!
//! | | stream | listener | datagrams |
//! |---|---|---|---|
//! | network | [`TcpStream`] | [`TcpListener`] | [`UdpSocket`] |
//! | this machine | [`UnixStream`] | [`UnixListener`] | [`UnixDatagram`] |
//!
//! Reads, writes, accepts, sends and receives are cancel-safe: each takes effect in the poll that returns its
//! result. Helpers that need several of them (`read_exact`, `write_all`) are not. No socket here ever raises
//! SIGPIPE.
//!
//! A socket belongs to the runtime in which it was made, and its operations fail when that runtime has shut
//! down; made outside of a runtime it belongs to the global one. It may be used from any executor.
//!
//! Futures are named for what they do, [`Read`], [`Write`] and [`Send`] among them: import by name, since
//! `use pirn::net::*` would hide the traits.
//!
//! # Where to read on
//! `socket` shows what all sockets share, `transfer` the reads and writes, `readiness` the waits without either,
//! `deadline` how a moment ends a wait, `connect` the race between addresses.

mod accept;
mod connect;
mod datagram;
mod deadline;

mod forward;
mod readiness;
mod resolve;
mod socket;
mod split;
pub mod tcp;
mod transfer;
mod udp;
pub mod unix;

pub use accept::{Accept, Accepted};
pub use connect::Connect;
pub use datagram::{Datagrams, Recv, RecvFrom, Send, SendTo};
pub use readiness::{Readable, Writable};
pub use resolve::{Bind, Resolve, ToSocketAddrs, lookup_host};
pub use tcp::{Incoming, TcpListener, TcpSocket, TcpStream};
pub use transfer::{Peek, Read, Write};
pub use udp::{ConnectPeer, SendToHost, UdpSocket};
pub use unix::{UnixDatagram, UnixListener, UnixStream};
