//! Tests of one thread's stock. Each runs on a thread of its own, whose stock is empty.

use super::*;
use std::thread;

/// How many blocks of a class the stock of this thread has.
fn kept(class: usize) -> usize {
    STOCK.with(|stock| {
        let (mut count, mut at) = (0, stock.lists[class].get());
        while let Some(block) = at {
            count += 1;
            // SAFETY: B1.
            at = unsafe { block.as_ref() }.next;
        }
        count
    })
}

fn bytes() -> usize {
    STOCK.with(|stock| stock.bytes.get())
}

fn take_and_give_back<T>(count: usize) {
    let blocks: Vec<NonNull<T>> = (0..count).map(|_| take()).collect();
    // SAFETY: just taken, as this type.
    blocks.into_iter().for_each(|block| unsafe { give_back(block) });
}

fn on_a_thread(test: impl FnOnce() + Send + 'static) {
    thread::spawn(test).join().expect("the test passes");
}

#[test]
fn what_was_given_back_last_is_taken_first() {
    on_a_thread(|| {
        let (one, other) = (take::<[u64; 11]>(), take::<[u64; 11]>());
        // SAFETY: just taken, as this type.
        unsafe {
            give_back(one);
            give_back(other);
        }
        // Another type of the same class.
        assert_eq!((take::<[u8; 75]>().cast(), take::<[u8; 88]>().cast()), (other, one));
        assert_eq!(bytes(), 0);
        // SAFETY: taken as these types.
        unsafe {
            give_back(other.cast::<[u8; 75]>());
            give_back(one.cast::<[u8; 88]>());
        }
    });
}

#[test]
fn what_is_large_or_aligned_is_not_kept() {
    #[repr(align(64))]
    struct Aligned(#[expect(dead_code, reason = "only its size counts")] [u8; 64]);
    on_a_thread(|| {
        take_and_give_back::<[u8; 505]>(3);
        take_and_give_back::<Aligned>(3);
        assert_eq!(bytes(), 0);
        take_and_give_back::<[u8; 504]>(3);
        assert_eq!((bytes(), kept(CLASSES - 1)), (3 * 504, 3));
    });
}

#[test]
fn a_burst_leaves_no_more_than_a_bound() {
    on_a_thread(|| {
        take_and_give_back::<[u8; 100]>(100_000);
        assert!(bytes() <= MOST && bytes() > MOST - 104);
        assert_eq!(kept(6) * 104, bytes());
    });
}

#[test]
fn what_is_needed_now_drives_out_what_was_needed_once() {
    on_a_thread(|| {
        take_and_give_back::<[u8; 16]>(100_000);
        for _ in 0..2_000 {
            take_and_give_back::<[u8; 500]>(40);
        }
        assert_eq!(kept(31), 40);
        take_and_give_back::<[u8; 500]>(100_000);
        assert_eq!((kept(1), kept(31)), (0, MOST / 504));
    });
}

#[test]
fn two_threads_have_two_stocks_and_a_block_may_change_sides() {
    on_a_thread(|| {
        let block = take::<[u64; 3]>().as_ptr().expose_provenance();
        on_a_thread(move || {
            let block = NonNull::new(std::ptr::with_exposed_provenance_mut::<[u64; 3]>(block));
            // SAFETY: taken as this type, by who has given it away.
            unsafe { give_back(block.expect("it is no null")) };
            assert_eq!(kept(1), 1);
        });
        assert_eq!(kept(1), 0);
    });
}
