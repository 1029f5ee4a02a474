//! The address that a path names.

use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::SocketAddr;
use std::path::Path;

/// The address of `path`; one that begins with a zero byte is the name of an abstract socket, as for the kernel.
///
/// # Errors
/// `InvalidInput` for a path that is too long, or has a zero byte elsewhere: there it would end for the system, and be
/// somebody else's.
pub(super) fn address_of(path: &Path) -> io::Result<SocketAddr> {
    match path.as_os_str().as_bytes() {
        [0, name @ ..] => SocketAddr::from_abstract_name(name),
        _ => SocketAddr::from_pathname(path),
    }
}
