//! *select!*: the forms it takes, and `Select` for a list known only at run time.

use std::cell::{Cell, RefCell};
use std::task::Poll;
use std::time::Duration;

use pirn::channel::{
    Receiver, RecvError, Select, Selected, SendError, TryRecvError, bounded, never, unbounded,
};
use pirn::time::after;
use pirn::{Context, go, select};

use crate::{panic_of, send, send_sync, spawnable, unpin};

const LONG: Duration = Duration::from_secs(3600);

#[pirn::test(procs = 2, timeout = "10s")]
async fn every_form_of_a_branch_compiles_and_one_wins() {
    let (tx, _full) = bounded::<u8>(0);
    let (_open, rx) = bounded::<u8>(0);
    let other: Receiver<u8> = never();
    let (tx2, rx2) = bounded::<Result<u8, String>>(1);
    let (ctx, _cancel) = Context::background().with_cancel();
    tx2.try_send(Ok(7)).unwrap();
    let out: u8 = select! {
        msg = rx.recv() => { let _: Result<u8, RecvError> = msg; 1 }
        res = tx.send(5) => { let _: Result<(), SendError<u8>> = res; 2 }
        _ = ctx.done() => 3,
        v = other.recv(), if tx.is_closed() => v.unwrap(),
        Ok(Ok(mut x)) = rx2.recv() => { x += 1; x }
        _ = after(LONG).recv() => 6,
    };
    assert_eq!(out, 8);
}

#[pirn::test(procs = 2, timeout = "10s")]
async fn it_is_the_same_macro_by_its_other_path() {
    let (tx, rx) = bounded::<u8>(1);
    tx.try_send(1).unwrap();
    let out = pirn::select! { n = rx.recv() => n };
    let again = pirn::channel::select! { n = rx.recv() => n, default => Ok(0) };
    assert_eq!((out, again), (Ok(1), Ok(0)));
}

#[pirn::test(procs = 2, timeout = "10s")]
async fn default_never_waits() {
    let (tx, rx) = bounded::<u8>(1);
    let empty = select! { _ = rx.recv() => false, default => true };
    assert!(empty);
    select! {
        res = tx.send(1) => res.unwrap(),
        default => unreachable!("there is room"),
    }
    select! {
        _ = tx.send(2) => unreachable!("it is full"),
        default => {}
    }
    assert_eq!(rx.len(), 1);
}

#[pirn::test(procs = 2, timeout = "10s")]
async fn biased_goes_in_the_order_written_and_otherwise_any_ready_branch_may_win() {
    let (tx, rx) = unbounded::<u8>();
    (0..400).for_each(|n| tx.try_send(n as u8).unwrap());
    let (mut first, mut second) = (0, 0);
    for _ in 0..200 {
        select! {
            _ = rx.recv() => first += 1,
            _ = rx.recv() => second += 1,
        }
    }
    assert!(first > 0 && second > 0, "{first} {second}");
    for _ in 0..100 {
        select! {
            biased;
            _ = rx.recv() => {}
            _ = rx.recv() => unreachable!("the first is ready"),
        }
    }
    assert_eq!(rx.len(), 100);
}

#[pirn::test(procs = 2, timeout = "10s")]
async fn a_branch_that_loses_has_had_no_effect() {
    let (tx, rx) = bounded::<u8>(1);
    let (other_tx, other_rx) = bounded::<u8>(1);
    other_tx.try_send(1).unwrap();
    select! {
        biased;
        _ = rx.recv() => unreachable!("it is empty"),
        _ = other_rx.recv() => {}
        _ = tx.send(1) => unreachable!("the one before is ready"),
    }
    assert_eq!((rx.try_recv(), rx.len()), (Err(TryRecvError::Empty), 0));
}

#[pirn::test(procs = 2, timeout = "10s")]
async fn the_expression_behind_a_false_guard_is_not_evaluated() {
    let (tx, rx) = bounded::<u8>(1);
    tx.try_send(1).unwrap();
    let evaluated = Cell::new(false);
    select! {
        _ = { evaluated.set(true); rx.recv() }, if rx.is_closed() => unreachable!(),
        n = rx.recv(), if true => assert_eq!(n, Ok(1)),
    }
    assert!(!evaluated.get());
}

#[pirn::test(procs = 2, timeout = "10s")]
async fn a_value_that_does_not_match_is_taken_and_its_branch_is_out() {
    let (tx, rx) = bounded::<u8>(1);
    tx.try_send(1).unwrap();
    let out = select! {
        biased;
        Ok(2) = rx.recv() => "two",
        default => "none",
    };
    assert_eq!((out, rx.len()), ("none", 0));
}

#[pirn::test(procs = 2, timeout = "10s")]
async fn operands_and_guards_are_evaluated_once_in_source_order() {
    let log = RefCell::new(Vec::new());
    let note = |what: &'static str| log.borrow_mut().push(what);
    let (tx, rx) = bounded::<u8>(1);
    select! {
        biased;
        _ = { note("recv"); rx.recv() }, if { note("guard"); true } => unreachable!(),
        _ = tx.send({ note("value"); 1 }) => note("arm"),
    }
    let log = log.into_inner();
    assert_eq!(log.len(), 4, "{log:?}");
    assert!(log.ends_with(&["value", "arm"]), "{log:?}");
}

#[pirn::test(procs = 2, timeout = "10s")]
async fn losing_futures_are_dropped_before_the_arm_runs() {
    struct Flag<'a>(&'a Cell<bool>);
    impl Drop for Flag<'_> {
        fn drop(&mut self) {
            self.0.set(true);
        }
    }
    let dropped = Cell::new(false);
    let flag = Flag(&dropped);
    let loser = async move {
        let _flag = flag;
        std::future::pending::<()>().await;
    };
    let seen = select! {
        () = loser => unreachable!(),
        () = std::future::ready(()) => dropped.get(),
    };
    assert!(seen);
}

#[pirn::test(procs = 2, timeout = "10s")]
async fn the_arms_are_part_of_the_function_around_them() {
    async fn sum(rx: &Receiver<u8>) -> Result<u8, RecvError> {
        let mut sum = 0;
        loop {
            select! {
                n = rx.recv() => {
                    match n? {
                        0 => break,
                        1 => continue,
                        9 => return Ok(99),
                        n => sum += n,
                    }
                }
            }
        }
        Ok(sum)
    }
    let (tx, rx) = bounded::<u8>(4);
    [1, 2, 3, 0].into_iter().for_each(|n| tx.try_send(n).unwrap());
    assert_eq!(sum(&rx).await, Ok(5));
    tx.try_send(9).unwrap();
    assert_eq!(sum(&rx).await, Ok(99));
    drop(tx);
    assert_eq!(sum(&rx).await, Err(RecvError));
}

#[pirn::test(procs = 2, timeout = "10s")]
async fn a_select_with_all_branches_disabled_panics() {
    let rx = never::<u8>();
    let error = pirn::spawn(async move {
        select! { _ = rx.recv(), if false => {} }
    })
    .await
    .unwrap_err();
    assert!(error.is_panic() && error.to_string().contains("select"), "{error}");
}

#[pirn::test(procs = 2, timeout = "10s")]
async fn two_tasks_that_select_against_each_other_meet() {
    let (tx, rx) = bounded::<u8>(0);
    let (other_tx, other_rx) = (tx.clone(), rx.clone());
    let other = pirn::spawn(spawnable(async move {
        select! {
            Ok(n) = other_rx.recv() => n,
            Ok(()) = other_tx.send(2) => 0,
        }
    }));
    let here = select! {
        Ok(n) = rx.recv() => n,
        Ok(()) = tx.send(1) => 0,
    };
    assert!([1, 2].contains(&(here + other.await.unwrap())));
}

#[pirn::test(procs = 2, timeout = "10s")]
async fn thirty_two_branches_are_no_trouble_nor_arms_that_another_macro_passes_on() {
    let silent: Receiver<u8> = never();
    let (tx, rx) = bounded::<u8>(1);
    tx.try_send(1).unwrap();
    macro_rules! wide {
        ($($n:literal)*) => {
            select! { $(_ = silent.recv() => $n,)* n = rx.recv() => n.unwrap() }
        };
    }
    let out: u8 =
        wide!(32 33 34 35 36 37 38 39 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59 60 61 62);
    assert_eq!(out, 1);
}

#[test]
fn the_dynamic_select_is_as_free_as_it_can_be() {
    send::<Select<'static, Cell<u8>>>();
    send_sync::<Select<'static, u8>>();
    send_sync::<pirn::channel::Ready<'static, 'static, u8>>();
    unpin::<Select<'static, u8>>();
}

#[pirn::test(procs = 2, timeout = "10s")]
async fn a_dynamic_select_numbers_its_cases() {
    let (tx, rx) = bounded::<u8>(1);
    let (other_tx, other_rx) = bounded::<u8>(1);
    let mut cases: Select<'_, u8> = Select::new();
    let receive: usize = cases.recv(&rx);
    let send: usize = cases.send(&other_tx, 5);
    assert_ne!(receive, send);
    let selected: Selected<u8> = cases.ready().await;
    assert_eq!(selected, Selected::Send(send, Ok(())));
    drop(cases);
    assert_eq!(other_rx.try_recv(), Ok(5));

    let mut cases = Select::new();
    let receive = cases.recv(&rx);
    assert_eq!(cases.try_ready(), None);
    assert_eq!(cases.ready_timeout_blocking(Duration::from_nanos(1)), None);
    go!({ tx.send(7).await.unwrap() });
    assert_eq!(cases.ready_blocking(), Selected::Recv(receive, Ok(7)));
}

#[pirn::test(procs = 2, timeout = "10s")]
async fn a_dynamic_select_dropped_loses_nothing() {
    let (tx, rx) = bounded::<u8>(0);
    let other = rx.clone();
    let mut cases = Select::new();
    cases.recv(&rx);
    {
        let mut ready = std::pin::pin!(cases.ready());
        assert!(matches!(crate::poll(&mut ready), Poll::Pending));
        tx.try_send(1).unwrap();
    }
    assert_eq!(other.try_recv(), Ok(1));
}

#[pirn::test(procs = 2, timeout = "10s")]
async fn an_empty_dynamic_select_panics() {
    panic_of(|| Select::<u8>::new().try_ready());
    panic_of(|| Select::<u8>::new().ready_blocking());
    let error = pirn::spawn(async { Select::<u8>::new().ready().await }).await.unwrap_err();
    assert!(error.is_panic());
}
