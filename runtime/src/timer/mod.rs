//! The timer store: what remembers a million deadlines cheaply, and hands back the wakers that are due.
//!
//! This is a lower floor. It reads no clock, starts no thread and knows no processor: time is a number of
//! nanoseconds that the caller passes in, counted from whatever moment the caller likes.
//!
//! ```text
//!   home    one processor's timers: a lock around a wheel, the next deadline published beside it
//!    └─ wheel    a hierarchical timing wheel with exact deadlines; plain data
//!        └─ slab     where the entries live, found by keys that never name a later entry by mistake
//! ```
//!
//! Read [`slab`], then [`wheel`], then [`home`]; [`epoch`] turns moments into numbers.

mod epoch;
mod home;
mod slab;
mod wheel;

pub(crate) use epoch::Epoch;
pub(crate) use home::{EntryState, TimerHome};
pub(crate) use slab::Key;
