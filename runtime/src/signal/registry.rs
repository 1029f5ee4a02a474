//! Who listens to which signal.
//!
//! ```text
//!   signal   listeners                       former disposition
//!   INT      ─► Listener A ─┐                default
//!   TERM     ─► Listener A ─┴─► channel      default
//!            ─► Listener B ───► channel
//!   HUP      (none)                          none: ours is not installed
//! ```
//!
//! # Invariants
//! G1. Our handler is installed for exactly the signals that have listeners, and the former disposition of
//!     each is kept beside them.
//! G2. The last receiver of a listener's channel takes the listener out as it is dropped, or [`Listening::end`]
//!     does before; a signal without listeners gets its former disposition back, unless somebody else has set
//!     another since.
//! G3. Only the dispatcher sends. So a listener's `sent` list, cut to the channel's length, names what lies
//!     unread, and a signal in it is not sent again. The channel is unbounded and its content is bounded by
//!     this rule: nothing is ever crowded out.
//! G4. The dispatcher does not end. What it runs of the user's, wakers, is caught: a panic of theirs costs no
//!     other listener a signal.
//!
//! A receive that was handed a signal and is dropped unpolled puts it back, unknown to G3: then that signal
//! can lie there twice, which is a merge too few and not one too many.
//!
//! # Locks
//! The registry's lock is held while lists change. Sending, which wakes tasks, happens after it is released;
//! so does dropping a listener, which may close a channel.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use pirn_channel::{Receiver, Sender, never, unbounded};
use pirn_sync::unwind::{caught, drop_caught, each};

use super::Signal;
use super::handler::{self, Arrivals, Disposition};
use crate::thread;

static REGISTRY: Mutex<Registry> = Mutex::new(Registry { heard: BTreeMap::new(), started: false });

struct Registry {
    heard: BTreeMap<Signal, Heard>,
    /// The dispatcher runs.
    started: bool,
}

/// A signal that somebody listens to.
struct Heard {
    listeners: Vec<Arc<Listener>>,
    former: Disposition,
}

/// One call of `notify`.
struct Listener {
    channel: Sender<Signal>,
    /// The signals sent last, in order (G3). Touched by the dispatcher alone.
    sent: Mutex<VecDeque<Signal>>,
}

/// A right to end a listener before its receivers do. Dropping it has no effect.
///
/// The weak pointer keeps the listener's address from being used again.
#[derive(Debug)]
pub(crate) struct Listening(Weak<Listener>);

impl Listening {
    /// Takes the listener out, which closes its channel (G2). Without effect on one that is out already.
    pub(crate) fn end(self) {
        leave(self.0.as_ptr());
    }
}

/// Listens to `signals`, in a channel of its own.
#[track_caller]
pub(super) fn subscribe(signals: &[Signal]) -> io::Result<Receiver<Signal>> {
    check(signals);
    if signals.is_empty() {
        return Ok(never());
    }
    listen(signals).map(|(receiver, _)| receiver)
}

/// Listens to `signals`, all of which can be heard, until the receivers are dropped or the listening is ended.
pub(super) fn listen(signals: &[Signal]) -> io::Result<(Receiver<Signal>, Listening)> {
    let (channel, receiver) = unbounded();
    let listener = Arc::new(Listener { channel, sent: Mutex::new(VecDeque::new()) });
    let leaving = Listening(Arc::downgrade(&listener));
    listener.channel.on_orphaned(move || leaving.end());
    let mut registry = REGISTRY.lock();
    registry.start()?;
    for &signal in signals {
        // An error drops the receiver after the lock, which takes back what was registered so far (G2).
        registry.listen(signal, &listener)?;
    }
    drop(registry);
    Ok((receiver, Listening(Arc::downgrade(&listener))))
}

/// Makes `disposition` what happens at `signals`, and forgets who listened to them.
#[track_caller]
pub(super) fn settle(signals: &[Signal], disposition: Disposition) {
    check(signals);
    let mut forgotten = Vec::new();
    let mut registry = REGISTRY.lock();
    for &signal in signals {
        forgotten.extend(registry.heard.remove(&signal));
        // It cannot fail: `check` has refused what the system would.
        let _ = handler::set(signal, disposition);
    }
    drop(registry);
    each(forgotten.into_iter().flat_map(|heard| heard.listeners), drop);
}

#[track_caller]
fn check(signals: &[Signal]) {
    if let Some(signal) = signals.iter().find(|signal| !signal.can_be_heard()) {
        panic!("{signal} cannot be listened to or ignored: its action is fixed");
    }
}

impl Registry {
    /// Starts the dispatcher, once.
    fn start(&mut self) -> io::Result<()> {
        if self.started {
            return Ok(());
        }
        let arrivals = Arrivals::open()?;
        thread::start("pirn-signals".to_owned(), None, move || dispatch(&arrivals))?;
        self.started = true;
        Ok(())
    }

    fn listen(&mut self, signal: Signal, listener: &Arc<Listener>) -> io::Result<()> {
        let heard = match self.heard.entry(signal) {
            std::collections::btree_map::Entry::Occupied(heard) => heard.into_mut(),
            std::collections::btree_map::Entry::Vacant(place) => {
                let former = handler::set(signal, Disposition::Heard)?;
                place.insert(Heard { listeners: Vec::new(), former })
            }
        };
        if !heard.listeners.iter().any(|other| Arc::ptr_eq(other, listener)) {
            heard.listeners.push(Arc::clone(listener));
        }
        Ok(())
    }
}

/// Takes the listener at `address` out (G2).
fn leave(address: *const Listener) {
    let mut gone = Vec::new();
    let mut registry = REGISTRY.lock();
    registry.heard.retain(|&signal, heard| {
        gone.extend(heard.listeners.extract_if(.., |listener| Arc::as_ptr(listener) == address));
        if heard.listeners.is_empty() && handler::is_ours(signal) {
            // It cannot fail: this disposition stood there before.
            let _ = handler::set(signal, heard.former);
        }
        !heard.listeners.is_empty()
    });
    drop(registry);
    drop(gone);
}

/// The dispatcher's thread: passes on what comes, for as long as the process lives (G4).
fn dispatch(arrivals: &Arrivals) {
    loop {
        for signal in arrivals.wait() {
            let listeners = {
                let registry = REGISTRY.lock();
                registry.heard.get(&signal).map(|heard| heard.listeners.clone()).unwrap_or_default()
            };
            for listener in listeners {
                caught(|| listener.tell(signal));
                // It was taken out meanwhile if this is the last of it: then its channel closes now.
                drop_caught(listener);
            }
        }
    }
}

impl Listener {
    fn tell(&self, signal: Signal) {
        let mut sent = self.sent.lock();
        let unread = self.channel.len();
        let read = sent.len().saturating_sub(unread);
        sent.drain(..read);
        if sent.contains(&signal) {
            return;
        }
        sent.push_back(signal);
        drop(sent);
        // A channel that has just lost its last receiver takes nothing, and nobody misses it.
        let _ = self.channel.try_send(signal);
    }
}
