//! `crossfire`: a type for each number of senders and receivers, of which a row uses the cheapest that will do.

use crossfire::{AsyncRx, AsyncTx, MAsyncRx, MAsyncTx, mpmc, mpsc, spsc};

use super::{Chan, Value, single};

/// Expands to a [`Chan`]: which ends there are, and whether another one can be had.
macro_rules! flavour {
    ($(#[$doc:meta])* $name:ident, $module:ident, $tx:ident, $rx:ident, $another_tx:expr, $another_rx:expr) => {
        $(#[$doc])*
        pub(crate) struct $name;

        impl Chan for $name {
            type Tx<T: Value> = $tx<$module::Array<T>>;
            type Rx<T: Value> = $rx<$module::Array<T>>;

            fn bounded<T: Value>(cap: usize) -> (Self::Tx<T>, Self::Rx<T>) {
                // Asked for by its documentation on machines of few cores.
                crossfire::detect_backoff_cfg();
                $module::bounded_async(cap)
            }

            fn another_tx<T: Value>(tx: &Self::Tx<T>) -> Self::Tx<T> {
                $another_tx(tx)
            }

            fn another_rx<T: Value>(rx: &Self::Rx<T>) -> Self::Rx<T> {
                $another_rx(rx)
            }

            async fn send<T: Value>(tx: &mut Self::Tx<T>, value: T) -> bool {
                tx.send(value).await.is_ok()
            }

            fn try_send<T: Value>(tx: &mut Self::Tx<T>, value: T) -> bool {
                tx.try_send(value).is_ok()
            }

            async fn recv<T: Value>(rx: &mut Self::Rx<T>) -> Option<T> {
                rx.recv().await.ok()
            }
        }
    };
}

flavour!(
    /// One sender, one receiver.
    CrossfireSpsc, spsc, AsyncTx, AsyncRx, |_| single(), |_| single()
);
flavour!(
    /// Many senders, one receiver.
    CrossfireMpsc, mpsc, MAsyncTx, AsyncRx, Clone::clone, |_| single()
);
flavour!(
    /// Many of both.
    CrossfireMpmc, mpmc, MAsyncTx, MAsyncRx, Clone::clone, Clone::clone
);
