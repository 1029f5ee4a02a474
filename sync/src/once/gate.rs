//! The gate: whose turn it is to initialise, and whether it is done (O1 and O2 of [`once`](super)).
//!
//! ```text
//!   nobody's turn ──── somebody enters ────► somebody's turn ──── finish ────► done
//!   (one permit)                             (no permit)                       (closed)
//!        ▲                                        │
//!        └──────────────── give_up ───────────────┘
//! ```

use std::panic::Location;
use std::task::{Context, Poll, ready};

use crate::block;
use crate::host::{self, WaitKind};
use crate::permits::{Permits, Ticket, Want};

/// One turn at a time, until it is done.
#[derive(Debug)]
pub(crate) struct Gate {
    turn: Permits<false>,
}

impl Gate {
    crate::const_fn! {
        /// Nobody has had a turn.
        pub(crate) const fn new() -> Self {
            Self { turn: Permits::new(1) }
        }
    }

    #[inline]
    pub(crate) fn is_done(&self) -> bool {
        self.turn.is_closed()
    }

    /// A request for the turn, which whoever drops it early gives to [`leave`](Self::leave).
    #[inline]
    pub(crate) fn ticket(at: &'static Location<'static>) -> Ticket {
        Ticket::new(at)
    }

    /// Waits for the turn: `true` with it, `false` when it is done.
    pub(crate) fn poll_enter(&self, ticket: &mut Ticket, context: &mut Context<'_>) -> Poll<bool> {
        if self.is_done() {
            ready!(host::poll_yield(context));
            self.leave(ticket);
            return Poll::Ready(false);
        }
        self.turn
            .poll_acquire(&Want::new(1, WaitKind::Once), ticket, context)
            .map(|acquired| acquired.is_ok())
    }

    /// The attempt ends early: it does not wait any more.
    #[inline]
    pub(crate) fn leave(&self, ticket: &mut Ticket) {
        self.turn.cancel(ticket);
    }

    /// Waits for the turn on this thread; `None` when it is done.
    pub(crate) fn enter_blocking(&self, at: &'static Location<'static>) -> Option<Turn<'_>> {
        let mut ticket = Self::ticket(at);
        let entered = block::wait(std::future::poll_fn(|context| self.poll_enter(&mut ticket, context)));
        entered.then(|| self.take_over(false))
    }

    /// The turn of a caller that has it, to be ended by a destructor.
    pub(crate) fn take_over(&self, finish: bool) -> Turn<'_> {
        Turn { gate: self, finish }
    }

    /// Takes the turn if nobody has it or waits for it; `Some(None)` when it is done.
    pub(crate) fn try_enter(&self) -> Option<Option<Turn<'_>>> {
        match self.turn.try_acquire(1) {
            Ok(true) => Some(Some(self.take_over(false))),
            Ok(false) => None,
            Err(_) => Some(None),
        }
    }

    /// Ends the turn: it is done.
    pub(crate) fn finish(&self) {
        self.turn.close();
    }

    /// Ends the turn: it is the next one's.
    pub(crate) fn give_up(&self) {
        self.turn.release(1);
    }
}

/// The turn in the hands of a thread. Dropping it gives up, unless told otherwise.
pub(crate) struct Turn<'a> {
    gate: &'a Gate,
    finish: bool,
}

impl Turn<'_> {
    pub(crate) fn finish_on_drop(mut self) -> Self {
        self.finish = true;
        self
    }

    pub(crate) fn finish(self) {
        drop(self.finish_on_drop());
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        match self.finish {
            true => self.gate.finish(),
            false => self.gate.give_up(),
        }
    }
}
