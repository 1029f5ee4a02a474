use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::thread;

use pirn_sync::clock;

use super::super::table::Token;
use super::*;

const LONG: Duration = Duration::from_secs(20);

fn wait(sleep: &Sleep, timeout: Option<Duration>) -> Duration {
    let start = clock::now();
    sleep.wait(&[], timeout).unwrap();
    clock::now() - start
}

#[test]
fn a_wait_ends_at_its_timeout_and_not_before() {
    let sleep = Sleep::new().unwrap();
    for timeout in [Duration::ZERO, Duration::from_micros(300), Duration::from_millis(5)] {
        let took = wait(&sleep, Some(timeout));
        assert!(took >= timeout && took < timeout + LONG / 2, "{took:?} for {timeout:?}");
    }
}

#[test]
fn a_wake_ends_the_wait_in_progress_or_the_next_one() {
    let sleep = Arc::new(Sleep::new().unwrap());
    for _ in 0..200 {
        let waker = {
            let sleep = Arc::clone(&sleep);
            thread::spawn(move || sleep.wake())
        };
        assert!(wait(&sleep, Some(LONG)) < LONG / 2);
        waker.join().unwrap();
    }
}

#[test]
fn several_wakes_before_a_wait_are_one() {
    let sleep = Sleep::new().unwrap();
    (0..5).for_each(|_| sleep.wake());
    assert!(wait(&sleep, None) < LONG);
    let pause = Duration::from_millis(2);
    assert!(wait(&sleep, Some(pause)) >= pause, "the first wait has used them up");
}

#[test]
fn a_set_that_has_something_to_tell_ends_the_wait_until_somebody_looks() {
    let sleep = Sleep::new().unwrap();
    let sets = [Selector::new().unwrap(), Selector::new().unwrap()];
    let (ours, _theirs) = UnixStream::pair().unwrap();
    // A fresh stream is writable: an event of the second set.
    sets[1].register(ours.as_raw_fd(), Token::from_bits(7)).unwrap();
    for _ in 0..2 {
        let start = clock::now();
        sleep.wait(&sets, Some(LONG)).unwrap();
        assert!(clock::now() - start < LONG / 2);
    }
    let mut seen = Vec::new();
    sets[1].look(|events| seen.extend(events.map(|(token, _)| token))).unwrap();
    assert_eq!(seen, [Token::from_bits(7)]);
    let pause = Duration::from_millis(2);
    let start = clock::now();
    sleep.wait(&sets, Some(pause)).unwrap();
    assert!(clock::now() - start >= pause, "the look has used the event up");
}

#[test]
fn a_timeout_beyond_every_clock_is_a_wait_for_ever() {
    let sleep = Sleep::new().unwrap();
    sleep.wake();
    wait(&sleep, Some(Duration::MAX));
}
