//! `crossbeam-channel`, between threads.

use crossbeam_channel::{Receiver, Sender, bounded, select};

use super::{Chan, Value};

/// `crossbeam_channel::bounded`.
pub(crate) struct Crossbeam;

impl Chan for Crossbeam {
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
        tx.send(value).is_ok()
    }

    fn try_send<T: Value>(tx: &mut Sender<T>, value: T) -> bool {
        tx.try_send(value).is_ok()
    }

    async fn recv<T: Value>(rx: &mut Receiver<T>) -> Option<T> {
        rx.recv().ok()
    }

    async fn select<T: Value>(first: &mut Receiver<T>, second: &mut Receiver<T>) -> Option<T> {
        select! {
            recv(first) -> value => value.ok(),
            recv(second) -> value => value.ok(),
        }
    }
}
