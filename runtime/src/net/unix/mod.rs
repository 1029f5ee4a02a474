//! Unix sockets: connections and datagrams within this machine, addressed by paths. A path that begins with a zero byte
//! names an abstract socket, which lies in no file system and is gone with its last descriptor.

mod address;
mod datagram;
mod listener;
mod split;
mod stream;

pub use datagram::{SendToPath, UnixDatagram};
pub use listener::{Incoming, UnixListener};
pub use split::{OwnedReadHalf, OwnedWriteHalf, ReadHalf, ReuniteError, WriteHalf};
pub use std::os::unix::net::SocketAddr;
pub use stream::{ConnectPath, UnixStream};
