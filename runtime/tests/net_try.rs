//! Waiting until a socket is ready, and the operations that never wait: every promise, one test each.

#[path = "net/support.rs"]
mod support;

use std::io::{self, ErrorKind};
use std::net::Shutdown;
use std::time::{Duration, Instant};

use pirn::net::{TcpListener, TcpStream, UdpSocket, UnixDatagram, UnixStream};
use support::{assert_pending, poll_once, run, within_a_minute};

async fn tcp_pair() -> io::Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let client = TcpStream::connect(listener.local_addr()?).await?;
    let (server, _) = listener.accept().await?;
    Ok((client, server))
}

fn kind<R: std::fmt::Debug>(result: io::Result<R>) -> ErrorKind {
    result.expect_err("it should fail").kind()
}

/// The same for both kinds of streams.
macro_rules! for_streams {
    ($(fn $tcp:ident, $unix:ident($a:ident, $b:ident) $body:block)*) => {$(
        #[test]
        fn $tcp() {
            run(async {
                let ($a, $b) = tcp_pair().await?;
                $body
            });
        }

        #[test]
        fn $unix() {
            run(async {
                let ($a, $b) = UnixStream::pair()?;
                $body
            });
        }
    )*};
}

for_streams! {
    fn a_tcp_stream_is_readable_while_something_is_there, a_unix_stream_is_readable_while_something_is_there(a, b) {
        let mut buf = [0; 4];
        assert_pending(a.readable());
        assert_eq!(kind(a.try_read(&mut buf)), ErrorKind::WouldBlock);
        assert_eq!(a.try_read(&mut [])?, 0, "it asks for nothing");
        let waiting = a.readable();
        assert_eq!(b.try_write(b"hello")?, 5);
        waiting.await?;
        assert_eq!(a.try_read(&mut buf)?, 4);
        assert_eq!(poll_once(a.readable()).transpose()?, Some(()), "one byte is left");
        assert_eq!(a.try_read(&mut buf)?, 1);
        assert_eq!(kind(a.try_read(&mut buf)), ErrorKind::WouldBlock);
        assert_pending(a.readable());
        assert_pending(a.read(&mut buf));
        // What has come is found also before the poller has told of it, and by one who waits all the same.
        let read = pirn::spawn(async move {
            let (mut buf, mut count) = ([0; 4], 0);
            while count == 0 {
                a.readable().await?;
                count = a.try_read(&mut buf).or_else(|error| match error.kind() {
                    ErrorKind::WouldBlock => Ok(0),
                    _ => Err(error),
                })?;
            }
            a.readable().await?;
            assert_eq!(a.try_read(&mut buf)?, 0, "the end is something to read");
            io::Result::Ok(count)
        });
        pirn::yield_now().await;
        b.write(b"x").await?;
        b.shutdown(Shutdown::Write)?;
        assert_eq!(read.await.unwrap()?, 1);
        Ok(())
    }

    fn a_tcp_stream_is_writable_while_there_is_room, a_unix_stream_is_writable_while_there_is_room(a, b) {
        let chunk = [7; 16 * 1024];
        let mut sent = 0;
        loop {
            match a.try_write(&chunk) {
                Ok(count) => sent += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    // What is on its way to the peer may still make room.
                    if poll_once(a.writable()).transpose()?.is_none() {
                        break;
                    }
                }
                Err(error) => return Err(error),
            }
        }
        let drain = pirn::spawn(async move {
            let (mut buf, mut received) = (vec![0; 64 * 1024], 0);
            loop {
                match b.read(&mut buf).await? {
                    0 => return io::Result::Ok(received),
                    count => received += count,
                }
            }
        });
        a.writable().await?;
        sent += a.try_write(b"more")?;
        drop(a);
        assert_eq!(drain.await.unwrap()?, sent);
        Ok(())
    }

    fn deadlines_of_a_tcp_stream_hold_here_too, deadlines_of_a_unix_stream_hold_here_too(a, b) {
        a.set_read_deadline(Instant::now() + Duration::from_millis(5));
        assert_eq!(kind(a.readable().await), ErrorKind::TimedOut);
        b.write(b"x").await?;
        assert_eq!(kind(a.try_read(&mut [0; 1])), ErrorKind::TimedOut);
        a.set_read_deadline(None);
        a.readable().await?;
        assert_eq!(a.try_read(&mut [0; 1])?, 1);
        a.set_write_deadline(Instant::now());
        assert_eq!(kind(a.writable().await), ErrorKind::TimedOut);
        assert_eq!(kind(a.try_write(b"x")), ErrorKind::TimedOut);
        a.set_write_deadline(None);
        a.writable().await?;
        assert_eq!(a.try_write(b"x")?, 1);
        Ok(())
    }

    fn halves_of_a_tcp_stream_do_the_same, halves_of_a_unix_stream_do_the_same(a, b) {
        let mut a = a;
        let (reads, writes) = a.split();
        assert_pending(reads.readable());
        assert_eq!(kind(reads.try_read(&mut [0; 1])), ErrorKind::WouldBlock);
        writes.writable().await?;
        assert_eq!(writes.try_write(b"x")?, 1);
        let (reads, writes) = b.into_split();
        reads.readable().await?;
        assert_eq!(reads.try_read(&mut [0; 2])?, 1);
        writes.writable().await?;
        assert_eq!(writes.try_write(b"y")?, 1);
        a.readable().await?;
        assert_eq!(a.try_read(&mut [0; 2])?, 1);
        Ok(())
    }
}

#[test]
fn writing_without_waiting_to_a_peer_that_is_gone_is_an_error_and_no_signal() {
    run(async {
        let (a, b) = UnixStream::pair()?;
        drop(b);
        a.writable().await?;
        assert_eq!(kind(a.try_write(b"x")), ErrorKind::BrokenPipe);
        Ok(())
    });
}

#[test]
fn after_the_shutdown_of_its_runtime_a_stream_is_not_tried() {
    within_a_minute(|| {
        let runtime = pirn::Builder::new().procs(1).build().unwrap();
        let (a, b) = runtime.block_on(async { UnixStream::pair() }).unwrap();
        b.try_write(b"x").unwrap();
        drop(runtime);
        for error in [a.try_read(&mut [0; 1]).unwrap_err(), a.try_write(b"x").unwrap_err()] {
            assert!(error.to_string().contains("has shut down"), "{error}");
        }
    });
}

#[test]
fn udp_sockets_are_ready_and_tried() {
    run(async {
        let (a, b) = (UdpSocket::bind("127.0.0.1:0").await?, UdpSocket::bind("127.0.0.1:0").await?);
        let mut buf = [0; 8];
        assert_pending(b.readable());
        assert_eq!(kind(b.try_recv_from(&mut buf)), ErrorKind::WouldBlock);
        a.writable().await?;
        assert_eq!(a.try_send_to(b"ping", b.local_addr()?)?, 4);
        b.readable().await?;
        assert_eq!(b.try_recv_from(&mut buf)?, (4, a.local_addr()?));
        b.connect(a.local_addr()?).await?;
        assert_eq!(kind(b.try_recv(&mut buf)), ErrorKind::WouldBlock);
        assert_eq!(b.try_send(b"pong!")?, 5);
        a.readable().await?;
        assert_eq!(a.try_recv(&mut buf)?, 5);
        assert_eq!(&buf[..5], b"pong!");
        a.set_read_deadline(Instant::now());
        assert_eq!(kind(a.try_recv(&mut buf)), ErrorKind::TimedOut);
        assert_eq!(kind(a.readable().await), ErrorKind::TimedOut);
        Ok(())
    });
}

#[test]
fn unix_datagrams_are_ready_and_tried() {
    run(async {
        let (a, b) = UnixDatagram::pair()?;
        let mut buf = [0; 8];
        assert_pending(b.readable());
        assert_eq!(kind(b.try_recv(&mut buf)), ErrorKind::WouldBlock);
        let mut sent = 0;
        loop {
            match a.try_send(b"x") {
                Ok(count) => sent += count,
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::WouldBlock);
                    break;
                }
            }
        }
        assert_pending(a.writable());
        for _ in 0..sent {
            b.readable().await?;
            assert_eq!(b.try_recv(&mut buf)?, 1);
        }
        assert_eq!(kind(b.try_recv(&mut buf)), ErrorKind::WouldBlock);
        a.writable().await?;

        let path = std::env::temp_dir().join(format!("pirn-net-try-{}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        let (receiver, sender) = (UnixDatagram::bind(&path)?, UnixDatagram::unbound()?);
        assert_eq!(kind(sender.try_send_to(b"x", "/nobody/there")), ErrorKind::NotFound);
        assert_eq!(sender.try_send_to(b"xyz", &path)?, 3);
        receiver.readable().await?;
        let (count, from) = receiver.try_recv_from(&mut buf)?;
        assert!(count == 3 && from.is_unnamed());
        while sender.try_send_to(b"x", &path).is_ok() {}
        assert_eq!(kind(sender.try_send_to(b"x", &path)), ErrorKind::WouldBlock);
        assert_eq!(
            poll_once(sender.writable()).transpose()?,
            Some(()),
            "a full stranger makes nobody else wait"
        );
        std::fs::remove_file(&path)
    });
}
