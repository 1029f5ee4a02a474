//! What happens to a panic that nobody will join.

use super::shared::Shared;
use crate::task::{JoinError, UnhandledTaskPanic};
use pirn_sync::unwind::{caught, drop_caught};
use std::fmt;
use std::io::{self, Write};
use std::panic::Location;
use std::sync::Arc;

/// What a runtime does about an *unhandled* panic: one in a task whose handle is gone, or goes unawaited.
///
/// In each case the panic is first reported on standard error, with the task's name and the place where it
/// was spawned.
///
/// ```
/// use std::sync::atomic::{AtomicUsize, Ordering};
/// use std::sync::Arc;
///
/// let seen = Arc::new(AtomicUsize::new(0));
/// let count = seen.clone();
/// let runtime = pirn::Builder::new()
///     .on_unhandled_panic(pirn::UnhandledPanic::Callback(Arc::new(move |panic| {
///         assert!(panic.error().is_panic());
///         count.fetch_add(1, Ordering::Relaxed);
///     })))
///     .build()?;
/// drop(runtime.spawn(async { panic!("nobody listens") }));
/// while seen.load(Ordering::Relaxed) == 0 {
///     std::thread::yield_now();
/// }
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Default)]
#[non_exhaustive]
pub enum UnhandledPanic {
    /// Go on.
    #[default]
    Report,
    /// Shut the runtime down, without waiting.
    ///
    /// If it is the global runtime, nothing replaces it: tasks that are spawned on it later are cancelled at once, input
    /// and output on it fail, and a sleep or timeout outside of any other runtime panics.
    Shutdown,
    /// Abort the process.
    Abort,
    /// Call this, on the thread where the panic became unhandled. A panic in it is ignored.
    Callback(Arc<dyn Fn(&PanicInfo) + Send + Sync>),
}

/// An unhandled panic, as a callback sees it.
pub struct PanicInfo {
    spawned_at: &'static Location<'static>,
    error: JoinError,
}

impl PanicInfo {
    /// Where the task was spawned.
    pub fn spawned_at(&self) -> &'static Location<'static> {
        self.spawned_at
    }

    /// What a joiner would have got: the task's id, its name, the panic's message.
    pub fn error(&self) -> &JoinError {
        &self.error
    }
}

impl Shared {
    pub(super) fn unhandled_panic(self: &Arc<Self>, panic: UnhandledTaskPanic) {
        let info = PanicInfo { spawned_at: panic.spawned_at, error: panic.error };
        // A full disk or a closed descriptor must not make it worse.
        let _ = writeln!(io::stderr(), "pirn: {info}");
        match &self.config.on_unhandled_panic {
            UnhandledPanic::Report => {}
            UnhandledPanic::Shutdown => self.shut_down_background(),
            UnhandledPanic::Abort => std::process::abort(),
            UnhandledPanic::Callback(callback) => caught(|| callback(&info)),
        }
        // The payload's destructor is the user's.
        drop_caught(info);
    }
}

impl fmt::Display for PanicInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; it was spawned at {} and nobody joins it", self.error, self.spawned_at)
    }
}

impl fmt::Debug for PanicInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PanicInfo").field("spawned_at", &self.spawned_at).field("error", &self.error).finish()
    }
}

impl fmt::Debug for UnhandledPanic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Report => "Report",
            Self::Shutdown => "Shutdown",
            Self::Abort => "Abort",
            Self::Callback(_) => "Callback(..)",
        })
    }
}
