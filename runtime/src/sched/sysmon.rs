//! Sysmon: a thread of its own that looks for processors stuck in long polls, and does what they do not.
//!
//! A task that blocks or computes without ever awaiting holds its machine and its processor. Nothing on that
//! machine can notice, so somebody else must look at the clock. Sysmon's six duties at each tick:
//!
//! 1. *Compensate.* If work waits, nobody looks for it, and a machine has sat inside one poll since the last tick,
//!    lend a spare processor to a spare machine. How soon depends on what the stuck thread does:
//!    - It is *blocked* in the kernel: at once, since it uses no core.
//!    - It *burns* CPU: after a time slice of 10 ms, one spare above `procs` at most, and only if no other processor
//!      gets on either. One that gets on visits those that do not ([`visit`](super::visit)), and where it runs there
//!      is no further core to be had for the spare.
//!
//!    The stuck machine keeps its own processor, so its pushes race with nothing. What is parked there stays within
//!    reach: run queue and timers of everybody, the next slot of duty 4; its set of the network becomes the
//!    spare's. When the machine comes back it retires its processor ([`stuck`](super::stuck)).
//! 2. *Please yield.* A poll, or a chain of tasks that hand the next slot to each other while others wait, has used up
//!    its time slice: raise the flag that every leaf future honours. A poll is asked to yield even if no task waits,
//!    because some things happen only between polls: an abort, a shutdown, a look at the poll's own timeouts.
//!    (Counting operations instead, as tokio does, yields far too often, and livelocks code that polls twice.)
//! 3. *Network and timers.* While no machine waits in the netpoller, the workers look at both between polls. They do
//!    not if all of them are stuck. So when a timer is late, or it is not known that all of the network was looked at
//!    in the last 10 ms, send a machine without a processor to wake what is due. And if a poll lasts while a
//!    processor is idle, wake a machine for that one; when it finds nothing, it waits in the netpoller.
//! 4. *Rescue a next slot* that has held the same task in the same poll since the last tick: nobody was woken for it.
//! 5. *Make room.* Where other threads want the cores too, leave processors unused if as much gets done without
//!    them ([`crowd`](super::crowd)); while a poll lasts, or nothing runs, all of them are in use.
//! 6. *Give memory back* that tasks have left: once a second what nobody has needed since, and all when the runtime
//!    comes to rest ([`blocks`](crate::task)).
//!
//! # What sysmon never does
//! It runs nobody's code, but for the allocator's. A waker may be anybody's, and one that blocks would take sysmon with
//! it, and all that
//! depends on it: hence the machine that is sent. If the waker blocks, only that machine is lost, and what
//! was due in the same batch with it; the timers left behind are late still at the next tick, and another
//! machine goes. A worker that wakes what is due shows a poll meanwhile, and is made up for like any.
//!
//! There is one exception. At the limit of threads, with every machine stuck, nobody is left to send. What is
//! due then may be a plain thread inside a `block_on`, which needs no processor to go on, and may be what the
//! others are stuck for. So sysmon wakes it itself. A waker that blocks in just that moment does hold sysmon
//! up. But at that moment sysmon has no machine to lend either, and never to wake anybody would be worse.
//!
//! # How often
//! Every millisecond while some poll has lasted since the last tick, or no machine waits in the netpoller
//! (so always when every processor is busy); less often, to 4 ms, otherwise. When the runtime has been at
//! rest for a while (all processors idle, no poll in progress, somebody in the netpoller) sysmon sleeps until
//! a processor is taken up:
//!
//! ```text
//!   sysmon                               who takes up a processor
//!   A1  asleep = true                    B1  the word of `idle` changes
//!   A2  fence(SeqCst)                    B2  fence(SeqCst)
//!   A3  at rest still? park              B3  asleep ? unpark
//! ```
//! Whichever fence is first, the other side sees. For that reason all accesses to `asleep` are `Relaxed`, and
//! those to `lent_to_burning` are because it is a number that only bounds.
//!
//! # Rejected
//! Taking the processor away from the stuck machine, as Go does in system calls: its queue would have to be
//! safe against an owner that does not know that it is one no more, an atomic on every push.

use super::crowd::{Crowd, Sample};
use super::current::{self, Place};
use super::machine::Assignment;
use super::machines::Refused;
use super::processor::{Glimpse, Remote};
use super::shared::Shared;
use super::stuck::Replaced;
use super::thread_state::{self, Waits};
use crate::park::{Parker, Unparker};
use crate::task::{release_depot, trim_depot};
use crate::thread;
use pirn_sync::clock;
use pirn_sync::primitive::atomic::{AtomicBool, AtomicUsize, Ordering, fence};
use std::io;
use std::mem;
use std::sync::{Arc, OnceLock, Weak};
use std::time::{Duration, Instant};

/// How long a task may run while others wait.
const SLICE: Duration = Duration::from_millis(10);
/// The shortest and the longest nap between two ticks.
const FINE: Duration = Duration::from_millis(1);
const COARSE: Duration = Duration::from_millis(4);
/// How long memory lies unused before it is given back.
const TRIM: Duration = Duration::from_secs(1);
/// The network is looked at when nobody has for so long.
const NETWORK: Duration = Duration::from_millis(10);
/// After so many ticks with all processors idle, sysmon sleeps.
const IDLE_TICKS: u32 = 12;

/// What others see of sysmon.
#[derive(Debug)]
pub(super) struct Sysmon {
    asleep: AtomicBool,
    unparker: OnceLock<Arc<Unparker>>,
    /// Spares lent because a machine computes.
    lent_to_burning: AtomicUsize,
    enabled: bool,
}

/// What one look has found.
struct Tick {
    /// Some processor has been in one poll since the last tick.
    lasting: bool,
    /// No machine waits in the netpoller.
    deserted: bool,
}

/// What duty 5 goes by.
struct Room {
    crowd: Crowd,
    waits: Waits,
}

/// Sysmon's notes about one processor.
struct Note {
    /// Its counters at the last tick.
    polls: u64,
    slices: u64,
    /// What lay in its next slot at the last tick.
    seen: Glimpse,
    /// When the poll that it is in was first seen, and the time slice.
    since: Instant,
    slice_since: Instant,
    /// The CPU time of its thread at `since`.
    cpu: Option<Duration>,
}

impl Sysmon {
    pub(super) fn new(enabled: bool) -> Self {
        Self {
            asleep: AtomicBool::new(false),
            unparker: OnceLock::new(),
            lent_to_burning: AtomicUsize::new(0),
            enabled,
        }
    }

    /// B2 and B3.
    pub(super) fn wake(&self) {
        fence(Ordering::SeqCst);
        if self.asleep.load(Ordering::Relaxed)
            && self.asleep.swap(false, Ordering::Relaxed)
            && let Some(unparker) = self.unparker.get()
        {
            unparker.unpark();
        }
    }

    /// Wakes it whatever it does: the runtime ends.
    pub(super) fn stop(&self) {
        if let Some(unparker) = self.unparker.get() {
            unparker.unpark();
        }
    }

    /// A machine that was replaced has retired its processor, or came back before the spare was lent.
    pub(super) fn came_back(&self, why: Replaced) {
        if why == Replaced::Burning {
            self.lent_to_burning.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Shared {
    /// Starts the thread.
    pub(super) fn start_sysmon(self: &Arc<Self>) -> io::Result<()> {
        if !self.sysmon.enabled {
            return Ok(());
        }
        let shared = Arc::downgrade(self);
        let name = format!("{}-sysmon", self.config.thread_name);
        thread::start(name, None, move || watch(&shared)).map(drop)
    }

    /// Whether nothing runs, nothing is stuck, and somebody waits for the network and the timers.
    fn is_at_rest(&self) -> bool {
        self.idle_procs() >= self.procs()
            && self.machines.has_sleeper()
            && !self.roster.list().iter().any(|remote| remote.counters.is_inside_poll())
            && !self.has_work()
    }
}

/// The thread. It holds the runtime only while it looks, so that a runtime which is gone ends it.
fn watch(shared: &Weak<Shared>) {
    let parker = Parker::new();
    if let Some(shared) = shared.upgrade() {
        let _ = shared.sysmon.unparker.set(parker.unparker().clone());
    }
    let mut notes: Vec<Note> = Vec::new();
    let mut room = Room::new();
    let (mut idle_ticks, mut trimmed) = (0, clock::now());
    let mut nap = FINE;
    loop {
        parker.park_timeout(nap);
        let Some(shared) = shared.upgrade() else { return };
        if shared.has_ended() {
            return;
        }
        idle_ticks = if shared.is_at_rest() { idle_ticks + 1 } else { 0 };
        if idle_ticks > IDLE_TICKS {
            idle_ticks = 0;
            shared.withhold(0);
            release_depot();
            sleep(shared, &parker);
            room.iter_mut().for_each(|room| room.crowd.pause(clock::now()));
            nap = FINE;
            continue;
        }
        let Tick { lasting, deserted } = shared.tick(&mut notes);
        if shared.config.yield_cores
            && let Some(room) = &mut room
        {
            shared.make_room(room, lasting);
        }
        if clock::now().saturating_duration_since(trimmed) >= TRIM {
            trim_depot();
            trimmed = clock::now();
        }
        nap = if lasting || deserted { FINE } else { (nap * 2).min(COARSE) };
    }
}

/// A1 to A3.
fn sleep(shared: Arc<Shared>, parker: &Parker) {
    shared.sysmon.asleep.store(true, Ordering::Relaxed);
    fence(Ordering::SeqCst);
    if shared.is_at_rest() && !shared.has_ended() {
        drop(shared);
        parker.park();
    } else {
        shared.sysmon.asleep.store(false, Ordering::Relaxed);
    }
}

impl Shared {
    /// One look at everything.
    fn tick(self: &Arc<Self>, notes: &mut Vec<Note>) -> Tick {
        let now = clock::now();
        let roster = self.roster.list();
        let mut lasting = false;
        let gets_on = |(remote, note): (&Arc<Remote>, &Note)| remote.counters.raw_polls() != note.polls;
        let some_get_on = roster.iter().zip(&*notes).any(gets_on);
        for (remote, number) in roster.iter().zip(0..) {
            if number == notes.len() {
                notes.push(Note::new(remote, now));
                continue;
            }
            let note = &mut notes[number];
            self.rescue_next(remote, note);
            lasting |= self.judge(remote, note, now, some_get_on);
        }
        let deserted = !self.machines.has_sleeper();
        if deserted {
            self.have_others_looked_after(lasting);
        }
        if lasting && (deserted || self.has_work()) {
            // Some processor may be idle because its machine parked before the work was there, or before the
            // machine that waited in the netpoller left it for the poll that lasts. Whoever takes it up looks
            // everywhere, and waits in the netpoller when there is nothing.
            self.notify();
        }
        Tick { lasting, deserted }
    }

    /// Duties 1 and 2 for one processor. True if it has been in one poll since the last tick.
    fn judge(self: &Arc<Self>, remote: &Remote, note: &mut Note, now: Instant, some_get_on: bool) -> bool {
        let slices = remote.counters.slices();
        if slices != note.slices {
            (note.slices, note.slice_since) = (slices, now);
        }
        let polls = remote.counters.raw_polls();
        let inside = polls % 2 == 1;
        if !inside || polls != note.polls {
            *note = Note { slices: note.slices, slice_since: note.slice_since, ..Note::new(remote, now) };
            if now.duration_since(note.slice_since) >= SLICE && remote.has_work() {
                remote.stuck.please_yield.raise();
            }
            return false;
        }
        let lasted = now.duration_since(note.since);
        if lasted >= SLICE {
            remote.stuck.please_yield.raise();
        }
        // What is withheld is given back in this very look (duty 5), and costs no thread.
        let spare_needed = self.withheld() == 0 && !remote.stuck.is_replaced() && !self.idle.somebody_looks();
        if spare_needed && self.somebody_waits() {
            if is_blocked(remote, note, lasted) {
                self.compensate(remote, polls, Replaced::Blocked);
            } else if lasted >= SLICE
                && !some_get_on
                && self.sysmon.lent_to_burning.load(Ordering::Relaxed) == 0
            {
                self.compensate(remote, polls, Replaced::Burning);
            }
        }
        true
    }

    /// Duty 1: lends a spare processor in place of one that is stuck.
    fn compensate(self: &Arc<Self>, remote: &Remote, polls: u64, why: Replaced) {
        if why == Replaced::Burning {
            self.sysmon.lent_to_burning.fetch_add(1, Ordering::Relaxed);
        }
        if !remote.stuck.replace(why, || remote.counters.raw_polls() == polls) {
            return self.sysmon.came_back(why);
        }
        self.idle.lend_searching();
        let spare = self.spare();
        spare.remote.exchange_homes(remote);
        // Refused: it is idle, and the next machine that would wait takes it up.
        let _refused = self.give_to_machine(spare, true);
    }

    /// Duty 4.
    fn rescue_next(self: &Arc<Self>, remote: &Remote, note: &mut Note) {
        let seen = mem::replace(&mut note.seen, remote.glance());
        if let Some(task) = remote.rob_next(seen) {
            self.inject(task);
        }
    }

    /// Duty 5.
    fn make_room(self: &Arc<Self>, room: &mut Room, lasting: bool) {
        let Room { crowd, waits } = room;
        let now = clock::now();
        let processors = self.roster.list();
        processors.iter().for_each(|remote| waits.see(remote.stuck.thread()));
        // A machine that has lost its core looks as if its poll lasted: that is no reason not to begin.
        if lasting && crowd.withheld() > 0 {
            crowd.pause(now);
            self.withhold(0);
        } else if crowd.is_due(now) {
            let polls = processors.iter().map(|remote| remote.counters.polls()).sum();
            let queued =
                self.injector.len() + processors.iter().map(|remote| remote.queue_len()).sum::<usize>();
            let sample = Sample { at: now, polls, waited: waits.total(), queued };
            self.withhold(crowd.observe(sample, self.procs()));
        }
    }

    /// Duty 3: nobody waits in the netpoller.
    fn have_others_looked_after(self: &Arc<Self>, lasting: bool) {
        let patience = if lasting { Duration::ZERO } else { FINE };
        let late_since = self.next_deadline().saturating_add(patience.as_nanos() as u64);
        let unseen = !self.netpoll.is_empty() && self.network_unseen_for() >= NETWORK;
        if late_since > self.now() && !unseen {
            return;
        }
        let sent = match self.idle.notify() {
            Some(processor) => self.give_to_machine(processor, true),
            // Who searches looks at everything.
            None if self.idle.somebody_looks() => return,
            None => self.assign(Assignment::Look),
        };
        if let Err(Refused::NoThread) = sent {
            // A waker may call back into the runtime, and means this one.
            let place = Place::new(self.clone());
            current::enter(&place, || place.look_after_stuck());
        }
    }
}

impl Room {
    /// `None` where the kernel does not tell who waits for a core.
    fn new() -> Option<Self> {
        let nothing = Sample { at: clock::now(), polls: 0, waited: Duration::ZERO, queued: 0 };
        Some(Self { crowd: Crowd::new(nothing, 0), waits: Waits::new()? })
    }
}

impl Note {
    fn new(remote: &Remote, now: Instant) -> Self {
        Self {
            polls: remote.counters.raw_polls(),
            slices: remote.counters.slices(),
            seen: remote.glance(),
            since: now,
            slice_since: now,
            cpu: thread_state::used(remote.stuck.thread()),
        }
    }
}

/// Whether the thread has used next to no CPU since the poll was first seen.
fn is_blocked(remote: &Remote, note: &Note, lasted: Duration) -> bool {
    let now = thread_state::used(remote.stuck.thread());
    match (note.cpu, now) {
        (Some(then), Some(now)) if now.saturating_sub(then) < lasted / 10 => {
            !thread_state::wants_a_core(remote.stuck.thread())
        }
        _ => false,
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
