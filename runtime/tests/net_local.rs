//! UDP and Unix sockets: every promise, one test each.

#[path = "net/support.rs"]
mod support;

use std::ffi::OsStr;
use std::io::ErrorKind;
use std::net::Shutdown;
use std::os::fd::AsRawFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use pirn::io::{AsyncReadExt, AsyncWriteExt};
use pirn::net::{UdpSocket, UnixDatagram, UnixListener, UnixStream};
use socket2::{Domain, SockAddr, Type};
use support::{assert_pending, run};

fn path(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("pirn-net-{}-{name}", std::process::id()));
    let _ = std::fs::remove_file(&path);
    path
}

#[test]
fn udp_datagrams_arrive_with_their_sender() {
    run(async {
        let (a, b) = (UdpSocket::bind("127.0.0.1:0").await?, UdpSocket::bind("localhost:0").await?);
        let mut buf = [0; 16];
        assert_pending(b.recv_from(&mut buf));
        assert_eq!(a.send_to(b"ping", b.local_addr()?).await?, 4);
        assert_eq!(b.peek_from(&mut buf).await?, (4, a.local_addr()?));
        assert_eq!(b.recv_from(&mut buf).await?, (4, a.local_addr()?));
        b.connect(a.local_addr()?).await?;
        assert_eq!(b.peer_addr()?, a.local_addr()?);
        b.send(b"pong!").await?;
        a.connect(b.local_addr()?).await?;
        assert_eq!(a.recv(&mut buf).await?, 5);
        assert_eq!(&buf[..5], b"pong!");
        Ok(())
    });
}

#[test]
fn udp_tells_of_a_peer_that_is_not_there_and_of_a_deadline() {
    run(async {
        let gone = UdpSocket::bind("127.0.0.1:0").await?.local_addr()?;
        let socket = UdpSocket::bind("127.0.0.1:0").await?;
        socket.connect(gone).await?;
        socket.send(b"anybody?").await?;
        assert_eq!(socket.recv(&mut [0; 1]).await.unwrap_err().kind(), ErrorKind::ConnectionRefused);
        socket.set_read_deadline(Some(Instant::now() + Duration::from_millis(10)));
        assert_eq!(socket.recv(&mut [0; 1]).await.unwrap_err().kind(), ErrorKind::TimedOut);
        Ok(())
    });
}

#[test]
fn unix_streams_carry_bytes_to_a_path() {
    run(async {
        let path = path("stream");
        assert_eq!(UnixStream::connect(&path).await.unwrap_err().kind(), ErrorKind::NotFound);
        let listener = UnixListener::bind(&path)?;
        assert_pending(listener.accept());
        let mut client = UnixStream::connect(&path).await?;
        let (server, _) = listener.accept().await?;
        let (mut incoming, mut outgoing) = server.into_split();
        let echo = pirn::spawn(async move { pirn::io::copy(&mut incoming, &mut outgoing).await });
        let sent = vec![9; 300_000];
        let (mut reader, mut writer) = client.split();
        let mut received = Vec::new();
        let write = async {
            writer.write_all(&sent).await?;
            writer.close().await
        };
        let (written, read) = futures_lite::future::zip(write, reader.read_to_end(&mut received)).await;
        written?;
        read?;
        assert!(received == sent);
        assert_eq!(echo.await.unwrap()?, 300_000);
        drop(listener);
        assert_eq!(UnixStream::connect(&path).await.unwrap_err().kind(), ErrorKind::ConnectionRefused);
        std::fs::remove_file(&path)
    });
}

#[test]
fn a_shut_write_side_ends_a_write_that_waits() {
    support::within_a_minute(|| {
        // With one processor a task that yields comes back after the other has gone to sleep.
        let runtime = pirn::Builder::new().procs(1).build().unwrap();
        let body = runtime.spawn(async {
            let (writer, _stuck) = UnixStream::pair().unwrap();
            let writer = Arc::new(writer);
            let waits = Arc::clone(&writer);
            let write = pirn::spawn(async move {
                while waits.write(&[0; 65_536]).await? > 0 {}
                std::io::Result::Ok(())
            });
            pirn::yield_now().await;
            writer.shutdown(Shutdown::Write).unwrap();
            assert_eq!(write.await.unwrap().unwrap_err().kind(), ErrorKind::BrokenPipe);
        });
        runtime.block_on(body).unwrap();
    });
}

#[test]
fn a_unix_connect_waits_for_a_full_queue() {
    run(async {
        let path = path("queue");
        let listener = UnixListener::bind(&path)?;
        let mut waiting = Vec::new();
        // More than the queue of std's listener holds: some have to wait until the others are accepted.
        for _ in 0..300 {
            let path = path.clone();
            waiting.push(pirn::spawn(async move { UnixStream::connect(path).await.map(drop) }));
        }
        for _ in 0..300 {
            listener.accept().await?;
        }
        for connect in waiting {
            connect.await.unwrap()?;
        }
        std::fs::remove_file(&path)
    });
}

#[test]
fn unix_connects_that_were_dropped_hold_no_thread() {
    support::within_a_minute(|| {
        let path = path("dropped");
        let listener = socket2::Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
        let address = SockAddr::unix(&path).unwrap();
        listener.bind(&address).unwrap();
        listener.listen(0).unwrap();
        let mut queue = Vec::new();
        loop {
            let client = socket2::Socket::new(Domain::UNIX, Type::STREAM.nonblocking(), None).unwrap();
            match client.connect(&address) {
                Ok(()) => queue.push(client),
                Err(error) => break assert_eq!(error.kind(), ErrorKind::WouldBlock),
            }
        }
        let runtime = pirn::Builder::new().procs(1).max_threads(6).build().unwrap();
        runtime.block_on(async {
            for _ in 0..8 {
                assert_pending(UnixStream::connect(&path));
            }
            pirn::fs::remove_file(&path).await.unwrap();
        });
    });
}

#[test]
fn a_path_with_a_zero_in_it_is_refused() {
    run(async {
        let path = path("zero");
        let _listener = UnixListener::bind(&path)?;
        let mut longer = path.clone().into_os_string();
        longer.push("\0and more");
        assert_eq!(UnixStream::connect(&longer).await.unwrap_err().kind(), ErrorKind::InvalidInput);
        assert_eq!(UnixListener::bind(&longer).unwrap_err().kind(), ErrorKind::InvalidInput);
        // One at the beginning names an abstract socket: there is none of this name.
        let nobodys = UnixStream::connect("\0nobody listens here").await.unwrap_err();
        assert_eq!(nobodys.kind(), ErrorKind::ConnectionRefused);
        std::fs::remove_file(&path)
    });
}

#[test]
fn an_abstract_name_lies_in_no_file_system_and_goes_with_its_socket() {
    run(async {
        let name = format!("\0pirn-net-abstract-{}", std::process::id());
        let listener = UnixListener::bind(&name)?;
        assert_eq!(listener.local_addr()?.as_abstract_name(), Some(&name.as_bytes()[1..]));
        let client = UnixStream::connect(&name).await?;
        let (server, _) = listener.accept().await?;
        client.write(b"hello").await?;
        let mut buf = [0; 16];
        assert_eq!(server.read(&mut buf).await?, 5);
        drop(listener);
        let datagrams = UnixDatagram::bind(&name)?;
        let sender = UnixDatagram::unbound()?;
        sender.send_to(b"to", &name).await?;
        sender.connect(&name)?;
        sender.send(b"connected").await?;
        assert_eq!((datagrams.recv(&mut buf).await?, datagrams.recv(&mut buf).await?), (2, 9));
        Ok(())
    });
}

#[test]
fn a_client_with_an_abstract_name_is_known_by_it() {
    run(async {
        let path = path("named");
        let listener = UnixListener::bind(&path)?;
        let name = format!("pirn-net-{}", std::process::id());
        let client = socket2::Socket::new(Domain::UNIX, Type::STREAM, None)?;
        client.bind(&SockAddr::unix(format!("\0{name}"))?)?;
        client.connect(&SockAddr::unix(&path)?)?;
        let (stream, address) = listener.accept().await?;
        assert_eq!(address.as_abstract_name(), Some(name.as_bytes()));
        assert_eq!(stream.peer_addr()?.as_abstract_name(), Some(name.as_bytes()));
        let _unnamed = UnixStream::connect(&path).await?;
        assert!(listener.accept().await?.1.is_unnamed());
        std::fs::remove_file(&path)
    });
}

#[test]
fn a_client_with_the_longest_path_is_known_by_it() {
    run(async {
        let (path, prefix) = (path("longest"), path("client"));
        let listener = UnixListener::bind(&path)?;
        let client = socket2::Socket::new(Domain::UNIX, Type::STREAM, None)?;
        let bytes = prefix.as_os_str().as_bytes();
        // SAFETY: all zeroes is an address without a path; it lives through the call, which is told of its whole length.
        let (bound, name) = unsafe {
            let mut address: libc::sockaddr_un = std::mem::zeroed();
            address.sun_family = libc::AF_UNIX as _;
            address.sun_path.fill(b'x' as _);
            for (place, byte) in address.sun_path.iter_mut().zip(bytes) {
                *place = *byte as _;
            }
            let size = size_of::<libc::sockaddr_un>() as _;
            let bound = libc::bind(client.as_raw_fd(), (&raw const address).cast(), size);
            (bound, address.sun_path.map(|byte| byte as u8))
        };
        assert_eq!(bound, 0, "{}", std::io::Error::last_os_error());
        client.connect(&SockAddr::unix(&path)?)?;
        let (_stream, address) = listener.accept().await?;
        let name = Path::new(OsStr::from_bytes(&name));
        assert_eq!(address.as_pathname(), Some(name));
        std::fs::remove_file(name)?;
        std::fs::remove_file(&path)
    });
}

#[test]
fn unix_datagrams_arrive_whole_and_in_order() {
    run(async {
        let path = path("datagram");
        let receiver = UnixDatagram::bind(&path)?;
        let sender = UnixDatagram::unbound()?;
        // More than the receiver holds, so that the sender has to wait for it.
        let send = pirn::spawn(async move {
            for number in 0..200_u8 {
                sender.send_to(&vec![number; 1 + usize::from(number)], &path).await?;
            }
            std::fs::remove_file(&path)
        });
        let mut buf = [0; 256];
        for number in 0..200_u8 {
            let (count, from) = receiver.recv_from(&mut buf).await?;
            assert!(from.is_unnamed());
            assert_eq!((count, buf[0]), (1 + usize::from(number), number));
        }
        send.await.unwrap()?;
        let (a, b) = UnixDatagram::pair()?;
        let send = pirn::spawn(async move {
            for number in 0..1_000_u32 {
                a.send(&number.to_le_bytes()).await?;
            }
            std::io::Result::Ok(())
        });
        for number in 0..1_000_u32 {
            assert_eq!(b.recv(&mut buf).await?, 4);
            assert_eq!(buf[..4], number.to_le_bytes());
        }
        send.await.unwrap()
    });
}

#[test]
fn options_and_deadlines_of_datagrams_and_listeners() {
    run(async {
        let socket = UdpSocket::bind("127.0.0.1:0").await?;
        socket.set_ttl(42)?;
        socket.set_broadcast(true)?;
        let options = socket2::SockRef::from(&socket);
        assert_eq!((options.ttl_v4()?, options.broadcast()?), (42, true));
        socket.set_write_deadline(Instant::now());
        let sent = socket.send_to(b"x", socket.local_addr()?).await;
        assert_eq!(sent.unwrap_err().kind(), ErrorKind::TimedOut);
        socket.set_write_deadline(None);
        assert_eq!(socket.send_to(b"x", socket.local_addr()?).await?, 1);

        let path = path("deadline");
        let listener = UnixListener::bind(&path)?;
        listener.set_deadline(Instant::now());
        assert_eq!(listener.accept().await.unwrap_err().kind(), ErrorKind::TimedOut);
        listener.set_deadline(None);
        assert_pending(listener.accept());
        std::fs::remove_file(&path)
    });
}
