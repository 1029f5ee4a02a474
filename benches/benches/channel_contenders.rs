//! The async channels that are compared, behind one trait. All run on the same executor.

use std::future::Future;

/// One crate's channel for many senders and many receivers.
pub(crate) trait Contender: 'static {
    /// Its name in the report.
    const NAME: &'static str;
    /// Whether it has an unbuffered form; else capacity 1 stands in for it.
    const UNBUFFERED: bool = false;
    /// Whether it takes more than one receiver.
    const MANY_RECEIVERS: bool = true;
    /// The sending end.
    type Tx: Clone + Send + 'static;
    /// The receiving end.
    type Rx: Send + 'static;
    /// A channel with room for `cap` values.
    fn bounded(cap: usize) -> (Self::Tx, Self::Rx);
    /// Another receiver.
    fn another(rx: &Self::Rx) -> Self::Rx;
    /// Sends; panics if it is closed.
    fn send(tx: &Self::Tx, value: usize) -> impl Future<Output = ()> + Send;
    /// Receives; `None` when it is closed.
    fn recv(rx: &mut Self::Rx) -> impl Future<Output = Option<usize>> + Send;
}

/// `pirn_channel`.
pub(crate) struct Pirn;

impl Contender for Pirn {
    const NAME: &'static str = "pirn";
    const UNBUFFERED: bool = true;
    type Tx = pirn_channel::Sender<usize>;
    type Rx = pirn_channel::Receiver<usize>;
    fn bounded(cap: usize) -> (Self::Tx, Self::Rx) {
        pirn_channel::bounded(cap)
    }
    fn another(rx: &Self::Rx) -> Self::Rx {
        rx.clone()
    }
    async fn send(tx: &Self::Tx, value: usize) {
        tx.send(value).await.unwrap();
    }
    async fn recv(rx: &mut Self::Rx) -> Option<usize> {
        rx.recv().await.ok()
    }
}

/// `tokio::sync::mpsc`.
pub(crate) struct Tokio;

impl Contender for Tokio {
    const NAME: &'static str = "tokio";
    const MANY_RECEIVERS: bool = false;
    type Tx = tokio::sync::mpsc::Sender<usize>;
    type Rx = tokio::sync::mpsc::Receiver<usize>;
    fn bounded(cap: usize) -> (Self::Tx, Self::Rx) {
        tokio::sync::mpsc::channel(cap)
    }
    fn another(_: &Self::Rx) -> Self::Rx {
        unreachable!("one receiver only")
    }
    async fn send(tx: &Self::Tx, value: usize) {
        tx.send(value).await.unwrap();
    }
    async fn recv(rx: &mut Self::Rx) -> Option<usize> {
        rx.recv().await
    }
}

/// `async_channel`.
pub(crate) struct AsyncChannel;

impl Contender for AsyncChannel {
    const NAME: &'static str = "async-channel";
    type Tx = async_channel::Sender<usize>;
    type Rx = async_channel::Receiver<usize>;
    fn bounded(cap: usize) -> (Self::Tx, Self::Rx) {
        async_channel::bounded(cap)
    }
    fn another(rx: &Self::Rx) -> Self::Rx {
        rx.clone()
    }
    async fn send(tx: &Self::Tx, value: usize) {
        tx.send(value).await.unwrap();
    }
    async fn recv(rx: &mut Self::Rx) -> Option<usize> {
        rx.recv().await.ok()
    }
}

/// `flume`.
pub(crate) struct Flume;

impl Contender for Flume {
    const NAME: &'static str = "flume";
    const UNBUFFERED: bool = true;
    type Tx = flume::Sender<usize>;
    type Rx = flume::Receiver<usize>;
    fn bounded(cap: usize) -> (Self::Tx, Self::Rx) {
        flume::bounded(cap)
    }
    fn another(rx: &Self::Rx) -> Self::Rx {
        rx.clone()
    }
    async fn send(tx: &Self::Tx, value: usize) {
        tx.send_async(value).await.unwrap();
    }
    async fn recv(rx: &mut Self::Rx) -> Option<usize> {
        rx.recv_async().await.ok()
    }
}

/// `kanal`.
pub(crate) struct Kanal;

impl Contender for Kanal {
    const NAME: &'static str = "kanal";
    const UNBUFFERED: bool = true;
    type Tx = kanal::AsyncSender<usize>;
    type Rx = kanal::AsyncReceiver<usize>;
    fn bounded(cap: usize) -> (Self::Tx, Self::Rx) {
        kanal::bounded_async(cap)
    }
    fn another(rx: &Self::Rx) -> Self::Rx {
        rx.clone()
    }
    async fn send(tx: &Self::Tx, value: usize) {
        tx.send(value).await.unwrap();
    }
    async fn recv(rx: &mut Self::Rx) -> Option<usize> {
        rx.recv().await.ok()
    }
}

/// `crossfire`.
pub(crate) struct Crossfire;

impl Contender for Crossfire {
    const NAME: &'static str = "crossfire";
    type Tx = crossfire::MAsyncTx<crossfire::mpmc::Array<usize>>;
    type Rx = crossfire::MAsyncRx<crossfire::mpmc::Array<usize>>;
    fn bounded(cap: usize) -> (Self::Tx, Self::Rx) {
        crossfire::mpmc::bounded_async(cap)
    }
    fn another(rx: &Self::Rx) -> Self::Rx {
        rx.clone()
    }
    async fn send(tx: &Self::Tx, value: usize) {
        tx.send(value).await.unwrap();
    }
    async fn recv(rx: &mut Self::Rx) -> Option<usize> {
        rx.recv().await.ok()
    }
}
