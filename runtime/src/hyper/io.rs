//! [`Io`]: a stream of one family of traits as one of the other.
//!
//! This crate's streams need no wrapper. What others build on them does: a TLS stream over a `TcpStream` has
//! the traits of `futures-io`, and hyper wants its own; a connection that hyper has upgraded (a WebSocket)
//! has hyper's, and everything else wants those of `futures-io`. `Io` gives each the other's.
//!
//! hyper's buffer has to be initialised for a reader that knows only `&mut [u8]`, which costs a `memset` of
//! the room that is offered. The streams of this crate, given to hyper as they are, do without.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use ::hyper::rt::{ReadBuf, ReadBufCursor};
use futures_io::{AsyncRead, AsyncWrite};
use pin_project_lite::pin_project;

use super::stream::poll_fill_zeroed;

pin_project! {
    /// Gives a stream of `futures-io` the traits of hyper, and a stream of hyper those of `futures-io`.
    ///
    /// ```
    /// use http_body_util::{BodyExt, Empty};
    /// use hyper::body::Bytes;
    /// use pirn::hyper::Io;
    /// use pirn::io::{AsyncReadExt, AsyncWriteExt, BufReader, duplex};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    /// pirn::block_on(async {
    ///     let (client, mut server) = duplex(1024);
    ///     let wrapped = Io::new(BufReader::new(client)); // any AsyncRead + AsyncWrite
    ///     let (mut client, connection) = hyper::client::conn::http1::handshake(wrapped).await?;
    ///     pirn::go!(connection);
    ///     let answer = pirn::spawn(client.send_request(hyper::Request::new(Empty::<Bytes>::new())));
    ///     server.read(&mut [0; 1024]).await?;
    ///     server.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi").await?;
    ///     assert_eq!(answer.await??.into_body().collect().await?.to_bytes(), "hi");
    ///     Ok(())
    /// })
    /// # }
    /// ```
    #[derive(Clone, Copy, Debug, Default)]
    pub struct Io<T> {
        #[pin]
        inner: T,
    }
}

impl<T> Io<T> {
    /// Wraps a stream.
    pub fn new(inner: T) -> Self {
        Self { inner }
    }

    /// The stream.
    pub fn get_ref(&self) -> &T {
        &self.inner
    }

    /// The stream, exclusively.
    pub fn get_mut(&mut self) -> &mut T {
        &mut self.inner
    }

    /// The stream, without its wrapper.
    pub fn into_inner(self) -> T {
        self.inner
    }
}

impl<T: AsyncRead> ::hyper::rt::Read for Io<T> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        poll_fill_zeroed(buf, |bytes| self.project().inner.poll_read(cx, bytes))
    }
}

impl<T: AsyncWrite> ::hyper::rt::Write for Io<T> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.project().inner.poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.project().inner.poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.project().inner.poll_close(cx)
    }
}

impl<T: ::hyper::rt::Read> AsyncRead for Io<T> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut buf = ReadBuf::new(buf);
        ready!(self.project().inner.poll_read(cx, buf.unfilled()))?;
        Poll::Ready(Ok(buf.filled().len()))
    }
}

impl<T: ::hyper::rt::Write> AsyncWrite for Io<T> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.project().inner.poll_write(cx, buf)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.project().inner.poll_write_vectored(cx, bufs)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.project().inner.poll_flush(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.project().inner.poll_shutdown(cx)
    }
}
