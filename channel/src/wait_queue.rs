//! The waiters of one channel: a slab of nodes, and two first-in-first-out queues threaded through it.
//!
//! ```text
//!   nodes   [0: R1] [1: S1] [2: free] [3: R2] [4: done]       index = key, held by the waiting future
//!   receivers  head 0 ⇄ 3 tail          senders  head 1 tail       free list  2
//! ```
//!
//! A linked list because a waiter leaves from the middle when its future is dropped or its select goes elsewhere; indices
//! instead of pointers because then it is safe code, and one allocation serves all waiters of a channel.
//!
//! # Invariants
//! Q1. A linked node has a party. A node whose party was taken (done) or whose select was lost is not linked.
//! Q2. A node is linked in at most one queue; queues are in order of arrival.
//! Q3. When the last waiter goes, a slab larger than [`KEEP`] nodes is freed: a burst of waiters leaves
//!     nothing behind.
//!
//! # Rejected
//! Nodes inside the futures (intrusive, no slab): it needs `unsafe` and pinned futures, and saves one
//! write of a cache line that the lock has just brought.

use pirn_sync::primitive::Arc;

use crate::claim::{Attempt, Claim, Flag};
use crate::waiter::{Cargo, Party};

const NIL: u32 = u32::MAX;

/// How many nodes an idle slab may keep.
const KEEP: usize = 32;

/// Where a waiter lies in its channel's slab.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key(u32);

impl Key {
    pub(crate) fn from_index(index: u32) -> Self {
        Self(index)
    }

    pub(crate) fn index(self) -> u32 {
        self.0
    }
}

/// Which of the two queues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// Those who wait to send, or for a slot.
    Senders,
    /// Those who wait to receive.
    Receivers,
}

#[derive(Debug)]
struct Node<T> {
    party: Option<Party>,
    cargo: Cargo<T>,
    side: Side,
    linked: bool,
    prev: u32,
    next: u32,
}

#[derive(Clone, Copy, Debug)]
struct Ends {
    head: u32,
    tail: u32,
}

/// All waiters of one channel.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct WaitQueues<T> {
    senders: Ends,
    receivers: Ends,
    free: u32,
    used: u32,
    nodes: Vec<Node<T>>,
}

impl<T> WaitQueues<T> {
    pub(crate) const fn new() -> Self {
        let empty = Ends { head: NIL, tail: NIL };
        Self { nodes: Vec::new(), free: NIL, used: 0, senders: empty, receivers: empty }
    }

    fn ends(&mut self, side: Side) -> &mut Ends {
        match side {
            Side::Senders => &mut self.senders,
            Side::Receivers => &mut self.receivers,
        }
    }

    /// Whether nobody is linked on `side`.
    #[inline]
    pub(crate) fn is_empty(&self, side: Side) -> bool {
        match side {
            Side::Senders => self.senders.head == NIL,
            Side::Receivers => self.receivers.head == NIL,
        }
    }

    /// Puts a waiter at the end of a queue.
    pub(crate) fn push(&mut self, side: Side, party: Party, cargo: Cargo<T>) -> Key {
        let tail = self.ends(side).tail;
        let node = Node { party: Some(party), cargo, side, linked: true, prev: tail, next: NIL };
        let key = if self.free == NIL {
            assert!(self.nodes.len() < NIL as usize, "more than 2³² operations wait on one channel");
            if self.nodes.capacity() == 0 {
                // Most channels never have a second waiter at once.
                self.nodes.reserve_exact(1);
            }
            self.nodes.push(node);
            (self.nodes.len() - 1) as u32
        } else {
            let key = self.free;
            self.free = self.nodes[key as usize].next;
            self.nodes[key as usize] = node;
            key
        };
        self.used += 1;
        if tail == NIL {
            self.ends(side).head = key;
        } else {
            self.nodes[tail as usize].next = key;
        }
        self.ends(side).tail = key;
        Key(key)
    }

    fn unlink(&mut self, key: u32) {
        let node = &mut self.nodes[key as usize];
        if !node.linked {
            return;
        }
        node.linked = false;
        let (side, prev, next) = (node.side, node.prev, node.next);
        match prev {
            NIL => self.ends(side).head = next,
            prev => self.nodes[prev as usize].next = next,
        }
        match next {
            NIL => self.ends(side).tail = prev,
            next => self.nodes[next as usize].prev = prev,
        }
    }

    /// Frees a waiter, wherever it stands, and returns what it held.
    pub(crate) fn remove(&mut self, key: Key) -> (Option<Party>, Cargo<T>) {
        self.unlink(key.0);
        let node = &mut self.nodes[key.0 as usize];
        let held = (node.party.take(), std::mem::replace(&mut node.cargo, Cargo::Empty));
        node.next = self.free;
        self.free = key.0;
        self.used -= 1;
        if self.used == 0 && self.nodes.len() > KEEP {
            self.nodes = Vec::new();
            self.free = NIL;
        }
        held
    }

    /// The party of a waiter; `None` when a partner has completed it.
    #[inline]
    pub(crate) fn party_mut(&mut self, key: Key) -> Option<&mut Party> {
        self.nodes[key.0 as usize].party.as_mut()
    }

    pub(crate) fn cargo_mut(&mut self, key: Key) -> &mut Cargo<T> {
        &mut self.nodes[key.0 as usize].cargo
    }

    /// Takes the first waiter of `side` that can be had: unlinks it and returns its party, which makes it done.
    ///
    /// A select that is busy keeps its place and is passed by; one that was claimed elsewhere is unlinked (its
    /// owner frees the node).
    #[inline]
    pub(crate) fn claim_first(&mut self, side: Side) -> Option<(Key, Party)> {
        self.claim(side, false)
    }

    /// The same for the first sender that offers a value, passing by those who wait for a slot.
    #[inline]
    pub(crate) fn claim_offer(&mut self) -> Option<(Key, Party)> {
        self.claim(Side::Senders, true)
    }

    #[inline]
    fn claim(&mut self, side: Side, only_offers: bool) -> Option<(Key, Party)> {
        let mut at = self.ends(side).head;
        while at != NIL {
            let node = &self.nodes[at as usize];
            let next = node.next;
            if only_offers && !matches!(node.cargo, Cargo::Offer(_)) {
                at = next;
                continue;
            }
            let attempt = match &node.party {
                Some(Party::Select { claim, case }) => claim.try_claim(*case),
                _ => Attempt::Won,
            };
            match attempt {
                Attempt::Won => {
                    self.unlink(at);
                    let party = self.nodes[at as usize].party.take();
                    return party.map(|party| (Key(at), party));
                }
                Attempt::Busy => {}
                Attempt::Lost => self.unlink(at),
            }
            at = next;
        }
        None
    }

    /// Flags every busy select on `side` but `me` (C4 of [`claim`][crate::claim]). True if one of them has begun to wait
    /// meanwhile: then claim again.
    pub(crate) fn flag_busy(&self, side: Side, me: Option<&Arc<Claim>>) -> bool {
        let mut at = match side {
            Side::Senders => self.senders.head,
            Side::Receivers => self.receivers.head,
        };
        while at != NIL {
            let node = &self.nodes[at as usize];
            if let Some(Party::Select { claim, .. }) = &node.party {
                let own = me.is_some_and(|me| Arc::ptr_eq(me, claim));
                if !own && claim.flag() == Flag::Waiting {
                    return true;
                }
            }
            at = node.next;
        }
        false
    }

    /// Takes out, for a pull, whoever waits to receive: plain waiters are done, selects stay and are flagged.
    pub(crate) fn rouse_receivers(&mut self, mut wake: impl FnMut(Party)) {
        let mut at = self.receivers.head;
        while at != NIL {
            let next = self.nodes[at as usize].next;
            if let Some(Party::Select { claim, case }) = &self.nodes[at as usize].party {
                claim.flag_waiting();
                wake(Party::Select { claim: claim.clone(), case: *case });
            } else {
                self.unlink(at);
                if let Some(party) = self.nodes[at as usize].party.take() {
                    wake(party);
                }
            }
            at = next;
        }
    }
}
