//! What another thread of the process does: computes, waits for a core, or is blocked in the kernel.
//!
//! Its CPU clock tells cheaply whether it computes. One that stands still is blocked or waits for a core
//! that others use; lending a processor helps in the first case and hurts in the second, so then, and only
//! then, the kernel is asked for the thread's state.
//!
//! How long threads have waited for cores is added up apart from what they do just now: whether there are more of them
//! than cores is not a matter of a moment.

use std::fs::File;
use std::io::Read;
use std::time::Duration;

/// The current thread, for [`used`] and [`wants_a_core`].
pub(super) fn this_thread() -> i32 {
    // SAFETY: the call takes nothing and cannot fail.
    unsafe { libc::gettid() }
}

/// The CPU clock of a thread, as Linux encodes it: `pthread_getcpuclockid` gives the same, but only for a
/// `pthread_t`, which another thread may not use once it has ended.
fn clock_of(thread: i32) -> libc::clockid_t {
    const PER_THREAD: i32 = 4;
    const SCHEDULED: i32 = 2;
    (!thread << 3) | PER_THREAD | SCHEDULED
}

/// Whether the thread is runnable, though it may not have a core. False if the kernel does not tell.
pub(super) fn wants_a_core(thread: i32) -> bool {
    // "tid (name) state …": the name may hold anything, so the state is what follows the last parenthesis.
    let is_runnable = |stat: &[u8]| {
        let end_of_name = stat.windows(2).rposition(|pair| pair == b") ")?;
        Some(stat[end_of_name + 2..].starts_with(b"R"))
    };
    read(thread, "stat", is_runnable).unwrap_or(false)
}

/// What `parse` makes of the beginning of one of the kernel's files about a thread. Sysmon does this all the time, so it
/// allocates nothing but the path, and reads with one call: the kernel makes up such a file in whole.
fn read<R>(thread: i32, file: &str, parse: impl FnOnce(&[u8]) -> Option<R>) -> Option<R> {
    let mut content = [0; 512];
    let length = File::open(format!("/proc/self/task/{thread}/{file}")).ok()?.read(&mut content).ok()?;
    parse(&content[..length])
}

/// The CPU time that the thread has used; `None` if it has ended.
pub(super) fn used(thread: i32) -> Option<Duration> {
    if thread == 0 {
        return None;
    }
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is room for the answer; a thread that is no more gives an error.
    let got = unsafe { libc::clock_gettime(clock_of(thread), &raw mut time) };
    (got == 0).then(|| Duration::new(time.tv_sec as u64, time.tv_nsec as u32))
}

/// How long threads have waited for a core though they were ready to run: those that were [seen](Self::see) lately.
#[derive(Debug)]
pub(super) struct Waits {
    threads: Vec<Seen>,
    total: Duration,
}

#[derive(Debug)]
struct Seen {
    thread: i32,
    /// As the kernel had counted at the last look.
    waited: Duration,
    /// Looks since it was seen, or had waited.
    ago: u32,
}

impl Waits {
    /// A thread that nobody sees and that does not wait is forgotten after so many looks.
    const FORGOTTEN: u32 = 8;

    /// `None` if the kernel does not tell.
    pub(super) fn new() -> Option<Self> {
        waited(this_thread())?;
        Some(Self { threads: Vec::new(), total: Duration::ZERO })
    }

    /// Counts the thread from now on, until it is forgotten.
    pub(super) fn see(&mut self, thread: i32) {
        if let Some(seen) = self.threads.iter_mut().find(|seen| seen.thread == thread) {
            seen.ago = 0;
        } else if thread != 0 {
            self.threads.extend(waited(thread).map(|waited| Seen { thread, waited, ago: 0 }));
        }
    }

    /// All that was waited so far. (The kernel counts a wait when it is over.)
    pub(super) fn total(&mut self) -> Duration {
        self.threads.retain_mut(|seen| {
            let Some(now) = waited(seen.thread) else { return false };
            let more = now.saturating_sub(seen.waited);
            self.total += more;
            *seen =
                Seen { thread: seen.thread, waited: now, ago: if more.is_zero() { seen.ago + 1 } else { 0 } };
            seen.ago <= Self::FORGOTTEN
        });
        self.total
    }
}

/// How long the thread has ever waited for a core; `None` if it has ended, or the kernel does not tell.
fn waited(thread: i32) -> Option<Duration> {
    // "time on a core, time waited for one, slices", in nanoseconds.
    let waited = |stat: &[u8]| str::from_utf8(stat).ok()?.split(' ').nth(1)?.parse().ok();
    read(thread, "schedstat", waited).map(Duration::from_nanos)
}

#[cfg(all(test, not(loom)))]
mod tests;
