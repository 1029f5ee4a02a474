//! The command line.

use std::time::Duration;

use clap::Parser;
use pirn_examples::duration;
use pirn_examples::server::connections;
use tracing::level_filters::LevelFilter;

use crate::memory;

/// A small in-memory key-value server that speaks the Redis protocol (RESP2).
///
/// Point `redis-cli`, `redis-benchmark` or a client library at it. It keeps nothing on disk. SIGINT and SIGTERM end it
/// once everything that has been received is answered; the exit code is 0 then. It is 1 when somebody had to be cut
/// off, by a second signal or at the end of `--drain`, and 2 when it cannot listen.
#[derive(Parser, Debug)]
#[command(version)]
pub(crate) struct Options {
    /// The address to listen on; port 0 picks a free one
    #[arg(long, default_value = "127.0.0.1:6379", value_name = "HOST:PORT")]
    pub(crate) listen: String,
    /// How many tasks run at once [default: one per core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) procs: Option<u16>,
    /// Refuse writes while more memory is in use, as in 100mb or 2gb; 0 for no limit [default: half of the machine's]
    #[arg(long, value_name = "SIZE", value_parser = size)]
    maxmemory: Option<usize>,
    /// How many clients may be connected at once
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = connections)]
    pub(crate) max_clients: usize,
    /// Cut a subscriber off for whom more than this is waiting
    #[arg(long, value_name = "SIZE", value_parser = size, default_value = "32mb")]
    pub(crate) pubsub_limit: usize,
    /// How long to wait at the end for clients that do not take their replies
    #[arg(long, value_name = "D", value_parser = duration, default_value = "10s")]
    pub(crate) drain: Duration,
    /// How much to say on standard error: off, error, warn, info, debug
    #[arg(long, value_name = "LEVEL", default_value_t = LevelFilter::INFO)]
    pub(crate) log: LevelFilter,
}

impl Options {
    /// The bound on memory, in bytes; `None` if there is none.
    pub(crate) fn maxmemory(&self) -> Option<usize> {
        match self.maxmemory {
            Some(0) => None,
            Some(bytes) => Some(bytes),
            None => memory::half_of_the_machine(),
        }
    }
}

/// Reads a size as Redis writes it: `1k` is a thousand bytes, `1kb` is 1024, and so on.
fn size(text: &str) -> Result<usize, String> {
    let unit = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(unit);
    let factor: usize = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" => 1000,
        "kb" => 1 << 10,
        "m" => 1_000_000,
        "mb" => 1 << 20,
        "g" => 1_000_000_000,
        "gb" => 1 << 30,
        _ => return Err(format!("`{unit}` is no unit of size; there are k, kb, m, mb, g and gb")),
    };
    let number: usize = number.parse().map_err(|_| "a number is needed, as in 100mb".to_owned())?;
    number.checked_mul(factor).ok_or_else(|| "that is too much".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::{Options, size};

    #[test]
    fn the_command_line_is_sound() {
        Options::command().debug_assert();
    }

    #[test]
    fn sizes_have_units() {
        for (text, bytes) in
            [("0", 0), ("17", 17), ("1k", 1000), ("1KB", 1024), ("2mb", 2 << 20), ("3gb", 3 << 30)]
        {
            assert_eq!(size(text), Ok(bytes));
        }
        for wrong in ["", "mb", "-1", "1.5mb", "1tb", "99999999999gb"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn no_bound_has_to_be_asked_for() {
        assert!(Options::parse_from(["kv_server"]).maxmemory().is_some());
        assert_eq!(Options::parse_from(["kv_server", "--maxmemory", "0"]).maxmemory(), None);
        assert_eq!(Options::parse_from(["kv_server", "--maxmemory", "1mb"]).maxmemory(), Some(1 << 20));
    }
}
