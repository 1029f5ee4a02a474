//! TCP: every promise of `pirn::net`'s streams and listeners, one test each.

#[path = "net/support.rs"]
mod support;

use std::future::{Future, poll_fn};
use std::io::{self, ErrorKind, IoSlice, IoSliceMut};
use std::net::Shutdown;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Wake, Waker};
use std::time::{Duration, Instant};

use pirn::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use pirn::net::{TcpListener, TcpSocket, TcpStream, UnixStream};
use support::{assert_pending, poll_once, run};

async fn pair() -> io::Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let client = TcpStream::connect(listener.local_addr()?).await?;
    let (server, _) = listener.accept().await?;
    Ok((client, server))
}

#[test]
fn a_cancelled_read_loses_no_byte() {
    run(async {
        let (client, server) = pair().await?;
        let mut buf = [0; 8];
        assert_pending(client.read(&mut buf));
        assert_eq!(server.write(b"kept").await?, 4);
        assert_eq!(client.read(&mut buf).await?, 4);
        assert_eq!(&buf[..4], b"kept");
        Ok(())
    });
}

#[test]
fn a_cancelled_accept_loses_no_connection() {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        assert_pending(listener.accept());
        let client = TcpStream::connect(listener.local_addr()?).await?;
        let (_server, peer) = listener.accept().await?;
        assert_eq!(peer, client.local_addr()?);
        Ok(())
    });
}

#[test]
fn a_cancelled_write_writes_nothing() {
    run(async {
        let (client, server) = pair().await?;
        let chunk = vec![7; 64 * 1024];
        let mut sent = 0;
        // Until the peer's window and our buffer are full; the last write is dropped while it waits.
        while let Some(count) = poll_once(client.write(&chunk)) {
            sent += count?;
        }
        client.shutdown(Shutdown::Write)?;
        let mut received = 0;
        let mut buf = vec![0; 64 * 1024];
        loop {
            match server.read(&mut buf).await? {
                0 => break,
                count => received += count,
            }
        }
        assert_eq!(received, sent);
        Ok(())
    });
}

#[test]
fn peek_leaves_the_bytes() {
    run(async {
        let (client, server) = pair().await?;
        server.write(b"look").await?;
        let mut buf = [0; 8];
        assert_eq!(client.peek(&mut buf).await?, 4);
        assert_eq!(client.read(&mut buf).await?, 4);
        assert_eq!(&buf[..4], b"look");
        Ok(())
    });
}

#[test]
fn an_empty_buffer_waits_for_nothing() {
    run(async {
        let (client, _silent) = pair().await?;
        let (local, _silent_too) = UnixStream::pair()?;
        // Until a read has waited nobody knows that there is nothing.
        assert_pending(client.read(&mut [0; 1]));
        assert_pending(local.read(&mut [0; 1]));
        assert_eq!(poll_once(client.read(&mut [])).transpose()?, Some(0));
        assert_eq!(poll_once(local.read(&mut [])).transpose()?, Some(0));
        assert_eq!(poll_once(client.peek(&mut [])).transpose()?, Some(0));
        assert_eq!(poll_once(AsyncReadExt::read(&mut &client, &mut [])).transpose()?, Some(0));
        let mut none = [IoSliceMut::new(&mut []), IoSliceMut::new(&mut [])];
        assert_eq!(poll_once((&client).read_vectored(&mut none)).transpose()?, Some(0));
        Ok(())
    });
}

/// One more slice than one system call takes.
const TOO_MANY: usize = 1025;

async fn exchange_too_many_slices<S>(from: &S, to: &S) -> io::Result<()>
where
    for<'a> &'a S: AsyncRead + AsyncWrite + Unpin,
{
    let sent = [7; TOO_MANY];
    let slices: Vec<_> = sent.chunks(1).map(IoSlice::new).collect();
    let count = poll_fn(|cx| Pin::new(&mut &*from).poll_write_vectored(cx, &slices)).await?;
    assert_eq!(count, TOO_MANY - 1);
    (&*from).write_all(&[8]).await?;
    let mut received = [0; TOO_MANY];
    let mut slices: Vec<_> = received.chunks_mut(1).map(IoSliceMut::new).collect();
    let count = poll_fn(|cx| Pin::new(&mut &*to).poll_read_vectored(cx, &mut slices)).await?;
    assert_eq!(count, TOO_MANY - 1);
    (&*to).read_exact(&mut received[TOO_MANY - 1..]).await?;
    assert_eq!(received[..TOO_MANY - 1], sent[1..]);
    assert_eq!(received[TOO_MANY - 1], 8, "what did not fit is not taken for drained");
    Ok(())
}

#[test]
fn of_more_slices_than_the_system_takes_the_first_are_used() {
    run(async {
        let (client, server) = pair().await?;
        exchange_too_many_slices(&client, &server).await?;
        let (a, b) = UnixStream::pair()?;
        exchange_too_many_slices(&a, &b).await
    });
}

#[test]
fn half_close_leaves_the_other_direction_open() {
    run(async {
        let (client, server) = pair().await?;
        client.shutdown(Shutdown::Write)?;
        let mut buf = [0; 8];
        assert_eq!(server.read(&mut buf).await?, 0);
        server.write(b"answer").await?;
        assert_eq!(client.read(&mut buf).await?, 6);
        Ok(())
    });
}

#[test]
fn a_hang_up_that_comes_with_the_last_bytes_is_seen() {
    run(async {
        for _ in 0..200 {
            let (client, server) = pair().await?;
            server.write(b"last").await?;
            drop(server);
            let mut buf = [0; 64];
            assert_eq!(client.read(&mut buf).await?, 4, "a short read");
            assert_eq!(client.read(&mut buf).await?, 0, "and then the end, without another edge");
        }
        Ok(())
    });
}

#[test]
fn a_reset_is_an_error_of_the_read() {
    run(async {
        let (client, server) = pair().await?;
        server.set_linger(Some(Duration::ZERO))?;
        drop(server);
        let error = client.read(&mut [0; 8]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        Ok(())
    });
}

#[test]
fn writing_to_a_peer_that_is_gone_is_an_error_and_no_signal() {
    // Std ignores SIGPIPE; with its default action restored one would end this process.
    pirn::signal::reset(&[pirn::signal::Signal::PIPE]);
    run(async {
        let (client, server) = pair().await?;
        drop(server);
        let error = loop {
            if let Err(error) = client.write(b"x").await {
                break error;
            }
        };
        assert!(matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset), "{error}");
        Ok(())
    });
}

#[test]
fn a_connect_that_is_refused_says_so() {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        drop(listener);
        let error = TcpStream::connect(address).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        Ok(())
    });
}

#[test]
fn a_connect_to_an_address_out_of_reach_fails() {
    run(async {
        // A multicast address takes no TCP connection.
        let error = TcpStream::connect("224.0.0.1:9").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NetworkUnreachable, "{error}");
        Ok(())
    });
}

#[test]
fn connect_goes_on_to_the_address_that_answers() {
    run(async {
        let gone = TcpListener::bind("127.0.0.1:0").await?.local_addr()?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let there = listener.local_addr()?;
        let client = TcpStream::connect(&[gone, there][..]).await?;
        assert_eq!(client.peer_addr()?, there);
        Ok(())
    });
}

#[test]
fn names_and_literals_are_resolved() {
    run(async {
        let listener = TcpListener::bind(("localhost", 0)).await?;
        let port = listener.local_addr()?.port();
        TcpStream::connect(format!("localhost:{port}")).await?;
        TcpStream::connect(("localhost".to_owned(), port)).await?;
        let found = pirn::net::lookup_host("127.0.0.1:7").await?;
        assert_eq!(found, ["127.0.0.1:7".parse().unwrap()]);
        for nonsense in ["no port", "host:notaport", "host:70000"] {
            let error = TcpStream::connect(nonsense).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{nonsense}");
        }
        Ok(())
    });
}

#[test]
fn a_deadline_ends_a_read_from_a_stuck_peer() {
    run(async {
        let (client, _stuck) = pair().await?;
        let deadline = Instant::now() + Duration::from_millis(30);
        client.set_read_deadline(Some(deadline));
        let error = client.read(&mut [0; 8]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        assert!(Instant::now() >= deadline, "never early");
        client.set_read_deadline(None);
        assert_pending(client.read(&mut [0; 8]));
        Ok(())
    });
}

#[test]
fn a_deadline_ends_a_write_to_a_stuck_peer() {
    run(async {
        let (client, _stuck) = pair().await?;
        client.set_write_deadline(Some(Instant::now() + Duration::from_millis(30)));
        let chunk = vec![0; 64 * 1024];
        let error = loop {
            if let Err(error) = client.write(&chunk).await {
                break error;
            }
        };
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        Ok(())
    });
}

#[test]
fn a_deadline_set_later_ends_a_read_that_waits_already() {
    support::within_a_minute(|| {
        // With one processor a task that yields comes back after the other has gone to sleep.
        let runtime = pirn::Builder::new().procs(1).build().unwrap();
        let body = runtime.spawn(async {
            let (client, _stuck) = pair().await.unwrap();
            let client = Arc::new(client);
            let reader = Arc::clone(&client);
            let read = pirn::spawn(async move { reader.read(&mut [0; 8]).await });
            pirn::yield_now().await;
            client.set_read_deadline(Instant::now());
            assert_eq!(read.await.unwrap().unwrap_err().kind(), ErrorKind::TimedOut);
        });
        runtime.block_on(body).unwrap();
    });
}

#[test]
fn a_deadline_ends_every_read_though_a_waker_panics() {
    struct Panics;
    impl Wake for Panics {
        fn wake(self: Arc<Self>) {
            panic!("a waker panics");
        }
    }
    support::within_a_minute(|| {
        let runtime = pirn::Builder::new().procs(1).build().unwrap();
        let body = runtime.spawn(async {
            let (client, _stuck) = pair().await.unwrap();
            let client = Arc::new(client);
            let mut room = [0; 8];
            let mut unlucky = pin!(client.read(&mut room));
            let waker = Waker::from(Arc::new(Panics));
            assert!(unlucky.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
            let reader = Arc::clone(&client);
            let read = pirn::spawn(async move { reader.read(&mut [0; 8]).await });
            pirn::yield_now().await;
            let set = catch_unwind(AssertUnwindSafe(|| client.set_read_deadline(Instant::now())));
            assert!(set.is_err(), "the panic goes on");
            assert_eq!(read.await.unwrap().unwrap_err().kind(), ErrorKind::TimedOut);
        });
        runtime.block_on(body).unwrap();
    });
}

#[test]
fn a_deadline_outlives_the_runtime_that_it_was_set_in() {
    support::within_a_minute(|| {
        let own = pirn::Builder::new().procs(1).build().unwrap();
        let other = pirn::Builder::new().procs(1).build().unwrap();
        let (client, _stuck) = own.block_on(pair()).unwrap();
        other.block_on(async { client.set_read_deadline(Instant::now() + Duration::from_millis(200)) });
        drop(other);
        let error = own.block_on(client.read(&mut [0; 8])).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
    });
}

#[test]
fn a_deadline_that_has_passed_beats_bytes_that_are_there() {
    run(async {
        let (client, server) = pair().await?;
        server.write(b"late").await?;
        client.peek(&mut [0; 8]).await?;
        client.set_read_deadline(Some(Instant::now()));
        assert_eq!(client.read(&mut [0; 8]).await.unwrap_err().kind(), ErrorKind::TimedOut);
        client.set_read_deadline(None);
        assert_eq!(client.read(&mut [0; 8]).await?, 4);
        Ok(())
    });
}

#[test]
fn a_listener_dropped_while_accept_waits_frees_its_port() {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let accept = pirn::spawn(async move { listener.accept().await.map(drop) });
        pirn::yield_now().await;
        accept.abort();
        assert!(accept.await.unwrap_err().is_cancelled());
        let error = TcpStream::connect(address).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        TcpListener::bind(address).await?;
        Ok(())
    });
}

#[test]
fn a_stream_moves_through_its_halves() {
    run(async {
        let (mut client, server) = pair().await?;
        let (mut reader, mut writer) = client.split();
        writer.write_all(b"ping").await?;
        let (mut theirs_in, mut theirs_out) = server.into_split();
        let mut buf = [0; 4];
        theirs_in.read_exact(&mut buf).await?;
        theirs_out.write_all(&buf).await?;
        drop(theirs_out);
        let mut all = Vec::new();
        reader.read_to_end(&mut all).await?;
        assert_eq!(all, b"ping", "dropping the owned writing half ends the stream");
        Ok(())
    });
}

#[test]
fn halves_reunite_only_with_their_own_kind() {
    run(async {
        let (a, b) = pair().await?;
        let ((a_in, a_out), (b_in, b_out)) = (a.into_split(), b.into_split());
        let error = a_in.reunite(b_out).unwrap_err();
        let a = error.0.reunite(a_out).unwrap();
        let b = b_in.reunite(error.1).unwrap();
        a.write(b"still open").await?;
        assert_eq!(b.read(&mut [0; 16]).await?, 10);
        Ok(())
    });
}

/// Runs `attempt` again and again, and aborts that.
async fn abort_repeated<F: Future<Output: Send> + Send>(attempt: impl Fn() -> F + Send + 'static) {
    let (begin, begun) = pirn::channel::oneshot::channel();
    let mut begin = Some(begin);
    let task = pirn::spawn(async move {
        loop {
            attempt().await;
            if let Some(begin) = begin.take() {
                begin.send(()).unwrap();
            }
        }
    });
    begun.await.unwrap();
    task.abort();
    assert!(task.await.unwrap_err().is_cancelled());
}

#[test]
fn who_repeats_what_fails_at_once_can_be_aborted() {
    run(async {
        let taken = TcpListener::bind("127.0.0.1:0").await?;
        let address = taken.local_addr()?;
        abort_repeated(move || TcpListener::bind(address)).await;
        abort_repeated(|| TcpStream::connect("224.0.0.1:9")).await;
        abort_repeated(|| UnixStream::connect("/no/such/socket")).await;
        abort_repeated(|| pirn::process::Command::new("/no/such/program").status()).await;
        abort_repeated(|| pirn::process::Command::new("/no/such/program").output()).await;
        Ok(())
    });
}

#[test]
fn two_tasks_may_read_one_stream() {
    run(async {
        let (client, server) = pair().await?;
        let client = Arc::new(client);
        let readers: Vec<_> = (0..2)
            .map(|_| {
                let client = Arc::clone(&client);
                pirn::spawn(async move { client.read(&mut [0; 1]).await.unwrap() })
            })
            .collect();
        server.write(b"ab").await?;
        for reader in readers {
            assert_eq!(reader.await.unwrap(), 1);
        }
        Ok(())
    });
}

#[test]
fn options_of_a_stream_are_those_of_its_socket() {
    run(async {
        let (client, _server) = pair().await?;
        let socket = socket2::SockRef::from(&client);
        assert!(!client.nodelay()?, "off unless set");
        client.set_nodelay(true)?;
        assert!(client.nodelay()? && socket.tcp_nodelay()?);
        client.set_ttl(42)?;
        assert_eq!((client.ttl()?, socket.ttl_v4()?), (42, 42));
        client.set_keepalive(Some(Duration::from_secs(77)))?;
        assert!(socket.keepalive()?);
        assert_eq!(socket.tcp_keepalive_time()?, Duration::from_secs(77));
        client.set_keepalive(None)?;
        assert!(!socket.keepalive()?);
        client.set_linger(Some(Duration::ZERO))?;
        assert_eq!(socket.linger()?, Some(Duration::ZERO));
        client.set_linger(None)?;
        assert_eq!(socket.linger()?, None);
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        assert!(socket2::SockRef::from(&listener).reuse_address()?, "as std does");
        Ok(())
    });
}

#[test]
fn a_deadline_ends_an_accept() {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        listener.set_deadline(Instant::now());
        let error = listener.accept().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        assert!(error.to_string().contains("deadline has passed"), "{error}");
        listener.set_deadline(None);
        assert_pending(listener.accept());
        Ok(())
    });
}

#[test]
fn bind_goes_on_to_the_address_that_works() {
    run(async {
        let taken = TcpListener::bind("127.0.0.1:0").await?.into_std();
        let free = "127.0.0.1:0".parse().unwrap();
        let bound = TcpListener::bind(&[taken.local_addr()?, free][..]).await?;
        assert_ne!(bound.local_addr()?, taken.local_addr()?);
        Ok(())
    });
}

#[test]
fn addresses_that_say_nothing_are_told_what_is_missing() {
    run(async {
        for (nonsense, said) in [
            ("no port", "no port in `no port`: write HOST:PORT"),
            ("host:70000", "no valid port in `host:70000`: write HOST:PORT"),
        ] {
            assert_eq!(TcpListener::bind(nonsense).await.unwrap_err().to_string(), said);
        }
        let error = TcpStream::connect(&[][..]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert_eq!(error.to_string(), "the name stands for no address");
        let (a, b) = (pair().await?.0.into_split(), pair().await?.0.into_split());
        let error = a.0.reunite(b.1).unwrap_err();
        assert!(error.to_string().starts_with("the two halves are of different streams"), "{error}");
        Ok(())
    });
}

#[test]
fn options_that_are_set_before_hold_for_what_a_socket_becomes() {
    run(async {
        let socket = TcpSocket::new_v4()?;
        assert!(!socket.reuseaddr()? && !socket.reuseport()? && !socket.nodelay()?, "off unless set");
        socket.set_reuseaddr(true)?;
        socket.set_reuseport(true)?;
        socket.set_nodelay(true)?;
        socket.set_send_buffer_size(32 * 1024)?;
        socket.set_recv_buffer_size(16 * 1024)?;
        assert!(socket.reuseaddr()? && socket.reuseport()? && socket.nodelay()?);
        assert!(socket.send_buffer_size()? >= 32 * 1024 && socket.recv_buffer_size()? >= 16 * 1024);
        let sizes = (socket.send_buffer_size()?, socket.recv_buffer_size()?);
        socket.bind("127.0.0.1:0".parse().unwrap())?;
        assert_eq!(socket.bind("127.0.0.1:0".parse().unwrap()).unwrap_err().kind(), ErrorKind::InvalidInput);
        let address = socket.local_addr()?;
        let listener = socket.listen(4)?;
        assert_eq!(listener.local_addr()?, address);

        let twin = TcpSocket::new_v4()?;
        twin.set_reuseaddr(true)?;
        assert_eq!(twin.bind(address).unwrap_err().kind(), ErrorKind::AddrInUse);
        twin.set_reuseport(true)?;
        twin.bind(address)?;
        drop(twin.listen(u32::MAX)?);

        let socket = TcpSocket::new_v4()?;
        socket.set_nodelay(true)?;
        socket.set_send_buffer_size(32 * 1024)?;
        socket.set_recv_buffer_size(16 * 1024)?;
        socket.bind("127.0.0.2:0".parse().unwrap())?;
        let from = socket.local_addr()?;
        let client = socket.connect(address).await?;
        assert!(client.nodelay()?);
        let options = socket2::SockRef::from(&client);
        assert_eq!((options.send_buffer_size()?, options.recv_buffer_size()?), sizes);
        let (server, peer) = listener.accept().await?;
        assert_eq!((peer, client.local_addr()?), (from, from));
        assert!(server.nodelay()?, "it is inherited");
        client.write(b"hello").await?;
        assert_eq!(server.read(&mut [0; 8]).await?, 5);
        Ok(())
    });
}

#[test]
fn a_socket_connects_with_its_own_family_only_and_says_who_refuses() {
    run(async {
        let free = TcpListener::bind("127.0.0.1:0").await?.local_addr()?;
        let refused = TcpSocket::new_v4()?.connect(free).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        let Ok(other) = TcpSocket::new_v6() else { return Ok(()) };
        assert!(other.connect(free).await.is_err());
        Ok(())
    });
}

#[test]
fn a_connect_of_a_socket_does_nothing_until_it_is_polled() {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let connect = TcpSocket::new_v4()?.connect(listener.local_addr()?);
        assert_pending(listener.accept());
        let client = connect.await?;
        assert_eq!(listener.accept().await?.1, client.local_addr()?);
        Ok(())
    });
}
