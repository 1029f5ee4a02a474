//! Closing down, step by step.
//!
//! 1. The registries close: a later `spawn` drops its future and yields a cancelled handle. Every live task
//!    is aborted: that schedules it, so its future is dropped by a worker, where it would have run. If all threads are
//!    kept by tasks that wait for others, there is one more for that.
//! 2. Wait until no task lives, at most until the deadline. A task inside a poll is waited for. Blocking jobs
//!    that have not started are cancelled; those that run are waited for a while.
//! 3. Timers and descriptors close: whoever still waits for one (a `block_on` in progress) is woken.
//! 4. The machines end. One that still runs a blocking job ends when the job does, and keeps the runtime's
//!    memory alive until then. Tasks that nobody had the time to drop, since all machines were stuck or they lie behind a
//!    poll that is, are dropped by a thread of their own. SIGQUIT, if it asked for a dump, has its former effect again.
//!
//! On one of the runtime's own machines (inside a task or a blocking job, maybe in a `block_on` of yet another
//! runtime) nobody may wait for step 2, since that task is among those waited for: a thread does the rest.

use super::current::{self, Place};
use super::processor::Remote;
use super::shared::Shared;
use crate::queue::local::Local;
use crate::task::{Owned, release_depot};
use crate::thread;
use pirn_sync::clock;
use pirn_sync::unwind::wake_caught;
use std::fmt;
use std::panic::Location;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What a shutdown left behind.
#[derive(Debug)]
#[must_use]
pub struct ShutdownReport {
    left: Vec<Left>,
}

/// A task or a blocking job that outlived the shutdown's deadline.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Left {
    /// Which of the two.
    pub kind: LeftKind,
    /// Its name, if it was given one.
    pub name: Option<Arc<str>>,
    /// Where it was spawned.
    pub spawned_at: &'static Location<'static>,
    /// How long ago it was spawned, or last began to wait. Imprecise by the time between two of the runtime's looks at
    /// the clock.
    pub age: Duration,
}

/// The kinds of what can be left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LeftKind {
    /// A task that is inside a poll, or that no worker was free to drop.
    Task,
    /// A blocking job that was running.
    Blocking,
}

impl ShutdownReport {
    /// Whether nothing was left.
    pub fn is_clean(&self) -> bool {
        self.left.is_empty()
    }

    /// What was left.
    pub fn left(&self) -> &[Left] {
        &self.left
    }
}

impl fmt::Display for ShutdownReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_clean() {
            return f.write_str("nothing was left");
        }
        for left in &self.left {
            let kind = match left.kind {
                LeftKind::Task => "task",
                LeftKind::Blocking => "blocking job",
            };
            let name = left.name.as_deref().unwrap_or("without a name");
            writeln!(f, "{kind} {name}, spawned at {}, {:.1?} old", left.spawned_at, left.age)?;
        }
        Ok(())
    }
}

impl Shared {
    /// Steps 1 to 4. Running blocking jobs are waited for at most `patience`, tasks at most `for_tasks`.
    pub(crate) fn shut_down(
        self: &Arc<Self>,
        for_tasks: Option<Duration>,
        patience: Duration,
    ) -> ShutdownReport {
        self.close();
        if current::is_machine_of(self) {
            self.finish_elsewhere();
            return self.report(true, true);
        }
        let deadline = for_tasks.and_then(|limit| clock::now().checked_add(limit));
        let no_task = self.machines.wait_until(deadline, |_| self.owned.is_empty());
        let for_jobs = [clock::now().checked_add(patience), deadline].into_iter().flatten().min();
        let no_job = self.machines.wait_until(for_jobs, |_| self.blocking.owned.is_empty());
        let report = self.report(!no_task, !no_job);
        self.finish(deadline, for_jobs);
        if !no_task {
            self.cancel_queued_elsewhere();
        }
        report
    }

    /// Drops what no machine has taken up before the end, if there is anything: all of them may be stuck for ever, and the
    /// caller's time is over.
    fn cancel_queued_elsewhere(self: &Arc<Self>) {
        let lies_behind_a_poll = |remote: &Arc<Remote>| remote.has_work() || remote.has_next();
        if self.injector.is_empty() && !self.roster.list().iter().any(lies_behind_a_poll) {
            return;
        }
        let shared = self.clone();
        let cancel = move || {
            // A destructor that spawns finds the closed runtime, as on a machine.
            let place = Place::new(shared.clone());
            current::enter(&place, || {
                shared.cancel_injected();
                shared.cancel_behind_polls();
            });
        };
        // Without a thread they are dropped when a poll that is stuck ends.
        let _ = thread::start(format!("{}-shutdown", self.config.thread_name), None, cancel);
    }

    /// Drops what lies in the queues and `next` slots of processors whose machines are inside a poll; one that comes out of
    /// it meanwhile drops its share itself.
    fn cancel_behind_polls(&self) {
        let taken = Local::new();
        for remote in &*self.roster.list() {
            while let Some(task) = taken.pop().or_else(|| remote.steal(&taken)) {
                task.cancel();
            }
            if let Some(next) = remote.rob_next(remote.glance()) {
                next.cancel();
            }
        }
    }

    /// What the registries show of the tasks and the jobs, each only if some were found to be left. If none were, a
    /// registry may still show one whose future is gone and that has been counted as ended, but is yet to be complete.
    fn report(&self, tasks: bool, jobs: bool) -> ShutdownReport {
        let left = |owned: &Owned, kind| {
            let left = owned.view().into_iter().map(move |task| Left {
                kind,
                name: task.name,
                spawned_at: task.spawned_at,
                age: self.age(task.since),
            });
            left.collect::<Vec<_>>()
        };
        let mut all = Vec::new();
        if tasks {
            all.extend(left(&self.owned, LeftKind::Task));
        }
        if jobs {
            all.extend(left(&self.blocking.owned, LeftKind::Blocking));
        }
        ShutdownReport { left: all }
    }

    /// Steps 1 to 4 without waiting.
    pub(crate) fn shut_down_background(self: &Arc<Self>) {
        self.close();
        self.finish_elsewhere();
    }

    /// Step 1.
    fn close(self: &Arc<Self>) {
        self.machines.begin_closing();
        self.owned.close();
        self.blocking.owned.close();
        self.machines.set_all_aborted();
        // Perhaps no thread was to be had for those that queue.
        self.notify();
        self.cancel_queued_jobs();
    }

    /// Steps 3 and 4. Machines that are at no blocking job are waited for until the deadline, and those whose job is over as
    /// long as jobs are: what is left to them is to wake who waits for it, or to drop its output, which may block as well.
    fn finish(&self, deadline: Option<Instant>, for_jobs: Option<Instant>) {
        self.close_timers();
        let mut waiting = Vec::new();
        self.netpoll.close_all(&mut waiting);
        waiting.into_iter().for_each(wake_caught);
        self.exit_machines();
        self.machines.wait_until(deadline, |waiting| waiting.threads() <= self.blocking.jobs.running());
        self.machines.wait_until(for_jobs, |waiting| waiting.threads() <= self.blocking.owned.len());
        self.join_machines();
        release_depot();
    }

    fn finish_elsewhere(self: &Arc<Self>) {
        if !self.machines.begin_finish() {
            return;
        }
        let shared = self.clone();
        let finish = move || {
            shared.machines.wait_until(None, |_| shared.owned.is_empty());
            shared.finish(None, None);
        };
        // Without a thread the machines stay parked until the process ends, which is all that can be done.
        let _ = thread::start(format!("{}-shutdown", self.config.thread_name), None, finish);
    }
}
