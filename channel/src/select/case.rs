//! What may stand in a branch of a `select!`, and what a select asks of it.
//!
//! A branch holds an `Option` of its operation: `None` behind a false guard. What kind of operation it is, is
//! found by its type: a [`Recv`] or a [`Send`] written directly in a branch is a *channel case*, which a partner can complete and
//! which has no effect when it loses; any other future is *plain*, and is only polled and dropped.
//!
//! The macro cannot see types, so it lets method resolution choose: on `&Option<Recv<T>>` the method of [`ChannelKind`]
//! is found first, because it needs no further reference; on any other future only [`PlainKind`]'s fits.

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
    /// Only plain futures: poll.
    Poll,
    /// Only channel cases: complete, or stand in the queue under this claim.
    Seat(Seat<'a>),
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

/// Receives and sends.
pub trait ChannelKind {
    /// What stands in for the kind.
    type Kind;
    /// The kind of this branch.
    fn select_kind(&self) -> Self::Kind;
}

/// Every other future.
pub trait PlainKind {
    /// The kind of this branch.
    fn select_kind(&self) -> PlainFuture;
}

/// A branch that receives.
#[derive(Clone, Copy, Debug)]
pub struct RecvCase;

/// A branch that sends.
#[derive(Clone, Copy, Debug)]
pub struct SendCase;

/// A branch that polls.
#[derive(Clone, Copy, Debug)]
pub struct PlainFuture;

impl<T> ChannelKind for Option<Recv<'_, T>> {
    type Kind = RecvCase;
    fn select_kind(&self) -> RecvCase {
        RecvCase
    }
}

impl<T> ChannelKind for Option<Send<'_, T>> {
    type Kind = SendCase;
    fn select_kind(&self) -> SendCase {
        SendCase
    }
}

impl<F: IntoFuture> PlainKind for &Option<F> {
    fn select_kind(&self) -> PlainFuture {
        PlainFuture
    }
}

impl RecvCase {
    /// Whether it is a channel case.
    pub fn is_channel(self) -> bool {
        true
    }

    /// The operation itself.
    pub fn prepare<'a, T>(self, op: Option<Recv<'a, T>>) -> Option<Recv<'a, T>> {
        op
    }

    /// One step of this branch.
    #[inline]
    pub fn step<T>(
        self,
        op: Pin<&mut Option<Recv<'_, T>>>,
        pass: Pass<'_>,
        case: u32,
        _: &mut Context<'_>,
    ) -> Poll<Result<T, RecvError>> {
        let Some(recv) = op.as_pin_mut() else { return Poll::Pending };
        match pass {
            Pass::Look => recv.look(),
            Pass::Seat(seat) => recv.seat(seat, case),
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

impl SendCase {
    /// Whether it is a channel case.
    pub fn is_channel(self) -> bool {
        true
    }

    /// The operation itself.
    pub fn prepare<'a, T>(self, op: Option<Send<'a, T>>) -> Option<Send<'a, T>> {
        op
    }

    /// One step of this branch.
    #[inline]
    pub fn step<T>(
        self,
        op: Pin<&mut Option<Send<'_, T>>>,
        pass: Pass<'_>,
        case: u32,
        _: &mut Context<'_>,
    ) -> Poll<Result<(), SendError<T>>> {
        let Some(send) = op.as_pin_mut() else { return Poll::Pending };
        match pass {
            Pass::Look => send.look(),
            Pass::Seat(seat) => send.seat(seat, case),
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

impl PlainFuture {
    /// Whether it is a channel case.
    pub fn is_channel(self) -> bool {
        false
    }

    /// The future itself.
    pub fn prepare<F: IntoFuture>(self, op: Option<F>) -> Option<F::IntoFuture> {
        op.map(IntoFuture::into_future)
    }

    /// One step of this branch. A future that is ready is dropped at once, so that it is never polled again.
    #[inline]
    pub fn step<F: Future>(
        self,
        mut op: Pin<&mut Option<F>>,
        pass: Pass<'_>,
        _: u32,
        cx: &mut Context<'_>,
    ) -> Poll<F::Output> {
        match (pass, op.as_mut().as_pin_mut()) {
            (Pass::Look | Pass::Poll, Some(future)) => {
                let polled = future.poll(cx);
                if polled.is_ready() {
                    op.set(None);
                }
                polled
            }
            _ => Poll::Pending,
        }
    }
}
