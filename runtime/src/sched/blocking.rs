//! Blocking jobs: closures that may block, on machines that hold no processor.
//!
//! A job is a task whose future runs the closure in its only poll, with a queue of its own: so it has the
//! same handle, is aborted only before it starts, and its panic is caught in the same place. At most
//! `max_threads - procs - 1` run at once, and one in any case; the others queue, in order.
//!
//! ```text
//!   who starts a job                              a machine that is at it
//!   1  push                                       take one ◄──────┐
//!   2  running < limit ?                          ├─ there is: run it
//!        no:  a machine that is at it will come   └─ there is none, or running > limit:
//!             to this job                                running −= 1, in the same step
//!        yes: running += 1
//!   3         ask for a machine
//!             └─ none to be had: running −= 1, and the mark `refused`, in the same step
//! ```
//!
//! The number of processors may change, and the limit with it. Whoever raises it takes steps 2 and 3 for as many jobs
//! as queue, because the jobs that run may be waiting for one of those. When it is lowered, the machines above it
//! finish their jobs first.
//!
//! # Invariants
//! - B1. A job lies in the queue before a machine is asked for, and a machine is counted out in the step in
//!   which it finds the queue empty, or the limit exceeded. So whoever is told that the limit is reached relies on a
//!   machine that has yet to look; and where none could be had, the next one that would wait takes the jobs first
//!   ([`waiting`](super::waiting)).
//! - B2. `running` machines are at it, at most the limit, apart from those that began a job before it was lowered.
//! - B3. Once the runtime closes no job stays in the queue: those that run may never end, and then nobody would come for
//!   it. The shutdown announces itself, and then empties the queue, once. Whoever pushes a job after that cancels it: the
//!   lock of the queue, which the shutdown has had before, shows the announcement.
//!
//! The models stand in `blocking::loom`. One of them fails when steps 1 and 2 are exchanged; when either side counts out
//! a step later; when the limit is ignored, or is raised without a look at the queue; or when nobody wakes the
//! netpoller.

use super::machine::Assignment;
use super::machines::Refused;
use super::shared::Shared;
use crate::task::{JoinHandle, Outcome, Owned, Runnable, Schedule, TaskId, UnhandledTaskPanic, new_task};
use pirn_sync::primitive::Mutex;
use std::collections::VecDeque;
use std::panic::Location;
use std::pin::Pin;
use std::ptr::NonNull;
use std::sync::Arc;
use std::task::{Context, Poll};

/// The blocking jobs of one runtime.
#[derive(Debug)]
pub(super) struct BlockingJobs {
    pub(super) jobs: Jobs<Runnable>,
    pub(super) owned: Owned,
}

/// The queue, and how many machines are at it. `J` is a job, which only the tests replace.
#[derive(Debug)]
pub(super) struct Jobs<J>(Mutex<State<J>>);

#[derive(Debug)]
struct State<J> {
    running: usize,
    /// How many machines may be at it.
    limit: usize,
    queue: VecDeque<J>,
}

impl BlockingJobs {
    /// As many machines as `limit` run jobs at first.
    pub(super) fn new(limit: usize) -> Self {
        Self { jobs: Jobs::new(limit), owned: Owned::new(1) }
    }
}

impl<J> Jobs<J> {
    pub(super) fn new(limit: usize) -> Self {
        Self(Mutex::new(State { running: 0, limit, queue: VecDeque::new() }))
    }

    /// Changes the limit. How many more machines the jobs that queue are to be given.
    #[must_use]
    pub(super) fn set_limit(&self, limit: usize) -> usize {
        let mut state = self.0.lock();
        state.limit = limit;
        limit.saturating_sub(state.running).min(state.queue.len())
    }

    /// How many machines run jobs, or are about to.
    pub(super) fn running(&self) -> usize {
        self.0.lock().running
    }

    /// Queues a job, before a machine is asked for (B1).
    pub(super) fn push(&self, job: J) {
        self.0.lock().queue.push_back(job);
    }

    /// Counts one more machine in, if there are jobs and the limit allows (B2).
    #[must_use]
    pub(super) fn count_in(&self) -> bool {
        let mut state = self.0.lock();
        let may = !state.queue.is_empty() && state.running < state.limit;
        state.running += usize::from(may);
        may
    }

    /// The machine that was counted in is not to be had.
    pub(super) fn count_out(&self) {
        self.0.lock().running -= 1;
    }

    /// The next job; without one, or with too many at it, the machine is counted out, in the same step (B1).
    pub(super) fn next(&self) -> Option<J> {
        let mut state = self.0.lock();
        let job = if state.running <= state.limit { state.queue.pop_front() } else { None };
        if job.is_none() {
            state.running -= 1;
        }
        job
    }

    fn take_all(&self) -> VecDeque<J> {
        std::mem::take(&mut self.0.lock().queue)
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
        match self.blocking.owned.insert(&job, name, None) {
            Ok(()) => self.start_job(job),
            Err(_closed) => job.cancel(),
        }
        handle
    }

    fn start_job(self: &Arc<Self>, job: Runnable) {
        self.blocking.jobs.push(job);
        if self.is_closing() {
            self.cancel_queued_jobs(); // B3
        } else {
            self.ask_for_machine();
        }
    }

    /// Has one more machine run jobs, if there are any and the limit allows.
    pub(super) fn ask_for_machine(self: &Arc<Self>) {
        if self.blocking.jobs.count_in()
            && let Err(Refused::Ended) = self.assign(Assignment::Jobs)
        {
            self.blocking.jobs.count_out();
            self.cancel_queued_jobs();
        }
    }

    /// Cancels the jobs that have not started.
    pub(super) fn cancel_queued_jobs(&self) {
        self.blocking.jobs.take_all().into_iter().for_each(Runnable::cancel);
    }
}

/// Runs what queues, for a machine that was counted in.
pub(super) fn run_jobs(shared: &Arc<Shared>) {
    while let Some(job) = shared.blocking.jobs.next() {
        match job.run() {
            Outcome::Complete => {}
            Outcome::Idle | Outcome::Again(_) => unreachable!("a job is ready in its first poll"),
        }
    }
}

impl Schedule for BlockingScheduler {
    /// Nobody has a job's waker, so this is an abort, and it finds the job queued or running: never idle.
    unsafe fn schedule(this: NonNull<Self>, job: Runnable) {
        // SAFETY: the job is not queued yet.
        let shared = unsafe { this.as_ref() }.0.clone();
        shared.start_job(job);
    }

    fn registry(&self) -> *const Owned {
        &raw const self.0.blocking.owned
    }

    fn count_end(&self, named: Option<TaskId>) -> Option<Arc<str>> {
        self.0.blocking.owned.remove(named, None)
    }

    fn completed(&self) {
        self.0.machines.task_ended(&self.0.blocking.owned);
    }

    fn unhandled_panic(&self, panic: UnhandledTaskPanic) {
        self.0.unhandled_panic(panic);
    }

    fn coarse_now(&self) -> u64 {
        // A job is no matter of nanoseconds, and its age is what a shutdown reports.
        self.0.now() / 1_000_000
    }
}

#[cfg(all(test, loom))]
mod loom;
