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
        list = unsafe { block.as_ref() }.next.get();
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

fn class<T>() -> usize {
    class_of(Layout::new::<T>()).expect("it is small")
}

/// A full bundle.
fn bundle(class: usize) -> NonNull<Free> {
    let (mut list, mut count) = (None, 0);
    while count < bundle_of(class) {
        let mut block = Some(spans().take(class).first);
        while let Some(first) = block
            && count < bundle_of(class)
        {
            // SAFETY: B1.
            block = unsafe { first.as_ref() }.next.replace(list);
            list = Some(first);
            count += 1;
        }
        // SAFETY: B1, B2.
        unsafe { release(block, class) };
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
            assert_eq!(count(Some(bundle)), bundle_of(class));
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
        let before = kept(59);
        // SAFETY: just taken, as this type.
        unsafe {
            give_back(one);
            give_back(other);
        }
        // Another type of the same class.
        assert_eq!((take::<[u8; 475]>().cast(), take::<[u8; 480]>().cast()), (other, one));
        assert_eq!(kept(59), before);
        // SAFETY: taken as these types.
        unsafe {
            give_back(other.cast::<[u8; 475]>());
            give_back(one.cast::<[u8; 480]>());
        }
    });
}

#[test]
fn what_is_large_or_aligned_is_not_kept() {
    #[repr(align(64))]
    struct Aligned(#[expect(dead_code, reason = "only its size counts")] [u8; 64]);
    on_a_thread(|| {
        take_and_give_back::<[u8; 8193]>(3);
        take_and_give_back::<Aligned>(3);
        assert!((0..CLASSES).all(|class| kept(class) == (0, 0)));
        take_and_give_back::<[u8; 8192]>(1);
        assert_ne!(kept(CLASSES - 1), (0, 0));
    });
}

#[test]
fn a_thread_keeps_two_bundles_of_a_class_at_most() {
    on_a_thread(|| {
        let full = bundle_of(class::<[u8; 450]>());
        take_and_give_back::<[u8; 450]>(10 * full);
        let (open, bundle) = kept(class::<[u8; 450]>());
        assert!(open <= full && bundle == full, "{open} and {bundle}");
        assert!(DEPOT.shelves.lock().bytes <= Depot::room());
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
    let bytes = |depot: &Depot| depot.shelves.lock().bytes;
    let bundles_of = |class, bytes| bytes / (bundle_of(class) * size_of_class(class));
    // SAFETY: new bundles of this class.
    let fill = |class, bundles| (0..bundles).for_each(|_| unsafe { depot.keep(bundle(class), class) });
    fill(2, 2 * bundles_of(2, LEAST_ROOM));
    assert!(bytes(&depot) <= Depot::room());
    fill(62, bundles_of(62, LEAST_ROOM / 2));
    assert_eq!(bundles(&depot, 62), bundles_of(62, LEAST_ROOM / 2));
    fill(62, 2 * bundles_of(62, Depot::room()));
    assert_eq!(bundles(&depot, 2), 0);
    assert!(bytes(&depot) <= Depot::room());
    empty(&depot);
}

#[test]
fn what_nobody_has_needed_goes_back_and_the_working_set_stays() {
    let depot = Depot::new();
    // SAFETY: new bundles of this class.
    let fill = |bundles| (0..bundles).for_each(|_| unsafe { depot.keep(bundle(3), 3) });
    fill(10);
    depot.trim();
    assert_eq!(bundles(&depot, 3), 10, "they have just come");
    let taken: Vec<_> = (0..4).map(|_| depot.take(3).unwrap()).collect();
    // SAFETY: they are on no list.
    taken.into_iter().for_each(|bundle| unsafe { depot.keep(bundle, 3) });
    depot.trim();
    assert_eq!(bundles(&depot, 3), 4, "six were not needed");
    depot.trim();
    assert_eq!(bundles(&depot, 3), 0);
    fill(TRIM + 5);
    depot.trim();
    depot.trim();
    assert_eq!(bundles(&depot, 3), 5, "no more than so many at once");
    empty(&depot);
}

/// Tasks that one thread starts and another one ends: their blocks come back.
#[test]
fn blocks_come_back_from_the_thread_that_ends_what_another_has_started() {
    let _trimmed = Trimmer::new();
    on_a_thread(|| {
        let full = bundle_of(class::<[u8; 470]>());
        let first: Vec<_> = (0..8 * full).map(|_| take::<[u8; 470]>().as_ptr().expose_provenance()).collect();
        let given = first.clone();
        on_a_thread(move || {
            for block in given {
                let block = NonNull::new(std::ptr::with_exposed_provenance_mut::<[u8; 470]>(block));
                // SAFETY: taken as this type, by who has given it away.
                unsafe { give_back(block.expect("it is no null")) };
            }
        });
        let (left, _) = kept(class::<[u8; 470]>());
        let second: Vec<NonNull<[u8; 470]>> = (0..left + 4 * full).map(|_| take()).collect();
        let come_back = second.iter().filter(|block| first.contains(&block.as_ptr().addr())).count();
        assert_eq!(come_back, 4 * full);
        // SAFETY: just taken, as this type.
        second.into_iter().for_each(|block| unsafe { give_back(block) });
    });
}
