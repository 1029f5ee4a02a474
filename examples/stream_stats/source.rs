//! One connection: bytes in, batches out.
//!
//! Lines are cut out of a buffer that grows to the longest line that is allowed and no further. A peer that sends a
//! longer one is no peer of ours and is cut off, as is one that sends nothing for longer than `--idle-timeout`.
//!
//! # Deadlines as a way to stop
//! The reader knows nothing of signals. It reads, and when the server drains, somebody else gives its socket a
//! read deadline a short time ahead: what has arrived by then is still read, and then nothing is ([`LastReads`]). That
//! is `after_func`, as in Go: a function that runs when a context ends.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use pirn::channel::Sender;
use pirn::net::TcpStream;
use pirn::time::timeout;
use pirn_examples::duration;
use pirn_examples::server::{self, LastReads, Stop};
use tracing::{debug, info};

use crate::window::Batch;

/// How long a connection is still read from after the signal to stop.
const LINGER: Duration = Duration::from_millis(200);

/// What a peer may do.
#[derive(Args, Clone)]
pub(crate) struct Limits {
    /// How many connections there may be at once; more wait to be accepted
    #[arg(long, default_value = "10000", value_name = "N", value_parser = server::connections)]
    pub(crate) max_connections: usize,
    /// How many bytes a line may have, with its end
    #[arg(long, default_value_t = 64 * 1024, value_name = "BYTES", value_parser = at_least_one)]
    max_line: usize,
    /// How long a peer may be silent
    #[arg(long, default_value = "5m", value_name = "D", value_parser = duration)]
    idle_timeout: Duration,
}

fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("there must be room for one".to_owned()),
        Ok(number) => Ok(number),
        Err(error) => Err(format!("{error}")),
    }
}

/// What the readers share.
pub(crate) struct Sources {
    pub(crate) limits: Limits,
    pub(crate) stop: Stop,
    pub(crate) batches: Sender<Batch>,
}

impl Sources {
    /// Reads a connection to its end.
    pub(crate) async fn read(self: Arc<Self>, stream: TcpStream) {
        let stream = Arc::new(stream);
        let hang_up = self.stop.draining.after_func({
            let stream = stream.clone();
            move || stream.set_read_deadline(Instant::now() + LINGER)
        });
        // A node of its own below the context that all share: what it does often, it does here.
        let (alive, _gone) = self.stop.now.with_cancel();
        match alive.run(self.lines(&stream)).await {
            Ok(Ok(())) => debug!("closed"),
            Ok(Err(error)) => info!(%error, "ended early"),
            Err(_stopped) => debug!("cut off"),
        }
        hang_up.stop();
    }

    async fn lines(&self, stream: &TcpStream) -> io::Result<()> {
        let mut batch = Batch { is_first: true, ..Batch::default() };
        let mut buffer = vec![0; self.limits.max_line.min(16 * 1024)];
        // What has been read and not been counted: the beginning of a line.
        let (mut filled, mut reads) = (0, LastReads::default());
        loop {
            if filled == buffer.len() {
                if filled >= self.limits.max_line {
                    return Err(io::Error::new(io::ErrorKind::InvalidData, "a line is too long"));
                }
                buffer.resize((2 * filled).min(self.limits.max_line), 0);
            }
            let some = timeout(self.limits.idle_timeout, reads.read(stream, &mut buffer[filled..]));
            let silent = |_| Err(io::Error::new(io::ErrorKind::TimedOut, "silent for too long"));
            let read = some.await.unwrap_or_else(silent)?;
            batch.bytes += read as u64;
            let end = filled + read;
            let mut begin = 0;
            while let Some(length) = buffer[begin..end].iter().position(|byte| *byte == b'\n') {
                batch.count(&buffer[begin..begin + length]);
                begin += length + 1;
            }
            buffer.copy_within(begin..end, 0);
            filled = end - begin;
            if read == 0 && filled > 0 {
                batch.count(&buffer[..filled]);
            }
            if self.batches.send(std::mem::take(&mut batch)).await.is_err() || read == 0 {
                return Ok(());
            }
        }
    }
}
