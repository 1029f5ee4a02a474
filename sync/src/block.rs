//! Waiting on a thread: turns any future of this crate or of `pirn-channel` into a blocking call.
//!
//! Every operation that waits exists once, as a future; its `_blocking` twin polls that same future on the
//! calling thread and sleeps in between. So tasks and plain threads stand in one queue, in one order, under
//! one set of rules, and there is one implementation to check.
//!
//! ```text
//!   wait(future):   poll ── Ready ──► return
//!                    ▲ │ Pending
//!                    │ ▼
//!                    │ woken already? ── yes: let other threads run, poll again
//!                    │ │ no
//!                    │ ▼
//!                    └─ spin a little, yield a little, then sleep until woken
//! ```
//!
//! # Invariants
//! B1. `woken` is raised before the thread is unparked, and lowered by the waiting thread alone, before it
//!     polls again: a wake during the poll or later makes the thread poll once more.
//! B2. A thread's `Seat` serves one wait at a time. A wait inside a wait (a destructor, a waker that
//!     blocks) finds it taken and makes one of its own.
//! B3. While it polls, the executor's yield flag is hidden: a blocked thread cannot yield to an executor,
//!     and asking it to would only make it spin.
//!
//! # Orderings
//! | # | access                    | order  | with | why                                                    | weakened, fails in |
//! |---|---------------------------|--------|------|--------------------------------------------------------|--------------------|
//! | 1 | `Sleeper`'s `wake`: swap  | AcqRel | 2    | what the waker did before the wake is seen by the poll, also that of a waker that finds it woken | `loom::a_poll_sees_what_was_done_before_each_wake` |
//! | 2 | `Sleeper::take`: swap     | AcqRel | 1    |                                                        | the same |
//! | 3 | `Sleeper::is_woken`: load | Relaxed | –   | 2 follows before the poll                              | – |
//!
//! The parker below has its own token, so an `unpark` between 2 and the park is not lost either.
//!
//! # Rejected
//! `std::thread::park`: its one token belongs to the user's program, which may be using it for something
//! else while it calls us.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Instant;

use crate::primitive::atomic::{AtomicBool, Ordering};
use crate::primitive::{hint, thread};
use crate::{clock, host};

/// How often a waiting thread looks for its wake-up while it keeps the core: about a microsecond.
const SPINS: usize = if cfg!(loom) { 0 } else { 64 };

/// How often it then looks between giving the core to whoever wants it, before it sleeps: at most about as long as it takes to
/// wake a sleeping core, so that a wait costs at most twice what it would have if its length had been known.
const YIELDS: usize = if cfg!(loom) { 0 } else { 32 };

/// Polls `future` on this thread until it is ready, asleep in between.
///
/// Blocks the thread. The cost beside the future's own: a thread-local access, no allocation after the
/// thread's first wait.
pub fn wait<F: Future>(future: F) -> F::Output {
    match run(pin!(future), None) {
        Some(output) => output,
        None => unreachable!("only a deadline ends a wait early"),
    }
}

/// The same until `deadline`; `None` if the future was not ready by then. It is polled at least once, and
/// once more at the deadline; the caller decides what to do with it afterwards.
pub fn wait_until<F: Future>(future: Pin<&mut F>, deadline: Instant) -> Option<F::Output> {
    run(future, Some(deadline))
}

fn run<F: Future>(mut future: Pin<&mut F>, deadline: Option<Instant>) -> Option<F::Output> {
    let seat = Seat::take();
    let mut context = Context::from_waker(&seat.waker);
    let output = loop {
        // A wake-up of an earlier wait on this thread may still stand here: it costs one poll.
        seat.sleeper.take();
        if let Poll::Ready(output) = poll_hidden(future.as_mut(), &mut context) {
            break Some(output);
        }
        let in_time = if seat.sleeper.is_woken() {
            thread::yield_now();
            // A future that is woken in every poll would never sleep.
            !is_over(deadline)
        } else {
            seat.sleep(deadline)
        };
        if !in_time {
            break match poll_hidden(future, &mut context) {
                Poll::Ready(output) => Some(output),
                Poll::Pending => None,
            };
        }
    };
    seat.give_back();
    output
}

fn is_over(deadline: Option<Instant>) -> bool {
    deadline.is_some_and(|deadline| clock::now() >= deadline)
}

/// One poll with the executor's yield flag out of sight (B3). What it notes for a dump is forgotten: the
/// thread waits, not the task that may be running on it.
fn poll_hidden<F: Future>(future: Pin<&mut F>, context: &mut Context<'_>) -> Poll<F::Output> {
    struct Restore(Option<&'static std::sync::atomic::AtomicBool>);
    impl Drop for Restore {
        fn drop(&mut self) {
            host::install(self.0);
            host::take_wait();
        }
    }
    let _restore = Restore(host::install(None));
    future.poll(context)
}

/// What a thread needs in order to wait: a place to sleep and the waker that ends the sleep.
struct Seat {
    parker: park::Parker,
    sleeper: Arc<Sleeper>,
    waker: Waker,
}

impl Seat {
    /// This thread's seat, or a new one if it has none or is using it (B2).
    fn take() -> Self {
        park::kept_seat().unwrap_or_else(|| {
            let parker = park::Parker::new();
            let sleeper =
                Arc::new(Sleeper { woken: AtomicBool::new(false), unparker: parker.unparker().clone() });
            let waker = Waker::from(Arc::clone(&sleeper));
            Self { parker, sleeper, waker }
        })
    }

    fn give_back(self) {
        park::keep_seat(self);
    }

    /// Sleeps until woken; false if the deadline came first.
    fn sleep(&self, deadline: Option<Instant>) -> bool {
        for _ in 0..SPINS {
            if self.sleeper.is_woken() {
                return true;
            }
            hint::spin_loop();
        }
        for _ in 0..YIELDS {
            if self.sleeper.is_woken() {
                return true;
            }
            // Where threads outnumber cores, each yield may take as long as the others' time slices.
            if is_over(deadline) {
                return false;
            }
            thread::yield_now();
        }
        while !self.sleeper.is_woken() {
            if is_over(deadline) {
                return false;
            }
            self.parker.park(deadline);
        }
        true
    }
}

/// The waker's half: the flag, and the way to the parker.
struct Sleeper {
    woken: AtomicBool,
    unparker: park::Unparker,
}

impl Sleeper {
    fn take(&self) -> bool {
        self.woken.swap(false, Ordering::AcqRel)
    }

    fn is_woken(&self) -> bool {
        // Relaxed: a glance while it spins; `take` looks properly.
        self.woken.load(Ordering::Relaxed)
    }
}

impl Wake for Sleeper {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // AcqRel: the sleeper's `take` sees what was done before the wake, also of a waker that finds it set already.
        if !self.woken.swap(true, Ordering::AcqRel) {
            self.unparker.unpark();
        }
    }
}

/// Parking, and the seat that a thread keeps between two waits.
#[cfg(not(loom))]
mod park {
    use std::cell::Cell;
    use std::time::Instant;

    pub(super) use crossbeam_utils::sync::Unparker;

    use super::Seat;

    thread_local!(static SEAT: Cell<Option<Seat>> = const { Cell::new(None) });

    pub(super) fn kept_seat() -> Option<Seat> {
        SEAT.try_with(Cell::take).ok().flatten()
    }

    pub(super) fn keep_seat(seat: Seat) {
        // A thread that is ending keeps nothing.
        let _ = SEAT.try_with(|cell| cell.set(Some(seat)));
    }

    pub(super) struct Parker(crossbeam_utils::sync::Parker);

    impl Parker {
        pub(super) fn new() -> Self {
            Self(crossbeam_utils::sync::Parker::new())
        }

        pub(super) fn unparker(&self) -> &Unparker {
            self.0.unparker()
        }

        pub(super) fn park(&self, deadline: Option<Instant>) {
            match deadline {
                Some(deadline) => self.0.park_deadline(deadline),
                None => self.0.park(),
            }
        }
    }
}

/// loom's twin: its threads share this thread's locals, so nothing is kept, and it has no time, so a
/// deadline never comes. Not its `thread::park`: an unpark would wake a thread that waits for a lock or a join.
#[cfg(loom)]
mod park {
    use std::sync::Arc;
    use std::time::Instant;

    use loom::sync::Notify;

    use super::Seat;

    pub(super) fn kept_seat() -> Option<Seat> {
        None
    }

    pub(super) fn keep_seat(_: Seat) {}

    pub(super) struct Parker(Unparker);

    impl Parker {
        pub(super) fn new() -> Self {
            Self(Unparker(Arc::new(Notify::new())))
        }

        pub(super) fn unparker(&self) -> &Unparker {
            &self.0
        }

        pub(super) fn park(&self, _: Option<Instant>) {
            self.0.0.wait();
        }
    }

    #[derive(Clone)]
    pub(super) struct Unparker(Arc<Notify>);

    impl Unparker {
        pub(super) fn unpark(&self) {
            self.0.notify();
        }
    }
}

#[cfg(all(test, loom))]
mod loom;
#[cfg(all(test, not(loom)))]
mod tests;
