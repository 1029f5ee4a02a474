//! `task_local!`: values that travel with a task.

use std::cell::RefCell;
use std::future::{Future, pending};
use std::pin::pin;
use std::sync::Mutex;
use std::sync::mpsc::{Sender, channel};
use std::task::{Context as Cx, Waker};

use crate::support::on_runtime;

pirn::task_local! {
    /// A number.
    static NUMBER: u32;
    static TEXT: String;
}
pirn::task_local!(static LAST: Vec<u8>);

#[test]
fn a_value_is_there_inside_its_scope_and_nowhere_else() {
    on_runtime(|| async {
        assert!(NUMBER.try_with(|_| ()).is_err());
        let inside = NUMBER.scope(7, async { (NUMBER.get(), NUMBER.with(|n| n + 1)) });
        assert!(NUMBER.try_with(|_| ()).is_err(), "not before it is polled");
        assert_eq!(inside.await, (7, 8));
        assert!(NUMBER.try_with(|_| ()).is_err());
        assert_eq!(LAST.sync_scope(vec![1], || LAST.get()), [1]);
    });
}

#[test]
fn a_value_moves_with_its_task_and_tasks_do_not_see_each_others() {
    on_runtime(|| async {
        let mut set = pirn::JoinSet::new();
        for n in 0..100 {
            set.spawn(NUMBER.scope(n, async move {
                for _ in 0..50 {
                    assert_eq!(NUMBER.get(), n);
                    pirn::yield_now().await;
                }
            }));
        }
        while let Some(result) = set.join_next().await {
            result.expect("each saw its own");
        }
    });
}

#[test]
fn scopes_nest_and_a_spawned_task_inherits_nothing() {
    on_runtime(|| async {
        NUMBER
            .scope(1, async {
                let text =
                    TEXT.scope("inner".to_owned(), NUMBER.scope(2, async { (NUMBER.get(), TEXT.get()) }));
                assert_eq!(text.await, (2, "inner".to_owned()));
                assert_eq!(NUMBER.get(), 1);
                let spawned = pirn::spawn(async { NUMBER.try_with(|_| ()).is_err() });
                assert!(spawned.await.expect("no panic"));
            })
            .await;
    });
}

#[test]
fn destructors_see_the_value() {
    static SEEN: Mutex<Vec<u32>> = Mutex::new(Vec::new());
    struct Look;
    impl Drop for Look {
        fn drop(&mut self) {
            SEEN.lock().expect("no panic").push(NUMBER.get());
        }
    }
    on_runtime(|| async {
        let look = Look;
        let ends = NUMBER.scope(1, async move { drop(look) });
        ends.await;
        // A future that keeps what it has when it is ready is dropped there and then.
        let look = Look;
        let mut ready = pin!(NUMBER.scope(
            3,
            std::future::poll_fn(move |_| {
                let _held = &look;
                std::task::Poll::Ready(())
            })
        ));
        assert!(ready.as_mut().poll(&mut Cx::from_waker(Waker::noop())).is_ready());
        assert_eq!(*SEEN.lock().expect("no panic"), [1, 3]);
        let look = Look;
        let mut dropped = Box::pin(NUMBER.scope(2, async move {
            let _look = look;
            pending::<()>().await;
        }));
        assert!(dropped.as_mut().poll(&mut Cx::from_waker(Waker::noop())).is_pending());
        drop(dropped);
        assert_eq!(*SEEN.lock().expect("no panic"), [1, 3, 2]);
    });
}

#[test]
fn a_panic_inside_a_scope_leaves_no_value_behind() {
    on_runtime(|| async {
        let panics = std::panic::catch_unwind(|| {
            let mut scope = pin!(NUMBER.scope(7, async { panic!("inside") }));
            let _: std::task::Poll<()> = scope.as_mut().poll(&mut Cx::from_waker(Waker::noop()));
        });
        assert!(panics.is_err());
        assert!(NUMBER.try_with(|_| ()).is_err());
    });
}

#[test]
fn misuse_says_what_to_do() {
    let panic = std::panic::catch_unwind(|| NUMBER.get()).expect_err("outside every scope");
    assert!(panic.downcast_ref::<String>().expect("a message").contains("KEY.scope(value, future)"));
    let inside = || NUMBER.sync_scope(1, || NUMBER.with(|_| NUMBER.sync_scope(2, || ())));
    let panic = std::panic::catch_unwind(inside).expect_err("a scope inside `with`");
    assert!(panic.downcast_ref::<&str>().expect("a message").contains("inside `with` of the same key"));
}

#[test]
fn a_scope_on_a_thread_that_has_dropped_its_locals_says_so() {
    struct Last(Sender<String>);
    impl Drop for Last {
        fn drop(&mut self) {
            let panic = std::panic::catch_unwind(|| TEXT.sync_scope(String::from("late"), || ()));
            let panic = panic.expect_err("there is nothing to hold the value");
            self.0.send(panic.downcast_ref::<&str>().expect("a message").to_string()).unwrap();
        }
    }
    thread_local!(static LAST: RefCell<Option<Last>> = const { RefCell::new(None) });
    let (sender, receiver) = channel();
    let ending = std::thread::spawn(|| {
        // What is made first is dropped last.
        LAST.set(Some(Last(sender)));
        TEXT.sync_scope(String::from("in time"), || assert_eq!(TEXT.get(), "in time"));
    });
    assert!(receiver.recv().unwrap().contains("has dropped its thread-locals"));
    ending.join().unwrap();
}

/// What the macro declares for itself must not be mistaken for it.
const VALUE: usize = 3;

pirn::task_local!(static ROOM: [u8; VALUE]);

#[test]
fn the_type_of_a_key_may_name_any_constant() {
    assert_eq!(ROOM.sync_scope([7; VALUE], || ROOM.get().len()), 3);
}
