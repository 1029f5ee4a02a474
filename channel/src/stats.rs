//! What can be counted about a channel, and the list of channels that have a name.
//!
//! The counters are plain numbers under the channel's lock, so they cost an addition each. Naming a channel puts a
//! weak reference to it into one list, from which it is taken as the channel goes: it would keep the channel's memory.

use std::fmt;
use std::sync::Arc as StdArc;

use pirn_sync::primitive::atomic::Ordering;
use pirn_sync::primitive::Arc;

use crate::chan::Chan;
use crate::state::UNBOUNDED;

/// Totals of one channel, at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Its name, if it was given one.
    pub name: Option<StdArc<str>>,
    /// How many values are buffered.
    pub len: usize,
    /// How many the buffer takes; `None` without bound.
    pub capacity: Option<usize>,
    /// How many values were sent since the channel was made.
    pub sent: u64,
    /// How many were received or handed to a receiver.
    pub received: u64,
    /// The most values that were ever buffered at once.
    pub high_water: usize,
    /// How many senders there are.
    pub senders: usize,
    /// How many receivers there are.
    pub receivers: usize,
    /// Whether it is closed.
    pub closed: bool,
}

impl fmt::Display for Stats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name.as_deref().unwrap_or("(no name)");
        write!(f, "channel {name}: {}", self.len)?;
        if let Some(capacity) = self.capacity {
            write!(f, "/{capacity}")?;
        }
        write!(f, " buffered, at most {}; {} sent, {} received", self.high_water, self.sent, self.received)?;
        write!(f, "; {} senders, {} receivers", self.senders, self.receivers)?;
        f.write_str(if self.closed { "; closed" } else { "" })
    }
}

pub(crate) fn of<T>(chan: &Chan<T>) -> Stats {
    let (senders, receivers) = (&chan.senders, &chan.receivers);
    chan.with(|state, _| Stats {
        name: state.name(),
        len: state.len(),
        capacity: Some(state.cap()).filter(|cap| *cap != UNBOUNDED),
        sent: state.sent,
        received: state.received(),
        // What came back may have lain beside the value of a permit: to an observer no more than the slots (S5 of `state`).
        high_water: state.high_water.min(state.cap()),
        // Relaxed: a count to look at, out of date as soon as it is read.
        senders: senders.load(Ordering::Relaxed),
        receivers: receivers.load(Ordering::Relaxed),
        closed: state.is_closed(),
    })
}

pub(crate) fn set_name<T: Send + 'static>(chan: &Arc<Chan<T>>, name: &str) {
    let first = chan.with(|state, _| state.rename(name.into())).is_none();
    if first {
        let listed = Box::new(registry::add(chan));
        chan.with(|state, _| state.set_listed(listed));
    }
}

/// The totals of every channel that has a name and still lives, in the order in which they were named.
pub fn named_channels() -> Vec<Stats> {
    registry::all()
}

#[cfg(not(loom))]
mod registry {
    use super::{of, Arc, Chan, Stats};
    use pirn_sync::primitive::Mutex;
    use std::collections::BTreeMap;
    use std::sync::Weak;

    /// A channel of any type. `None` when it is gone.
    type Named = Arc<dyn Fn() -> Option<Stats> + Send + Sync>;

    /// By the order in which they were named.
    static NAMED: Mutex<BTreeMap<u64, Named>> = Mutex::new(BTreeMap::new());

    /// A channel's place in the list, which ends with it.
    pub(super) struct Listed(u64);

    impl Drop for Listed {
        fn drop(&mut self) {
            let entry = NAMED.lock().remove(&self.0);
            drop(entry);
        }
    }

    pub(super) fn add<T: Send + 'static>(chan: &Arc<Chan<T>>) -> Listed {
        let weak: Weak<Chan<T>> = Arc::downgrade(chan);
        let entry = Arc::new(move || weak.upgrade().map(|chan| of(&chan)));
        let mut named = NAMED.lock();
        let number = named.last_key_value().map_or(0, |(last, _)| last + 1);
        named.insert(number, entry);
        Listed(number)
    }

    pub(super) fn all() -> Vec<Stats> {
        // Outside the lock: the reference taken here may be the channel's last, and drop its values.
        let named: Vec<_> = NAMED.lock().values().cloned().collect();
        named.iter().filter_map(|stats| stats()).collect()
    }
}

/// loom's `Arc` has no weak twin.
#[cfg(loom)]
mod registry {
    use super::{Arc, Chan, Stats};

    pub(super) struct Listed;

    pub(super) fn add<T>(_: &Arc<Chan<T>>) -> Listed {
        Listed
    }

    pub(super) fn all() -> Vec<Stats> {
        Vec::new()
    }
}
