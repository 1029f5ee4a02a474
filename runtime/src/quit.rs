//! SIGQUIT prints every live task and what it waits on, and the process goes on: for a program that hangs.
//!
//! As with the [trace](crate::trace), a thread of its own prints: workers may all be stuck. It listens as any
//! user of [`signal`] does, and two things end that, by closing its channel: the end of the runtime, with which
//! SIGQUIT has its former disposition again; and [`signal::ignore`] and [`signal::reset`], by which the program
//! says that SIGQUIT is to have another effect from now on. The thread ends with the channel.

use crate::sched::Shared;
use crate::signal;
use crate::thread;
use std::io::{self, Write};
use std::sync::Arc;

/// Whether the environment asks for it.
pub(crate) fn is_asked_for() -> bool {
    std::env::var_os("PIRN_DUMP").is_some_and(|value| value == "1")
}

/// Starts listening, and the printing thread.
pub(crate) fn start(shared: &Arc<Shared>) -> io::Result<()> {
    let (signals, listening) = signal::listen_to_quit()?;
    let runtime = Arc::downgrade(shared);
    let print_each = move || {
        while signals.recv_blocking().is_ok() {
            // One that came just before the end.
            let Some(shared) = runtime.upgrade().filter(|shared| !shared.has_ended()) else { return };
            // A full disk or a closed descriptor costs the dump, not the program.
            let _ = write!(io::stderr(), "{}", shared.dump());
        }
    };
    thread::start("pirn-quit".into(), None, print_each)?;
    shared.listens_to_quit(listening);
    Ok(())
}
