//! What an executor is told as a leaf begins to wait, what it waits on and the line of the user's that began it; and that
//! each gives way when the executor asks for it.

mod common;

use std::future::Future;
use std::panic::Location;
use std::pin::{pin, Pin};
use std::sync::atomic::AtomicBool;
use std::sync::Arc;
use std::task::{Context, Waker};

use common::{poll, poll_with, Count};
use futures_core::Stream;
use pirn_channel::{bounded, broadcast, never, oneshot, select, watch, Select};
use pirn_sync::host::{install, take_wait, WaitKind};

/// `future` has to wait, and says that it does so as `kind`, since line `line` of this file: in its first poll and in later ones.
#[track_caller]
fn says(future: impl Future, (kind, line): (WaitKind, u32)) {
    let mut future = pin!(future);
    for _ in 0..2 {
        assert!(poll(future.as_mut()).is_pending());
        let wait = take_wait().expect("it has said that it waits");
        assert_eq!((wait.kind, wait.at.file(), wait.at.line()), (kind, file!(), line));
    }
}

#[track_caller]
fn here() -> u32 {
    Location::caller().line()
}

#[test]
fn every_wait_says_what_is_waited_on_and_where() {
    let (tx, mut rx) = bounded::<u8>(1);
    let never = never::<u8>();
    says(rx.recv(), (WaitKind::Recv, here()));
    says(rx.recv_many(&mut Vec::new(), 1), (WaitKind::Recv, here()));
    says(never.recv(), (WaitKind::Recv, here()));
    let mut cx = Context::from_waker(Waker::noop());
    assert!(Pin::new(&mut rx).poll_next(&mut cx).is_pending());
    assert_eq!(take_wait().map(|wait| (wait.kind, wait.at.line())), Some((WaitKind::Recv, here() - 1)));
    tx.try_send(1).unwrap();
    assert_eq!(rx.try_recv(), Ok(1));

    tx.try_send(1).unwrap();
    says(tx.send(2), (WaitKind::Send, here()));
    says(tx.reserve(), (WaitKind::Send, here()));
    says(tx.clone().reserve_owned(), (WaitKind::Send, here()));
    says(tx.closed(), (WaitKind::Send, here()));

    let choice = async {
        select! { _ = never.recv() => (), _ = tx.send(3) => () }
    };
    says(choice, (WaitKind::Select, here() - 2));
    let mut list = Select::new();
    list.recv(&never);
    says(list.ready(), (WaitKind::Select, here()));
}

#[test]
fn the_other_kinds_say_it_too() {
    let (mut reply, mut answer) = oneshot::channel::<u8>();
    says(reply.closed(), (WaitKind::Send, here()));
    // The receiver is itself the future: its wait begins where it is polled.
    assert!(Pin::new(&mut answer).poll(&mut Context::from_waker(Waker::noop())).is_pending());
    assert_eq!(take_wait().map(|wait| (wait.kind, wait.at.line())), Some((WaitKind::Recv, here() - 1)));
    let (_all, mut each) = broadcast::channel::<u8>(1);
    says(each.recv(), (WaitKind::Recv, here()));
    let (_value, mut sees) = watch::channel(0);
    says(sees.changed(), (WaitKind::Recv, here()));
}

/// A leaf that is ready gives way, wakes its task, and takes nothing while the executor asks for it.
fn gives_way<F: Future>(future: F) -> F::Output {
    static ASKS: AtomicBool = AtomicBool::new(true);
    let (mut future, count) = (pin!(future), Arc::new(Count::default()));
    install(Some(&ASKS));
    assert!(poll_with(future.as_mut(), &count).is_pending());
    install(None);
    assert_eq!(count.get(), 1);
    let std::task::Poll::Ready(output) = poll(future) else { panic!("it was ready all the time") };
    output
}

#[test]
fn what_is_ready_gives_way_when_it_is_asked_to() {
    let (tx, rx) = bounded(1);
    assert_eq!(gives_way(tx.send(1)), Ok(()));
    assert_eq!(gives_way(rx.recv()), Ok(1));
    assert!(gives_way(tx.reserve()).is_ok());
    assert!(gives_way(tx.clone().reserve_owned()).is_ok());
    drop(rx);
    gives_way(tx.closed());
    let (tx, mut rx) = broadcast::channel(1);
    tx.send(2).unwrap();
    assert_eq!(gives_way(rx.recv()), Ok(2));
    let (tx, mut rx) = watch::channel(0);
    tx.send(3).unwrap();
    assert_eq!(gives_way(rx.changed()), Ok(()));
    let (tx, rx) = oneshot::channel();
    tx.send(4).unwrap();
    assert_eq!(gives_way(rx), Ok(4));
    let (mut tx, rx) = oneshot::channel::<u8>();
    drop(rx);
    gives_way(tx.closed());
}
