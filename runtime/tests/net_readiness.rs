//! Readiness that is easily lost: where the kernel's one report of it says less than there is, or comes to a set that
//! nobody seems to be in charge of.

#[path = "net/support.rs"]
mod support;

use std::future::Future;
use std::io;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use pirn::net::{TcpListener, UnixStream};
use pirn::time::timeout;
use support::within_a_minute;

const LONG: Duration = Duration::from_secs(20);

/// Runs `future` on one processor, which has one set: a look that reports an event reports all that came before it.
fn run_on_one(future: impl Future<Output = io::Result<()>> + Send + 'static) {
    within_a_minute(move || {
        let runtime = pirn::Builder::new().procs(1).build().unwrap();
        runtime.block_on(runtime.spawn(future)).unwrap().unwrap();
    });
}

/// Returns when the kernel's reports of everything that came until now have been taken.
async fn let_reports_arrive() -> io::Result<()> {
    let (ours, theirs) = UnixStream::pair()?;
    let answer = pirn::spawn(async move { ours.read(&mut [0; 1]).await });
    pirn::yield_now().await;
    theirs.write(b"x").await?;
    answer.await.expect("no panic").map(drop)
}

#[test]
fn tcp_data_behind_an_urgent_byte_is_read() {
    run_on_one(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let peer = std::net::TcpStream::connect(listener.local_addr()?)?;
        let (ours, _) = listener.accept().await?;
        let peer = socket2::Socket::from(peer);
        peer.send(b"ab")?;
        peer.send_out_of_band(b"!")?;
        peer.send(b"cd")?;
        let_reports_arrive().await?;

        let mut buf = [0; 64];
        assert_eq!(ours.read(&mut buf).await?, 2, "a read stops at the mark");
        let count = timeout(LONG, ours.read(&mut buf)).await.expect("what lies behind the mark is there")?;
        assert_eq!(&buf[..count], b"cd");
        Ok(())
    });
}

#[test]
fn unix_data_behind_a_descriptor_is_read() {
    run_on_one(async {
        let (ours, peer) = UnixStream::pair()?;
        send_with_a_descriptor(&peer, b"ab");
        peer.write(b"cd").await?;
        let_reports_arrive().await?;

        let mut buf = [0; 64];
        assert_eq!(ours.read(&mut buf).await?, 2, "a read stops behind what came with a descriptor");
        let count = timeout(LONG, ours.read(&mut buf)).await.expect("the rest is there")?;
        assert_eq!(&buf[..count], b"cd");
        Ok(())
    });
}

fn send_with_a_descriptor(stream: &UnixStream, bytes: &[u8]) {
    let fd = stream.as_raw_fd();
    let mut bytes = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
    // More than enough, and aligned as a control message must be.
    let mut control = [0_u64; 8];
    // SAFETY: all zeroes is an empty message; what it is made to point at lives through the call, the control message
    // lies inside `control`, and the kernel reads both.
    let sent = unsafe {
        let mut message: libc::msghdr = std::mem::zeroed();
        message.msg_iov = &raw mut bytes;
        message.msg_iovlen = 1;
        message.msg_control = control.as_mut_ptr().cast();
        message.msg_controllen = libc::CMSG_SPACE(4) as _;
        let first = libc::CMSG_FIRSTHDR(&raw const message);
        (*first).cmsg_level = libc::SOL_SOCKET;
        (*first).cmsg_type = libc::SCM_RIGHTS;
        (*first).cmsg_len = libc::CMSG_LEN(4) as _;
        libc::CMSG_DATA(first).cast::<i32>().write_unaligned(fd);
        libc::sendmsg(fd, &raw const message, 0)
    };
    assert_eq!(sent, 2);
}

/// Polls of 150 µs, so that a busy processor looks at its own set just often enough to seem to look after the network.
#[test]
fn a_descriptor_whose_processor_was_given_up_is_not_forgotten() {
    within_a_minute(|| {
        let runtime = pirn::Builder::new().procs(4).build().unwrap();
        let streams: Vec<_> =
            runtime.block_on(async { (0..4).map(|_| UnixStream::pair().unwrap()).collect() });
        runtime.set_procs(1);
        let end = Arc::new(AtomicBool::new(false));
        for _ in 0..2 {
            let end = end.clone();
            runtime.spawn(async move {
                while !end.load(Ordering::Relaxed) {
                    let start = Instant::now();
                    while start.elapsed() < Duration::from_micros(150) {}
                    pirn::yield_now().await;
                }
            });
        }
        for (ours, theirs) in streams {
            let (sender, arrived) = std::sync::mpsc::channel();
            runtime.spawn(async move {
                // Fewer waits than move a descriptor to where it is waited for.
                for _ in 0..6 {
                    ours.read(&mut [0; 1]).await.unwrap();
                    sender.send(Instant::now()).unwrap();
                }
            });
            let theirs = theirs.as_raw_fd();
            let mut delays: Vec<_> = (0..6)
                .map(|_| {
                    let sent = Instant::now();
                    // SAFETY: one byte that lives through the call.
                    assert_eq!(unsafe { libc::write(theirs, [0_u8].as_ptr().cast(), 1) }, 1);
                    arrived.recv().unwrap().duration_since(sent)
                })
                .collect();
            delays.sort_unstable();
            assert!(delays[3] < Duration::from_millis(25), "{delays:?}");
        }
        end.store(true, Ordering::Relaxed);
    });
}
