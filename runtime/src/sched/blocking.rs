//! Blocking jobs: closures that may block, on machines that hold no processor.
//!
//! A job is a task whose future runs the closure in its only poll, with a queue of its own: so it has the
//! same handle, is aborted only before it starts, and its panic is caught in the same place. At most
//! `max_threads - procs - 1` run at once; the others queue, in order.
//!
//! # Invariants
//! - B1. A job lies in the queue before a machine is asked for. A machine that was asked takes jobs until the
//!   queue is empty; so while it is not, machines are at it, or none could be had and the next one that would
//!   wait takes the jobs first (`refused` in [`machine`](super::machine)).
//! - B2. `running` machines are at it, at most the limit.

use super::machine::{Assignment, Refused};
use super::shared::Shared;
use crate::task::{
    JoinHandle, Outcome, Owned, OwnedKey, Runnable, Schedule, TaskId, UnhandledTaskPanic, new_task,
};
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::panic::Location;
use std::pin::Pin;
use std::ptr::NonNull;
use std::sync::Arc;
use std::task::{Context, Poll};

/// The blocking jobs of one runtime.
#[derive(Debug)]
pub(super) struct BlockingJobs {
    state: Mutex<State>,
    pub(super) owned: Owned,
}

#[derive(Debug, Default)]
struct State {
    running: usize,
    queue: VecDeque<Runnable>,
}

impl BlockingJobs {
    pub(super) fn new() -> Self {
        Self { state: Mutex::default(), owned: Owned::new(1) }
    }

    /// How many machines run jobs.
    pub(super) fn running(&self) -> usize {
        self.state.lock().running
    }
}

/// A job's way to its queue.
struct BlockingScheduler(Arc<Shared>);

/// A closure as a future: it runs in the first poll.
struct Job<F>(Option<F>);

impl<F> Unpin for Job<F> {}

impl<F: FnOnce() -> R, R> Future for Job<F> {
    type Output = R;

    fn poll(mut self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<R> {
        let job = self.0.take().expect("a job is polled once");
        Poll::Ready(job())
    }
}

impl Shared {
    /// Runs `f` on a thread that holds no processor.
    pub(crate) fn spawn_blocking<F, R>(
        self: &Arc<Self>,
        f: F,
        name: Option<Arc<str>>,
        spawned_at: &'static Location<'static>,
    ) -> JoinHandle<R>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        let scheduler = BlockingScheduler(self.clone());
        let (job, handle) = new_task(Job(Some(f)), scheduler, TaskId::next(), spawned_at);
        match self.blocking.owned.insert(&job, name, 0) {
            Ok(()) => self.start_job(job),
            Err(_closed) => job.cancel(),
        }
        handle
    }

    fn start_job(self: &Arc<Self>, job: Runnable) {
        self.blocking.state.lock().queue.push_back(job);
        if !self.may_run_jobs() {
            return;
        }
        match self.assign(Assignment::Jobs) {
            Ok(()) => {}
            Err(Refused::Ended) => self.cancel_queued_jobs(),
            Err(Refused::NoThread) => self.blocking.state.lock().running -= 1,
        }
    }

    /// Counts one more machine in, if there are jobs and the limit allows (B2).
    pub(super) fn may_run_jobs(&self) -> bool {
        let limit = self.config.max_threads.saturating_sub(self.procs() + 1).max(1);
        let mut state = self.blocking.state.lock();
        let may = !state.queue.is_empty() && state.running < limit;
        state.running += usize::from(may);
        may
    }

    /// Cancels the jobs that have not started.
    pub(super) fn cancel_queued_jobs(&self) {
        let queued = std::mem::take(&mut self.blocking.state.lock().queue);
        queued.into_iter().for_each(Runnable::cancel);
    }
}

/// Runs what queues, for a machine that was counted in.
pub(super) fn run_jobs(shared: &Arc<Shared>) {
    while let Some(job) = next_job(shared) {
        match job.run() {
            Outcome::Complete => {}
            Outcome::Idle | Outcome::Again(_) => unreachable!("a job is ready in its first poll"),
        }
    }
}

/// The next job; without one the machine is counted out.
fn next_job(shared: &Shared) -> Option<Runnable> {
    let mut state = shared.blocking.state.lock();
    let job = state.queue.pop_front();
    if job.is_none() {
        state.running -= 1;
    }
    job
}

impl Schedule for BlockingScheduler {
    /// Nobody has a job's waker, so this is an abort, and it finds the job queued or running: never idle.
    unsafe fn schedule(this: NonNull<Self>, job: Runnable) {
        // SAFETY: the job is not queued yet.
        let shared = unsafe { this.as_ref() }.0.clone();
        shared.start_job(job);
    }

    fn release(&self, key: OwnedKey) -> Option<Arc<str>> {
        let name = self.0.blocking.owned.remove(key);
        self.0.machines.task_ended(&self.0.blocking.owned);
        name
    }

    fn unhandled_panic(&self, panic: UnhandledTaskPanic) {
        self.0.unhandled_panic(panic);
    }

    fn coarse_now(&self) -> u64 {
        // A job is no matter of nanoseconds, and its age is what a shutdown reports.
        self.0.now() / 1_000_000
    }
}
