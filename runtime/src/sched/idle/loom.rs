//! Models of the handshake between those who make work and those who are about to sleep.
//!
//! A processor is a number here and a run queue a relaxed counter, which orders nothing by itself: only the
//! fences are left to carry the proof. Whoever takes a task never comes back, as if the task ran for ever, so
//! that a task is counted as lost even if a machine that happens to be awake would have come by later.

use super::*;
use ::loom::sync::Arc;
use ::loom::sync::atomic::AtomicUsize;
use ::loom::thread;

fn model(f: impl Fn() + Sync + Send + 'static) {
    let mut builder = ::loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(f);
}

struct Runtime {
    idle: Idle<usize>,
    tasks: AtomicUsize,
    procs: usize,
}

impl Runtime {
    /// Processors `busy..procs` are idle.
    fn new(procs: usize, busy: usize) -> Arc<Self> {
        let runtime = Self { idle: Idle::new(), tasks: AtomicUsize::new(0), procs };
        for processor in busy..procs {
            let _nobody_searches = runtime.idle.release(processor, false);
        }
        Arc::new(runtime)
    }

    fn take(&self) -> bool {
        let fewer = |tasks: usize| tasks.checked_sub(1);
        self.tasks.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fewer).is_ok()
    }

    /// S1 to S3. The machine that is woken runs here, on the submitter's thread: one schedule of many.
    fn submit(&self) {
        self.tasks.fetch_add(1, Ordering::Relaxed);
        self.notify();
    }

    fn notify(&self) {
        if let Some(processor) = self.idle.notify() {
            self.machine(processor, true);
        }
    }

    /// A machine until it sleeps or has a task, as `worker` and `find_work` have it.
    fn machine(&self, mut processor: usize, mut searching: bool) {
        loop {
            // A machine that does not search looks at its own queue only, and these tasks are elsewhere.
            searching = searching || self.idle.may_search(self.procs);
            if searching && self.take() {
                if self.idle.found() && self.tasks.load(Ordering::Relaxed) > 0 {
                    self.notify();
                }
                return;
            }
            if !self.idle.release(processor, searching) || self.tasks.load(Ordering::Relaxed) == 0 {
                return;
            }
            match self.idle.acquire(true) {
                Some(taken) => (processor, searching) = (taken, true),
                None => return,
            }
        }
    }

    fn assert_nothing_lost(&self) {
        assert_eq!(self.tasks.load(Ordering::Relaxed), 0, "a task lies there and nobody comes for it");
        assert_eq!(searching(self.idle.word.load(Ordering::Relaxed)), 0, "I2");
        let listed = self.idle.list.lock().len();
        assert_eq!(self.idle.len(), listed, "I1");
    }
}

#[test]
fn no_wake_up_is_lost() {
    model(|| {
        let runtime = Runtime::new(1, 1);
        let going_to_sleep = {
            let runtime = runtime.clone();
            thread::spawn(move || runtime.machine(0, false))
        };
        runtime.submit();
        going_to_sleep.join().unwrap();
        runtime.assert_nothing_lost();
    });
}

#[test]
fn no_wake_up_is_lost_by_a_searcher() {
    model(|| {
        let runtime = Runtime::new(1, 0);
        let processor = runtime.idle.acquire(true).unwrap();
        let searching = {
            let runtime = runtime.clone();
            thread::spawn(move || runtime.machine(processor, true))
        };
        runtime.submit();
        searching.join().unwrap();
        runtime.assert_nothing_lost();
    });
}

#[test]
fn the_last_of_two_searchers_looks() {
    model(|| {
        let runtime = Runtime::new(2, 0);
        let searchers: Vec<_> = (0..2)
            .map(|_| {
                let processor = runtime.idle.acquire(true).unwrap();
                let runtime = runtime.clone();
                thread::spawn(move || runtime.machine(processor, true))
            })
            .collect();
        runtime.submit();
        for searcher in searchers {
            searcher.join().unwrap();
        }
        runtime.assert_nothing_lost();
    });
}

#[test]
fn a_searcher_that_finds_work_wakes_the_next() {
    model(|| {
        let runtime = Runtime::new(2, 0);
        let processor = runtime.idle.acquire(true).unwrap();
        let searching = {
            let runtime = runtime.clone();
            thread::spawn(move || runtime.machine(processor, true))
        };
        runtime.submit();
        runtime.submit();
        searching.join().unwrap();
        runtime.assert_nothing_lost();
    });
}

#[test]
fn two_submitters_wake_one_machine_to_search() {
    model(|| {
        let runtime = Runtime::new(2, 0);
        let other = {
            let runtime = runtime.clone();
            thread::spawn(move || runtime.idle.notify().is_some())
        };
        let woken = runtime.idle.notify().is_some();
        assert!(woken != other.join().unwrap(), "the second relies on the first one's machine");
    });
}

#[test]
fn two_submitters_wake_a_machine_for_each_task() {
    model(|| {
        let runtime = Runtime::new(2, 0);
        let other = {
            let runtime = runtime.clone();
            thread::spawn(move || runtime.submit())
        };
        runtime.submit();
        other.join().unwrap();
        runtime.assert_nothing_lost();
    });
}
