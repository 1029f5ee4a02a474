//! A set of tasks whose results come back in the order in which they end.
//!
//! Asking every handle at each poll would cost the size of the set. So each member has a waker of its own,
//! which notes the member's number in a list of *hints*: whose turn it may be.
//!
//! ```text
//!   member 3 ends ── its waker ──► hints [7, 3] ── wakes ──► whoever awaits join_next
//!                                     │
//!   join_next:  take a hint, look at that member: over? out with the result : it was a false alarm
//! ```
//!
//! # Invariants
//! G1. Every member that is over and has not been given out has its number among the hints, or its waker is
//!     about to put it there: the waker is registered as the member joins. So `join_next` looks at hinted members
//!     only.
//! G2. A hint may be stale: the member may be gone, and its number in use again. Looking at a member that is
//!     not over does no harm.
//! G3. A poll looks at each hint at most once, so a member that keeps waking itself cannot hold it.
//! G4. Whoever waits leaves its waker under the lock of the hints, and sees there whether any lie there already. One
//!     that comes later takes the waker along. Model: `loom::a_hint_is_found_or_wakes`.
//!
//! # Rejected
//! A wrapper around each future that sends its output: an aborted or panicking task then needs a second way to
//! be noticed, and the output is there before the future is dropped.

#[cfg(all(test, loom))]
mod loom;

use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::panic::{Location, resume_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as Cx, Poll, Wake, Waker, ready};

use pirn_sync::host::{self, WaitKind};
use pirn_sync::primitive::Mutex;
use pirn_sync::slab::Slab;

use crate::task::{AbortHandle, JoinError, JoinHandle};

/// A set of tasks with outputs of one type, joined in the order in which they end.
///
/// Dropping the set aborts all tasks in it; [`shutdown`](Self::shutdown) also waits for them.
///
/// ```
/// pirn::block_on(async {
///     let mut set = pirn::task::JoinSet::new();
///     for n in 1..=3 {
///         set.spawn(async move { n * n });
///     }
///     let mut sum = 0;
///     while let Some(square) = set.join_next().await {
///         sum += square.expect("it does not panic");
///     }
///     assert_eq!(sum, 1 + 4 + 9);
/// });
/// ```
pub struct JoinSet<T> {
    members: Slab<Member<T>>,
    len: usize,
    hints: Arc<Hints>,
}

struct Member<T> {
    handle: JoinHandle<T>,
    waker: Waker,
}

/// Whose turn it may be, and who waits for a hint.
#[derive(Default)]
struct Hints(Mutex<HintList>);

#[derive(Default)]
struct HintList {
    members: VecDeque<usize>,
    waiting: Option<Waker>,
}

impl Hints {
    /// Leaves a hint, and wakes who waits for one.
    fn leave(&self, member: usize) {
        let waiting = {
            let mut hints = self.0.lock();
            hints.members.push_back(member);
            hints.waiting.take()
        };
        if let Some(waker) = waiting {
            waker.wake();
        }
    }

    fn len(&self) -> usize {
        self.0.lock().members.len()
    }

    fn take(&self) -> Option<usize> {
        self.0.lock().members.pop_front()
    }

    /// Has the task of `cx` woken by the next hint; at once if there is one already (G4).
    fn wait(&self, cx: &Cx<'_>) {
        let waker = cx.waker().clone();
        let (old, hinted) = {
            let mut hints = self.0.lock();
            (hints.waiting.replace(waker), !hints.members.is_empty())
        };
        drop(old);
        if hinted {
            cx.waker().wake_by_ref();
        }
    }
}

/// The waker of one member: it leaves a hint.
struct Hint {
    member: usize,
    hints: Arc<Hints>,
}

impl Wake for Hint {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.hints.leave(self.member);
    }
}

impl<T> Member<T> {
    /// Whether the task is over; its end will call the waker otherwise.
    fn is_over(&self) -> bool {
        !self.handle.register(&self.waker)
    }

    /// The result of a task that is over.
    fn into_result(mut self) -> Result<T, JoinError> {
        // It counts as over also while our own task is asked to yield: the leaf that brought us here has
        // honoured that.
        let flag = host::install(None);
        let polled = Pin::new(&mut self.handle).poll(&mut Cx::from_waker(&self.waker));
        host::install(flag);
        match polled {
            Poll::Ready(result) => result,
            Poll::Pending => unreachable!("a task that is over stays so"),
        }
    }
}

impl<T> JoinSet<T> {
    /// An empty set. Allocates nothing for members yet.
    pub fn new() -> Self {
        Self { members: Slab::new(), len: 0, hints: Arc::default() }
    }

    /// Spawns `future` on the current runtime, else on the global one, as a member of this set.
    ///
    /// The handle cancels that one task, whose result is then a cancelled error; it may be ignored.
    #[track_caller]
    pub fn spawn<F>(&mut self, future: F) -> AbortHandle
    where
        F: Future<Output = T> + Send + 'static,
        T: Send + 'static,
    {
        self.adopt(crate::spawn(future))
    }

    /// As [`spawn`](Self::spawn), on the runtime of `handle`.
    #[track_caller]
    pub fn spawn_on<F>(&mut self, future: F, handle: &crate::Handle) -> AbortHandle
    where
        F: Future<Output = T> + Send + 'static,
        T: Send + 'static,
    {
        self.adopt(handle.spawn(future))
    }

    /// Runs `f` on a thread of the blocking pool, as a member of this set. It can be aborted only before it
    /// starts.
    #[track_caller]
    pub fn spawn_blocking<F>(&mut self, f: F) -> AbortHandle
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.adopt(crate::spawn_blocking(f))
    }

    /// Makes a task that is already running a member. Dropping the set aborts it from then on.
    ///
    /// # Panics
    /// If the handle has returned the task's output already.
    #[track_caller]
    pub fn adopt(&mut self, handle: JoinHandle<T>) -> AbortHandle {
        assert!(!handle.is_taken(), "a JoinHandle was adopted after it had returned the task's output");
        let abort = handle.abort_handle();
        let number = self.members.insert_with(|number| {
            let waker = Waker::from(Arc::new(Hint { member: number, hints: Arc::clone(&self.hints) }));
            Member { handle, waker }
        });
        self.len += 1;
        // G1: this registers the waker; a task that is over already will not call it.
        if self.members.get(number).is_some_and(Member::is_over) {
            self.hints.leave(number);
        }
        abort
    }

    /// Waits for the next member to end, and takes it out of the set. `None` when the set is empty.
    ///
    /// # Errors
    /// The [`JoinError`] of a member that panicked or was cancelled.
    ///
    /// *Cancel safety*: no result is lost when this is dropped.
    #[track_caller]
    pub fn join_next(&mut self) -> JoinNext<'_, T> {
        JoinNext { set: self, at: Location::caller() }
    }

    /// Waits for all members, and returns their outputs in the order in which they ended.
    ///
    /// # Panics
    /// If a member panicked, with its payload, or was cancelled. The members that are left are aborted first. Who wants
    /// to go on without a failed one calls [`join_next`](Self::join_next) in a loop.
    ///
    /// *Cancel safety*: dropping this aborts all members, as dropping the set does, and drops the outputs.
    ///
    /// # Examples
    /// ```
    /// pirn::block_on(async {
    ///     let set: pirn::JoinSet<_> = (1..=3).map(|n| async move { n * n }).collect();
    ///     let mut squares = set.join_all().await;
    ///     squares.sort_unstable();
    ///     assert_eq!(squares, [1, 4, 9]);
    /// });
    /// ```
    #[track_caller]
    pub fn join_all(self) -> JoinAll<T> {
        JoinAll { outputs: Vec::with_capacity(self.len), set: self, at: Location::caller() }
    }

    /// Takes a member that has ended, if there is one, without waiting.
    pub fn try_join_next(&mut self) -> Option<Result<T, JoinError>> {
        self.take_ended()
    }

    /// Aborts every member. They stay in the set until they have been joined.
    pub fn abort_all(&self) {
        self.members.values().for_each(|member| member.handle.abort());
    }

    /// Aborts every member and waits until all their futures are dropped. The set is empty then.
    ///
    /// Results of members that had ended, panics among them, are dropped.
    ///
    /// *Cancel safety*: dropping this leaves the members aborted and in the set.
    #[track_caller]
    pub fn shutdown(&mut self) -> Shutdown<'_, T> {
        Shutdown { set: self, aborted: false, at: Location::caller() }
    }

    /// How many members have not been joined, ended or not.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is nobody left to join.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Looks at the hinted members until one is over, who then leaves the set with its result.
    fn take_ended(&mut self) -> Option<Result<T, JoinError>> {
        // G3: as many as there are now; what is added meanwhile has its turn at the next poll.
        for _ in 0..self.hints.len() {
            let number = self.hints.take()?;
            if self.members.get(number).is_some_and(Member::is_over) {
                self.len -= 1;
                return Some(self.members.remove(number).into_result());
            }
        }
        None
    }

    pub(super) fn poll_next(
        &mut self,
        cx: &mut Cx<'_>,
        at: &'static Location<'static>,
    ) -> Poll<Option<Result<T, JoinError>>> {
        ready!(host::poll_yield(cx));
        if let Some(result) = self.take_ended() {
            return Poll::Ready(Some(result));
        }
        if self.is_empty() {
            return Poll::Ready(None);
        }
        self.hints.wait(cx);
        host::waiting_on(WaitKind::Join, at);
        Poll::Pending
    }
}

impl<T> Drop for JoinSet<T> {
    fn drop(&mut self) {
        self.abort_all();
    }
}

impl<T> Default for JoinSet<T> {
    fn default() -> Self {
        Self::new()
    }
}

/// Spawns each future, as [`JoinSet::spawn`] does.
impl<T, F> Extend<F> for JoinSet<T>
where
    F: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    #[track_caller]
    fn extend<I: IntoIterator<Item = F>>(&mut self, futures: I) {
        // A loop, since a closure would be the place that a dump shows.
        for future in futures {
            self.spawn(future);
        }
    }
}

/// Spawns each future. By way of `collect` the place that a dump shows for them is std's; that of `extend` is one's own.
impl<T, F> FromIterator<F> for JoinSet<T>
where
    F: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    #[track_caller]
    fn from_iter<I: IntoIterator<Item = F>>(futures: I) -> Self {
        let mut set = Self::new();
        set.extend(futures);
        set
    }
}

impl<T> fmt::Debug for JoinSet<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinSet").field("len", &self.len).finish_non_exhaustive()
    }
}

/// Waits for the next member of a [`JoinSet`] to end; made by [`JoinSet::join_next`].
#[must_use = "futures do nothing unless polled or awaited"]
pub struct JoinNext<'a, T> {
    set: &'a mut JoinSet<T>,
    at: &'static Location<'static>,
}

impl<T> Future for JoinNext<'_, T> {
    type Output = Option<Result<T, JoinError>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Cx<'_>) -> Poll<Self::Output> {
        let at = self.at;
        self.set.poll_next(cx, at)
    }
}

impl<T> fmt::Debug for JoinNext<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("JoinNext").field(self.set).finish()
    }
}

/// Waits for all members of a [`JoinSet`]; made by [`JoinSet::join_all`].
#[must_use = "futures do nothing unless polled or awaited"]
pub struct JoinAll<T> {
    set: JoinSet<T>,
    outputs: Vec<T>,
    at: &'static Location<'static>,
}

// Outputs are moved, never pinned.
impl<T> Unpin for JoinAll<T> {}

impl<T> Future for JoinAll<T> {
    type Output = Vec<T>;

    fn poll(self: Pin<&mut Self>, cx: &mut Cx<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        while let Some(result) = ready!(this.set.poll_next(cx, this.at)) {
            match result {
                Ok(output) => this.outputs.push(output),
                Err(error) => {
                    this.set.abort_all();
                    match error.try_into_panic() {
                        Ok(payload) => resume_unwind(payload),
                        Err(error) => {
                            panic!("a member of a set that was to be joined did not finish: {error}")
                        }
                    }
                }
            }
        }
        Poll::Ready(std::mem::take(&mut this.outputs))
    }
}

impl<T> fmt::Debug for JoinAll<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("JoinAll").field(&self.set).finish()
    }
}

/// Aborts all members of a [`JoinSet`] and waits for their end; made by [`JoinSet::shutdown`].
#[must_use = "futures do nothing unless polled or awaited"]
pub struct Shutdown<'a, T> {
    set: &'a mut JoinSet<T>,
    aborted: bool,
    at: &'static Location<'static>,
}

impl<T> Future for Shutdown<'_, T> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Cx<'_>) -> Poll<()> {
        if !self.aborted {
            self.aborted = true;
            self.set.abort_all();
        }
        let at = self.at;
        while ready!(self.set.poll_next(cx, at)).is_some() {}
        Poll::Ready(())
    }
}

impl<T> fmt::Debug for Shutdown<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Shutdown").field(self.set).finish()
    }
}
