//! The rules of `select!` and `Select`, each by its name.

mod common;

use std::cell::{Cell, RefCell};
use std::future::{poll_fn, Future};
use std::mem::MaybeUninit;
use std::pin::{pin, Pin};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::Arc;
use std::task::{Context, Poll, RawWaker, RawWakerVTable, Waker};
use std::time::Duration;

use common::{bomb, panics, poll, within};
use pirn_channel::pull::pull_channel;
use pirn_channel::{
    bounded, never, select, Ready, Receiver, RecvError, Select, Selected, SendError, TryRecvError,
    TrySendError,
};

fn now<F: Future>(future: F) -> F::Output {
    match poll(pin!(future)) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it had to be ready"),
    }
}

/// χ² of `counts` against equal shares.
fn chi_square(counts: &[u32]) -> f64 {
    let expected = f64::from(counts.iter().sum::<u32>()) / counts.len() as f64;
    counts.iter().map(|&count| (f64::from(count) - expected).powi(2) / expected).sum()
}

#[test]
fn r14_several_ready_one_at_random_uniformly() {
    let chans: Vec<_> = (0..5).map(|_| bounded::<u32>(1)).collect();
    let mut counts = [0; 4];
    for _ in 0..20_000 {
        for (i, (tx, _)) in chans.iter().enumerate() {
            // The third is never ready: a rotation instead of a shuffle would favour its neighbour.
            if i != 2 {
                let _ = tx.try_send(i as u32);
            }
        }
        let which = now(async {
            select! {
                _ = chans[0].1.recv() => 0,
                _ = chans[1].1.recv() => 1,
                _ = chans[2].1.recv() => unreachable!(),
                _ = chans[3].1.recv() => 2,
                _ = chans[4].1.recv() => 3,
            }
        });
        counts[which] += 1;
    }
    assert!(chi_square(&counts) < 21.1, "p < 0.0001 for {counts:?}");
    let mut counts = [0; 2];
    for _ in 0..20_000 {
        let which = now(async {
            select! { _ = std::future::ready(()) => 0, _ = chans[2].0.send(1) => 1 }
        });
        counts[which] += 1;
        let _ = chans[2].1.try_recv();
    }
    assert!(chi_square(&counts) < 15.2, "p < 0.0001 for {counts:?}");
}

#[test]
fn r14_what_became_ready_while_it_slept_is_chosen_among_as_well() {
    // A timer's value waits to be pulled, so that it can be ready beside a plain future.
    async fn first(biased: bool, rx: &Receiver<u8>, ready: &Cell<bool>) -> usize {
        let plain = || poll_fn(|_| if ready.get() { Poll::Ready(()) } else { Poll::Pending });
        if biased {
            select! { biased; _ = rx.recv() => 0, _ = plain() => 1 }
        } else {
            select! { _ = plain() => 1, _ = rx.recv() => 0 }
        }
    }
    let (tx, rx) = pull_channel();
    let mut counts = [[0; 2]; 2];
    for round in 0..20_000 {
        let (biased, ready) = (round % 2 == 0, Cell::new(false));
        let mut choice = pin!(first(biased, &rx, &ready));
        assert!(poll(choice.as_mut()).is_pending());
        ready.set(true);
        assert!(tx.offer(1));
        let Poll::Ready(which) = poll(choice) else { panic!("both were ready") };
        counts[usize::from(biased)][which] += 1;
        tx.take_back();
    }
    let [random, biased] = counts;
    assert_eq!(biased, [10_000, 0]);
    assert!(chi_square(&random) < 15.2, "p < 0.0001 for {random:?}");
}

#[test]
fn r14_the_dynamic_select_is_uniform_too() {
    let chans: Vec<_> = (0..3).map(|_| bounded::<u32>(1)).collect();
    let mut counts = [0; 3];
    for _ in 0..9_000 {
        for (tx, _) in &chans {
            let _ = tx.try_send(0);
        }
        let mut list = Select::new();
        for (_, rx) in &chans {
            list.recv(rx);
        }
        let Some(Selected::Recv(which, Ok(_))) = list.try_ready() else { panic!("all were ready") };
        counts[which] += 1;
    }
    assert!(chi_square(&counts) < 18.5, "p < 0.0001 for {counts:?}");
}

#[test]
fn r15_default_makes_it_never_wait() {
    let (tx, rx) = bounded(1);
    let mut dropped = 0;
    for i in 0..10 {
        now(async {
            select! {
                _ = tx.send(i) => {}
                default => dropped += 1,
            }
        });
    }
    assert_eq!((dropped, rx.try_recv()), (9, Ok(0)));
}

#[test]
fn r15_default_looks_at_one_moment() {
    // At every instant one of the two channels holds a token, so `default` would be wrong.
    within(60, || {
        for _ in 0..10_000 {
            let (tx1, rx1) = bounded::<u32>(1);
            let (tx2, rx2) = bounded::<u32>(1);
            tx1.try_send(1).unwrap();
            let looker = {
                let (rx1, rx2) = (rx1.clone(), rx2.clone());
                std::thread::spawn(move || {
                    let mut got = 0;
                    for _ in 0..4 {
                        got = now(async {
                            select! { v = rx2.recv() => v.unwrap(), v = rx1.recv() => v.unwrap(), default => 0 }
                        });
                        if got != 1 {
                            break;
                        }
                    }
                    got
                })
            };
            // The token moves from the first to the second, and a copy exists in between.
            tx2.try_send(2).unwrap();
            let taken = rx1.try_recv();
            let got = looker.join().unwrap();
            assert!(got != 0 || taken.is_err(), "a default although a token was there at every moment");
        }
    });
}

#[test]
fn r15_default_is_taken_although_the_channels_never_stand_still() {
    within(20, || {
        let (tx1, rx1) = bounded::<u32>(1);
        let (_tx2, rx2) = bounded::<u32>(1);
        // A value comes and goes in every look, and is there in none.
        let restless = poll_fn(|_| {
            tx1.try_send(1).unwrap();
            assert_eq!(rx1.try_recv(), Ok(1));
            Poll::<()>::Pending
        });
        let got = now(async {
            select! { v = rx1.recv() => v.unwrap(), v = rx2.recv() => v.unwrap(), _ = restless => 2, default => 0 }
        });
        assert_eq!(got, 0);
        assert_eq!(tx1.try_send(3), Ok(()), "and nobody waits any more");
        assert_eq!(rx1.try_recv(), Ok(3));
    });
}

#[test]
fn r15_default_does_not_take_a_branch_that_gave_way_for_one_that_is_not_ready() {
    static PLEASE_YIELD: AtomicBool = AtomicBool::new(false);
    let (_tx, rx) = bounded::<u8>(0);
    // It is ready at every moment, but the executor asks for a yield just as it is looked at.
    let done = |gives_way: u32| {
        let mut polls = 0;
        poll_fn(move |cx| {
            polls += 1;
            PLEASE_YIELD.store(polls <= gives_way, Ordering::Relaxed);
            pirn_sync::host::poll_yield(cx)
        })
    };
    let (tx1, rx1) = bounded::<u32>(1);
    let restless = poll_fn(|_| {
        tx1.try_send(1).unwrap();
        assert_eq!(rx1.try_recv(), Ok(1));
        Poll::<()>::Pending
    });
    let before = pirn_sync::host::install(Some(&PLEASE_YIELD));
    // No channel, one, two, and two that do not stand still: the four ways to a default.
    let got = smol::block_on(async {
        [
            select! { _ = done(1) => "done", default => "default" },
            select! { _ = done(1) => "done", _ = rx.recv() => "", default => "default" },
            select! { _ = done(1) => "done", _ = rx.recv() => "", _ = rx.recv() => "", default => "default" },
            select! {
                _ = done(4) => "done",
                _ = restless => "",
                _ = rx.recv() => "",
                _ = rx1.recv() => "",
                default => "default",
            },
        ]
    });
    pirn_sync::host::install(before);
    assert_eq!(got, ["done"; 4]);
}

#[test]
fn r15_default_does_not_take_a_branch_that_gave_way_just_before_the_host_lost_its_patience() {
    static PLEASE_YIELD: AtomicBool = AtomicBool::new(true);
    let before = pirn_sync::host::install(Some(&PLEASE_YIELD));
    let mut cx = Context::from_waker(Waker::noop());
    assert!((0..62).all(|_| pirn_sync::host::poll_yield(&mut cx).is_pending()));
    PLEASE_YIELD.store(false, Ordering::Relaxed);
    let mut polls = 0;
    // It gives way for the 63rd time on this thread, and then the other branch is the one that does not.
    let done = poll_fn(|cx| {
        polls += 1;
        PLEASE_YIELD.store(polls == 1, Ordering::Relaxed);
        pirn_sync::host::poll_yield(cx)
    });
    let other = poll_fn(|cx| pirn_sync::host::poll_yield(cx).map(|()| false));
    let got = smol::block_on(async {
        select! { biased; _ = done => "done", true = other => "other", default => "default" }
    });
    pirn_sync::host::install(before);
    assert_eq!(got, "done");
}

#[test]
fn r16_cancellation_and_timeout_are_branches_like_others() {
    let (_tx, rx) = bounded::<u8>(0);
    let fired = AtomicBool::new(false);
    let done = poll_fn(|_| if fired.load(Ordering::Relaxed) { Poll::Ready(()) } else { Poll::Pending });
    let mut waiting = pin!(async {
        select! { v = rx.recv() => v.is_ok(), _ = done => false }
    });
    assert!(poll(waiting.as_mut()).is_pending());
    fired.store(true, Ordering::Relaxed);
    assert_eq!(poll(waiting), Poll::Ready(false));
}

#[test]
fn r17_the_same_channel_may_stand_in_several_branches() {
    let (tx, rx) = bounded::<u8>(0);
    let mut waiting = pin!(async {
        select! { v = rx.recv() => v, v = rx.recv() => v, r = tx.send(9) => { r.unwrap(); Err(RecvError) } }
    });
    assert!(poll(waiting.as_mut()).is_pending(), "a select never pairs with itself");
    assert_eq!(tx.try_send(4), Ok(()));
    assert_eq!(tx.try_send(5), Err(TrySendError::Full(5)), "one of its branches only");
    assert_eq!(poll(waiting), Poll::Ready(Ok(4)));
    assert_eq!(rx.try_recv(), Err(TryRecvError::Empty), "its send had no effect");
}

#[test]
fn r17_send_and_receive_on_the_same_buffered_channel() {
    let (tx, rx) = bounded::<u8>(1);
    let sent = now(async {
        select! { r = tx.send(1) => r.is_ok(), _ = rx.recv() => false }
    });
    assert!(sent);
    let got = now(async {
        select! { r = tx.send(2) => { r.unwrap(); Ok(0) } v = rx.recv() => v }
    });
    assert_eq!(got, Ok(1));
}

#[test]
fn r17_cases_decided_at_run_time() {
    let chans: Vec<_> = (0..100).map(|_| bounded(0)).collect();
    let full = bounded(1);
    full.0.try_send(0).unwrap();
    let mut list = Select::new();
    for (_, rx) in &chans {
        list.recv(rx);
    }
    let number = list.send(&full.0, 1);
    assert_eq!(number, 100);
    {
        let mut ready = pin!(list.ready());
        assert!(poll(ready.as_mut()).is_pending());
        assert_eq!(chans[42].0.try_send(7), Ok(()));
        assert_eq!(poll(ready), Poll::Ready(Selected::Recv(42, Ok(7))));
    }
    assert!(list.try_ready().is_none());
    assert_eq!(full.1.try_recv(), Ok(0));
    assert_eq!(list.try_ready(), Some(Selected::Send(100, Ok(()))));
    assert!(list.try_ready().is_none(), "a send happens once");
    assert_eq!(list.ready_timeout_blocking(Duration::from_millis(2)), None);
    drop(list);
    assert_eq!(full.1.try_recv(), Ok(1));
}

#[test]
fn a_receive_from_a_closed_channel_stays_and_is_ready_each_time() {
    let (tx, rx) = bounded::<u8>(1);
    tx.try_send(1).unwrap();
    let mut list = Select::new();
    list.recv(&rx);
    drop(tx);
    assert_eq!(list.try_ready(), Some(Selected::Recv(0, Ok(1))));
    for _ in 0..2 {
        assert_eq!(list.try_ready(), Some(Selected::Recv(0, Err(RecvError))));
        assert_eq!(list.ready_blocking(), Selected::Recv(0, Err(RecvError)));
    }
}

#[test]
fn try_ready_has_an_answer_also_while_the_executor_asks_for_a_yield() {
    static PLEASE_YIELD: AtomicBool = AtomicBool::new(true);
    let (tx, rx) = bounded(1);
    tx.try_send(1).unwrap();
    let mut list = Select::new();
    list.recv(&rx);
    let before = pirn_sync::host::install(Some(&PLEASE_YIELD));
    let selected = list.try_ready();
    pirn_sync::host::install(before);
    assert_eq!(selected, Some(Selected::Recv(0, Ok(1))));
}

#[test]
#[should_panic(expected = "a Select without cases")]
fn r17_an_empty_select_panics() {
    Select::<()>::new().try_ready();
}

#[test]
#[should_panic(expected = "no default")]
fn r17_an_empty_select_panics_when_awaited() {
    Select::<()>::new().ready_blocking();
}

#[test]
fn r18_exactly_one_case_happens() {
    let (tx1, rx1) = bounded::<u8>(1);
    let (tx2, rx2) = bounded::<u8>(1);
    for _ in 0..100 {
        let mut waiting = Box::pin(async {
            select! { v = rx1.recv() => v, v = rx2.recv() => v }
        });
        assert!(poll(waiting.as_mut()).is_pending());
        tx1.try_send(1).unwrap();
        tx2.try_send(2).unwrap();
        assert_eq!(poll(waiting.as_mut()), Poll::Ready(Ok(1)));
        assert_eq!((rx1.try_recv(), rx2.try_recv()), (Err(TryRecvError::Empty), Ok(2)));
    }
}

#[test]
fn a_losing_select_leaves_the_middle_of_its_queues() {
    let (tx, rx) = bounded::<u8>(0);
    let (other_tx, other_rx) = bounded::<u8>(0);
    let mut first = pin!(rx.recv());
    assert!(poll(first.as_mut()).is_pending());
    let mut choice = Box::pin(async {
        select! { v = rx.recv() => v, v = other_rx.recv() => v }
    });
    assert!(poll(choice.as_mut()).is_pending());
    let mut last = pin!(rx.recv());
    assert!(poll(last.as_mut()).is_pending());
    assert_eq!(other_tx.try_send(5), Ok(()));
    assert_eq!(poll(choice.as_mut()), Poll::Ready(Ok(5)));
    assert_eq!((tx.try_send(1), tx.try_send(2)), (Ok(()), Ok(())));
    assert_eq!(tx.try_send(3), Err(TrySendError::Full(3)));
    assert_eq!((poll(first), poll(last)), (Poll::Ready(Ok(1)), Poll::Ready(Ok(2))));
}

#[test]
fn a_select_keeps_its_place_in_the_queue() {
    let (tx, rx) = bounded::<u8>(0);
    let mut first = pin!(async {
        select! { v = rx.recv() => v, _ = std::future::pending::<()>() => Err(RecvError) }
    });
    assert!(poll(first.as_mut()).is_pending());
    let mut second = pin!(rx.recv());
    assert!(poll(second.as_mut()).is_pending());
    assert!(poll(first.as_mut()).is_pending(), "polled again, it must not go to the end");
    assert_eq!((tx.try_send(1), tx.try_send(2)), (Ok(()), Ok(())));
    assert_eq!((poll(first), poll(second)), (Poll::Ready(Ok(1)), Poll::Ready(Ok(2))));
}

#[test]
fn operands_are_evaluated_once_in_the_order_written() {
    let log = RefCell::new(Vec::new());
    let note = |what: &'static str| log.borrow_mut().push(what);
    let (tx, rx) = bounded::<u8>(0);
    let mut waiting = pin!(async {
        select! {
            v = { note("a"); &rx }.recv() => v,
            _ = tx.send({ note("b"); 1 }), if { note("guard"); true } => Err(RecvError),
            _ = never::<()>().recv(), if { note("off"); false } => Err(RecvError),
            _ = { note("c"); std::future::pending::<()>() } => Err(RecvError),
        }
    });
    for _ in 0..3 {
        assert!(poll(waiting.as_mut()).is_pending());
    }
    assert_eq!(tx.try_send(4), Ok(()));
    assert_eq!(poll(waiting), Poll::Ready(Ok(4)));
    assert_eq!(*log.borrow(), ["a", "guard", "b", "off", "c"]);
}

#[test]
fn a_select_cannot_be_claimed_while_its_plain_futures_are_polled() {
    let (tx, rx) = bounded::<u8>(0);
    let tries = RefCell::new(Vec::new());
    let mut polls = 0;
    let nosy = poll_fn(|_| {
        tries.borrow_mut().push(tx.try_send(1).is_ok());
        polls += 1;
        if polls == 3 {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    });
    let mut waiting = pin!(async {
        select! { v = rx.recv() => v, _ = nosy => Err(RecvError) }
    });
    assert!(poll(waiting.as_mut()).is_pending());
    assert!(poll(waiting.as_mut()).is_pending());
    assert_eq!(poll(waiting), Poll::Ready(Err(RecvError)), "a plain future that is ready has won");
    assert_eq!(*tries.borrow(), [false, false, false]);
}

#[test]
fn what_is_left_for_a_busy_select_is_found_before_it_waits() {
    let (tx, rx) = bounded::<u8>(1);
    let mut polls = 0;
    let generous = poll_fn(|_| {
        polls += 1;
        if polls == 2 {
            tx.try_send(8).unwrap();
        }
        Poll::<()>::Pending
    });
    let mut waiting = pin!(async {
        select! { v = rx.recv() => v, _ = generous => Err(RecvError) }
    });
    assert!(poll(waiting.as_mut()).is_pending());
    assert_eq!(poll(waiting), Poll::Ready(Ok(8)));
}

#[test]
fn a_sender_that_passes_a_busy_select_by_meets_it_in_the_end() {
    let (tx, rx) = bounded::<u8>(0);
    let sends = RefCell::new(Vec::new());
    let mut polls = 0;
    let nosy = poll_fn(|_| {
        polls += 1;
        if polls == 2 {
            let mut send = Box::pin(tx.send(6));
            assert!(poll(send.as_mut()).is_pending());
            sends.borrow_mut().push(send);
        }
        Poll::<()>::Pending
    });
    let mut waiting = pin!(async {
        select! { v = rx.recv() => v, _ = nosy => Err(RecvError) }
    });
    assert!(poll(waiting.as_mut()).is_pending());
    assert_eq!(poll(waiting), Poll::Ready(Ok(6)));
    assert_eq!(poll(sends.borrow_mut()[0].as_mut()), Poll::Ready(Ok(())));
}

#[test]
fn a_value_handed_to_a_select_that_is_dropped_passes_on() {
    let (tx, rx) = bounded::<u8>(0);
    let (_other_tx, other_rx) = bounded::<u8>(0);
    let mut choice = Box::pin(async {
        select! { v = rx.recv() => v, v = other_rx.recv() => v }
    });
    assert!(poll(choice.as_mut()).is_pending());
    assert_eq!(tx.try_send(3), Ok(()));
    drop(choice);
    assert_eq!(rx.try_recv(), Ok(3));
}

#[test]
fn a_dropped_dynamic_wait_keeps_its_cases_and_values() {
    let (tx, rx) = bounded::<u8>(0);
    let mut list = Select::new();
    list.send(&tx, 5);
    {
        let mut ready = Box::pin(list.ready());
        assert!(poll(ready.as_mut()).is_pending());
    }
    let mut recv = pin!(rx.recv());
    assert!(poll(recv.as_mut()).is_pending());
    assert_eq!(list.try_ready(), Some(Selected::Send(0, Ok(()))));
    assert_eq!(poll(recv), Poll::Ready(Ok(5)));
}

#[test]
fn a_send_taken_in_the_last_moment_of_a_dropped_dynamic_wait_has_happened_and_is_out() {
    let (tx, rx) = bounded(0);
    let (tx2, rx2) = bounded(1);
    let mut list = Select::new();
    list.send(&tx, 5);
    list.recv(&rx2);
    {
        let mut ready = Box::pin(list.ready());
        assert!(poll(ready.as_mut()).is_pending());
        assert_eq!(rx.try_recv(), Ok(5));
    }
    let mut recv = pin!(rx.recv());
    assert!(poll(recv.as_mut()).is_pending());
    assert_eq!(list.try_ready(), None, "it happens once");
    tx2.try_send(6).unwrap();
    assert_eq!(list.try_ready(), Some(Selected::Recv(1, Ok(6))));
}

#[test]
fn close_wakes_a_select_on_either_side() {
    let (tx, rx) = bounded::<u8>(0);
    let (tx2, _rx2) = bounded::<u8>(0);
    let mut choice = pin!(async {
        select! { v = rx.recv() => v.is_err(), r = tx2.send(1) => r == Err(SendError(1)) }
    });
    assert!(poll(choice.as_mut()).is_pending());
    tx2.close();
    assert_eq!(poll(choice), Poll::Ready(true));
    let mut choice = pin!(async {
        select! { v = rx.recv() => v.is_err(), _ = never::<()>().recv() => false }
    });
    assert!(poll(choice.as_mut()).is_pending());
    tx.close();
    assert_eq!(poll(choice), Poll::Ready(true));
}

#[test]
fn two_selects_face_to_face_on_two_channels_always_meet() {
    within(60, || {
        for _ in 0..300 {
            let (tx1, rx1) = bounded::<u8>(0);
            let (tx2, rx2) = bounded::<u8>(0);
            let a = std::thread::spawn(move || {
                smol::block_on(async {
                    select! { r = tx1.send(1) => r.is_ok(), r = tx2.send(2) => r.is_ok() }
                })
            });
            let b = std::thread::spawn(move || {
                smol::block_on(async {
                    select! { v = rx2.recv() => v, v = rx1.recv() => v }
                })
            });
            assert!(a.join().unwrap());
            assert!(matches!(b.join().unwrap(), Ok(1 | 2)));
        }
    });
}

#[test]
fn losing_futures_are_dropped_before_the_arm_runs() {
    struct Loud(Arc<AtomicUsize>);
    impl Drop for Loud {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    impl Future for Loud {
        type Output = ();
        fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
            Poll::Pending
        }
    }
    let drops = Arc::new(AtomicUsize::new(0));
    let loud = Loud(drops.clone());
    let seen = now(async {
        select! { _ = loud => 9, _ = std::future::ready(()) => drops.load(Ordering::Relaxed) }
    });
    assert_eq!(seen, 1);
}

#[test]
fn a_pulled_value_can_be_taken_back_until_it_is_received() {
    let (tx, rx) = pull_channel();
    assert_eq!((rx.capacity(), rx.len()), (Some(1), 0));
    let mut recv = pin!(rx.recv());
    assert!(poll(recv.as_mut()).is_pending());
    let mut choice = pin!(async {
        select! { v = rx.recv() => v, _ = never::<()>().recv() => Err(RecvError) }
    });
    assert!(poll(choice.as_mut()).is_pending());
    assert!(tx.offer(1));
    assert!(!tx.offer(2), "one lies there");
    assert_eq!(rx.len(), 0);
    assert_eq!(tx.take_back(), Some(1));
    assert_eq!(tx.take_back(), None);
    assert!(poll(recv.as_mut()).is_pending());
    assert!(poll(choice.as_mut()).is_pending());
    assert!(tx.offer(3));
    assert_eq!(poll(choice.as_mut()), Poll::Ready(Ok(3)));
    assert!(tx.offer(4));
    assert_eq!(poll(recv), Poll::Ready(Ok(4)));
    let mut choice = pin!(async {
        select! { v = rx.recv() => v, _ = never::<()>().recv() => Err(RecvError) }
    });
    assert!(poll(choice.as_mut()).is_pending());
    drop(tx);
    assert!(poll(choice).is_pending(), "open and silent");
    assert!(!rx.is_closed());
}

#[test]
fn a_select_polled_again_after_a_waker_panicked_has_missed_nothing() {
    static VTABLE: RawWakerVTable =
        RawWakerVTable::new(|_| panic!("the waker's own fault"), |_| (), |_| (), |_| ());
    // SAFETY: there is no data, and what does not panic does nothing.
    let bomb = unsafe { Waker::from_raw(RawWaker::new(std::ptr::null(), &VTABLE)) };
    let (tx, rx) = pull_channel();
    let mut select = Select::new();
    select.recv(&rx);
    let mut ready = pin!(select.ready());
    let fail = |ready: Pin<&mut pirn_channel::Ready<'_, '_, u8>>| {
        assert!(panics(|| ready.poll(&mut Context::from_waker(&bomb)).is_pending()));
    };
    fail(ready.as_mut());
    assert!(poll(ready.as_mut()).is_pending(), "it stands in the queue now");
    assert!(tx.offer(1));
    fail(ready.as_mut());
    assert_eq!(poll(ready), Poll::Ready(Selected::Recv(0, Ok(1))));
}

#[test]
fn a_pull_sender_offers_only_what_is_wanted_at_that_moment() {
    let (tx, rx) = pull_channel();
    assert!(!tx.offer_if(1, || false));
    assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
    assert!(tx.offer_if(2, || true) && !tx.offer(3), "one lies there already");
    assert_eq!(rx.try_recv(), Ok(2));
}

#[test]
fn a_pull_sender_learns_when_the_last_receiver_goes() {
    let (tx, rx) = pull_channel();
    let told = Arc::new(AtomicUsize::new(0));
    let tell = told.clone();
    tx.on_orphaned(move || {
        tell.fetch_add(1, Ordering::Relaxed);
    });
    let other = rx.clone();
    drop(rx);
    assert!(!tx.is_orphaned());
    drop(other);
    assert!(tx.is_orphaned() && !tx.offer(1));
    assert_eq!(told.load(Ordering::Relaxed), 1);
    let tell = told.clone();
    tx.on_orphaned(move || {
        tell.fetch_add(10, Ordering::Relaxed);
    });
    assert_eq!(told.load(Ordering::Relaxed), 11, "told at once when it is too late");
}

#[test]
fn a_dropped_dynamic_wait_leaves_every_queue_even_if_a_waker_panics_meanwhile() {
    let bomb = bomb();
    let (tx, rx) = bounded(0);
    let (tx2, rx2) = bounded(0);
    let mut select = Select::new();
    select.recv(&rx);
    select.recv(&rx2);
    let mut place = Box::new(MaybeUninit::<Ready<'_, '_, u8>>::uninit());
    let ready = place.write(select.ready());
    // SAFETY: it stays in the box, and is dropped there below.
    assert!(poll(unsafe { Pin::new_unchecked(&mut *ready) }).is_pending());
    let mut next = pin!(rx.recv());
    assert!(next.as_mut().poll(&mut Context::from_waker(&bomb)).is_pending());
    // It is handed to the select, whose drop passes it on and wakes the next one.
    tx.try_send(1).unwrap();
    // SAFETY: it was written above, and is not used any more.
    assert!(panics(|| unsafe { place.assume_init_drop() }));
    assert_eq!(poll(next), Poll::Ready(Ok(1)), "it was passed on all the same");
    // Its memory is used for something else.
    *place = MaybeUninit::zeroed();
    assert_eq!(tx2.try_send(2), Err(TrySendError::Full(2)), "nobody waits any more");
}
