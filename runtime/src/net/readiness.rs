//! Waiting until a socket is ready, without an operation that then takes place.
//!
//! For protocol code that makes its system calls itself, by the `try_` forms of the operations, which never wait: a buffer is
//! needed only once there is something to put into it. A `try_` form asks the kernel each time. So it never overlooks what
//! has arrived, and whoever waits until the socket is ready in between misses nothing either.

use std::future::Future;
use std::io;
use std::os::fd::AsFd;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::socket::{Leaf, Socket};
use crate::netpoll::Direction;

/// The future of a socket's `readable`. Dropping it undoes nothing: it has taken nothing.
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Readable<'a, S: AsFd> {
    leaf: Leaf<'a, S>,
}

/// The future of a socket's `writable`. Dropping it undoes nothing.
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Writable<'a, S: AsFd> {
    leaf: Leaf<'a, S>,
}

impl<'a, S: AsFd> Readable<'a, S> {
    #[track_caller]
    pub(super) fn new(socket: &'a Socket<S>) -> Self {
        Self { leaf: Leaf::new(socket, Direction::Read) }
    }
}

impl<'a, S: AsFd> Writable<'a, S> {
    #[track_caller]
    pub(super) fn new(socket: &'a Socket<S>) -> Self {
        Self { leaf: Leaf::new(socket, Direction::Write) }
    }
}

impl<S: AsFd> Future for Readable<'_, S> {
    type Output = io::Result<()>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.get_mut().leaf.poll_ready(cx)
    }
}

impl<S: AsFd> Future for Writable<'_, S> {
    type Output = io::Result<()>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.get_mut().leaf.poll_ready(cx)
    }
}
