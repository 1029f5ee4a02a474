//! A process without free descriptors. In a file of its own, since the limit holds for the whole process.

#[path = "net/support.rs"]
mod support;

use std::time::{Duration, Instant};

use pirn::net::{TcpListener, TcpStream};
use support::run;

#[test]
fn accept_without_descriptors_is_an_error_that_does_not_spin_and_recovers() {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let client = TcpStream::connect(listener.local_addr()?).await?;
        let mut hoard = Vec::new();
        limit_descriptors(256);
        while let Ok(file) = std::fs::File::open("/dev/null") {
            hoard.push(file);
        }

        let start = Instant::now();
        for _ in 0..4 {
            let error = listener.accept().await.unwrap_err();
            assert_eq!(error.raw_os_error(), Some(libc::EMFILE));
        }
        assert!(start.elapsed() >= Duration::from_millis(30), "a loop over the error rests each time");

        hoard.clear();
        let (_server, peer) = listener.accept().await?;
        assert_eq!(peer, client.local_addr()?, "the connection waited in the queue");
        Ok(())
    });
}

fn limit_descriptors(limit: u64) {
    let limit = libc::rlimit { rlim_cur: limit, rlim_max: limit };
    // SAFETY: `limit` lives through the call.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) }, 0);
}
