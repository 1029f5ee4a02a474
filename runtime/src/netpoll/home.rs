//! Where a descriptor is at home: the set, and so the processor, that hears of its events first.
//!
//! Every processor has a set of its own. It looks there before it looks anywhere else, so a connection is served
//! where it was served before: its memory, and what the kernel keeps for it, stay in one core's cache, and two
//! machines do not queue for one set's lock. With a single set for all, each event goes to whoever comes first.
//! ("Processor" here means its number for the network, which a spare takes over while it stands in for a stuck one.)
//!
//! # Which processor
//! 1. The one that runs on the CPU at which the socket's packets arrive (`SO_INCOMING_CPU`), if one was seen there:
//!    half of the work is done there already. Machines seldom change CPUs while there is work.
//! 2. Else the one that registers it, or the next in turn for a thread that holds none.
//!
//! # When that was wrong
//! Whoever has nothing to do takes events from other sets, and tasks from other queues. So a processor with too
//! many descriptors loses tasks to one with too few, and each such task waits at a processor that is not its
//! descriptor's home. After [`AWAY`] waits in a row at others, the descriptor moves to the one that it waits at now.
//! The load evens out, and moves cost nothing once it has. Where nobody ever has nothing to do, [`load`](super::load)
//! says whose events are taken over; those move at the next wait.
//!
//! # Invariants
//! H1. A registered descriptor is in at least one set at every moment: a move registers at the new home before it
//!     leaves the old one. An event told twice is harmless; one that falls between two sets would be lost.
//! H2. Nobody registers a closed descriptor: its number may belong to another by then. `closed` is read and written
//!     under the lock, which is held across the system calls of a move and of the close.
//!
//! All accesses to `set`, `away`, `next` and the table `on_cpu` are `Relaxed`: advice, or under the lock.

use std::io;

use pirn_sync::primitive::Mutex;
use pirn_sync::primitive::atomic::{AtomicU32, AtomicUsize, Ordering::Relaxed};

use super::epoll;

/// Waits in a row at other processors after which a descriptor moves. A move costs as much as a round trip's share
/// of system calls, so once in eight waits is the most that a task which wanders may pay.
const AWAY: u32 = 8;

/// CPUs that are told apart; those beyond share the entries.
const CPUS: usize = 256;

/// Where one descriptor is at home.
#[derive(Debug)]
pub(super) struct Home {
    set: AtomicUsize,
    /// Waits in a row at other processors.
    away: AtomicU32,
    closed: Mutex<bool>,
}

impl Home {
    pub(super) fn new(set: usize) -> Self {
        Self { set: AtomicUsize::new(set), away: AtomicU32::new(0), closed: Mutex::new(false) }
    }

    /// A task waits at the processor of `set`: whether the descriptor should move there.
    #[inline]
    pub(super) fn should_move(&self, set: usize) -> bool {
        if self.set.load(Relaxed) == set {
            if self.away.load(Relaxed) != 0 {
                self.away.store(0, Relaxed);
            }
            return false;
        }
        let away = self.away.load(Relaxed) + 1;
        self.away.store(away % AWAY, Relaxed);
        away == AWAY
    }

    /// The next wait at another processor moves it.
    pub(super) fn will_move(&self) {
        self.away.store(AWAY - 1, Relaxed);
    }

    /// Moves to `set` (H1, H2); where `register` fails the old home keeps it. `register` and `deregister` get
    /// a set's number.
    pub(super) fn move_to(
        &self,
        set: usize,
        register: impl FnOnce(usize) -> io::Result<()>,
        deregister: impl FnOnce(usize),
    ) {
        let closed = self.closed.lock();
        let old = self.set.load(Relaxed);
        if !*closed && old != set && register(set).is_ok() {
            self.set.store(set, Relaxed);
            deregister(old);
        }
    }

    /// Leaves for good (H2).
    pub(super) fn close<R>(&self, deregister: impl FnOnce(usize) -> R) -> R {
        let mut closed = self.closed.lock();
        *closed = true;
        deregister(self.set.load(Relaxed))
    }
}

/// What tells where a new descriptor belongs.
#[derive(Debug)]
pub(super) struct Homes {
    sets: usize,
    /// The set, plus one, of the processor that was last seen on each CPU; 0 for none.
    on_cpu: Box<[AtomicUsize]>,
    next: AtomicUsize,
}

impl Homes {
    pub(super) fn new(sets: usize) -> Self {
        Self { sets, on_cpu: (0..CPUS).map(|_| AtomicUsize::new(0)).collect(), next: AtomicUsize::new(0) }
    }

    /// The set of `processor`.
    pub(super) fn of_processor(&self, processor: usize) -> usize {
        processor % self.sets
    }

    /// A processor looks at its `set` from the CPU that it runs on.
    pub(super) fn seen_here(&self, set: usize) {
        let Some(cpu) = epoll::this_cpu() else { return };
        let place = &self.on_cpu[cpu % CPUS];
        if place.load(Relaxed) != set + 1 {
            place.store(set + 1, Relaxed);
        }
    }

    /// Where a descriptor belongs whose packets arrive at `cpu`, registered by `processor`.
    pub(super) fn choose(&self, cpu: Option<usize>, processor: Option<usize>) -> usize {
        let arrives_at = cpu.map_or(0, |cpu| self.on_cpu[cpu % CPUS].load(Relaxed));
        if arrives_at > 0 {
            return arrives_at - 1;
        }
        self.of_processor(processor.unwrap_or_else(|| self.next.fetch_add(1, Relaxed)))
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
