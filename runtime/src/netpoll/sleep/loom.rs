//! The wake protocol, with the eventfd as a counter under a lock.

use ::loom::cell::UnsafeCell;
use ::loom::sync::Condvar;
use ::loom::sync::Mutex;
use ::loom::sync::atomic::{AtomicBool, Ordering::Relaxed};
use pirn_sync::primitive::{Arc, thread};

use super::Signal;

struct Model {
    signal: Signal,
    counter: Mutex<u64>,
    raised: Condvar,
    /// Written after each read of the eventfd and looked at before each write to it: loom sees whether the read comes
    /// first, which the lock of the counter would order either way.
    read: UnsafeCell<()>,
    /// What the wakers publish, each item before its wake.
    work: [AtomicBool; 3],
}

// SAFETY: the cell holds nothing; loom checks how it is used.
unsafe impl Sync for Model {}

impl Model {
    fn publish(&self, item: usize) {
        self.work[item].store(true, Relaxed);
        self.signal.raise(|| {
            self.read.with(|_| ());
            let before = std::mem::replace(&mut *self.counter.lock().unwrap(), 1);
            assert_eq!(before, 0, "E1");
            self.raised.notify_one();
        });
    }

    fn wait(&self) {
        let mut counter = self.counter.lock().unwrap();
        while *counter == 0 {
            counter = self.raised.wait(counter).unwrap();
        }
        drop(counter);
        self.signal.lower(|| {
            *self.counter.lock().unwrap() = 0;
            self.read.with_mut(|_| ());
        });
    }
}

/// Two threads publish and wake, one of them twice; a third waits until it has seen everything. A lost wake,
/// or one that is not followed by the sight of its work, leaves it waiting for ever, which loom reports.
#[test]
fn no_wake_is_lost() {
    let mut builder = ::loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(|| {
        let model = Arc::new(Model {
            signal: Signal::new(),
            counter: Mutex::new(0),
            raised: Condvar::new(),
            read: UnsafeCell::new(()),
            work: [AtomicBool::new(false), AtomicBool::new(false), AtomicBool::new(false)],
        });
        let wakers = [&[0][..], &[1, 2]].map(|items| {
            let model = Arc::clone(&model);
            thread::spawn(move || items.iter().for_each(|&item| model.publish(item)))
        });
        while !model.work.iter().all(|work| work.load(Relaxed)) {
            model.wait();
        }
        wakers.into_iter().for_each(|waker| waker.join().unwrap());
    });
}
