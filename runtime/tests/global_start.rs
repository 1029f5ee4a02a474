//! The global runtime at its start: what it refuses to be, and what those are told who find that it cannot start. In a file
//! of its own, since a process has only one.

mod common;

use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;
use std::sync::{Arc, Mutex};

use common::within;
use pirn::{Builder, GlobalAlreadyStarted, Handle, block_on, spawn, spawn_blocking};

#[test]
fn what_no_runtime_can_be_is_refused_where_it_is_asked_for() {
    within(60, || {
        let refused =
            [Builder::new().procs(0), Builder::new().procs(usize::MAX), Builder::new().thread_name("a\0b")];
        for refused in refused {
            let (built, installed) = (refused.clone().build(), refused.install_global());
            let (built, installed) = (built.err().unwrap(), installed.unwrap_err());
            assert_eq!(installed.kind(), ErrorKind::InvalidInput);
            assert_eq!(installed.to_string(), built.to_string());
        }

        // And nothing is configured then.
        Builder::new().procs(3).install_global().unwrap();
        let second = Builder::new().procs(2).install_global().unwrap_err();
        assert_eq!(second.kind(), ErrorKind::AlreadyExists);
        assert!(second.get_ref().is_some_and(|inner| inner.is::<GlobalAlreadyStarted>()), "{second}");
        assert_eq!(block_on(async { pirn::procs() }), 3);
    });
}

#[test]
#[ignore = "a child of the test below: its global runtime cannot start"]
fn child_without_a_global_runtime() {
    let said = Arc::new(Mutex::new(Vec::new()));
    let log = said.clone();
    std::panic::set_hook(Box::new(move |info| {
        log.lock().unwrap().push((info.location().unwrap().file().to_owned(), info.to_string()));
    }));
    let uses: [fn(); 8] = [
        || block_on(async {}),
        || drop(spawn(async {})),
        || drop(spawn_blocking(|| ())),
        || drop(pirn::task::Builder::new().spawn(async {})),
        || drop(pirn::task::Builder::new().spawn_blocking(|| ())),
        || drop(Handle::current()),
        || _ = pirn::procs(),
        || _ = pirn::set_procs(1),
    ];
    let panicked = uses.map(|uses| catch_unwind(AssertUnwindSafe(uses)).is_err());
    drop(std::panic::take_hook());
    assert_eq!(panicked, [true; 8]);
    let said = said.lock().unwrap();
    assert_eq!(said.len(), panicked.len());
    for (file, message) in &*said {
        assert!(file.ends_with(file!()), "{message}");
        assert!(message.contains("the global runtime cannot start: PIRN_PROCS must be"), "{message}");
    }
}

#[test]
fn who_needs_a_global_runtime_that_cannot_start_is_told_why_at_the_place_of_the_call() {
    within(60, || {
        let mut child = Command::new(std::env::current_exe().unwrap());
        child.args(["--exact", "child_without_a_global_runtime", "--ignored", "--nocapture"]);
        let ended = child.env("PIRN_PROCS", "many").output().unwrap();
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    });
}
