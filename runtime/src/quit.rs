//! SIGQUIT prints every live task and what it waits on, and the process goes on: for a program that hangs.
//!
//! As with the [trace](crate::trace), a thread of its own prints: workers may all be stuck. It listens as any
//! user of [`signal`] does, so the former disposition returns when the runtime ends.

use crate::sched::Shared;
use crate::signal::{self, Signal};
use crate::thread;
use std::io::{self, Write};
use std::sync::{Arc, Weak};
use std::time::Duration;

/// How soon the thread ends after its runtime.
const LOOK: Duration = Duration::from_secs(1);

/// Whether the environment asks for it.
pub(crate) fn is_asked_for() -> bool {
    std::env::var_os("PIRN_DUMP").is_some_and(|value| value == "1")
}

/// Starts listening, and the printing thread.
pub(crate) fn start(shared: &Arc<Shared>) -> io::Result<()> {
    let signals = signal::notify(&[Signal::QUIT]);
    let shared = Arc::downgrade(shared);
    let listen = move || {
        loop {
            let asked = signals.recv_timeout_blocking(LOOK).is_ok();
            let Some(shared) = living(&shared) else { return };
            if asked {
                // A full disk or a closed descriptor costs the dump, not the program.
                let _ = write!(io::stderr(), "{}", shared.dump());
            }
        }
    };
    thread::start("pirn-quit".into(), None, listen).map(drop)
}

fn living(shared: &Weak<Shared>) -> Option<Arc<Shared>> {
    shared.upgrade().filter(|shared| !shared.has_ended())
}
