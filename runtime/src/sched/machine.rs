//! M, a machine: an OS thread, and what it does while it holds no processor.
//!
//! ```text
//!                    ┌────────────── wait ◄────────────────┐
//!                    ▼                                     │
//!   parked on its futex ─┐                                 │
//!                        ├─► assignment ─► work with a P ──┤   until the P is put down or given away
//!   in the netpoller ────┘             ├─► blocking jobs ──┤   until there are no more
//!   (one at most)                      ├─► look ───────────┘   once, for sysmon
//!                                      └─► exit, leave         the thread ends
//! ```
//!
//! One idle machine waits in the netpoller ([`netwait`](super::netwait)); the others park. Which of them is given what, when
//! one is started and when it ends is decided in [`machines`](super::machines), under the invariants of
//! [`waiting`](super::waiting): W1 and W2 are there.

use super::blocking::run_jobs;
use super::current::{self, Place};
use super::processor::Processor;
use super::shared::Shared;
use crate::park::{Parker, Unparker};
use parking_lot::Mutex;
use std::sync::Arc;

/// One machine, as others see it.
#[derive(Debug)]
pub(super) struct Machine {
    unparker: Arc<Unparker>,
    assignment: Mutex<Option<Assignment>>,
}

/// What a machine is to do next.
#[derive(Debug)]
pub(super) enum Assignment {
    /// Run tasks with this processor.
    Work { processor: Box<Processor>, searching: bool },
    /// Run the blocking jobs that queue; the machine is counted in already ([`Jobs`](super::blocking::Jobs)).
    Jobs,
    /// Wake what is due, while every processor is stuck: sysmon sends a machine for that.
    Look,
    /// End.
    Exit,
    /// End, and be counted no more: nobody has needed this machine for long.
    Leave,
}

/// What a machine with nothing to do does next.
pub(super) enum Next {
    /// There is something after all.
    Do(Assignment),
    /// Wait in the netpoller.
    Poll,
    /// Wait on its futex.
    Park,
}

/// The life of a machine.
pub(super) fn live(shared: &Arc<Shared>, first: Assignment) {
    struct Ended<'a> {
        shared: &'a Shared,
        counted: bool,
    }
    impl Drop for Ended<'_> {
        fn drop(&mut self) {
            self.shared.machines.ended(self.counted);
        }
    }
    let mut ended = Ended { shared, counted: true };
    let parker = Parker::new();
    let machine = Arc::new(Machine { unparker: parker.unparker().clone(), assignment: Mutex::new(None) });
    let place = Place::of_machine(shared.clone());
    current::enter(&place, || {
        let mut assignment = first;
        loop {
            match assignment {
                Assignment::Work { processor, searching } => place.work(processor, searching),
                Assignment::Jobs => run_jobs(shared),
                Assignment::Look => place.look_after_stuck(),
                Assignment::Exit => return shared.cancel_injected(),
                Assignment::Leave => {
                    ended.counted = false;
                    return;
                }
            }
            assignment = machine.wait(&place, &parker);
        }
    });
}

impl Machine {
    /// Waits for something to do.
    fn wait(self: &Arc<Self>, place: &Place, parker: &Parker) -> Assignment {
        let shared = &place.shared;
        loop {
            let assignment = match shared.let_wait(self) {
                Next::Do(assignment) => Some(assignment),
                Next::Poll => self.wait_in_netpoll(place),
                Next::Park => Some(self.park(shared, parker)),
            };
            if let Some(assignment) = assignment {
                return assignment;
            }
        }
    }

    /// Gives it something to do, when it is taken out of the lists (W1). It must then be [woken](Self::unpark).
    pub(super) fn assign(&self, assignment: Assignment) {
        *self.assignment.lock() = Some(assignment);
    }

    /// Wakes it if it is parked, or else from its next sleep.
    pub(super) fn unpark(&self) {
        self.unparker.unpark();
    }

    /// What this machine was given when it was taken out of the lists.
    pub(super) fn take_assignment(&self) -> Option<Assignment> {
        self.assignment.lock().take()
    }

    /// Sleeps on the futex: for ever, or if there are more machines than needed until it is clear that nobody
    /// needs this one.
    fn park(self: &Arc<Self>, shared: &Arc<Shared>, parker: &Parker) -> Assignment {
        loop {
            let surplus = shared.machines.threads() > shared.enough_threads();
            let woken = if surplus {
                parker.park_timeout(shared.config.keep_alive)
            } else {
                parker.park();
                true
            };
            if let Some(assignment) = self.take_assignment() {
                return assignment;
            }
            if !woken && shared.machines.leave(self, shared.enough_threads()) {
                return Assignment::Leave;
            }
        }
    }
}
