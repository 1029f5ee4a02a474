//! Bytes in and out: descriptors, pipes in memory, standard input, and the usual helpers.
//!
//! The traits are those of `futures-io` ([`AsyncRead`], [`AsyncWrite`], …), so that everything written for
//! them works here; the adaptors (buffered readers and writers, `lines`, `read_exact`, …) are those of
//! `futures-lite`, re-exported under the names that its users know. [`StreamExt`] is there for the streams among their results.
//!
//! | to do this | use |
//! |---|---|
//! | wait for a descriptor of your own | [`AsyncFd`] |
//! | read or write all of something | [`AsyncReadExt`], [`AsyncWriteExt`] |
//! | lines, or few system calls | [`BufReader`] with [`AsyncBufReadExt`], [`BufWriter`] |
//! | pass everything on, one way or both | [`copy()`], [`copy_bidirectional`] |
//! | a connection without a socket | [`duplex()`] |
//! | read what is typed or piped in | [`stdin()`] |

mod async_fd;
mod copy;
mod duplex;
pub(crate) mod registration;
mod stdin;

pub use async_fd::{AsyncFd, ReadWith, Readable, Writable, WriteWith};
pub use copy::{CopyBidirectional, copy_bidirectional};
pub use duplex::{DuplexStream, duplex};
pub use futures_lite::io::{
    AsyncBufRead, AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncSeek, AsyncSeekExt, AsyncWrite,
    AsyncWriteExt, BufReader, BufWriter, Cursor, SeekFrom, copy, empty, repeat, sink,
};
pub use futures_lite::stream::{Stream, StreamExt};
pub use stdin::{Stdin, stdin};
