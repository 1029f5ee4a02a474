//! The allocation of one task: header, scheduler, and the future whose place the output takes.
//!
//! ```text
//!   ┌────────────────┬───────────┬──────────────────────────────┐
//!   │ Header         │ scheduler │ future   …later…   output    │   one block, never moved
//!   └────────────────┴───────────┴──────────────────────────────┘
//! ```
//!
//! # Invariants
//! - C1. The stage holds the future in T1–T3 and the output in T4: the state word is its tag, so that none is
//!   stored. Between `drop_future` and `complete` it holds nothing, and only the completer knows.
//! - C2. Only the owner of the `Runnable` touches the stage in T2–T3; in T4 only the owner of the output
//!   (S3 of the state word).
//! - C3. The future is never moved: it is dropped in place before its block is given back.
//! - C4. A task's end is counted in [`Owned`] after its future is dropped and before it is seen complete:
//!   an empty registry means that no future lives, and a task that was joined is no longer counted. Model:
//!   `loom::a_task_that_was_joined_is_no_longer_registered`.
//!
//! User code runs here in five places: `poll`, the future's drop, the output's drop, the joiner's waker, that
//! waker's drop. Each is caught: a future whose destructor panics makes the task a panicked one, like a panic
//! in `poll`; an output's that nobody takes is a panic that nobody joins; those of wakers concern nobody here.

use super::error::JoinError;
use super::id::TaskId;
use super::join_waker::JoinWaker;
use super::raw::{Header, RawTask, Vtable};
use super::schedule::{Schedule, UnhandledTaskPanic};
use super::state::{EndPoll, Mark};
use super::{JoinHandle, Outcome, Owned, Runnable, blocks, current, waker};
use pirn_sync::host;
use pirn_sync::primitive::UnsafeCell;
use pirn_sync::unwind::{caught, drop_caught};
use std::any::Any;
use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::pin::Pin;
use std::ptr::NonNull;
use std::task::{Context, Poll};

type Output<F> = Result<<F as Future>::Output, JoinError>;

/// One allocation per task.
#[repr(C)]
struct Cell<F: Future, S> {
    header: Header,
    scheduler: S,
    stage: UnsafeCell<Stage<F>>,
}

/// C1: the state word tells which.
union Stage<F: Future> {
    future: ManuallyDrop<F>,
    output: ManuallyDrop<Output<F>>,
}

/// Makes a task that is about to be scheduled (T2): whoever gets the `Runnable` must schedule or cancel it.
pub(crate) fn new_task<F, S>(
    future: F,
    scheduler: S,
    id: TaskId,
    spawned_at: &'static Location<'static>,
) -> (Runnable, JoinHandle<F::Output>)
where
    F: Future,
    S: Schedule,
{
    let cell = blocks::take::<Cell<F, S>>();
    let now = scheduler.coarse_now();
    let it = cell.as_ptr();
    // SAFETY: nobody's task lives in the block, and it has room for this one. Its state word is there.
    unsafe {
        Header::init(&raw mut (*it).header, &Cell::<F, S>::VTABLE, id, spawned_at, now);
        (&raw mut (*it).scheduler).write(scheduler);
        (&raw mut (*it).stage).write(UnsafeCell::new(Stage { future: ManuallyDrop::new(future) }));
        (*it).header.state.begin();
    }
    let raw = RawTask(cell.cast());
    (raw.into_runnable(), JoinHandle::from_raw(raw))
}

impl<F: Future, S: Schedule> Cell<F, S> {
    const VTABLE: Vtable = Vtable {
        poll: Self::poll,
        cancel: Self::cancel,
        schedule: Self::schedule,
        take_output: Self::take_output,
        drop_output: Self::drop_output,
        free: Self::free,
        registry: Self::registry,
    };

    /// # Safety
    /// `task` came from [`new_task`] with these types and lives for `'a`.
    unsafe fn of<'a>(task: RawTask) -> &'a Self {
        // SAFETY: the caller's promise; `repr(C)` puts the header first.
        unsafe { task.0.cast::<Self>().as_ref() }
    }

    /// Claim, poll, settle.
    unsafe fn poll(task: RawTask) -> Outcome {
        // SAFETY: the caller owns the `Runnable`, so the task is not complete and lives (S1).
        let cell = unsafe { Self::of(task) };
        if cell.header.state.begin_poll() {
            // SAFETY: T3 since `begin_poll`.
            unsafe { Self::settle_cancelled(task) };
            return Outcome::Complete;
        }
        let _inside = current::enter(&cell.header);
        // SAFETY: T3 since `begin_poll`: this machine alone touches the future (C2).
        match unsafe { cell.poll_future(task) } {
            Poll::Ready(output) => {
                // SAFETY: T3, and the future has just been dropped.
                unsafe { Self::complete(task, output) };
                Outcome::Complete
            }
            Poll::Pending => {
                cell.header.set_wait(host::take_wait(), cell.scheduler.coarse_now());
                match cell.header.state.end_poll() {
                    EndPoll::Idle => Outcome::Idle,
                    EndPoll::Again => Outcome::Again(task.into_runnable()),
                }
            }
        }
    }

    /// Polls; if that ends the task, in whatever way, drops the future too.
    ///
    /// # Safety
    /// T3, and the future is there.
    unsafe fn poll_future(&self, task: RawTask) -> Poll<Output<F>> {
        let waker = waker::borrowed(task);
        let mut cx = Context::from_waker(&waker);
        let polled = self.stage.with_mut(|stage| {
            // SAFETY: exclusive in T3 (C2), pinned because the cell never moves (C3), and it is the future
            // that is there (C1).
            let future = unsafe { Pin::new_unchecked(&mut *(*stage).future) };
            catch_unwind(AssertUnwindSafe(|| future.poll(&mut cx)))
        });
        let output = match polled {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(output)) => Ok(output),
            Err(payload) => Err(JoinError::panicked(self.header.id, payload)),
        };
        // SAFETY: T3, and the future is there.
        match (unsafe { self.drop_future() }, output) {
            (Ok(()), output) => Poll::Ready(output),
            // The poll's own panic is the one to report; the destructor's came of it.
            (Err(second), Err(first)) => {
                drop_caught(second);
                Poll::Ready(Err(first))
            }
            (Err(payload), Ok(output)) => {
                drop_caught(output);
                Poll::Ready(Err(JoinError::panicked(self.header.id, payload)))
            }
        }
    }

    /// Drops the future in place.
    ///
    /// # Safety
    /// T3, and the future is there. Afterwards the stage is empty (C1).
    unsafe fn drop_future(&self) -> Result<(), Box<dyn Any + Send>> {
        self.stage.with_mut(|stage| {
            // SAFETY: exclusive in T3 (C2); dropped once, by the caller's promise.
            catch_unwind(AssertUnwindSafe(|| unsafe { ManuallyDrop::drop(&mut (*stage).future) }))
        })
    }

    unsafe fn cancel(task: RawTask) {
        // SAFETY: the caller owns the `Runnable`, so the task is not complete and lives (S1).
        let cell = unsafe { Self::of(task) };
        let _already_cancelled = cell.header.state.begin_poll();
        // SAFETY: T3 since `begin_poll`.
        unsafe { Self::settle_cancelled(task) };
    }

    /// # Safety
    /// T3, and the future is there. The cell may be gone afterwards.
    unsafe fn settle_cancelled(task: RawTask) {
        // SAFETY: T3: the task lives (S1).
        let cell = unsafe { Self::of(task) };
        let _inside = current::enter(&cell.header);
        // SAFETY: the caller's promise, for both.
        unsafe {
            let error = match cell.drop_future() {
                Ok(()) => JoinError::cancelled(cell.header.id),
                Err(payload) => JoinError::panicked(cell.header.id, payload),
            };
            Self::complete(task, Err(error));
        }
    }

    /// T3 → T4: counts the end (C4), publishes the output, wakes the joiner, lets the task's life go.
    ///
    /// It takes the pointer, not a reference, which would have to outlive the call that frees the cell.
    ///
    /// # Safety
    /// T3, and the stage is empty. The cell may be gone afterwards.
    unsafe fn complete(task: RawTask, mut output: Output<F>) {
        // SAFETY: T3: the task lives (S1).
        let cell = unsafe { Self::of(task) };
        let now = cell.header.state.snapshot();
        let counted = !now.has(Mark::Refused);
        let name = if counted {
            cell.scheduler.count_end(now.has(Mark::Named).then_some(cell.header.id))
        } else {
            None
        };
        if let Err(error) = &mut output {
            error.set_name(name);
        }
        cell.stage.with_mut(|stage| {
            // SAFETY: exclusive in T3 (C2).
            unsafe { (*stage).output = ManuallyDrop::new(output) }
        });
        let before = cell.header.state.complete();
        if counted {
            cell.scheduler.completed();
        }
        if !before.has_join_handle() {
            // SAFETY: T4, and S3 gives the output to the completer.
            unsafe { Self::drop_output(task) };
        } else if before.has_join_waker() {
            cell.header.join_waker.with(|slot| {
                // SAFETY: S4: the bit is set, so the slot was written before and is only read until it is cleared.
                let waker = unsafe { &*slot }.as_ref();
                caught(|| waker.into_iter().for_each(JoinWaker::wake_by_ref));
            });
            if cell.header.state.leave_join_waker() {
                return;
            }
            // SAFETY: S4: the handle has gone, so nobody else looks at the slot.
            drop_caught(cell.header.join_waker.with_mut(|slot| unsafe { &mut *slot }.take()));
        }
        // SAFETY: the life's reference (S1), which only the completer gives up.
        unsafe { if before.is_only_ref() { task.free() } else { task.drop_ref() } };
    }

    unsafe fn schedule(task: RawTask) {
        // SAFETY: the caller has moved the task T1 → T2 and not yet given the `Runnable` away, so the scheduler
        // in it lives until the `Runnable` is queued.
        unsafe {
            let scheduler = NonNull::from(&Self::of(task).scheduler);
            S::schedule(scheduler, task.into_runnable());
        }
    }

    unsafe fn take_output(task: RawTask, out: *mut ()) {
        // SAFETY: T4 and the caller's promise: the output is there and the caller's alone (C1, S3), and `out`
        // points to an `Option` of this very type.
        unsafe {
            let output = Self::of(task).stage.with_mut(|stage| ManuallyDrop::take(&mut (*stage).output));
            *out.cast::<Option<Output<F>>>() = Some(output);
        }
    }

    unsafe fn drop_output(task: RawTask) {
        // SAFETY: as in `take_output`.
        let cell = unsafe { Self::of(task) };
        // SAFETY: as in `take_output`.
        let output = cell.stage.with_mut(|stage| unsafe { ManuallyDrop::take(&mut (*stage).output) });
        let unhandled = match output {
            Err(error) if error.is_panic() => Some(error),
            output => {
                let dropped = catch_unwind(AssertUnwindSafe(|| drop(output)));
                dropped.err().map(|payload| JoinError::panicked(cell.header.id, payload))
            }
        };
        if let Some(error) = unhandled {
            let spawned_at = cell.header.spawned_at;
            cell.scheduler.unhandled_panic(UnhandledTaskPanic { spawned_at, error });
        }
    }

    unsafe fn free(task: RawTask) {
        let cell = task.0.cast::<Self>();
        let it = cell.as_ptr();
        // For the models: all use happens before. A destructor is no access that loom knows of.
        // SAFETY: the last reference is gone, so nobody else has the pointer.
        unsafe { (*it).header.join_waker.with_mut(|_| ()) };
        // One by one, since the state word stays (L1 of the spans); the stage is empty by now (T4, output taken or dropped).
        // What may be left of the user's is a join waker: one whose successor panicked as it was cloned.
        // SAFETY: as above, and nobody uses them again.
        caught(|| unsafe { (&raw mut (*it).header.join_waker).drop_in_place() });
        // SAFETY: as above.
        caught(|| unsafe { (&raw mut (*it).scheduler).drop_in_place() });
        // SAFETY: it came from `blocks::take` for this type, and nothing lives in it any more.
        unsafe { blocks::give_back(cell) };
    }

    unsafe fn registry(task: RawTask) -> *const Owned {
        // SAFETY: the caller holds a reference.
        unsafe { Self::of(task) }.scheduler.registry()
    }
}
