//! Models of the one word: each end against the other.

use std::pin::{pin, Pin};
use std::sync::Arc;

use ::loom::thread;
use pirn_sync::primitive::{self, UnsafeCell};

use crate::model::{block_on, poll_once, poll_with_two_wakers};
use crate::oneshot::channel;
use crate::{RecvError, TryRecvError};

fn model(body: impl Fn() + Sync + Send + 'static) {
    crate::model::model(3, body);
}

#[test]
fn send_against_receive() {
    model(|| {
        let (tx, rx) = channel();
        let sender = thread::spawn(move || tx.send(7));
        assert_eq!(block_on(rx), Ok(7));
        assert_eq!(sender.join().unwrap(), Ok(()));
    });
}

#[test]
fn send_against_a_poll_that_nobody_woke() {
    model(|| {
        let (tx, mut rx) = channel();
        let sender = thread::spawn(move || tx.send(7));
        let got = poll_once(Pin::new(&mut rx));
        assert_eq!(sender.join().unwrap(), Ok(()));
        assert_eq!(got.or_else(|| poll_once(Pin::new(&mut rx))), Some(Ok(7)));
    });
}

#[test]
fn send_against_another_waker() {
    model(|| {
        let (tx, rx) = channel();
        let got = poll_with_two_wakers(pin!(rx), move || tx.send(7).unwrap());
        assert_eq!(got, Ok(7));
    });
}

#[test]
fn send_against_drop() {
    model(|| {
        let (tx, mut rx) = channel();
        let value = Arc::new(());
        let sent = value.clone();
        assert!(poll_once(Pin::new(&mut rx)).is_none());
        let sender = thread::spawn(move || drop(tx.send(sent)));
        drop(rx);
        sender.join().unwrap();
        assert_eq!(Arc::strong_count(&value), 1, "dropped here or given back there, once");
    });
}

#[test]
fn send_against_close() {
    model(|| {
        let (tx, mut rx) = channel();
        let sender = thread::spawn(move || tx.send(7).is_ok());
        rx.close();
        let got = rx.try_recv();
        assert_eq!(got, if sender.join().unwrap() { Ok(7) } else { Err(TryRecvError::Closed) });
        assert_eq!(rx.try_recv(), Err(TryRecvError::Closed));
    });
}

#[test]
fn of_two_that_send_and_look_one_finds() {
    model(|| {
        let ((to_two, mut from_one), (to_one, mut from_two)) = (channel(), channel());
        let two = thread::spawn(move || {
            to_one.send(2).unwrap();
            (from_one.try_recv().is_ok(), from_one)
        });
        to_two.send(1).unwrap();
        let one_finds = from_two.try_recv().is_ok();
        let (two_finds, _from_one) = two.join().unwrap();
        assert!(one_finds || two_finds);
    });
}

#[test]
fn of_two_that_close_and_look_one_finds() {
    model(|| {
        let ((to_two, mut from_one), (to_one, mut from_two)) = (channel::<u8>(), channel::<u8>());
        let two = thread::spawn(move || {
            from_one.close();
            (to_one.is_closed(), from_one)
        });
        from_two.close();
        let one_finds = to_two.is_closed();
        let (two_finds, _from_one) = two.join().unwrap();
        assert!(one_finds || two_finds);
    });
}

#[test]
fn sender_drop_against_receive() {
    model(|| {
        let (tx, rx) = channel::<u8>();
        let sender = thread::spawn(move || drop(tx));
        assert_eq!(block_on(rx), Err(RecvError));
        sender.join().unwrap();
    });
}

#[test]
fn closed_against_receiver_drop() {
    model(|| {
        let (mut tx, rx) = channel::<u8>();
        let receiver = thread::spawn(move || drop(rx));
        {
            // A wait that is dropped leaves the slot for the next one.
            let _ = poll_once(pin!(tx.closed()));
        }
        block_on(tx.closed());
        assert!(tx.is_closed());
        receiver.join().unwrap();
    });
}

#[test]
fn who_is_told_that_the_receiver_is_gone_sees_what_came_before() {
    model(|| {
        let (mut tx, rx) = channel::<u8>();
        let written = primitive::Arc::new(UnsafeCell::new(0));
        // It is the other thread that waits: a close looks before its exchange, and would so hide from loom that a look
        // of this thread could come after it.
        let sender = thread::spawn({
            let written = written.clone();
            move || {
                let mut closed = pin!(tx.closed());
                // The first poll leaves a waker, and the second takes it back.
                if poll_once(closed.as_mut()).or_else(|| poll_once(closed)).is_some() {
                    // SAFETY: the writer has gone; that is what the model checks.
                    written.with(|value| assert_eq!(unsafe { *value }, 7));
                }
            }
        });
        // SAFETY: nobody reads it before the receiver is gone.
        written.with_mut(|value| unsafe { *value = 7 });
        drop(rx);
        sender.join().unwrap();
    });
}
