//! A channel whose value is pulled, never pushed: what timers send through.
//!
//! A timer's value must be revocable until the moment somebody takes it: after `stop` returns, no value of the old
//! setting may be received any more. A value that was handed to a waiter could not be called back. So here a value
//! lies in the one slot of the channel; receivers that wait are woken and look again when they are polled.
//!
//! ```text
//!   offer ──► [ slot ] ──► whoever is polled first takes it
//!                │ take_back: gone, for good
//! ```
//!
//! Such a channel shows length 0 although a value can be received, as Go's timer channels do, and it stays open as
//! long as a receiver lives, whatever becomes of its sender.

use pirn_sync::primitive::atomic::Ordering;
use pirn_sync::primitive::Arc;

use crate::chan::Chan;
use crate::receiver::Receiver;
use crate::sender::Sender;

/// The end that offers values to a pull channel.
#[derive(Debug)]
pub struct PullSender<T> {
    chan: Arc<Chan<T>>,
}

/// A channel of capacity 1 whose value is pulled.
pub fn pull_channel<T>() -> (PullSender<T>, Receiver<T>) {
    let chan = Chan::new(1, true, false);
    (PullSender { chan: chan.clone() }, Receiver::new(chan))
}

impl<T> PullSender<T> {
    /// Puts `value` where a receiver can take it. False, and the value is dropped, when one lies there already, or the
    /// channel was closed or has no receiver.
    pub fn offer(&self, value: T) -> bool {
        self.offer_if(value, || true)
    }

    /// As [`offer`](Self::offer), if `wanted` says so: asked with the channel locked, so that what it decides and the
    /// value's arrival are one moment for [`take_back`](Self::take_back). It must not touch the channel.
    pub fn offer_if(&self, value: T, wanted: impl FnOnce() -> bool) -> bool {
        let offered =
            self.chan.with(|state, wakes| if wanted() { state.offer(value, wakes) } else { Err(value) });
        // What was not wanted is dropped here, after the lock is released.
        offered.is_ok()
    }

    /// Takes back what nobody has received yet. After it returned, nothing that was offered before can be received.
    pub fn take_back(&self) -> Option<T> {
        // Under the lock, whatever the hint says: it may be out of date for a caller whom nobody has told of the last
        // offer (H4 of `chan`).
        self.chan.with(|state, wakes| state.take(wakes)).ok()
    }

    /// Whether no receiver is left.
    pub fn is_orphaned(&self) -> bool {
        self.chan.receivers.load(Ordering::Acquire) == 0
    }

    /// Has `f` called once when the last receiver goes, on its thread; now, if none is left. Replaces an earlier one.
    pub fn on_orphaned(&self, f: impl FnOnce() + Send + 'static) {
        on_orphaned(&self.chan, Box::new(f));
    }
}

impl<T> Sender<T> {
    /// As [`PullSender::on_orphaned`], for whoever serves an ordinary channel only while somebody listens.
    #[doc(hidden)]
    pub fn on_orphaned(&self, f: impl FnOnce() + Send + 'static) {
        on_orphaned(&self.chan, Box::new(f));
    }
}

fn on_orphaned<T>(chan: &Chan<T>, f: Box<dyn FnOnce() + Send>) {
    let mut f = Some(f);
    // What is replaced is dropped here, after the lock is released.
    let _replaced = chan.with(|state, _| state.on_abandoned(&mut f));
    if let Some(f) = f {
        f();
    }
}
