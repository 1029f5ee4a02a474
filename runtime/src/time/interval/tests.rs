//! Tests of the grid of ticks: what becomes of those that were missed, under each behaviour.

use super::super::testing::in_time;
use super::*;
use futures_lite::StreamExt;
use futures_lite::future::{block_on, poll_once};

const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

#[test]
fn the_picture_of_the_module_holds() {
    let start = clock::now();
    // Tick 1 was taken in time; the task comes back after 3.2 periods of 10 ms.
    let next = |missed: MissedTick| missed.next(start + ms(20), start + ms(32), ms(10)).unwrap() - start;
    assert_eq!(next(MissedTick::Burst), ms(30));
    assert_eq!(next(MissedTick::Skip), ms(40));
    assert_eq!(next(MissedTick::Delay), ms(42));
}

#[test]
fn a_tick_that_is_a_little_late_keeps_the_grid() {
    let start = clock::now();
    for missed in [MissedTick::Burst, MissedTick::Delay, MissedTick::Skip] {
        assert_eq!(missed.next(start, start + ms(9), ms(10)), Some(start + ms(10)));
    }
}

#[test]
fn on_the_line_the_next_line_counts() {
    let start = clock::now();
    assert_eq!(MissedTick::Skip.next(start, start + ms(30), ms(10)), Some(start + ms(40)));
    for missed in [MissedTick::Delay, MissedTick::Skip] {
        assert_eq!(missed.next(start, start + ms(10), ms(10)), Some(start + ms(20)), "{missed:?}");
    }
    assert_eq!(until_next(Duration::ZERO, ms(10)), ms(10));
    let (late, period) = (Duration::from_secs(3 << 40), Duration::from_nanos(7));
    assert_eq!((late + until_next(late, period)).as_nanos() % 7, 0);
}

#[test]
fn the_first_tick_comes_at_once_and_the_others_on_the_grid() {
    in_time(|| {
        let mut interval = interval(ms(3));
        let first = block_on(poll_once(interval.tick())).expect("at once");
        for _ in 0..5 {
            let due = block_on(interval.tick());
            let now = clock::now();
            assert!(now >= due, "never early");
            assert_eq!((due - first).as_nanos() % ms(3).as_nanos(), 0, "on the grid");
        }
    });
}

#[test]
fn the_grid_stands_where_it_is_told_to() {
    in_time(|| {
        let start = clock::now() + ms(3);
        let mut ahead = interval_at(start, ms(500));
        assert!(clock::now() >= start || block_on(poll_once(ahead.tick())).is_none());
        assert_eq!(block_on(ahead.tick()), start);
        assert!(clock::now() >= start, "never early");
        assert_eq!(ahead.next.deadline(), Some(start + ms(500)));
        for (missed, at_once) in [(MissedTick::Burst, 4), (MissedTick::Skip, 1), (MissedTick::Delay, 1)] {
            let start = clock::now() - ms(1_750);
            let mut behind = interval_at(start, ms(500)).missed_tick(missed);
            assert_eq!(block_on(poll_once(behind.tick())), Some(start), "what is late comes first");
            let mut ready = 1;
            while block_on(poll_once(behind.tick())).is_some() {
                ready += 1;
            }
            assert_eq!(ready, at_once, "{missed:?}");
        }
    });
}

#[test]
fn a_dropped_tick_has_not_happened() {
    in_time(|| {
        let mut interval = interval(ms(2));
        let first = block_on(interval.tick());
        assert!(block_on(poll_once(interval.tick())).is_none());
        std::thread::sleep(ms(3));
        assert_eq!(block_on(interval.tick()), first + ms(2));
    });
}

#[test]
fn bursts_catch_up_and_skips_do_not() {
    in_time(|| {
        for (missed, at_once) in [(MissedTick::Burst, 4), (MissedTick::Skip, 1), (MissedTick::Delay, 1)] {
            let mut interval = interval(ms(500)).missed_tick(missed);
            block_on(interval.tick());
            // As if the last three ticks and a half had been slept through.
            interval.next.reset(clock::now() - ms(1_750));
            let mut ready = 0;
            while block_on(poll_once(interval.tick())).is_some() {
                ready += 1;
            }
            assert_eq!(ready, at_once, "{missed:?}");
        }
    });
}

#[test]
fn a_period_too_large_to_represent_ticks_once() {
    let mut interval = interval(Duration::MAX);
    assert!(block_on(poll_once(interval.tick())).is_some());
    assert!(block_on(poll_once(interval.tick())).is_none());
}

#[test]
fn an_interval_is_a_stream() {
    in_time(|| {
        let ticks: Vec<_> = block_on(interval(ms(1)).take(3).collect());
        assert!(ticks.len() == 3 && ticks.is_sorted());
        assert!(!interval(ms(1)).is_terminated());
    });
}

#[test]
#[should_panic(expected = "greater than zero")]
fn a_zero_period_panics() {
    let _ = interval(Duration::ZERO);
}

#[test]
fn what_was_set_is_what_counts() {
    let mut interval = interval(ms(60_000));
    assert_eq!(interval.period(), ms(60_000));
    block_on(interval.tick());
    let before = clock::now();
    // As if the last tick had been long ago: due now, were the grid not begun anew.
    interval.next.reset(before - ms(60_000));
    interval.reset();
    assert!(block_on(poll_once(interval.tick())).is_none());
    assert!(interval.next.deadline().unwrap() >= before + ms(60_000));
    interval.set_missed_tick(MissedTick::Burst);
    interval.next.reset(before - ms(150_000));
    let ready = (0..9).take_while(|_| block_on(poll_once(interval.tick())).is_some()).count();
    assert_eq!(ready, 3, "those of 150, 90 and 30 seconds ago");
}
