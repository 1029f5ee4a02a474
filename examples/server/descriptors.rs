//! How many descriptors the process may have open.
//!
//! Every connection is a descriptor, and the usual soft limit of 1024 is far below what the servers are ready to
//! serve. A process may raise it itself, up to the hard limit. Where that is too low, some can be served still; but who
//! needs a certain number asks first whether they are there ([`room_for`]).

use std::fs::File;
use std::io;

/// Descriptors that are no connections: the listener, the netpoller, standard streams, and some to spare.
const OTHERS: usize = 64;

/// How many connections may wait in the listener's queue: at the end they are all taken out of it at once.
const QUEUE: usize = 4096;

/// Makes room for so many connections, or says in the log that it cannot.
pub fn raise_descriptors(connections: usize) {
    let wanted = connections.saturating_add(OTHERS) as libc::rlim_t;
    match raise(wanted.saturating_add(QUEUE as libc::rlim_t)) {
        Ok(limit) if limit < wanted => {
            tracing::warn!(limit, wanted, "there may be fewer descriptors than connections; see `ulimit -n`");
        }
        Ok(_) => {}
        Err(error) => tracing::warn!(%error, "cannot tell how many descriptors there may be"),
    }
}

/// Whether so many more descriptors are to be had: they are opened, and closed again.
///
/// # Errors
/// What the system says instead of opening one more.
pub fn room_for(descriptors: usize) -> io::Result<()> {
    let opened: io::Result<Vec<File>> = (0..descriptors).map(|_| File::open("/dev/null")).collect();
    opened.map(drop)
}

/// Raises the soft limit to `wanted`, or as far as it goes; what it is then.
fn raise(wanted: libc::rlim_t) -> io::Result<libc::rlim_t> {
    let mut limits = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the kernel fills a structure of ours, which lives longer than the call.
    if unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limits) } != 0 {
        return Err(io::Error::last_os_error());
    }
    if limits.rlim_cur < wanted {
        limits.rlim_cur = wanted.min(limits.rlim_max);
        // SAFETY: the kernel reads a structure of ours, which lives longer than the call.
        if unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limits) } != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(limits.rlim_cur)
}
