//! Which runtime this thread belongs to, and which processor it holds, if any.
//!
//! A machine, a thread inside `block_on` and a blocking job each stand in a [`Place`], found through a
//! thread-local pointer. A wake that comes from inside finds the processor there and needs no queue that
//! others write to.
//!
//! # Invariants
//! - K1. The pointer is null or points to a place on this thread's own stack that outlives the
//!   [`enter`] which set it.
//! - K2. The processor's cell is borrowed for the length of one queue operation or one visit, never across user code:
//!   a waker or a destructor may call back into the runtime.

use super::count::{Count, Stock};
use super::processor::Processor;
use super::shared::Shared;
use super::thread_state;
use pirn_sync::host;
use pirn_sync::unwind::wake_caught;
use std::cell::{Cell, RefCell};
use std::ptr;
use std::sync::Arc;
use std::task::Waker;

/// A thread's place in a runtime.
#[derive(Debug)]
pub(crate) struct Place {
    pub(super) shared: Arc<Shared>,
    processor: RefCell<Option<Box<Processor>>>,
    /// Wakers that are due, before they are woken in one go.
    pub(super) due: RefCell<Vec<Waker>>,
    /// A batch is being woken: what it schedules goes straight to the queue, in order, with one notification.
    batching: Cell<bool>,
    /// This machine counts among those that search (I2 of [`idle`](super::idle)).
    pub(super) searching: Cell<bool>,
    /// References to the runtime that this place has to spare.
    stock: Stock,
    /// The thread's id if this is a machine's place, else 0.
    thread: i32,
    /// The place that this one was entered from.
    outer: Cell<*const Place>,
}

thread_local!(static CURRENT: Cell<*const Place> = const { Cell::new(ptr::null()) });

impl Place {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            processor: RefCell::new(None),
            due: RefCell::new(Vec::new()),
            batching: Cell::new(false),
            searching: Cell::new(false),
            stock: Stock::default(),
            thread: 0,
            outer: Cell::new(ptr::null()),
        }
    }

    /// A machine's place: sysmon tells by the thread's CPU clock whether it is blocked.
    pub(super) fn of_machine(shared: Arc<Shared>) -> Self {
        Self { thread: thread_state::this_thread(), ..Self::new(shared) }
    }

    /// Whether this is a place in `shared`.
    #[inline]
    pub(super) fn is_in(&self, shared: &Arc<Shared>) -> bool {
        Arc::ptr_eq(&self.shared, shared)
    }

    /// Lets `f` use the processor, if this thread holds one. `f` runs no user code (K2).
    #[inline]
    pub(super) fn with_processor<R>(&self, f: impl FnOnce(&Processor) -> R) -> Option<R> {
        self.processor.borrow().as_deref().map(f)
    }

    pub(super) fn has_processor(&self) -> bool {
        self.processor.borrow().is_some()
    }

    /// Takes up a processor.
    pub(super) fn hold(&self, processor: Box<Processor>) {
        host::install(Some(processor.remote.stuck.please_yield.get()));
        processor.remote.stuck.held_by(self.thread);
        processor.remote.pace.begin_anew();
        let before = self.processor.replace(Some(processor));
        debug_assert!(before.is_none(), "a machine holds one processor at most");
    }

    /// Puts the processor down.
    pub(super) fn let_go(&self) -> Option<Box<Processor>> {
        let processor = self.processor.take()?;
        host::install(None);
        processor.remote.stuck.held_by(0);
        Some(processor)
    }

    /// Wakes everything in `due`, in order, as one batch.
    ///
    /// A waker may be anybody's code and may block, so this machine searches no more, and sysmon is shown a poll:
    /// it makes up for the machine as for one that is stuck in a task. The processor may be gone afterwards.
    pub(super) fn wake_due(&self) {
        let mut due = self.due.take();
        if due.is_empty() {
            return;
        }
        self.stop_searching();
        self.with_processor(|processor| processor.remote.counters.aside_edge());
        self.batching.set(true);
        for waker in due.drain(..) {
            wake_caught(waker);
        }
        self.batching.set(false);
        self.due.replace(due);
        let more_than_one = self.with_processor(|processor| {
            processor.remote.counters.poll_edge();
            processor.queue.len() + usize::from(processor.remote.has_next()) > 1
        });
        if more_than_one == Some(true) {
            self.shared.notify();
        }
        self.retire_if_replaced();
    }

    /// The stock, if this is a place in `shared`.
    #[inline]
    pub(super) fn stock_of(&self, shared: &Arc<Shared>) -> Option<&Stock> {
        self.is_in(shared).then_some(&self.stock)
    }

    pub(super) fn is_batching(&self) -> bool {
        self.batching.get()
    }
}

/// Runs `f` with `place` as this thread's.
pub(super) fn enter<R>(place: &Place, f: impl FnOnce() -> R) -> R {
    struct Restore(*const Place);
    impl Drop for Restore {
        fn drop(&mut self) {
            CURRENT.set(self.0);
        }
    }
    let outer = CURRENT.replace(place);
    place.outer.set(outer);
    let _restore = Restore(outer);
    f()
}

/// Whether this thread is a machine of `shared`, maybe in places of other runtimes that it has entered since.
pub(super) fn is_machine_of(shared: &Arc<Shared>) -> bool {
    let mut next = CURRENT.get();
    // SAFETY: K1, for this place and for those that it was entered from, which lie further down the stack.
    while let Some(place) = unsafe { next.as_ref() } {
        if place.thread != 0 && place.is_in(shared) {
            return true;
        }
        next = place.outer.get();
    }
    false
}

/// Hands this thread's place, if it has one, to `f`.
#[inline]
pub(super) fn with<R>(f: impl FnOnce(Option<&Place>) -> R) -> R {
    // SAFETY: K1.
    CURRENT.with(|current| f(unsafe { current.get().as_ref() }))
}

/// The runtime of this thread, if it is in one.
#[inline]
pub(crate) fn shared() -> Option<Count> {
    with(|place| {
        let place = place?;
        Some(Count::new(place.stock.take().unwrap_or_else(|| place.shared.clone())))
    })
}

/// Whether somebody waits for a processor of this thread's runtime; true where it is not ours.
pub(crate) fn somebody_waits() -> bool {
    with(|place| place.is_none_or(|place| place.shared.somebody_waits()))
}

/// The number of the processor that this thread holds, if this is a place in `shared`.
#[inline]
pub(super) fn processor_of(shared: &Arc<Shared>) -> Option<usize> {
    with(|place| {
        let place = place.filter(|place| place.is_in(shared))?;
        place.with_processor(|processor| processor.remote.index)
    })
}

/// The number by which the network knows the processor that this thread holds: another one, after the processor has
/// stood in for one that was stuck.
#[inline]
pub(crate) fn home() -> Option<usize> {
    with(|place| place?.with_processor(|processor| processor.remote.home()))
}
