//! What a storm is made of: senders and receivers that use every way there is, drop at every await, and keep books. Under any
//! executor; the storms of `pirn` itself use it, too.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use pirn_channel::{bounded, select, unbounded, Receiver, Select, Selected, Sender};

/// Runs rounds of a storm for as long as `PIRN_STORM_SECS` says, by default 3 seconds. A round that takes a minute has left
/// somebody asleep.
pub(crate) fn storm(mut round: impl FnMut(u64) + Send + 'static) {
    let seconds = std::env::var("PIRN_STORM_SECS").ok().and_then(|text| text.parse().ok()).unwrap_or(3);
    let end = Instant::now() + Duration::from_secs(seconds);
    let (done, rounds) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for number in 0.. {
            round(number);
            if done.send(Instant::now() >= end) != Ok(()) {
                break;
            }
        }
    });
    while !rounds
        .recv_timeout(Duration::from_secs(60))
        .expect("somebody was left asleep, or the round panicked")
    {}
}

/// A small generator.
struct Rng(u64);

impl Rng {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }
}

/// Polls a future at most `polls` times, then drops it.
struct Impatient<F> {
    future: Option<Pin<Box<F>>>,
    polls: u64,
}

fn impatient<F: Future>(future: F, polls: u64) -> Impatient<F> {
    Impatient { future: Some(Box::pin(future)), polls }
}

impl<F: Future> Future for Impatient<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if self.polls == 0 {
            self.future = None;
            return Poll::Ready(None);
        }
        self.polls -= 1;
        match self.future.as_mut().unwrap().as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
        }
    }
}

/// What went in and came out: for each value what its sender knows, and how often it was received.
pub(crate) struct Books {
    known: Vec<AtomicU8>,
    received: Vec<AtomicU8>,
}

const NOT_SENT: u8 = 0;
const SENT: u8 = 1;
/// The send was dropped while it waited: it may have been taken.
const PERHAPS: u8 = 2;

impl Books {
    /// Empty books for so many values.
    pub(crate) fn new(values: u64) -> Arc<Self> {
        let column = || (0..values).map(|_| AtomicU8::new(0)).collect();
        Arc::new(Self { known: column(), received: column() })
    }

    /// Every value was received as often as its sender thinks.
    pub(crate) fn check(&self) {
        for (value, (known, received)) in self.known.iter().zip(&self.received).enumerate() {
            match (known.load(Ordering::Relaxed), received.load(Ordering::Relaxed)) {
                (SENT, 1) | (NOT_SENT, 0) | (PERHAPS, 0 | 1) => {}
                (known, received) => panic!("value {value}: known as {known}, received {received} times"),
            }
        }
    }
}

/// Sends, or tries to send, `n` values from `first` on, in every way there is.
pub(crate) async fn produce(txs: Vec<Sender<u64>>, books: Arc<Books>, first: u64, n: u64) {
    let mut rng = Rng(first * 2 + 1);
    for value in first..first + n {
        let (a, b) = (&txs[rng.below(txs.len() as u64) as usize], &txs[rng.below(txs.len() as u64) as usize]);
        let sent = match rng.below(7) {
            0 => Some(a.send(value).await.is_ok()),
            1 => Some(a.try_send(value).is_ok()),
            2 => Some(select! {
                r = a.send(value) => r.is_ok(),
                r = b.send(value) => r.is_ok(),
            }),
            3 => Some(select! {
                r = a.send(value) => r.is_ok(),
                r = b.send(value) => r.is_ok(),
                default => false,
            }),
            4 => {
                let mut list = Select::new();
                list.send(a, value);
                list.send(b, value);
                Some(matches!(list.ready().await, Selected::Send(_, Ok(()))))
            }
            5 => {
                let sent = impatient(a.send(value), rng.below(3)).await;
                sent.map(|result| result.is_ok())
            }
            _ if a.capacity() == Some(0) => Some(false),
            _ => match impatient(a.reserve(), rng.below(3)).await {
                Some(Ok(permit)) if value % 2 == 0 => Some(permit.send(value).is_ok()),
                _ => Some(false),
            },
        };
        let known = match sent {
            Some(true) => SENT,
            Some(false) => NOT_SENT,
            None => PERHAPS,
        };
        books.known[value as usize].store(known, Ordering::Relaxed);
        if known != SENT {
            smol::future::yield_now().await;
        }
    }
}

/// Receives, in every way there is, until all channels are closed.
pub(crate) async fn consume(rxs: Vec<Receiver<u64>>, books: Arc<Books>, seed: u64) {
    let mut rng = Rng(seed * 2 + 1);
    let mut open = rxs;
    while !open.is_empty() {
        let (i, j) = (rng.below(open.len() as u64) as usize, rng.below(open.len() as u64) as usize);
        let (which, got) = match rng.below(6) {
            0 => (i, impatient(open[i].recv(), rng.below(3)).await),
            1 => select! {
                v = open[i].recv() => (i, Some(v)),
                v = open[j].recv() => (j, Some(v)),
                _ = smol::future::yield_now() => (i, None),
            },
            2 => {
                let mut list = Select::new();
                open.iter().for_each(|rx| {
                    list.recv(rx);
                });
                match list.ready().await {
                    Selected::Recv(which, v) => (which, Some(v)),
                    Selected::Send(..) => unreachable!(),
                }
            }
            3 => select! {
                v = open[i].recv() => (i, Some(v)),
                v = open[j].recv() => (j, Some(v)),
                default => (i, None),
            },
            4 => {
                let mut list = Select::new();
                open.iter().for_each(|rx| {
                    list.recv(rx);
                });
                match impatient(list.ready(), rng.below(3)).await {
                    Some(Selected::Recv(which, v)) => (which, Some(v)),
                    _ => (i, None),
                }
            }
            _ => (i, impatient(open[i].recv(), 1).await),
        };
        match got {
            None => smol::future::yield_now().await,
            Some(Ok(value)) => {
                books.received[value as usize].fetch_add(1, Ordering::Relaxed);
            }
            Some(Err(_)) => drop(open.swap_remove(which)),
        }
    }
}

/// Unbuffered, buffered and unbounded channels.
pub(crate) fn channels(n: usize) -> (Vec<Sender<u64>>, Vec<Receiver<u64>>) {
    (0..n).map(|i| if i % 4 == 3 { unbounded() } else { bounded([0, 1, 3][i % 4]) }).unzip()
}
