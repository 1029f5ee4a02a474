//! The global runtime, shut down by a panic that nobody joins. In a file of its own, since a process has only one.

mod common;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use common::{eventually, within};
use pirn::{Builder, Handle, UnhandledPanic, block_on, spawn, time};

#[test]
fn who_sets_a_timer_after_the_global_runtime_has_gone_is_told() {
    within(60, || {
        Builder::new().procs(1).on_unhandled_panic(UnhandledPanic::Shutdown).install_global().unwrap();
        drop(spawn(async { panic!("nobody listens") }));
        eventually(|| Handle::current().metrics().threads == 0);

        let sets: [fn(); 2] = [
            || block_on(time::sleep(Duration::from_millis(5))),
            || drop(time::after(Duration::from_millis(5))),
        ];
        for set in sets {
            let panic = catch_unwind(AssertUnwindSafe(set)).expect_err("nobody would wake it");
            let message = panic.downcast_ref::<&str>().copied().unwrap_or_default();
            assert!(message.contains("UnhandledPanic::Shutdown"), "{message}");
        }
        assert!(block_on(spawn(async {})).unwrap_err().is_cancelled());

        let own = Builder::new().procs(1).build().unwrap();
        own.block_on(time::sleep(Duration::from_millis(5)));
    });
}
