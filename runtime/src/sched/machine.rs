//! M, a machine: an OS thread, and what it does while it holds no processor.
//!
//! ```text
//!                    ┌────────────── wait ◄────────────────┐
//!                    ▼                                     │
//!   parked on its futex ─┐                                 │
//!                        ├─► assignment ─► work with a P ──┤   until the P is put down or given away
//!   in the netpoller ────┘             ├─► blocking jobs ──┘   until there are no more
//!   (one at most)                      └─► exit
//! ```
//!
//! One idle machine waits in the netpoller ([`netwait`](super::netwait)); the others park. Machines are started
//! as they are needed and reused, last in first out; those that nobody has needed for ten seconds end.
//!
//! # When no thread is to be had
//! At the limit, or when the system refuses, an assignment fails. What it was for stays where it was (a task
//! in a queue, a processor in the idle list, a job in its queue), and a mark is left under the same lock
//! under which machines register as waiting: the next one that would wait goes and looks instead.
//!
//! # Invariants
//! - M1. A machine is in `parked` or in `poller` exactly while it waits and has no assignment; whoever takes
//!   it out, under the lock, gives it one before the lock is released.
//! - M2. A parked machine is preferred to the poller, which would leave the network unattended, unless no
//!   processor stays idle: then the workers look at the network, and the poller is as good as any.
//! - M3. One machine at most waits in the netpoller, and one that was given an assignment there counts until
//!   it has left: a second one would eat the wake-up that is meant for the first.

use super::blocking::run_jobs;
use super::current::{self, Context};
use super::processor::Processor;
use super::shared::Shared;
use crate::park::{Parker, Unparker};
use crate::task::Owned;
use crate::thread;
use parking_lot::{Condvar, Mutex};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use std::{io, mem};

/// A machine that nobody has needed for so long ends.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// All machines of one runtime.
#[derive(Debug)]
pub(crate) struct Machines {
    lists: Mutex<Lists>,
    /// Signalled when a machine ends, and when the last task of a closing runtime has.
    changed: Condvar,
    closing: AtomicBool,
    /// A thread was started that waits for the last task and ends the machines.
    finishing: AtomicBool,
}

#[derive(Debug, Default)]
struct Lists {
    parked: Vec<Arc<Machine>>,
    /// The machine in the netpoller, until it is given something else to do.
    poller: Option<Arc<Machine>>,
    /// A machine is in the netpoller, maybe on its way out.
    polling: bool,
    /// Those that live.
    threads: usize,
    /// Ever started: the number in a thread's name.
    started: usize,
    exiting: bool,
    /// A processor could not be given away.
    refused_work: bool,
    /// A blocking job found no machine.
    refused_jobs: bool,
    /// To be joined at the end.
    handles: Vec<JoinHandle<()>>,
}

/// One machine, as others see it.
#[derive(Debug)]
pub(super) struct Machine {
    unparker: Arc<Unparker>,
    assignment: Mutex<Option<Assignment>>,
}

/// What a machine is to do.
#[derive(Debug)]
pub(super) enum Assignment {
    /// Run tasks with this processor.
    Work { processor: Box<Processor>, searching: bool },
    /// Run the blocking jobs that queue; the machine is counted in already.
    Jobs,
    /// End.
    Exit,
}

/// Why nobody takes an assignment.
#[derive(Debug)]
pub(super) enum Refused {
    /// The machines have been told to end.
    Ended,
    /// None is free and none can be started.
    NoThread,
}

impl Machines {
    pub(super) fn new() -> Self {
        Self {
            lists: Mutex::default(),
            changed: Condvar::new(),
            closing: AtomicBool::new(false),
            finishing: AtomicBool::new(false),
        }
    }

    pub(super) fn threads(&self) -> usize {
        self.lists.lock().threads
    }

    /// Whether a machine waits in the netpoller.
    pub(super) fn is_polling(&self) -> bool {
        self.lists.lock().polling
    }

    /// True for the first who wants to end the machines in the background.
    pub(super) fn begin_finish(&self) -> bool {
        !self.finishing.swap(true, Ordering::AcqRel)
    }

    /// Whether the runtime shuts down.
    pub(super) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }

    /// The machine in the netpoller is back. True if nobody has given it anything to do meanwhile (M1, M3).
    pub(super) fn leave_netpoller(&self) -> bool {
        let mut lists = self.lists.lock();
        lists.polling = false;
        lists.poller.take().is_some()
    }

    /// A task has ended: a shutdown that waits for the last one hears of it.
    pub(super) fn task_ended(&self, owned: &Owned) {
        if self.closing.load(Ordering::Acquire) && owned.is_empty() {
            let _lists = self.lists.lock();
            self.changed.notify_all();
        }
    }

    /// From now on the end of the last task is announced.
    pub(super) fn announce_last_task(&self) {
        self.closing.store(true, Ordering::Release);
    }

    /// Waits until `done`, or the deadline; looks again whenever a machine or the last task ends.
    pub(super) fn wait_until(&self, deadline: Option<Instant>, done: impl Fn(usize) -> bool) -> bool {
        let mut lists = self.lists.lock();
        while !done(lists.threads) {
            match deadline {
                None => self.changed.wait(&mut lists),
                Some(deadline) => {
                    if self.changed.wait_until(&mut lists, deadline).timed_out() {
                        return done(lists.threads);
                    }
                }
            }
        }
        true
    }
}

impl Shared {
    /// Gives `processor` to a machine: a parked one, the poller, or a new one.
    pub(super) fn start_machine(self: &Arc<Self>, processor: Box<Processor>, searching: bool) {
        // Time has passed since anybody looked at the clock.
        self.now();
        self.sysmon.wake();
        let mut work = Some(Assignment::Work { processor, searching });
        let refused = self.assign_from(&mut work);
        let Some(Assignment::Work { processor, searching }) = work else { return };
        let _look_again = self.idle.release(processor, searching);
        if let Err(Refused::Ended) = refused {
            self.cancel_injected();
        }
    }

    /// Starts the first machine, so that a runtime that exists can run.
    pub(super) fn start_first_machine(self: &Arc<Self>) -> io::Result<()> {
        let processor = self.idle.acquire(true).expect("a new runtime has at least one idle processor");
        let mut first = Some(Assignment::Work { processor, searching: true });
        self.start_thread(&mut self.machines.lists.lock(), &mut first)
    }

    /// Gives a machine something to do.
    pub(super) fn assign(self: &Arc<Self>, assignment: Assignment) -> Result<(), Refused> {
        self.assign_from(&mut Some(assignment))
    }

    /// Gives a machine what lies in `assignment`, and leaves it there if nobody takes it.
    fn assign_from(self: &Arc<Self>, assignment: &mut Option<Assignment>) -> Result<(), Refused> {
        let is_work = matches!(assignment, Some(Assignment::Work { .. }));
        let mut lists = self.machines.lists.lock();
        if lists.exiting {
            return Err(Refused::Ended);
        }
        let take_poller = is_work && (lists.parked.is_empty() || !self.idle.any());
        let poller = if take_poller { lists.poller.take() } else { None };
        let polls = poller.is_some();
        let Some(machine) = poller.or_else(|| lists.parked.pop()) else {
            return self.start_thread(&mut lists, assignment).map_err(|_| {
                if is_work {
                    lists.refused_work = true;
                } else {
                    lists.refused_jobs = true;
                }
                Refused::NoThread
            });
        };
        *machine.assignment.lock() = assignment.take();
        drop(lists);
        if polls {
            self.netpoll.wake();
        } else {
            machine.unparker.unpark();
        }
        Ok(())
    }

    fn start_thread(self: &Arc<Self>, lists: &mut Lists, first: &mut Option<Assignment>) -> io::Result<()> {
        if lists.threads >= self.config.max_threads {
            return Err(io::ErrorKind::QuotaExceeded.into());
        }
        let name = format!("{}-{}", self.config.thread_name, lists.started);
        let handed_over = Arc::new(Mutex::new(first.take()));
        let (shared, to_do) = (self.clone(), handed_over.clone());
        let started = thread::start(name, self.config.thread_stack_size, move || {
            if let Some(first) = to_do.lock().take() {
                live(&shared, first);
            }
        });
        let handle = started.inspect_err(|_| *first = handed_over.lock().take())?;
        lists.handles.retain(|handle| !handle.is_finished());
        lists.handles.push(handle);
        lists.threads += 1;
        lists.started += 1;
        Ok(())
    }

    /// A task that was queued after the last machine was told to end is cancelled by who queued it.
    fn cancel_injected(&self) {
        while let Some(task) = self.injector.take() {
            task.cancel();
        }
    }

    /// Waits for the ends of the threads that have nothing more to do.
    pub(super) fn join_machines(&self) {
        let (handles, all_end) = {
            let mut lists = self.machines.lists.lock();
            (mem::take(&mut lists.handles), lists.threads == 0)
        };
        for handle in handles.into_iter().filter(|handle| all_end || handle.is_finished()) {
            // Their panics are reported where they happen.
            let _ = handle.join();
        }
    }

    /// Whether the machines have been told to end.
    pub(crate) fn has_ended(&self) -> bool {
        self.machines.lists.lock().exiting
    }

    /// Tells every machine to end as soon as it has nothing more to do.
    pub(super) fn exit_machines(&self) {
        let woken = {
            let mut lists = self.machines.lists.lock();
            lists.exiting = true;
            let mut woken = mem::take(&mut lists.parked);
            woken.extend(lists.poller.take());
            for machine in &woken {
                *machine.assignment.lock() = Some(Assignment::Exit);
            }
            woken
        };
        for machine in woken {
            machine.unparker.unpark();
        }
        self.netpoll.wake();
        self.sysmon.stop();
    }
}

/// The life of a machine.
fn live(shared: &Arc<Shared>, first: Assignment) {
    struct Ended<'a>(&'a Shared);
    impl Drop for Ended<'_> {
        fn drop(&mut self) {
            self.0.machines.lists.lock().threads -= 1;
            self.0.machines.changed.notify_all();
        }
    }
    let _ended = Ended(shared);
    let parker = Parker::new();
    let machine = Arc::new(Machine { unparker: parker.unparker().clone(), assignment: Mutex::new(None) });
    let context = Context::of_machine(shared.clone());
    current::enter(&context, || {
        let mut assignment = first;
        loop {
            match assignment {
                Assignment::Work { processor, searching } => context.work(processor, searching),
                Assignment::Jobs => run_jobs(shared),
                Assignment::Exit => return shared.cancel_injected(),
            }
            assignment = machine.wait(&context, &parker);
        }
    });
}

impl Machine {
    /// Waits for something to do.
    fn wait(self: &Arc<Self>, context: &Context, parker: &Parker) -> Assignment {
        let shared = &context.shared;
        loop {
            let polls = {
                let mut lists = shared.machines.lists.lock();
                if let Some(assignment) = shared.assignment_at_hand(&mut lists) {
                    return assignment;
                }
                let polls = !lists.polling && shared.idle.any();
                if polls {
                    lists.polling = true;
                    lists.poller = Some(self.clone());
                } else {
                    lists.parked.push(self.clone());
                }
                polls
            };
            let assignment = if polls { self.wait_in_netpoll(context) } else { self.park(shared, parker) };
            if let Some(assignment) = assignment {
                return assignment;
            }
        }
    }

    /// What this machine was given when it was taken out of the lists (M1).
    pub(super) fn take_assignment(&self) -> Option<Assignment> {
        self.assignment.lock().take()
    }

    /// Sleeps on the futex. A machine that is not needed for long ends.
    fn park(self: &Arc<Self>, shared: &Arc<Shared>, parker: &Parker) -> Option<Assignment> {
        loop {
            let woken = parker.park_timeout(KEEP_ALIVE);
            if let Some(assignment) = self.take_assignment() {
                return Some(assignment);
            }
            if woken {
                continue;
            }
            let mut lists = shared.machines.lists.lock();
            let surplus = lists.threads > shared.procs() + 1;
            let place = lists.parked.iter().position(|parked| Arc::ptr_eq(parked, self));
            if let (true, Some(place)) = (surplus, place) {
                lists.parked.remove(place);
                return Some(Assignment::Exit);
            }
        }
    }
}

impl Shared {
    /// What a machine does instead of waiting: end, or look after what found no machine.
    fn assignment_at_hand(&self, lists: &mut Lists) -> Option<Assignment> {
        if lists.exiting {
            return Some(Assignment::Exit);
        }
        if mem::take(&mut lists.refused_work)
            && let Some(processor) = self.idle.acquire(true)
        {
            return Some(Assignment::Work { processor, searching: true });
        }
        (mem::take(&mut lists.refused_jobs) && self.may_run_jobs()).then_some(Assignment::Jobs)
    }
}
