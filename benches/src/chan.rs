//! What a row asks of a channel, and those that answer.
//!
//! The ends are taken by `&mut`, because some crates have types for a single sender or receiver which forbid
//! shared use. Capacity 0 asks for an unbuffered channel; who has none gives one of capacity 1.

mod async_channel;
mod crossbeam;
mod crossfire;
mod flume;
mod kanal;
mod on_pirn;
mod on_tokio;

use std::future::Future;

pub(crate) use self::async_channel::AsyncChannel;
pub(crate) use self::crossbeam::Crossbeam;
pub(crate) use self::crossfire::{CrossfireMpmc, CrossfireMpsc, CrossfireSpsc};
pub(crate) use self::flume::Flume;
pub(crate) use self::kanal::Kanal;
pub(crate) use on_pirn::Pirn;
pub(crate) use on_tokio::Tokio;

/// What travels through a channel.
pub(crate) trait Value: Send + Unpin + 'static {}

impl<T: Send + Unpin + 'static> Value for T {}

/// One crate's channel.
pub(crate) trait Chan: 'static {
    /// The sending end.
    type Tx<T: Value>: Send + 'static;
    /// The receiving end.
    type Rx<T: Value>: Send + 'static;

    /// A channel with room for `cap` values.
    fn bounded<T: Value>(cap: usize) -> (Self::Tx<T>, Self::Rx<T>);

    /// Another sender, where the type has more than one.
    fn another_tx<T: Value>(tx: &Self::Tx<T>) -> Self::Tx<T>;

    /// Another receiver, where the type has more than one.
    fn another_rx<T: Value>(rx: &Self::Rx<T>) -> Self::Rx<T>;

    /// Sends; false if it is closed.
    fn send<T: Value>(tx: &mut Self::Tx<T>, value: T) -> impl Future<Output = bool> + Send;

    /// Sends from a plain thread, without waiting; false if there is no room, or it is closed.
    fn try_send<T: Value>(tx: &mut Self::Tx<T>, value: T) -> bool;

    /// Receives; `None` when it is closed and empty.
    fn recv<T: Value>(rx: &mut Self::Rx<T>) -> impl Future<Output = Option<T>> + Send;

    /// Receives from either, at random if both are ready; `None` when the one that answers is closed.
    fn select<T: Value>(
        first: &mut Self::Rx<T>,
        second: &mut Self::Rx<T>,
    ) -> impl Future<Output = Option<T>> + Send {
        async {
            tokio::select! {
                value = Self::recv(first) => value,
                value = Self::recv(second) => value,
            }
        }
    }
}

/// A row asked for more ends than the type has.
fn single() -> ! {
    panic!("this channel has one such end")
}
