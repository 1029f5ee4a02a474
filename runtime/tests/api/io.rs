//! *I/O*: sockets, descriptors, files, processes and signals.

use std::io;
use std::net::{Ipv4Addr, Shutdown, SocketAddr};
use std::os::unix::net::UnixStream as StdUnixStream;
use std::path::PathBuf;

use pirn::channel::{Receiver, TryRecvError};
use pirn::io::{AsyncFd, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, StreamExt};
use pirn::net::{TcpListener, TcpStream, UdpSocket, UnixDatagram, UnixListener, UnixStream};
use pirn::process::{Child, Command, Stdio};
use pirn::signal::Signal;
use pirn::time::Instant;
use pirn::{fs, go, signal};

use crate::{poll, send_sync, unpin};

/// A port of this machine that the system picks.
const ANY: (Ipv4Addr, u16) = (Ipv4Addr::LOCALHOST, 0);

fn reads_and_writes<S: AsyncRead + AsyncWrite>() {}
fn reads<S: futures_io::AsyncRead>() {}
fn writes<S: futures_io::AsyncWrite>() {}

#[test]
fn the_types_are_as_free_as_they_can_be() {
    send_sync::<TcpListener>();
    send_sync::<TcpStream>();
    send_sync::<pirn::net::TcpSocket>();
    unpin::<TcpStream>();
    send_sync::<UdpSocket>();
    send_sync::<UnixListener>();
    send_sync::<UnixStream>();
    send_sync::<UnixDatagram>();
    send_sync::<AsyncFd<std::net::TcpStream>>();
    send_sync::<fs::File>();
    send_sync::<fs::Job<u8>>();
    send_sync::<fs::ReadDir>();
    send_sync::<fs::DirEntry>();
    send_sync::<fs::OpenOptions>();
    send_sync::<Command>();
    send_sync::<pirn::process::ChildStdin>();
    send_sync::<pirn::process::ChildStdout>();
    send_sync::<pirn::process::Wait<'static>>();
    send_sync::<pirn::process::Status>();
    send_sync::<pirn::process::CollectOutput>();
    send_sync::<signal::CtrlC>();
    send_sync::<pirn::io::Stdin>();
    send_sync::<pirn::io::DuplexStream>();
    send_sync::<pirn::io::Readable<'static, std::net::TcpStream>>();
    send_sync::<pirn::net::Connect>();
    send_sync::<pirn::net::Bind<TcpListener>>();
    send_sync::<pirn::net::Accept<'static, TcpStream>>();
    send_sync::<pirn::net::Read<'static, std::net::TcpStream>>();
    send_sync::<pirn::net::Write<'static, std::net::TcpStream>>();
    send_sync::<pirn::net::Readable<'static, std::net::TcpStream>>();
    send_sync::<pirn::net::Writable<'static, std::net::TcpStream>>();
    unpin::<pirn::net::Readable<'static, std::net::UdpSocket>>();
    send_sync::<pirn::net::Incoming<'static>>();
    send_sync::<Child>();
    reads_and_writes::<TcpStream>();
    reads_and_writes::<&TcpStream>();
    reads_and_writes::<UnixStream>();
    reads_and_writes::<&UnixStream>();
    reads::<pirn::net::tcp::ReadHalf<'static>>();
    writes::<pirn::net::tcp::WriteHalf<'static>>();
    reads::<pirn::net::tcp::OwnedReadHalf>();
    writes::<pirn::net::tcp::OwnedWriteHalf>();
    reads::<pirn::net::unix::OwnedReadHalf>();
    writes::<pirn::net::unix::OwnedWriteHalf>();
    reads_and_writes::<fs::File>();
}

async fn tcp_pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind(ANY).await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (server, _from) = listener.accept().await.unwrap();
    (client, server)
}

#[pirn::test(procs = 2, timeout = "10s")]
async fn tcp_connects_and_echoes() -> io::Result<()> {
    let listener: TcpListener = TcpListener::bind("127.0.0.1:0").await?;
    let address: SocketAddr = listener.local_addr()?;
    go!({
        let mut incoming = listener.incoming();
        let stream: TcpStream = incoming.next().await.unwrap().unwrap();
        let mut buf = [0; 16];
        let n: usize = stream.read(&mut buf).await.unwrap();
        assert_eq!(stream.write(&buf[..n]).await.unwrap(), n);
    });
    let stream: TcpStream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    assert_eq!(stream.write(b"ping").await?, 4);
    let mut buf = [0; 16];
    assert_eq!(stream.peek(&mut buf).await?, 4);
    assert_eq!(stream.read(&mut buf).await?, 4);
    assert_eq!(&buf[..4], b"ping");
    assert_eq!(stream.read(&mut buf).await?, 0, "the other side has closed");
    Ok(())
}

#[pirn::test(procs = 2, timeout = "10s")]
async fn names_are_resolved_too() -> io::Result<()> {
    let listener = TcpListener::bind(("localhost", 0)).await?;
    TcpStream::connect(("localhost", listener.local_addr()?.port())).await?;
    assert!(TcpStream::connect("no address").await.is_err());
    Ok(())
}

#[pirn::test(procs = 2, timeout = "10s")]
async fn a_stream_is_split_in_two_ways() {
    let (mut client, server) = tcp_pair().await;
    {
        let (mut read, mut write) = TcpStream::split(&mut client);
        let (mut other_read, mut other_write) = server.into_split();
        write.write_all(b"over").await.unwrap();
        let mut buf = [0; 4];
        other_read.read_exact(&mut buf).await.unwrap();
        other_write.write_all(&buf).await.unwrap();
        read.read_exact(&mut buf).await.unwrap();
        assert_eq!(&buf, b"over");
        // Closing a half shuts the write side.
        other_write.close().await.unwrap();
        assert_eq!(read.read(&mut buf).await.unwrap(), 0);
    }
    client.shutdown(Shutdown::Both).unwrap();
}

#[pirn::test(procs = 2, timeout = "10s")]
async fn a_deadline_ends_a_read_and_a_dropped_read_loses_nothing() {
    let (client, server) = tcp_pair().await;
    let mut buf = [0; 4];
    client.set_read_deadline(Some(Instant::now()));
    assert_eq!(client.read(&mut buf).await.unwrap_err().kind(), io::ErrorKind::TimedOut);
    client.set_read_deadline(None);
    client.set_write_deadline(None);
    {
        let mut reading = Box::pin(client.read(&mut buf));
        assert!(poll(&mut reading).is_pending());
    }
    server.write(b"late").await.unwrap();
    assert_eq!(client.read(&mut buf).await.unwrap(), 4);
}

#[pirn::test(procs = 2, timeout = "10s")]
async fn a_socket_that_nobody_reads_raises_no_signal() {
    let (client, server) = tcp_pair().await;
    drop(server);
    // The first write may still be taken; then the kernel answers with an error, not with SIGPIPE.
    while client.write(b"into the void").await.is_ok() {}
}

#[pirn::test(procs = 2, timeout = "10s")]
async fn udp_sends_datagrams() -> io::Result<()> {
    let (one, two) = (UdpSocket::bind(ANY).await?, UdpSocket::bind(ANY).await?);
    one.send_to(b"hello", two.local_addr()?).await?;
    let mut buf = [0; 8];
    let (n, from) = two.recv_from(&mut buf).await?;
    assert_eq!((&buf[..n], from), (&b"hello"[..], one.local_addr()?));
    Ok(())
}

/// A folder of this process's own, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("pirn-api-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[pirn::test(procs = 2, timeout = "10s")]
async fn unix_sockets_bind_without_waiting() -> io::Result<()> {
    let folder = Folder::new("unix");
    let path = folder.0.join("stream");
    let listener: UnixListener = UnixListener::bind(&path)?;
    let client = UnixStream::connect(&path).await?;
    let (server, _from) = listener.accept().await?;
    client.write(b"x").await?;
    assert_eq!(server.read(&mut [0; 2]).await?, 1);
    let (left, right): (UnixStream, UnixStream) = UnixStream::pair()?;
    left.write(b"y").await?;
    assert_eq!(right.read(&mut [0; 2]).await?, 1);
    let (left, right): (UnixDatagram, UnixDatagram) = UnixDatagram::pair()?;
    left.send(b"z").await?;
    assert_eq!(right.recv(&mut [0; 2]).await?, 1);
    let bound: UnixDatagram = UnixDatagram::bind(folder.0.join("datagram"))?;
    UnixDatagram::unbound()?.send_to(b"w", folder.0.join("datagram")).await?;
    assert_eq!(bound.recv(&mut [0; 2]).await?, 1);
    Ok(())
}

#[pirn::test(procs = 2, timeout = "10s")]
async fn an_async_fd_waits_for_any_descriptor() -> io::Result<()> {
    use std::io::{Read, Write};
    let (near, far) = StdUnixStream::pair()?;
    let (near, far): (AsyncFd<StdUnixStream>, _) = (AsyncFd::new(near)?, AsyncFd::new(far)?);
    far.writable().await?;
    let mut buf = [0; 4];
    assert_eq!(near.get_ref().read(&mut buf).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    assert_eq!(far.write_with(|mut socket: &StdUnixStream| socket.write(b"four")).await?, 4);
    near.readable().await?;
    assert_eq!(near.read_with(|mut socket: &StdUnixStream| socket.read(&mut buf)).await?, 4);
    let _: StdUnixStream = near.into_inner();
    assert!(AsyncFd::new(std::fs::File::open("/proc/self/exe")?).is_err(), "epoll refuses plain files");
    Ok(())
}

#[pirn::test(procs = 2, timeout = "10s")]
async fn files_are_read_and_written() -> io::Result<()> {
    let folder = Folder::new("fs");
    let deep = folder.0.join("a/b");
    fs::create_dir_all(&deep).await?;
    fs::write(deep.join("one"), "words").await?;
    let text: String = fs::read_to_string(deep.join("one")).await?;
    let bytes: Vec<u8> = fs::read(deep.join("one")).await?;
    assert_eq!((text.as_str(), bytes.as_slice()), ("words", &b"words"[..]));
    fs::rename(deep.join("one"), deep.join("two")).await?;
    assert_eq!(fs::metadata(deep.join("two")).await?.len(), 5);
    let mut names = Vec::new();
    let mut entries = fs::read_dir(&deep).await?;
    while let Some(entry) = entries.next().await {
        names.push(entry?.file_name());
    }
    assert_eq!(names, ["two"]);
    let mut file: fs::File = fs::OpenOptions::new().append(true).open(deep.join("two")).await?;
    file.write_all(b" more").await?;
    file.flush().await?;
    let mut text = String::new();
    fs::File::open(deep.join("two")).await?.read_to_string(&mut text).await?;
    assert_eq!(text, "words more");
    drop(fs::File::create(deep.join("two")).await?);
    fs::remove_file(deep.join("two")).await?;
    assert!(fs::metadata(deep.join("two")).await.is_err());
    Ok(())
}

#[pirn::test(procs = 2, timeout = "10s")]
async fn processes_run() -> io::Result<()> {
    assert!(Command::new("true").status().await?.success());
    let output = Command::new("sh")
        .arg("-c")
        .args(["echo $WORD"])
        .env("WORD", "spool")
        .current_dir("/")
        .output()
        .await?;
    assert_eq!((output.stdout.as_slice(), output.status.code()), (&b"spool\n"[..], Some(0)));

    let mut child: Child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"through").await?;
    drop(stdin);
    let mut text = String::new();
    child.stdout.take().unwrap().read_to_string(&mut text).await?;
    assert_eq!(text, "through");
    assert!(child.stderr.is_none() && child.wait().await?.success());

    let mut child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    child.stdin.as_mut().unwrap().write_all(b"all of it").await?;
    let output: std::process::Output = child.wait_with_output().await?;
    assert_eq!((output.stdout.as_slice(), output.status.success()), (&b"all of it"[..], true));

    let mut child = Command::new("cat").stdin(Stdio::piped()).kill_on_drop(true).spawn()?;
    child.kill()?;
    assert!(!child.wait().await?.success());
    Ok(())
}

#[pirn::test(procs = 2, timeout = "10s")]
async fn a_dropped_child_leaves_no_zombie() -> io::Result<()> {
    let child = Command::new("cat").stdin(Stdio::piped()).kill_on_drop(true).spawn()?;
    let entry = format!("/proc/{}", child.id().expect("it runs"));
    drop(child);
    while fs::metadata(&entry).await.is_ok() {
        pirn::yield_now().await;
    }
    Ok(())
}

#[pirn::test(procs = 2, timeout = "10s")]
async fn signals_come_over_a_channel_and_merge() {
    let signals: Receiver<Signal> = signal::notify(&[Signal::USR1, Signal::USR2]);
    for _ in 0..1000 {
        Signal::USR1.raise();
    }
    Signal::USR2.raise();
    let mut seen = Vec::new();
    while !seen.contains(&Signal::USR2) || !seen.contains(&Signal::USR1) {
        seen.push(signals.recv().await.unwrap());
    }
    assert_eq!(signal::notify(&[Signal::HUP]).try_recv(), Err(TryRecvError::Empty));
}

#[pirn::test(procs = 2, timeout = "10s")]
async fn ctrl_c_listens_from_the_call_on() {
    let pressed = signal::ctrl_c();
    Signal::INT.raise();
    let result: io::Result<()> = pressed.await;
    assert!(result.is_ok());
}
