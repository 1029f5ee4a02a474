//! `async-channel`, which is also smol's.

use async_channel::{Receiver, Sender, bounded};

use super::{Chan, Value};

/// `async_channel::bounded`.
pub(crate) struct AsyncChannel;

impl Chan for AsyncChannel {
    type Tx<T: Value> = Sender<T>;
    type Rx<T: Value> = Receiver<T>;

    fn bounded<T: Value>(cap: usize) -> (Sender<T>, Receiver<T>) {
        bounded(cap.max(1))
    }

    fn another_tx<T: Value>(tx: &Sender<T>) -> Sender<T> {
        tx.clone()
    }

    fn another_rx<T: Value>(rx: &Receiver<T>) -> Receiver<T> {
        rx.clone()
    }

    async fn send<T: Value>(tx: &mut Sender<T>, value: T) -> bool {
        tx.send(value).await.is_ok()
    }

    fn try_send<T: Value>(tx: &mut Sender<T>, value: T) -> bool {
        tx.try_send(value).is_ok()
    }

    async fn recv<T: Value>(rx: &mut Receiver<T>) -> Option<T> {
        rx.recv().await.ok()
    }
}
