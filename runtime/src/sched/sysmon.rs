//! Sysmon: a thread of its own that looks for processors stuck in long polls, and does what they do not.
//!
//! A task that blocks or computes without ever awaiting holds its machine and its processor. Nothing on that
//! machine can notice, so somebody else must look at the clock. Sysmon's six duties at each tick:
//!
//! 1. *Compensate.* Lend a spare processor in the place of one whose machine is stuck while work waits ([`judge`]).
//! 2. *Please yield.* Ask a task that has used up its time slice to let others run ([`judge`]).
//! 3. *Network and timers.* While no machine waits in the netpoller, the workers look at both between polls. They do
//!    not if all of them are stuck. So when a timer is late, or it is not known that all of the network was looked at
//!    in the last 10 ms, send a machine to wake what is due: with an idle processor if there is one, else without. And if
//!    a poll lasts while a processor is idle, wake a machine to take that one up; when it finds nothing, it waits in the
//!    netpoller.
//! 4. *Rescue a next slot* whose owner does not come to it ([`judge`]).
//! 5. *Make room.* Where other threads want the cores too, leave processors unused if as much gets done without
//!    them ([`crowd`](super::crowd)); while a poll lasts, or nothing runs, all of them are in use.
//! 6. *Give memory back* that tasks have left: once a second what nobody has needed since, and all when the runtime
//!    comes to rest ([`blocks`](crate::task)).
//!
//! # What sysmon never does
//! It runs nobody's code, but for the allocator's. A waker may be anybody's, and one that blocks would take sysmon with
//! it, and all that depends on it: hence the machine that is sent. If the waker blocks, only that machine is lost, and what
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
//! Whichever fence is first, the other side sees. So all accesses to `asleep` are `Relaxed`. So are those to
//! `lent_to_burning`, a number that only bounds.

mod judge;

use super::crowd::{Crowd, Sample};
use super::current::{self, Place};
use super::machine::Assignment;
use super::machines::Refused;
use super::shared::Shared;
use super::stuck::Replaced;
use super::thread_state::Waits;
use crate::park::{Parker, Unparker};
use crate::task::Trimmer;
use crate::thread;
use judge::{Note, Notes};
use pirn_sync::clock;
use pirn_sync::primitive::atomic::{AtomicBool, AtomicUsize, Ordering, fence};
use std::io;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

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

    /// Whether a spare is lent because a machine computes: there is no more than one.
    fn has_lent_to_burning(&self) -> bool {
        self.lent_to_burning.load(Ordering::Relaxed) > 0
    }

    /// A spare is about to be lent.
    fn lends(&self, why: Replaced) {
        if why == Replaced::Burning {
            self.lent_to_burning.fetch_add(1, Ordering::Relaxed);
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
    let mut notes = Notes::default();
    let mut room = Room::new();
    let (mut idle_ticks, mut trimmed) = (0, clock::now());
    let mut nap = FINE;
    let mut trimmer = Trimmer::new();
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
            drop(trimmer);
            sleep(shared, &parker);
            trimmer = Trimmer::new();
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
            trimmer.trim();
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
    fn tick(self: &Arc<Self>, notes: &mut Notes) -> Tick {
        let now = clock::now();
        let roster = self.roster.list();
        let mut lasting = false;
        let patience = notes.patience(self.sysmon.has_lent_to_burning(), now);
        let patience = (!notes.some_get_on(&roster)).then_some(patience);
        let notes = &mut notes.of_each;
        for (remote, number) in roster.iter().zip(0..) {
            if number == notes.len() {
                notes.push(Note::new(remote, now));
                continue;
            }
            let note = &mut notes[number];
            self.rescue_next(remote, note);
            lasting |= self.judge(remote, note, now, patience);
        }
        let deserted = !self.machines.has_sleeper();
        if deserted {
            self.send_for_what_is_due(lasting);
        }
        if lasting && (deserted || self.has_work()) {
            // Some processor may be idle because its machine parked before the work was there, or before the
            // machine that waited in the netpoller left it for the poll that lasts. Whoever takes it up looks
            // everywhere, and waits in the netpoller when there is nothing.
            self.notify();
        }
        Tick { lasting, deserted }
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
    fn send_for_what_is_due(self: &Arc<Self>, lasting: bool) {
        let patience = if lasting { Duration::ZERO } else { FINE };
        let late_from = self.next_deadline().saturating_add(patience.as_nanos() as u64);
        let unseen = !self.netpoll.is_empty() && self.network_unseen_for() >= NETWORK;
        if late_from > self.now() && !unseen {
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

#[cfg(all(test, not(loom)))]
mod tests;
