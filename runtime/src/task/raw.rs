//! The header of a task and the table of functions that know its types: what a pointer to a task points to.
//!
//! A waker, a queue or a handle holds a [`RawTask`]: a pointer to a [`Header`], which is the first field of
//! the task's allocation whatever its future is. Everything that depends on the future's type goes through
//! the [`Vtable`].
//!
//! # The 56 bytes
//! A million blocked tasks are ordinary, so the header has what every task needs and no more: the state word, the vtable, the
//! identity, who waits for its end, and the record of what the task waits on, which a dump reads without ever polling.
//! With the scheduler, right behind, it is one cache line. A name, which few tasks have, lies in [`Owned`].
//!
//! # Orderings
//! All accesses to the wait record (`kind_since`, `wait_at`) are `Relaxed`: the machine that polls writes it,
//! whoever dumps reads it. A dump may catch the kind of one wait with the place of the next; it is a picture,
//! nothing is decided on it.

use super::id::TaskId;
use super::join_waker::JoinWaker;
use super::state::{State, Wake};
use super::{Outcome, Owned, Runnable};
use pirn_sync::host::{Wait, WaitKind};
use pirn_sync::primitive::UnsafeCell;
use pirn_sync::primitive::atomic::{AtomicPtr, AtomicU64, Ordering};
use std::panic::{Location, RefUnwindSafe};
use std::ptr::NonNull;

/// What every task starts with.
#[repr(C)]
pub(super) struct Header {
    pub(super) state: State,
    pub(super) vtable: &'static Vtable,
    pub(super) id: TaskId,
    pub(super) spawned_at: &'static Location<'static>,
    /// S4 of the state word says who may touch it.
    pub(super) join_waker: UnsafeCell<Option<JoinWaker>>,
    wait_at: AtomicPtr<Location<'static>>,
    /// The wait's kind in the low 8 bits; in the other 56 the coarse time of its begin, or of the spawn.
    kind_since: AtomicU64,
}

const _: () = assert!(std::mem::offset_of!(Header, state) == 0, "the word of the block is the task's");
const _: () = assert!(cfg!(loom) || size_of::<Header>() + size_of::<usize>() <= 64);

// What a panic of foreign code leaves half done, a join waker that was not cloned, is as it was before.
impl RefUnwindSafe for Header {}

/// The functions that know the future's and the scheduler's types. Each takes a pointer to a live task.
pub(super) struct Vtable {
    /// Polls once. The caller owns the `Runnable`.
    pub(super) poll: unsafe fn(RawTask) -> Outcome,
    /// Drops the future without a poll. The caller owns the `Runnable`.
    pub(super) cancel: unsafe fn(RawTask),
    /// Hands a new `Runnable` to the scheduler. The caller has just moved the task T1 → T2.
    pub(super) schedule: unsafe fn(RawTask),
    /// Moves the output to `*mut Option<Result<T, JoinError>>`. T4, and the output is the caller's.
    pub(super) take_output: unsafe fn(RawTask, *mut ()),
    /// Drops the output, reporting a panic that nobody will join. T4, and the output is the caller's.
    pub(super) drop_output: unsafe fn(RawTask),
    /// Frees the allocation. The last reference is gone.
    pub(super) free: unsafe fn(RawTask),
    /// The registry that the task belongs to, or null.
    pub(super) registry: unsafe fn(RawTask) -> *const Owned,
}

/// A pointer to a task. `Copy`: who holds a reference, a `Runnable` or a handle says so in its own type.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct RawTask(pub(super) NonNull<Header>);

// SAFETY: what it points to is shared between threads by design: the state word decides who touches what.
unsafe impl Send for RawTask {}
// SAFETY: as above.
unsafe impl Sync for RawTask {}

impl Header {
    /// Makes the header of a new task, but for its state word, which is there.
    ///
    /// # Safety
    /// There is room for a header, and nobody else's task lives there.
    pub(super) unsafe fn init(
        this: *mut Self,
        vtable: &'static Vtable,
        id: TaskId,
        spawned_at: &'static Location<'static>,
        now: u64,
    ) {
        // SAFETY: the caller's promise.
        unsafe {
            (&raw mut (*this).vtable).write(vtable);
            (&raw mut (*this).id).write(id);
            (&raw mut (*this).spawned_at).write(spawned_at);
            (&raw mut (*this).join_waker).write(UnsafeCell::new(None));
            (&raw mut (*this).wait_at).write(AtomicPtr::new(std::ptr::null_mut()));
            (&raw mut (*this).kind_since).write(AtomicU64::new(now << 8));
        }
    }

    /// Records what the task waits on, since `since` in the caller's coarse unit.
    pub(super) fn set_wait(&self, wait: Option<Wait>, since: u64) {
        let kind = wait.map_or(0, |wait| wait.kind as u8);
        if let Some(wait) = wait {
            self.wait_at.store(std::ptr::from_ref(wait.at).cast_mut(), Ordering::Relaxed);
        }
        self.kind_since.store(u64::from(kind) | since << 8, Ordering::Relaxed);
    }

    /// What the task waited on when it was polled last.
    pub(super) fn wait(&self) -> Option<Wait> {
        let kind = WaitKind::from_u8(self.kind_since.load(Ordering::Relaxed) as u8)?;
        let at = self.wait_at.load(Ordering::Relaxed);
        // SAFETY: `wait_at` is null or came from a `&'static Location` in `set_wait`.
        let at: &'static Location<'static> = unsafe { at.as_ref() }?;
        Some(Wait { kind, at })
    }

    /// When it began to wait last, or was spawned, in the executor's coarse unit.
    pub(super) fn since(&self) -> u64 {
        self.kind_since.load(Ordering::Relaxed) >> 8
    }
}

impl RawTask {
    /// The header.
    ///
    /// # Safety
    /// The task lives for as long as the reference is used: the caller holds a reference or the `Runnable`.
    pub(super) unsafe fn header<'a>(self) -> &'a Header {
        // SAFETY: the caller's promise.
        unsafe { self.0.as_ref() }
    }

    /// Wakes the task, keeping the caller's reference.
    ///
    /// # Safety
    /// The caller holds a reference.
    pub(super) unsafe fn wake_by_ref(self) {
        // SAFETY: the caller's reference; after the transition the `Runnable` is ours to hand over.
        unsafe {
            let header = self.header();
            if header.state.wake_by_ref() {
                (header.vtable.schedule)(self);
            }
        }
    }

    /// Wakes the task with the caller's reference.
    ///
    /// # Safety
    /// The caller gives up a reference.
    pub(super) unsafe fn wake_by_value(self) {
        // SAFETY: the caller's reference. Its vtable is `'static`, so it outlives the task; after `Schedule`
        // the task lives because it is not complete (S1) and only the `Runnable` can complete it.
        unsafe {
            let vtable = self.header().vtable;
            match self.header().state.wake_by_value() {
                Wake::Schedule => (vtable.schedule)(self),
                Wake::Free => (vtable.free)(self),
                Wake::Nothing => {}
            }
        }
    }

    /// Asks for the future to be dropped.
    ///
    /// # Safety
    /// The caller holds a reference.
    pub(super) unsafe fn abort(self) {
        // SAFETY: as in `wake_by_ref`.
        unsafe {
            let header = self.header();
            if header.state.abort() {
                (header.vtable.schedule)(self);
            }
        }
    }

    /// Gives up a reference.
    ///
    /// # Safety
    /// The caller holds one and does not use it again.
    pub(super) unsafe fn drop_ref(self) {
        // SAFETY: the caller's promise; `free` runs for the last reference only.
        unsafe {
            let vtable = self.header().vtable;
            if self.header().state.drop_ref() {
                (vtable.free)(self);
            }
        }
    }

    /// Gives up the only reference to a complete task.
    ///
    /// # Safety
    /// The caller has found that it holds it (S1 of the state word), and does not use it again.
    pub(super) unsafe fn free(self) {
        // SAFETY: the caller's promise.
        unsafe { (self.header().vtable.free)(self) }
    }

    /// The `Runnable` of a task that has just become scheduled.
    pub(super) fn into_runnable(self) -> Runnable {
        Runnable::from_raw(self)
    }
}
