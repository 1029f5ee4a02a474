//! Tests of the alarm under tickers and timers: when it goes off, and when it is freed.

use super::*;

const LONG: Duration = Duration::from_secs(3_600);

#[test]
fn a_wake_before_the_deadline_fires_nothing_and_loses_nothing() {
    let (alarm, receiver) = Alarm::start(LONG, None);
    for _ in 0..3 {
        alarm.look();
    }
    assert!(receiver.try_recv().is_err());
    assert!(alarm.setting.lock().slot.cancel(), "it is still in the timers");
    assert!(alarm.clear());
}

#[test]
fn an_alarm_that_nobody_can_hear_is_freed() {
    for period in [None, Some(LONG)] {
        let (alarm, receiver) = Alarm::start(LONG, period);
        let weak = Arc::downgrade(&alarm);
        drop(alarm);
        assert!(weak.upgrade().is_some(), "the timers keep it");
        drop(receiver);
        assert!(weak.upgrade().is_none());
    }
}

#[test]
fn an_alarm_that_has_gone_off_is_freed_and_its_value_stays() {
    let (alarm, receiver) = Alarm::start(Duration::ZERO, None);
    let weak = Arc::downgrade(&alarm);
    drop(alarm);
    assert!(weak.upgrade().is_none());
    assert!(receiver.try_recv().is_ok());
    assert!(receiver.try_recv().is_err() && !receiver.is_closed());
}

#[test]
fn a_wake_that_comes_after_a_new_setting_does_not_fire_it_early() {
    let (alarm, receiver) = Alarm::start(Duration::ZERO, None);
    assert!(alarm.set(LONG), "due, and not received");
    // The waker of the first setting was on its way all the time.
    alarm.look();
    assert!(receiver.try_recv().is_err());
}

#[test]
fn ticks_that_were_missed_are_skipped_and_the_grid_stays() {
    let (alarm, receiver) = Alarm::start(LONG, Some(Duration::from_millis(500)));
    let start = clock::now();
    // As if the machine had been stuck for four periods.
    let first = start - Duration::from_millis(1_750);
    alarm.setting.lock().due = Some(first);
    alarm.look();
    assert_eq!(receiver.try_recv(), Ok(first));
    let next = alarm.setting.lock().due.unwrap();
    assert_eq!(next, first + Duration::from_secs(2));
    alarm.look();
    assert!(receiver.try_recv().is_err(), "not due yet");
}

#[test]
fn a_tick_that_was_overtaken_is_dropped() {
    let (alarm, receiver) = Alarm::start(LONG, Some(Duration::from_millis(500)));
    let start = clock::now();
    let found_due = |at| {
        alarm.setting.lock().due = Some(at);
        alarm.take_due().expect("it is due")
    };
    let (first, first_number) = found_due(start - Duration::from_secs(2));
    // The thread that found it loses its core, and others go on.
    let (second, second_number) = found_due(start - Duration::from_secs(1));
    alarm.fire(second, second_number);
    assert_eq!(receiver.try_recv(), Ok(second));
    alarm.fire(first, first_number);
    assert!(receiver.try_recv().is_err(), "time went back");
    let (third, third_number) = found_due(start);
    alarm.fire(third, third_number);
    assert_eq!(receiver.try_recv(), Ok(third));
}
