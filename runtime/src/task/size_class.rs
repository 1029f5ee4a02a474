//! The sizes that blocks of tasks come in.
//!
//! Up to half a KiB there is a class every 8 bytes: what a million tasks of a kind do not need is not taken for them.
//! Above that there are eight to each doubling, so that an eighth is lost at most. What is larger than the largest, or more
//! strictly aligned, has no class.

use std::alloc::Layout;

/// The alignment of what is a multiple of it. Other sizes are aligned to [`STEP`].
pub(super) const ALIGNMENT: usize = 16;
pub(super) const CLASSES: usize = FINE + DOUBLINGS * PER_DOUBLING;

const STEP: usize = 8;
/// So many classes are one step apart.
const FINE: usize = 64;
const DOUBLINGS: usize = 4;
const PER_DOUBLING: usize = 8;

/// The class of a layout. Both are known when the program is compiled.
#[inline]
pub(super) const fn class_of(layout: Layout) -> Option<usize> {
    let size = layout.size();
    if size == 0 || size > size_of_class(CLASSES - 1) || layout.align() > ALIGNMENT {
        return None;
    }
    if size <= FINE * STEP {
        return Some(size.div_ceil(STEP) - 1);
    }
    let doubling = ((size - 1) / (FINE * STEP)).ilog2() as usize;
    let (base, step) = ((FINE * STEP) << doubling, (FINE * STEP / PER_DOUBLING) << doubling);
    Some(FINE + doubling * PER_DOUBLING + (size - 1 - base) / step)
}

/// How much a block of the class holds.
#[inline]
pub(super) const fn size_of_class(class: usize) -> usize {
    if class < FINE {
        return (class + 1) * STEP;
    }
    let (doubling, steps) = ((class - FINE) / PER_DOUBLING, (class - FINE) % PER_DOUBLING + 1);
    ((FINE * STEP) << doubling) + steps * ((FINE * STEP / PER_DOUBLING) << doubling)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn every_size_has_the_smallest_class_that_holds_it() {
        for size in 1..=size_of_class(CLASSES - 1) {
            let align = if size % ALIGNMENT == 0 { ALIGNMENT } else { STEP };
            let class = class_of(Layout::from_size_align(size, align).unwrap()).unwrap();
            assert!(size_of_class(class) >= size, "{size}");
            assert!(class == 0 || size_of_class(class - 1) < size, "{size}");
            assert_eq!(size_of_class(class) % align, 0, "{size}: its neighbour is aligned as well");
        }
    }

    #[test]
    fn what_is_large_or_strictly_aligned_has_no_class() {
        let largest = size_of_class(CLASSES - 1);
        assert_eq!(class_of(Layout::from_size_align(largest, 8).unwrap()), Some(CLASSES - 1));
        assert_eq!(class_of(Layout::from_size_align(largest + 1, 8).unwrap()), None);
        assert_eq!(class_of(Layout::from_size_align(64, 32).unwrap()), None);
    }
}
