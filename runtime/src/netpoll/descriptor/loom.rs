//! Models of a reader against the poller: the kernel is a flag under a lock, an event is a call.

use std::sync::Arc as PlainArc;
use std::task::Wake;

use ::loom::sync::Notify;
use pirn_sync::primitive::{Arc, thread};

use super::*;

struct Sleeper(Notify);

impl Wake for Sleeper {
    fn wake(self: PlainArc<Self>) {
        self.0.notify();
    }
}

/// A descriptor, and whether the kernel has a byte for it.
struct Pipe {
    descriptor: Descriptor,
    byte: Mutex<bool>,
}

impl Pipe {
    fn new() -> Arc<Self> {
        let descriptor = Descriptor::new(0, Token::from_bits(0), 0);
        Arc::new(Self { descriptor, byte: Mutex::new(false) })
    }

    /// The peer writes and the poller hears of it.
    fn arrive(&self) {
        *self.byte.lock() = true;
        let mut ready = Vec::new();
        self.descriptor.event(Readiness { read: true, ..Readiness::default() }, &mut ready);
        ready.into_iter().for_each(Waker::wake);
    }

    /// The runtime shuts down.
    fn close(&self) {
        let mut ready = Vec::new();
        self.descriptor.close(&mut ready);
        ready.into_iter().for_each(Waker::wake);
    }

    /// Waits for the byte, as an operation does, and leaves it there.
    fn wait_for_byte(&self) {
        let closed = self.wait_until(|| *self.byte.lock());
        assert!(!closed, "nobody closes it");
    }

    /// Waits as an operation does that succeeds once `done` says so. True if it was closed before that.
    fn wait_until(&self, done: impl Fn() -> bool) -> bool {
        let sleeper = PlainArc::new(Sleeper(Notify::new()));
        let waker = Waker::from(PlainArc::clone(&sleeper));
        let mut cx = Context::from_waker(&waker);
        let mut waiting = Waiting::new();
        let closed = loop {
            match self.descriptor.poll_ready(Direction::Read, &mut waiting, &mut cx) {
                Poll::Ready(Ok(_)) if done() => break false,
                Poll::Ready(Ok(stamp)) => self.descriptor.clear_ready(Direction::Read, stamp),
                Poll::Ready(Err(_)) => break true,
                Poll::Pending => sleeper.0.wait(),
            }
        };
        self.descriptor.cancel(Direction::Read, &mut waiting);
        closed
    }
}

fn model(f: impl Fn() + Sync + Send + 'static) {
    let mut builder = ::loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(f);
}

#[test]
fn an_event_between_try_and_wait_is_seen() {
    model(|| {
        let pipe = Pipe::new();
        let poller = {
            let pipe = Arc::clone(&pipe);
            thread::spawn(move || pipe.arrive())
        };
        pipe.wait_for_byte();
        poller.join().unwrap();
    });
}

#[test]
fn two_readers_are_both_woken() {
    model(|| {
        let pipe = Pipe::new();
        let reader = {
            let pipe = Arc::clone(&pipe);
            thread::spawn(move || pipe.wait_for_byte())
        };
        let poller = {
            let pipe = Arc::clone(&pipe);
            thread::spawn(move || pipe.arrive())
        };
        pipe.wait_for_byte();
        reader.join().unwrap();
        poller.join().unwrap();
    });
}

#[test]
fn clearing_keeps_a_newer_event() {
    model(|| {
        let pipe = Pipe::new();
        let mut cx = Context::from_waker(Waker::noop());
        let Poll::Ready(Ok(stamp)) = pipe.descriptor.poll_ready_shared(Direction::Read, &mut cx) else {
            panic!("a new descriptor is ready");
        };
        let poller = {
            let pipe = Arc::clone(&pipe);
            thread::spawn(move || pipe.arrive())
        };
        pipe.descriptor.clear_ready(Direction::Read, stamp);
        poller.join().unwrap();
        assert!(pipe.descriptor.poll_ready_shared(Direction::Read, &mut cx).is_ready());
    });
}

#[test]
fn a_cancelled_wait_takes_nothing_from_another() {
    model(|| {
        let pipe = Pipe::new();
        let quitter = {
            let pipe = Arc::clone(&pipe);
            thread::spawn(move || {
                let mut waiting = Waiting::new();
                let mut cx = Context::from_waker(Waker::noop());
                let _ = pipe.descriptor.poll_ready(Direction::Read, &mut waiting, &mut cx);
                pipe.descriptor.cancel(Direction::Read, &mut waiting);
            })
        };
        let poller = {
            let pipe = Arc::clone(&pipe);
            thread::spawn(move || pipe.arrive())
        };
        pipe.wait_for_byte();
        quitter.join().unwrap();
        poller.join().unwrap();
    });
}

#[test]
fn a_close_is_heard_by_who_waits() {
    model(|| {
        let pipe = Pipe::new();
        let closer = {
            let pipe = Arc::clone(&pipe);
            thread::spawn(move || pipe.close())
        };
        assert!(pipe.wait_until(|| false));
        closer.join().unwrap();
    });
}

#[test]
fn what_precedes_a_nudge_is_seen_after_it() {
    use ::loom::sync::atomic::{AtomicBool, Ordering};
    model(|| {
        let pipe = Pipe::new();
        let moved = Arc::new(AtomicBool::new(false));
        let mut cx = Context::from_waker(Waker::noop());
        let Poll::Ready(Ok(first)) = pipe.descriptor.poll_ready_shared(Direction::Read, &mut cx) else {
            panic!("a new descriptor is ready");
        };
        pipe.descriptor.clear_ready(Direction::Read, first);
        let nudger = {
            let (pipe, moved) = (Arc::clone(&pipe), Arc::clone(&moved));
            thread::spawn(move || {
                moved.store(true, Ordering::Relaxed);
                pipe.descriptor.nudge(Direction::Read, &mut Vec::new());
            })
        };
        if pipe.descriptor.poll_ready_shared(Direction::Read, &mut cx).is_ready() {
            assert!(moved.load(Ordering::Relaxed));
        }
        nudger.join().unwrap();
    });
}
