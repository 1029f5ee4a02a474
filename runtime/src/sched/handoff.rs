//! Handing the processor off: a machine that is about to block gives it to one that is not.
//!
//! The owner does it itself, before it blocks, so nobody has to notice. The processor is put down like an
//! idle one, and if there is work, a machine is woken for it: whoever takes a processor looks at every
//! queue, so it need not be this very one. Afterwards the machine takes any idle processor; if there is none
//! it finishes its poll without, as a *surplus* machine: what it wakes goes to the injector, and at the end
//! of the poll it waits for its next assignment.
//!
//! Putting the processor down must not leave the network and the timers to nobody. While every processor is busy no
//! machine waits for them, because the workers look at them between polls, and this may have been the only worker. So a
//! machine is also woken if none is in the netpoller: it looks, finds nothing, and becomes the sleeper.

use super::current::{self, Place};
use super::shared::Shared;
use crate::park::Parker;
use crate::task;
use pirn_sync::host;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

/// Runs `f`, which may block, without holding a processor.
pub(crate) fn block_in_place<R>(f: impl FnOnce() -> R) -> R {
    current::with(|place| {
        let Some(place) = place.filter(|place| place.has_processor()) else { return f() };
        struct TakeBack<'a> {
            place: &'a Place,
            inside_poll: bool,
        }
        impl Drop for TakeBack<'_> {
            fn drop(&mut self) {
                self.place.take_back(self.inside_poll);
            }
        }
        let inside_poll = place.hand_off();
        let _take_back = TakeBack { place, inside_poll };
        f()
    })
}

/// Polls `future` on this thread until it is ready, inside `shared`.
pub(crate) fn block_on<F: Future>(shared: &Arc<Shared>, future: F) -> F::Output {
    block_in_place(|| {
        let place = Place::new(shared.clone());
        current::enter(&place, || task::outside(|| poll_to_end(future)))
    })
}

fn poll_to_end<F: Future>(future: F) -> F::Output {
    let parker = Parker::new();
    let waker = parker.waker();
    let mut cx = std::task::Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            // What the last leaf waited on is over, and no matter of an outer task's.
            host::take_wait();
            return output;
        }
        parker.park();
    }
}

impl Place {
    /// Puts the processor down for others. True if that was inside a poll.
    fn hand_off(&self) -> bool {
        let Some(processor) = self.let_go() else { return false };
        let inside_poll = processor.remote.counters.leave_poll();
        processor.remote.counters.handed_off();
        if let Some(why) = processor.remote.stuck.take_replaced() {
            // A spare stands in already.
            self.shared.sysmon.came_back(why);
            self.stop_searching();
            self.shared.retire(processor);
        } else {
            // Nobody is woken because of a next slot, and its owner goes away.
            processor.push_next_last();
            let _look_again = self.shared.idle.release(processor, self.searching.take());
        }
        self.shared.notify_if_deserted();
        self.shared.tell_sleeper();
        inside_poll
    }

    fn take_back(&self, inside_poll: bool) {
        if let Some(processor) = self.shared.idle.acquire(false) {
            self.shared.sysmon.wake();
            if inside_poll {
                processor.remote.counters.aside_edge();
            }
            self.hold(processor);
        }
    }
}
