//! `select!`: waiting for the first of several operations.
//!
//! * [`case`]: what may stand in a branch, and what a select asks of it;
//! * [`frame`]: the algorithm, the same for the macro and for [`Select`];
//! * `macros`: the syntax of `select!`;
//! * [`dynamic`]: [`Select`], a list of cases known only at run time.
//!
//! The one-winner word that all waiters of a select share is in [`claim`][crate::claim].

pub(crate) mod case;
pub(crate) mod dynamic;
pub(crate) mod frame;
mod macros;

pub use dynamic::{Ready, Select, Selected};
