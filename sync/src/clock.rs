//! The clock seam: the one place where any of the three crates asks what time it is.
//!
//! Everything that measures or waits asks [`now`], so that a deterministic mode can put virtual time here
//! without a second scheduler. The `tidy` test refuses `Instant::now` anywhere else in the libraries.

use std::time::Instant;

/// The time on the monotonic clock.
#[inline]
pub fn now() -> Instant {
    Instant::now()
}
