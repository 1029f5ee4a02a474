//! Publish and subscribe.
//!
//! ```text
//!   PUBLISH ─► hub: name ─► subscribers     one list per channel, one per pattern
//!                               │ try_send: never waits
//!                               ▼
//!                           mailbox ─► the subscriber's connection ─► its socket
//!                           (a pirn channel, and how many bytes wait in it)
//! ```
//!
//! # A slow subscriber harms itself only
//! A publisher never waits, so what a subscriber does not read piles up. The mailbox counts the bytes; past the limit
//! the subscriber is *cut off*: its socket is shut, its connection ends, its mailbox is dropped. (Redis does so with
//! the same default.) It learns by the end of the stream that it has missed something, and nobody else notices.
//! Many such may be too much together long before one of them is. So what is more than [`LITTLE`] waits only while the
//! memory of the process stays within the bound that long replies have (`reply.rs`).
//!
//! # Publishing holds no lock
//! A list of subscribers is an `Arc` that is replaced by whoever changes it: a publisher takes the list of the moment
//! and sends with the lock free. So a message may still be on its way to somebody who has just unsubscribed; the
//! connection throws it away, for nothing may come after the confirmation.

use std::net::Shutdown;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;

use hashbrown::{HashMap, HashSet};
use parking_lot::RwLock;
use pirn::channel::{Receiver, Sender, unbounded};

use crate::clients::Client;
use crate::db::glob;
use crate::db::value::{Blob, excess};
use crate::memory;
use crate::reply::{LONG as LITTLE, Reply};

/// A published message, as one kind of subscription gets it.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) kind: Kind,
    /// The channel or the pattern that was subscribed to.
    pub(crate) topic: Blob,
    /// What goes over the wire.
    pub(crate) frame: Vec<u8>,
}

/// What one can subscribe to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Channel,
    Pattern,
}

type Subscribers = HashMap<Blob, Arc<Vec<Arc<Mailbox>>>>;

/// Who listens to what.
#[derive(Debug)]
pub(crate) struct Hub {
    channels: RwLock<Subscribers>,
    patterns: RwLock<Subscribers>,
    limits: Limits,
}

/// What may wait.
#[derive(Clone, Copy, Debug)]
struct Limits {
    /// How many bytes for one subscriber.
    each: usize,
    /// How many bytes may be in use in all, if there is a bound.
    all: Option<usize>,
}

/// Where a subscriber's messages wait for it.
#[derive(Debug)]
pub(crate) struct Mailbox {
    client: Arc<Client>,
    messages: Sender<Arc<Message>>,
    /// Bytes that wait. `Relaxed`: a sum.
    waiting: AtomicUsize,
}

/// What a message costs in a mailbox beside its bytes.
const OVERHEAD: usize = 64;
/// What goes over the wire beside the bytes of each part, at most.
const FRAMING: usize = 16;

impl Hub {
    /// For at most `each` bytes that wait for one subscriber, while no more than `all` are in use.
    pub(crate) fn new(each: usize, all: Option<usize>) -> Self {
        Self { channels: RwLock::default(), patterns: RwLock::default(), limits: Limits { each, all } }
    }

    fn of(&self, kind: Kind) -> &RwLock<Subscribers> {
        match kind {
            Kind::Channel => &self.channels,
            Kind::Pattern => &self.patterns,
        }
    }

    /// Sends to everybody who listens; to how many.
    pub(crate) fn publish(&self, channel: &[u8], payload: &[u8]) -> usize {
        let exact = self.channels.read().get(channel).cloned();
        let mut reached = 0;
        if let Some(subscribers) = exact {
            let frame = encode(&[b"message", channel, payload]);
            reached += self.deliver(Kind::Channel, channel, frame, &subscribers);
        }
        let patterns: Vec<(Blob, Arc<_>)> = {
            let patterns = self.patterns.read();
            let matching = patterns.iter().filter(|(pattern, _)| glob::matches(pattern, channel));
            matching.map(|(pattern, subscribers)| (pattern.clone(), subscribers.clone())).collect()
        };
        for (pattern, subscribers) in patterns {
            let frame = encode(&[b"pmessage", &pattern, channel, payload]);
            reached += self.deliver(Kind::Pattern, &pattern, frame, &subscribers);
        }
        reached
    }

    fn deliver(&self, kind: Kind, topic: &[u8], frame: Vec<u8>, to: &[Arc<Mailbox>]) -> usize {
        let message = Arc::new(Message { kind, topic: topic.into(), frame });
        to.iter().filter(|mailbox| mailbox.put(&message, self.limits)).count()
    }

    fn subscribe(&self, kind: Kind, topic: &[u8], mailbox: &Arc<Mailbox>) {
        let mut topics = self.of(kind).write();
        let subscribers = topics.entry(topic.into()).or_default();
        Arc::make_mut(subscribers).push(mailbox.clone());
    }

    fn unsubscribe(&self, kind: Kind, topic: &[u8], mailbox: &Arc<Mailbox>) {
        let mut topics = self.of(kind).write();
        let Some(subscribers) = topics.get_mut(topic) else { return };
        Arc::make_mut(subscribers).retain(|other| !Arc::ptr_eq(other, mailbox));
        if subscribers.is_empty() {
            topics.remove(topic);
            if let Some(kept) = excess(topics.len(), topics.capacity()) {
                topics.shrink_to(kept);
            }
        }
    }

    /// The channels that somebody listens to.
    pub(crate) fn channels(&self, pattern: Option<&[u8]>) -> Vec<Blob> {
        let is_meant = |topic: &&Blob| pattern.is_none_or(|pattern| glob::matches(pattern, topic));
        self.channels.read().keys().filter(is_meant).cloned().collect()
    }

    /// How many listen to this channel.
    pub(crate) fn subscribers(&self, channel: &[u8]) -> usize {
        self.channels.read().get(channel).map_or(0, |subscribers| subscribers.len())
    }

    /// How many topics of this kind there are.
    pub(crate) fn topics(&self, kind: Kind) -> usize {
        self.of(kind).read().len()
    }
}

fn encode(parts: &[&[u8]]) -> Vec<u8> {
    // Not twice as much, as if it grew: it may wait for long.
    let mut frame = Vec::with_capacity(parts.iter().map(|part| part.len() + FRAMING).sum());
    Reply::new(&mut frame).bulks(parts.iter());
    frame
}

impl Mailbox {
    /// Whether the message was taken. A subscriber for whom too much waits is cut off.
    fn put(&self, message: &Arc<Message>, limits: Limits) -> bool {
        let size = message.frame.len() + OVERHEAD;
        let waiting = self.waiting.fetch_add(size, Relaxed) + size;
        let is_full = || limits.all.is_some_and(|bound| memory::used() > bound);
        if waiting > limits.each || waiting > LITTLE && is_full() {
            if self.messages.close() {
                tracing::warn!(client = self.client.id, waiting, "a subscriber is too slow and is cut off");
                // It may be gone already.
                let _ = self.client.stream.shutdown(Shutdown::Both);
            }
            return false;
        }
        self.messages.try_send(message.clone()).is_ok()
    }
}

/// The subscriptions of one connection. Dropping it ends them.
#[derive(Debug)]
pub(crate) struct Subscriptions {
    hub: Arc<Hub>,
    mailbox: Arc<Mailbox>,
    pub(crate) messages: Receiver<Arc<Message>>,
    channels: HashSet<Blob>,
    patterns: HashSet<Blob>,
}

impl Subscriptions {
    pub(crate) fn new(hub: Arc<Hub>, client: Arc<Client>) -> Self {
        client.set_subscriber(true);
        let (sender, messages) = unbounded();
        let mailbox = Arc::new(Mailbox { client, messages: sender, waiting: AtomicUsize::new(0) });
        Self { hub, mailbox, messages, channels: HashSet::new(), patterns: HashSet::new() }
    }

    fn topics(&self, kind: Kind) -> &HashSet<Blob> {
        match kind {
            Kind::Channel => &self.channels,
            Kind::Pattern => &self.patterns,
        }
    }

    fn topics_mut(&mut self, kind: Kind) -> &mut HashSet<Blob> {
        match kind {
            Kind::Channel => &mut self.channels,
            Kind::Pattern => &mut self.patterns,
        }
    }

    /// How many there are, of both kinds.
    pub(crate) fn len(&self) -> usize {
        self.channels.len() + self.patterns.len()
    }

    pub(crate) fn add(&mut self, kind: Kind, topic: &[u8]) {
        if self.topics_mut(kind).insert(topic.into()) {
            self.hub.subscribe(kind, topic, &self.mailbox);
        }
    }

    pub(crate) fn remove(&mut self, kind: Kind, topic: &[u8]) {
        if self.topics_mut(kind).remove(topic) {
            self.hub.unsubscribe(kind, topic, &self.mailbox);
        }
    }

    /// Everything of this kind that is subscribed to.
    pub(crate) fn all(&self, kind: Kind) -> Vec<Blob> {
        self.topics(kind).iter().cloned().collect()
    }

    /// Writes a message that came out of the mailbox, unless it is for a subscription that has ended.
    pub(crate) fn take(&mut self, message: &Message, out: &mut Vec<u8>) {
        self.mailbox.waiting.fetch_sub(message.frame.len() + OVERHEAD, Relaxed);
        if self.topics(message.kind).contains(&message.topic) {
            out.extend_from_slice(&message.frame);
        }
    }
}

impl Drop for Subscriptions {
    fn drop(&mut self) {
        self.mailbox.client.set_subscriber(false);
        for kind in [Kind::Channel, Kind::Pattern] {
            for topic in std::mem::take(self.topics_mut(kind)) {
                self.hub.unsubscribe(kind, &topic, &self.mailbox);
            }
        }
    }
}
