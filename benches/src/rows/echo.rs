//! `tcp_echo`, `tcp_echo_1k`: 64 bytes there and back over loopback, on 64 and on 1,000 connections, with server
//! and clients in one process; round trips a second, and the 99th percentile of their times.
//!
//! The floor is the kernel's: a round trip is two writes and two reads, whatever the runtime does.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::contender::{EXECUTORS, on_executor};
use crate::exec::{self, Exec};
use crate::process::Durations;
use crate::row::{Figure, Measured, Row, Setup};

pub(crate) const ROWS: &[Row] = &[
    Row {
        name: "tcp_echo",
        figures: &[Figure::more("tcp_echo", "1/s"), Figure::less("tcp_echo:p99_us", "us")],
        contenders: EXECUTORS,
        run: |setup| on_executor!(setup, few),
    },
    Row {
        name: "tcp_echo_1k",
        figures: &[Figure::more("tcp_echo_1k", "1/s"), Figure::less("tcp_echo_1k:p99_us", "us")],
        contenders: EXECUTORS,
        run: |setup| on_executor!(setup, many),
    },
];

/// The clients begin together, so long after the first was started: those of std that began at once would keep the cores,
/// and half of the threads for the others would not be started in time.
const START: Duration = Duration::from_millis(300);
const TIME: Duration = Duration::from_millis(1_500);
const SIZE: usize = 64;

/// An executor's sockets.
pub(super) trait Net: Exec {
    type Listener: Send;
    type Stream: Send + 'static;
    fn bind() -> impl Future<Output = io::Result<(Self::Listener, SocketAddr)>> + Send;
    fn accept(listener: &mut Self::Listener) -> impl Future<Output = io::Result<Self::Stream>> + Send;
    fn connect(address: SocketAddr) -> impl Future<Output = io::Result<Self::Stream>> + Send;
    fn read(stream: &mut Self::Stream, buf: &mut [u8]) -> impl Future<Output = io::Result<usize>> + Send;
    fn write(stream: &mut Self::Stream, buf: &[u8]) -> impl Future<Output = io::Result<()>> + Send;
}

/// Expands to [`Net`] for an executor: its sockets, a listener on a port of the kernel's choice, how a
/// call is awaited, and where the socket of std's form is.
macro_rules! net {
    ($executor:ty, $listener:ty, $stream:ty, $bind:expr, |$call:ident| $awaited:expr,
     |$connected:ident| $stream_of:expr, { $($import:item)* }) => {
        const _: () = {
            $($import)*

            impl Net for $executor {
                type Listener = $listener;
                type Stream = $stream;

                async fn bind() -> io::Result<($listener, SocketAddr)> {
                    let listener = $bind?;
                    let $connected = &listener;
                    let address = $stream_of.local_addr()?;
                    Ok((listener, address))
                }

                async fn accept(listener: &mut $listener) -> io::Result<$stream> {
                    let $call = listener.accept();
                    let (stream, _) = $awaited?;
                    let $connected = &stream;
                    $stream_of.set_nodelay(true)?;
                    Ok(stream)
                }

                async fn connect(address: SocketAddr) -> io::Result<$stream> {
                    let $call = <$stream>::connect(address);
                    let stream = $awaited?;
                    let $connected = &stream;
                    $stream_of.set_nodelay(true)?;
                    Ok(stream)
                }

                async fn read(stream: &mut $stream, buf: &mut [u8]) -> io::Result<usize> {
                    let $call = stream.read(buf);
                    $awaited
                }

                async fn write(stream: &mut $stream, buf: &[u8]) -> io::Result<()> {
                    let $call = stream.write_all(buf);
                    $awaited
                }
            }
        };
    };
}

net!(
    exec::Pirn,
    TcpListener,
    TcpStream,
    TcpListener::bind("127.0.0.1:0").await,
    |call| call.await,
    |socket| socket,
    {
        use pirn::io::{AsyncReadExt, AsyncWriteExt};
        use pirn::net::{TcpListener, TcpStream};
    }
);
net!(
    exec::Tokio,
    TcpListener,
    TcpStream,
    TcpListener::bind("127.0.0.1:0").await,
    |call| call.await,
    |socket| socket,
    {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        use tokio::net::{TcpListener, TcpStream};
    }
);
net!(
    exec::Smol,
    Async<TcpListener>,
    Async<TcpStream>,
    Async::<TcpListener>::bind(([127, 0, 0, 1], 0)),
    |call| call.await,
    |socket| socket.get_ref(),
    {
        use async_io::Async;
        use futures_lite::io::{AsyncReadExt, AsyncWriteExt};
        use std::net::{TcpListener, TcpStream};
    }
);
net!(
    exec::Threads,
    TcpListener,
    TcpStream,
    TcpListener::bind("127.0.0.1:0"),
    |call| call,
    |socket| socket,
    {
        use std::io::{Read, Write};
        use std::net::{TcpListener, TcpStream};
    }
);

fn few<E: Net>(setup: Setup) -> Measured {
    echo::<E>(setup, 64)
}

fn many<E: Net>(setup: Setup) -> Measured {
    echo::<E>(setup, 1_000)
}

fn echo<E: Net>(setup: Setup, connections: usize) -> Measured {
    let trips = E::run(setup.procs, async move {
        let (mut listener, address) = E::bind().await.expect("a port");
        E::detach(async move {
            loop {
                let stream = E::accept(&mut listener).await.expect("a connection");
                E::detach(async move { serve::<E>(stream).await.expect("no error") });
            }
        });
        let mut streams = Vec::new();
        for _ in 0..connections {
            streams.push(E::connect(address).await.expect("a connection"));
        }
        let begin = Instant::now() + START;
        let ask = |stream| E::spawn(async move { ask::<E>(stream, begin).await.expect("no error") });
        let clients: Vec<_> = streams.into_iter().map(ask).collect();
        let mut trips = Durations::default();
        for client in clients {
            trips.add(&client.await);
        }
        trips
    });
    assert!(trips.count() >= connections as u64, "every client was answered");
    let [p99] = trips.quantiles_us([0.99]);
    Measured::new([trips.count() as f64 / TIME.as_secs_f64(), p99])
}

async fn serve<E: Net>(mut stream: E::Stream) -> io::Result<()> {
    let mut buf = [0; 4096];
    loop {
        let count = E::read(&mut stream, &mut buf).await?;
        if count == 0 {
            return Ok(());
        }
        E::write(&mut stream, &buf[..count]).await?;
    }
}

async fn ask<E: Net>(mut stream: E::Stream, begin: Instant) -> io::Result<Durations> {
    let mut trips = Durations::default();
    let (mut message, mut answer) = ([0_u8; SIZE], [0_u8; SIZE]);
    E::sleep(begin.saturating_duration_since(Instant::now())).await;
    // Each asks once at least.
    loop {
        message = [message[0].wrapping_add(1); SIZE];
        let sent = Instant::now();
        E::write(&mut stream, &message).await?;
        let mut have = 0;
        while have < SIZE {
            match E::read(&mut stream, &mut answer[have..]).await? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                count => have += count,
            }
        }
        trips.record(sent.elapsed());
        assert_eq!(answer, message, "the answer is the message");
        if begin.elapsed() >= TIME {
            return Ok(trips);
        }
    }
}
