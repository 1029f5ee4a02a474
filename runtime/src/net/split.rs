//! Halves of a stream: one for reading, one for writing, borrowed or owned.
//!
//! A stream's operations take `&self`, so a half is nothing but a reference, or an `Arc`, that offers one
//! direction only. The owned writing half has one duty more: when it is dropped, the peer should hear that
//! nothing more will come, although the reading half keeps the connection open.
//!
//! TCP and Unix streams have the same halves; the macro writes them for both.

/// Declares `ReadHalf`, `WriteHalf`, `OwnedReadHalf`, `OwnedWriteHalf` and `ReuniteError` for `$stream`.
macro_rules! halves {
    ($stream:ident, $std:ty) => {
        use std::sync::Arc;

        use $crate::net::forward::{forward_read, forward_write};
        use $crate::net::readiness::{Readable, Writable};
        use $crate::net::transfer::{Peek, Read, Write};

        use super::$stream;

        /// The reading half that [`split`](super::$stream::split) lends.
        #[derive(Debug)]
        pub struct ReadHalf<'a>(pub(super) &'a $stream);

        /// The writing half that [`split`](super::$stream::split) lends. Closing it shuts the write side;
        /// dropping it does nothing.
        #[derive(Debug)]
        pub struct WriteHalf<'a>(pub(super) &'a $stream);

        /// The reading half of [`into_split`](super::$stream::into_split).
        #[derive(Debug)]
        pub struct OwnedReadHalf(Arc<$stream>);

        /// The writing half of [`into_split`](super::$stream::into_split). Dropping it shuts the write side.
        #[derive(Debug)]
        pub struct OwnedWriteHalf {
            stream: Arc<$stream>,
            /// False once [`forget`](Self::forget) or `reunite` has taken the duty away.
            shuts: bool,
        }

        /// Two halves that did not belong together, given back.
        #[derive(Debug)]
        pub struct ReuniteError(pub OwnedReadHalf, pub OwnedWriteHalf);

        impl std::fmt::Display for ReuniteError {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("the two halves are of different streams; reunite those of one `into_split`")
            }
        }

        impl std::error::Error for ReuniteError {}

        impl ReadHalf<'_> {
            /// As the stream's `read`.
            #[track_caller]
            pub fn read<'b>(&'b self, buf: &'b mut [u8]) -> Read<'b, $std> {
                self.0.read(buf)
            }

            /// As the stream's `peek`.
            #[track_caller]
            pub fn peek<'b>(&'b self, buf: &'b mut [u8]) -> Peek<'b, $std> {
                self.0.peek(buf)
            }

            /// As the stream's `readable`.
            #[track_caller]
            pub fn readable(&self) -> Readable<'_, $std> {
                self.0.readable()
            }

            /// As the stream's `try_read`.
            ///
            /// # Errors
            /// `WouldBlock` when nothing is there; those of the stream's `read`.
            pub fn try_read(&self, buf: &mut [u8]) -> std::io::Result<usize> {
                self.0.try_read(buf)
            }
        }

        impl WriteHalf<'_> {
            /// As the stream's `write`.
            #[track_caller]
            pub fn write<'b>(&'b self, buf: &'b [u8]) -> Write<'b, $std> {
                self.0.write(buf)
            }

            /// As the stream's `writable`.
            #[track_caller]
            pub fn writable(&self) -> Writable<'_, $std> {
                self.0.writable()
            }

            /// As the stream's `try_write`.
            ///
            /// # Errors
            /// `WouldBlock` when there is no room; those of the stream's `write`.
            pub fn try_write(&self, buf: &[u8]) -> std::io::Result<usize> {
                self.0.try_write(buf)
            }
        }

        impl OwnedReadHalf {
            pub(super) fn new(stream: Arc<$stream>) -> Self {
                Self(stream)
            }

            /// As the stream's `read`.
            #[track_caller]
            pub fn read<'b>(&'b self, buf: &'b mut [u8]) -> Read<'b, $std> {
                self.0.read(buf)
            }

            /// As the stream's `peek`.
            #[track_caller]
            pub fn peek<'b>(&'b self, buf: &'b mut [u8]) -> Peek<'b, $std> {
                self.0.peek(buf)
            }

            /// As the stream's `readable`.
            #[track_caller]
            pub fn readable(&self) -> Readable<'_, $std> {
                self.0.readable()
            }

            /// As the stream's `try_read`.
            ///
            /// # Errors
            /// `WouldBlock` when nothing is there; those of the stream's `read`.
            pub fn try_read(&self, buf: &mut [u8]) -> std::io::Result<usize> {
                self.0.try_read(buf)
            }

            /// The stream out of its two halves.
            ///
            /// # Errors
            /// Both halves, when they are of different streams.
            pub fn reunite(self, write: OwnedWriteHalf) -> Result<$stream, ReuniteError> {
                if !Arc::ptr_eq(&self.0, &write.stream) {
                    return Err(ReuniteError(self, write));
                }
                write.forget();
                Ok(Arc::try_unwrap(self.0).expect("a stream has two halves, and one is gone"))
            }
        }

        impl OwnedWriteHalf {
            pub(super) fn new(stream: Arc<$stream>) -> Self {
                Self { stream, shuts: true }
            }

            /// As the stream's `write`.
            #[track_caller]
            pub fn write<'b>(&'b self, buf: &'b [u8]) -> Write<'b, $std> {
                self.stream.write(buf)
            }

            /// As the stream's `writable`.
            #[track_caller]
            pub fn writable(&self) -> Writable<'_, $std> {
                self.stream.writable()
            }

            /// As the stream's `try_write`.
            ///
            /// # Errors
            /// `WouldBlock` when there is no room; those of the stream's `write`.
            pub fn try_write(&self, buf: &[u8]) -> std::io::Result<usize> {
                self.stream.try_write(buf)
            }

            /// Drops the half without shutting the write side.
            pub fn forget(mut self) {
                self.shuts = false;
            }
        }

        impl Drop for OwnedWriteHalf {
            fn drop(&mut self) {
                if self.shuts {
                    // An error means that the connection is gone: the peer knows.
                    let _ = self.stream.shutdown(std::net::Shutdown::Write);
                }
            }
        }

        impl AsRef<$stream> for ReadHalf<'_> {
            fn as_ref(&self) -> &$stream {
                self.0
            }
        }

        impl AsRef<$stream> for WriteHalf<'_> {
            fn as_ref(&self) -> &$stream {
                self.0
            }
        }

        impl AsRef<$stream> for OwnedReadHalf {
            fn as_ref(&self) -> &$stream {
                &self.0
            }
        }

        impl AsRef<$stream> for OwnedWriteHalf {
            fn as_ref(&self) -> &$stream {
                &self.stream
            }
        }

        forward_read!(ReadHalf<'_> => |this| this.0);
        forward_read!(OwnedReadHalf => |this| &*this.0);
        forward_write!(WriteHalf<'_> => |this| this.0);
        forward_write!(OwnedWriteHalf => |this| &*this.stream);
    };
}

pub(super) use halves;
