//! Tests of one sleep: never early, reset, dropped, and moved from task to task.

use super::super::testing::{Count, in_time};
use super::*;
use futures_lite::future::block_on;
use pirn_sync::host::{Wait, WaitKind};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::task::Waker;

const LONG: Duration = Duration::from_secs(3_600);

#[test]
fn a_sleep_is_never_early() {
    in_time(|| {
        for micros in [1, 50, 500, 3_000] {
            let (start, duration) = (clock::now(), Duration::from_micros(micros));
            block_on(sleep(duration));
            assert!(start.elapsed() >= duration);
        }
    });
}

#[test]
fn when_a_yield_is_asked_for_a_sleep_that_is_over_gives_way_once_each_time() {
    static FLAG: AtomicBool = AtomicBool::new(true);
    let mut cx = Context::from_waker(Waker::noop());
    host::install(Some(&FLAG));
    let (mut over, mut ahead) = (sleep(Duration::ZERO), sleep(LONG));
    for _ in 0..3 {
        assert!(Pin::new(&mut over).poll(&mut cx).is_pending());
        assert!(Pin::new(&mut over).poll(&mut cx).is_ready());
        assert!(Pin::new(&mut ahead).poll(&mut cx).is_pending());
    }
    host::install(None);
}

#[test]
fn zero_and_the_past_complete_at_the_first_poll() {
    let mut cx = Context::from_waker(Waker::noop());
    assert!(Pin::new(&mut sleep(Duration::ZERO)).poll(&mut cx).is_ready());
    assert!(Pin::new(&mut sleep_until(clock::now())).poll(&mut cx).is_ready());
}

#[test]
fn a_duration_too_large_to_represent_means_never() {
    let mut sleep = sleep(Duration::MAX);
    assert_eq!((sleep.deadline(), sleep.is_elapsed()), (None, false));
    assert!(Pin::new(&mut sleep).poll(&mut Context::from_waker(Waker::noop())).is_pending());
}

#[test]
fn a_dropped_sleep_lets_go_of_its_waker() {
    let (count, waker) = Count::new();
    let mut sleep = sleep(LONG);
    assert!(Pin::new(&mut sleep).poll(&mut Context::from_waker(&waker)).is_pending());
    assert_eq!(Arc::strong_count(&count), 3);
    drop(sleep);
    assert_eq!((Arc::strong_count(&count), count.get()), (2, 0));
}

#[test]
fn a_sleep_wakes_whoever_polled_it_last() {
    in_time(|| {
        let ((first, first_waker), (second, second_waker)) = (Count::new(), Count::new());
        let mut sleep = sleep(Duration::from_millis(5));
        assert!(Pin::new(&mut sleep).poll(&mut Context::from_waker(&first_waker)).is_pending());
        assert!(Pin::new(&mut sleep).poll(&mut Context::from_waker(&second_waker)).is_pending());
        while second.get() == 0 {
            std::thread::yield_now();
        }
        assert_eq!(first.get(), 0);
        assert!(Pin::new(&mut sleep).poll(&mut Context::from_waker(&second_waker)).is_ready());
    });
}

#[test]
fn a_reset_moves_the_deadline_and_the_next_poll_the_timer() {
    in_time(|| {
        let (count, waker) = Count::new();
        let mut sleep = sleep(Duration::from_millis(5));
        assert!(Pin::new(&mut sleep).poll(&mut Context::from_waker(&waker)).is_pending());
        sleep.reset(clock::now() + LONG);
        assert!(Pin::new(&mut sleep).poll(&mut Context::from_waker(&waker)).is_pending());
        assert_eq!(Arc::strong_count(&count), 3, "it is the same timer still");
        let soon = clock::now() + Duration::from_millis(8);
        sleep.reset(soon);
        block_on(&mut sleep);
        assert!(clock::now() >= soon);
        assert_eq!(count.get(), 0, "the earlier deadlines have not fired");
    });
}

#[test]
fn a_reset_that_is_not_polled_in_time_is_woken_for_nothing_and_goes_on() {
    in_time(|| {
        let (count, waker) = Count::new();
        let mut cx = Context::from_waker(&waker);
        let mut sleep = sleep(Duration::from_millis(1));
        assert!(Pin::new(&mut sleep).poll(&mut cx).is_pending());
        sleep.reset(clock::now() + LONG);
        while count.get() == 0 {
            std::thread::yield_now();
        }
        assert!(Pin::new(&mut sleep).poll(&mut cx).is_pending(), "its time has not come");
        let soon = clock::now() + Duration::from_millis(2);
        sleep.reset(soon);
        block_on(&mut sleep);
        assert!(clock::now() >= soon);
    });
}

/// The timer of a sleep that is put off may be due and not have fired: its machine has been busy.
#[test]
fn a_reset_to_a_moment_that_has_passed_is_ready_at_once() {
    in_time(|| {
        let runtime = crate::Builder::new().procs(1).sysmon(false).build().unwrap();
        let task = runtime.spawn(async {
            let mut cx = Context::from_waker(Waker::noop());
            let mut sleep = sleep(Duration::from_millis(1));
            assert!(Pin::new(&mut sleep).poll(&mut cx).is_pending());
            while !sleep.is_elapsed() {
                std::hint::spin_loop();
            }
            sleep.reset(clock::now());
            assert!(Pin::new(&mut sleep).poll(&mut cx).is_ready());
        });
        runtime.block_on(task).unwrap();
    });
}

#[test]
fn a_pending_sleep_says_where_it_was_called() {
    let mut sleep = sleep(LONG);
    let line = line!() - 1;
    assert!(Pin::new(&mut sleep).poll(&mut Context::from_waker(Waker::noop())).is_pending());
    let Some(Wait { kind: WaitKind::Sleep, at }) = host::take_wait() else { panic!("nothing was noted") };
    assert_eq!((at.file(), at.line()), (file!(), line));
}

#[test]
fn everything_here_may_cross_threads_and_move() {
    fn check<T: Send + Sync + Unpin>() {}
    check::<Sleep>();
    check::<crate::time::Timeout<Sleep>>();
    check::<crate::time::Interval>();
    check::<crate::time::Tick<'static>>();
    check::<crate::time::Timer>();
    check::<crate::time::Elapsed>();
}
