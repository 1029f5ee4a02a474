//! Models of the blocking pool at its limits: of machines for jobs, and of threads.
//!
//! A job is a number and a machine is a name; a machine that is woken or started runs on the thread of who
//! woke it, which is one schedule of many. Nobody comes by later: a job that lies there at the end is lost.

use super::*;
use crate::sched::idle::Idle;
use crate::sched::waiting::{AtHand, Waiting};
use ::loom::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use ::loom::sync::{Arc, Notify};
use ::loom::thread;

fn model(f: impl Fn() + Sync + Send + 'static) {
    let mut builder = ::loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(f);
}

struct Pool {
    jobs: Jobs<usize>,
    waiting: Mutex<Waiting<&'static str>>,
    idle: Idle<usize>,
    max_threads: usize,
    /// As in `jobs`, for the check.
    limit: AtomicUsize,
    /// The wake of the netpoller.
    woken: Notify,
    ran: AtomicUsize,
    at_once: AtomicUsize,
}

impl Pool {
    /// `threads` machines live, all of them busy.
    fn new(threads: usize, max_threads: usize, limit: usize) -> Arc<Self> {
        let mut waiting = Waiting::new();
        (0..threads).for_each(|_| waiting.thread_started());
        Arc::new(Self {
            jobs: Jobs::new(limit),
            waiting: Mutex::new(waiting),
            idle: Idle::new(),
            max_threads,
            limit: AtomicUsize::new(limit),
            woken: Notify::new(),
            ran: AtomicUsize::new(0),
            at_once: AtomicUsize::new(0),
        })
    }

    /// A job is started, as `start_job` and `assign` have it.
    fn start(&self, job: usize) {
        self.jobs.push(job);
        self.ask_for_machine();
    }

    /// The limit is changed, as `set_procs` has it.
    fn set_limit(&self, limit: usize) {
        self.limit.store(limit, Relaxed);
        (0..self.jobs.set_limit(limit)).for_each(|_| self.ask_for_machine());
    }

    fn ask_for_machine(&self) {
        if !self.jobs.count_in() {
            return;
        }
        assert!(self.jobs.running() <= self.limit.load(Relaxed), "B2");
        let machine = {
            let mut waiting = self.waiting.lock();
            match waiting.take_parked() {
                Some((machine, _)) => machine,
                None if waiting.threads() < self.max_threads => {
                    waiting.thread_started();
                    "new"
                }
                None => {
                    let wake_sleeper = waiting.refuse_jobs(&self.jobs);
                    drop(waiting);
                    if wake_sleeper {
                        self.woken.notify();
                    }
                    return;
                }
            }
        };
        self.run_jobs();
        self.wait(machine, false);
    }

    fn run_jobs(&self) {
        while let Some(_job) = self.jobs.next() {
            let others = self.at_once.fetch_add(1, Relaxed);
            assert!(others < self.limit.load(Relaxed), "B2");
            self.ran.fetch_add(1, Relaxed);
            self.at_once.fetch_sub(1, Relaxed);
        }
    }

    /// A machine has nothing to do, as `Machine::wait` has it, until it is parked. Until it has had jobs it may wait in
    /// the netpoller as well, and stays there until it is woken.
    fn wait(&self, machine: &'static str, mut may_poll: bool) {
        loop {
            let mut waiting = self.waiting.lock();
            let at_hand = waiting.at_hand(&self.idle, &self.jobs);
            let polls = at_hand.is_none() && waiting.wait(machine, may_poll);
            drop(waiting);
            match at_hand {
                Some(AtHand::Jobs) => {
                    self.run_jobs();
                    may_poll = false;
                }
                Some(AtHand::Processor(_)) => unreachable!("there are none"),
                None if polls => {
                    self.woken.wait();
                    assert!(self.waiting.lock().leave_netpoller(), "it was given nothing");
                }
                None => return,
            }
        }
    }

    fn assert_all_ran(&self, jobs: usize) {
        assert_eq!(self.ran.load(Relaxed), jobs, "a job lies there and nobody comes for it");
        assert_eq!(self.jobs.running(), 0, "B2");
    }
}

#[test]
fn every_job_runs_and_the_limit_holds() {
    model(|| {
        let pool = Pool::new(0, 3, 1);
        let other = {
            let pool = pool.clone();
            thread::spawn(move || {
                pool.start(1);
                pool.start(2);
            })
        };
        pool.start(3);
        other.join().unwrap();
        pool.assert_all_ran(3);
    });
}

#[test]
fn two_machines_at_most_run_jobs_of_three_who_start_them() {
    model(|| {
        let pool = Pool::new(0, 3, 2);
        let others: Vec<_> = (0..2)
            .map(|job| {
                let pool = pool.clone();
                thread::spawn(move || pool.start(job))
            })
            .collect();
        pool.start(2);
        others.into_iter().for_each(|other| other.join().unwrap());
        pool.assert_all_ran(3);
    });
}

#[test]
fn a_job_that_others_wait_for_runs_when_the_limit_is_raised() {
    model(|| {
        let pool = Pool::new(1, 3, 1);
        // The machine that is at it does not come back.
        pool.jobs.push(0);
        assert!(pool.jobs.count_in() && pool.jobs.next().is_some());
        let other = {
            let pool = pool.clone();
            thread::spawn(move || {
                pool.start(1);
                pool.start(2);
            })
        };
        pool.set_limit(2);
        other.join().unwrap();
        assert_eq!((pool.ran.load(Relaxed), pool.jobs.running()), (2, 1));
    });
}

#[test]
fn machines_leave_the_jobs_when_the_limit_is_lowered_and_all_jobs_run() {
    model(|| {
        let pool = Pool::new(2, 3, 2);
        // Two machines are each about to be done with a job, and there are two more.
        (0..4).for_each(|job| pool.jobs.push(job));
        for _ in 0..2 {
            assert!(pool.jobs.count_in() && pool.jobs.next().is_some());
        }
        pool.set_limit(1);
        let other = {
            let pool = pool.clone();
            thread::spawn(move || pool.run_jobs())
        };
        pool.run_jobs();
        other.join().unwrap();
        pool.assert_all_ran(2);
    });
}

/// Both limits are reached, and the one machine is about to have nothing to do.
fn a_job_that_finds_no_thread_is_taken_by_a_machine(may_poll: bool) {
    model(move || {
        let pool = Pool::new(1, 1, 1);
        let machine = {
            let pool = pool.clone();
            thread::spawn(move || pool.wait("first", may_poll))
        };
        pool.start(1);
        machine.join().unwrap();
        pool.assert_all_ran(1);
    });
}

#[test]
fn a_job_that_finds_no_thread_is_taken_by_the_next_machine_that_would_wait() {
    a_job_that_finds_no_thread_is_taken_by_a_machine(false);
}

#[test]
fn a_job_that_finds_no_thread_is_taken_by_the_machine_in_the_netpoller() {
    a_job_that_finds_no_thread_is_taken_by_a_machine(true);
}

#[test]
fn two_jobs_that_find_no_thread_are_taken_by_the_next_machine_that_would_wait() {
    model(|| {
        let pool = Pool::new(1, 1, 1);
        let machine = {
            let pool = pool.clone();
            thread::spawn(move || pool.wait("first", false))
        };
        let other = {
            let pool = pool.clone();
            thread::spawn(move || pool.start(1))
        };
        pool.start(2);
        machine.join().unwrap();
        other.join().unwrap();
        pool.assert_all_ran(2);
    });
}

#[test]
fn a_job_is_not_left_to_a_machine_that_ends() {
    model(|| {
        let pool = Pool::new(1, 1, 1);
        pool.wait("first", false);
        let machine = {
            let pool = pool.clone();
            // Nobody has needed it for long. What it does after this step is no concern of anybody's.
            thread::spawn(move || pool.waiting.lock().leave_if_surplus(0, |name| *name == "first"))
        };
        pool.start(1);
        let left = machine.join().unwrap();
        pool.assert_all_ran(1);
        let waiting = pool.waiting.lock();
        assert_eq!(waiting.threads(), waiting.parked().len());
        assert!(!left || waiting.threads() <= 1, "another was started in its place, or none");
    });
}
