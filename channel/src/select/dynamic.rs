//! [`Select`]: the cases are a list made at run time.
//!
//! The algorithm is that of [`frame`][crate::select::frame]; only where the branches lie differs.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::{pin, Pin};
use std::task::{Context, Poll};
use std::time::Duration;

use pirn_sync::unwind;

use crate::block;
use crate::error::{RecvError, SendError};
use crate::receiver::Receiver;
use crate::recv::Recv;
use crate::select::case::{Branch, Pass, Step};
use crate::select::frame::Frame;
use crate::send::Send;
use crate::sender::Sender;

/// A list of receives and sends of which one is to happen.
///
/// ```
/// use pirn_channel::{Select, Selected, bounded};
///
/// let inputs: Vec<_> = (0..3).map(|_| bounded(1)).collect();
/// inputs[1].0.try_send("two").unwrap();
/// let mut select = Select::new();
/// for (_, rx) in &inputs {
///     select.recv(rx);
/// }
/// assert_eq!(select.ready_blocking(), Selected::Recv(1, Ok("two")));
/// ```
///
/// A select may be asked again: its receives stay, a send that has happened is out. A receive stays when its channel has
/// closed, too, and is ready each time: to be rid of it, make a new list.
pub struct Select<'a, T> {
    cases: Vec<Case<'a, T>>,
    order: Vec<u32>,
}

/// An operation has a box of its own, because it must not move while it waits and the list may grow.
enum Case<'a, T> {
    Recv(Pin<Box<Option<Recv<'a, T>>>>),
    Send(Pin<Box<Option<Send<'a, T>>>>),
}

/// Which case of a [`Select`] happened, by the number that adding it returned, and its result.
#[derive(Debug, PartialEq, Eq)]
pub enum Selected<T> {
    /// A receive.
    Recv(usize, Result<T, RecvError>),
    /// A send.
    Send(usize, Result<(), SendError<T>>),
}

impl<'a, T> Select<'a, T> {
    /// A select without cases.
    pub fn new() -> Self {
        Self { cases: Vec::new(), order: Vec::new() }
    }

    /// Adds a receive; returns its number.
    #[track_caller]
    pub fn recv(&mut self, rx: &'a Receiver<T>) -> usize {
        self.add(Case::Recv(Box::pin(Some(rx.recv()))))
    }

    /// Adds a send; returns its number. Its value is dropped with the select, unless it is sent.
    #[track_caller]
    pub fn send(&mut self, tx: &'a Sender<T>, value: T) -> usize {
        self.add(Case::Send(Box::pin(Some(tx.send(value)))))
    }

    fn add(&mut self, case: Case<'a, T>) -> usize {
        self.cases.push(case);
        self.order.push(0);
        self.cases.len() - 1
    }

    /// Waits until one case has happened.
    ///
    /// # Panics
    /// When polled, if no case is left.
    ///
    /// # Cancel safety
    /// Nothing is lost: a value handed to a future that is dropped goes to the next receiver, or back ahead of the
    /// buffer. A send that a partner took in the last moment has happened, and takes no part any more.
    #[track_caller]
    pub fn ready(&mut self) -> Ready<'_, 'a, T> {
        self.start(false, Location::caller())
    }

    /// Makes a case happen if one can without waiting.
    ///
    /// # Panics
    /// If no case is left.
    #[track_caller]
    pub fn try_ready(&mut self) -> Option<Selected<T>> {
        assert!(self.live() > 0, "a Select without cases would wait for ever");
        let ready = pin!(self.start(true, Location::caller()));
        let (cases, frame) = ready.parts();
        let cx = &mut Context::from_waker(std::task::Waker::noop());
        let step = |number, pass: Pass<'_>, cx: &mut Context<'_>| {
            step(&mut cases[number as usize], number, pass, cx)
        };
        match frame.poll_unyielding(cx, step) {
            Poll::Ready(selected) => selected,
            Poll::Pending => None,
        }
    }

    /// [`ready`][Self::ready] for a plain thread: blocks it.
    ///
    /// # Panics
    /// If no case is left.
    #[track_caller]
    pub fn ready_blocking(&mut self) -> Selected<T> {
        block::block_on(self.ready())
    }

    /// [`ready_blocking`][Self::ready_blocking] for at most `limit`; `None` when the time is up.
    ///
    /// # Panics
    /// If no case is left.
    #[track_caller]
    pub fn ready_timeout_blocking(&mut self, limit: Duration) -> Option<Selected<T>> {
        let mut ready = pin!(self.ready());
        match block::block_on_for(ready.as_mut(), limit) {
            Some(selected) => Some(selected),
            None => ready.as_mut().give_up(),
        }
    }

    fn live(&self) -> usize {
        self.cases.iter().filter(|case| case.is_live()).count()
    }

    fn start(&mut self, default: bool, at: &'static Location<'static>) -> Ready<'_, 'a, T> {
        // None waits any more, unless an earlier `Ready` was forgotten: then they wait under its claim.
        reset_all(&mut self.cases);
        let live = self.cases.iter().map(Case::is_live);
        let frame = Frame::with(&mut self.order, live, default, at);
        Ready { cases: &mut self.cases, frame }
    }
}

impl<T> Case<'_, T> {
    fn is_live(&self) -> bool {
        match self {
            Self::Recv(op) => op.is_some(),
            Self::Send(op) => op.is_some(),
        }
    }

    /// Leaves the queue. A send that a partner took in the last moment has happened, and is out.
    fn reset(&mut self) {
        match self {
            Self::Recv(op) => {
                if let Some(recv) = op.as_mut().as_pin_mut() {
                    recv.reset();
                }
            }
            Self::Send(op) => {
                if op.as_mut().as_pin_mut().is_some_and(|send| !send.reset()) {
                    op.set(None);
                }
            }
        }
    }
}

/// Has every case leave its queue. One of them may pass on what it was given, and whoever is woken for that may panic: the
/// others leave all the same, because the claim under which they wait goes in the unwinding.
fn reset_all<T>(cases: &mut [Case<'_, T>]) {
    unwind::each(cases, Case::reset);
}

impl<T> Default for Select<'_, T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> fmt::Debug for Select<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Select").field("cases", &self.cases.len()).finish_non_exhaustive()
    }
}

/// The future of [`Select::ready`].
#[must_use = "a future does nothing unless it is awaited"]
pub struct Ready<'s, 'a, T> {
    cases: &'s mut [Case<'a, T>],
    frame: Frame<'s>,
}

impl<'s, 'a, T> Ready<'s, 'a, T> {
    fn parts(self: Pin<&mut Self>) -> (&mut [Case<'a, T>], Pin<&mut Frame<'s>>) {
        // SAFETY: a projection: `frame` is pinned whenever `self` is, and nothing moves it out; the list never is.
        unsafe {
            let this = self.get_unchecked_mut();
            (&mut *this.cases, Pin::new_unchecked(&mut this.frame))
        }
    }

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Selected<T>>> {
        let (cases, frame) = self.parts();
        frame.poll(cx, |number, pass, cx| step(&mut cases[number as usize], number, pass, cx))
    }

    /// The time is up: what a partner completed in the last moment still counts.
    fn give_up(self: Pin<&mut Self>) -> Option<Selected<T>> {
        let (cases, frame) = self.parts();
        let cx = &mut Context::from_waker(std::task::Waker::noop());
        frame.give_up(cx, |number, pass, cx| step(&mut cases[number as usize], number, pass, cx))
    }
}

fn step<T>(case: &mut Case<'_, T>, number: u32, pass: Pass<'_>, cx: &mut Context<'_>) -> Step<Selected<T>> {
    let place = number as usize;
    match case {
        Case::Recv(op) => match op.as_mut().step(pass, number, cx) {
            Poll::Ready(result) => Step::Won(Selected::Recv(place, result)),
            Poll::Pending => Step::Pending,
        },
        Case::Send(op) => match op.as_mut().step(pass, number, cx) {
            Poll::Ready(result) => {
                op.set(None);
                Step::Won(Selected::Send(place, result))
            }
            Poll::Pending => Step::Pending,
        },
    }
}

impl<T> Future for Ready<'_, '_, T> {
    type Output = Selected<T>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Selected<T>> {
        self.poll_ready(cx).map(|selected| selected.expect("a select without default ends with a case"))
    }
}

impl<T> Drop for Ready<'_, '_, T> {
    fn drop(&mut self) {
        // Before the frame goes (F3 of [`frame`][crate::select::frame]).
        reset_all(self.cases);
    }
}

impl<T> fmt::Debug for Ready<'_, '_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ready").field("cases", &self.cases.len()).finish_non_exhaustive()
    }
}
