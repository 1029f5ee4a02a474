//! Go's concurrency model for Rust, on a work-stealing scheduler.
