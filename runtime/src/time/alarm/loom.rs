//! Models of *no stale value*: an alarm goes off while it is taken back, and while somebody receives.

use super::*;
use ::loom::thread;

/// An alarm that is due, as if its deadline had just been taken out of the timers.
fn due() -> (Arc<Alarm>, Receiver<Instant>) {
    let (alarm, receiver) = Alarm::start(Duration::MAX, None);
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
