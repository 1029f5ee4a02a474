//! Sending and receiving datagrams: the operations that UDP and Unix sockets share.
//!
//! A datagram is sent or received whole, in one system call, so every operation here is cancel-safe. Nothing
//! can be told from its length about what is left in the queue: readiness is cleared by "would block" alone.

use std::future::Future;
use std::io;
use std::os::fd::AsFd;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::socket::{Leaf, Socket};
use crate::netpoll::Direction;

/// What the datagram sockets of std offer, under one name.
pub trait Datagrams: AsFd {
    /// The address of a peer.
    type Address;

    /// Receives from the connected peer.
    ///
    /// # Errors
    /// The system's.
    fn receive(&self, buf: &mut [u8]) -> io::Result<usize>;

    /// Receives from anybody, taking the datagram or leaving it.
    ///
    /// # Errors
    /// The system's.
    fn receive_from(&self, buf: &mut [u8], leave: bool) -> io::Result<(usize, Self::Address)>;

    /// Sends to the connected peer.
    ///
    /// # Errors
    /// The system's.
    fn transmit(&self, buf: &[u8]) -> io::Result<usize>;

    /// Sends to `address`.
    ///
    /// # Errors
    /// The system's.
    fn transmit_to(&self, buf: &[u8], address: &Self::Address) -> io::Result<usize>;
}

/// The future of a datagram socket's `recv`.
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Recv<'a, S: Datagrams> {
    leaf: Leaf<'a, S>,
    buf: &'a mut [u8],
}

/// The future of a datagram socket's `recv_from` and `peek_from`.
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct RecvFrom<'a, S: Datagrams> {
    leaf: Leaf<'a, S>,
    buf: &'a mut [u8],
    leave: bool,
}

/// The future of a datagram socket's `send`.
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Send<'a, S: Datagrams> {
    leaf: Leaf<'a, S>,
    buf: &'a [u8],
}

/// The future of a datagram socket's `send_to`, once the address is known.
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct SendTo<'a, S: Datagrams> {
    leaf: Leaf<'a, S>,
    buf: &'a [u8],
    address: S::Address,
}

impl<'a, S: Datagrams> Recv<'a, S> {
    #[track_caller]
    pub(super) fn new(socket: &'a Socket<S>, buf: &'a mut [u8]) -> Self {
        Self { leaf: Leaf::new(socket, Direction::Read), buf }
    }
}

impl<'a, S: Datagrams> RecvFrom<'a, S> {
    #[track_caller]
    pub(super) fn new(socket: &'a Socket<S>, buf: &'a mut [u8], leave: bool) -> Self {
        Self { leaf: Leaf::new(socket, Direction::Read), buf, leave }
    }
}

impl<'a, S: Datagrams> Send<'a, S> {
    #[track_caller]
    pub(super) fn new(socket: &'a Socket<S>, buf: &'a [u8]) -> Self {
        Self { leaf: Leaf::new(socket, Direction::Write), buf }
    }
}

impl<'a, S: Datagrams> SendTo<'a, S> {
    /// For a caller that had to find the address out first.
    pub(super) fn called_at(
        at: &'static Location<'static>,
        socket: &'a Socket<S>,
        buf: &'a [u8],
        address: S::Address,
    ) -> Self {
        Self { leaf: Leaf::called_at(at, socket, Direction::Write), buf, address }
    }
}

// An address is plain data, never pinned.
impl<S: Datagrams> Unpin for SendTo<'_, S> {}

impl<S: Datagrams> Future for Recv<'_, S> {
    type Output = io::Result<usize>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { leaf, buf } = self.get_mut();
        leaf.poll(cx, |socket| socket.receive(buf), |_| false)
    }
}

impl<S: Datagrams> Future for RecvFrom<'_, S> {
    type Output = io::Result<(usize, S::Address)>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { leaf, buf, leave } = self.get_mut();
        leaf.poll(cx, |socket| socket.receive_from(buf, *leave), |_| false)
    }
}

impl<S: Datagrams> Future for Send<'_, S> {
    type Output = io::Result<usize>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { leaf, buf } = self.get_mut();
        leaf.poll(cx, |socket| socket.transmit(buf), |_| false)
    }
}

impl<S: Datagrams> Future for SendTo<'_, S> {
    type Output = io::Result<usize>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { leaf, buf, address } = self.get_mut();
        leaf.poll(cx, |socket| socket.transmit_to(buf, address), |_| false)
    }
}
