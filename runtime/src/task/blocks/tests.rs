//! Tests of one thread's stock, each on a thread of its own, whose stock is empty, with classes that no task of the other
//! tests is of, since the depot is everybody's; and of a depot of the test's own.

use super::*;
use std::thread;

/// How many blocks a list has.
fn count(mut list: Link) -> usize {
    let mut count = 0;
    while let Some(block) = list {
        count += 1;
        // SAFETY: B1.
        list = unsafe { block.as_ref() }.next;
    }
    count
}

/// How many blocks of a class the stock of this thread has: in the open list, and in a bundle.
fn kept(class: usize) -> (usize, usize) {
    STOCK.with(|stock| {
        let kept = &stock.0[class];
        assert_eq!(count(kept.open.get()), kept.count.get());
        (kept.count.get(), count(kept.full.get()))
    })
}

fn take_and_give_back<T>(count: usize) {
    let blocks: Vec<NonNull<T>> = (0..count).map(|_| take()).collect();
    // SAFETY: just taken, as this type.
    blocks.into_iter().for_each(|block| unsafe { give_back(block) });
}

fn on_a_thread(test: impl FnOnce() + Send + 'static) {
    thread::spawn(test).join().expect("the test passes");
}

/// A bundle of new blocks.
fn bundle(class: usize) -> NonNull<Free> {
    let mut list = None;
    for _ in 0..BUNDLE {
        let block = ask_for(layout_of_class(class)).cast::<Free>();
        // SAFETY: new, and large enough.
        unsafe { block.write(Free { next: list, next_bundle: None }) };
        list = Some(block);
    }
    list.expect("a bundle is not empty")
}

/// How many bundles of a class there are.
fn bundles(depot: &Depot, class: usize) -> usize {
    depot.bundles[class].load(Relaxed)
}

fn empty(depot: &Depot) {
    for class in 0..CLASSES {
        while let Some(bundle) = depot.take(class) {
            assert_eq!(count(Some(bundle)), BUNDLE);
            // SAFETY: it is on no list any more.
            unsafe { release(Some(bundle), class) };
        }
    }
    assert_eq!(depot.shelves.lock().bytes, 0);
}

#[test]
fn what_was_given_back_last_is_taken_first() {
    on_a_thread(|| {
        let (one, other) = (take::<[u64; 60]>(), take::<[u64; 60]>());
        // SAFETY: just taken, as this type.
        unsafe {
            give_back(one);
            give_back(other);
        }
        // Another type of the same class.
        assert_eq!((take::<[u8; 475]>().cast(), take::<[u8; 488]>().cast()), (other, one));
        assert_eq!(kept(30), (0, 0));
        // SAFETY: taken as these types.
        unsafe {
            give_back(other.cast::<[u8; 475]>());
            give_back(one.cast::<[u8; 488]>());
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
        assert!((0..CLASSES).all(|class| kept(class) == (0, 0)));
        take_and_give_back::<[u8; 504]>(3);
        assert_eq!(kept(CLASSES - 1), (3, 0));
    });
}

#[test]
fn a_thread_keeps_two_bundles_of_a_class_at_most() {
    on_a_thread(|| {
        take_and_give_back::<[u8; 450]>(BUNDLE + 1);
        assert_eq!(kept(28), (1, BUNDLE));
        take_and_give_back::<[u8; 450]>(10 * BUNDLE);
        assert_eq!(kept(28), (BUNDLE, BUNDLE));
        assert!(DEPOT.shelves.lock().bytes <= MOST);
    });
}

#[test]
fn the_bundle_that_came_last_goes_first() {
    let depot = Depot::new();
    assert_eq!(depot.take(3), None);
    let (one, other) = (bundle(3), bundle(3));
    // SAFETY: new bundles of this class.
    unsafe {
        depot.keep(one, 3);
        depot.keep(other, 3);
    }
    assert_eq!((bundles(&depot, 3), depot.take(4)), (2, None));
    assert_eq!((depot.take(3), depot.take(3), depot.take(3)), (Some(other), Some(one), None));
    // SAFETY: they are on no list any more.
    unsafe {
        depot.keep(one, 3);
        depot.keep(other, 3);
    }
    empty(&depot);
}

#[test]
fn what_is_needed_now_drives_out_what_was_needed_once() {
    let depot = Depot::new();
    let room = |class| MOST / (BUNDLE * size_of_class(class));
    // SAFETY: new bundles of this class.
    let fill = |class, bundles| (0..bundles).for_each(|_| unsafe { depot.keep(bundle(class), class) });
    fill(1, 2 * room(1));
    assert_eq!(bundles(&depot, 1), room(1));
    fill(31, 10);
    assert_eq!(bundles(&depot, 31), 10);
    fill(31, room(31));
    assert_eq!((bundles(&depot, 1), bundles(&depot, 31)), (0, room(31)));
    empty(&depot);
}

/// Tasks that one thread starts and another one ends: their blocks come back.
#[test]
fn blocks_come_back_from_the_thread_that_ends_what_another_has_started() {
    on_a_thread(|| {
        let first: Vec<_> =
            (0..8 * BUNDLE).map(|_| take::<[u8; 470]>().as_ptr().expose_provenance()).collect();
        let given = first.clone();
        on_a_thread(move || {
            for block in given {
                let block = NonNull::new(std::ptr::with_exposed_provenance_mut::<[u8; 470]>(block));
                // SAFETY: taken as this type, by who has given it away.
                unsafe { give_back(block.expect("it is no null")) };
            }
        });
        let second: Vec<NonNull<[u8; 470]>> = (0..4 * BUNDLE).map(|_| take()).collect();
        let come_back = second.iter().filter(|block| first.contains(&block.as_ptr().addr())).count();
        assert_eq!(come_back, 4 * BUNDLE);
        // SAFETY: just taken, as this type.
        second.into_iter().for_each(|block| unsafe { give_back(block) });
    });
}
