//! `pirn::io`: descriptors of one's own, pipes in memory, copies, standard input.

#[path = "net/support.rs"]
mod support;

use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use pirn::io::{
    AsyncBufReadExt, AsyncFd, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader, StreamExt, copy,
    copy_bidirectional, duplex, stdin,
};
use support::{assert_pending, poll_once, run, within_a_minute};

#[test]
fn readiness_between_the_try_and_the_wait_is_not_lost() {
    run(async {
        let (ours, theirs) = UnixStream::pair()?;
        let ours = AsyncFd::new(ours)?;
        for _ in 0..2_000 {
            let mut tries = 0;
            let attempt = |mut stream: &UnixStream| {
                let result = stream.read(&mut [0; 8]);
                tries += 1;
                if tries == 1 && result.is_err() {
                    // The byte comes after the system call has found nothing, and before the wait.
                    (&theirs).write_all(b"x")?;
                }
                result
            };
            assert_eq!(ours.read_with(attempt).await?, 1);
        }
        Ok(())
    });
}

#[test]
fn readable_is_no_leftover() {
    run(async {
        let (ours, mut theirs) = UnixStream::pair()?;
        let ours = AsyncFd::new(ours)?;
        assert_pending(ours.readable());
        theirs.write_all(b"x")?;
        ours.readable().await?;
        ours.get_ref().read_exact(&mut [0; 1])?;
        assert_pending(ours.readable());
        ours.writable().await?;
        Ok(())
    });
}

#[test]
fn a_descriptor_that_epoll_refuses_is_an_error() {
    run(async {
        let error = AsyncFd::new(std::fs::File::open("/proc/self/exe")?).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PermissionDenied);
        Ok(())
    });
}

#[test]
fn a_descriptor_given_back_can_be_registered_again() {
    run(async {
        let (ours, mut theirs) = UnixStream::pair()?;
        let ours = AsyncFd::new(ours)?.into_inner();
        let ours = AsyncFd::new(ours)?;
        theirs.write_all(b"x")?;
        ours.readable().await
    });
}

#[test]
fn after_the_shutdown_every_wait_is_an_error() {
    within_a_minute(|| {
        let runtime = pirn::Runtime::new().unwrap();
        let (ours, _theirs) = UnixStream::pair().unwrap();
        let ours = runtime.block_on(async { AsyncFd::new(ours) }).unwrap();
        drop(runtime);
        let error = pirn::block_on(ours.readable()).unwrap_err();
        assert!(error.to_string().contains("has shut down"), "{error}");
    });
}

#[test]
fn a_duplex_pipe_holds_its_capacity_and_no_more() {
    run(async {
        let (mut a, mut b) = duplex(4);
        assert_eq!(a.write(b"abcdef").await?, 4);
        assert_pending(a.write(b"x"));
        let mut buf = [0; 3];
        b.read_exact(&mut buf).await?;
        assert_eq!(&buf, b"abc");
        assert_eq!(a.write(b"xyz.").await?, 3);
        drop(a);
        let mut rest = String::new();
        b.read_to_string(&mut rest).await?;
        assert_eq!(rest, "dxyz");
        assert_eq!(b.write(b"x").await.unwrap_err().kind(), ErrorKind::BrokenPipe);
        Ok(())
    });
}

#[test]
fn a_dropped_duplex_end_closes_both_pipes_though_a_waker_panics() {
    struct Panics;
    impl Wake for Panics {
        fn wake(self: Arc<Self>) {
            panic!("a waker panics");
        }
    }
    let (a, mut b) = duplex(1);
    assert_eq!(poll_once(b.write(b"full")).expect("there is room").unwrap(), 1);
    let waker = Waker::from(Arc::new(Panics));
    let cx = &mut Context::from_waker(&waker);
    assert!(Pin::new(&mut b).poll_write(cx, b"x").is_pending());
    assert!(Pin::new(&mut b).poll_read(cx, &mut [0; 1]).is_pending());
    let dropped = catch_unwind(AssertUnwindSafe(|| drop(a)));
    assert!(dropped.is_err(), "the first panic goes on");
    assert_eq!(poll_once(b.read(&mut [0; 1])).expect("the end of the stream").unwrap(), 0);
    let broken = poll_once(b.write(b"x")).expect("nobody reads");
    assert_eq!(broken.unwrap_err().kind(), ErrorKind::BrokenPipe);
}

#[test]
fn duplex_ends_wake_each_other_across_tasks() {
    run(async {
        let (mut a, mut b) = duplex(7);
        let sender = pirn::spawn(async move {
            for number in 0..10_000_u32 {
                a.write_all(&number.to_le_bytes()).await?;
            }
            io::Result::Ok(())
        });
        for number in 0..10_000_u32 {
            let mut bytes = [0; 4];
            b.read_exact(&mut bytes).await?;
            assert_eq!(u32::from_le_bytes(bytes), number);
        }
        assert_eq!(b.read(&mut [0; 1]).await?, 0);
        sender.await.unwrap()
    });
}

#[test]
fn copies_pass_half_closes_on() {
    run(async {
        let ((mut client, mut left), (mut right, mut server)) = (duplex(16), duplex(16));
        let proxy = pirn::spawn(async move { copy_bidirectional(&mut left, &mut right).await });
        let answer = pirn::spawn(async move {
            let mut question = Vec::new();
            server.read_to_end(&mut question).await?;
            server.write_all(&question.repeat(3)).await?;
            io::Result::Ok(())
        });
        client.write_all(&[5; 1_000]).await?;
        client.close().await?;
        let mut heard = Vec::new();
        assert_eq!(copy(&mut client, &mut heard).await?, 3_000);
        assert_eq!(proxy.await.unwrap()?, (1_000, 3_000));
        answer.await.unwrap()
    });
}

/// Has always something to read, until something was written to it or patience is over.
struct Endless {
    patience: u32,
    heard: bool,
    /// What each read takes of the processor's time.
    work: Duration,
}

impl Endless {
    fn new(patience: u32, work: Duration) -> Self {
        Self { patience, heard: false, work }
    }
}

impl AsyncRead for Endless {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        if self.heard || self.patience == 0 {
            return Poll::Ready(Ok(0));
        }
        self.patience -= 1;
        let start = Instant::now();
        while start.elapsed() < self.work {
            std::hint::spin_loop();
        }
        Poll::Ready(Ok(buf.len()))
    }
}

impl AsyncWrite for Endless {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.heard = true;
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Reads a line and swallows what it is told.
struct Line(&'static [u8]);

impl AsyncRead for Line {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Line {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[test]
fn a_direction_that_never_runs_dry_leaves_the_other_its_turn() {
    run(async {
        for turned in [false, true] {
            let (mut flood, mut line) = (Endless::new(100_000, Duration::ZERO), Line(b"stop"));
            let copied = if turned {
                let (back, forth) = copy_bidirectional(&mut line, &mut flood).await?;
                (forth, back)
            } else {
                copy_bidirectional(&mut flood, &mut line).await?
            };
            assert_eq!(copied.1, 4);
            assert!(flood.patience > 90_000, "read {} times before it was told", 100_000 - flood.patience);
        }
        Ok(())
    });
}

#[test]
fn a_direction_that_uses_up_the_time_slice_leaves_the_other_its_turn() {
    run(async {
        for turned in [false, true] {
            let (mut near, mut far) = duplex(1 << 25);
            far.write_all(b"stop").await?;
            far.close().await?;
            // In a task, since only that is asked to give way.
            let flood = pirn::spawn(async move {
                let mut flood = Endless::new(2_000, Duration::from_millis(1));
                let copied = if turned {
                    copy_bidirectional(&mut near, &mut flood).await
                } else {
                    copy_bidirectional(&mut flood, &mut near).await
                };
                copied.map(|_| flood)
            });
            let swallow = pirn::spawn(async move { copy(&mut far, &mut pirn::io::sink()).await });
            let flood = flood.await.unwrap()?;
            assert!(flood.patience > 1_850, "read {} times before it was told", 2_000 - flood.patience);
            swallow.await.unwrap()?;
        }
        Ok(())
    });
}

/// Runs this test program again, for the one ignored test `name`.
fn again(name: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", name, "--ignored", "--nocapture"]);
    command
}

#[test]
#[ignore = "a child process of the tests below"]
fn child_waits_for_input_and_shuts_down() {
    let runtime = pirn::Runtime::new().unwrap();
    let reader = runtime.spawn(async { BufReader::new(stdin()).lines().count().await });
    runtime.block_on(async {
        while !reader.is_finished() && runtime.handle().metrics().descriptors == 0 {
            pirn::yield_now().await;
        }
    });
    let start = Instant::now();
    drop(runtime);
    assert!(start.elapsed() < Duration::from_millis(500), "a read of standard input holds it up");
}

#[test]
fn stdin_does_not_hold_up_a_shutdown() {
    within_a_minute(|| {
        let mut child = again("child_waits_for_input_and_shuts_down").stdin(Stdio::piped()).spawn().unwrap();
        // The pipe stays open: nothing ever comes.
        let input = child.stdin.take();
        assert!(child.wait().unwrap().success());
        drop(input);
    });
}

#[test]
#[ignore = "a child process of the test below"]
fn child_counts_lines() {
    let lines = pirn::block_on(BufReader::new(stdin()).lines().count());
    println!("{lines} lines");
}

#[test]
fn stdin_reads_pipes_and_files_to_their_end() {
    within_a_minute(|| {
        let text = "a line\n".repeat(50_000);
        let mut child =
            again("child_counts_lines").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(String::from_utf8_lossy(&output.stdout).contains("50000 lines"));

        let path = std::env::temp_dir().join(format!("pirn-stdin-{}", std::process::id()));
        std::fs::write(&path, &text).unwrap();
        let file = std::fs::File::open(&path).unwrap();
        let output = again("child_counts_lines").stdin(file).output().unwrap();
        assert!(String::from_utf8_lossy(&output.stdout).contains("50000 lines"));
        std::fs::remove_file(&path).unwrap();
    });
}

#[test]
#[should_panic(expected = "needs room for at least one byte")]
fn a_duplex_pipe_without_capacity_panics() {
    let _ = duplex(0);
}

#[test]
fn empty_reads_and_writes_of_a_duplex_pipe_wait_for_nothing() {
    let (mut a, mut b) = duplex(1);
    assert_eq!(poll_once(b.read(&mut [])).expect("nothing to wait for").unwrap(), 0);
    assert_eq!(poll_once(a.write(b"x")).expect("there is room").unwrap(), 1);
    assert_eq!(poll_once(a.write(b"")).expect("nothing to wait for").unwrap(), 0);
}

#[test]
fn a_duplex_pipe_gives_way_when_it_is_asked_to() {
    use pirn::sync::host::install;
    static ASKS: std::sync::atomic::AtomicBool = std::sync::atomic::AtomicBool::new(true);
    let (mut a, mut b) = duplex(1);
    install(Some(&ASKS));
    let wrote = poll_once(a.write(b"x"));
    install(None);
    assert!(wrote.is_none() && poll_once(b.read(&mut [0; 1])).is_none(), "it has written nothing");
    assert!(poll_once(a.write(b"x")).is_some());
    install(Some(&ASKS));
    let read = poll_once(b.read(&mut [0; 1]));
    install(None);
    assert!(read.is_none() && poll_once(b.read(&mut [0; 1])).is_some(), "it has read nothing");
}

/// Has nothing to say, and takes what is written to it as `takes` says; counts flushes.
struct Sink {
    takes: usize,
    flushes: usize,
}

impl AsyncRead for Sink {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut [u8]) -> Poll<io::Result<usize>> {
        Poll::Pending
    }
}

impl AsyncWrite for Sink {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(buf.len().min(self.takes)))
    }

    fn poll_flush(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.flushes += 1;
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[test]
fn a_copy_flushes_while_its_reader_has_nothing_and_fails_where_nothing_can_be_written() {
    let (mut near, mut far) = duplex(8);
    assert_eq!(poll_once(far.write(b"some")).expect("there is room").unwrap(), 4);
    let mut sink = Sink { takes: 3, flushes: 0 };
    assert!(poll_once(copy_bidirectional(&mut near, &mut sink)).is_none());
    assert_eq!(sink.flushes, 1, "the reader may have nothing for long");
    assert_eq!(poll_once(far.write(b"more")).expect("there is room").unwrap(), 4);
    sink.takes = 0;
    let error = poll_once(copy_bidirectional(&mut near, &mut sink)).expect("it has failed").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WriteZero);
}
