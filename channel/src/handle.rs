//! What senders and receivers have in common: closing, and what can be asked about a channel.

/// Writes the shared methods of a handle.
macro_rules! getters {
    ($handle:ident) => {
        impl<T> $handle<T> {
            /// Closes the channel: sends fail, receivers drain what is buffered. True if this call closed it.
            ///
            /// Wakes everybody who waits on it; takes time linear in their number.
            pub fn close(&self) -> bool {
                self.chan.close()
            }

            /// Whether the channel is closed. Buffered values may still be there.
            pub fn is_closed(&self) -> bool {
                self.chan.with(|state, _| state.is_closed())
            }

            /// How many values are buffered; 0 on an unbuffered channel, whoever waits.
            pub fn len(&self) -> usize {
                self.chan.with(|state, _| state.len())
            }

            /// Whether nothing is buffered.
            pub fn is_empty(&self) -> bool {
                self.len() == 0
            }

            /// Whether a send would have to wait for a slot. Always true on an unbuffered channel.
            pub fn is_full(&self) -> bool {
                self.chan.with(|state, _| state.is_full())
            }

            /// How many values the buffer takes, used or not; `None` without bound, `Some(0)` if unbuffered.
            pub fn capacity(&self) -> Option<usize> {
                self.chan.capacity()
            }

            /// How many senders there are.
            pub fn sender_count(&self) -> usize {
                self.chan.senders.load(pirn_sync::primitive::atomic::Ordering::Relaxed)
            }

            /// How many receivers there are.
            pub fn receiver_count(&self) -> usize {
                self.chan.receivers.load(pirn_sync::primitive::atomic::Ordering::Relaxed)
            }

            /// Totals of this channel, at one moment.
            pub fn stats(&self) -> $crate::Stats {
                $crate::stats::of(&self.chan)
            }

            /// Names the channel, so that [`named_channels`][crate::named_channels] and a runtime's dump show it.
            pub fn set_name(&self, name: &str)
            where
                T: std::marker::Send + 'static,
            {
                $crate::stats::set_name(&self.chan, name);
            }

            /// Whether both handles belong to one channel.
            pub fn same_channel(&self, other: &Self) -> bool {
                pirn_sync::primitive::Arc::ptr_eq(&self.chan, &other.chan)
            }
        }

        impl<T> std::fmt::Debug for $handle<T> {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($handle))
                    .field("len", &self.len())
                    .field("capacity", &self.capacity())
                    .field("closed", &self.is_closed())
                    .finish()
            }
        }
    };
}

pub(crate) use getters;
