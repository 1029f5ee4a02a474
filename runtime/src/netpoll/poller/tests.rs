//! Tests of the whole netpoller on real descriptors, without a scheduler: looks, visits, moves and closing.

use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake};
use std::thread;

use super::super::{Direction, Waiting};
use super::*;

const LONG: Duration = Duration::from_secs(20);

#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: std::sync::Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn pair() -> (UnixStream, UnixStream) {
    let (a, b) = UnixStream::pair().unwrap();
    a.set_nonblocking(true).unwrap();
    b.set_nonblocking(true).unwrap();
    (a, b)
}

/// Drains the first edges and clears `descriptor` for reading.
fn settle(netpoll: &Netpoll, descriptor: &Descriptor) {
    let mut ready = Vec::new();
    netpoll.look_everywhere(&mut ready);
    let mut cx = Context::from_waker(Waker::noop());
    if let Poll::Ready(stamp) = descriptor.poll_ready_shared(Direction::Read, &mut cx) {
        descriptor.clear_ready(Direction::Read, stamp.unwrap());
    }
}

#[test]
fn bytes_wake_the_reader() {
    let netpoll = Netpoll::new(2).unwrap();
    let (mut ours, mut theirs) = pair();
    let descriptor = netpoll.open(ours.as_fd(), None).unwrap();
    assert_eq!(netpoll.len(), 1);
    settle(&netpoll, &descriptor);
    let count = std::sync::Arc::new(Count::default());
    let waker = Waker::from(std::sync::Arc::clone(&count));
    let mut place = Waiting::new();
    let mut cx = Context::from_waker(&waker);
    assert!(descriptor.poll_ready(Direction::Read, &mut place, &mut cx).is_pending());

    let writer = thread::spawn(move || {
        theirs.write_all(b"x").unwrap();
        theirs
    });
    let mut ready = Vec::new();
    while ready.is_empty() {
        netpoll.wait(Some(LONG), &mut ready);
    }
    assert_eq!(count.0.load(Ordering::Relaxed), 0, "poll wakes nobody itself");
    ready.into_iter().for_each(Waker::wake);
    assert_eq!(count.0.load(Ordering::Relaxed), 1);
    assert!(descriptor.poll_ready(Direction::Read, &mut place, &mut cx).is_ready());
    assert_eq!(ours.read(&mut [0; 8]).unwrap(), 1);
    drop(writer.join().unwrap());
    netpoll.close(&descriptor).unwrap();
    assert_eq!(netpoll.len(), 0);
}

#[test]
fn a_regular_file_is_refused() {
    let netpoll = Netpoll::new(2).unwrap();
    let file = std::fs::File::open("/proc/self/exe").unwrap();
    assert_eq!(netpoll.open(file.as_fd(), None).unwrap_err().raw_os_error(), Some(libc::EPERM));
    assert_eq!(netpoll.len(), 0);
}

#[test]
fn a_number_is_registered_once_wherever_its_home_would_be() {
    let netpoll = Netpoll::new(2).unwrap();
    let (ours, _theirs) = pair();
    let descriptor = netpoll.open(ours.as_fd(), Some(0)).unwrap();
    for processor in [0, 1] {
        let error = netpoll.open(ours.as_fd(), Some(processor)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
    }
    netpoll.close(&descriptor).unwrap();
    let again = netpoll.open(ours.as_fd(), Some(1)).unwrap();
    netpoll.close(&again).unwrap();
}

#[test]
fn a_reused_number_gets_no_stale_wake() {
    let netpoll = std::sync::Arc::new(Netpoll::new(2).unwrap());
    let stop = std::sync::Arc::new(AtomicUsize::new(0));
    let poller = {
        let (netpoll, stop) = (std::sync::Arc::clone(&netpoll), std::sync::Arc::clone(&stop));
        thread::spawn(move || {
            let mut ready = Vec::new();
            while stop.load(Ordering::Relaxed) == 0 {
                netpoll.wait(Some(Duration::from_millis(1)), &mut ready);
                ready.drain(..).for_each(Waker::wake);
            }
        })
    };
    for _ in 0..2_000 {
        // An event of `noisy` is on its way while it is closed and its number goes to `quiet`.
        let (noisy, mut peer) = pair();
        let descriptor = netpoll.open(noisy.as_fd(), None).unwrap();
        peer.write_all(b"x").unwrap();
        netpoll.close(&descriptor).unwrap();
        drop(noisy);
        let (quiet, _silent_peer) = pair();
        let descriptor = netpoll.open(quiet.as_fd(), None).unwrap();
        let mut cx = Context::from_waker(Waker::noop());
        let Poll::Ready(Ok(stamp)) = descriptor.poll_ready_shared(Direction::Read, &mut cx) else {
            panic!("a new descriptor is ready");
        };
        descriptor.clear_ready(Direction::Read, stamp);
        let count = std::sync::Arc::new(Count::default());
        let waker = Waker::from(std::sync::Arc::clone(&count));
        let mut place = Waiting::new();
        let poll = descriptor.poll_ready(Direction::Read, &mut place, &mut Context::from_waker(&waker));
        assert!(poll.is_pending(), "readable without a byte: an event of the number's former owner");
        netpoll.wake();
        thread::yield_now();
        assert_eq!(count.0.load(Ordering::Relaxed), 0);
        descriptor.cancel(Direction::Read, &mut place);
        netpoll.close(&descriptor).unwrap();
    }
    stop.store(1, Ordering::Relaxed);
    poller.join().unwrap();
    assert_eq!(netpoll.len(), 0);
}

/// Waits in a row that make a descriptor move, and more.
fn wait_long_at(netpoll: &Netpoll, descriptor: &Descriptor, processor: usize) {
    (0..64).for_each(|_| netpoll.waited_at(processor, descriptor));
}

#[test]
fn a_descriptor_follows_the_task_that_waits_for_it() {
    let netpoll = Netpoll::new(2).unwrap();
    let (ours, mut theirs) = pair();
    let descriptor = netpoll.open(ours.as_fd(), Some(0)).unwrap();
    settle(&netpoll, &descriptor);
    for (now, before) in [(1, 0), (0, 1)] {
        wait_long_at(&netpoll, &descriptor, now);
        settle(&netpoll, &descriptor);
        let mut cx = Context::from_waker(Waker::noop());
        assert!(descriptor.poll_ready_shared(Direction::Read, &mut cx).is_pending());
        theirs.write_all(b"x").unwrap();
        let mut ready = Vec::new();
        netpoll.look_at(before, 0, &mut ready);
        assert!(ready.is_empty(), "it has moved to {now}");
        netpoll.look_at_others(before, &mut ready);
        assert_eq!(ready.len(), 1, "who has nothing to do looks there too");
        assert!((&ours).read(&mut [0; 8]).unwrap() == 1);
    }
    netpoll.close(&descriptor).unwrap();
}

/// Connections, all at home with processor 0, and the other end of each.
fn served_by_the_first(netpoll: &Netpoll, count: usize) -> Vec<(Arc<Descriptor>, UnixStream, UnixStream)> {
    let connections = (0..count).map(|_| {
        let (ours, theirs) = pair();
        let descriptor = netpoll.open(ours.as_fd(), Some(0)).unwrap();
        (descriptor, ours, theirs)
    });
    connections.collect()
}

/// A byte comes for every connection, and a task waits for it.
fn all_have_news(netpoll: &Netpoll, connections: &mut [(Arc<Descriptor>, UnixStream, UnixStream)]) {
    for (descriptor, ours, _) in &mut *connections {
        let _ = ours.read(&mut [0; 8]);
        settle(netpoll, descriptor);
    }
    for (descriptor, _, theirs) in connections {
        let mut cx = Context::from_waker(Waker::noop());
        assert!(descriptor.poll_ready_shared(Direction::Read, &mut cx).is_pending());
        theirs.write_all(b"x").unwrap();
    }
}

#[test]
fn a_visitor_takes_half_of_a_much_longer_line_and_keeps_it() {
    const COUNT: usize = 40;
    let netpoll = Netpoll::new(2).unwrap();
    let mut connections = served_by_the_first(&netpoll, COUNT);
    let mut ready = Vec::new();
    let mut looks = 0;
    for _ in 0..64 {
        all_have_news(&netpoll, &mut connections);
        ready.clear();
        netpoll.look_at(0, 0, &mut ready);
        assert_eq!(ready.len(), COUNT);
    }
    let mut visit = |queued, ready: &mut Vec<Waker>| {
        all_have_news(&netpoll, &mut connections);
        ready.clear();
        netpoll.visit(1, queued, 0, &mut looks, ready);
    };
    visit(0, &mut ready);
    assert!(ready.len() < COUNT, "the first visit only sees that others look");
    visit(COUNT, &mut ready);
    assert_eq!(ready.len(), 0, "who is as busy takes nothing");
    visit(0, &mut ready);
    assert!((COUNT / 4..COUNT * 2 / 3).contains(&ready.len()), "{} of {COUNT}", ready.len());

    let taken = ready.len();
    connections.iter().for_each(|(descriptor, ..)| netpoll.waited_at(1, descriptor));
    all_have_news(&netpoll, &mut connections);
    ready.clear();
    netpoll.look_at(0, 0, &mut ready);
    assert_eq!(ready.len(), COUNT - taken, "what was taken has moved at its next wait");
    connections.iter().for_each(|(descriptor, ..)| netpoll.close(descriptor).unwrap());
}

#[test]
fn who_has_many_in_its_queue_has_a_long_line_whatever_its_looks_wake() {
    const COUNT: usize = 6;
    let netpoll = Netpoll::new(2).unwrap();
    let mut connections = served_by_the_first(&netpoll, COUNT);
    let (mut looks, mut ready) = (0, Vec::new());
    for queued in [0, 500] {
        for _ in 0..64 {
            all_have_news(&netpoll, &mut connections);
            netpoll.look_at(0, queued, &mut ready);
        }
        netpoll.visit(1, 100, 0, &mut looks, &mut Vec::new());
        netpoll.look_at(0, queued, &mut ready);
        all_have_news(&netpoll, &mut connections);
        ready.clear();
        netpoll.visit(1, 100, 0, &mut looks, &mut ready);
        assert_eq!(
            ready.len(),
            if queued == 0 { 0 } else { COUNT },
            "{queued} in the queue of the other one"
        );
    }
    connections.iter().for_each(|(descriptor, ..)| netpoll.close(descriptor).unwrap());
}

#[test]
fn a_visitor_takes_everything_where_nobody_looks() {
    let netpoll = Netpoll::new(2).unwrap();
    let mut connections = served_by_the_first(&netpoll, 20);
    let (mut looks, mut ready) = (0, Vec::new());
    all_have_news(&netpoll, &mut connections);
    netpoll.visit(1, 1_000, 0, &mut looks, &mut ready);
    assert_eq!(ready.len(), 0, "somebody has looked since the last visit");
    netpoll.visit(1, 1_000, 0, &mut looks, &mut ready);
    assert_eq!(ready.len(), 20);
    connections.iter().for_each(|(descriptor, ..)| netpoll.close(descriptor).unwrap());
}

#[test]
fn no_byte_goes_unheard_while_its_descriptor_moves() {
    let netpoll = std::sync::Arc::new(Netpoll::new(2).unwrap());
    let (ours, mut theirs) = pair();
    let descriptor = netpoll.open(ours.as_fd(), Some(0)).unwrap();
    let stop = std::sync::Arc::new(AtomicUsize::new(0));
    let mover = {
        let (netpoll, descriptor, stop) = (netpoll.clone(), descriptor.clone(), stop.clone());
        thread::spawn(move || {
            while stop.load(Ordering::Relaxed) == 0 {
                wait_long_at(&netpoll, &descriptor, 1);
                wait_long_at(&netpoll, &descriptor, 0);
            }
        })
    };
    let begun = std::time::Instant::now();
    for _ in 0..2_000 {
        settle(&netpoll, &descriptor);
        let count = std::sync::Arc::new(Count::default());
        let waker = Waker::from(std::sync::Arc::clone(&count));
        let mut place = Waiting::new();
        let waits =
            descriptor.poll_ready(Direction::Read, &mut place, &mut Context::from_waker(&waker)).is_pending();
        theirs.write_all(b"x").unwrap();
        let mut ready = Vec::new();
        while waits && ready.is_empty() {
            netpoll.wait(Some(LONG), &mut ready);
            assert!(begun.elapsed() < 2 * LONG, "a byte that nobody hears of");
        }
        assert_eq!((&ours).read(&mut [0; 8]).unwrap(), 1);
        descriptor.cancel(Direction::Read, &mut place);
    }
    stop.store(1, Ordering::Relaxed);
    mover.join().unwrap();
    netpoll.close(&descriptor).unwrap();
}

/// Waits until the thread `id` sleeps in the kernel.
fn until_it_sleeps(id: i32) {
    let stat = format!("/proc/self/task/{id}/stat");
    while !std::fs::read_to_string(&stat).unwrap().contains(") S ") {
        thread::yield_now();
    }
}

/// A thread waits in set 0 alone when `bring` brings a descriptor into set 1: it hears of a byte there.
fn is_heard_in_set_1(bring: impl FnOnce(&Netpoll, &UnixStream) -> Arc<Descriptor>) {
    let netpoll = std::sync::Arc::new(Netpoll::new(2).unwrap());
    let (ours, mut theirs) = pair();
    let (tell_id, id) = std::sync::mpsc::channel();
    let (tell_heard, heard) = std::sync::mpsc::channel();
    let resting = netpoll.open(theirs.as_fd(), Some(0)).unwrap();
    settle(&netpoll, &resting);
    let sleeper = {
        let netpoll = netpoll.clone();
        thread::spawn(move || {
            // SAFETY: the call takes no pointer.
            tell_id.send(unsafe { libc::gettid() }).unwrap();
            let mut ready = Vec::new();
            while ready.is_empty() {
                netpoll.wait(Some(LONG), &mut ready);
            }
            tell_heard.send(()).unwrap();
        })
    };
    let id = id.recv().unwrap();
    until_it_sleeps(id);
    let descriptor = bring(&netpoll, &ours);
    let mut cx = Context::from_waker(Waker::noop());
    while let Poll::Ready(stamp) = descriptor.poll_ready_shared(Direction::Read, &mut cx) {
        descriptor.clear_ready(Direction::Read, stamp.unwrap());
    }
    until_it_sleeps(id);
    theirs.write_all(b"x").unwrap();
    heard.recv_timeout(LONG / 2).expect("the sleeper hears of set 1");
    sleeper.join().unwrap();
    netpoll.close(&descriptor).unwrap();
    netpoll.close(&resting).unwrap();
}

#[test]
fn a_descriptor_that_is_opened_in_another_set_is_heard_by_who_sleeps_in_one() {
    is_heard_in_set_1(|netpoll, ours| netpoll.open(ours.as_fd(), Some(1)).unwrap());
}

#[test]
fn a_descriptor_that_moves_to_another_set_is_heard_by_who_sleeps_in_one() {
    is_heard_in_set_1(|netpoll, ours| {
        let descriptor = netpoll.open(ours.as_fd(), Some(0)).unwrap();
        wait_long_at(netpoll, &descriptor, 1);
        descriptor
    });
}

#[test]
fn after_the_end_everything_gives_an_error() {
    let netpoll = Netpoll::new(2).unwrap();
    let (ours, _theirs) = pair();
    let descriptor = netpoll.open(ours.as_fd(), None).unwrap();
    settle(&netpoll, &descriptor);
    let mut cx = Context::from_waker(Waker::noop());
    assert!(descriptor.poll_ready_shared(Direction::Read, &mut cx).is_pending());
    let mut ready = Vec::new();
    netpoll.close_all(&mut ready);
    assert_eq!(ready.len(), 1);
    assert!(matches!(descriptor.poll_ready_shared(Direction::Read, &mut cx), Poll::Ready(Err(_))));
    assert!(netpoll.open(ours.as_fd(), None).is_err());
    netpoll.close(&descriptor).unwrap();
    assert_eq!(netpoll.len(), 0);
}
