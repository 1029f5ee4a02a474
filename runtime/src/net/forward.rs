//! Writes the trait impls that only pass a call on: from a stream, or a half of one, to `&Stream`; and from `TryFrom` to
//! `from_std`.

/// Implements `AsyncRead` for `$type` by way of the reference that `$to` makes of it.
macro_rules! forward_read {
    ($type:ty => |$this:ident| $to:expr) => {
        impl ::futures_io::AsyncRead for $type {
            fn poll_read(
                self: ::std::pin::Pin<&mut Self>,
                cx: &mut ::std::task::Context<'_>,
                buf: &mut [u8],
            ) -> ::std::task::Poll<::std::io::Result<usize>> {
                let $this = self.get_mut();
                ::futures_io::AsyncRead::poll_read(::std::pin::Pin::new(&mut { $to }), cx, buf)
            }

            fn poll_read_vectored(
                self: ::std::pin::Pin<&mut Self>,
                cx: &mut ::std::task::Context<'_>,
                bufs: &mut [::std::io::IoSliceMut<'_>],
            ) -> ::std::task::Poll<::std::io::Result<usize>> {
                let $this = self.get_mut();
                ::futures_io::AsyncRead::poll_read_vectored(::std::pin::Pin::new(&mut { $to }), cx, bufs)
            }
        }
    };
}

/// Implements `AsyncWrite` for `$type` by way of the reference that `$to` makes of it.
macro_rules! forward_write {
    ($type:ty => |$this:ident| $to:expr) => {
        impl ::futures_io::AsyncWrite for $type {
            fn poll_write(
                self: ::std::pin::Pin<&mut Self>,
                cx: &mut ::std::task::Context<'_>,
                buf: &[u8],
            ) -> ::std::task::Poll<::std::io::Result<usize>> {
                let $this = self.get_mut();
                ::futures_io::AsyncWrite::poll_write(::std::pin::Pin::new(&mut { $to }), cx, buf)
            }

            fn poll_write_vectored(
                self: ::std::pin::Pin<&mut Self>,
                cx: &mut ::std::task::Context<'_>,
                bufs: &[::std::io::IoSlice<'_>],
            ) -> ::std::task::Poll<::std::io::Result<usize>> {
                let $this = self.get_mut();
                ::futures_io::AsyncWrite::poll_write_vectored(::std::pin::Pin::new(&mut { $to }), cx, bufs)
            }

            fn poll_flush(
                self: ::std::pin::Pin<&mut Self>,
                cx: &mut ::std::task::Context<'_>,
            ) -> ::std::task::Poll<::std::io::Result<()>> {
                let $this = self.get_mut();
                ::futures_io::AsyncWrite::poll_flush(::std::pin::Pin::new(&mut { $to }), cx)
            }

            fn poll_close(
                self: ::std::pin::Pin<&mut Self>,
                cx: &mut ::std::task::Context<'_>,
            ) -> ::std::task::Poll<::std::io::Result<()>> {
                let $this = self.get_mut();
                ::futures_io::AsyncWrite::poll_close(::std::pin::Pin::new(&mut { $to }), cx)
            }
        }
    };
}

/// Implements `TryFrom<$std>` for `$type` by way of its `from_std`.
macro_rules! try_from_std {
    ($std:ty => $type:ty) => {
        impl ::std::convert::TryFrom<$std> for $type {
            type Error = ::std::io::Error;

            #[track_caller]
            fn try_from(socket: $std) -> ::std::io::Result<Self> {
                Self::from_std(socket)
            }
        }
    };
}

pub(super) use {forward_read, forward_write, try_from_std};
