//! The conventional traits, wherever std's or tokio's counterpart has them: who comes from there writes code that asks for them.

use std::fmt::Display;
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;

use pirn::net::{TcpListener, TcpStream, UdpSocket, UnixDatagram, UnixListener, UnixStream};
use pirn::process::{Command, Stdio};
use pirn::sync::{Mutex, MutexGuard, OnceCell, RwLock, RwLockReadGuard, RwLockWriteGuard};
use pirn::{JoinSet, fs};

fn unwind_safe<T: UnwindSafe + RefUnwindSafe>() {}
fn descriptor<T: AsFd + AsRawFd>() {}

/// The number by way of either trait, which must be the same.
fn number(of: &(impl AsFd + AsRawFd)) -> i32 {
    assert_eq!(of.as_fd().as_raw_fd(), of.as_raw_fd());
    of.as_raw_fd()
}

#[test]
fn handles_cross_a_catch_unwind() {
    unwind_safe::<pirn::Runtime>();
    unwind_safe::<pirn::Handle>();
    unwind_safe::<pirn::JoinHandle<u8>>();
    unwind_safe::<pirn::AbortHandle>();
    unwind_safe::<pirn::CancelFunc>();
    unwind_safe::<pirn::AfterFunc>();
    unwind_safe::<pirn::Done>();
    unwind_safe::<pirn::sync::Notify>();
    unwind_safe::<pirn::sync::Semaphore>();
    unwind_safe::<pirn::sync::WaitGroup>();
    unwind_safe::<pirn::channel::Sender<u8>>();
    unwind_safe::<pirn::channel::Receiver<u8>>();
    unwind_safe::<TcpListener>();
    unwind_safe::<TcpStream>();
    unwind_safe::<UdpSocket>();
    unwind_safe::<UnixListener>();
    unwind_safe::<UnixStream>();
    unwind_safe::<UnixDatagram>();
}

#[pirn::test(procs = 2, timeout = "10s")]
async fn what_has_a_descriptor_shows_it() -> io::Result<()> {
    descriptor::<TcpListener>();
    descriptor::<TcpStream>();
    descriptor::<UdpSocket>();
    descriptor::<UnixListener>();
    descriptor::<UnixStream>();
    descriptor::<UnixDatagram>();

    assert_eq!(number(&pirn::io::stdin()), 0);
    let std = std::fs::File::open("/proc/self/exe")?;
    let inside = std.as_raw_fd();
    assert_eq!(number(&fs::File::from(std)), inside);
    let socket = UnixDatagram::pair()?.0.into_std();
    let inside = socket.as_raw_fd();
    assert_eq!(number(&pirn::io::AsyncFd::new(socket)?), inside);
    let mut child = Command::new("true").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let (out, err) = (child.stdout.take().expect("piped"), child.stderr.take().expect("piped"));
    assert_ne!(number(&out), number(&err));
    assert!(child.wait().await?.success());
    Ok(())
}

#[pirn::test(procs = 2, timeout = "10s")]
async fn std_s_sockets_become_ours() -> io::Result<()> {
    let listener = TcpListener::try_from(std::net::TcpListener::bind("127.0.0.1:0")?)?;
    let client = TcpStream::try_from(std::net::TcpStream::connect(listener.local_addr()?)?)?;
    let (server, _from) = listener.accept().await?;
    client.write(b"hello").await?;
    assert_eq!(server.read(&mut [0; 8]).await?, 5);
    let one = UdpSocket::try_from(std::net::UdpSocket::bind("127.0.0.1:0")?)?;
    one.send_to(b"hello", one.local_addr()?).await?;
    assert_eq!(one.recv(&mut [0; 8]).await?, 5);
    let (left, right) = std::os::unix::net::UnixStream::pair()?;
    let (left, right) = (UnixStream::try_from(left)?, UnixStream::try_from(right)?);
    left.write(b"hello").await?;
    assert_eq!(right.read(&mut [0; 8]).await?, 5);
    let (left, right) = std::os::unix::net::UnixDatagram::pair()?;
    let (left, right) = (UnixDatagram::try_from(left)?, UnixDatagram::try_from(right)?);
    left.send(b"hello").await?;
    assert_eq!(right.recv(&mut [0; 8]).await?, 5);
    let _: fn(std::os::unix::net::UnixListener) -> io::Result<UnixListener> = UnixListener::try_from;
    Ok(())
}

/// Whoever keeps a guard of a static and one of a local in the same struct needs that one passes for the other.
#[test]
fn guards_pass_for_ones_that_live_shorter() {
    fn read<'a>(guard: RwLockReadGuard<'static, u8>) -> RwLockReadGuard<'a, u8> {
        guard
    }
    fn write<'a>(guard: RwLockWriteGuard<'static, u8>) -> RwLockWriteGuard<'a, u8> {
        guard
    }
    fn lock<'a>(guard: MutexGuard<'static, u8>) -> MutexGuard<'a, u8> {
        guard
    }
    static MUTEX: Mutex<u8> = Mutex::new(1);
    static LOCK: RwLock<u8> = RwLock::new(2);
    assert_eq!(*lock(MUTEX.lock_blocking()) + *read(LOCK.read_blocking()), 3);
    *write(LOCK.write_blocking()) += 1;
    assert_eq!(*LOCK.read_blocking(), 3);
}

#[test]
fn guards_are_displayed_as_their_values() {
    let text = |of: &dyn Display| of.to_string();
    let mutex = Arc::new(Mutex::new(7));
    assert_eq!(text(&mutex.lock_blocking()), "7");
    assert_eq!(text(&mutex.clone().try_lock_owned().expect("free")), "7");
    assert_eq!(text(&MutexGuard::map(mutex.lock_blocking(), |n| n)), "7");
    let lock = Arc::new(RwLock::new(8));
    assert_eq!(text(&lock.read_blocking()), "8");
    assert_eq!(text(&lock.write_blocking()), "8");
    assert_eq!(text(&lock.upgradable_read_blocking()), "8");
    assert_eq!(text(&lock.clone().try_read_owned().expect("free")), "8");
    assert_eq!(text(&lock.clone().try_write_owned().expect("free")), "8");
}

#[test]
fn a_once_cell_is_cloned_and_compared_as_what_is_in_it() {
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    struct Lazy(OnceCell<String>);
    let (empty, full) = (Lazy::default(), Lazy(OnceCell::from("made".to_owned())));
    assert_eq!(empty, empty.clone());
    assert_ne!(empty, full);
    let copy = full.clone();
    assert_eq!(copy, full);
    assert_eq!(copy.0.get_or_init_blocking(|| unreachable!("it is made")), "made");
    assert_eq!(empty.clone().0.get_or_init_blocking(|| "later".to_owned()), "later");
    assert_eq!(empty.0.get(), None);
}

#[pirn::test(procs = 2, timeout = "10s")]
async fn a_join_set_is_collected_and_extended() {
    let mut set: JoinSet<u32> = (1..=3).map(|n| async move { n }).collect();
    let (tx, rx) = pirn::channel::oneshot::channel();
    set.extend([async move { rx.await.unwrap() }]);
    assert_eq!(set.len(), 4);
    let dump = pirn::Handle::current().dump();
    assert_eq!(dump.iter().filter(|task| task.spawned_at.file() == file!()).count(), 1, "{dump}");
    tx.send(4).unwrap();
    let mut sum = 0;
    while let Some(n) = set.join_next().await {
        sum += n.unwrap();
    }
    assert_eq!(sum, 10);
}

#[pirn::test(procs = 2, timeout = "10s")]
async fn a_join_error_passes_through_an_io_result() {
    async fn joined() -> io::Result<()> {
        pirn::spawn(async { panic!("no tea") }).await?;
        Ok(())
    }
    let error = joined().await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::Other);
    assert!(error.to_string().ends_with("panicked: no tea"));
    assert!(error.downcast::<pirn::JoinError>().unwrap().is_panic());
}
