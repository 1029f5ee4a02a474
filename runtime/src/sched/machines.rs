//! All machines of one runtime: when one is started, which one is given what, and when one ends.
//!
//! The first one is started with the runtime, a second one too where there are two processors, the others as they are
//! needed; they are reused, last in first out. What one of them does with what it is given stands in
//! [`machine`](super::machine).
//!
//! # Which machines end
//! One for each processor and one for the netpoller are enough. So many are kept for ever, and when idle they sleep
//! without a timeout. While there are more, each machine that parks sleeps for `keep_alive` at most, ten seconds
//! unless the builder was told otherwise, and then ends if there are still more than enough. No surplus machine
//! sleeps without a timeout: a machine is started only while none is parked, so every machine that parks afterwards
//! sees how many there are; and when fewer become enough ([`set_procs`](crate::set_procs)), those that sleep are
//! woken to look again.
//!
//! # When no thread is to be had
//! At the limit, or when the system refuses, an assignment fails. What it was for stays where it was (a task
//! in a queue, a processor in the idle list, a job in its queue), and the next machine that would wait takes
//! it up instead: [`waiting`](super::waiting) says why nothing is left lying.
//!
//! But no machine ever comes to wait if each of them is blocked inside a task that waits for another task. As long as
//! the runtime is open that is the program's own deadlock. When it shuts down, the futures of the tasks that are
//! waited for must be dropped, and for that one thread above the limit is allowed. It is allowed only once every
//! task has been aborted: until then it might run a task that blocks it like the others.
//!
//! The invariants are those of [`waiting`](super::waiting), which is the data under the lock here.
//!
//! # Orderings
//! | access | order | with | why |
//! |---|---|---|---|
//! | [`begin_closing`](Machines::begin_closing): store of `closing` | Release | `task_ended` | whoever sees the flag sees what the shutdown did before. Nothing relies on that: why the end of the last task does not miss the flag is proved in [`Owned`], by the task's state and a fence |
//! | [`task_ended`](Machines::task_ended), [`is_closing`](Machines::is_closing): load of `closing` | Acquire | `begin_closing` | as above |
//! | [`begin_finish`](Machines::begin_finish): exchange of `finishing` | AcqRel | itself | the exchange decides who is first; nothing else is relied on |

use super::machine::{Assignment, Machine, Next, live};
use super::processor::Processor;
use super::shared::Shared;
use super::waiting::{AtHand, Waiting, WokenBy};
use crate::task::Owned;
use crate::thread;
use parking_lot::{Condvar, Mutex};
use pirn_sync::clock;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use std::{io, mem};

/// All machines of one runtime.
#[derive(Debug)]
pub(crate) struct Machines {
    lists: Mutex<Lists>,
    /// Signalled when a machine ends, when the last task of a closing runtime has, and when the machines are told to end.
    changed: Condvar,
    closing: AtomicBool,
    /// A thread was started that waits for the last task and ends the machines.
    finishing: AtomicBool,
}

#[derive(Debug)]
struct Lists {
    waiting: Waiting<Arc<Machine>>,
    /// All that is left to run is to be dropped: there may be one thread more.
    all_aborted: bool,
    /// Ever started: the number in a thread's name.
    started: usize,
    /// To be joined at the end.
    handles: Vec<JoinHandle<()>>,
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
            lists: Mutex::new(Lists {
                waiting: Waiting::new(),
                all_aborted: false,
                started: 0,
                handles: Vec::new(),
            }),
            changed: Condvar::new(),
            closing: AtomicBool::new(false),
            finishing: AtomicBool::new(false),
        }
    }

    pub(super) fn threads(&self) -> usize {
        self.lists.lock().waiting.threads()
    }

    /// Whether a machine is in the netpoller (W2).
    pub(super) fn has_sleeper(&self) -> bool {
        self.lists.lock().waiting.has_sleeper()
    }

    /// True for the first who wants to end the machines in the background.
    pub(super) fn begin_finish(&self) -> bool {
        !self.finishing.swap(true, Ordering::AcqRel)
    }

    /// Whether the runtime shuts down.
    pub(super) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }

    /// The machine in the netpoller is back. True if nobody has given it anything to do meanwhile (W1, W2).
    pub(super) fn leave_netpoller(&self) -> bool {
        self.lists.lock().waiting.leave_netpoller()
    }

    /// A machine's thread ends, which has been counted until now or [has left](Self::leave).
    pub(super) fn ended(&self, counted: bool) {
        let mut lists = self.lists.lock();
        if counted {
            lists.waiting.thread_ended();
        }
        self.changed.notify_all();
    }

    /// Ends `machine`, on its own thread, if there are more than `enough`. True if so: it is counted no more, and
    /// nobody will join it.
    pub(super) fn leave(&self, machine: &Arc<Machine>, enough: usize) -> bool {
        let mut lists = self.lists.lock();
        let leaves = lists.waiting.leave_if_surplus(enough, |parked| Arc::ptr_eq(parked, machine));
        if leaves {
            let own = std::thread::current().id();
            lists.handles.retain(|handle| handle.thread().id() != own);
        }
        leaves
    }

    /// Fewer machines are needed from now on: those that sleep for ever look again.
    pub(super) fn fewer_are_enough(&self) {
        self.lists.lock().waiting.parked().iter().for_each(|machine| machine.unpark());
    }

    /// A task has ended: a shutdown that waits for the last one hears of it.
    #[inline]
    pub(super) fn task_ended(&self, owned: &Owned) {
        if self.closing.load(Ordering::Acquire) && owned.is_empty() {
            let _lists = self.lists.lock();
            self.changed.notify_all();
        }
    }

    /// The runtime shuts down: from now on the end of its last task is announced.
    pub(super) fn begin_closing(&self) {
        self.closing.store(true, Ordering::Release);
    }

    /// Every task has been aborted: there may be one thread above the limit.
    pub(super) fn set_all_aborted(&self) {
        self.lists.lock().all_aborted = true;
    }

    /// Waits until `done`, or the deadline; looks again whenever a machine or the last task ends, and when the machines
    /// are told to end.
    pub(super) fn wait_until(
        &self,
        deadline: Option<Instant>,
        done: impl Fn(&Waiting<Arc<Machine>>) -> bool,
    ) -> bool {
        let mut lists = self.lists.lock();
        while !done(&lists.waiting) {
            match deadline {
                None => self.changed.wait(&mut lists),
                Some(deadline) => {
                    if self.changed.wait_until(&mut lists, deadline).timed_out() {
                        return done(&lists.waiting);
                    }
                }
            }
        }
        true
    }
}

impl Shared {
    /// How many machines are kept though nobody needs them: one for each processor, and one in the netpoller.
    pub(super) fn enough_threads(&self) -> usize {
        self.procs() + 1
    }

    /// Gives `processor` to a machine: a parked one, the sleeper, or a new one. If none is to be had it is idle.
    pub(super) fn give_to_machine(
        self: &Arc<Self>,
        processor: Box<Processor>,
        searching: bool,
    ) -> Result<(), Refused> {
        // After a rest the coarse time, by which tasks note when they began to wait, may be long out of date.
        self.now();
        self.sysmon.wake();
        let started = self.assign(Assignment::Work { processor, searching });
        if let Err(Refused::Ended) = started {
            self.cancel_injected();
        }
        started
    }

    /// Starts a machine, so that a runtime that exists can run, and if it can have two, another one: while one waits in
    /// the netpoller the other is parked, which is where a machine is woken soonest.
    pub(super) fn start_first_machines(self: &Arc<Self>) -> io::Result<()> {
        let lists = &mut self.machines.lists.lock();
        let mut start = |processor| {
            let mut first = Some(Assignment::Work { processor, searching: true });
            let started = self.start_thread(lists, &mut first);
            if let Some(Assignment::Work { processor, searching }) = first {
                let _nobody_comes = self.idle.release(processor, searching);
            }
            started
        };
        let first = self.idle.acquire(true).expect("a new runtime has at least one idle processor");
        // Before the first one runs: it puts its processor down when it finds nothing.
        let second = self.idle.acquire(true);
        start(first)?;
        if let Some(processor) = second {
            // Without it everything works, and some wakes take longer.
            let _refused = start(processor);
        }
        Ok(())
    }

    /// Gives a machine something to do: one that waits, or else a new one. What nobody takes lies where the next machine
    /// that would wait finds it.
    pub(super) fn assign(self: &Arc<Self>, assignment: Assignment) -> Result<(), Refused> {
        let mut lists = self.machines.lists.lock();
        if lists.waiting.has_ended() {
            if let Assignment::Work { processor, searching } = assignment {
                let _nobody_comes = self.idle.release(processor, searching);
            }
            return Err(Refused::Ended);
        }
        let taken = match assignment {
            Assignment::Work { .. } => lists.waiting.take_for_work(!self.idle.any()),
            _ => lists.waiting.take_parked(),
        };
        if let Some((machine, woken_by)) = taken {
            machine.assign(assignment);
            drop(lists);
            match woken_by {
                WokenBy::Eventfd => self.netpoll.wake(),
                WokenBy::Futex => machine.unpark(),
            }
            return Ok(());
        }
        let mut first = Some(assignment);
        if self.start_thread(&mut lists, &mut first).is_ok() {
            return Ok(());
        }
        let wake_sleeper = first.is_some_and(|refused| self.refuse(&mut lists.waiting, refused));
        drop(lists);
        if wake_sleeper {
            self.netpoll.wake();
        }
        Err(Refused::NoThread)
    }

    /// No machine is to be had. True if the one in the netpoller must be woken to look.
    fn refuse(&self, waiting: &mut Waiting<Arc<Machine>>, assignment: Assignment) -> bool {
        match assignment {
            Assignment::Work { processor, searching } => {
                waiting.refuse_work(&self.idle, processor, searching)
            }
            Assignment::Jobs => waiting.refuse_jobs(&self.blocking.jobs),
            // Whoever sends for a look knows what else to do, and nobody is assigned the others here.
            Assignment::Look | Assignment::Exit | Assignment::Leave => false,
        }
    }

    /// A machine has nothing to do: it finds something that was refused, or stands in the lists from now on (W1).
    pub(super) fn let_wait(&self, machine: &Arc<Machine>) -> Next {
        let waiting = &mut self.machines.lists.lock().waiting;
        if waiting.has_ended() {
            return Next::Do(Assignment::Exit);
        }
        match waiting.at_hand(&self.idle, &self.blocking.jobs) {
            Some(AtHand::Processor(processor)) => Next::Do(Assignment::Work { processor, searching: true }),
            Some(AtHand::Jobs) => Next::Do(Assignment::Jobs),
            None if waiting.wait(machine.clone(), self.idle.any()) => Next::Poll,
            None => Next::Park,
        }
    }

    /// Starts a machine that takes `first`, unless that fails.
    fn start_thread(self: &Arc<Self>, lists: &mut Lists, first: &mut Option<Assignment>) -> io::Result<()> {
        if lists.waiting.threads() >= self.config.max_threads.saturating_add(usize::from(lists.all_aborted)) {
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
        lists.waiting.thread_started();
        lists.started += 1;
        Ok(())
    }

    /// A task that was queued after the last machine was told to end is cancelled by who queued it.
    pub(super) fn cancel_injected(&self) {
        while let Some(task) = self.injector.take() {
            task.cancel();
        }
    }

    /// Waits for the ends of the threads that have nothing more to do, but for this one: the last pointer to the runtime
    /// may lie in a thread local of a machine, whose destructor runs when that is a machine no more.
    pub(super) fn join_machines(&self) {
        let (handles, all_end) = {
            let mut lists = self.machines.lists.lock();
            (mem::take(&mut lists.handles), lists.waiting.threads() == 0)
        };
        let own = std::thread::current().id();
        let others = handles.into_iter().filter(|handle| handle.thread().id() != own);
        for handle in others.filter(|handle| all_end || handle.is_finished()) {
            // Their panics are reported where they happen.
            let _ = handle.join();
        }
    }

    /// Whether the machines have been told to end.
    pub(crate) fn has_ended(&self) -> bool {
        self.machines.lists.lock().waiting.has_ended()
    }

    /// Waits until the machines have been told to end, at most so long. True if they have.
    pub(crate) fn ends_within(&self, limit: Duration) -> bool {
        self.machines.wait_until(clock::now().checked_add(limit), Waiting::has_ended)
    }

    /// Tells every machine to end as soon as it has nothing more to do.
    pub(super) fn exit_machines(&self) {
        let woken = {
            let mut lists = self.machines.lists.lock();
            let woken = lists.waiting.end();
            for machine in &woken {
                machine.assign(Assignment::Exit);
            }
            self.machines.changed.notify_all();
            woken
        };
        for machine in woken {
            machine.unpark();
        }
        self.netpoll.wake();
        self.sysmon.stop();
        self.forget_quit();
    }
}
