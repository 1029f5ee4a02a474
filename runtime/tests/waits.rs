//! What a task is noted to wait on, and the line of the user's that began it: for descriptors, files, processes, signals
//! and points in time.

#[path = "net/support.rs"]
mod support;

use std::fs::File as StdFile;
use std::future::{Future, pending};
use std::os::fd::{AsRawFd, OwnedFd};
use std::panic::Location;
use std::pin::pin;
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use pirn::io::{AsyncFd, AsyncReadExt, AsyncWriteExt, StreamExt, duplex};
use pirn::net::{TcpListener, TcpStream, UdpSocket, UnixDatagram, UnixListener, UnixStream};
use pirn::process::{Command, Stdio};
use pirn::sync::host::{WaitKind, take_wait};
use pirn::time::{interval, interval_at, sleep, sleep_until, timeout, timeout_at};
use pirn::{fs, signal};
use support::run;

const HOUR: Duration = Duration::from_secs(3_600);

/// `future` has to wait, and says that it does so as `kind`, since line `line` of this file: in its first poll and in later ones.
#[track_caller]
fn says(future: impl Future, (kind, line): (WaitKind, u32)) {
    let mut future = pin!(future);
    for _ in 0..2 {
        assert!(future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        let wait = take_wait().expect("it has said that it waits");
        assert_eq!((wait.kind, wait.at.file(), wait.at.line()), (kind, file!(), line));
    }
}

#[track_caller]
fn here() -> u32 {
    Location::caller().line()
}

#[test]
fn sockets_say_where_they_are_waited_on() {
    run(async {
        let mut buf = [0; 8];
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        says(listener.accept(), (WaitKind::Io, here()));
        says(listener.incoming().next(), (WaitKind::Io, here()));
        let client = TcpStream::connect(listener.local_addr()?).await?;
        says(client.read(&mut buf), (WaitKind::Io, here()));
        says(client.peek(&mut buf), (WaitKind::Io, here()));
        says(client.readable(), (WaitKind::Io, here()));
        // Where bytes are read through a trait, the stream's making is all that can be told.
        let (client, line) = (TcpStream::from_std(client.into_std())?, here());
        says(AsyncReadExt::read(&mut &client, &mut buf), (WaitKind::Io, line));
        let (listener, line) = (TcpListener::from_std(listener.into_std())?, here());
        let (_server, _) = listener.accept().await?;
        says(listener.accept(), (WaitKind::Io, line + 2));

        let socket = UdpSocket::bind("127.0.0.1:0").await?;
        says(socket.recv(&mut buf), (WaitKind::Io, here()));
        says(socket.recv_from(&mut buf), (WaitKind::Io, here()));
        says(socket.peek_from(&mut buf), (WaitKind::Io, here()));
        says(socket.readable(), (WaitKind::Io, here()));

        let (ours, _theirs) = UnixStream::pair()?;
        says(ours.read(&mut buf), (WaitKind::Io, here()));
        let (ours, line) = (UnixStream::from_std(ours.into_std())?, here());
        says(AsyncReadExt::read(&mut &ours, &mut buf), (WaitKind::Io, line));
        let (ours, _theirs) = UnixDatagram::pair()?;
        says(ours.recv(&mut buf), (WaitKind::Io, here()));
        says(ours.readable(), (WaitKind::Io, here()));
        let path = std::env::temp_dir().join(format!("pirn-waits-{}", std::process::id()));
        let listener = UnixListener::bind(&path)?;
        std::fs::remove_file(&path)?;
        says(listener.accept(), (WaitKind::Io, here()));
        Ok(())
    });
}

#[test]
fn other_descriptors_and_pipes_in_memory_say_where_they_are_waited_on() {
    run(async {
        let (ours, _theirs) = std::os::unix::net::UnixStream::pair()?;
        let ours = AsyncFd::new(ours)?;
        says(ours.readable(), (WaitKind::Io, here()));
        let nothing = |_: &_| std::io::Result::<()>::Err(std::io::ErrorKind::WouldBlock.into());
        says(ours.read_with(nothing), (WaitKind::Io, here()));
        says(ours.write_with(nothing), (WaitKind::Io, here()));
        let ((mut near, _far), line) = (duplex(1), here());
        says(near.read(&mut [0; 1]), (WaitKind::Io, line));
        near.write_all(b"x").await?;
        says(near.write(b"x"), (WaitKind::Io, line));
        Ok(())
    });
}

#[test]
fn files_and_processes_say_where_they_are_waited_on() {
    run(async {
        // Whoever reads it waits until the other end is dropped.
        let (reader, writer) = std::io::pipe()?;
        let path = format!("/proc/self/fd/{}", reader.as_raw_fd());
        says(fs::read(&path), (WaitKind::Blocking, here()));
        let (mut file, line) =
            (fs::File::from_std(StdFile::from(OwnedFd::from(reader.try_clone()?))), here());
        says(file.read(&mut [0; 1]), (WaitKind::Blocking, line));
        let mut command = Command::new("cat");
        command.stdin(Stdio::from(reader.try_clone()?));
        says(command.status(), (WaitKind::Io, here()));
        says(command.stdout(Stdio::null()).output(), (WaitKind::Io, here()));
        let (mut child, line) = (command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?, here());
        says(child.stdout.as_mut().unwrap().read(&mut [0; 1]), (WaitKind::Io, line));
        says(child.stderr.as_mut().unwrap().read(&mut [0; 1]), (WaitKind::Io, line));
        says(child.wait(), (WaitKind::Io, here()));
        drop(writer);
        assert!(child.wait().await?.success());

        let (reader, writer) = std::io::pipe()?;
        let (opened, line) = (fs::File::open(format!("/proc/self/fd/{}", reader.as_raw_fd())), here());
        let mut file = opened.await?;
        says(file.read(&mut [0; 1]), (WaitKind::Blocking, line));
        drop(writer);
        Ok(())
    });
}

#[test]
fn signals_and_points_in_time_say_where_they_are_waited_for() {
    run(async {
        says(signal::ctrl_c(), (WaitKind::Signal, here()));
        says(sleep(HOUR), (WaitKind::Sleep, here()));
        says(sleep_until(Instant::now() + HOUR), (WaitKind::Sleep, here()));
        let (mut ticks, line) = (interval(HOUR), here());
        ticks.tick().await;
        says(ticks.tick(), (WaitKind::Sleep, here()));
        says(ticks.next(), (WaitKind::Sleep, line));
        let (mut ticks, line) = (interval_at(Instant::now() + HOUR, HOUR), here());
        says(ticks.next(), (WaitKind::Sleep, line));
        says(timeout(HOUR, pending::<()>()), (WaitKind::Sleep, here()));
        says(timeout_at(Instant::now() + HOUR, pending::<()>()), (WaitKind::Sleep, here()));
        let (_tx, rx) = pirn::channel::bounded::<()>(0);
        let (inner, line) = (rx.recv(), here());
        says(timeout(HOUR, inner), (WaitKind::Recv, line));
        Ok(())
    });
}
