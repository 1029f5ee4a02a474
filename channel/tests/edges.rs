//! The rules of the channels, each by its name.

mod common;

use std::future::Future;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::pin::{pin, Pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use common::{bomb, panics, poll, poll_with, touchy, within, Count};
use futures_core::{FusedStream, Stream};
use pirn_channel::{
    bounded, broadcast, never, oneshot, select, unbounded, OwnedPermit, Receiver, RecvError,
    RecvTimeoutError, SendError, SendTimeoutError, Sender, TryRecvError, TrySendError, WeakReceiver,
    WeakSender,
};

#[test]
fn r5_unbuffered_send_completes_only_when_the_value_is_taken() {
    let (tx, rx) = bounded(0);
    let count = Arc::new(Count::default());
    let mut send = pin!(tx.send(1));
    assert!(poll_with(send.as_mut(), &count).is_pending());
    assert_eq!((count.get(), tx.len()), (0, 0));
    assert_eq!(rx.try_recv(), Ok(1));
    assert_eq!(count.get(), 1);
    assert_eq!(poll_with(send, &count), Poll::Ready(Ok(())));
}

#[test]
fn r5_try_send_on_an_unbuffered_channel_succeeds_exactly_when_a_receiver_waits() {
    let (tx, rx) = bounded(0);
    assert_eq!(tx.try_send(1), Err(TrySendError::Full(1)));
    {
        let mut recv = pin!(rx.recv());
        assert!(poll(recv.as_mut()).is_pending());
        assert_eq!(tx.try_send(2), Ok(()));
        assert_eq!(tx.try_send(3), Err(TrySendError::Full(3)), "it was claimed by the first");
        assert_eq!(poll(recv), Poll::Ready(Ok(2)));
    }
    let mut choice = pin!(async {
        select! { v = rx.recv() => v, _ = never::<()>().recv() => Err(RecvError) }
    });
    assert!(poll(choice.as_mut()).is_pending());
    assert_eq!(tx.try_send(4), Ok(()), "a select waits, too");
    assert_eq!(tx.try_send(5), Err(TrySendError::Full(5)));
    assert_eq!(poll(choice), Poll::Ready(Ok(4)));
}

#[test]
fn r6_buffered_send_waits_only_when_full_and_receive_only_when_empty() {
    let (tx, rx) = bounded(2);
    assert_eq!(poll(pin!(tx.send(1))), Poll::Ready(Ok(())));
    assert_eq!(poll(pin!(tx.send(2))), Poll::Ready(Ok(())));
    assert!(tx.is_full());
    let mut third = pin!(tx.send(3));
    assert!(poll(third.as_mut()).is_pending());
    assert_eq!(poll(pin!(rx.recv())), Poll::Ready(Ok(1)));
    assert_eq!(rx.len(), 2, "the freed slot belongs to the first sender that waits");
    assert_eq!(tx.try_send(9), Err(TrySendError::Full(9)));
    assert_eq!(poll(third), Poll::Ready(Ok(())));
    assert_eq!((rx.try_recv(), rx.try_recv()), (Ok(2), Ok(3)));
    assert!(poll(pin!(rx.recv())).is_pending());
}

#[test]
fn r7_close_lets_receivers_drain_wakes_everybody_and_gives_values_back() {
    let (tx, rx) = bounded(1);
    tx.try_send(1).unwrap();
    let count = Arc::new(Count::default());
    let mut blocked = pin!(tx.send(2));
    assert!(poll_with(blocked.as_mut(), &count).is_pending());
    assert!(tx.close());
    assert!(!rx.close(), "closed twice");
    assert_eq!(count.get(), 1);
    assert_eq!(poll(blocked), Poll::Ready(Err(SendError(2))), "its own value, never delivered");
    assert_eq!(tx.try_send(3), Err(TrySendError::Closed(3)), "closed beats full");
    assert_eq!(poll(pin!(tx.send(4))), Poll::Ready(Err(SendError(4))));
    assert_eq!(rx.try_recv(), Ok(1), "what was buffered is drained");
    assert_eq!(rx.try_recv(), Err(TryRecvError::Closed));
    assert_eq!(poll(pin!(rx.recv())), Poll::Ready(Err(RecvError)));
}

#[test]
fn r7_close_wakes_receivers() {
    let (tx, rx) = bounded::<u8>(0);
    let count = Arc::new(Count::default());
    let mut waits: Vec<_> = (0..100).map(|_| Box::pin(rx.recv())).collect();
    for wait in &mut waits {
        assert!(poll_with(wait.as_mut(), &count).is_pending());
    }
    drop(tx);
    assert_eq!(count.get(), 100);
    for wait in &mut waits {
        assert_eq!(poll(wait.as_mut()), Poll::Ready(Err(RecvError)));
    }
}

#[test]
fn r8_ends_are_of_their_own_type() {
    fn only_sends(tx: &Sender<u8>) {
        tx.try_send(1).unwrap();
    }
    fn only_receives(rx: &Receiver<u8>) -> u8 {
        rx.try_recv().unwrap()
    }
    let (tx, rx) = bounded(1);
    only_sends(&tx);
    assert_eq!(only_receives(&rx), 1);
}

#[test]
fn handles_go_to_other_threads_with_values_that_may_and_across_panics() {
    fn check<T: Send + Sync + Unpin + UnwindSafe + RefUnwindSafe + std::fmt::Debug>() {}
    // Such a value may be sent but not shared, nor be looked at after a panic.
    type Value = std::cell::Cell<u8>;
    check::<(Sender<Value>, Receiver<Value>, WeakSender<Value>, WeakReceiver<Value>)>();
    check::<(oneshot::Sender<Value>, oneshot::Receiver<Value>)>();
    check::<OwnedPermit<Value>>();
    // Here every receiver clones the same value.
    check::<(broadcast::Sender<u8>, broadcast::Receiver<u8>)>();
}

#[test]
fn r9_ranging_ends_at_close() {
    let (tx, rx) = bounded(10);
    (0..5).for_each(|i| tx.try_send(i).unwrap());
    assert_eq!(rx.try_iter().take(2).collect::<Vec<_>>(), [0, 1]);
    drop(tx);
    assert_eq!(rx.iter().collect::<Vec<_>>(), [2, 3, 4]);
    assert_eq!(rx.into_iter().next(), None);
}

#[test]
fn r10_len_and_capacity() {
    let (tx, rx) = bounded::<u8>(3);
    tx.try_send(1).unwrap();
    assert_eq!((tx.len(), rx.len(), tx.capacity(), rx.capacity()), (1, 1, Some(3), Some(3)));
    assert!(!tx.is_empty() && !rx.is_full());
    let (tx, rx) = bounded::<u8>(0);
    let mut parked = pin!(tx.send(1));
    assert!(poll(parked.as_mut()).is_pending());
    assert_eq!((tx.len(), tx.capacity(), rx.is_empty(), rx.is_full()), (0, Some(0), true, true));
    assert_eq!(unbounded::<u8>().0.capacity(), None);
    assert!(!unbounded::<u8>().0.is_full());
}

#[test]
fn r11_never_is_never_ready_and_never_closed() {
    assert_eq!((never::<u8>().sender_count(), never::<u8>().receiver_count()), (0, 1));
    let rx = never::<u8>();
    assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
    assert!(poll(pin!(rx.recv())).is_pending());
    assert!(!rx.close());
    assert!(!rx.is_closed());
    assert!(poll(pin!(rx.clone().recv())).is_pending());
}

#[test]
fn r12_waiters_are_served_in_the_order_in_which_they_came() {
    let (tx, rx) = bounded(0);
    let mut receives: Vec<_> = (0..5).map(|_| Box::pin(rx.recv())).collect();
    for receive in &mut receives {
        assert!(poll(receive.as_mut()).is_pending());
    }
    drop(receives.remove(2));
    (0..4).for_each(|i| tx.try_send(i).unwrap());
    for (i, receive) in receives.iter_mut().enumerate() {
        assert_eq!(poll(receive.as_mut()), Poll::Ready(Ok(i)));
    }
    let mut sends: Vec<_> = (0..5).map(|i| Box::pin(tx.send(i))).collect();
    for send in &mut sends {
        assert!(poll(send.as_mut()).is_pending());
    }
    drop(sends.remove(1));
    assert_eq!(rx.try_iter().collect::<Vec<_>>(), [0, 2, 3, 4]);
}

#[test]
fn r13_zero_sized_values_cost_nothing_and_alignment_is_kept() {
    let (tx, rx) = bounded(usize::MAX - 1);
    (0..100_000).for_each(|_| tx.try_send(()).unwrap());
    assert_eq!(rx.try_iter().count(), 100_000);
    #[repr(align(128))]
    #[derive(Debug, PartialEq)]
    struct Wide;
    let (tx, rx) = bounded(0);
    let mut send = pin!(tx.send(Wide));
    assert!(poll(send.as_mut()).is_pending());
    let got = rx.try_recv().unwrap();
    assert_eq!(std::ptr::from_ref(&got).addr() % 128, 0);
}

#[test]
fn r24_what_happened_before_a_send_is_seen_after_its_receive() {
    within(30, || {
        static CELL: AtomicUsize = AtomicUsize::new(0);
        for cap in [0, 1, 4] {
            let (tx, rx) = bounded(cap);
            let (back_tx, back_rx) = bounded::<()>(0);
            let writer = std::thread::spawn(move || {
                for i in 0..2000 {
                    CELL.store(i, Ordering::Relaxed);
                    tx.send_blocking(i).unwrap();
                    back_rx.recv_blocking().unwrap();
                }
            });
            for i in 0..2000 {
                assert_eq!(rx.recv_blocking(), Ok(i));
                assert_eq!(CELL.load(Ordering::Relaxed), i);
                back_tx.send_blocking(()).unwrap();
            }
            writer.join().unwrap();
        }
    });
}

#[test]
fn r24_the_kth_receive_happens_before_the_send_that_takes_its_slot() {
    within(30, || {
        static INSIDE: AtomicUsize = AtomicUsize::new(0);
        // A buffer of three as a semaphore: at most three threads are between their send and their receive.
        let (tx, rx) = bounded(3);
        let threads: Vec<_> = (0..6)
            .map(|_| {
                let (tx, rx) = (tx.clone(), rx.clone());
                std::thread::spawn(move || {
                    for _ in 0..500 {
                        tx.send_blocking(()).unwrap();
                        assert!(INSIDE.fetch_add(1, Ordering::Relaxed) < 3);
                        INSIDE.fetch_sub(1, Ordering::Relaxed);
                        rx.recv_blocking().unwrap();
                    }
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
}

#[test]
fn r24_what_happened_before_close_is_seen_by_a_receive_that_finds_it_closed() {
    within(30, || {
        for i in 1..500 {
            let cell = Arc::new(AtomicUsize::new(0));
            let (tx, rx) = bounded::<()>(0);
            let written = cell.clone();
            let closer = std::thread::spawn(move || {
                written.store(i, Ordering::Relaxed);
                tx.close();
            });
            assert_eq!(rx.recv_blocking(), Err(RecvError));
            assert_eq!(cell.load(Ordering::Relaxed), i);
            closer.join().unwrap();
        }
    });
}

#[test]
fn a_value_handed_to_a_dropped_receive_goes_to_the_next_waiter() {
    let (tx, rx) = bounded(0);
    let count = Arc::new(Count::default());
    let mut first = Box::pin(rx.recv());
    let mut second = pin!(rx.recv());
    assert!(poll(first.as_mut()).is_pending());
    assert!(poll_with(second.as_mut(), &count).is_pending());
    tx.try_send(7).unwrap();
    drop(first);
    assert_eq!(count.get(), 1);
    assert_eq!(poll(second), Poll::Ready(Ok(7)));
}

#[test]
fn values_that_come_back_reenter_ahead_of_the_buffer_in_the_order_of_sending() {
    let (tx, rx) = bounded(2);
    let mut waits: Vec<_> = (0..3).map(|_| Box::pin(rx.recv())).collect();
    for wait in &mut waits {
        assert!(poll(wait.as_mut()).is_pending());
    }
    (0..5).for_each(|i| tx.try_send(i).unwrap());
    assert_eq!(rx.len(), 2);
    drop(waits.remove(1));
    drop(waits.remove(1));
    drop(waits.remove(0));
    assert_eq!(rx.len(), 2, "never more than the capacity");
    assert_eq!(tx.try_send(9), Err(TrySendError::Full(9)));
    assert_eq!(rx.try_iter().collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
}

#[test]
fn values_come_back_in_any_order_without_a_search_through_all_of_them() {
    let time = |n: usize| {
        let (tx, rx) = unbounded();
        let mut waits: Vec<_> = (0..n).map(|i| (i, Box::pin(rx.recv()))).collect();
        for (_, wait) in &mut waits {
            assert!(poll(wait.as_mut()).is_pending());
        }
        (0..n).for_each(|i| tx.try_send(i).unwrap());
        waits.sort_by_key(|(i, _)| i * 7919 % 100_003);
        let start = std::time::Instant::now();
        drop(waits);
        let took = start.elapsed();
        assert!(rx.try_iter().eq(0..n), "in the order of sending");
        took
    };
    let (small, large) = (time(10_000), time(300_000));
    assert!(
        large < small * 200 + Duration::from_millis(500),
        "{small:?} for 10,000 but {large:?} for 300,000"
    );
}

#[test]
fn a_value_that_came_back_can_be_received_after_close() {
    let (tx, rx) = bounded(0);
    let mut wait = Box::pin(rx.recv());
    assert!(poll(wait.as_mut()).is_pending());
    tx.try_send(5).unwrap();
    tx.close();
    assert_eq!(rx.try_recv(), Err(TryRecvError::Closed), "handed to a waiter: out of reach");
    drop(wait);
    assert_eq!((rx.len(), rx.is_empty()), (0, true));
    assert_eq!(rx.try_recv(), Ok(5));
}

#[test]
fn a_pending_stream_poll_counts_as_a_waiting_receiver_and_another_receive_ends_it() {
    let (tx, mut rx) = bounded(0);
    let mut cx = Context::from_waker(Waker::noop());
    assert!(Pin::new(&mut rx).poll_next(&mut cx).is_pending());
    assert_eq!(tx.try_send(1), Ok(()));
    assert_eq!(rx.try_recv(), Ok(1), "handed to the stream poll, and passed on");
    assert_eq!(tx.try_send(2), Err(TrySendError::Full(2)));
    assert!(Pin::new(&mut rx).poll_next(&mut cx).is_pending());
    assert_eq!(tx.try_send(3), Ok(()));
    let other = rx.clone();
    drop(rx);
    assert_eq!(other.try_recv(), Ok(3), "dropping the handle loses nothing");
    drop(tx);
    let mut other = other;
    assert_eq!(Pin::new(&mut other).poll_next(&mut cx), Poll::Ready(None));
}

#[test]
fn a_stream_is_terminated_as_long_as_its_last_poll_has_said_so() {
    let (tx, mut rx) = bounded(1);
    let mut cx = Context::from_waker(Waker::noop());
    assert!(Pin::new(&mut rx).poll_next(&mut cx).is_pending());
    assert_eq!(tx.try_send(1), Ok(()));
    drop(tx);
    assert!(!rx.is_terminated(), "closed and drained, but the value waits in the stream");
    assert_eq!(Pin::new(&mut rx).poll_next(&mut cx), Poll::Ready(Some(1)));
    assert!(!rx.is_terminated());
    assert_eq!(Pin::new(&mut rx).poll_next(&mut cx), Poll::Ready(None));
    assert_eq!(rx.try_recv(), Err(TryRecvError::Closed));
    assert!(rx.is_terminated(), "whatever else is tried");
    assert_eq!(Pin::new(&mut rx).poll_next(&mut cx), Poll::Ready(None));
    assert!(!rx.clone().is_terminated(), "every handle is a stream of its own");
}

#[test]
fn a_stream_that_finds_a_value_that_came_back_goes_on() {
    let (tx, mut rx) = bounded(1);
    let other = rx.clone();
    let mut cx = Context::from_waker(Waker::noop());
    let mut recv = Box::pin(other.recv());
    assert!(poll(recv.as_mut()).is_pending());
    assert_eq!(tx.try_send(1), Ok(()));
    drop(tx);
    assert_eq!(Pin::new(&mut rx).poll_next(&mut cx), Poll::Ready(None), "it is another's");
    drop(recv);
    assert_eq!(Pin::new(&mut rx).poll_next(&mut cx), Poll::Ready(Some(1)));
    assert!(!rx.is_terminated());
}

#[test]
fn a_dropped_send_leaves_no_trace_or_had_sent() {
    let (tx, rx) = bounded(1);
    tx.try_send(0).unwrap();
    let value = Arc::new(());
    let (tx2, rx2) = bounded(0);
    let mut send = Box::pin(tx2.send(value.clone()));
    assert!(poll(send.as_mut()).is_pending());
    drop(send);
    assert_eq!(Arc::strong_count(&value), 1);
    assert!(rx2.try_recv().is_err());
    let mut late = Box::pin(tx.send(1));
    assert!(poll(late.as_mut()).is_pending());
    assert_eq!(rx.try_recv(), Ok(0));
    drop(late);
    assert_eq!(rx.try_recv(), Ok(1), "it was moved in when the slot became free");
}

#[test]
fn the_last_receiver_drops_the_buffer_at_once_and_frees_senders() {
    let value = Arc::new(());
    let (tx, rx) = bounded(1);
    tx.try_send(value.clone()).unwrap();
    let mut blocked = pin!(tx.send(value.clone()));
    assert!(poll(blocked.as_mut()).is_pending());
    let rx2 = rx.clone();
    drop(rx);
    assert!(!tx.is_closed());
    drop(rx2);
    assert!(tx.is_closed());
    assert_eq!(Arc::strong_count(&value), 2, "the buffered one is gone");
    assert!(matches!(poll(blocked), Poll::Ready(Err(SendError(_)))));
    assert_eq!(Arc::strong_count(&value), 1);
}

#[test]
fn weak_handles_do_not_keep_a_channel_open() {
    let (tx, rx) = bounded::<u8>(1);
    let (weak_tx, weak_rx) = (tx.downgrade(), rx.downgrade());
    assert!(weak_tx.upgrade().unwrap().same_channel(&tx));
    assert_eq!(tx.sender_count(), 1);
    drop(tx);
    assert!(weak_tx.upgrade().is_none());
    assert!(rx.is_closed());
    assert_eq!(weak_rx.upgrade().unwrap().try_recv(), Err(TryRecvError::Closed));
    drop(rx);
    assert!(weak_rx.upgrade().is_none());
}

#[test]
fn a_permit_holds_a_slot() {
    let (tx, rx) = bounded(2);
    let Poll::Ready(Ok(permit)) = poll(pin!(tx.reserve())) else { panic!("there was room") };
    tx.try_send(1).unwrap();
    assert!(tx.is_full());
    assert_eq!(tx.len(), 1);
    let mut second = pin!(tx.reserve());
    assert!(poll(second.as_mut()).is_pending());
    permit.send(2).unwrap();
    assert_eq!(rx.try_recv(), Ok(1));
    let Poll::Ready(Ok(second)) = poll(second) else { panic!("a slot was freed") };
    let mut blocked = pin!(tx.send(3));
    assert!(poll(blocked.as_mut()).is_pending());
    drop(second);
    assert_eq!(poll(blocked), Poll::Ready(Ok(())), "an unused slot goes to the next");
    let third = Box::pin(tx.reserve());
    tx.close();
    assert!(matches!(poll(pin!(third)), Poll::Ready(Err(SendError(())))));
}

#[test]
fn a_slot_is_reserved_without_waiting_or_not_at_all() {
    let (tx, rx) = bounded(2);
    let one = tx.try_reserve().unwrap();
    let other = tx.clone().try_reserve_owned().unwrap();
    assert!(matches!(tx.try_reserve(), Err(TrySendError::Full(()))));
    let back = tx.clone().try_reserve_owned().unwrap_err();
    assert!(back.is_full() && back.into_inner().same_channel(&tx));
    let mut blocked = Box::pin(tx.send(3));
    assert!(poll(blocked.as_mut()).is_pending());
    drop(one);
    assert!(tx.try_reserve().unwrap_err().is_full(), "the slot has gone to who waited for it");
    other.send(4).unwrap();
    assert_eq!(poll(blocked.as_mut()), Poll::Ready(Ok(())));
    drop(blocked);
    assert_eq!((rx.try_recv(), rx.try_recv()), (Ok(3), Ok(4)));
    rx.close();
    assert!(matches!(tx.try_reserve(), Err(TrySendError::Closed(()))));
    assert!(matches!(tx.try_reserve_owned(), Err(TrySendError::Closed(_))));
    assert!(panics(|| bounded::<u8>(0).0.try_reserve().is_ok()), "there is no slot to reserve");
}

#[test]
fn an_owned_permit_holds_a_slot_and_a_sender() {
    let (tx, rx) = bounded(1);
    let Poll::Ready(Ok(permit)) = poll(pin!(tx.reserve_owned())) else { panic!("there was room") };
    assert_eq!((rx.sender_count(), rx.is_full()), (1, true));
    assert_eq!(rx.try_recv(), Err(TryRecvError::Empty), "the permit keeps it open");
    let tx = permit.send(1).unwrap();
    let mut second = pin!(tx.clone().reserve_owned());
    assert!(poll(second.as_mut()).is_pending());
    assert_eq!(rx.try_recv(), Ok(1));
    let Poll::Ready(Ok(second)) = poll(second) else { panic!("a slot was freed") };
    let mut blocked = Box::pin(tx.send(2));
    assert!(poll(blocked.as_mut()).is_pending());
    assert!(second.release().same_channel(&tx));
    assert_eq!(poll(blocked.as_mut()), Poll::Ready(Ok(())), "an unused slot goes to the next");
    drop(blocked);
    assert_eq!((rx.try_recv(), rx.sender_count()), (Ok(2), 1));
    let Poll::Ready(Ok(third)) = poll(pin!(tx.clone().reserve_owned())) else { panic!("it is empty") };
    drop(third);
    assert_eq!((tx.try_send(3), rx.try_recv()), (Ok(()), Ok(3)), "so does one that is dropped");
    let Poll::Ready(Ok(last)) = poll(pin!(tx.reserve_owned())) else { panic!("it is empty") };
    drop(last);
    assert_eq!(rx.try_recv(), Err(TryRecvError::Closed), "the last sender went with the permit");
}

#[test]
fn an_owned_reserve_that_is_dropped_passes_its_slot_on_and_drops_its_sender() {
    let (tx, rx) = bounded(1);
    tx.try_send(1).unwrap();
    let mut reserve = Box::pin(tx.clone().reserve_owned());
    let mut send = Box::pin(tx.send(2));
    assert!(poll(reserve.as_mut()).is_pending());
    assert!(poll(send.as_mut()).is_pending());
    assert_eq!(rx.try_recv(), Ok(1));
    assert!(poll(send.as_mut()).is_pending(), "the slot was granted to the reserve");
    drop(reserve);
    assert_eq!((poll(send.as_mut()), rx.sender_count()), (Poll::Ready(Ok(())), 1));
    drop(send);
    let mut last = Box::pin(tx.reserve_owned());
    assert!(poll(last.as_mut()).is_pending());
    assert!(!rx.is_closed());
    drop(last);
    assert_eq!((rx.try_recv(), rx.try_recv()), (Ok(2), Err(TryRecvError::Closed)));
}

#[test]
fn a_close_ends_owned_reserves_and_sends_owned_permits_away() {
    let (tx, rx) = bounded(1);
    let Poll::Ready(Ok(permit)) = poll(pin!(tx.clone().reserve_owned())) else { panic!("there was room") };
    let mut waiting = pin!(tx.clone().reserve_owned());
    assert!(poll(waiting.as_mut()).is_pending());
    assert!(rx.close());
    assert!(matches!(poll(waiting.as_mut()), Poll::Ready(Err(SendError(())))));
    assert!(panics(|| poll(waiting.as_mut()).is_ready()), "it had completed");
    assert!(matches!(permit.send(1), Err(SendError(1))));
    assert!(matches!(poll(pin!(tx.reserve_owned())), Poll::Ready(Err(SendError(())))));
    assert_eq!(rx.sender_count(), 0);
}

#[test]
fn an_owned_permit_leaves_with_its_task() {
    fn check<T: Send + Sync + 'static>(it: T) -> T {
        it
    }
    let (tx, rx) = bounded(1);
    let Poll::Ready(Ok(permit)) = poll(pin!(check(tx.reserve_owned()))) else { panic!("there was room") };
    let tx = within(10, move || check(permit).send(1).unwrap());
    assert_eq!((rx.try_recv(), rx.sender_count()), (Ok(1), 1));
    drop(tx);
}

#[test]
fn a_permit_sends_though_a_value_came_back_into_its_slot() {
    let (tx, rx) = bounded(1);
    let mut recv = Box::pin(rx.recv());
    assert!(poll(recv.as_mut()).is_pending());
    tx.try_send(1).unwrap();
    let Poll::Ready(Ok(permit)) = poll(pin!(tx.reserve())) else { panic!("the value was handed over") };
    drop(recv);
    assert!(tx.is_full());
    permit.send(2).unwrap();
    assert_eq!((tx.len(), tx.is_full()), (1, true));
    assert_eq!((rx.try_recv(), rx.try_recv()), (Ok(1), Ok(2)));
}

#[test]
fn a_granted_reserve_that_is_dropped_passes_its_slot_on() {
    let (tx, rx) = bounded(1);
    tx.try_send(1).unwrap();
    let mut reserve = Box::pin(tx.reserve());
    let mut send = pin!(tx.send(2));
    assert!(poll(reserve.as_mut()).is_pending());
    assert!(poll(send.as_mut()).is_pending());
    assert_eq!(rx.try_recv(), Ok(1));
    assert!(poll(send.as_mut()).is_pending(), "the slot was granted to the reserve");
    drop(reserve);
    assert_eq!(poll(send), Poll::Ready(Ok(())));
    assert_eq!(rx.try_recv(), Ok(2));
}

#[test]
fn a_receiver_takes_from_a_sender_that_waits_while_permits_hold_every_slot() {
    let (tx, rx) = bounded(1);
    let Poll::Ready(Ok(permit)) = poll(pin!(tx.reserve())) else { panic!("there was room") };
    let mut next = pin!(tx.reserve());
    let mut send = pin!(tx.send(2));
    assert!(poll(next.as_mut()).is_pending() && poll(send.as_mut()).is_pending());
    assert_eq!(poll(pin!(rx.recv())), Poll::Ready(Ok(2)), "neither must wait for the permit");
    assert_eq!(poll(send), Poll::Ready(Ok(())));
    let mut recv = pin!(rx.recv());
    assert!(poll(recv.as_mut()).is_pending());
    permit.send(3).unwrap();
    assert_eq!(poll(recv), Poll::Ready(Ok(3)));
    assert!(matches!(poll(next), Poll::Ready(Ok(_))), "its slot is free again");
}

#[test]
fn a_receiver_does_not_search_through_all_who_wait_for_a_slot() {
    let time = |n: usize| {
        let (tx, rx) = bounded(1);
        let Poll::Ready(Ok(mut permit)) = poll(pin!(tx.reserve())) else { panic!("a slot is free") };
        let mut reserves: Vec<_> = (0..n).map(|_| Box::pin(tx.reserve())).collect();
        for reserve in &mut reserves {
            assert!(poll(reserve.as_mut()).is_pending());
        }
        let start = std::time::Instant::now();
        for (i, reserve) in reserves.iter_mut().enumerate() {
            let mut recv = pin!(rx.recv());
            assert!(poll(recv.as_mut()).is_pending());
            permit.send(i).unwrap();
            assert_eq!(poll(recv), Poll::Ready(Ok(i)));
            let Poll::Ready(Ok(next)) = poll(reserve.as_mut()) else { panic!("the slot is the next one's") };
            permit = next;
        }
        start.elapsed()
    };
    let (small, large) = (time(1_000), time(20_000));
    assert!(large < small * 80 + Duration::from_millis(100), "{small:?} for 1,000 but {large:?} for 20,000");
}

#[test]
fn recv_many_takes_what_is_there() {
    let (tx, rx) = bounded(10);
    (0..5).for_each(|i| tx.try_send(i).unwrap());
    let mut got = Vec::new();
    assert_eq!(poll(pin!(rx.recv_many(&mut got, 3))), Poll::Ready(3));
    assert_eq!(poll(pin!(rx.recv_many(&mut got, 0))), Poll::Ready(0));
    assert_eq!(poll(pin!(rx.recv_many(&mut got, 9))), Poll::Ready(2));
    assert!(poll(pin!(rx.recv_many(&mut got, 9))).is_pending());
    drop(tx);
    assert_eq!(poll(pin!(rx.recv_many(&mut got, 9))), Poll::Ready(0));
    assert_eq!(got, [0, 1, 2, 3, 4]);
}

#[test]
fn huge_capacities_allocate_lazily_and_channels_of_channels_work() {
    let (tx, rx) = bounded(usize::MAX / 2);
    let (inner_tx, inner_rx) = bounded::<u8>(1);
    tx.try_send(inner_rx).unwrap();
    inner_tx.try_send(1).unwrap();
    assert_eq!(rx.try_recv().unwrap().try_recv(), Ok(1));
}

#[test]
fn a_forgotten_wait_wedges_nobody_else() {
    let (tx, rx) = bounded(1);
    let mut forgotten = Box::pin(rx.recv());
    assert!(poll(forgotten.as_mut()).is_pending());
    std::mem::forget(forgotten);
    tx.try_send(1).unwrap();
    let mut next = pin!(rx.recv());
    assert!(poll(next.as_mut()).is_pending(), "the first value was handed to the forgotten one");
    tx.try_send(2).unwrap();
    assert_eq!(poll(next), Poll::Ready(Ok(2)));
    tx.try_send(3).unwrap();
    let mut forgotten = Box::pin(tx.send(4));
    assert!(poll(forgotten.as_mut()).is_pending());
    std::mem::forget(forgotten);
    assert_eq!((rx.try_recv(), rx.try_recv()), (Ok(3), Ok(4)));
    tx.try_send(5).unwrap();
}

#[test]
fn a_forgotten_select_wedges_nobody_else() {
    let (tx, rx) = bounded::<u8>(0);
    let (_other_tx, other) = bounded::<u8>(0);
    let held = Arc::new((tx, rx));
    let inner = held.clone();
    let mut forgotten = Box::pin(async move {
        select! { v = inner.1.recv() => v, v = other.recv() => v }
    });
    assert!(poll(forgotten.as_mut()).is_pending());
    std::mem::forget(forgotten);
    let (tx, rx) = &*held;
    assert_eq!(tx.try_send(1), Ok(()));
    assert_eq!(tx.try_send(2), Err(TrySendError::Full(2)));
    let mut recv = pin!(rx.recv());
    assert!(poll(recv.as_mut()).is_pending());
    assert_eq!(tx.try_send(3), Ok(()));
    assert_eq!(poll(recv), Poll::Ready(Ok(3)));
}

#[test]
fn a_panicking_waker_hurts_nobody_else() {
    let bomb = bomb();
    let (tx, rx) = bounded::<u8>(0);
    let count = Arc::new(Count::default());
    let mut waits: Vec<_> = (0..100).map(|_| Box::pin(rx.recv())).collect();
    for (i, wait) in waits.iter_mut().enumerate() {
        let polled = match i % 3 {
            0 => wait.as_mut().poll(&mut Context::from_waker(&bomb)),
            _ => poll_with(wait.as_mut(), &count),
        };
        assert!(polled.is_pending());
    }
    assert!(panics(|| tx.try_send(1)));
    assert_eq!(poll(waits[0].as_mut()), Poll::Ready(Ok(1)), "the value was handed over all the same");
    assert!(panics(|| tx.close()));
    assert_eq!(count.get(), 66, "everybody else was woken");
    for wait in &mut waits[1..] {
        assert_eq!(poll(wait.as_mut()), Poll::Ready(Err(RecvError)));
    }
}

#[test]
fn a_receiver_whose_drop_meets_a_panicking_waker_is_gone_all_the_same() {
    let (tx, mut rx) = bounded(0);
    let other = rx.clone();
    assert!(Pin::new(&mut rx).poll_next(&mut Context::from_waker(Waker::noop())).is_pending());
    let mut recv = Box::pin(other.recv());
    assert!(recv.as_mut().poll(&mut Context::from_waker(&bomb())).is_pending());
    tx.try_send(1).unwrap();
    assert!(panics(|| drop(rx)), "the value goes on to the next, who is woken");
    assert_eq!(poll(recv.as_mut()), Poll::Ready(Ok(1)));
    drop(recv);
    assert_eq!(tx.receiver_count(), 1);
    drop(other);
    assert!(tx.is_closed());
}

#[test]
fn a_slot_is_not_lost_with_a_waker_that_panics_as_it_is_dropped() {
    let (tx, _rx) = bounded::<u8>(1);
    let mut reserve = Box::pin(tx.reserve());
    assert!(panics(|| reserve.as_mut().poll(&mut Context::from_waker(&touchy())).is_ready()));
    drop(reserve);
    assert!(!tx.is_full(), "nobody has been told of a slot");
    assert_eq!(tx.try_send(1), Ok(()));
}

#[test]
fn a_panic_whose_payload_panics_as_it_is_dropped_keeps_nobody_asleep() {
    struct Payload;
    impl Drop for Payload {
        fn drop(&mut self) {
            panic!("the payload's own fault");
        }
    }
    struct Thrower;
    impl Wake for Thrower {
        fn wake(self: Arc<Self>) {
            std::panic::panic_any(Payload);
        }
    }
    let (tx, rx) = bounded::<u8>(0);
    let (bomb, thrower) = (bomb(), Waker::from(Arc::new(Thrower)));
    let count = Arc::new(Count::default());
    // So many that the close lets go of the lock in between: the second turn is taken in the unwinding.
    let mut waits: Vec<_> = (0..99).map(|_| Box::pin(rx.recv())).collect();
    for (i, wait) in waits.iter_mut().enumerate() {
        let polled = match i % 3 {
            0 => wait.as_mut().poll(&mut Context::from_waker(&bomb)),
            1 => wait.as_mut().poll(&mut Context::from_waker(&thrower)),
            _ => poll_with(wait.as_mut(), &count),
        };
        assert!(polled.is_pending());
    }
    assert!(panics(|| tx.close()));
    assert_eq!(count.get(), 33);
}

#[test]
fn a_waker_that_panics_while_another_panic_unwinds_ends_no_process() {
    let (tx, rx) = bounded::<u8>(0);
    let mut waits: Vec<_> = (0..2).map(|_| Box::pin(rx.recv())).collect();
    for many in [1, 2] {
        for wait in &mut waits[..many] {
            assert!(wait.as_mut().poll(&mut Context::from_waker(&bomb())).is_pending());
        }
        let tx = tx.clone();
        assert!(panics(move || {
            let _sends_as_it_unwinds = OnDrop(|| while tx.try_send(1).is_ok() {});
            panic!("the first");
        }));
        for wait in &mut waits[..many] {
            assert_eq!(poll(wait.as_mut()), Poll::Ready(Ok(1)));
            wait.set(rx.recv());
        }
    }
    assert!(waits.iter_mut().all(|wait| wait.as_mut().poll(&mut Context::from_waker(&bomb())).is_pending()));
    assert!(panics(move || {
        let _closes_as_it_unwinds = tx;
        panic!("the first");
    }));
    assert!(waits.iter_mut().all(|wait| poll(wait.as_mut()) == Poll::Ready(Err(RecvError))));
}

/// Runs it as it is dropped.
struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

#[test]
fn a_senders_panicking_waker_costs_the_receiver_that_value_and_no_other() {
    let bomb = bomb();
    let (tx, rx) = bounded(0);
    let (value, count) = (Arc::new(()), Arc::new(Count::default()));
    let mut first = pin!(tx.send(value.clone()));
    assert!(first.as_mut().poll(&mut Context::from_waker(&bomb)).is_pending());
    let mut second = pin!(tx.send(value.clone()));
    assert!(poll_with(second.as_mut(), &count).is_pending());
    assert!(panics(|| rx.try_recv()));
    assert_eq!(poll(first), Poll::Ready(Ok(())), "it was taken");
    assert_eq!(Arc::strong_count(&value), 2, "and dropped, once");
    assert!(rx.try_recv().is_ok());
    assert_eq!((poll(second), count.get()), (Poll::Ready(Ok(())), 1));
}

/// Receives once, when woken.
struct Taker(Receiver<u32>, AtomicUsize);

impl Wake for Taker {
    fn wake(self: Arc<Self>) {
        if self.1.fetch_add(1, Ordering::SeqCst) == 0 {
            let _ = self.0.try_recv();
        }
    }
}

#[test]
fn a_close_lets_no_blocked_sender_in_while_it_goes_through_them() {
    for cap in [0, 1] {
        let (tx, rx) = bounded(cap);
        for value in 0..cap as u32 {
            tx.try_send(value).unwrap();
        }
        // So many that the close lets go of the lock in between, and wakes this one there.
        let taker = Waker::from(Arc::new(Taker(rx.clone(), AtomicUsize::new(0))));
        let mut sends: Vec<_> = (0..200).map(|i| Box::pin(tx.send(1000 + i))).collect();
        for send in &mut sends {
            assert!(send.as_mut().poll(&mut Context::from_waker(&taker)).is_pending());
        }
        assert!(tx.close());
        for (i, send) in sends.iter_mut().enumerate() {
            assert_eq!(poll(send.as_mut()), Poll::Ready(Err(SendError(1000 + i as u32))), "capacity {cap}");
        }
        assert_eq!(rx.try_recv(), Err(TryRecvError::Closed));
    }
}

#[test]
fn who_waits_for_the_close_is_told_when_no_receiver_is_left() {
    let (tx, rx) = bounded(1);
    let (count, other) = (Arc::new(Count::default()), rx.clone());
    let mut closed = pin!(tx.closed());
    let mut twin = Box::pin(tx.closed());
    assert!(poll_with(closed.as_mut(), &count).is_pending() && poll_with(twin.as_mut(), &count).is_pending());
    tx.try_send(1).unwrap();
    assert_eq!(rx.try_recv(), Ok(1));
    drop(rx);
    assert_eq!(count.get(), 0, "one is left");
    drop(other);
    assert_eq!(count.get(), 2);
    assert!(poll(closed.as_mut()).is_ready() && poll(twin.as_mut()).is_ready());
    drop(twin);
    assert!(poll(pin!(tx.closed())).is_ready(), "it stays closed");
}

#[test]
fn who_waits_for_the_close_is_told_when_somebody_closes() {
    for by_sender in [false, true] {
        let (tx, rx) = unbounded();
        tx.try_send(1).unwrap();
        let count = Arc::new(Count::default());
        let mut closed = pin!(tx.closed());
        assert!(poll_with(closed.as_mut(), &count).is_pending());
        assert!(if by_sender { tx.close() } else { rx.close() });
        assert_eq!((count.get(), poll(closed)), (1, Poll::Ready(())));
        assert_eq!(rx.try_recv(), Ok(1), "what was sent is still there");
    }
}

#[test]
fn a_wait_for_the_close_that_is_dropped_or_moved_leaves_no_waker_behind() {
    let (tx, rx) = bounded::<u8>(1);
    let counts = [(); 3].map(|()| Arc::new(Count::default()));
    let mut futures = counts.each_ref().map(|count| {
        let mut closed = Box::pin(tx.closed());
        assert!(poll_with(closed.as_mut(), count).is_pending());
        Some(closed)
    });
    futures[1] = None;
    assert_eq!(Arc::strong_count(&counts[1]), 1, "its waker is gone");
    let moved = Arc::new(Count::default());
    assert!(poll_with(futures[0].as_mut().unwrap().as_mut(), &moved).is_pending());
    assert_eq!(Arc::strong_count(&counts[0]), 1, "it has another waker now");
    drop(rx);
    assert_eq!((moved.get(), counts.each_ref().map(|count| count.get())), (1, [0, 0, 1]));
    drop(futures);
    assert!(counts.iter().chain([&moved]).all(|count| Arc::strong_count(count) == 1));
}

#[test]
fn a_waker_that_panics_at_the_close_keeps_nobody_else_asleep() {
    let (tx, rx) = bounded::<u8>(0);
    let count = Arc::new(Count::default());
    let (mut touched, mut closed, mut send) = (pin!(tx.closed()), pin!(tx.closed()), pin!(tx.send(1)));
    assert!(touched.as_mut().poll(&mut Context::from_waker(&bomb())).is_pending());
    assert!(poll_with(closed.as_mut(), &count).is_pending() && poll_with(send.as_mut(), &count).is_pending());
    assert!(panics(|| drop(rx)));
    assert_eq!((count.get(), tx.is_closed()), (2, true));
    assert!(poll(closed).is_ready() && poll(touched).is_ready());
    assert_eq!(poll(send), Poll::Ready(Err(SendError(1))));
}

#[test]
fn a_permit_dropped_while_the_last_receiver_goes_lets_no_sender_in() {
    // For ever: what is called when the last receiver goes may borrow nothing.
    static SENDER: OnceLock<Sender<u8>> = OnceLock::new();
    let (tx, rx) = bounded(2);
    let tx = SENDER.get_or_init(|| tx);
    assert_eq!(tx.try_send(1), Ok(()));
    let Poll::Ready(Ok(permit)) = poll(pin!(tx.reserve())) else { panic!("a slot is free") };
    let mut send = pin!(tx.send(2));
    assert!(poll(send.as_mut()).is_pending());
    tx.on_orphaned(move || drop(permit));
    drop(rx);
    assert_eq!(poll(send), Poll::Ready(Err(SendError(2))), "nobody is left to receive it");
    assert_eq!(tx.len(), 0);
}

/// Counts drops; panics in the drop of one that is armed.
struct Fragile(Arc<AtomicUsize>, bool);

impl Drop for Fragile {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
        if self.1 && !std::thread::panicking() {
            panic!("the value's own fault");
        }
    }
}

#[test]
fn a_panicking_drop_hurts_nobody_else_and_every_value_is_dropped_once() {
    let drops = Arc::new(AtomicUsize::new(0));
    let (tx, rx) = bounded(4);
    for i in 0..4 {
        assert!(tx.try_send(Fragile(drops.clone(), i == 1)).is_ok());
    }
    let count = Arc::new(Count::default());
    let mut blocked = Box::pin(tx.send(Fragile(drops.clone(), false)));
    assert!(poll_with(blocked.as_mut(), &count).is_pending());
    assert!(panics(|| drop(rx)));
    assert_eq!(drops.load(Ordering::SeqCst), 4);
    assert_eq!(count.get(), 1, "the blocked sender was woken");
    drop(poll(blocked.as_mut()));
    drop(blocked);
    assert_eq!(drops.load(Ordering::SeqCst), 5);
    assert!(tx.is_closed());
}

#[test]
fn the_last_receiver_frees_blocked_senders_before_it_drops_what_is_buffered() {
    /// Were it to wait for the sender in its drop, as one that joins its thread does, it would do so for ever.
    struct Waits(Arc<Count>, Arc<AtomicUsize>);
    impl Drop for Waits {
        fn drop(&mut self) {
            self.1.fetch_max(self.0.get(), Ordering::SeqCst);
        }
    }
    let (count, seen) = (Arc::new(Count::default()), Arc::new(AtomicUsize::new(0)));
    let (tx, rx) = bounded(1);
    assert!(tx.try_send(Waits(count.clone(), seen.clone())).is_ok());
    let mut blocked = pin!(tx.send(Waits(Arc::default(), seen.clone())));
    assert!(poll_with(blocked.as_mut(), &count).is_pending());
    drop(rx);
    assert_eq!(seen.load(Ordering::SeqCst), 1, "the sender was woken by then");
}

#[test]
fn a_value_may_use_its_channel_while_it_is_dropped() {
    struct Curious(Sender<Curious>);
    impl Drop for Curious {
        fn drop(&mut self) {
            let _ = (self.0.len(), self.0.is_closed(), self.0.close());
        }
    }
    within(10, || {
        let (tx, rx) = unbounded();
        for _ in 0..3 {
            let _ = tx.try_send(Curious(tx.clone()));
        }
        drop(rx);
        assert!(tx.is_closed());
    });
}

#[test]
fn blocking_twins_time_out_and_give_values_back() {
    within(20, || {
        let (tx, rx) = bounded(0);
        let limit = Duration::from_millis(5);
        assert_eq!(rx.recv_timeout_blocking(limit), Err(RecvTimeoutError::Timeout));
        assert_eq!(tx.send_timeout_blocking(1, limit), Err(SendTimeoutError::Timeout(1)));
        let (tx2, rx2) = (tx.clone(), rx.clone());
        let far = std::thread::spawn(move || (rx2.recv_blocking(), rx2.recv_timeout_blocking(Duration::MAX)));
        assert_eq!(tx2.send_blocking(2), Ok(()));
        assert_eq!(tx2.send_timeout_blocking(3, Duration::MAX), Ok(()));
        assert_eq!(far.join().unwrap(), (Ok(2), Ok(3)));
        tx.close();
        assert_eq!(rx.recv_timeout_blocking(limit), Err(RecvTimeoutError::Closed));
        assert_eq!(tx.send_timeout_blocking(4, limit), Err(SendTimeoutError::Closed(4)));
        assert_eq!((rx.recv_blocking(), tx.send_blocking(5)), (Err(RecvError), Err(SendError(5))));
    });
}

#[test]
fn a_wait_polled_with_another_waker_wakes_that_one() {
    let (tx, rx) = bounded(0);
    let (a, b) = (Arc::new(Count::default()), Arc::new(Count::default()));
    let mut recv = pin!(rx.recv());
    assert!(poll_with(recv.as_mut(), &a).is_pending());
    assert!(poll_with(recv.as_mut(), &b).is_pending());
    tx.try_send(1).unwrap();
    assert_eq!((a.get(), b.get()), (0, 1));
    let mut choice = pin!(async {
        select! { v = rx.recv() => v, _ = never::<()>().recv() => Err(RecvError) }
    });
    assert!(poll_with(choice.as_mut(), &a).is_pending());
    assert!(poll_with(choice.as_mut(), &b).is_pending());
    assert!(poll_with(recv, &a).is_ready());
    tx.try_send(2).unwrap();
    assert_eq!((a.get(), b.get()), (0, 2));
    assert_eq!(poll(choice), Poll::Ready(Ok(2)));
}

#[test]
fn closing_a_channel_with_a_million_blocked_receivers_is_linear() {
    let time = |n: usize| {
        let (tx, rx) = bounded::<u8>(0);
        let mut waits: Vec<_> = (0..n).map(|_| Box::pin(rx.recv())).collect();
        for wait in &mut waits {
            assert!(poll(wait.as_mut()).is_pending());
        }
        let start = std::time::Instant::now();
        tx.close();
        let took = start.elapsed();
        // Leaving from the front, the back and the middle is constant as well.
        waits.reverse();
        drop(waits.split_off(n / 2));
        drop(waits);
        took
    };
    let (small, large) = (time(50_000), time(1_000_000));
    assert!(
        large < small * 200 + Duration::from_millis(500),
        "{small:?} for 50,000 but {large:?} for 1,000,000"
    );
}

#[test]
fn the_most_that_was_buffered_counts_what_came_back_and_never_exceeds_the_capacity() {
    let (tx, rx) = bounded(1);
    let mut recv = Box::pin(rx.recv());
    assert!(poll(recv.as_mut()).is_pending());
    tx.try_send(1).unwrap();
    assert_eq!(tx.stats().high_water, 0, "it was handed over");
    let Poll::Ready(Ok(permit)) = poll(pin!(tx.reserve())) else { panic!("a slot is free") };
    drop(recv);
    assert_eq!((tx.stats().len, tx.stats().high_water), (1, 1));
    permit.send(2).unwrap();
    assert_eq!((tx.stats().len, tx.stats().high_water), (1, 1));
    assert_eq!((rx.try_recv(), rx.try_recv()), (Ok(1), Ok(2)));
}

#[test]
fn stats_count_and_named_channels_are_listed() {
    let (tx, rx) = bounded(4);
    tx.set_name("edges: stats");
    (0..3).for_each(|i| tx.try_send(i).unwrap());
    assert_eq!(rx.try_iter().count(), 3);
    tx.try_send(1).unwrap();
    let stats = tx.stats();
    assert_eq!((stats.sent, stats.received, stats.len, stats.high_water), (4, 3, 1, 3));
    assert!(pirn_channel::named_channels().contains(&rx.stats()));
    assert!(stats.to_string().starts_with("channel edges: stats: 1/4 buffered"));
    drop((tx, rx));
    assert!(!pirn_channel::named_channels()
        .iter()
        .any(|stats| stats.name.as_deref() == Some("edges: stats")));
}

#[test]
fn stats_tell_every_number_apart() {
    let (tx, rx) = bounded(4);
    let (tx2, rx2) = (tx.clone(), rx.clone());
    let tx3 = tx.clone();
    (0..3).for_each(|i| tx.try_send(i).unwrap());
    assert_eq!(rx.try_recv(), Ok(0));
    let stats = rx2.stats();
    assert_eq!((stats.senders, stats.receivers, stats.capacity, stats.closed), (3, 2, Some(4), false));
    assert_eq!(
        stats.to_string(),
        "channel (no name): 2/4 buffered, at most 3; 3 sent, 1 received; 3 senders, 2 receivers"
    );
    drop((tx2, tx3));
    tx.set_name("edges: first");
    tx.set_name("edges: second");
    let named = pirn_channel::named_channels();
    let names: Vec<_> = named.iter().filter_map(|stats| stats.name.as_deref()).collect();
    assert!(!names.contains(&"edges: first"));
    assert_eq!(names.iter().filter(|name| **name == "edges: second").count(), 1, "listed once");
    assert!(tx.close());
    assert_eq!(
        tx.stats().to_string(),
        "channel edges: second: 2/4 buffered, at most 3; 3 sent, 1 received; 1 senders, 2 receivers; closed"
    );
    let (tx, _rx) = unbounded::<u8>();
    assert_eq!(tx.stats().capacity, None);
    assert!(tx.stats().to_string().starts_with("channel (no name): 0 buffered"));
}

#[test]
fn errors_say_what_happened_and_give_the_value_back() {
    let closed = "the channel is closed; take the value back out of the error";
    let drained = "the channel is closed and drained; stop receiving";
    let said = [
        (SendError(1).to_string(), closed),
        (TrySendError::Closed(1).to_string(), closed),
        (TrySendError::Full(1).to_string(), "the channel is full; wait with `send`, or drop the value"),
        (SendTimeoutError::Closed(1).to_string(), closed),
        (SendTimeoutError::Timeout(1).to_string(), "no receiver took the value in time; it is in the error"),
        (RecvError.to_string(), drained),
        (TryRecvError::Closed.to_string(), drained),
        (TryRecvError::Empty.to_string(), "the channel is empty; wait with `recv`, or try later"),
        (RecvTimeoutError::Closed.to_string(), drained),
        (RecvTimeoutError::Timeout.to_string(), "no value came in time; try again, or give up"),
        // For values that cannot be shown, too.
        (format!("{:?}", SendError(|| ())), "SendError(..)"),
        (format!("{:?} {:?}", TrySendError::Full(|| ()), TrySendError::Closed(())), "Full(..) Closed(..)"),
        (
            format!("{:?} {:?}", SendTimeoutError::Timeout(|| ()), SendTimeoutError::Closed(())),
            "Timeout(..) Closed(..)",
        ),
    ];
    for (said, expected) in said {
        assert_eq!(said, expected);
    }
    assert_eq!((SendError(1).into_inner(), TrySendError::Full(2).into_inner()), (1, 2));
    assert_eq!(TrySendError::Closed(3).into_inner(), 3);
    assert_eq!((SendTimeoutError::Timeout(4).into_inner(), SendTimeoutError::Closed(5).into_inner()), (4, 5));
    let (full, gone) = (TrySendError::Full(()), TrySendError::Closed(()));
    assert_eq!(
        (full.is_full(), full.is_closed(), gone.is_full(), gone.is_closed()),
        (true, false, false, true)
    );
    assert_eq!(TrySendError::from(SendError(6)), TrySendError::Closed(6));
    assert_eq!(TryRecvError::from(RecvError), TryRecvError::Closed);
    assert_eq!(RecvTimeoutError::from(RecvError), RecvTimeoutError::Closed);
}

#[test]
fn every_other_receive_ends_a_pending_stream_poll_and_gets_its_value() {
    let (tx, mut rx) = bounded(0);
    let mut cx = Context::from_waker(Waker::noop());
    for way in 0..5 {
        assert!(Pin::new(&mut rx).poll_next(&mut cx).is_pending());
        assert_eq!(tx.try_send(way), Ok(()));
        let mut many = Vec::new();
        let got = match way {
            0 => poll(pin!(rx.recv())),
            1 => Poll::Ready(rx.recv_blocking()),
            2 => {
                assert_eq!(poll(pin!(rx.recv_many(&mut many, 9))), Poll::Ready(1));
                Poll::Ready(many.pop().ok_or(RecvError))
            }
            3 => poll(pin!(async {
                select! { v = rx.recv() => v, default => Err(RecvError) }
            })),
            _ => Poll::Ready(rx.recv_timeout_blocking(Duration::MAX).map_err(|_| RecvError)),
        };
        assert_eq!(got, Poll::Ready(Ok(way)));
    }
}

#[test]
fn handles_say_what_they_belong_to_and_how_it_stands() {
    let (tx, rx) = bounded(2);
    let (other_tx, other_rx) = bounded(2);
    assert!(tx.same_channel(&tx.clone()) && rx.same_channel(&rx.clone()));
    assert!(!tx.same_channel(&other_tx) && !rx.same_channel(&other_rx));
    tx.try_send(1).unwrap();
    assert_eq!(format!("{tx:?}"), "Sender { len: 1, capacity: Some(2), closed: false }");
    other_rx.close();
    assert_eq!(format!("{other_rx:?}"), "Receiver { len: 0, capacity: Some(2), closed: true }");
    let shows = |future: &dyn std::fmt::Debug, waiting| format!("{future:?}").contains(waiting);
    tx.try_send(2).unwrap();
    let mut send = pin!(tx.send(3));
    assert!(shows(&send, "waiting: false"));
    assert!(poll(send.as_mut()).is_pending());
    assert!(shows(&send, "waiting: true"));
    let (_tx, rx) = bounded::<u8>(0);
    let mut recv = pin!(rx.recv());
    assert!(shows(&recv, "waiting: false"));
    assert!(poll(recv.as_mut()).is_pending());
    assert!(shows(&recv, "waiting: true"));
}

#[test]
#[should_panic(expected = "an unbuffered channel has no slot to reserve")]
fn an_unbuffered_channel_has_no_slot_to_reserve() {
    let (tx, _rx) = bounded::<u8>(0);
    drop(tx.reserve());
}

#[test]
#[should_panic(expected = "an unbuffered channel has no slot to reserve")]
fn an_unbuffered_channel_has_no_slot_to_own() {
    let (tx, _rx) = bounded::<u8>(0);
    drop(tx.reserve_owned());
}
