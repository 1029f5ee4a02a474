//! The table of registered descriptors: from the kernel's token to the [`Descriptor`], or to nothing.
//!
//! Descriptor numbers are reused at once: a machine may hold an event of number 7 in its hands while another
//! thread closes 7 and opens a new 7. Were the number the token, the new socket would get the old one's
//! event. So the token names a *slot* and the slot's *generation*:
//!
//! ```text
//!   token  63 …… 32 31 …… 0        slots   0: gen 4 ─► Descriptor (fd 7)
//!         ┌─────────┬───────┐              1: gen 9    free
//!         │ gen   3 │ slot 0│              2: gen 0 ─► Descriptor (fd 12)
//!         └─────────┴───────┘      generation 3 of slot 0 is gone: its late event finds nobody
//! ```
//!
//! # Invariants
//! B1. A slot's generation grows when its descriptor is taken out, never otherwise.
//! B2. So at most one descriptor ever had a given token. (A slot would have to be reused 2³² times while one
//!     machine holds a single event for this to fail.)
//! B3. [`Token::WAKE`] belongs to what ends a wait: slot numbers stay below `u32::MAX`, and no look finds it here.
//! B4. A closed table takes no more descriptors.
//! B5. `registered` has a mark for each number in the table, and no number is in it twice. The kernel sees to that
//!     within one of its sets only.
//!
//! # Rejected
//! The descriptor's address as the token: it saves a look into the table, and costs an `unsafe` read of
//! memory that must be kept alive by a list of the recently closed. A map by number: no cure for reuse.

use std::io;
use std::os::fd::RawFd;

use pirn_sync::primitive::Arc;

use super::descriptor::{self, Descriptor};

/// A slot and its generation, as the kernel hands them back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token(u64);

impl Token {
    /// The poller's own: not a descriptor, but a wake (B3).
    pub(super) const WAKE: Self = Self(u64::MAX);

    fn new(slot: u32, generation: u32) -> Self {
        Self(u64::from(generation) << 32 | u64::from(slot))
    }

    /// The number that the kernel stores.
    pub(super) fn to_bits(self) -> u64 {
        self.0
    }

    /// The token behind a number that the kernel handed back.
    pub(super) fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    fn slot(self) -> usize {
        self.0 as u32 as usize
    }

    fn generation(self) -> u32 {
        (self.0 >> 32) as u32
    }
}

/// Every registered descriptor.
#[derive(Debug, Default)]
pub(super) struct Table {
    slots: Vec<Slot>,
    free: Vec<u32>,
    /// By descriptor number: those are small.
    registered: Vec<bool>,
    closed: bool,
}

#[derive(Debug, Default)]
struct Slot {
    generation: u32,
    descriptor: Option<Arc<Descriptor>>,
}

impl Table {
    /// Puts what `make` returns for `fd` in a free slot. An error when the table is closed (B4), or has `fd` (B5).
    pub(super) fn insert(
        &mut self,
        fd: RawFd,
        make: impl FnOnce(Token) -> Descriptor,
    ) -> io::Result<Arc<Descriptor>> {
        if self.closed {
            return Err(descriptor::closed());
        }
        let place = fd as usize;
        if self.registered.len() <= place {
            self.registered.resize(place + 1, false);
        }
        if std::mem::replace(&mut self.registered[place], true) {
            return Err(io::Error::from_raw_os_error(libc::EEXIST));
        }
        let number = self.free.pop().unwrap_or_else(|| {
            let number = u32::try_from(self.slots.len()).expect("fewer descriptors than 2³²");
            assert!(number < u32::MAX, "B3: the last slot number belongs to the wake event");
            self.slots.push(Slot::default());
            number
        });
        let slot = &mut self.slots[number as usize];
        let descriptor = Arc::new(make(Token::new(number, slot.generation)));
        slot.descriptor = Some(Arc::clone(&descriptor));
        Ok(descriptor)
    }

    /// The descriptor with this token, if it has not been taken out (B2).
    pub(super) fn get(&self, token: Token) -> Option<&Descriptor> {
        let slot = self.slots.get(token.slot())?;
        (slot.generation == token.generation()).then_some(slot.descriptor.as_deref()).flatten()
    }

    /// Takes the descriptor out and ages its slot (B1). The caller drops it with no lock held.
    pub(super) fn remove(&mut self, token: Token) -> Option<Arc<Descriptor>> {
        let slot = self.slots.get_mut(token.slot()).filter(|slot| slot.generation == token.generation())?;
        let descriptor = slot.descriptor.take()?;
        slot.generation = slot.generation.wrapping_add(1);
        self.free.push(token.slot() as u32);
        self.registered[descriptor.fd() as usize] = false;
        Some(descriptor)
    }

    /// How many descriptors are registered.
    pub(super) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Closes the table (B4) and empties it.
    pub(super) fn close(&mut self) -> Vec<Arc<Descriptor>> {
        self.closed = true;
        self.registered.clear();
        let mut taken = Vec::with_capacity(self.len());
        for (number, slot) in self.slots.iter_mut().enumerate() {
            if let Some(descriptor) = slot.descriptor.take() {
                slot.generation = slot.generation.wrapping_add(1);
                self.free.push(number as u32);
                taken.push(descriptor);
            }
        }
        taken
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
