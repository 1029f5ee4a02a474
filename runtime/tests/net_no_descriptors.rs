//! A process that forbids itself new descriptors for a while. In a file of its own, since the limit holds for the whole process.

#[path = "net/support.rs"]
mod support;

use std::time::{Duration, Instant};

use pirn::net::UnixStream;
use support::within_a_minute;

#[test]
fn with_a_limit_below_the_number_of_sets_the_network_is_heard_and_nothing_spins() {
    within_a_minute(|| {
        let runtime = pirn::Builder::new().procs(2).build().unwrap();
        // From outside they come to the sets in turn: no one set holds them all.
        let streams: Vec<_> =
            runtime.block_on(async { (0..4).map(|_| UnixStream::pair().unwrap()).collect() });
        let usual = limit();
        set_limit(&libc::rlimit { rlim_cur: 1, ..usual });

        for (ours, theirs) in &streams {
            let before = cpu_time();
            let start = Instant::now();
            runtime.block_on(async {
                let read = async { ours.read(&mut [0; 1]).await.unwrap() };
                let write = async {
                    pirn::time::sleep(Duration::from_millis(300)).await;
                    theirs.write(b"x").await.unwrap()
                };
                assert_eq!(futures_lite::future::zip(read, write).await, (1, 1));
            });
            assert!(start.elapsed() >= Duration::from_millis(300));
            assert!(cpu_time() - before < Duration::from_millis(100), "a wait of 300 ms spins");
        }
        // What looks at the process when it ends, as a leak detector does, needs descriptors again.
        set_limit(&usual);
    });
}

fn limit() -> libc::rlimit {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` lives through the call.
    assert_eq!(unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) }, 0);
    limit
}

fn set_limit(limit: &libc::rlimit) {
    // SAFETY: `limit` lives through the call.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, limit) }, 0);
}

/// What this process has used of all processors.
fn cpu_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` lives through the call.
    assert_eq!(unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) }, 0);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
