//! The machine that waits in the netpoller: what it sleeps until, and what becomes of what it brings back.
//!
//! ```text
//!   begin_netpoll_sleep ──► poll the network ──► end_netpoll_sleep ──► out of the lists
//!   (the sleeper's          until readiness, the                         │
//!    handshake)             earliest deadline,                           ├─ given something: take what is ready along
//!                           or netpoll.wake                              ├─ nothing there: wait again
//!                                                                        ├─ a processor is idle: work with it
//!                                                                        └─ none is: what is ready → injector
//! ```
//!
//! This is the *sleeper*: one machine at most is here at a time (W2 of [`waiting`](super::waiting)). It holds no processor, so what
//! it finds ready lies in its own batch until it has one, or is sure that none is idle: a waker that is woken
//! without a processor goes to the injector, and every such push may wake another machine. How long it may
//! sleep, and who cuts the sleep short for an earlier deadline, stands in [`timers`](super::timers).

use super::current::Place;
use super::machine::{Assignment, Machine};
use super::shared::Shared;
use std::task::Waker;
use std::time::Duration;

impl Machine {
    /// Waits for the network, the earliest deadline or an assignment. `None`: nothing for this machine.
    pub(super) fn wait_in_netpoll(&self, place: &Place) -> Option<Assignment> {
        let shared = &place.shared;
        let timeout = shared.begin_netpoll_sleep();
        shared.wait_for_network(timeout, &mut place.due.borrow_mut());
        shared.end_netpoll_sleep();
        if !shared.machines.leave_netpoller() {
            let assignment = self.take_assignment();
            if !matches!(assignment, Some(Assignment::Work { .. })) {
                place.wake_due();
            }
            return assignment;
        }
        if place.due.borrow().is_empty() && shared.next_deadline() > shared.now() {
            return None;
        }
        if let Some(processor) = shared.idle.acquire(false) {
            shared.sysmon.wake();
            return Some(Assignment::Work { processor, searching: false });
        }
        // Every processor is busy; what is ready goes to the injector.
        place.wake_due();
        place.expire_all_timers();
        None
    }
}

impl Shared {
    /// Waits for the network at most `timeout`, and adds whom to wake.
    fn wait_for_network(&self, timeout: Option<Duration>, due: &mut Vec<Waker>) {
        self.netpoll.wait(timeout, due);
        self.note_network_seen(self.now());
    }

    /// Looks at all of the network without waiting.
    pub(super) fn look_at_whole_network(&self, due: &mut Vec<Waker>) {
        self.netpoll.look_everywhere(due);
        self.note_network_seen(self.now());
    }
}
