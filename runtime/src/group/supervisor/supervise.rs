//! The supervisor at work: a future that owns the tasks of its children and looks at them whenever one ends.
//!
//! ```text
//!             due ─── its time has come ──► running ─── ended, stays so ──► idle
//!              ▲                              │  │
//!              └── ended, to be restarted ────┘  └── strategy, escalation, end of the context ──► stopping
//!              ▲                                                                                     │
//!              └──────────────── to be restarted ────────────────────────────────────────────────────┤
//!                                                                           return the result ◄──────┘
//! ```
//!
//! # Stopping
//! From the last child to the first of those concerned, one after the other: end its context, wait, abort it
//! when its time is up, wait until its future is dropped. Only then comes the next one.
//!
//! # Invariants
//! U1. A child has at most one task; the next is started only when the handle of the last one has resolved.
//! U2. The result is returned only when no child has a task. Dropping the supervisor aborts those there are,
//!     all of them, also when a waker panics that the end of a child's context calls.
//! U3. While children are being stopped none is started, and the ends of others wait to be looked at.
//! U4. The end of the context overrules every plan to restart.

use std::any::Any;
use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as Cx, Poll, ready};
use std::time::{Duration, Instant};

use pirn_sync::clock;
use pirn_sync::host::{self, WaitKind};
use pirn_sync::unwind::{AllSteps, drop_caught};

use super::child::Family;
use super::policy::{Limits, Restart, Strategy, Window};
use super::report::{Failure, LastFailure, SupervisorError};
use crate::context::{CancelFunc, Context, Done};
use crate::sched::timer_slot::TimerSlot;
use crate::task::{JoinError, JoinHandle};

/// How long "for ever" is: a pause or a patience that no clock can express ends then.
const FOR_EVER: Duration = Duration::from_secs(30 * 365 * 24 * 3_600);

/// Supervises tasks until they are done, cannot be helped, or are cancelled; made by
/// [`Supervisor::run`](super::Supervisor::run) and [`run_children`](super::Supervisor::run_children).
#[must_use = "futures do nothing unless polled or awaited; dropping it aborts the children"]
pub struct Supervise<C> {
    name: Arc<str>,
    strategy: Strategy,
    limits: Limits,
    context: Context,
    done: Done,
    family: C,
    slots: Vec<Slot>,
    window: Window,
    history: VecDeque<Failure>,
    stopping: Option<Stopping>,
    at: &'static Location<'static>,
}

/// One child as it is now. Idle if it neither runs nor is due.
struct Slot {
    running: Option<Running>,
    /// When it is to be started.
    due: Option<Instant>,
    /// For `due`, or for the patience while it is being stopped.
    timer: TimerSlot,
    /// How many restarts there were in a row.
    row: u32,
}

struct Running {
    task: JoinHandle<Result<(), String>>,
    cancel: CancelFunc,
    since: Instant,
    /// Once it has been asked to stop: when it will be aborted.
    patience: Option<Instant>,
}

/// The children from `first` on are being stopped; those from `next` on have been.
struct Stopping {
    first: usize,
    next: usize,
    then: Then,
}

enum Then {
    Return(Result<(), SupervisorError>),
    Restart(Instant),
}

impl<C: Family> Supervise<C> {
    pub(super) fn new(
        name: Arc<str>,
        strategy: Strategy,
        limits: Limits,
        context: &Context,
        family: C,
        at: &'static Location<'static>,
    ) -> Self {
        let now = clock::now();
        let slot = |_| Slot { running: None, due: Some(now), timer: TimerSlot::new(), row: 0 };
        Self {
            name,
            strategy,
            limits,
            context: context.clone(),
            done: context.done(),
            slots: (0..family.len()).map(slot).collect(),
            family,
            window: Window::default(),
            history: VecDeque::new(),
            stopping: None,
            at,
        }
    }

    /// One round over everything; ready with the result, or pending until something ends or is due.
    fn poll_round(&mut self, cx: &mut Cx<'_>) -> Poll<Result<(), SupervisorError>> {
        loop {
            let cancelled = matches!(&self.stopping, Some(Stopping { then: Then::Return(_), .. }));
            if !cancelled && self.done.poll_ended(cx).is_ready() {
                // U4: from the child that is being stopped downwards, or from the last.
                self.stop_all(SupervisorError::Canceled);
            }
            if let Some(stopping) = &mut self.stopping {
                ready!(stopping.poll(&mut self.slots, &self.family, cx));
                match self.stopping.take().map(|stopping| (stopping.first, stopping.then)) {
                    Some((_, Then::Return(result))) => return Poll::Ready(result),
                    Some((first, Then::Restart(due))) => self.schedule(first, due),
                    None => {}
                }
                // U4 once more: the context may have ended while they were being stopped.
                continue;
            }
            self.start_due(cx);
            if !self.settle_ended(cx) {
                break;
            }
        }
        if self.slots.iter().all(|slot| slot.running.is_none() && slot.due.is_none()) {
            return Poll::Ready(Ok(()));
        }
        Poll::Pending
    }

    /// Plans to stop every child, in reverse order, and to return `error`.
    fn stop_all(&mut self, error: SupervisorError) {
        let next = self.stopping.as_ref().map_or(self.slots.len(), |stopping| stopping.next);
        self.stopping = Some(Stopping { first: 0, next, then: Then::Return(Err(error)) });
    }

    /// Makes the children from `first` on due, but for those that are never restarted.
    fn schedule(&mut self, first: usize, due: Instant) {
        for child in first..self.slots.len() {
            if self.family.restart(child) != Restart::Temporary {
                self.slots[child].due = Some(due);
            }
        }
    }

    /// Starts whoever's time has come, in order.
    fn start_due(&mut self, cx: &mut Cx<'_>) {
        for child in 0..self.slots.len() {
            let slot = &mut self.slots[child];
            let Some(due) = slot.due else { continue };
            if slot.timer.poll_until(due, cx).is_ready() {
                slot.due = None;
                self.slots[child].running = Some(self.start(child));
            }
        }
    }

    fn start(&mut self, child: usize) -> Running {
        let (context, cancel) = self.context.without_cancel().with_cancel();
        let made = catch_unwind(AssertUnwindSafe(|| self.family.make(child, context)));
        // A factory that panics is a run that panics: the same path from here on.
        let run = made.unwrap_or_else(|panic| Box::pin(panic_with(panic)));
        let task = crate::global::spawn(run, Some(self.family.name(child)), self.at);
        Running { task, cancel, since: clock::now(), patience: None }
    }

    /// Looks for a child that has ended, and decides what follows. False if there is none.
    fn settle_ended(&mut self, cx: &mut Cx<'_>) -> bool {
        for child in 0..self.slots.len() {
            let Some(running) = &mut self.slots[child].running else { continue };
            if let Poll::Ready(end) = Pin::new(&mut running.task).poll(cx) {
                let ran = clock::now().saturating_duration_since(running.since);
                self.slots[child].running = None;
                self.settle(child, ran, end);
                return true;
            }
        }
        false
    }

    fn settle(&mut self, child: usize, ran: Duration, end: Result<Result<(), String>, JoinError>) {
        let message = match end {
            Ok(Ok(())) => None,
            Ok(Err(message)) => Some(message),
            Err(error) => match error.try_into_panic() {
                Ok(panic) => Some(panic_message(panic)),
                // Nobody but its runtime's shutdown aborts a child that is not being stopped.
                Err(_) => return self.stop_all(SupervisorError::Canceled),
            },
        };
        let message = match (self.family.restart(child), message) {
            (Restart::Temporary, _) | (Restart::Transient, None) => return,
            (Restart::Permanent, None) => "it ended, which it is never meant to".to_owned(),
            (_, Some(message)) => message,
        };
        self.restart(child, ran, message);
    }

    /// Plans the restart of a child that has failed, or to give up.
    fn restart(&mut self, child: usize, ran: Duration, message: String) {
        let now = clock::now();
        self.history.push_back(Failure { child: self.family.name(child), ran, message: message.clone() });
        let allowed = self.window.allows(now, &self.limits);
        while self.history.len() > self.window.len() {
            self.history.pop_front();
        }
        if !allowed {
            let history = std::mem::take(&mut self.history).into();
            let last = LastFailure { supervisor: Arc::clone(&self.name), message, history };
            return self.stop_all(SupervisorError::TooManyRestarts { last });
        }
        let slot = &mut self.slots[child];
        slot.row = if ran > self.limits.within { 1 } else { slot.row.saturating_add(1) };
        let due = after(now, self.limits.pause(slot.row));
        let first = match self.strategy {
            Strategy::OneForOne => {
                slot.due = Some(due);
                return;
            }
            Strategy::OneForAll => 0,
            Strategy::RestForOne => child,
        };
        self.stopping = Some(Stopping { first, next: self.slots.len(), then: Then::Restart(due) });
    }
}

impl Stopping {
    /// Stops one child after the other; ready when all of them have ended.
    fn poll(&mut self, slots: &mut [Slot], family: &impl Family, cx: &mut Cx<'_>) -> Poll<()> {
        while self.next > self.first {
            let child = self.next - 1;
            ready!(slots[child].poll_stop(family.shutdown_timeout(child), cx));
            self.next = child;
        }
        Poll::Ready(())
    }
}

impl Slot {
    fn poll_stop(&mut self, timeout: Duration, cx: &mut Cx<'_>) -> Poll<()> {
        self.due = None;
        if let Some(running) = &mut self.running {
            let patience = *running.patience.get_or_insert_with(|| {
                running.cancel.cancel();
                after(clock::now(), timeout)
            });
            if self.timer.poll_until(patience, cx).is_ready() {
                running.task.abort();
            }
            // U1. Its end is what was asked for, whatever it looks like.
            drop_caught(ready!(Pin::new(&mut running.task).poll(cx)));
        }
        self.timer.cancel();
        self.running = None;
        Poll::Ready(())
    }
}

fn after(now: Instant, pause: Duration) -> Instant {
    now.checked_add(pause).unwrap_or_else(|| now + FOR_EVER)
}

async fn panic_with(panic: Box<dyn Any + Send>) -> Result<(), String> {
    resume_unwind(panic)
}

fn panic_message(panic: Box<dyn Any + Send>) -> String {
    let message =
        panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    let message = format!("panicked: {}", message.unwrap_or("(no message)"));
    drop_caught(panic);
    message
}

impl<C> Unpin for Supervise<C> {}

impl<C: Family> Future for Supervise<C> {
    type Output = Result<(), SupervisorError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Cx<'_>) -> Poll<Self::Output> {
        ready!(host::poll_yield(cx));
        let result = self.poll_round(cx);
        if result.is_pending() {
            host::waiting_on(WaitKind::Join, self.at);
        }
        result
    }
}

impl<C> Drop for Supervise<C> {
    fn drop(&mut self) {
        let mut steps = AllSteps::default();
        for Running { task, cancel, .. } in self.slots.iter_mut().rev().filter_map(|slot| slot.running.take())
        {
            steps.take(|| drop(cancel));
            steps.take(|| {
                task.abort();
                drop(task);
            });
        }
        steps.finish();
    }
}

impl<C> fmt::Debug for Supervise<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let running = self.slots.iter().filter(|slot| slot.running.is_some()).count();
        f.debug_struct("Supervise")
            .field("name", &self.name)
            .field("children", &self.slots.len())
            .field("running", &running)
            .finish_non_exhaustive()
    }
}
