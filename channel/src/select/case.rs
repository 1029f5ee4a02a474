//! What may stand in a branch of a `select!`, and what a select asks of it.
//!
//! A branch holds an `Option` of its operation: `None` behind a false guard. Its type tells what kind of operation it is.
//! A [`Recv`] or a [`Send`] written directly in a branch is a *channel case*: a partner can complete it, and it has no
//! effect when it loses. Any other future is *plain*, and is only polled and dropped.
//!
//! The macro cannot see types, so it lets method resolution choose: on `&Option<Recv<T>>` the method of [`ChannelKind`]
//! is found first, because it needs no further reference; on any other future only [`PlainKind`]'s fits. That method is
//! called in the user's code, so its name is one that a trait of the user's, implemented for every type, hardly has.
//!
//! A channel case is pinned where its operand was evaluated: most selects find a ready branch at once, and would spend
//! more on moving the others about than on looking at their channels. A plain operand becomes a future first
//! (`IntoFuture`), in a place of its own.

use std::cell::Cell;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::error::{RecvError, SendError};
use crate::recv::Recv;
use crate::send::Send;
use crate::wait::Seat;

/// What a select asks of one branch.
#[derive(Clone, Copy, Debug)]
pub enum Pass<'a> {
    /// Complete if that needs no waiting. Plain futures are polled.
    Look,
    /// Only channel cases: as [`Look`][Self::Look].
    LookAgain,
    /// Only plain futures: poll.
    Poll,
    /// Only channel cases: complete, or stand in the queue under this claim.
    Seat(Seat<'a>),
    /// Plain futures as [`Poll`][Self::Poll], channel cases as [`Seat`][Self::Seat].
    PollOrSeat(Seat<'a>),
    /// Only the case that a partner claimed: hand over the result.
    Collect,
    /// Leave the queue; as before the first look.
    Reset,
    /// Only channel cases: add your channel's version.
    Version(&'a Cell<u64>),
}

/// The answer of one branch, with its pattern applied.
#[derive(Debug)]
pub enum Step<O> {
    /// Not ready.
    Pending,
    /// Ready, and the pattern matched.
    Won(O),
    /// Ready, but the pattern did not match: the branch is out.
    Out,
}

/// A branch in its place.
pub trait Branch {
    /// What it comes to.
    type Output;
    /// Whether it is a channel case.
    const IS_CHANNEL: bool;
    /// Whether it takes part.
    fn is_live(&self) -> bool;
    /// One step of it, as case number `case`.
    fn step(self: Pin<&mut Self>, pass: Pass<'_>, case: u32, cx: &mut Context<'_>) -> Poll<Self::Output>;
}

/// Receives and sends.
pub trait ChannelKind {
    /// The kind of this branch.
    fn select_kind(&self) -> ChannelCase;
}

/// Every other future.
pub trait PlainKind {
    /// The kind of this branch.
    fn select_kind(&self) -> PlainCase;
}

/// A branch that receives or sends.
#[derive(Clone, Copy, Debug)]
pub struct ChannelCase;

/// A branch that polls.
#[derive(Clone, Copy, Debug)]
pub struct PlainCase;

impl<T> ChannelKind for Option<Recv<'_, T>> {
    fn select_kind(&self) -> ChannelCase {
        ChannelCase
    }
}

impl<T> ChannelKind for Option<Send<'_, T>> {
    fn select_kind(&self) -> ChannelCase {
        ChannelCase
    }
}

impl<F: IntoFuture> PlainKind for &Option<F> {
    fn select_kind(&self) -> PlainCase {
        PlainCase
    }
}

impl ChannelCase {
    /// Needs no other place than the operand's.
    #[inline]
    pub fn prepare<B>(self, _: &mut Option<B>) -> Self {
        self
    }

    /// Pins the operand.
    ///
    /// # Safety
    /// As for [`Pin::new_unchecked`].
    #[inline]
    pub unsafe fn pin_branch<'p, B>(&'p mut self, operand: &'p mut Option<B>) -> Pin<&'p mut Option<B>> {
        // SAFETY: the caller's promise.
        unsafe { Pin::new_unchecked(operand) }
    }
}

impl PlainCase {
    /// Makes a future of the operand.
    #[inline]
    pub fn prepare<F: IntoFuture>(self, operand: &mut Option<F>) -> Plain<F::IntoFuture> {
        Plain { future: operand.take().map(IntoFuture::into_future) }
    }
}

/// A branch's future, until it is ready.
#[derive(Debug)]
pub struct Plain<F> {
    future: Option<F>,
}

impl<F> Plain<F> {
    /// Pins the future that was made.
    ///
    /// # Safety
    /// As for [`Pin::new_unchecked`].
    #[inline]
    pub unsafe fn pin_branch<'p, B>(&'p mut self, _: &'p mut Option<B>) -> Pin<&'p mut Self> {
        // SAFETY: the caller's promise.
        unsafe { Pin::new_unchecked(self) }
    }
}

impl<T> Branch for Option<Recv<'_, T>> {
    type Output = Result<T, RecvError>;
    const IS_CHANNEL: bool = true;

    #[inline]
    fn is_live(&self) -> bool {
        self.is_some()
    }

    #[inline]
    fn step(self: Pin<&mut Self>, pass: Pass<'_>, case: u32, _: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(recv) = self.as_pin_mut() else { return Poll::Pending };
        match pass {
            Pass::Look | Pass::LookAgain => recv.look(),
            Pass::Seat(seat) | Pass::PollOrSeat(seat) => recv.seat(seat, case),
            Pass::Collect => recv.collect(),
            Pass::Poll => None,
            Pass::Reset => {
                recv.reset();
                None
            }
            Pass::Version(sum) => {
                sum.set(sum.get().wrapping_add(recv.version()));
                None
            }
        }
        .map_or(Poll::Pending, Poll::Ready)
    }
}

impl<T> Branch for Option<Send<'_, T>> {
    type Output = Result<(), SendError<T>>;
    const IS_CHANNEL: bool = true;

    #[inline]
    fn is_live(&self) -> bool {
        self.is_some()
    }

    #[inline]
    fn step(self: Pin<&mut Self>, pass: Pass<'_>, case: u32, _: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(send) = self.as_pin_mut() else { return Poll::Pending };
        match pass {
            Pass::Look | Pass::LookAgain => send.look(),
            Pass::Seat(seat) | Pass::PollOrSeat(seat) => send.seat(seat, case),
            Pass::Collect => Some(send.collect()),
            Pass::Poll => None,
            Pass::Reset => {
                send.reset();
                None
            }
            Pass::Version(sum) => {
                sum.set(sum.get().wrapping_add(send.version()));
                None
            }
        }
        .map_or(Poll::Pending, Poll::Ready)
    }
}

impl<F: Future> Branch for Plain<F> {
    type Output = F::Output;
    const IS_CHANNEL: bool = false;

    #[inline]
    fn is_live(&self) -> bool {
        self.future.is_some()
    }

    /// A future that is ready is dropped at once, so that it is never polled again.
    #[inline]
    fn step(self: Pin<&mut Self>, pass: Pass<'_>, _: u32, cx: &mut Context<'_>) -> Poll<F::Output> {
        // SAFETY: a projection: the future is pinned whenever `self` is, and nothing moves it out.
        let mut future = unsafe { self.map_unchecked_mut(|this| &mut this.future) };
        match (pass, future.as_mut().as_pin_mut()) {
            (Pass::Look | Pass::Poll | Pass::PollOrSeat(_), Some(polled)) => {
                let polled = polled.poll(cx);
                if polled.is_ready() {
                    future.set(None);
                }
                polled
            }
            _ => Poll::Pending,
        }
    }
}

/// The branches of a select as one: a closure that named them one by one would hold a reference to each.
#[inline]
pub fn whole<B>(branches: &mut B) -> &mut B {
    branches
}

/// Counts a branch if it is a channel case.
#[inline]
pub fn channels<B: Branch>(_: &B) -> usize {
    usize::from(B::IS_CHANNEL)
}
