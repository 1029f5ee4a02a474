//! `flume`.

use flume::{Receiver, Sender, bounded};

use super::{Chan, Value};

/// `flume::bounded`.
pub(crate) struct Flume;

impl Chan for Flume {
    type Tx<T: Value> = Sender<T>;
    type Rx<T: Value> = Receiver<T>;

    fn bounded<T: Value>(cap: usize) -> (Sender<T>, Receiver<T>) {
        bounded(cap)
    }

    fn another_tx<T: Value>(tx: &Sender<T>) -> Sender<T> {
        tx.clone()
    }

    fn another_rx<T: Value>(rx: &Receiver<T>) -> Receiver<T> {
        rx.clone()
    }

    async fn send<T: Value>(tx: &mut Sender<T>, value: T) -> bool {
        tx.send_async(value).await.is_ok()
    }

    fn try_send<T: Value>(tx: &mut Sender<T>, value: T) -> bool {
        tx.try_send(value).is_ok()
    }

    async fn recv<T: Value>(rx: &mut Receiver<T>) -> Option<T> {
        rx.recv_async().await.ok()
    }
}
