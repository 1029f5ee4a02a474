//! The runtime that starts by itself: the one that serves whoever is in no other.

use crate::sched::{Count, Shared, current};
use crate::{Builder, JoinHandle};
use parking_lot::Mutex;
use std::io::{self, Write};
use std::panic::Location;
use std::sync::{Arc, OnceLock};
use std::{fmt, process};

static GLOBAL: OnceLock<Arc<Shared>> = OnceLock::new();
/// What [`Builder::install_global`] leaves for the first use. [`GLOBAL`] is set under its lock alone.
static CONFIGURATION: Mutex<Option<Builder>> = Mutex::new(None);

/// The global runtime, started now if nobody has used it before. It is never dropped.
///
/// # Panics
/// If the system refuses the descriptors or the first thread; a later use tries again.
#[track_caller]
pub(crate) fn shared() -> Arc<Shared> {
    match started() {
        Ok(shared) => shared,
        Err(error) => panic!("{error}"),
    }
}

fn started() -> Result<Arc<Shared>, GlobalCannotStart> {
    if let Some(shared) = GLOBAL.get() {
        return Ok(shared.clone());
    }
    let configuration = CONFIGURATION.lock();
    // Whoever had the lock before may have started it: then there is no second one, not even for a moment.
    if let Some(shared) = GLOBAL.get() {
        return Ok(shared.clone());
    }
    let builder = configuration.clone().unwrap_or_default();
    let shared = builder.build_shared().map_err(GlobalCannotStart)?;
    Ok(GLOBAL.get_or_init(|| shared).clone())
}

/// Starts the global runtime now, unless it runs already, rather than at its first use.
///
/// Whatever needs the global runtime starts it, and panics where it cannot be started. A program that would rather say
/// so in its own words calls this first. `#[pirn::main]` does so by itself: it ends the process with a line on standard
/// error and exit code 1.
///
/// # Errors
/// What stands in the way: those of [`Builder::build`]. A later call tries again.
///
/// ```
/// pirn::start_global()?;
/// assert_eq!(pirn::block_on(async { 6 * 7 }), 42);
/// # Ok::<(), pirn::GlobalCannotStart>(())
/// ```
pub fn start_global() -> Result<(), GlobalCannotStart> {
    started().map(drop)
}

/// What `#[pirn::main]` begins with: ends the process where its body would find no runtime.
#[doc(hidden)]
pub fn start_or_exit() {
    let started = if current::shared().is_some() { Ok(()) } else { start_global() };
    if let Err(error) = started {
        // A full disk or a closed descriptor costs the line; the exit code still tells.
        let _ = writeln!(io::stderr(), "pirn: {error}");
        process::exit(1);
    }
}

/// The global runtime cannot start; [`source`](std::error::Error::source) is the [`io::Error`] that says why.
#[derive(Debug)]
pub struct GlobalCannotStart(io::Error);

impl fmt::Display for GlobalCannotStart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the global runtime cannot start: {}", self.0)?;
        match self.0.raw_os_error() {
            Some(libc::EMFILE) => f.write_str("; `ulimit -n` raises how many descriptors there may be"),
            Some(libc::EAGAIN) => f.write_str("; `ulimit -u` raises how many threads there may be"),
            _ => Ok(()),
        }
    }
}

impl std::error::Error for GlobalCannotStart {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

/// The global runtime was used, or configured, before it was configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GlobalAlreadyStarted;

impl fmt::Display for GlobalAlreadyStarted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "the global runtime is configured or running already; call install_global once, at the top of main",
        )
    }
}

impl std::error::Error for GlobalAlreadyStarted {}

/// Configures the global runtime before its first use.
pub(crate) fn install(builder: Builder) -> io::Result<()> {
    let mut configuration = CONFIGURATION.lock();
    if configuration.is_some() || GLOBAL.get().is_some() {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, GlobalAlreadyStarted));
    }
    *configuration = Some(builder);
    Ok(())
}

/// The runtime of this thread, else the global one.
#[track_caller]
pub(crate) fn current_or_global() -> Count {
    match current::shared() {
        Some(count) => count,
        None => Count::new(shared()),
    }
}

/// Spawns a task there.
#[inline]
#[track_caller]
pub(crate) fn spawn<F>(
    future: F,
    name: Option<Arc<str>>,
    spawned_at: &'static Location<'static>,
) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    match current::shared() {
        Some(count) => Shared::spawn_here(count, future, name, spawned_at),
        None => shared().spawn(future, name, spawned_at),
    }
}
