//! How much memory is in use: the allocator counts what it hands out.
//!
//! `--maxmemory` is a promise about the process, so what counts is everything: keys and values, but also tables that
//! have grown, messages that wait for slow subscribers, requests of which half has arrived. Adding that up in each
//! command would be guesswork, spread over the program. The allocator sees every byte come and go; it only has to
//! count, which costs one atomic addition per call. (Redis does the same.)
//!
//! The count is of bytes handed out, with the few that the allocator keeps beside each block. What has been freed and
//! not given back to the kernel is not in it. So there must not be much of that: [`give_back_large_blocks`].
//!
//! What grows by becoming twice as large could go far beyond a bound in one step. So it asks before it grows, and the
//! allocator answers, who alone knows how much a step takes: [`within`].

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::ptr;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Bytes in use. `Relaxed`: it is a sum, and orders nothing.
static USED: AtomicUsize = AtomicUsize::new(0);

/// What a block costs beside its content.
const OVERHEAD: usize = 8;

/// How many bytes are in use.
pub(crate) fn used() -> usize {
    USED.load(Relaxed)
}

thread_local! {
    /// How many bytes may be in use when this thread is given more.
    static MOST: Cell<usize> = const { Cell::new(usize::MAX) };
}

/// Calls `grow`, which gets no memory beyond `bound`, if there is one: for `try_reserve` and its like, which survive
/// that and say so.
pub(crate) fn within<R>(bound: Option<usize>, grow: impl FnOnce() -> R) -> R {
    MOST.set(bound.unwrap_or(usize::MAX));
    let result = grow();
    MOST.set(usize::MAX);
    result
}

/// Whether so many bytes more are too many for this thread.
fn is_too_much(more: usize) -> bool {
    let most = MOST.get();
    most != usize::MAX && used().saturating_add(more) > most
}

/// From which length on a block goes back to the kernel as soon as it is freed.
#[cfg(target_env = "gnu")]
const LARGE: libc::c_int = 4 << 20;

/// Has glibc give large blocks back to the kernel, and keep little of what is free. Called once, before there are
/// threads.
///
/// At first it does so by itself, and then unlearns it: with each block of its own pages that is freed, blocks up to
/// that size (32 MiB at most) come from heaps from then on, and each heap keeps twice as much at its end. Every thread
/// has heaps. Replies of many megabytes, built by whichever thread, leave holes in all of them, and the process grows
/// to many times what is in use. To set the two thresholds ends the learning. They are not lower, since a block that
/// comes fresh from the kernel costs a fault for each of its pages: three times as much as to fill it.
pub(crate) fn give_back_large_blocks() {
    #[cfg(target_env = "gnu")]
    for (setting, value) in [(libc::M_MMAP_THRESHOLD, LARGE), (libc::M_TRIM_THRESHOLD, 2 * LARGE)] {
        // SAFETY: it takes two numbers, and changes nothing but how blocks are handed out from now on.
        let is_set = unsafe { libc::mallopt(setting, value) } == 1;
        debug_assert!(is_set, "glibc takes thresholds up to 32 MiB");
    }
}

struct Counting;

// SAFETY: every call goes to `System` with the arguments as they came, or fails; counting touches no block.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if is_too_much(layout.size() + OVERHEAD) {
            return ptr::null_mut();
        }
        USED.fetch_add(layout.size() + OVERHEAD, Relaxed);
        // SAFETY: the caller's promises about `layout` are the ones `System` asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if is_too_much(layout.size() + OVERHEAD) {
            return ptr::null_mut();
        }
        USED.fetch_add(layout.size() + OVERHEAD, Relaxed);
        // SAFETY: as in `alloc`.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        USED.fetch_sub(layout.size() + OVERHEAD, Relaxed);
        // SAFETY: the block came from `System` by the functions here, with this layout.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if is_too_much(size.saturating_sub(layout.size())) {
            return ptr::null_mut();
        }
        // Wrapping is meant: a block that shrinks adds a negative number.
        USED.fetch_add(size.wrapping_sub(layout.size()), Relaxed);
        // SAFETY: as in `dealloc`; the caller's promises about `size` are the ones `System` asks for.
        unsafe { System.realloc(block, layout, size) }
    }
}

/// Half of the machine's memory, if the kernel tells how much that is: the default bound.
pub(crate) fn half_of_the_machine() -> Option<usize> {
    told("/proc/meminfo", "MemTotal:").map(|bytes| bytes / 2)
}

/// How much of the process is in the machine's memory, if the kernel tells: what is in use, and what the allocator
/// keeps.
pub(crate) fn resident() -> Option<usize> {
    told("/proc/self/status", "VmRSS:")
}

/// One of the sizes that the kernel tells in a file, in bytes.
fn told(file: &str, name: &str) -> Option<usize> {
    let text = std::fs::read_to_string(file).ok()?;
    let size = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kib: usize = size.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::{half_of_the_machine, resident, used, within};

    #[test]
    fn a_block_is_counted_while_it_lives() {
        const SIZE: usize = 64 << 20;
        let before = used();
        let mut block = Vec::<u8>::with_capacity(SIZE);
        // Other tests allocate meanwhile, but nothing like this.
        assert!(used() > before + SIZE / 2);
        block.reserve_exact(2 * SIZE);
        assert!(used() > before + SIZE * 3 / 2);
        block.shrink_to(SIZE);
        assert!(used() < before + SIZE * 3 / 2);
        drop(block);
        assert!(used() < before + SIZE / 2);
    }

    #[test]
    fn nothing_grows_beyond_a_bound_that_it_asks_for() {
        const SIZE: usize = 256 << 20;
        let mut block = vec![0_u8; 1000];
        assert!(within(Some(used() + SIZE), || block.try_reserve_exact(2 * SIZE)).is_err());
        assert!(within(Some(used() + SIZE), || Vec::<u8>::new().try_reserve_exact(2 * SIZE)).is_err());
        assert!(within(Some(used() + SIZE), || block.try_reserve_exact(1 << 20)).is_ok());
        assert!(within(None, || block.try_reserve_exact(2 * SIZE)).is_ok());
        assert_eq!(block.len(), 1000);
    }

    #[test]
    fn the_machine_has_memory() {
        assert!(half_of_the_machine().is_some_and(|bytes| bytes > 1 << 20));
        assert!(resident().is_some_and(|bytes| bytes > 1 << 18));
    }
}
