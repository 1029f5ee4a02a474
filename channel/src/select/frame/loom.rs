//! Models of whole selects: face to face, claimed from two sides, dropped, closed, polled while partners come.
//!
//! All are `biased`: loom replays schedules, so the branches must come in the same order each time.

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use ::loom::thread;

use crate::model::{block_on, poll_once, poll_with_two_wakers};
use crate::pull::pull_channel;
use crate::{bounded, select, Receiver, RecvError, SendError, TryRecvError};

fn model(body: impl Fn() + Sync + Send + 'static) {
    crate::model::model(2, body);
}

#[test]
fn two_selects_face_to_face() {
    model(|| {
        let (tx1, rx1) = bounded::<u32>(0);
        let (tx2, rx2) = bounded::<u32>(0);
        let giver = thread::spawn(move || {
            block_on(async {
                select! { biased; r = tx1.send(1) => (1, r), r = tx2.send(2) => (2, r) }
            })
        });
        let got = block_on(async {
            select! { biased; v = rx2.recv() => v, v = rx1.recv() => v }
        });
        let (sent, result) = giver.join().unwrap();
        assert_eq!((result, got), (Ok(()), Ok(sent)));
    });
}

#[test]
fn two_selects_that_both_send_and_receive() {
    model(|| {
        let (tx, rx) = bounded::<u32>(0);
        let (tx2, rx2) = (tx.clone(), rx.clone());
        let other = thread::spawn(move || {
            block_on(async {
                select! { biased; r = tx2.send(1) => r.map(|()| 0).map_err(drop), v = rx2.recv() => v.map_err(drop) }
            })
        });
        let mine = block_on(async {
            select! { biased; r = tx.send(2) => r.map(|()| 0).map_err(drop), v = rx.recv() => v.map_err(drop) }
        });
        let theirs = other.join().unwrap();
        assert!(matches!((mine, theirs), (Ok(0), Ok(2)) | (Ok(1), Ok(0))), "{mine:?} {theirs:?}");
    });
}

#[test]
fn claim_against_claim_against_drop() {
    model(|| {
        let (tx1, rx1) = bounded::<u32>(0);
        let (tx2, rx2) = bounded::<u32>(0);
        let mut choice = Box::pin(async {
            select! { biased; v = rx1.recv() => v, v = rx2.recv() => v }
        });
        assert!(poll_once(choice.as_mut()).is_none());
        let one = thread::spawn(move || (tx1.try_send(1).is_ok(), tx1));
        let two = thread::spawn(move || (tx2.try_send(2).is_ok(), tx2));
        drop(choice);
        let ((sent1, _tx1), (sent2, _tx2)) = (one.join().unwrap(), two.join().unwrap());
        assert!(!(sent1 && sent2), "at most one of them claimed it");
        assert_eq!(rx1.try_recv().is_ok(), sent1);
        assert_eq!(rx2.try_recv().is_ok(), sent2);
    });
}

#[test]
fn claim_against_claim_against_poll() {
    model(|| {
        let (tx1, rx1) = bounded::<u32>(1);
        let (tx2, rx2) = bounded::<u32>(1);
        let one = thread::spawn(move || tx1.try_send(1).unwrap());
        let two = thread::spawn(move || tx2.try_send(2).unwrap());
        let first = block_on(async {
            select! { biased; v = rx1.recv() => v, v = rx2.recv() => v }
        });
        one.join().unwrap();
        two.join().unwrap();
        let (other1, other2) = (rx1.try_recv(), rx2.try_recv());
        match first {
            Ok(1) => assert!(matches!((other1, other2), (Err(_), Ok(2)))),
            Ok(2) => assert!(matches!((other1, other2), (Ok(1), Err(_)))),
            _ => panic!("{first:?}"),
        }
    });
}

#[test]
fn try_send_against_a_waiting_select() {
    model(|| {
        let (tx, rx) = bounded::<u32>(0);
        let sender = thread::spawn(move || (tx.try_send(7).is_ok(), tx));
        let polls = Cell::new(0);
        let plain = poll_fn(|_| {
            polls.set(polls.get() + 1);
            if polls.get() == 3 {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        });
        let mut choice = pin!(async {
            select! { biased; v = rx.recv() => v, _ = plain => Err(RecvError) }
        });
        let mut got = None;
        while got.is_none() {
            got = poll_once(choice.as_mut());
        }
        let (sent, _tx) = sender.join().unwrap();
        assert_eq!(got.unwrap().is_ok(), sent, "sent exactly when the select took it");
        assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
    });
}

#[test]
fn send_against_a_select_that_polls() {
    model(|| {
        let (tx, rx) = bounded::<u32>(0);
        let sender = thread::spawn(move || block_on(tx.send(7)));
        let mut woken = false;
        let restless = poll_fn(|cx| {
            if !woken {
                woken = true;
                cx.waker().wake_by_ref();
            }
            Poll::<()>::Pending
        });
        let got = block_on(async {
            select! { biased; v = rx.recv() => v, _ = restless => Err(RecvError) }
        });
        assert_eq!(got, Ok(7));
        assert_eq!(sender.join().unwrap(), Ok(()));
    });
}

#[test]
fn send_into_the_buffer_against_a_select() {
    model(|| {
        let (tx, rx) = bounded::<u32>(1);
        let sender = thread::spawn(move || (tx.try_send(7), tx));
        let got = block_on(async {
            select! { biased; v = rx.recv() => v }
        });
        assert_eq!((got, sender.join().unwrap().0), (Ok(7), Ok(())));
    });
}

#[test]
fn receive_from_the_buffer_against_a_select_that_sends() {
    model(|| {
        let (tx, rx) = bounded::<u32>(1);
        tx.try_send(1).unwrap();
        let receiver = thread::spawn(move || (rx.try_recv(), rx));
        let sent = block_on(async {
            select! { biased; r = tx.send(2) => r }
        });
        let (got, rx) = receiver.join().unwrap();
        assert_eq!((sent, got, rx.try_recv()), (Ok(()), Ok(1), Ok(2)));
    });
}

#[test]
fn receive_drop_against_a_select() {
    model(|| {
        let (tx, rx) = bounded::<u32>(0);
        let rx2 = rx.clone();
        let mut recv = Box::pin(rx.recv());
        assert!(poll_once(recv.as_mut()).is_none());
        tx.try_send(7).unwrap();
        let other = thread::spawn(move || {
            block_on(async {
                select! { biased; v = rx2.recv() => v }
            })
        });
        drop(recv);
        assert_eq!(other.join().unwrap(), Ok(7));
    });
}

#[test]
fn send_against_a_select_with_another_waker() {
    model(|| {
        let (tx, rx) = bounded::<u32>(0);
        let choice = pin!(async {
            select! { biased; v = rx.recv() => v }
        });
        assert_eq!(poll_with_two_wakers(choice, move || block_on(tx.send(7)).unwrap()), Ok(7));
    });
}

#[test]
fn close_against_a_select() {
    model(|| {
        let (tx1, rx1) = bounded::<u32>(0);
        let (tx2, rx2) = bounded::<u32>(0);
        let closer = thread::spawn(move || {
            drop(tx1);
            rx2.close();
            rx2
        });
        let closed = block_on(async {
            select! { biased; v = rx1.recv() => v == Err(RecvError), r = tx2.send(1) => r == Err(SendError(1)) }
        });
        assert!(closed);
        let rx2 = closer.join().unwrap();
        assert!(rx2.try_recv().is_err());
    });
}

#[test]
fn close_against_a_select_that_nobody_woke() {
    model(|| {
        let (tx, rx) = bounded::<u32>(0);
        let mut choice = pin!(async {
            select! { biased; v = rx.recv() => v }
        });
        assert!(poll_once(choice.as_mut()).is_none());
        let closer = thread::spawn(move || drop(tx));
        let got = poll_once(choice.as_mut());
        closer.join().unwrap();
        assert_eq!(got.or_else(|| poll_once(choice.as_mut())), Some(Err(RecvError)));
    });
}

#[test]
fn receive_against_a_selecting_sender_that_drops() {
    model(|| {
        let (tx, rx) = bounded::<u32>(0);
        let (never_tx, _never_rx) = bounded::<u32>(0);
        let receiver = thread::spawn(move || (rx.try_recv(), rx));
        {
            let mut choice = Box::pin(async {
                select! { biased; r = tx.send(1) => r, r = never_tx.send(2) => r }
            });
            let _ = poll_once(choice.as_mut());
        }
        let (got, rx) = receiver.join().unwrap();
        assert!(matches!(got, Ok(1) | Err(TryRecvError::Empty)));
        assert!(rx.try_recv().is_err());
    });
}

#[test]
fn default_against_a_moving_token() {
    model(|| {
        let (tx1, rx1) = bounded::<u32>(1);
        let (tx2, rx2) = bounded::<u32>(1);
        tx1.try_send(1).unwrap();
        let rx = rx1.clone();
        let mover = thread::spawn(move || {
            tx2.try_send(2).unwrap();
            rx.try_recv().is_ok()
        });
        let mut choice = pin!(async {
            select! { biased; v = rx2.recv() => v.unwrap(), v = rx1.recv() => v.unwrap(), default => 0 }
        });
        let got = poll_once(choice.as_mut());
        let moved = mover.join().unwrap();
        assert_ne!(got, Some(0), "a false default");
        assert_eq!(moved, got != Some(1));
    });
}

#[test]
fn default_in_its_seats_against_a_moving_token() {
    model(|| {
        let (tx1, rx1) = bounded::<u32>(1);
        let (tx2, rx2) = bounded::<u32>(1);
        let rx = rx1.clone();
        let mover = thread::spawn(move || {
            tx2.try_send(2).unwrap();
            rx.try_recv().is_ok()
        });
        // The first look ends with it, so it has changed a channel, and the seats are taken.
        let sends = poll_fn(|_| {
            let _ = tx1.try_send(1);
            Poll::<()>::Pending
        });
        let mut choice = pin!(async {
            select! {
                biased;
                v = rx2.recv() => v.unwrap(),
                v = rx1.recv() => v.unwrap(),
                _ = sends => 3,
                default => 0,
            }
        });
        let got = poll_once(choice.as_mut());
        mover.join().unwrap();
        assert_ne!(got, Some(0), "a false default");
    });
}

#[test]
fn of_two_that_send_and_select_with_a_default_one_finds() {
    async fn finds(rx: &Receiver<u32>) -> bool {
        select! { biased; v = rx.recv() => v.is_ok(), default => false }
    }
    model(|| {
        let ((to_two, from_one), (to_one, from_two)) = (bounded(1), bounded(1));
        let two = thread::spawn(move || {
            to_one.try_send(2).unwrap();
            (block_on(finds(&from_one)), from_one)
        });
        to_two.try_send(1).unwrap();
        let one_finds = block_on(finds(&from_two));
        let (two_finds, _from_one) = two.join().unwrap();
        assert!(one_finds || two_finds);
    });
}

#[test]
fn what_a_branch_sends_comes_before_the_default_too() {
    model(|| {
        let ((to_two, from_one), (to_one, from_two)) = (bounded(1), bounded(1));
        let two = thread::spawn(move || {
            to_one.try_send(2).unwrap();
            (from_one.try_recv().is_ok(), from_one)
        });
        let sends = poll_fn(|_| {
            let _ = to_two.try_send(1);
            Poll::<()>::Pending
        });
        let mut choice = pin!(async {
            select! { biased; _ = sends => true, v = from_two.recv() => v.is_ok(), default => false }
        });
        let one_finds = poll_once(choice.as_mut()) == Some(true);
        let (two_finds, _from_one) = two.join().unwrap();
        assert!(one_finds || two_finds);
    });
}

#[test]
fn offer_against_a_waiting_select() {
    model(|| {
        let (tx, rx) = pull_channel::<u32>();
        let (_silent, other) = bounded::<u32>(0);
        let timer = thread::spawn(move || {
            assert!(tx.offer(1));
            tx
        });
        let got = block_on(async {
            select! { biased; v = rx.recv() => v, v = other.recv() => v }
        });
        assert_eq!(got, Ok(1));
        assert_eq!(timer.join().unwrap().take_back(), None);
    });
}

#[test]
fn offer_against_a_select_with_another_waker() {
    model(|| {
        let (tx, rx) = pull_channel::<u32>();
        let choice = pin!(async {
            select! { biased; v = rx.recv() => v }
        });
        assert_eq!(poll_with_two_wakers(choice, move || assert!(tx.offer(7))), Ok(7));
    });
}

#[test]
fn offer_against_a_receive() {
    model(|| {
        let (tx, rx) = pull_channel::<u32>();
        let timer = thread::spawn(move || assert!(tx.offer(1)));
        assert_eq!(block_on(rx.recv()), Ok(1));
        timer.join().unwrap();
    });
}

#[test]
fn take_back_against_a_receive() {
    model(|| {
        let (tx, rx) = pull_channel::<u32>();
        let mut recv = pin!(rx.recv());
        assert!(poll_once(recv.as_mut()).is_none());
        assert!(tx.offer(1));
        let timer = thread::spawn(move || tx.take_back());
        let got = poll_once(recv);
        let back = timer.join().unwrap();
        assert!(matches!((got, back), (Some(Ok(1)), None) | (None, Some(1))));
    });
}
