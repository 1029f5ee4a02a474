//! Ways in: waiting, on a thread, for a future; and blocking, in a task, on purpose.

use crate::global;
use crate::sched::handoff;

/// Runs `future` on this thread until it is ready, and returns its output.
///
/// Legal anywhere. On a plain thread the future joins the current runtime, else the global one: what it
/// spawns runs there. The future itself is polled here, needs not be `Send`, and is no task. Inside a task
/// the processor is handed off first, so that other tasks go on; the thread blocks. A future that waits
/// for its own outer task to go on waits for ever.
///
/// # Panics
/// With the future's own panic. If the global runtime is needed and cannot start.
///
/// ```
/// assert_eq!(pirn::block_on(async { 6 * 7 }), 42);
/// ```
#[track_caller]
pub fn block_on<F: Future>(future: F) -> F::Output {
    handoff::block_on(&global::current_or_global(), future)
}

/// Runs `f`, which may block, in place: inside a task the processor is given away for as long as `f` runs,
/// so other tasks go on. Outside a runtime it is a plain call.
///
/// Cheaper than [`spawn_blocking`](crate::spawn_blocking) if `f` borrows or is short, but the task's other
/// branches (of a `select!`, say) stand still meanwhile.
///
/// ```
/// # pirn::block_on(async {
/// let size = pirn::spawn(async {
///     pirn::block_in_place(|| std::fs::metadata(".").map(|m| m.len()))
/// });
/// assert!(size.await.unwrap().is_ok());
/// # });
/// ```
pub fn block_in_place<F: FnOnce() -> R, R>(f: F) -> R {
    handoff::block_in_place(f)
}
