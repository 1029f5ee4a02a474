//! Contexts under other executors: everything but deadlines needs no runtime of ours.

use std::time::Duration;

use pirn::{Context, ContextError};

use crate::support::in_time;

/// A tree that is used and cancelled by tasks of whoever polls it.
async fn use_a_tree(spawned: impl Future<Output = ContextError>, root: Context, cancel: pirn::CancelFunc) {
    let (child, _cancel_child) = root.with_value("value").with_cancel();
    let waits = async {
        child.done().await;
        assert_eq!(child.run(std::future::pending::<()>()).await, Err(ContextError::Canceled));
        assert_eq!(child.value(), Some(&"value"));
    };
    let cancels = async {
        futures_lite::future::yield_now().await;
        cancel.cancel_cause("done with it");
    };
    futures_lite::future::zip(waits, cancels).await;
    assert_eq!(root.cause().expect("ended").to_string(), "done with it");
    assert_eq!(spawned.await, ContextError::Canceled);
}

async fn until_the_end(ctx: Context) -> ContextError {
    ctx.done().await;
    ctx.err().expect("done means ended")
}

#[test]
fn a_context_works_under_tokio() {
    in_time(|| {
        let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().expect("a runtime");
        tokio.block_on(async {
            let (root, cancel) = Context::background().with_cancel();
            let task = tokio::spawn(until_the_end(root.clone()));
            use_a_tree(async { task.await.expect("no panic") }, root, cancel).await;
        });
    });
}

#[test]
fn a_context_works_under_smol() {
    in_time(|| {
        smol::block_on(async {
            let (root, cancel) = Context::background().with_cancel();
            use_a_tree(smol::spawn(until_the_end(root.clone())), root, cancel).await;
        });
    });
}

#[test]
fn a_context_works_between_plain_threads() {
    in_time(|| {
        let (ctx, cancel) = Context::background().with_cancel();
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let ctx = ctx.clone();
                std::thread::spawn(move || futures_lite::future::block_on(until_the_end(ctx)))
            })
            .collect();
        std::thread::sleep(Duration::from_millis(1));
        cancel.cancel();
        for thread in threads {
            assert_eq!(thread.join().expect("no panic"), ContextError::Canceled);
        }
    });
}
