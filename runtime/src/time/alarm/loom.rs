//! Models of *no stale value*: an alarm goes off while it is taken back, and while somebody receives.

use super::*;
use ::loom::thread;

/// An alarm that is due, as if its deadline had just been taken out of the timers.
fn due() -> (Arc<Alarm>, Receiver<Instant>) {
    due_with(None)
}

fn due_with(period: Option<Duration>) -> (Arc<Alarm>, Receiver<Instant>) {
    let (alarm, receiver) = Alarm::start(Duration::MAX, period);
    alarm.setting.lock().due = Some(clock::now());
    (alarm, receiver)
}

fn model(f: impl Fn() + Sync + Send + 'static) {
    let mut builder = ::loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(f);
}

fn go_off(alarm: &Arc<Alarm>) -> thread::JoinHandle<()> {
    let alarm = Arc::clone(alarm);
    thread::spawn(move || alarm.look())
}

#[test]
fn what_was_cleared_cannot_be_received() {
    model(|| {
        let (alarm, receiver) = due();
        let firing = go_off(&alarm);
        assert!(alarm.clear(), "nobody received it, so it was pending");
        assert!(receiver.try_recv().is_err());
        firing.join().unwrap();
        assert!(receiver.try_recv().is_err(), "not later either");
    });
}

#[test]
fn what_was_set_anew_is_not_received_early() {
    model(|| {
        let (alarm, receiver) = due();
        let firing = go_off(&alarm);
        assert!(alarm.set(Duration::MAX), "nobody received it, so it was pending");
        assert!(receiver.try_recv().is_err());
        firing.join().unwrap();
        assert!(receiver.try_recv().is_err(), "not later either");
        assert!(alarm.clear(), "the new setting is still to come");
    });
}

#[test]
fn a_setting_is_received_or_cleared_and_never_both() {
    model(|| {
        let (alarm, receiver) = Alarm::start(Duration::MAX, None);
        let setting = {
            let alarm = Arc::clone(&alarm);
            thread::spawn(move || alarm.set(Duration::ZERO))
        };
        assert!(alarm.clear(), "the old setting, or the new one");
        let took_back = setting.join().unwrap();
        assert_eq!(
            receiver.try_recv().is_err(),
            took_back,
            "cleared first, and then set, or the other way round"
        );
    });
}

#[test]
fn it_is_received_or_cleared_and_never_both() {
    model(|| {
        let (alarm, receiver) = due();
        let firing = go_off(&alarm);
        let receiving = {
            let receiver = receiver.clone();
            thread::spawn(move || receiver.try_recv().is_ok())
        };
        let cleared = alarm.clear();
        firing.join().unwrap();
        let received = receiving.join().unwrap();
        assert!(cleared != received);
        assert!(receiver.try_recv().is_err());
    });
}

#[test]
fn two_that_make_it_look_fire_once() {
    model(|| {
        let (alarm, receiver) = due();
        let firing = go_off(&alarm);
        alarm.look();
        firing.join().unwrap();
        assert!(receiver.try_recv().is_ok());
        assert!(receiver.try_recv().is_err());
    });
}

#[test]
fn two_that_make_a_row_look_tick_once() {
    model(|| {
        // The next tick is too far away to be represented.
        let (alarm, receiver) = due_with(Some(Duration::MAX));
        let firing = go_off(&alarm);
        alarm.look();
        let first = receiver.try_recv().is_ok();
        firing.join().unwrap();
        assert!(first != receiver.try_recv().is_ok());
    });
}
