//! *Channels*: the ends, their getters, and what happens at the edges.

use std::marker::PhantomPinned;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use pirn::channel::{
    self, OwnedPermit, Permit, Receiver, Recv, RecvError, RecvTimeoutError, Send, SendError,
    SendTimeoutError, Sender, TryRecvError, TrySendError, WeakReceiver, WeakSender, bounded, broadcast,
    never, oneshot, unbounded, watch,
};
use pirn::go;
use pirn::io::{Stream, StreamExt};

use crate::{error, poll, send, send_sync, unpin};

/// No shorter time can be given; nobody comes meanwhile.
const MOMENT: Duration = Duration::from_nanos(1);

#[test]
fn the_types_are_as_free_as_they_can_be() {
    // What a channel carries needs to be `Send`, no more.
    type Content = std::cell::Cell<u8>;
    send_sync::<Sender<Content>>();
    send_sync::<Receiver<Content>>();
    send_sync::<WeakSender<Content>>();
    send_sync::<WeakReceiver<Content>>();
    send_sync::<Send<'static, u8>>();
    send_sync::<Recv<'static, u8>>();
    send::<Send<'static, Content>>();
    send::<Recv<'static, Content>>();
    send_sync::<channel::RecvMany<'static, u8>>();
    send_sync::<channel::Reserve<'static, u8>>();
    send_sync::<Permit<'static, u8>>();
    send_sync::<OwnedPermit<u8>>();
    send_sync::<channel::IntoIter<u8>>();
    send_sync::<oneshot::Closed<'static, u8>>();
    send_sync::<broadcast::Recv<'static, u8>>();
    send_sync::<watch::Changed<'static, u8>>();
    unpin::<Receiver<PhantomPinned>>();
    unpin::<Sender<PhantomPinned>>();
    send_sync::<oneshot::Sender<Content>>();
    send_sync::<oneshot::Receiver<Content>>();
    unpin::<oneshot::Receiver<PhantomPinned>>();
    send_sync::<broadcast::Sender<u8>>();
    send_sync::<broadcast::Receiver<u8>>();
    send_sync::<watch::Sender<u8>>();
    send_sync::<watch::Receiver<u8>>();
}

#[test]
fn the_errors_are_errors_whatever_they_carry() {
    struct Plain;
    error::<SendError<Plain>>();
    error::<TrySendError<Plain>>();
    error::<SendTimeoutError<Plain>>();
    error::<RecvError>();
    error::<TryRecvError>();
    error::<RecvTimeoutError>();
    error::<broadcast::RecvError>();
    let SendError(value) = SendError(7);
    assert_eq!(value, 7);
    assert!(!SendError(Plain).to_string().is_empty());
}

#[pirn::test(procs = 2, timeout = "10s")]
async fn send_and_recv_are_named_futures() {
    let (tx, rx): (Sender<u64>, Receiver<u64>) = bounded::<u64>(1);
    let sending: Send<'_, u64> = tx.send(7);
    let sent: Result<(), SendError<u64>> = sending.await;
    assert_eq!(sent, Ok(()));
    let receiving: Recv<'_, u64> = rx.recv();
    let received: Result<u64, RecvError> = receiving.await;
    assert_eq!(received, Ok(7));
}

#[test]
fn a_bounded_channel_tells_its_state() {
    let (tx, rx) = bounded::<u8>(2);
    assert_eq!((tx.capacity(), rx.capacity()), (Some(2), Some(2)));
    assert!(tx.is_empty() && rx.is_empty() && !tx.is_full() && !rx.is_full());
    tx.try_send(1).unwrap();
    tx.try_send(2).unwrap();
    assert_eq!((tx.len(), rx.len()), (2, 2));
    assert!(tx.is_full() && rx.is_full());
    assert_eq!(tx.try_send(3), Err(TrySendError::Full(3)));
    let (other_tx, other_rx) = (tx.clone(), rx.clone());
    assert_eq!((tx.sender_count(), tx.receiver_count()), (2, 2));
    assert_eq!((rx.sender_count(), rx.receiver_count()), (2, 2));
    assert!(tx.same_channel(&other_tx) && rx.same_channel(&other_rx));
    assert!(!tx.same_channel(&bounded(2).0) && !rx.same_channel(&bounded(2).1));
    assert!(!tx.is_closed() && !rx.is_closed());
}

#[test]
fn an_unbounded_channel_has_no_capacity_and_never_fills() {
    let (tx, rx) = unbounded::<u32>();
    assert_eq!((tx.capacity(), rx.capacity()), (None, None));
    for n in 0..1000 {
        tx.try_send(n).unwrap();
    }
    assert!(tx.len() == 1000 && !tx.is_full());
    assert_eq!(rx.try_iter().sum::<u32>(), 499_500);
}

#[test]
fn an_unbuffered_channel_is_empty_and_full() {
    let (tx, rx) = bounded::<u8>(0);
    assert_eq!((tx.capacity(), tx.len(), rx.len()), (Some(0), 0, 0));
    assert!(tx.is_empty() && tx.is_full() && rx.is_empty() && rx.is_full());
    assert_eq!(tx.try_send(1), Err(TrySendError::Full(1)));
    assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
    let mut receiving = pin!(rx.recv());
    assert!(poll(&mut receiving).is_pending());
    let mut sending = pin!(tx.send(2));
    assert_eq!(poll(&mut sending), Poll::Ready(Ok(())), "a receiver has been claimed for it");
    assert_eq!(poll(&mut receiving), Poll::Ready(Ok(2)));
}

#[test]
fn never_is_never_ready_and_never_closed() {
    let rx: Receiver<u8> = never();
    assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
    assert!(!rx.close() && !rx.is_closed());
    assert!(poll(&mut pin!(rx.recv())).is_pending());
}

#[test]
fn closed_gives_the_value_back_and_lets_receivers_drain() {
    let (tx, rx) = bounded::<u8>(1);
    tx.try_send(1).unwrap();
    let mut blocked = pin!(tx.send(2));
    assert!(poll(&mut blocked).is_pending());
    assert!(rx.close(), "true for the call that closed it");
    assert!(!tx.close() && !rx.close());
    assert_eq!(poll(&mut blocked), Poll::Ready(Err(SendError(2))));
    assert_eq!(tx.try_send(3), Err(TrySendError::Closed(3)), "closed beats full");
    assert_eq!(tx.send_blocking(4), Err(SendError(4)));
    assert_eq!(tx.send_timeout_blocking(5, MOMENT), Err(SendTimeoutError::Closed(5)));
    assert_eq!(rx.recv_blocking(), Ok(1));
    assert_eq!(rx.recv_blocking(), Err(RecvError));
    assert_eq!(rx.try_recv(), Err(TryRecvError::Closed));
    assert_eq!(rx.recv_timeout_blocking(MOMENT), Err(RecvTimeoutError::Closed));
    assert!(tx.is_closed() && rx.is_closed());
}

#[test]
fn a_channel_closes_with_its_last_sender() {
    let (tx, rx) = bounded::<u8>(1);
    drop(tx.clone());
    assert!(!rx.is_closed());
    drop(tx);
    assert!(rx.is_closed());
}

#[test]
fn a_channel_closes_with_its_last_receiver_and_drops_what_is_buffered() {
    let (tx, rx) = bounded::<Arc<()>>(1);
    let value = Arc::new(());
    tx.try_send(Arc::clone(&value)).unwrap();
    drop(rx);
    assert!(tx.is_closed());
    assert_eq!(Arc::strong_count(&value), 1);
}

#[test]
fn the_blocking_twins_wait_no_longer_than_told() {
    let (tx, rx) = bounded::<u8>(1);
    assert_eq!(rx.recv_timeout_blocking(MOMENT), Err(RecvTimeoutError::Timeout));
    let sent: Result<(), SendError<u8>> = tx.send_blocking(1);
    assert_eq!(sent, Ok(()));
    let refused: Result<(), SendTimeoutError<u8>> = tx.send_timeout_blocking(2, MOMENT);
    assert_eq!(refused, Err(SendTimeoutError::Timeout(2)));
    assert_eq!(rx.recv_timeout_blocking(Duration::MAX), Ok(1));
    assert_eq!(tx.send_timeout_blocking(3, Duration::MAX), Ok(()));
    let received: Result<u8, RecvError> = rx.recv_blocking();
    assert_eq!(received, Ok(3));
}

#[pirn::test(procs = 2, timeout = "10s")]
async fn a_reserved_slot_is_a_permit_to_send() {
    let (tx, rx) = bounded::<u8>(1);
    let permit: Result<Permit<'_, u8>, SendError<()>> = tx.reserve().await;
    let permit = permit.unwrap();
    assert_eq!(tx.try_send(1), Err(TrySendError::Full(1)));
    permit.send(2).unwrap();
    assert_eq!(rx.recv().await, Ok(2));
    let permit: Result<OwnedPermit<u8>, SendError<()>> = tx.reserve_owned().await;
    let tx: Sender<u8> = permit.unwrap().send(3).unwrap();
    assert_eq!(rx.recv().await, Ok(3));
    let permit = tx.reserve_owned().await.unwrap();
    let tx: Sender<u8> = permit.release();
    drop(rx);
    let _: () = tx.closed().await;
}

#[test]
fn a_weak_sender_keeps_nothing_open() {
    let (tx, rx) = bounded::<u8>(1);
    let weak: WeakSender<u8> = tx.downgrade();
    let weak_rx: WeakReceiver<u8> = rx.downgrade();
    assert!(weak.upgrade().is_some_and(|strong: Sender<u8>| strong.same_channel(&tx)));
    assert!(weak_rx.upgrade().is_some_and(|strong: Receiver<u8>| strong.same_channel(&rx)));
    tx.close();
    assert!(weak.upgrade().unwrap().is_closed(), "a closed channel stays closed");
    drop(tx);
    assert!(weak.upgrade().is_none());
    drop(rx);
    assert!(weak_rx.upgrade().is_none());
}

#[test]
fn a_receiver_iterates() {
    let (tx, rx) = bounded::<u8>(4);
    (1..=3).for_each(|n| tx.try_send(n).unwrap());
    assert_eq!(rx.iter().next(), Some(1));
    assert_eq!(rx.try_iter().next(), Some(2));
    let other = rx.clone();
    drop(tx);
    for n in &rx {
        assert_eq!(n, 3);
    }
    assert_eq!(other.into_iter().collect::<Vec<u8>>(), []);
}

#[pirn::test(procs = 2, timeout = "10s")]
async fn recv_many_takes_what_is_there() {
    let (tx, rx) = bounded::<u8>(4);
    (1..=3).for_each(|n| tx.try_send(n).unwrap());
    let mut values = Vec::new();
    assert_eq!(rx.recv_many(&mut values, 2).await, 2);
    assert_eq!(rx.recv_many(&mut values, 8).await, 1);
    drop(tx);
    assert_eq!(rx.recv_many(&mut values, 8).await, 0);
    assert_eq!(values, [1, 2, 3]);
}

#[pirn::test(procs = 2, timeout = "10s")]
async fn a_receiver_is_a_stream() {
    fn stream<S: futures_core::Stream<Item = u8> + Unpin>(stream: S) -> S {
        stream
    }
    let (tx, rx) = bounded::<u8>(2);
    let mut rx = stream(rx);
    go!({
        for n in 1..=3 {
            tx.send(n).await.unwrap();
        }
    });
    let mut sum = 0;
    while let Some(n) = rx.next().await {
        sum += n;
    }
    assert_eq!(sum, 6);
}

#[test]
fn a_pending_stream_poll_waits_and_is_cancelled_without_loss() {
    let (tx, mut rx) = bounded::<u8>(0);
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(std::pin::Pin::new(&mut rx).poll_next(&mut cx).is_pending());
    assert_eq!(tx.try_send(1), Ok(()), "it counts as a waiting receiver");
    assert_eq!(rx.try_recv(), Ok(1), "another receive on that handle cancels it");
    assert!(std::pin::Pin::new(&mut rx).poll_next(&mut cx).is_pending());
    tx.try_send(2).unwrap();
    let other = rx.clone();
    drop(rx);
    assert_eq!(other.try_recv(), Ok(2));
}

#[test]
fn a_freed_slot_belongs_to_the_first_waiting_sender() {
    let (tx, rx) = bounded::<u8>(1);
    tx.try_send(1).unwrap();
    let mut sending = pin!(tx.send(2));
    assert!(poll(&mut sending).is_pending());
    assert_eq!(rx.try_recv(), Ok(1));
    assert_eq!(tx.try_send(3), Err(TrySendError::Full(3)));
    assert_eq!(poll(&mut sending), Poll::Ready(Ok(())));
    assert_eq!(rx.try_recv(), Ok(2));
}

#[test]
fn a_value_handed_to_a_waiter_is_out_of_reach_and_comes_back_first() {
    let (tx, rx) = bounded::<u8>(2);
    let (mut first, mut second) = (Box::pin(rx.recv()), Box::pin(rx.recv()));
    assert!(poll(&mut first).is_pending() && poll(&mut second).is_pending());
    tx.try_send(1).unwrap();
    tx.try_send(2).unwrap();
    assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
    tx.try_send(3).unwrap();
    tx.try_send(4).unwrap();
    drop(second);
    drop(first);
    assert!(tx.len() <= 2, "`len` never reports more than `cap`");
    tx.close();
    assert_eq!(rx.try_iter().collect::<Vec<u8>>(), [1, 2, 3, 4], "in the order in which they were sent");
}

#[test]
fn a_value_handed_to_a_dropped_receive_goes_to_the_next_waiter() {
    let (tx, rx) = bounded::<u8>(1);
    let (mut first, mut second) = (Box::pin(rx.recv()), Box::pin(rx.recv()));
    assert!(poll(&mut first).is_pending() && poll(&mut second).is_pending());
    tx.try_send(1).unwrap();
    drop(first);
    assert_eq!(poll(&mut second), Poll::Ready(Ok(1)));
}

#[test]
fn a_dropped_send_has_not_happened() {
    let (tx, rx) = bounded::<u8>(0);
    let mut sending = Box::pin(tx.send(1));
    assert!(poll(&mut sending).is_pending());
    drop(sending);
    assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
}

#[pirn::test(procs = 2, timeout = "10s")]
async fn a_oneshot_carries_one_value() {
    let (tx, rx): (oneshot::Sender<u8>, oneshot::Receiver<u8>) = oneshot::channel::<u8>();
    assert!(!tx.is_closed());
    let sent: Result<(), u8> = tx.send(1);
    assert_eq!(sent, Ok(()));
    let received: Result<u8, RecvError> = rx.await;
    assert_eq!(received, Ok(1));

    let (tx, rx) = oneshot::channel::<u8>();
    drop(tx);
    assert_eq!(rx.await, Err(RecvError));

    let (mut tx, rx) = oneshot::channel::<u8>();
    drop(rx);
    tx.closed().await;
    assert!(tx.is_closed());
    assert_eq!(tx.send(2), Err(2), "the value comes back");

    let (tx, mut rx) = oneshot::channel::<u8>();
    assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
    tx.send(3).unwrap();
    assert_eq!(rx.try_recv(), Ok(3));

    let (tx, rx) = oneshot::channel::<u8>();
    tx.send(4).unwrap();
    assert_eq!(rx.recv_blocking(), Ok(4));
}

#[pirn::test(procs = 2, timeout = "10s")]
async fn a_broadcast_keeps_exactly_the_last_values() {
    let (tx, mut rx): (broadcast::Sender<u8>, broadcast::Receiver<u8>) = broadcast::channel::<u8>(2);
    let mut late = tx.subscribe();
    for n in 1..=3 {
        let reached: Result<usize, SendError<u8>> = tx.send(n);
        assert_eq!(reached, Ok(2));
    }
    let received: Result<u8, broadcast::RecvError> = rx.recv().await;
    assert_eq!(received, Err(broadcast::RecvError::Lagged(1)));
    assert_eq!((rx.recv().await, rx.recv().await), (Ok(2), Ok(3)));
    drop(tx);
    assert_eq!(rx.recv().await, Err(broadcast::RecvError::Closed));
    assert_eq!(late.recv().await, Err(broadcast::RecvError::Lagged(1)));
}

#[test]
fn a_broadcast_without_receivers_gives_the_value_back() {
    let (tx, rx) = broadcast::channel::<u8>(1);
    drop(rx);
    assert_eq!(tx.send(1), Err(SendError(1)));
    let _ = tx.subscribe();
}

#[pirn::test(procs = 2, timeout = "10s")]
async fn a_watch_reports_the_last_value_before_its_end() {
    let (tx, mut rx): (watch::Sender<u8>, watch::Receiver<u8>) = watch::channel(0_u8);
    assert_eq!(*rx.borrow(), 0);
    let other = tx.subscribe();
    let sent: Result<(), SendError<u8>> = tx.send(1);
    assert_eq!(sent, Ok(()));
    let changed: Result<(), RecvError> = rx.changed().await;
    assert_eq!((changed, *rx.borrow(), *other.borrow()), (Ok(()), 1, 1));
    tx.send_modify(|n| *n += 1);
    drop(tx);
    assert_eq!(rx.changed().await, Ok(()), "the last unseen value comes before the end");
    assert_eq!(*rx.borrow(), 2);
    assert_eq!(rx.changed().await, Err(RecvError));
}

#[test]
fn the_modules_of_the_other_crates_are_these() {
    let _: fn(channel::Receiver<u8>) -> Receiver<u8> = |rx| rx;
    let (tx, _rx) = channel::bounded::<u8>(1);
    assert_eq!(tx.capacity(), Some(1));
    assert!(channel::never::<u8>().is_empty());
    assert!(channel::unbounded::<u8>().0.is_empty());
}
