//! `pirn::channel`.

use pirn::channel::{self, Receiver, Sender};

use super::{Chan, Value};

/// `pirn::channel::bounded`.
pub(crate) struct Pirn;

impl Chan for Pirn {
    type Tx<T: Value> = Sender<T>;
    type Rx<T: Value> = Receiver<T>;

    fn bounded<T: Value>(cap: usize) -> (Sender<T>, Receiver<T>) {
        channel::bounded(cap)
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

    async fn select<T: Value>(first: &mut Receiver<T>, second: &mut Receiver<T>) -> Option<T> {
        pirn::select! {
            value = first.recv() => value.ok(),
            value = second.recv() => value.ok(),
        }
    }
}
