//! Memory for the [spans](super::spans) from the system itself, in aligned pieces.
//!
//! The allocator puts words of its own before what it aligns, on a page that a span has no other use for: one more for each.
//! What it gets back in the midst of other spans it keeps. And it may be the program's own, and spawn.
//!
//! The system puts a mapping right below the one before, so behind one that is aligned the next, if it is as large, is
//! aligned as well: most pieces take one call.

use std::alloc::{Layout, handle_alloc_error};
use std::ptr::NonNull;

/// Memory that begins at a multiple of its size, which is a power of two and at least a page. What is not touched costs
/// nothing but addresses.
pub(super) fn map(size: usize) -> NonNull<u8> {
    let layout = Layout::from_size_align(size, size).expect("the size is a power of two");
    system::map(layout).unwrap_or_else(|| handle_alloc_error(layout))
}

/// Gives it back.
///
/// # Safety
/// It was mapped with this size, and nobody uses it any more.
pub(super) unsafe fn unmap(at: NonNull<u8>, size: usize) {
    // SAFETY: the caller's promise.
    unsafe { system::unmap(at, size) };
}

#[cfg(not(any(loom, miri, sanitized)))]
mod system {
    use super::{Layout, NonNull};

    pub(super) fn map(layout: Layout) -> Option<NonNull<u8>> {
        let size = layout.size();
        let at = anywhere(size)?;
        let misplaced = at.align_offset(size);
        if misplaced == 0 {
            return Some(at);
        }
        // SAFETY: nobody has been told of it, nor, below, of the ends of the larger piece: whole pages, as `size` is.
        unsafe {
            unmap(at, size);
            let larger = anywhere(2 * size)?;
            let before = larger.align_offset(size);
            let at = larger.add(before);
            unmap(at.add(size), size - before);
            if before > 0 {
                unmap(larger, before);
            }
            Some(at)
        }
    }

    fn anywhere(size: usize) -> Option<NonNull<u8>> {
        let (access, kind) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        // SAFETY: it replaces no mapping.
        let at = unsafe { libc::mmap(std::ptr::null_mut(), size, access, kind, -1, 0) };
        if at == libc::MAP_FAILED { None } else { NonNull::new(at.cast()) }
    }

    pub(super) unsafe fn unmap(at: NonNull<u8>, size: usize) {
        // SAFETY: the caller's promise.
        unsafe {
            if libc::munmap(at.as_ptr().cast(), size) != 0 {
                // To part a mapping makes one more, and the process has as many as it may. So only the addresses are lost.
                libc::madvise(at.as_ptr().cast(), size, libc::MADV_DONTNEED);
            }
        }
    }
}

/// Who watches memory knows what the allocator gives.
#[cfg(any(loom, miri, sanitized))]
mod system {
    use super::{Layout, NonNull};

    pub(super) fn map(layout: Layout) -> Option<NonNull<u8>> {
        // SAFETY: its size is not zero.
        NonNull::new(unsafe { std::alloc::alloc(layout) })
    }

    pub(super) unsafe fn unmap(at: NonNull<u8>, size: usize) {
        let layout = Layout::from_size_align(size, size).expect("it was mapped with it");
        // SAFETY: the caller's promise.
        unsafe { std::alloc::dealloc(at.as_ptr(), layout) };
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_aligned_and_apart() {
        const SIZE: usize = 1 << 18;
        let mut pieces: Vec<_> = (0..9).map(|_| map(SIZE)).collect();
        // Every second one first: what is mapped into the gaps is aligned all the same.
        let gaps: Vec<_> = (0..4).map(|index| pieces.remove(index)).collect();
        // SAFETY: just mapped.
        gaps.into_iter().for_each(|piece| unsafe { unmap(piece, SIZE) });
        pieces.extend((0..6).map(|_| map(SIZE)));
        pieces.push(map(SIZE / 2));
        pieces.extend((0..3).map(|_| map(SIZE)));
        for (index, piece) in pieces.iter().enumerate() {
            // SAFETY: the test's own, of at least so many bytes.
            unsafe { piece.write_bytes(index as u8, SIZE / 2) };
        }
        for (index, piece) in pieces.into_iter().enumerate() {
            let size = if index == 11 { SIZE / 2 } else { SIZE };
            assert_eq!(piece.addr().get() % size, 0);
            // SAFETY: it was mapped with this size, and is not used after that.
            unsafe {
                assert_eq!(piece.add(SIZE / 2 - 1).read(), index as u8);
                unmap(piece, size);
            }
        }
    }
}
