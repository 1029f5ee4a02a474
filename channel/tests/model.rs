//! Random programs against a sequential model: sends, receives, selects, permits, close and drops over a few
//! channels, stepped by hand-polled futures with changing wakers.
//!
//! The model says after every step what each operation has come to, what lies where, and who must have been
//! woken: exactly those that can go on. So a lost value, a doubled one, a wrong order, a lost or a needless
//! wake-up each fail.

use std::cell::Cell;
use std::collections::VecDeque;
use std::future::{poll_fn, Future};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use pirn_channel::{
    bounded, select, unbounded, Receiver, Select, Selected, Sender, TryRecvError, TrySendError,
};
use proptest::prelude::*;

/// Capacities of the channels that a program runs on.
const CAPS: [Option<usize>; 4] = [Some(0), Some(1), Some(2), None];
const SLOTS: usize = 6;

/// A value, counted while it lives.
struct Value(u64, Arc<AtomicUsize>);

impl Drop for Value {
    fn drop(&mut self) {
        self.1.fetch_sub(1, Ordering::Relaxed);
    }
}

/// One case: send this number, or receive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Case {
    Send(usize, u64),
    Recv(usize),
}

/// What an operation answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    /// The send happened, or gave this number back.
    Sent(usize, Option<u64>),
    /// The receive came with this number, or found the channel closed.
    Got(usize, Option<u64>),
}

#[derive(Clone, Debug)]
enum Step {
    Send { chan: usize, slot: usize },
    Recv { chan: usize, slot: usize },
    Select { cases: Vec<(bool, usize)>, slot: usize, written: bool },
    Reserve { chan: usize, slot: usize },
    Poll { slot: usize, waker: usize },
    Drop { slot: usize },
    TrySend { chan: usize },
    TryRecv { chan: usize },
    Close { chan: usize },
}

fn step() -> impl Strategy<Value = Step> {
    let (chan, slot) = (0..CAPS.len(), 0..SLOTS);
    let case = (any::<bool>(), chan.clone());
    prop_oneof![
        3 => (chan.clone(), slot.clone()).prop_map(|(chan, slot)| Step::Send { chan, slot }),
        3 => (chan.clone(), slot.clone()).prop_map(|(chan, slot)| Step::Recv { chan, slot }),
        4 => (prop::collection::vec(case, 1..4), slot.clone(), any::<bool>())
            .prop_map(|(cases, slot, written)| Step::Select { cases, slot, written }),
        1 => (chan.clone(), slot.clone()).prop_map(|(chan, slot)| Step::Reserve { chan, slot }),
        6 => (slot.clone(), 0..3_usize).prop_map(|(slot, waker)| Step::Poll { slot, waker }),
        3 => slot.prop_map(|slot| Step::Drop { slot }),
        2 => chan.clone().prop_map(|chan| Step::TrySend { chan }),
        2 => chan.clone().prop_map(|chan| Step::TryRecv { chan }),
        1 => (0..CAPS.len() * 4).prop_map(|n| Step::Close { chan: n % CAPS.len() }),
    ]
}

// --- the model -------------------------------------------------------------------------------------------------

/// What an operation has come to, in the model.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Phase {
    Waiting(Vec<Case>),
    /// Waits for a slot of a channel, to send this number.
    WaitingForSlot(usize, u64),
    /// Has its slot, and does not know yet (false), or does (true).
    Holding(usize, u64, bool),
    Sent(usize, Option<u64>),
    /// A value handed over, with its number in the order of sending.
    Handed(usize, u64, u64),
    /// Woken by a close: looks again when polled.
    LookAgain(usize),
    SlotRefused,
}

#[derive(Default)]
struct ModelChan {
    returned: Vec<(u64, u64)>,
    buffer: VecDeque<u64>,
    senders: VecDeque<usize>,
    receivers: VecDeque<usize>,
    reserved: usize,
    sent: u64,
    closed: bool,
}

struct Model {
    chans: Vec<ModelChan>,
    ops: Vec<Option<Phase>>,
    /// Operations that must have been woken since the last look.
    woken: Vec<usize>,
}

impl Model {
    fn new() -> Self {
        Self {
            chans: CAPS.iter().map(|_| ModelChan::default()).collect(),
            ops: vec![None; SLOTS],
            woken: Vec::new(),
        }
    }

    fn has_room(&self, chan: usize) -> bool {
        let c = &self.chans[chan];
        CAPS[chan].is_none_or(|cap| c.returned.len() + c.buffer.len() + c.reserved < cap)
    }

    /// Takes an operation out of every queue.
    fn unlink(&mut self, op: usize) {
        for chan in &mut self.chans {
            chan.senders.retain(|other| *other != op);
            chan.receivers.retain(|other| *other != op);
        }
    }

    fn finish(&mut self, op: usize, phase: Phase) {
        self.unlink(op);
        self.ops[op] = Some(phase);
        self.woken.push(op);
    }

    /// The first operation that waits to send on `chan`, with its number; `None` as number for a reserve.
    fn first_sender(&self, chan: usize) -> Option<(usize, Option<u64>)> {
        self.chans[chan].senders.front().and_then(|op| self.sender(chan, *op))
    }

    /// The first one whose value a receiver may take itself: on an unbuffered channel, or where permits hold the slots.
    fn first_offer(&self, chan: usize) -> Option<(usize, u64)> {
        if CAPS[chan] != Some(0) && self.chans[chan].reserved == 0 {
            return None;
        }
        let mut senders = self.chans[chan].senders.iter().filter_map(|op| self.sender(chan, *op));
        senders.find_map(|(op, value)| value.map(|value| (op, value)))
    }

    fn sender(&self, chan: usize, op: usize) -> Option<(usize, Option<u64>)> {
        match self.ops[op].as_ref().unwrap() {
            Phase::Waiting(cases) => {
                let value = cases.iter().find_map(|case| match case {
                    Case::Send(c, value) if *c == chan => Some(*value),
                    _ => None,
                });
                Some((op, value))
            }
            _ => Some((op, None)),
        }
    }

    fn put(&mut self, chan: usize, value: u64) -> Result<(), &'static str> {
        if self.chans[chan].closed {
            return Err("closed");
        }
        if let Some(&op) = self.chans[chan].receivers.front() {
            let number = self.chans[chan].sent;
            self.chans[chan].sent += 1;
            self.finish(op, Phase::Handed(chan, number, value));
            return Ok(());
        }
        if !self.has_room(chan) {
            return Err("full");
        }
        self.store(chan, value);
        Ok(())
    }

    /// A permit sends on an open channel whatever has come back since; with nobody to hand the value to, that may be one more
    /// than there are slots.
    fn put_reserved(&mut self, chan: usize, value: u64) -> Result<(), &'static str> {
        self.chans[chan].reserved -= 1;
        let sent = match self.put(chan, value) {
            Err("full") => {
                self.store(chan, value);
                Ok(())
            }
            sent => sent,
        };
        self.refill(chan);
        sent
    }

    fn store(&mut self, chan: usize, value: u64) {
        self.chans[chan].sent += 1;
        self.chans[chan].buffer.push_back(value);
    }

    fn refill(&mut self, chan: usize) {
        while self.has_room(chan) {
            match self.first_sender(chan) {
                None => break,
                Some((op, Some(value))) => {
                    self.finish(op, Phase::Sent(chan, None));
                    self.put(chan, value).unwrap();
                }
                Some((op, None)) => {
                    let Some(Phase::WaitingForSlot(_, value)) = self.ops[op].clone() else { unreachable!() };
                    self.chans[chan].reserved += 1;
                    self.finish(op, Phase::Holding(chan, value, false));
                }
            }
        }
    }

    fn can_take(&self, chan: usize) -> bool {
        let c = &self.chans[chan];
        !c.returned.is_empty() || !c.buffer.is_empty() || self.first_offer(chan).is_some()
    }

    fn take(&mut self, chan: usize) -> Option<u64> {
        let c = &mut self.chans[chan];
        let value = if c.returned.is_empty() { c.buffer.pop_front() } else { Some(c.returned.remove(0).1) };
        if value.is_some() {
            self.refill(chan);
            return value;
        }
        let (op, value) = self.first_offer(chan)?;
        self.chans[chan].sent += 1;
        self.finish(op, Phase::Sent(chan, None));
        Some(value)
    }

    fn give_back(&mut self, chan: usize, number: u64, value: u64) {
        if let Some(&op) = self.chans[chan].receivers.front() {
            self.finish(op, Phase::Handed(chan, number, value));
        } else {
            let lane = &mut self.chans[chan].returned;
            lane.push((number, value));
            lane.sort_unstable();
        }
    }

    fn is_ready(&self, case: Case) -> bool {
        match case {
            Case::Send(chan, _) => {
                let c = &self.chans[chan];
                c.closed || !c.receivers.is_empty() || self.has_room(chan)
            }
            Case::Recv(chan) => self.chans[chan].closed || self.can_take(chan),
        }
    }

    /// What `case` answers when it happens at once.
    fn perform(&mut self, case: Case) -> Answer {
        match case {
            Case::Send(chan, value) => Answer::Sent(chan, self.put(chan, value).err().map(|_| value)),
            Case::Recv(chan) => Answer::Got(chan, self.take(chan)),
        }
    }

    fn enlist(&mut self, op: usize, cases: Vec<Case>) {
        for case in &cases {
            match case {
                Case::Send(chan, _) => self.chans[*chan].senders.push_back(op),
                Case::Recv(chan) => self.chans[*chan].receivers.push_back(op),
            }
        }
        self.ops[op] = Some(Phase::Waiting(cases));
    }

    fn close(&mut self, chan: usize) -> bool {
        if std::mem::replace(&mut self.chans[chan].closed, true) {
            return false;
        }
        while let Some((op, value)) = self.first_sender(chan) {
            let phase = if value.is_some() { Phase::Sent(chan, value) } else { Phase::SlotRefused };
            self.finish(op, phase);
        }
        while let Some(&op) = self.chans[chan].receivers.front() {
            self.finish(op, Phase::LookAgain(chan));
        }
        true
    }

    /// A poll of a started operation: its answer, or `None` if it goes on waiting.
    fn poll(&mut self, op: usize) -> Option<Answer> {
        let answer = match self.ops[op].clone().unwrap() {
            Phase::Waiting(_) | Phase::WaitingForSlot(..) => return None,
            Phase::Holding(chan, value, false) => {
                self.ops[op] = Some(Phase::Holding(chan, value, true));
                return None;
            }
            Phase::Holding(chan, value, true) => {
                Answer::Sent(chan, self.put_reserved(chan, value).err().map(|_| value))
            }
            Phase::Sent(chan, back) => Answer::Sent(chan, back),
            Phase::Handed(chan, _, value) => Answer::Got(chan, Some(value)),
            Phase::LookAgain(chan) => Answer::Got(chan, self.take(chan)),
            Phase::SlotRefused => Answer::Sent(usize::MAX, None),
        };
        self.ops[op] = None;
        Some(answer)
    }

    fn drop_op(&mut self, op: usize) {
        match self.ops[op].take() {
            Some(Phase::Handed(chan, number, value)) => self.give_back(chan, number, value),
            Some(Phase::Holding(chan, ..)) => {
                self.chans[chan].reserved -= 1;
                self.refill(chan);
            }
            Some(_) => self.unlink(op),
            None => {}
        }
    }
}

// --- the real thing --------------------------------------------------------------------------------------------

#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

struct Op {
    future: Pin<Box<dyn Future<Output = Answer>>>,
    /// Wake-ups of each of its wakers that were seen.
    wakers: [Arc<Count>; 3],
    seen: [usize; 3],
    last: usize,
}

impl Op {
    fn new(future: impl Future<Output = Answer> + 'static) -> Self {
        Self { future: Box::pin(future), wakers: Default::default(), seen: [0; 3], last: 0 }
    }

    fn poll(&mut self, waker: usize) -> Option<Answer> {
        self.last = waker;
        let waker = Waker::from(self.wakers[waker].clone());
        match self.future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(answer) => Some(answer),
            Poll::Pending => None,
        }
    }
}

struct World {
    model: Model,
    txs: Vec<Sender<Value>>,
    rxs: Vec<Receiver<Value>>,
    ops: Vec<Option<Op>>,
    live: Arc<AtomicUsize>,
    next: Cell<u64>,
}

impl World {
    fn new() -> Self {
        let (txs, rxs) = CAPS.iter().map(|cap| cap.map_or_else(unbounded, bounded)).unzip();
        let ops = (0..SLOTS).map(|_| None).collect();
        Self { model: Model::new(), txs, rxs, ops, live: Arc::default(), next: Cell::new(0) }
    }

    fn value(&self) -> (u64, Value) {
        self.next.set(self.next.get() + 1);
        self.live.fetch_add(1, Ordering::Relaxed);
        (self.next.get(), Value(self.next.get(), self.live.clone()))
    }

    /// Starts an operation in a free slot: polls it once, and the model alike.
    fn start(&mut self, slot: usize, mut op: Op, cases: Vec<Case>) {
        let ready: Vec<Case> = cases.iter().copied().filter(|case| self.model.is_ready(*case)).collect();
        let real = op.poll(0);
        match real {
            None => {
                assert!(ready.is_empty(), "{ready:?} could have happened");
                self.model.enlist(slot, cases);
                self.ops[slot] = Some(op);
            }
            Some(answer) => {
                let case = ready.into_iter().find(|case| match (case, answer) {
                    (Case::Send(a, value), Answer::Sent(b, back)) => {
                        *a == b && back.is_none_or(|back| back == *value)
                    }
                    (Case::Recv(a), Answer::Got(b, _)) => *a == b,
                    _ => false,
                });
                let case = case.unwrap_or_else(|| panic!("{answer:?} could not have happened"));
                assert_eq!(self.model.perform(case), answer);
            }
        }
    }

    fn reserve(&mut self, chan: usize, slot: usize) {
        let (number, value) = self.value();
        let tx = self.txs[chan].clone();
        let mut op = Op::new(async move {
            let Ok(permit) = tx.reserve().await else { return Answer::Sent(usize::MAX, None) };
            let mut held = false;
            poll_fn(|_| if std::mem::replace(&mut held, true) { Poll::Ready(()) } else { Poll::Pending })
                .await;
            Answer::Sent(chan, permit.send(value).err().map(|back| back.0 .0))
        });
        let real = op.poll(0);
        if self.model.chans[chan].closed {
            assert_eq!(real, Some(Answer::Sent(usize::MAX, None)));
            return;
        }
        assert_eq!(real, None);
        if self.model.has_room(chan) {
            self.model.chans[chan].reserved += 1;
            self.model.ops[slot] = Some(Phase::Holding(chan, number, true));
        } else {
            self.model.chans[chan].senders.push_back(slot);
            self.model.ops[slot] = Some(Phase::WaitingForSlot(chan, number));
        }
        self.ops[slot] = Some(op);
    }

    fn select(&mut self, shape: &[(bool, usize)], slot: usize, written: bool) {
        // One value for each send, so that it can be told which case happened. Sends of one select on one channel
        // share a number: which of them is claimed is not determined.
        let mut cases = Vec::new();
        let mut values = Vec::new();
        for (send, chan) in shape {
            let twin = cases.iter().any(|case| matches!(case, Case::Send(c, _) if c == chan));
            if *send && !twin {
                let (number, value) = self.value();
                cases.push(Case::Send(*chan, number));
                values.push(Some(value));
            } else {
                cases.push(Case::Recv(*chan));
                values.push(None);
            }
        }
        let (txs, rxs) = (self.txs.clone(), self.rxs.clone());
        let kinds = cases.clone();
        let op = if written && cases.len() == 2 {
            Op::new(written_select(txs, rxs, kinds, values))
        } else {
            Op::new(listed_select(txs, rxs, kinds, values))
        };
        self.start(slot, op, cases);
    }

    /// Everybody who can go on was woken, by the waker of the last poll, and nobody else.
    fn check_wakes(&mut self) {
        let woken = std::mem::take(&mut self.model.woken);
        for (slot, op) in self.ops.iter_mut().enumerate() {
            let Some(op) = op else { continue };
            for (i, waker) in op.wakers.iter().enumerate() {
                let now = waker.0.load(Ordering::Relaxed);
                let expected = op.seen[i] + usize::from(i == op.last && woken.contains(&slot));
                assert_eq!(now, expected, "wake-ups of operation {slot} through its waker {i}");
                op.seen[i] = now;
            }
        }
    }

    fn run(&mut self, step: &Step) {
        match step {
            Step::Send { chan, slot } if self.ops[*slot].is_none() => {
                let (chan, tx) = (*chan, self.txs[*chan].clone());
                let (number, value) = self.value();
                let op =
                    Op::new(
                        async move { Answer::Sent(chan, tx.send(value).await.err().map(|back| back.0 .0)) },
                    );
                self.start(*slot, op, vec![Case::Send(chan, number)]);
            }
            Step::Recv { chan, slot } if self.ops[*slot].is_none() => {
                let (chan, rx) = (*chan, self.rxs[*chan].clone());
                let op = Op::new(async move { Answer::Got(chan, rx.recv().await.ok().map(|value| value.0)) });
                self.start(*slot, op, vec![Case::Recv(chan)]);
            }
            Step::Select { cases, slot, written } if self.ops[*slot].is_none() => {
                self.select(cases, *slot, *written)
            }
            Step::Reserve { chan, slot } if self.ops[*slot].is_none() && *chan > 0 => {
                self.reserve(*chan, *slot)
            }
            Step::Poll { slot, waker } => {
                if let Some(op) = &mut self.ops[*slot] {
                    let expected = self.model.poll(*slot);
                    assert_eq!(op.poll(*waker), expected);
                    if expected.is_some() {
                        self.ops[*slot] = None;
                    }
                }
            }
            Step::Drop { slot } => {
                self.ops[*slot] = None;
                self.model.drop_op(*slot);
            }
            Step::TrySend { chan } => {
                let (number, value) = self.value();
                let real = self.txs[*chan].try_send(value).map_err(|error| match error {
                    TrySendError::Full(_) => "full",
                    TrySendError::Closed(_) => "closed",
                });
                assert_eq!(real, self.model.put(*chan, number));
            }
            Step::TryRecv { chan } => {
                let closed = self.model.chans[*chan].closed;
                match self.rxs[*chan].try_recv() {
                    Ok(value) => assert_eq!(self.model.take(*chan), Some(value.0)),
                    Err(error) => {
                        assert_eq!(self.model.take(*chan), None);
                        assert_eq!(error == TryRecvError::Closed, closed);
                    }
                }
            }
            Step::Close { chan } => assert_eq!(self.txs[*chan].close(), self.model.close(*chan)),
            _ => {}
        }
        self.check_wakes();
        for (chan, tx) in self.txs.iter().enumerate() {
            let c = &self.model.chans[chan];
            let len = c.returned.len() + c.buffer.len();
            assert_eq!(tx.len(), CAPS[chan].map_or(len, |cap| len.min(cap)));
            assert_eq!(tx.is_full(), !self.model.has_room(chan));
        }
    }

    /// Drops every operation, drains every channel, and counts what still lives.
    fn finish(mut self) {
        for slot in 0..SLOTS {
            self.run(&Step::Drop { slot });
        }
        for chan in 0..CAPS.len() {
            while self.model.can_take(chan) {
                self.run(&Step::TryRecv { chan });
            }
            self.run(&Step::TryRecv { chan });
        }
        assert_eq!(self.live.load(Ordering::Relaxed), 0, "values that were lost, or dropped twice");
    }
}

async fn listed_select(
    txs: Vec<Sender<Value>>,
    rxs: Vec<Receiver<Value>>,
    cases: Vec<Case>,
    values: Vec<Option<Value>>,
) -> Answer {
    let mut list = Select::new();
    for (case, value) in cases.iter().zip(values) {
        match case {
            Case::Send(chan, _) => list.send(&txs[*chan], value.unwrap()),
            Case::Recv(chan) => list.recv(&rxs[*chan]),
        };
    }
    match list.ready().await {
        Selected::Send(i, result) => Answer::Sent(chan_of(cases[i]), result.err().map(|back| back.0 .0)),
        Selected::Recv(i, result) => Answer::Got(chan_of(cases[i]), result.ok().map(|value| value.0)),
    }
}

async fn written_select(
    txs: Vec<Sender<Value>>,
    rxs: Vec<Receiver<Value>>,
    cases: Vec<Case>,
    mut values: Vec<Option<Value>>,
) -> Answer {
    let (a, b) = (chan_of(cases[0]), chan_of(cases[1]));
    let (first, second) = (values[0].take(), values[1].take());
    let (sends_a, sends_b) = (first.is_some(), second.is_some());
    select! {
        r = txs[a].send(first.unwrap()), if sends_a => Answer::Sent(a, r.err().map(|back| back.0.0)),
        v = rxs[a].recv(), if !sends_a => Answer::Got(a, v.ok().map(|value| value.0)),
        r = txs[b].send(second.unwrap()), if sends_b => Answer::Sent(b, r.err().map(|back| back.0.0)),
        v = rxs[b].recv(), if !sends_b => Answer::Got(b, v.ok().map(|value| value.0)),
    }
}

fn chan_of(case: Case) -> usize {
    match case {
        Case::Send(chan, _) | Case::Recv(chan) => chan,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_programs_agree_with_the_model(steps in prop::collection::vec(step(), 1..60)) {
        let mut world = World::new();
        for step in &steps {
            world.run(step);
        }
        world.finish();
    }
}
