//! Storms: many tasks and threads at once, with drops at every await. Values are conserved and nobody is left asleep.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use pirn_channel::{bounded, select, unbounded, Receiver, Select, Selected, Sender};

/// Runs `body` on a thread of its own and fails if it takes longer than `seconds`.
fn within<R: Send + 'static>(seconds: u64, body: impl FnOnce() -> R + Send + 'static) -> R {
    let (tx, rx) = std::sync::mpsc::channel();
    std::thread::spawn(move || tx.send(body()));
    rx.recv_timeout(Duration::from_secs(seconds)).expect("somebody was left asleep, or the body panicked")
}

/// How many rounds a storm takes; `PIRN_STRESS=60` makes it that many times as long.
fn rounds(base: u64) -> u64 {
    base * std::env::var("PIRN_STRESS").ok().and_then(|text| text.parse().ok()).unwrap_or(1)
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
    future: Option<F>,
    polls: u64,
}

impl<F: Future + Unpin> Future for Impatient<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if self.polls == 0 {
            self.future = None;
            return Poll::Ready(None);
        }
        self.polls -= 1;
        match Pin::new(self.future.as_mut().unwrap()).poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
        }
    }
}

/// What went in and came out: for each value what its sender knows, and how often it was received.
struct Books {
    known: Vec<AtomicU8>,
    received: Vec<AtomicU8>,
}

const NOT_SENT: u8 = 0;
const SENT: u8 = 1;
/// The send was dropped while it waited: it may have been taken.
const PERHAPS: u8 = 2;

impl Books {
    fn new(values: u64) -> Arc<Self> {
        let column = || (0..values).map(|_| AtomicU8::new(0)).collect();
        Arc::new(Self { known: column(), received: column() })
    }

    fn check(&self) {
        for (value, (known, received)) in self.known.iter().zip(&self.received).enumerate() {
            match (known.load(Ordering::Relaxed), received.load(Ordering::Relaxed)) {
                (SENT, 1) | (NOT_SENT, 0) | (PERHAPS, 0 | 1) => {}
                (known, received) => panic!("value {value}: known as {known}, received {received} times"),
            }
        }
    }
}

/// Sends, or tries to send, `n` values from `first` on, in every way there is.
async fn produce(txs: Vec<Sender<u64>>, books: Arc<Books>, first: u64, n: u64) {
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
                let sent = Impatient { future: Some(a.send(value)), polls: rng.below(3) }.await;
                sent.map(|result| result.is_ok())
            }
            _ if a.capacity() == Some(0) => Some(false),
            _ => match (Impatient { future: Some(a.reserve()), polls: rng.below(3) }).await {
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

async fn consume(rxs: Vec<Receiver<u64>>, books: Arc<Books>, seed: u64) {
    let mut rng = Rng(seed * 2 + 1);
    let mut open = rxs;
    while !open.is_empty() {
        let (i, j) = (rng.below(open.len() as u64) as usize, rng.below(open.len() as u64) as usize);
        let (which, got) = match rng.below(6) {
            0 => (i, Impatient { future: Some(open[i].recv()), polls: rng.below(3) }.await),
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
                match (Impatient { future: Some(list.ready()), polls: rng.below(3) }).await {
                    Some(Selected::Recv(which, v)) => (which, Some(v)),
                    _ => (i, None),
                }
            }
            _ => (i, Impatient { future: Some(open[i].recv()), polls: 1 }.await),
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

fn channels(n: usize) -> (Vec<Sender<u64>>, Vec<Receiver<u64>>) {
    (0..n).map(|i| if i % 4 == 3 { unbounded() } else { bounded([0, 1, 3][i % 4]) }).unzip()
}

#[test]
fn storm_of_selecting_tasks_on_tokio() {
    within(100 * rounds(1), || {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(3).build().unwrap();
        for round in 0..rounds(200) {
            let (tasks, n) = (8, 1000);
            let books = Books::new(tasks * n);
            let (txs, rxs) = channels(6);
            runtime.block_on(async {
                let mut handles = Vec::new();
                for task in 0..tasks {
                    handles.push(tokio::spawn(produce(txs.clone(), books.clone(), task * n, n)));
                    handles.push(tokio::spawn(consume(rxs.clone(), books.clone(), task + 50 + round * 100)));
                }
                drop((txs, rxs));
                for handle in handles {
                    handle.await.unwrap();
                }
            });
            books.check();
        }
    });
}

#[test]
fn storm_of_selecting_threads() {
    within(100 * rounds(1), || {
        for round in 0..rounds(60) {
            let (count, n) = (4, 1000);
            let books = Books::new(count * n);
            let (txs, rxs) = channels(5);
            let mut threads = Vec::new();
            for thread in 0..count {
                let (txs, sent) = (txs.clone(), books.clone());
                threads.push(std::thread::spawn(move || smol::block_on(produce(txs, sent, thread * n, n))));
                let (rxs, received) = (rxs.clone(), books.clone());
                let seed = thread + 50 + round * 100;
                threads.push(std::thread::spawn(move || smol::block_on(consume(rxs, received, seed))));
            }
            drop((txs, rxs));
            threads.into_iter().for_each(|thread| thread.join().unwrap());
            books.check();
        }
    });
}

#[test]
fn tasks_that_each_select_send_and_receive_all_pair_up() {
    within(60, || {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
        for _ in 0..rounds(200) {
            runtime.block_on(async {
                let (tx, rx) = bounded::<u64>(0);
                let tasks: Vec<_> = (0..44_u64)
                    .map(|me| {
                        let (tx, rx) = (tx.clone(), rx.clone());
                        tokio::spawn(async move {
                            select! {
                                r = tx.send(me) => { r.unwrap(); None }
                                v = rx.recv() => { assert_ne!(v, Ok(me), "paired with itself"); v.ok() }
                            }
                        })
                    })
                    .collect();
                let mut got = Vec::new();
                for task in tasks {
                    got.extend(task.await.unwrap());
                }
                got.sort_unstable();
                got.dedup();
                assert_eq!(got.len(), 22);
            });
        }
    });
}
