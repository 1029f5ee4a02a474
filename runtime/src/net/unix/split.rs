//! The halves of a [`UnixStream`].

crate::net::split::halves!(UnixStream, std::os::unix::net::UnixStream);
