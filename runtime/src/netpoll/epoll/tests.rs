use std::sync::Arc;
use std::thread;

use pirn_sync::clock;

use super::*;

const LONG: Duration = Duration::from_secs(20);

fn wait(selector: &Selector, timeout: Option<Duration>) -> Duration {
    let start = clock::now();
    selector.wait(timeout, |_| panic!("nothing is registered")).unwrap();
    clock::now() - start
}

#[test]
fn a_wait_ends_at_its_timeout_and_not_before() {
    let selector = Selector::new().unwrap();
    for timeout in [Duration::ZERO, Duration::from_micros(300), Duration::from_millis(5)] {
        let took = wait(&selector, Some(timeout));
        assert!(took >= timeout && took < timeout + LONG / 2, "{took:?} for {timeout:?}");
    }
}

#[test]
fn the_fallback_in_milliseconds_is_never_early() {
    assert_eq!(whole_milliseconds(Duration::ZERO), 0);
    assert_eq!(whole_milliseconds(Duration::from_nanos(1)), 1);
    assert_eq!(whole_milliseconds(Duration::from_micros(1_001)), 2);
    assert_eq!(whole_milliseconds(Duration::MAX), i32::MAX);
}

#[test]
fn a_wake_ends_the_wait_in_progress_or_the_next_one() {
    let selector = Arc::new(Selector::new().unwrap());
    for _ in 0..200 {
        let waker = {
            let selector = Arc::clone(&selector);
            thread::spawn(move || selector.wake())
        };
        assert!(wait(&selector, Some(LONG)) < LONG / 2);
        waker.join().unwrap();
    }
}

#[test]
fn several_wakes_before_a_wait_are_one() {
    let selector = Selector::new().unwrap();
    (0..5).for_each(|_| selector.wake());
    assert!(wait(&selector, None) < LONG);
    let pause = Duration::from_millis(2);
    assert!(wait(&selector, Some(pause)) >= pause, "the first wait has used them up");
}

#[test]
fn a_look_does_not_swallow_a_wake() {
    let selector = Selector::new().unwrap();
    selector.wake();
    wait(&selector, Some(Duration::ZERO));
    assert!(wait(&selector, Some(LONG)) < LONG / 2);
}

#[test]
fn a_timeout_beyond_every_clock_is_a_wait_for_ever() {
    let selector = Selector::new().unwrap();
    selector.wake();
    wait(&selector, Some(Duration::MAX));
}
