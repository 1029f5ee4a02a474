//! Single flight: many ask for the same thing at once, one fetches it, all get it (Go's `singleflight`).
//!
//! Each key that is being asked for has a *flight*: a [`Gate`] and a place for the value, in a map. The
//! first who comes has the turn and runs its own closure; the others wait at the gate, and find it done. A
//! leader that fails to bring a value (it panicked, or was dropped) gives the turn up, and the next one in
//! the queue runs *its* closure.
//!
//! # Invariants
//! J1. A key is in the map while somebody holds its flight and no value has come. The leader takes it out
//!     when the value is there: whoever asks later begins a new flight.
//! J2. The last one to leave a flight without a value takes it out of the map. "Last" is read off the
//!     `Arc`'s count under the map's lock, where no new one can join.
//! J3. Values are cloned, keys and flights dropped with no lock held. (Keys are hashed and compared under
//!     it: that is what a map does. A hasher that panics keeps nobody waiting; but if it does so when a value has come,
//!     the value stays, and who asks for the key later gets it.)

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::future::Future;
use std::hash::Hash;
use std::panic::Location;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};

use crate::once::attempt::Attempt;
use crate::once::gate::Gate;
use crate::primitive::Mutex;

/// Lets those who ask for the same key at the same time share one answer.
///
/// # Examples
/// ```
/// use pirn_sync::SingleFlight;
///
/// # pirn_sync::block::wait(async {
/// let pages = SingleFlight::new();
/// let page = pages.run("/index", || async { "fetched once".to_owned() }).await;
/// assert_eq!(page, "fetched once");
/// # });
/// ```
pub struct SingleFlight<K, V> {
    flights: Mutex<HashMap<Arc<K>, Arc<Flight<V>>>>,
}

struct Flight<V> {
    gate: Gate,
    value: OnceLock<V>,
}

impl<K: Hash + Eq, V: Clone> SingleFlight<K, V> {
    /// Nobody asks for anything yet.
    pub fn new() -> Self {
        Self { flights: Mutex::new(HashMap::new()) }
    }

    /// The value for `key`: made by `f`, or by whoever is about it already.
    ///
    /// It asks from its first poll on. An error is a value like any other (`V` is then a `Result`) and goes
    /// to all who asked. A panic goes on to the caller whose closure it was, and the next one runs its own.
    /// Once the value has come it is forgotten: who asks later fetches anew.
    ///
    /// # Cancel safety
    /// Dropping a leader's future drops `f`'s future and hands over to the next one that waits.
    #[track_caller]
    pub fn run<F, Fut>(&self, key: K, f: F) -> Run<'_, K, V, F, Fut>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = V>,
    {
        Run { group: self, key: Arc::new(key), flight: None, attempt: Attempt::new(f, Location::caller()) }
    }

    /// How many keys are being asked for at this moment.
    pub fn len(&self) -> usize {
        self.flights.lock().len()
    }

    /// Whether nobody asks for anything at this moment.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn join(&self, key: &Arc<K>) -> Arc<Flight<V>> {
        let fresh = Arc::new(Flight { gate: Gate::new(), value: OnceLock::new() });
        let mut flights = self.flights.lock();
        Arc::clone(flights.entry(Arc::clone(key)).or_insert(fresh))
    }

    /// The value is there: whoever comes from now on begins a new flight (J1).
    fn land(&self, key: &Arc<K>, flight: &Arc<Flight<V>>) {
        // Its end is announced whatever the key's hasher or destructor does, or the others would wait for ever.
        let _announced = Announce(&flight.gate);
        let mut flights = self.flights.lock();
        let landed = match flights.entry(Arc::clone(key)) {
            Entry::Occupied(entry) if Arc::ptr_eq(entry.get(), flight) => Some(entry.remove_entry()),
            _ => None,
        };
        drop(flights);
        drop(landed);
    }

    /// Gives up one's part in a flight, and the flight if nobody else has one (J2).
    fn leave(&self, key: &Arc<K>, flight: Arc<Flight<V>>) {
        let (mut kept, mut gone) = (None, None);
        let mut flights = self.flights.lock();
        match flights.entry(Arc::clone(key)) {
            Entry::Occupied(entry) if Arc::ptr_eq(entry.get(), &flight) => {
                let last = Arc::strong_count(&flight) == 2;
                // Under the lock, so that the next one to leave counts right. The map's own keeps it alive.
                drop(flight);
                gone = last.then(|| entry.remove_entry());
            }
            _ => kept = Some(flight),
        }
        drop(flights);
        drop((kept, gone));
    }
}

/// Ends the turn with the value when it is dropped.
struct Announce<'a>(&'a Gate);

impl Drop for Announce<'_> {
    fn drop(&mut self) {
        self.0.finish();
    }
}

impl<K: Hash + Eq, V: Clone> Default for SingleFlight<K, V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K, V> fmt::Debug for SingleFlight<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SingleFlight").finish_non_exhaustive()
    }
}

/// The future of [`SingleFlight::run`].
#[must_use = "futures do nothing unless awaited"]
pub struct Run<'a, K: Hash + Eq, V: Clone, F, Fut> {
    group: &'a SingleFlight<K, V>,
    key: Arc<K>,
    flight: Option<Arc<Flight<V>>>,
    attempt: Attempt<F, Fut>,
}

impl<K: Hash + Eq, V: Clone, F, Fut> Unpin for Run<'_, K, V, F, Fut> {}

impl<K, V, F, Fut> Future for Run<'_, K, V, F, Fut>
where
    K: Hash + Eq,
    V: Clone,
    F: FnOnce() -> Fut,
    Fut: Future<Output = V>,
{
    type Output = V;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<V> {
        let this = &mut *self;
        let flight = this.flight.get_or_insert_with(|| this.group.join(&this.key));
        if let Some(value) = ready!(this.attempt.poll(&flight.gate, context)) {
            let set = flight.value.set(value);
            debug_assert!(set.is_ok(), "only the one who has the turn sets the value");
            this.group.land(&this.key, flight);
        }
        Poll::Ready(flight.value.get().expect("the gate is finished after the value is set").clone())
    }
}

impl<K: Hash + Eq, V: Clone, F, Fut> Drop for Run<'_, K, V, F, Fut> {
    fn drop(&mut self) {
        if let Some(flight) = self.flight.take() {
            let leaving = Leaving { group: self.group, key: &self.key, flight: Some(flight) };
            let flight = leaving.flight.as_ref().expect("it leaves when this is dropped");
            self.attempt.abandon(&flight.gate, false);
        }
    }
}

/// Leaves a flight when it is dropped: also if the destructor of the leader's own future panics.
struct Leaving<'a, K: Hash + Eq, V: Clone> {
    group: &'a SingleFlight<K, V>,
    key: &'a Arc<K>,
    flight: Option<Arc<Flight<V>>>,
}

impl<K: Hash + Eq, V: Clone> Drop for Leaving<'_, K, V> {
    fn drop(&mut self) {
        if let Some(flight) = self.flight.take() {
            self.group.leave(self.key, flight);
        }
    }
}

impl<K: Hash + Eq, V: Clone, F, Fut> fmt::Debug for Run<'_, K, V, F, Fut> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run").finish_non_exhaustive()
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
