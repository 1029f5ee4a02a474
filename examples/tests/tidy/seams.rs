//! The clock, the dice and the starting of threads are each asked in one place.
//!
//! A deterministic mode puts virtual time, a seed and its own threads into those places, and whoever goes around
//! them is out of its reach. (The other two seams, what runs next and the poller, are types: rustc keeps those.)

use crate::Finding;
use crate::source::Source;

/// What only the file named beside it may say.
const SEAMS: [(&str, &str); 11] = [
    ("Instant::now", "sync/src/clock.rs"),
    ("SystemTime::now", "sync/src/clock.rs"),
    (".elapsed()", "sync/src/clock.rs"),
    // How long a thread has computed, which is not what time it is.
    ("clock_gettime", "runtime/src/sched/thread_state.rs"),
    ("RandomState", "sync/src/random.rs"),
    ("rand::", "sync/src/random.rs"),
    ("getrandom", "sync/src/random.rs"),
    ("thread::spawn", "runtime/src/thread.rs"),
    ("thread::Builder", "runtime/src/thread.rs"),
    ("thread::scope", "runtime/src/thread.rs"),
    ("pthread_create", "runtime/src/thread.rs"),
];

pub(crate) fn check(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, line) in source.shipped() {
        for (said, seam) in SEAMS {
            if line.code.contains(said) && source.path != seam {
                findings.push(source.finding(index, &format!("`{said}` belongs into {seam}; ask there")));
            }
        }
    }
    findings
}

#[test]
fn a_second_clock_is_found() {
    let text = "//! A thing.\nfn f() { let now = Instant::now(); } // Instant::now\n";
    assert_eq!(check(&Source::new("sync/src/x.rs", text)).len(), 1);
    assert!(check(&Source::new("sync/src/clock.rs", text)).is_empty());
}

#[test]
fn a_thread_started_by_hand_is_found() {
    let text = "//! A thing.\nfn f() { std::thread::spawn(g); }\n";
    assert_eq!(check(&Source::new("runtime/src/x.rs", text)).len(), 1);
}
