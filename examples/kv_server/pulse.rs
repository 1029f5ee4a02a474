//! The pulse: looks at the network once more before the last processor goes to sleep.
//!
//! A processor that finds nothing to do sleeps at once, which is right for most programs. Under a pipelined load it is
//! not: the next batch is a few microseconds away, and the client that brings it must wake the sleeper, which costs it
//! about as much as the batch itself. So while batches keep coming, one task goes round in the run queue. It does
//! nothing, but as long as it does so the scheduler looks at the network as it does beside any busy task: every 61st
//! time. After as many rounds without a batch, some four microseconds, it lets the processor sleep.
//!
//! ```text
//!              batch                          batch
//!   ASLEEP ───────────────► BEATING ◄──────────────────── QUIET
//!      ▲    and a wake-up      │    the task has seen it    ▲ │
//!      │                       └────────────────────────────┘ │
//!      └────────────────── ROUNDS without a batch ────────────┘
//! ```
//!
//! The state is advice and orders nothing, so `Relaxed` suffices: it is one word, and the wake-up is owed to whoever
//! took it out of ASLEEP.

use std::sync::atomic::AtomicU8;
use std::sync::atomic::Ordering::Relaxed;

use pirn::sync::Notify;
use pirn::yield_now;

const ASLEEP: u8 = 0;
const QUIET: u8 = 1;
const BEATING: u8 = 2;

/// Just enough for one more look at the network. More spares the clients a little more, and takes the core away from
/// others: with a load client on the same two cores, four times as many rounds cost a tenth of the throughput.
const ROUNDS: u32 = 64;

#[derive(Debug)]
pub(crate) struct Pulse {
    state: AtomicU8,
    wake: Notify,
}

impl Pulse {
    pub(crate) fn new() -> Self {
        Self { state: AtomicU8::new(QUIET), wake: Notify::new() }
    }

    /// There was a batch.
    pub(crate) fn beat(&self) {
        // The look spares most batches a store to a line that all processors share.
        if self.state.load(Relaxed) != BEATING && self.state.swap(BEATING, Relaxed) == ASLEEP {
            self.wake.notify_one();
        }
    }

    /// Goes round while there are batches. It never ends.
    pub(crate) async fn keep_awake(&self) {
        let mut rounds = 0;
        loop {
            rounds += 1;
            if self.state.load(Relaxed) == BEATING {
                self.state.store(QUIET, Relaxed);
                rounds = 0;
            }
            if rounds < ROUNDS {
                yield_now().await;
            } else if self.state.compare_exchange(QUIET, ASLEEP, Relaxed, Relaxed).is_ok() {
                self.wake.notified().await;
            }
        }
    }
}
