//! The tests that stand beside the modules of `kv_server`: `cargo test -p pirn-examples --test kv_server_units`.
//!
//! A crate of its own with the same modules as `main.rs`, because cargo does not run the tests of an example that it
//! also builds as a program.

#![allow(dead_code, reason = "there is no `main` here that uses it")]

mod buffers;
mod clients;
mod command;
mod connection;
mod db;
mod error;
mod expiry;
mod frame;
mod integer;
mod memory;
mod options;
mod pubsub;
mod pulse;
mod reply;
mod server;
mod session;
