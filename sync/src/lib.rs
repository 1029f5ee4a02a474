//! Synchronisation primitives for tasks of any executor and for plain threads.

#[doc(hidden)]
pub mod clock;
#[doc(hidden)]
pub mod host;
#[doc(hidden)]
pub mod primitive;
#[doc(hidden)]
pub mod random;
