//! What all machines of one runtime share, and the way by which a woken task comes back to it.
//!
//! All accesses to the numbers `coarse`, `network_seen` and `procs` are `Relaxed`: others act on them whenever
//! they come to see them.

use super::blocking::BlockingJobs;
use super::count::Count;
use super::current::{self, Place};
use super::idle::Idle;
use super::machines::Machines;
use super::processor::{Processor, Remote};
use super::resize::Spares;
use super::roster::Roster;
use super::sysmon::Sysmon;
use super::timers::Deadlines;
use super::unhandled::UnhandledPanic;
use crate::netpoll::Netpoll;
use crate::queue::injector::Injector;
use crate::signal::Listening;
use crate::task::{JoinHandle, Owned, Runnable, Schedule, TaskId, TaskView, UnhandledTaskPanic, new_task};
use crate::timer::Epoch;
use parking_lot::Mutex;
use pirn_sync::clock;
use std::io;
use std::panic::{Location, RefUnwindSafe};
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// How a runtime was asked to be.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) procs: usize,
    pub(crate) max_threads: usize,
    pub(crate) thread_name: String,
    pub(crate) thread_stack_size: Option<usize>,
    pub(crate) on_unhandled_panic: UnhandledPanic,
    /// A machine that is one too many ends when nobody has needed it for so long.
    pub(crate) keep_alive: Duration,
    /// Whether processors are left unused while others want the cores.
    pub(crate) yield_cores: bool,
    /// Off only in the tests that show what sysmon is for.
    pub(crate) sysmon: bool,
}

impl Config {
    /// How many machines may run blocking jobs beside so many processors.
    pub(super) fn jobs_limit(&self, procs: usize) -> usize {
        self.max_threads.saturating_sub(procs + 1).max(1)
    }
}

/// One runtime.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(super) config: Config,
    pub(super) injector: Injector,
    pub(super) idle: Idle<Box<Processor>>,
    pub(super) roster: Roster,
    pub(super) procs: AtomicUsize,
    pub(super) spares: Spares,
    pub(super) sysmon: Sysmon,
    pub(super) machines: Machines,
    pub(super) blocking: BlockingJobs,
    pub(super) owned: Owned,
    pub(super) deadlines: Deadlines,
    pub(crate) netpoll: Arc<Netpoll>,
    pub(super) epoch: Epoch,
    /// Milliseconds since the start, as last read by any machine: when a task began to wait, for the dump.
    coarse: AtomicU64,
    /// When all of the network was looked at, in the same unit.
    network_seen: AtomicU64,
    /// Ended with the machines, if SIGQUIT is listened to for a dump.
    quit: Mutex<Option<Listening>>,
}

// A panic in a task or a waker is caught, or leaves with no lock held and everything in its place.
impl RefUnwindSafe for Shared {}

/// A task's way back to its runtime.
#[derive(Debug)]
pub(crate) struct Scheduler(Count);

impl Shared {
    /// A runtime with its first machines; the others start when there is work for them.
    pub(crate) fn new(config: Config) -> io::Result<Arc<Self>> {
        let epoch = Epoch::new(clock::now());
        let processors: Vec<_> = (0..config.procs).map(|index| Processor::new(index, epoch)).collect();
        let shared = Self {
            injector: Injector::new(),
            idle: Idle::new(),
            roster: Roster::new(processors.iter().map(|processor| processor.remote.clone()).collect()),
            procs: AtomicUsize::new(config.procs),
            spares: Spares::new(),
            sysmon: Sysmon::new(config.sysmon),
            machines: Machines::new(),
            blocking: BlockingJobs::new(config.jobs_limit(config.procs)),
            owned: Owned::new(config.procs),
            deadlines: Deadlines::new(),
            netpoll: Arc::new(Netpoll::new(config.procs)?),
            epoch,
            coarse: AtomicU64::new(0),
            network_seen: AtomicU64::new(0),
            quit: Mutex::new(None),
            config,
        };
        for processor in processors.into_iter().rev() {
            let _nobody_searches = shared.idle.release(processor, false);
        }
        let shared = Arc::new(shared);
        shared.start_first_machines()?;
        shared.start_sysmon().inspect_err(|_| shared.exit_machines())?;
        Ok(shared)
    }

    /// `listening` is to end with this runtime.
    pub(crate) fn listens_to_quit(&self, listening: Listening) {
        *self.quit.lock() = Some(listening);
    }

    /// Gives SIGQUIT its former disposition back, if it was listened to.
    pub(super) fn forget_quit(&self) {
        let listening = self.quit.lock().take();
        if let Some(listening) = listening {
            listening.end();
        }
    }

    /// Spawns a task.
    #[inline]
    pub(crate) fn spawn<F>(
        self: &Arc<Self>,
        future: F,
        name: Option<Arc<str>>,
        spawned_at: &'static Location<'static>,
    ) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let (task, handle) = new_task(future, Scheduler(Count::of(self)), TaskId::next(), spawned_at);
        current::with(|place| {
            self.admit(place.filter(|place| place.is_in(self)), task, name);
        });
        handle
    }

    /// Spawns a task in this thread's own runtime, which `count` was taken from: that reference becomes the task's.
    #[inline]
    pub(crate) fn spawn_here<F>(
        count: Count,
        future: F,
        name: Option<Arc<str>>,
        spawned_at: &'static Location<'static>,
    ) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        debug_assert!(current::with(|own| own.is_some_and(|own| own.is_in(&count))));
        let (task, handle) = new_task(future, Scheduler(count), TaskId::next(), spawned_at);
        current::with(|place| {
            let place = place.expect("the thread is where it was: no user code has run");
            place.shared.admit(Some(place), task, name);
        });
        handle
    }

    /// Registers a new task and queues it.
    fn admit(self: &Arc<Self>, place: Option<&Place>, task: Runnable, name: Option<Arc<str>>) {
        let near = place.and_then(|place| place.with_processor(|p| p.remote.index));
        match self.owned.insert(&task, name, near) {
            Ok(()) => self.schedule(place, task),
            Err(_closed) => task.cancel(),
        }
    }

    /// Queues a task: on this thread's processor if `place` is in this runtime and has one.
    fn schedule(self: &Arc<Self>, place: Option<&Place>, task: Runnable) {
        let mut task = Some(task);
        let made_work = place.and_then(|place| {
            place.with_processor(|processor| {
                let task = task.take()?;
                if place.is_batching() {
                    processor.queue.push(task);
                    return Some(false);
                }
                Some(processor.push_next(task))
            })?
        });
        match task {
            Some(task) => self.inject(task),
            None if made_work == Some(true) => self.notify(),
            None => {}
        }
    }

    /// Queues a task where every machine looks.
    pub(super) fn inject(self: &Arc<Self>, task: Runnable) {
        self.injector.push(task);
        self.notify();
        // If all machines are inside a poll that never ends, nobody was woken. Either the shutdown's last look at the injector
        // comes after the fence in `notify`, or this look after the one in its last question whether a task lives.
        if self.is_closing() && self.has_ended() {
            self.cancel_injected();
        }
    }

    /// Where a processor changes hands: wakes a machine if there is work, or if none is in the netpoller, which the workers
    /// looked after while all were busy. One that finds nothing to do waits there.
    pub(super) fn notify_if_deserted(self: &Arc<Self>) {
        if self.has_work() || !self.machines.has_sleeper() {
            self.notify();
        }
    }

    /// Wakes one machine to search, unless one searches already or none is idle.
    #[inline]
    pub(super) fn notify(self: &Arc<Self>) {
        if let Some(processor) = self.idle.notify() {
            // Refused: it is idle again, and the next machine that would wait takes it up.
            let _refused = self.give_to_machine(processor, true);
        }
    }

    /// Whether a searching machine would find something: the last look (M3 of [`idle`](super::idle)).
    pub(super) fn has_work(&self) -> bool {
        !self.injector.is_empty()
            || self.roster.list().iter().any(|remote| remote.has_work())
            || self.next_deadline() <= self.now()
    }

    /// The same, or a task lies in a next slot.
    pub(super) fn somebody_waits(&self) -> bool {
        self.has_work() || self.roster.list().iter().any(|remote| remote.has_next())
    }

    /// Nanoseconds since the runtime's start.
    pub(super) fn now(&self) -> u64 {
        let now = self.epoch.ticks(clock::now());
        // Everybody reads it after each poll: it is written when it changes, not whenever somebody looks at the clock.
        if self.coarse.load(Ordering::Relaxed) != now / 1_000_000 {
            self.coarse.store(now / 1_000_000, Ordering::Relaxed);
        }
        now
    }

    /// The moment of a coarse time.
    pub(crate) fn moment(&self, coarse: u64) -> Instant {
        self.epoch.moment(Duration::from_millis(coarse))
    }

    /// How long ago a coarse time was.
    pub(super) fn age(&self, coarse: u64) -> Duration {
        clock::now().saturating_duration_since(self.moment(coarse))
    }

    pub(crate) fn live_tasks(&self) -> usize {
        self.owned.len()
    }

    pub(crate) fn spawned(&self) -> u64 {
        self.owned.spawned()
    }

    pub(crate) fn task_views(&self) -> Vec<TaskView> {
        self.owned.view()
    }

    pub(crate) fn threads(&self) -> usize {
        self.machines.threads()
    }

    /// How many processors are not in use.
    pub(crate) fn idle_procs(&self) -> usize {
        self.idle.len() + self.withheld()
    }

    pub(crate) fn injector_len(&self) -> usize {
        self.injector.len()
    }

    pub(crate) fn processors(&self) -> Arc<[Arc<Remote>]> {
        self.roster.list()
    }

    /// All of the network was looked at since `at`, in nanoseconds as [`now`](Self::now) tells it. A look at some sets
    /// does not count: those of a processor that is stuck or was given up would be nobody's.
    pub(super) fn note_network_seen(&self, at: u64) {
        self.network_seen.fetch_max(at / 1_000_000, Ordering::Relaxed);
    }

    pub(super) fn network_unseen_for(&self) -> Duration {
        let seen = self.network_seen.load(Ordering::Relaxed);
        Duration::from_millis((self.now() / 1_000_000).saturating_sub(seen))
    }

    /// Whether it shuts down, or has.
    pub(crate) fn is_closing(&self) -> bool {
        self.machines.is_closing()
    }

    pub(crate) fn procs(&self) -> usize {
        self.procs.load(Ordering::Relaxed)
    }
}

impl Schedule for Scheduler {
    unsafe fn schedule(this: NonNull<Self>, task: Runnable) {
        current::with(|place| {
            // SAFETY: the task is not queued yet.
            let shared: &Arc<Shared> = unsafe { &this.as_ref().0 };
            match place.filter(|place| place.is_in(shared)) {
                // The place keeps the runtime alive when the task, and its scheduler with it, is gone.
                Some(place) => place.shared.schedule(Some(place), task),
                None => shared.clone().inject(task),
            }
        });
    }

    fn registry(&self) -> *const Owned {
        &raw const self.0.owned
    }

    fn count_end(&self, named: Option<TaskId>) -> Option<Arc<str>> {
        self.0.owned.remove(named, current::processor_of(&self.0))
    }

    fn completed(&self) {
        self.0.machines.task_ended(&self.0.owned);
    }

    fn unhandled_panic(&self, panic: UnhandledTaskPanic) {
        self.0.unhandled_panic(panic);
    }

    fn coarse_now(&self) -> u64 {
        self.0.coarse.load(Ordering::Relaxed)
    }
}
