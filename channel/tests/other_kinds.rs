//! The rules of oneshot, broadcast and watch.

mod common;

use std::future::Future;
use std::pin::{pin, Pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::thread;
use std::time::Duration;

use common::{panics, poll, poll_with, touchy, within, Count};
use pirn_channel::{broadcast, oneshot, select, watch, RecvError, SendError, TryRecvError};

#[test]
fn oneshot_hands_one_value_over() {
    let (tx, mut rx) = oneshot::channel();
    assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
    let count = Arc::new(Count::default());
    assert!(poll_with(Pin::new(&mut rx), &count).is_pending());
    assert_eq!(tx.send(5), Ok(()));
    assert_eq!(count.get(), 1);
    assert_eq!(poll(Pin::new(&mut rx)), Poll::Ready(Ok(5)));
    assert_eq!(rx.try_recv(), Err(TryRecvError::Closed));
}

#[test]
fn oneshot_sender_dropped_or_receiver_gone() {
    let (tx, rx) = oneshot::channel::<u8>();
    drop(tx);
    assert_eq!(rx.recv_blocking(), Err(RecvError));
    let (mut tx, rx) = oneshot::channel();
    assert!(!tx.is_closed());
    {
        let count = Arc::new(Count::default());
        let mut closed = pin!(tx.closed());
        assert!(poll_with(closed.as_mut(), &count).is_pending());
        drop(rx);
        assert_eq!(count.get(), 1);
        assert!(poll(closed).is_ready());
    }
    assert!(tx.is_closed());
    assert_eq!(tx.send(7), Err(7));
    let (tx, mut rx) = oneshot::channel();
    rx.close();
    assert_eq!(tx.send(1), Err(1));
    let value = Arc::new(());
    let (tx, rx) = oneshot::channel();
    tx.send(value.clone()).unwrap();
    drop(rx);
    assert_eq!(Arc::strong_count(&value), 1);
}

#[test]
fn oneshot_wakes_the_other_side_even_if_the_waker_of_this_one_panics_in_its_drop() {
    let (mut tx, mut rx) = oneshot::channel::<u8>();
    assert!(Pin::new(&mut rx).poll(&mut Context::from_waker(&touchy())).is_pending());
    let count = Arc::new(Count::default());
    let mut closed = pin!(tx.closed());
    assert!(poll_with(closed.as_mut(), &count).is_pending());
    assert!(panics(|| drop(rx)));
    assert_eq!(count.get(), 1);
    assert!(poll(closed).is_ready());
}

#[test]
fn oneshot_wakers_that_panic_end_no_process() {
    let poll_with_touchy = |future: Pin<&mut dyn Future<Output = ()>>| {
        assert!(future.poll(&mut Context::from_waker(&touchy())).is_pending());
    };
    for unwinds in [false, true] {
        let (mut tx, mut rx) = oneshot::channel::<u8>();
        poll_with_touchy(pin!(async { _ = (&mut rx).await }).as_mut());
        let mut closed = pin!(tx.closed());
        poll_with_touchy(closed.as_mut());
        assert!(panics(move || {
            let _closes = rx;
            assert!(!unwinds, "the first");
        }));
        assert!(poll(closed).is_ready());

        let (tx, mut rx) = oneshot::channel::<u8>();
        poll_with_touchy(pin!(async { _ = (&mut rx).await }).as_mut());
        assert!(panics(move || {
            let _closes = tx;
            assert!(!unwinds, "the first");
        }));
        assert_eq!(poll(Pin::new(&mut rx)), Poll::Ready(Err(RecvError)));
    }
}

#[test]
fn oneshot_in_a_select_loop_and_across_threads() {
    within(20, || {
        smol::block_on(async {
            let (tx, mut rx) = oneshot::channel();
            let mut turns = 0;
            let sender = thread::spawn(move || tx.send("reply"));
            let got = loop {
                select! {
                    v = &mut rx => break v,
                    _ = smol::future::yield_now() => turns += 1,
                }
            };
            assert_eq!(got, Ok("reply"));
            sender.join().unwrap().unwrap();
            assert!(turns < usize::MAX);
        });
    });
}

#[test]
fn broadcast_keeps_exactly_the_last_values() {
    let (tx, mut rx) = broadcast::channel(3);
    for i in 0..5 {
        assert_eq!(tx.send(i).unwrap(), 1);
    }
    let mut late = tx.subscribe();
    assert_eq!(rx.len(), 3);
    assert_eq!(rx.try_recv(), Err(broadcast::TryRecvError::Lagged(2)));
    let mut twin = rx.clone();
    assert_eq!((rx.try_recv(), rx.try_recv(), rx.try_recv()), (Ok(2), Ok(3), Ok(4)));
    assert_eq!(rx.try_recv(), Err(broadcast::TryRecvError::Empty));
    assert_eq!(twin.try_recv(), Ok(2));
    assert_eq!(late.try_recv(), Err(broadcast::TryRecvError::Empty));
    let count = Arc::new(Count::default());
    {
        let mut wait = pin!(late.recv());
        assert!(poll_with(wait.as_mut(), &count).is_pending());
        assert_eq!(tx.send(5).unwrap(), 3);
        assert_eq!(count.get(), 1);
        assert_eq!(poll(wait), Poll::Ready(Ok(5)));
    }
    drop(tx);
    assert_eq!(late.recv_blocking(), Err(broadcast::RecvError::Closed));
    assert_eq!(rx.try_recv(), Ok(5));
    assert_eq!(rx.try_recv(), Err(broadcast::TryRecvError::Closed));
}

#[test]
fn broadcast_without_receivers_gives_the_value_back_and_keeps_nothing() {
    let value = Arc::new(());
    let (tx, rx) = broadcast::channel(2);
    tx.send(value.clone()).unwrap();
    drop(rx);
    assert_eq!(Arc::strong_count(&value), 1);
    assert_eq!(tx.send(value.clone()), Err(SendError(value)));
    assert_eq!(tx.subscribe().try_recv(), Err(broadcast::TryRecvError::Empty));
}

#[test]
fn broadcast_clones_and_drops_values_outside_its_lock() {
    struct Curious(broadcast::Sender<Curious>);
    impl Clone for Curious {
        fn clone(&self) -> Self {
            assert!(self.0.receiver_count() > 0);
            Self(self.0.clone())
        }
    }
    impl Drop for Curious {
        fn drop(&mut self) {
            let _ = self.0.receiver_count();
        }
    }
    within(10, || {
        let (tx, mut a) = broadcast::channel(1);
        let mut b = tx.subscribe();
        for _ in 0..3 {
            assert!(tx.send(Curious(tx.clone())).is_ok());
        }
        assert!(a.try_recv().is_err());
        assert!(a.try_recv().is_ok());
        assert!(b.try_recv().is_err());
        assert!(b.try_recv().is_ok());
    });
}

#[test]
fn broadcast_reaches_everybody_across_threads() {
    within(30, || {
        let (tx, rx) = broadcast::channel(10_000);
        let readers: Vec<_> = (0..3)
            .map(|_| {
                let mut rx = rx.clone();
                thread::spawn(move || {
                    let mut sum = 0;
                    while let Ok(v) = rx.recv_blocking() {
                        sum += v;
                    }
                    sum
                })
            })
            .collect();
        drop(rx);
        (0..10_000_u64).for_each(|i| assert!(tx.send(i).is_ok()));
        drop(tx);
        readers.into_iter().for_each(|reader| assert_eq!(reader.join().unwrap(), 49_995_000));
    });
}

#[test]
fn watch_reports_the_latest_and_a_last_unseen_value_before_the_end() {
    let (tx, mut rx) = watch::channel(0);
    assert_eq!(*rx.borrow(), 0);
    assert!(poll(pin!(rx.changed())).is_pending());
    tx.send(1).unwrap();
    tx.send_modify(|v| *v += 1);
    assert!(rx.has_changed());
    assert_eq!(poll(pin!(rx.changed())), Poll::Ready(Ok(())));
    assert_eq!(*rx.borrow_and_update(), 2);
    assert!(poll(pin!(rx.changed())).is_pending(), "one report for both");
    let mut fresh = tx.subscribe();
    assert!(!fresh.has_changed());
    tx.send(3).unwrap();
    drop(tx);
    assert_eq!(fresh.changed_blocking(), Ok(()));
    assert_eq!(*fresh.borrow(), 3);
    assert_eq!(fresh.changed_blocking(), Err(RecvError));
    assert_eq!(poll(pin!(rx.changed())), Poll::Ready(Ok(())));
    assert_eq!(poll(pin!(rx.changed())), Poll::Ready(Err(RecvError)));
}

#[test]
fn watch_waits_for_a_value_that_is_wanted_whether_or_not_it_was_seen() {
    let (tx, mut rx) = watch::channel(5);
    assert!(!rx.has_changed());
    assert_eq!(poll(pin!(rx.wait_for(|n| *n == 5))).map(|found| *found.unwrap()), Poll::Ready(5));
    let count = Arc::new(Count::default());
    let mut asked = Vec::new();
    {
        let mut wait = pin!(rx.wait_for(|n| {
            asked.push(*n);
            *n > 7
        }));
        assert!(poll_with(wait.as_mut(), &count).is_pending());
        tx.send(6).unwrap();
        tx.send(7).unwrap();
        assert_eq!(count.get(), 1, "both wake it once");
        assert!(poll_with(wait.as_mut(), &count).is_pending());
        assert!(poll_with(wait.as_mut(), &count).is_pending(), "and it is not asked again without a change");
        tx.send(8).unwrap();
        assert_eq!(poll_with(wait.as_mut(), &count).map(|found| *found.unwrap()), Poll::Ready(8));
    }
    assert_eq!(asked, [5, 7, 8]);
    assert!(!rx.has_changed(), "what was found counts as seen");
    tx.send(9).unwrap();
    drop(tx);
    assert_eq!(*rx.wait_for_blocking(|n| *n == 9).unwrap(), 9);
    assert_eq!(rx.wait_for_blocking(|n| *n == 10).map(|found| *found), Err(RecvError));
}

#[test]
fn watch_has_not_seen_a_value_over_which_the_question_panicked() {
    let (tx, mut rx) = watch::channel(1);
    tx.send(2).unwrap();
    assert!(panics(|| poll(pin!(rx.wait_for(|_| panic!("asked"))))));
    assert!(rx.has_changed(), "nothing else has happened");
    tx.send(3).unwrap();
    assert_eq!(poll(pin!(rx.wait_for(|n| *n == 3))).map(|found| *found.unwrap()), Poll::Ready(3));
}

#[test]
fn watch_tells_of_a_change_only_if_there_was_one() {
    let (tx, rx) = watch::channel(1);
    assert!(!tx.send_if_modified(|n| *n > 1));
    assert!(!rx.has_changed());
    assert!(tx.send_if_modified(|n| {
        *n += 1;
        true
    }));
    assert!(rx.has_changed());
    assert_eq!(*rx.borrow(), 2);
}

#[test]
fn watch_without_receivers() {
    let (tx, rx) = watch::channel(1);
    drop(rx);
    assert!(tx.is_closed());
    assert_eq!(tx.send(2), Err(SendError(2)));
    assert_eq!(*tx.borrow(), 1);
    assert_eq!(tx.send_replace(4), 1);
    assert_eq!(*tx.subscribe().borrow(), 4);
}

#[test]
fn watch_wakes_everybody_and_a_dropped_wait_leaves_no_trace() {
    let (tx, rx) = watch::channel(0);
    let count = Arc::new(Count::default());
    let mut rxs: Vec<_> = (0..10).map(|_| rx.clone()).collect();
    let mut waits: Vec<_> = rxs.iter_mut().map(|rx| Box::pin(rx.changed())).collect();
    for wait in &mut waits {
        assert!(poll_with(wait.as_mut(), &count).is_pending());
    }
    drop(waits.remove(4));
    tx.send(1).unwrap();
    assert_eq!(count.get(), 9);
    assert!(waits.iter_mut().all(|wait| poll(wait.as_mut()).is_ready()));
}

#[test]
fn a_burst_of_waiters_makes_no_later_send_dear_although_somebody_goes_on_waiting() {
    // How long a thousand sends to one that waits take, once `burst` others have waited with it.
    let time = |burst: usize| {
        let (tx, mut rx) = broadcast::channel(1);
        let mut others: Vec<_> = (0..burst).map(|_| tx.subscribe()).collect();
        let mut waits: Vec<_> = others.iter_mut().map(|rx| Box::pin(rx.recv())).collect();
        waits.iter_mut().for_each(|wait| assert!(poll(wait.as_mut()).is_pending()));
        let mut next = pin!(rx.recv());
        assert!(poll(next.as_mut()).is_pending());
        drop(waits);
        drop(others);
        let start = std::time::Instant::now();
        for i in 0..1000 {
            assert_eq!(tx.send(i), Ok(1));
            let mut another = tx.subscribe();
            assert!(poll(pin!(another.recv())).is_pending());
        }
        start.elapsed()
    };
    let (small, large) = (time(10), time(300_000));
    assert!(
        large < small * 20 + Duration::from_millis(20),
        "{small:?} after ten, but {large:?} after 300,000"
    );
}

#[test]
fn oneshot_close_leaves_a_value_that_was_sent_before() {
    let (tx, mut rx) = oneshot::channel();
    tx.send(1).unwrap();
    rx.close();
    assert_eq!(rx.try_recv(), Ok(1));
}

#[test]
fn oneshot_wait_for_the_end_that_is_dropped_lets_its_waker_go() {
    let (mut tx, rx) = oneshot::channel::<u8>();
    let count = Arc::new(Count::default());
    assert!(poll_with(pin!(tx.closed()), &count).is_pending());
    assert_eq!(Arc::strong_count(&count), 1);
    drop(rx);
    assert_eq!(count.get(), 0, "nobody waits any more");
}

#[test]
fn oneshot_ends_show_how_they_stand() {
    let (tx, mut rx) = oneshot::channel::<u8>();
    assert_eq!(format!("{tx:?} {rx:?}"), "Sender { closed: false } Receiver { waiting: false, .. }");
    assert!(poll(Pin::new(&mut rx)).is_pending());
    assert_eq!(format!("{rx:?}"), "Receiver { waiting: true, .. }");
    rx.close();
    assert_eq!(format!("{tx:?}"), "Sender { closed: true }");
}

#[test]
fn the_last_sender_of_a_broadcast_or_a_watch_wakes_those_who_wait() {
    let count = Arc::new(Count::default());
    let (tx, mut rx) = broadcast::channel::<u8>(1);
    let tx2 = tx.clone();
    let mut recv = pin!(rx.recv());
    assert!(poll_with(recv.as_mut(), &count).is_pending());
    drop(tx);
    assert!(poll_with(recv.as_mut(), &count).is_pending(), "one sender is left");
    drop(tx2);
    assert_eq!(count.get(), 1);
    assert_eq!(poll(recv), Poll::Ready(Err(broadcast::RecvError::Closed)));

    let (tx, mut rx) = watch::channel(0);
    let tx2 = tx.clone();
    let mut changed = pin!(rx.changed());
    assert!(poll_with(changed.as_mut(), &count).is_pending());
    drop(tx);
    assert!(poll_with(changed.as_mut(), &count).is_pending(), "one sender is left");
    drop(tx2);
    assert_eq!(count.get(), 2);
    assert_eq!(poll(changed), Poll::Ready(Err(RecvError)));
}

#[test]
fn broadcast_counts_receivers_and_what_each_has_yet_to_see() {
    let (tx, rx) = broadcast::channel(2);
    let (twin, late) = (rx.clone(), tx.subscribe());
    assert_eq!(tx.receiver_count(), 3);
    assert!(rx.is_empty());
    tx.send(1).unwrap();
    assert_eq!((rx.len(), rx.is_empty()), (1, false));
    drop((twin, late));
    assert_eq!(tx.receiver_count(), 1);
}

#[test]
fn broadcast_resubscribed_receiver_sees_what_is_sent_from_then_on() {
    let (tx, mut rx) = broadcast::channel(1);
    tx.send(1).unwrap();
    tx.send(2).unwrap();
    let mut late = rx.resubscribe();
    assert_eq!((tx.receiver_count(), late.len(), rx.len()), (2, 0, 1));
    assert_eq!(late.try_recv(), Err(broadcast::TryRecvError::Empty), "it has missed nothing");
    assert_eq!(rx.try_recv(), Err(broadcast::TryRecvError::Lagged(1)), "this one goes on where it was");
    drop(rx);
    assert_eq!(tx.send(3), Ok(1));
    assert_eq!(late.try_recv(), Ok(3));
    drop(tx);
    let mut last = late.resubscribe();
    assert_eq!(last.try_recv(), Err(broadcast::TryRecvError::Closed));
}

#[test]
fn broadcast_dropped_wait_leaves_no_trace() {
    let (tx, mut rx) = broadcast::channel(1);
    let count = Arc::new(Count::default());
    assert!(poll_with(pin!(rx.recv()), &count).is_pending());
    assert_eq!(Arc::strong_count(&count), 1);
    tx.send(1).unwrap();
    assert_eq!((count.get(), rx.try_recv()), (0, Ok(1)));
}

#[test]
#[should_panic(expected = "a broadcast channel keeps at least one value")]
fn broadcast_without_capacity_panics() {
    let _ = broadcast::channel::<u8>(0);
}

#[test]
fn broadcast_errors_say_how_much_was_missed() {
    let lagged = "the receiver was too slow and missed 7 values; receive on, or use a larger capacity";
    let said = [
        (broadcast::RecvError::Lagged(7).to_string(), lagged),
        (broadcast::TryRecvError::Lagged(7).to_string(), lagged),
        (broadcast::RecvError::Closed.to_string(), "every sender is gone; stop receiving"),
        (broadcast::TryRecvError::Closed.to_string(), "every sender is gone; stop receiving"),
        (broadcast::TryRecvError::Empty.to_string(), "nothing new; wait with `recv`, or try later"),
    ];
    for (said, expected) in said {
        assert_eq!(said, expected);
    }
}

#[test]
fn watch_tells_each_receiver_what_that_one_has_not_seen() {
    let (tx, mut rx) = watch::channel(0);
    tx.send(1).unwrap();
    let behind = rx.clone();
    assert_eq!(*rx.borrow(), 1);
    assert!(rx.has_changed(), "a look that does not count");
    assert_eq!(*rx.borrow_and_update(), 1);
    assert!(!rx.has_changed() && poll(pin!(rx.changed())).is_pending(), "a look that does");
    assert!(behind.has_changed(), "a clone has seen what the other had then");
    assert!(!rx.clone().has_changed());
    assert_eq!(tx.receiver_count(), 2);
}

#[test]
fn watch_tells_nobody_of_a_change_that_panicked() {
    let (tx, mut rx) = watch::channel(0);
    let count = Arc::new(Count::default());
    let mut changed = pin!(rx.changed());
    assert!(poll_with(changed.as_mut(), &count).is_pending());
    assert!(panics(|| tx.send_modify(|_| panic!("half-way"))));
    assert_eq!(count.get(), 0);
    assert!(poll_with(changed.as_mut(), &count).is_pending());
    tx.send_modify(|value| *value += 1);
    assert_eq!((count.get(), poll(changed)), (1, Poll::Ready(Ok(()))));
}
