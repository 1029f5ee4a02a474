//! The halves of a [`TcpStream`].

crate::net::split::halves!(TcpStream, std::net::TcpStream);
