//! Models of the one word: each end against the other.

use std::pin::{pin, Pin};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use ::loom::sync::atomic::{AtomicUsize, Ordering};
use ::loom::thread;

use crate::model::{block_on, poll_once};
use crate::oneshot::channel;
use crate::{RecvError, TryRecvError};

fn model(body: impl Fn() + Sync + Send + 'static) {
    crate::model::model(3, body);
}

struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
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
        let (tx, mut rx) = channel();
        let (old, new) = (Arc::new(Count(AtomicUsize::new(0))), Arc::new(Count(AtomicUsize::new(0))));
        let (first, second) = (Waker::from(old.clone()), Waker::from(new.clone()));
        use std::future::Future;
        assert!(Pin::new(&mut rx).poll(&mut Context::from_waker(&first)).is_pending());
        let sender = thread::spawn(move || tx.send(7));
        let polled = Pin::new(&mut rx).poll(&mut Context::from_waker(&second));
        sender.join().unwrap().unwrap();
        if polled.is_pending() {
            assert_eq!(new.0.load(Ordering::SeqCst), 1, "the waker of the last poll is woken");
            assert_eq!(poll_once(Pin::new(&mut rx)), Some(Ok(7)));
        } else {
            assert_eq!(polled, Poll::Ready(Ok(7)));
        }
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
