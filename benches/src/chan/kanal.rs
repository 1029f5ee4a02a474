//! `kanal`.

use kanal::{AsyncReceiver, AsyncSender, bounded_async};

use super::{Chan, Value};

/// `kanal::bounded_async`.
pub(crate) struct Kanal;

impl Chan for Kanal {
    type Tx<T: Value> = AsyncSender<T>;
    type Rx<T: Value> = AsyncReceiver<T>;

    fn bounded<T: Value>(cap: usize) -> (AsyncSender<T>, AsyncReceiver<T>) {
        bounded_async(cap)
    }

    fn another_tx<T: Value>(tx: &AsyncSender<T>) -> AsyncSender<T> {
        tx.clone()
    }

    fn another_rx<T: Value>(rx: &AsyncReceiver<T>) -> AsyncReceiver<T> {
        rx.clone()
    }

    async fn send<T: Value>(tx: &mut AsyncSender<T>, value: T) -> bool {
        tx.send(value).await.is_ok()
    }

    fn try_send<T: Value>(tx: &mut AsyncSender<T>, value: T) -> bool {
        tx.try_send(value) == Ok(true)
    }

    async fn recv<T: Value>(rx: &mut AsyncReceiver<T>) -> Option<T> {
        rx.recv().await.ok()
    }
}
