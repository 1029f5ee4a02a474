//! Unix sockets: connections and datagrams within this machine, addressed by paths.

mod datagram;
mod listener;
mod split;
mod stream;

pub use datagram::{SendToPath, UnixDatagram};
pub use listener::{Incoming, UnixListener};
pub use split::{OwnedReadHalf, OwnedWriteHalf, ReadHalf, ReuniteError, WriteHalf};
pub use std::os::unix::net::SocketAddr;
pub use stream::{ConnectPath, UnixStream};
