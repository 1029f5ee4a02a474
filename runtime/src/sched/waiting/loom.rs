//! Models of a processor that finds no machine, against a machine that is about to wait.

use super::*;
use ::loom::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use ::loom::sync::{Arc, Mutex};
use ::loom::thread;

fn model(f: impl Fn() + Sync + Send + 'static) {
    let mut builder = ::loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(f);
}

struct Runtime {
    waiting: Mutex<Waiting<&'static str>>,
    idle: Idle<usize>,
    jobs: Jobs<()>,
    tasks: AtomicUsize,
}

impl Runtime {
    fn new() -> Arc<Self> {
        let mut waiting = Waiting::new();
        waiting.thread_started();
        let idle = Idle::new();
        let _nobody_searches = idle.release(1, false);
        Arc::new(Self { waiting: Mutex::new(waiting), idle, jobs: Jobs::new(1), tasks: AtomicUsize::new(0) })
    }

    /// A task is queued where every machine looks, as `inject` and `give_to_machine` have it; no thread is to be
    /// had. True if the machine in the netpoller must be woken.
    fn submit(&self) -> bool {
        self.tasks.fetch_add(1, Relaxed);
        let Some(processor) = self.idle.notify() else { return false };
        let mut waiting = self.waiting.lock().unwrap();
        let taken = waiting.take_for_work(!self.idle.any());
        if taken.is_none() {
            return waiting.refuse_work(&self.idle, processor, true);
        }
        drop(waiting);
        self.work(processor);
        false
    }

    /// A machine that holds a processor to search with, until it has put it down.
    fn work(&self, processor: usize) {
        self.tasks.swap(0, Relaxed);
        let _submitters_look = self.idle.found();
        let _look_again = self.idle.release(processor, false);
    }

    /// A machine without a processor has nothing to do, until it waits.
    fn wait(&self, may_poll: bool) {
        loop {
            let mut waiting = self.waiting.lock().unwrap();
            match waiting.at_hand(&self.idle, &self.jobs) {
                Some(AtHand::Processor(processor)) => {
                    drop(waiting);
                    self.work(processor);
                }
                Some(AtHand::Jobs) => unreachable!("there are none"),
                None => {
                    let _goes_there = waiting.wait("first", may_poll);
                    return;
                }
            }
        }
    }
}

#[test]
fn a_processor_that_finds_no_machine_is_taken_up_by_the_next_that_would_wait() {
    model(|| {
        let runtime = Runtime::new();
        let machine = {
            let runtime = runtime.clone();
            thread::spawn(move || runtime.wait(false))
        };
        let wake_sleeper = runtime.submit();
        machine.join().unwrap();
        assert!(!wake_sleeper, "it is not there");
        assert_eq!(runtime.tasks.load(Relaxed), 0, "a task lies there and nobody comes for it");
        assert!(runtime.idle.notify().is_some(), "the processor is to be had, and nobody searches");
    });
}
