//! Benchmarks of `pirn` beside std threads and its peers.
