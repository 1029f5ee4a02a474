//! One caller's attempt to initialise: wait for the turn, then run a closure's future (O3 of
//! [`once`](super)).
//!
//! ```text
//!   Waiting(f) ── turn ──► Running(future) ── ready ──► Ended, output out; the owner ends the turn
//!       └── done by another ──► Ended, no output
//! ```
//!
//! The future is boxed: then the attempt need not be pinned in place, which would take `unsafe`, and only
//! the one caller that runs pays for it.

use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::gate::Gate;
use crate::permits::Ticket;

/// A caller's closure `f`, its future, and its place at the gate.
pub(crate) struct Attempt<F, Fut> {
    ticket: Ticket,
    stage: Stage<F, Fut>,
    /// Raised while the caller's code runs: still up in a destructor, it tells of a panic there.
    in_callers_code: bool,
}

enum Stage<F, Fut> {
    Waiting(F),
    /// `None` while the closure is being called, or its future is being dropped.
    Running(Option<Pin<Box<Fut>>>),
    Ended,
}

// The closure is moved out before it is called and the future is boxed: neither is pinned in here.
impl<F, Fut> Unpin for Attempt<F, Fut> {}

impl<F, Fut> Attempt<F, Fut> {
    #[inline]
    pub(crate) fn new(f: F, at: &'static Location<'static>) -> Self {
        Self { ticket: Gate::ticket(at), stage: Stage::Waiting(f), in_callers_code: false }
    }

    /// Whether the caller's closure or future has panicked. For destructors.
    pub(crate) fn has_panicked(&self) -> bool {
        self.in_callers_code
    }

    /// Leaves the gate's queue, or drops the future and then ends the turn: `finish`, or else give up. For
    /// destructors.
    #[inline]
    pub(crate) fn abandon(&mut self, gate: &Gate, finish: bool) {
        match &mut self.stage {
            Stage::Waiting(_) => gate.leave(&mut self.ticket),
            Stage::Running(future) => break_off(future, gate, finish),
            Stage::Ended => {}
        }
    }
}

#[cold]
fn break_off<Fut>(future: &mut Option<Pin<Box<Fut>>>, gate: &Gate, finish: bool) {
    // Ended when it goes out of scope, also if the future's destructor panics.
    let _turn = gate.take_over(finish);
    drop(future.take());
}

impl<F: FnOnce() -> Fut, Fut: Future> Attempt<F, Fut> {
    /// `Some(output)`: this caller has run, and now has to end the turn. `None`: another one has.
    pub(crate) fn poll(&mut self, gate: &Gate, context: &mut Context<'_>) -> Poll<Option<Fut::Output>> {
        if let Stage::Waiting(_) = self.stage {
            let mine = ready!(gate.poll_enter(&mut self.ticket, context));
            let next = if mine { Stage::Running(None) } else { Stage::Ended };
            let Stage::Waiting(f) = std::mem::replace(&mut self.stage, next) else {
                unreachable!("seen above")
            };
            if !mine {
                return Poll::Ready(None);
            }
            let future = self.run_callers_code(|_| Box::pin(f()));
            self.stage = Stage::Running(Some(future));
        }
        let output = ready!(self.run_callers_code(|stage| match stage {
            Stage::Running(Some(future)) => future.as_mut().poll(context),
            _ => panic!("the future of an initialisation was polled again after it had ended"),
        }));
        self.run_callers_code(|stage| *stage = Stage::Running(None));
        self.stage = Stage::Ended;
        Poll::Ready(Some(output))
    }

    fn run_callers_code<R>(&mut self, code: impl FnOnce(&mut Stage<F, Fut>) -> R) -> R {
        self.in_callers_code = true;
        let result = code(&mut self.stage);
        self.in_callers_code = false;
        result
    }
}
