//! Tests of the wait itself: how long it lasts, what ends it, and what it brings along.

use std::os::fd::RawFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::thread;

use pirn_sync::clock;

use super::*;

const LONG: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(2);

/// A sleep and what it waits for.
struct Bed {
    sleep: Sleep,
    sets: [Selector; 2],
    population: Population,
}

impl Bed {
    fn new() -> Self {
        let sets = [Selector::new().unwrap(), Selector::new().unwrap()];
        Self { sleep: Sleep::new().unwrap(), sets, population: Population::new(2) }
    }

    /// One bed for each way to wait.
    fn both() -> [Self; 2] {
        let refused = Self::new();
        refused.sleep.sleeper.lock().refused = true;
        [Self::new(), refused]
    }

    fn add(&self, set: usize, fd: RawFd, token: u64) {
        assert!(!self.population.arrive(set), "nobody sleeps");
        self.sets[set].register(fd, Token::from_bits(token)).unwrap();
    }

    fn remove(&self, set: usize, fd: RawFd) {
        self.sets[set].deregister(fd).unwrap();
        self.population.leave(set);
    }

    /// What a wait hears, and how long it takes.
    fn wait(&self, timeout: Option<Duration>) -> (Vec<u64>, Duration) {
        let (start, mut heard) = (clock::now(), Vec::new());
        let mut hear = |events: &mut dyn Iterator<Item = (Token, _)>| {
            heard.extend(events.map(|(token, _)| token.to_bits()))
        };
        self.sleep.wait(&self.sets, &self.population, timeout, &mut hear).unwrap();
        (heard, clock::now() - start)
    }

    fn eventfd_in(&self) -> Option<usize> {
        self.sleep.sleeper.lock().eventfd_in
    }
}

/// From now on this thread's `epoll_pwait2` fails with `error`.
fn forbid_epoll_pwait2(error: i32) {
    let call = libc::SYS_epoll_pwait2 as u32;
    let (load, equal, give) =
        (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, libc::BPF_JMP | libc::BPF_JEQ, libc::BPF_RET);
    let step = |code: u32, jf, k| libc::sock_filter { code: code as u16, jt: 0, jf, k };
    let mut steps = [
        // The number of the call comes first in what a filter may look at.
        step(load, 0, 0),
        step(equal | libc::BPF_K, 1, call),
        step(give | libc::BPF_K, 0, libc::SECCOMP_RET_ERRNO | error as u32),
        step(give | libc::BPF_K, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let filter = libc::sock_fprog { len: 4, filter: steps.as_mut_ptr() };
    // SAFETY: the kernel copies the filter, which lives through the call.
    unsafe {
        assert_eq!(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
        assert_eq!(libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const filter), 0);
    }
}

fn never_early(bed: &Bed) {
    for timeout in [Duration::ZERO, Duration::from_micros(300), Duration::from_millis(5)] {
        let (heard, took) = bed.wait(Some(timeout));
        assert!(took >= timeout && took < timeout + LONG / 2, "{took:?} for {timeout:?}");
        assert!(heard.is_empty());
    }
}

#[test]
fn a_wait_ends_at_its_timeout_and_not_before() {
    Bed::both().iter().for_each(never_early);
}

#[test]
fn a_wake_ends_the_wait_in_progress_or_the_next_one() {
    for bed in Bed::both().map(Arc::new) {
        for _ in 0..200 {
            let waker = {
                let bed = Arc::clone(&bed);
                thread::spawn(move || bed.sleep.wake())
            };
            assert!(bed.wait(Some(LONG)).1 < LONG / 2);
            waker.join().unwrap();
        }
    }
}

#[test]
fn several_wakes_before_a_wait_are_one() {
    for bed in Bed::both() {
        (0..5).for_each(|_| bed.sleep.wake());
        assert_eq!(bed.wait(None).0, [], "a wake is no event");
        assert!(bed.wait(Some(SHORT)).1 >= SHORT, "the first wait has used them up");
    }
}

#[test]
fn a_look_does_not_take_the_wake_away() {
    let bed = Bed::new();
    bed.wait(Some(Duration::ZERO));
    assert_eq!(bed.eventfd_in(), Some(0));
    bed.sleep.wake();
    bed.sets[0].look(|events| events.for_each(|(token, _)| assert_eq!(token, Token::WAKE))).unwrap();
    assert!(bed.wait(Some(LONG)).1 < LONG / 2);
    assert!(bed.wait(Some(SHORT)).1 >= SHORT);
}

#[test]
fn a_wait_brings_the_events_along() {
    for bed in Bed::both() {
        let (ours, _theirs) = UnixStream::pair().unwrap();
        // A fresh stream is writable: an event.
        bed.add(1, ours.as_raw_fd(), 7);
        assert_eq!(bed.wait(Some(LONG)).0, [7]);
        assert!(bed.wait(Some(SHORT)).1 >= SHORT, "it was told of once");
        bed.remove(1, ours.as_raw_fd());
    }
}

#[test]
fn with_descriptors_in_several_sets_a_wait_is_for_all_of_them() {
    let bed = Bed::new();
    let (ours, theirs) = UnixStream::pair().unwrap();
    bed.add(0, ours.as_raw_fd(), 7);
    bed.add(1, theirs.as_raw_fd(), 8);
    assert_eq!(bed.wait(Some(LONG)).0, [7, 8]);
}

#[test]
fn the_eventfd_goes_where_the_descriptors_are_once_that_has_lasted() {
    let bed = Bed::new();
    let (ours, theirs) = UnixStream::pair().unwrap();
    bed.wait(Some(Duration::ZERO));
    bed.add(0, ours.as_raw_fd(), 7);
    bed.add(1, theirs.as_raw_fd(), 8);
    bed.wait(Some(LONG));
    bed.remove(0, ours.as_raw_fd());
    for _ in 0..CALM {
        bed.wait(Some(Duration::ZERO));
        assert_eq!(bed.eventfd_in(), Some(0), "it may soon be two sets again");
    }
    bed.wait(Some(Duration::ZERO));
    assert_eq!(bed.eventfd_in(), Some(1));
    bed.sleep.wake();
    assert!(bed.wait(Some(LONG)).1 < LONG / 2);
    assert!(bed.wait(Some(SHORT)).1 >= SHORT);
}

#[test]
fn without_epoll_pwait2_a_wait_is_no_worse() {
    for error in [libc::ENOSYS, libc::EPERM] {
        let filtered = thread::spawn(move || {
            forbid_epoll_pwait2(error);
            let bed = Bed::new();
            never_early(&bed);
            assert!(bed.sleep.sleeper.lock().refused, "found out once");
            let (ours, _theirs) = UnixStream::pair().unwrap();
            bed.add(0, ours.as_raw_fd(), 7);
            assert_eq!(bed.wait(Some(LONG)).0, [7]);
            bed.sleep.wake();
            assert!(bed.wait(Some(LONG)).1 < LONG / 2);
            never_early(&bed);
        });
        filtered.join().unwrap();
    }
}

#[test]
fn a_timeout_beyond_every_clock_is_a_wait_for_ever() {
    for bed in Bed::both() {
        bed.sleep.wake();
        bed.wait(Some(Duration::MAX));
    }
}
