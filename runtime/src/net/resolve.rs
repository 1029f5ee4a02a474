//! From what the user wrote to socket addresses, without ever blocking a worker.
//!
//! Resolving a name asks files and servers and may take seconds; the C library offers it as a blocking call
//! only. So names go to a blocking job, while literal addresses are parsed in place, with no allocation of a
//! job and no wait at all.

use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pirn_sync::host;

use crate::fs::Job;

/// What can stand for one or several socket addresses.
///
/// The same types as for [`std::net::ToSocketAddrs`]; the trait is our own because std's resolves names
/// inside a blocking call. It cannot be implemented elsewhere.
///
/// ```
/// use pirn::net::TcpListener;
///
/// # fn main() -> std::io::Result<()> {
/// pirn::block_on(async {
///     TcpListener::bind("127.0.0.1:0").await?;
///     TcpListener::bind(("localhost", 0)).await?;
///     TcpListener::bind(std::net::SocketAddr::from(([127, 0, 0, 1], 0))).await?;
///     Ok(())
/// })
/// # }
/// ```
pub trait ToSocketAddrs: sealed::Sealed {}

impl<T: sealed::Sealed + ?Sized> ToSocketAddrs for T {}

mod sealed {
    /// The work behind [`ToSocketAddrs`](super::ToSocketAddrs), out of reach for other crates.
    pub trait Sealed {
        /// The addresses, or the name to look up.
        fn query(&self) -> std::io::Result<super::Query>;
    }
}

use sealed::Sealed;

/// The outcome of reading an address.
#[derive(Debug)]
pub struct Query(Kind);

#[derive(Debug)]
enum Kind {
    Known(Vec<SocketAddr>),
    Name(String, u16),
}

impl Query {
    fn known(address: impl Into<SocketAddr>) -> io::Result<Self> {
        Ok(Self(Kind::Known(vec![address.into()])))
    }

    fn host(host: &str, port: u16) -> Self {
        match host.parse::<IpAddr>() {
            Ok(ip) => Self(Kind::Known(vec![SocketAddr::new(ip, port)])),
            Err(_) => Self(Kind::Name(host.to_owned(), port)),
        }
    }
}

macro_rules! literal {
    ($($type:ty),*) => {$(
        impl Sealed for $type {
            fn query(&self) -> io::Result<Query> {
                Query::known(*self)
            }
        }
    )*};
}

literal!(SocketAddr, SocketAddrV4, SocketAddrV6, (IpAddr, u16), (Ipv4Addr, u16), (Ipv6Addr, u16));

impl Sealed for [SocketAddr] {
    fn query(&self) -> io::Result<Query> {
        Ok(Query(Kind::Known(self.to_vec())))
    }
}

impl Sealed for (&str, u16) {
    fn query(&self) -> io::Result<Query> {
        Ok(Query::host(self.0, self.1))
    }
}

impl Sealed for (String, u16) {
    fn query(&self) -> io::Result<Query> {
        Ok(Query::host(&self.0, self.1))
    }
}

impl Sealed for str {
    fn query(&self) -> io::Result<Query> {
        if let Ok(address) = self.parse::<SocketAddr>() {
            return Query::known(address);
        }
        let invalid = |what: &str| {
            io::Error::new(io::ErrorKind::InvalidInput, format!("{what} in `{self}`: write HOST:PORT"))
        };
        let (host, port) = self.rsplit_once(':').ok_or_else(|| invalid("no port"))?;
        let port = port.parse().map_err(|_| invalid("no valid port"))?;
        Ok(Query::host(host, port))
    }
}

impl Sealed for String {
    fn query(&self) -> io::Result<Query> {
        self.as_str().query()
    }
}

impl<T: Sealed + ?Sized> Sealed for &T {
    fn query(&self) -> io::Result<Query> {
        (**self).query()
    }
}

/// Looks `host` up, off the workers. Literal addresses are answered at once.
///
/// Dropping the future abandons the answer; the job that waits for it runs to its end.
///
/// # Errors
/// What the system's resolver says; `InvalidInput` for text that is no `HOST:PORT`.
#[track_caller]
pub fn lookup_host(host: impl ToSocketAddrs) -> Resolve {
    Resolve::new(host.query(), Location::caller())
}

/// The future of [`lookup_host`]: the addresses in the resolver's order, never none.
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Resolve(Step);

#[derive(Debug)]
enum Step {
    Known(Option<io::Result<Vec<SocketAddr>>>),
    Asking(Job<Vec<SocketAddr>>),
}

impl Resolve {
    fn new(query: io::Result<Query>, at: &'static Location<'static>) -> Self {
        Self(match query {
            Ok(Query(Kind::Name(host, port))) => Step::Asking(Job::called_at(at, move || {
                std::net::ToSocketAddrs::to_socket_addrs(&(host.as_str(), port)).map(Iterator::collect)
            })),
            Ok(Query(Kind::Known(addresses))) => Step::Known(Some(Ok(addresses))),
            Err(error) => Step::Known(Some(Err(error))),
        })
    }
}

impl Future for Resolve {
    type Output = io::Result<Vec<SocketAddr>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        ready!(host::poll_yield(cx));
        let addresses = match &mut self.get_mut().0 {
            Step::Known(answer) => answer.take().expect("`Resolve` polled after it returned"),
            Step::Asking(job) => ready!(Pin::new(job).poll(cx)),
        }?;
        if addresses.is_empty() {
            let kind = io::ErrorKind::InvalidInput;
            return Poll::Ready(Err(io::Error::new(kind, "the name stands for no address")));
        }
        Poll::Ready(Ok(addresses))
    }
}

/// Resolves, then makes a `T` of the first address that works: the future behind the `bind`s.
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Bind<T> {
    resolve: Resolve,
    at: &'static Location<'static>,
    bind: fn(SocketAddr, &'static Location<'static>) -> io::Result<T>,
}

impl<T> Bind<T> {
    #[track_caller]
    pub(super) fn new(
        address: impl ToSocketAddrs,
        bind: fn(SocketAddr, &'static Location<'static>) -> io::Result<T>,
    ) -> Self {
        let at = Location::caller();
        Self { resolve: Resolve::new(address.query(), at), at, bind }
    }
}

impl<T> Future for Bind<T> {
    type Output = io::Result<T>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let addresses = ready!(Pin::new(&mut this.resolve).poll(cx))?;
        let mut result = Err(io::ErrorKind::InvalidInput.into());
        for address in addresses {
            result = (this.bind)(address, this.at);
            if result.is_ok() {
                break;
            }
        }
        Poll::Ready(result)
    }
}
