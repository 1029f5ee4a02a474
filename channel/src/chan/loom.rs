//! Models of one channel: hand-off, drops and close against each. A waiter that nobody wakes is a deadlock, which loom
//! reports; a value that is lost or doubled fails an assertion.

use std::pin::pin;

use ::loom::thread;

use crate::model::{block_on, poll_once, poll_with_two_wakers};
use crate::{bounded, Receiver, RecvError, SendError, TryRecvError, TrySendError};

fn model(body: impl Fn() + Sync + Send + 'static) {
    crate::model::model(2, body);
}

/// Takes what is left in the channel.
fn rest(rx: &Receiver<u32>) -> Vec<u32> {
    rx.try_iter().collect()
}

#[test]
fn unbuffered_hand_off() {
    model(|| {
        let (tx, rx) = bounded(0);
        let sender = thread::spawn(move || block_on(tx.send(7)));
        assert_eq!(block_on(rx.recv()), Ok(7));
        assert_eq!(sender.join().unwrap(), Ok(()));
    });
}

#[test]
fn buffered_hand_off_of_two_values() {
    model(|| {
        let (tx, rx) = bounded(1);
        let sender = thread::spawn(move || {
            block_on(tx.send(1)).unwrap();
            block_on(tx.send(2)).unwrap();
        });
        assert_eq!(block_on(rx.recv()), Ok(1));
        assert_eq!(block_on(rx.recv()), Ok(2));
        sender.join().unwrap();
    });
}

#[test]
fn of_two_that_send_and_look_one_finds() {
    model(|| {
        let ((to_two, from_one), (to_one, from_two)) = (bounded(1), bounded(1));
        let two = thread::spawn(move || {
            to_one.try_send(2).unwrap();
            (from_one.try_recv().is_ok(), from_one)
        });
        to_two.try_send(1).unwrap();
        let one_finds = from_two.try_recv().is_ok();
        let (two_finds, _from_one) = two.join().unwrap();
        assert!(one_finds || two_finds);
    });
}

#[test]
fn of_two_that_receive_and_look_for_room_one_finds() {
    model(|| {
        let ((to_two, from_one), (to_one, from_two)) = (bounded(1), bounded(1));
        to_two.try_send(1).unwrap();
        to_one.try_send(2).unwrap();
        let two = thread::spawn(move || {
            from_one.try_recv().unwrap();
            (to_one.try_send(2).is_ok(), from_one)
        });
        from_two.try_recv().unwrap();
        let one_finds = to_two.try_send(1).is_ok();
        let (two_finds, _from_one) = two.join().unwrap();
        assert!(one_finds || two_finds);
    });
}

#[test]
fn two_senders_and_two_receivers() {
    model(|| {
        let (tx, rx) = bounded(0);
        let (tx2, rx2) = (tx.clone(), rx.clone());
        let sender = thread::spawn(move || block_on(tx2.send(1)).unwrap());
        let receiver = thread::spawn(move || block_on(rx2.recv()).unwrap());
        let mine = thread::spawn(move || block_on(tx.send(2)).unwrap());
        let got = block_on(rx.recv()).unwrap();
        sender.join().unwrap();
        mine.join().unwrap();
        assert_eq!(got + receiver.join().unwrap(), 3);
    });
}

#[test]
fn receive_drop_against_send() {
    model(|| {
        let (tx, rx) = bounded(0);
        let sender = thread::spawn(move || (tx.try_send(7).is_ok(), tx));
        let mut recv = Box::pin(rx.recv());
        let got = poll_once(recv.as_mut());
        drop(recv);
        let (sent, _tx) = sender.join().unwrap();
        let got: Vec<u32> = got.into_iter().flatten().chain(rest(&rx)).collect();
        assert_eq!(got.len(), usize::from(sent), "handed over and dropped, or never sent: it must be there");
    });
}

#[test]
fn receive_drop_against_send_wakes_the_next_receiver() {
    model(|| {
        let (tx, rx) = bounded(0);
        let rx2 = rx.clone();
        let sender = thread::spawn(move || {
            block_on(tx.send(7)).unwrap();
            tx
        });
        let other = thread::spawn(move || block_on(rx2.recv()));
        let mut recv = Box::pin(rx.recv());
        let got = poll_once(recv.as_mut());
        drop(recv);
        // The channel stays open until the value has found its receiver.
        let tx = sender.join().unwrap();
        if got.is_none() {
            assert_eq!(other.join().unwrap(), Ok(7));
        } else {
            drop(tx);
            assert_eq!(other.join().unwrap(), Err(RecvError));
        }
    });
}

#[test]
fn hand_over_against_a_poll_that_nobody_woke() {
    model(|| {
        let (tx, rx) = bounded(0);
        let mut recv = Box::pin(rx.recv());
        assert!(poll_once(recv.as_mut()).is_none());
        let sender = thread::spawn(move || (tx.try_send(7), tx));
        let got = poll_once(recv.as_mut());
        let (sent, _tx) = sender.join().unwrap();
        assert_eq!(sent, Ok(()), "a receiver waited");
        assert_eq!(got.or_else(|| poll_once(recv.as_mut())), Some(Ok(7)));
    });
}

#[test]
fn hand_over_against_another_waker() {
    model(|| {
        let (tx, rx) = bounded(0);
        let got = poll_with_two_wakers(pin!(rx.recv()), move || tx.try_send(7).unwrap());
        assert_eq!(got, Ok(7));
    });
}

#[test]
fn send_drop_against_receive() {
    model(|| {
        let (tx, rx) = bounded(0);
        let receiver = thread::spawn(move || (rx.try_recv(), rx));
        let mut send = Box::pin(tx.send(7));
        let sent = poll_once(send.as_mut());
        assert!(sent.is_none(), "nobody waits to receive");
        drop(send);
        let (got, rx) = receiver.join().unwrap();
        assert!(matches!(got, Ok(7) | Err(TryRecvError::Empty)));
        assert!(rest(&rx).is_empty(), "taken, or dropped without a trace");
    });
}

#[test]
fn send_drop_frees_its_place_for_the_next_sender() {
    model(|| {
        let (tx, rx) = bounded(1);
        tx.try_send(1).unwrap();
        let tx2 = tx.clone();
        let next = thread::spawn(move || block_on(tx2.send(3)).unwrap());
        let taker = thread::spawn(move || (block_on(rx.recv()), rx));
        let mut send = Box::pin(tx.send(2));
        let _ = poll_once(send.as_mut());
        drop(send);
        let (first, rx) = taker.join().unwrap();
        assert_eq!(first, Ok(1));
        // If 2 was moved in, room for 3 comes with the next receive.
        let second = block_on(rx.recv()).unwrap();
        if second == 2 {
            assert_eq!(block_on(rx.recv()), Ok(3));
        } else {
            assert!(matches!(rest(&rx)[..], [] | [2]));
        }
        next.join().unwrap();
    });
}

#[test]
fn close_against_send() {
    model(|| {
        let (tx, rx) = bounded(0);
        let sender = thread::spawn(move || block_on(tx.send(7)));
        rx.close();
        assert_eq!(sender.join().unwrap(), Err(SendError(7)));
        assert_eq!(rx.try_recv(), Err(TryRecvError::Closed));
    });
}

#[test]
fn who_was_told_of_the_close_finds_it_closed() {
    model(|| {
        let (tx, rx) = bounded(0);
        let mut send = Box::pin(tx.send(7));
        assert!(poll_once(send.as_mut()).is_none());
        let closer = thread::spawn(move || rx.close());
        if let Some(sent) = poll_once(send.as_mut()) {
            assert_eq!(sent, Err(SendError(7)));
            assert_eq!(tx.try_send(8), Err(TrySendError::Closed(8)));
        }
        closer.join().unwrap();
    });
}

#[test]
fn close_against_receive() {
    model(|| {
        let (tx, rx) = bounded::<u32>(0);
        let receiver = thread::spawn(move || block_on(rx.recv()));
        drop(tx);
        assert_eq!(receiver.join().unwrap(), Err(RecvError));
    });
}

#[test]
fn close_against_a_receive_that_does_not_wait_on_a_channel_with_a_value() {
    model(|| {
        let (tx, rx) = bounded(1);
        tx.try_send(7).unwrap();
        let closer = thread::spawn(move || tx.close());
        assert_eq!(rx.try_recv(), Ok(7), "never \"not ready\"");
        closer.join().unwrap();
    });
}

#[test]
fn last_receiver_against_send() {
    for cap in [0, 1] {
        model(move || {
            let (tx, rx) = bounded(cap);
            let value = std::sync::Arc::new(());
            let sent = value.clone();
            let sender = thread::spawn(move || {
                let _ = block_on(tx.send(sent));
                tx
            });
            drop(rx);
            let _tx = sender.join().unwrap();
            assert_eq!(std::sync::Arc::strong_count(&value), 1, "dropped at once, or given back");
        });
    }
}

#[test]
fn upgrade_against_the_last_sender() {
    model(|| {
        let (tx, rx) = bounded(1);
        let weak = tx.downgrade();
        let last = thread::spawn(move || drop(tx));
        let upgraded = weak.upgrade();
        last.join().unwrap();
        match upgraded {
            Some(tx) => assert_eq!(tx.try_send(7), Ok(()), "it is open as long as there is a sender"),
            None => assert_eq!(rx.try_recv(), Err(TryRecvError::Closed)),
        }
    });
}

#[test]
fn reserve_against_close() {
    model(|| {
        let (tx, rx) = bounded(1);
        let (taken, closer) = (rx.clone(), rx);
        let reserver = thread::spawn(move || {
            let mut sent = 0;
            for value in [1, 2] {
                match block_on(tx.reserve()) {
                    Ok(permit) => sent += u32::from(permit.send(value).is_ok()),
                    Err(SendError(())) => break,
                }
            }
            sent
        });
        closer.close();
        let sent = reserver.join().unwrap();
        assert_eq!(rest(&taken).len() as u32, sent);
    });
}

#[test]
fn reserve_drop_against_receive() {
    model(|| {
        let (tx, rx) = bounded(1);
        tx.try_send(1).unwrap();
        let taker = thread::spawn(move || (block_on(rx.recv()), rx));
        let mut reserve = Box::pin(tx.reserve());
        let permit = poll_once(reserve.as_mut());
        drop(reserve);
        drop(permit);
        let (first, rx) = taker.join().unwrap();
        assert_eq!(first, Ok(1));
        assert_eq!(tx.try_send(2), Ok(()), "the slot came back");
        assert_eq!(rest(&rx), [2]);
    });
}

#[test]
fn reserve_drop_wakes_the_next_sender() {
    model(|| {
        let (tx, rx) = bounded(1);
        let permit = poll_once(pin!(tx.reserve())).unwrap().unwrap();
        let tx2 = tx.clone();
        let sender = thread::spawn(move || block_on(tx2.send(7)));
        drop(permit);
        assert_eq!(sender.join().unwrap(), Ok(()));
        assert_eq!(rest(&rx), [7]);
    });
}

#[test]
fn send_by_a_permit_wakes_the_receiver_and_who_waits_for_a_slot() {
    model(|| {
        let (tx, rx) = bounded(1);
        let permit = poll_once(pin!(tx.reserve())).unwrap().unwrap();
        let tx2 = tx.clone();
        let receiver = thread::spawn(move || (block_on(rx.recv()), rx));
        let reserver = thread::spawn(move || drop(block_on(tx2.reserve()).unwrap()));
        permit.send(7).unwrap();
        let (got, _rx) = receiver.join().unwrap();
        assert_eq!(got, Ok(7));
        reserver.join().unwrap();
    });
}

#[test]
fn a_close_is_heard_by_who_waits_for_it_alone() {
    model(|| {
        let (tx, rx) = bounded::<u8>(1);
        let last = thread::spawn(move || drop(rx));
        block_on(tx.closed());
        assert!(tx.is_closed());
        last.join().unwrap();
    });
}
