//! The runtime that starts by itself: the one that serves whoever is in no other.

use crate::sched::{Count, Shared, current};
use crate::{Builder, JoinHandle};
use parking_lot::Mutex;
use std::fmt;
use std::panic::Location;
use std::sync::{Arc, OnceLock};

static GLOBAL: OnceLock<Arc<Shared>> = OnceLock::new();
static CONFIGURATION: Mutex<Configuration> = Mutex::new(Configuration::Open(None));

/// What [`Builder::install_global`] leaves for the first use.
enum Configuration {
    Open(Option<Builder>),
    /// The first use has come: it is too late.
    Used,
}

/// The global runtime, started now if nobody has used it before. It is never shut down.
///
/// # Panics
/// If the system refuses the descriptors or the first thread; a later use tries again.
pub(crate) fn shared() -> Arc<Shared> {
    GLOBAL.get_or_init(start).clone()
}

fn start() -> Arc<Shared> {
    let mut configuration = CONFIGURATION.lock();
    let builder = match &*configuration {
        Configuration::Open(builder) => builder.clone().unwrap_or_default(),
        Configuration::Used => Builder::default(),
    };
    match builder.build_shared() {
        Ok(shared) => {
            *configuration = Configuration::Used;
            shared
        }
        Err(error) => panic!("the global runtime could not start: {error}"),
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
pub(crate) fn install(builder: Builder) -> Result<(), GlobalAlreadyStarted> {
    match &mut *CONFIGURATION.lock() {
        Configuration::Open(slot @ None) => {
            *slot = Some(builder);
            Ok(())
        }
        Configuration::Open(Some(_)) | Configuration::Used => Err(GlobalAlreadyStarted),
    }
}

/// The runtime of this thread, else the global one.
pub(crate) fn current_or_global() -> Count {
    current::shared().unwrap_or_else(|| Count::new(shared()))
}

/// Spawns a task there.
#[inline]
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
