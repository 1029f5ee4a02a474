//! tokio's own channel, which has one receiver.

use tokio::sync::mpsc::{self, Receiver, Sender};

use super::{Chan, Value, single};

/// `tokio::sync::mpsc`.
pub(crate) struct Tokio;

impl Chan for Tokio {
    type Tx<T: Value> = Sender<T>;
    type Rx<T: Value> = Receiver<T>;

    fn bounded<T: Value>(cap: usize) -> (Sender<T>, Receiver<T>) {
        mpsc::channel(cap.max(1))
    }

    fn another_tx<T: Value>(tx: &Sender<T>) -> Sender<T> {
        tx.clone()
    }

    fn another_rx<T: Value>(_: &Receiver<T>) -> Receiver<T> {
        single()
    }

    async fn send<T: Value>(tx: &mut Sender<T>, value: T) -> bool {
        tx.send(value).await.is_ok()
    }

    fn try_send<T: Value>(tx: &mut Sender<T>, value: T) -> bool {
        tx.try_send(value).is_ok()
    }

    async fn recv<T: Value>(rx: &mut Receiver<T>) -> Option<T> {
        rx.recv().await
    }
}
