//! Models of the next slot: its owner fills and empties it while a thief robs it.

use super::*;
use crate::task::{JoinHandle, Owned, Schedule, TaskId, UnhandledTaskPanic, new_task};
use ::loom::sync::atomic::AtomicUsize;
use ::loom::thread;
use pirn_sync::clock;
use std::panic::Location;

fn model(f: impl Fn() + Sync + Send + 'static) {
    let mut builder = ::loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(f);
}

/// These tasks end in their first poll: nobody schedules them again.
struct Nobody;

impl Schedule for Nobody {
    unsafe fn schedule(_this: NonNull<Self>, _task: Runnable) {
        unreachable!("these tasks are woken by nobody");
    }

    fn registry(&self) -> *const Owned {
        std::ptr::null()
    }

    fn count_end(&self, _named: Option<TaskId>) -> Option<Arc<str>> {
        None
    }

    fn completed(&self) {}

    fn unhandled_panic(&self, _panic: UnhandledTaskPanic) {
        unreachable!("these tasks do not panic");
    }

    fn coarse_now(&self) -> u64 {
        0
    }
}

/// A task that counts its runs. Its future lies in a cell that loom watches, written here: whoever runs it
/// without having synchronised with us is caught.
fn task(runs: &Arc<AtomicUsize>) -> (Runnable, JoinHandle<()>) {
    let runs = runs.clone();
    let run = async move {
        runs.fetch_add(1, Ordering::Relaxed);
    };
    new_task(run, Nobody, TaskId::next(), Location::caller())
}

fn run(task: Option<Runnable>) -> usize {
    task.map_or(0, |task| {
        let _complete = task.run();
        1
    })
}

/// A thief that looks at the slot once, and robs it if it has seen something.
fn robbing(remote: &Arc<Remote>) -> thread::JoinHandle<usize> {
    let remote = remote.clone();
    thread::spawn(move || {
        let seen = remote.glance();
        run(remote.rob_next(seen))
    })
}

/// One thread will do: the owner has begun another poll, so it comes to its slot; or what lies there now has come since.
#[test]
fn a_task_is_robbed_only_within_the_poll_in_which_it_was_seen() {
    model(|| {
        let runs = Arc::new(AtomicUsize::new(0));
        let processor = Processor::new(0, Epoch::new(clock::now()));
        let (task, _handle) = task(&runs);
        assert!(!processor.push_next(task));
        let seen = processor.remote.glance();
        processor.remote.counters.poll_edge();
        assert!(processor.remote.rob_next(seen).is_none());
        let seen = processor.remote.glance();
        let (other, _other) = self::task(&runs);
        assert!(processor.push_next(other));
        assert!(processor.remote.rob_next(seen).is_none());
        assert_eq!(run(processor.queue.pop()), 1);
        assert_eq!(run(processor.remote.rob_next(processor.remote.glance())), 1);
    });
}

#[test]
fn a_task_in_the_slot_is_taken_or_robbed_once() {
    model(|| {
        let runs = Arc::new(AtomicUsize::new(0));
        let processor = Processor::new(0, Epoch::new(clock::now()));
        let thief = robbing(&processor.remote);
        let (task, _handle) = task(&runs);
        assert!(!processor.push_next(task));
        let taken = run(processor.remote.take_next());
        assert_eq!(taken + thief.join().unwrap(), 1);
        assert_eq!(runs.load(Ordering::Relaxed), 1);
    });
}

#[test]
fn a_task_that_is_displaced_is_queued_or_robbed_once() {
    model(|| {
        let runs = Arc::new(AtomicUsize::new(0));
        let processor = Processor::new(0, Epoch::new(clock::now()));
        let (first, _first) = task(&runs);
        let (second, _second) = task(&runs);
        let thief = robbing(&processor.remote);
        assert!(!processor.push_next(first));
        // It displaced something unless the thief was faster.
        let displaced = usize::from(processor.push_next(second));
        assert_eq!(processor.queue.len(), displaced);
        let taken = run(processor.remote.take_next()) + run(processor.queue.pop());
        assert_eq!(taken + thief.join().unwrap(), 2);
        assert_eq!(runs.load(Ordering::Relaxed), 2);
    });
}

#[test]
fn two_thieves_share_nothing() {
    model(|| {
        let runs = Arc::new(AtomicUsize::new(0));
        let processor = Processor::new(0, Epoch::new(clock::now()));
        let (task, _handle) = task(&runs);
        let _ = processor.push_next(task);
        let thieves = [robbing(&processor.remote), robbing(&processor.remote)];
        let robbed: usize = thieves.into_iter().map(|thief| thief.join().unwrap()).sum();
        assert_eq!(robbed, 1, "nobody else empties the slot, so one of them succeeds");
        assert_eq!(runs.load(Ordering::Relaxed), 1);
    });
}
