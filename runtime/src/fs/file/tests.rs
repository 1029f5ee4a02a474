//! A test of the order of a file's jobs, with calls that the test makes itself.

use std::pin::pin;
use std::sync::Mutex;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::task::Waker;
use std::time::Duration;

use super::*;

#[test]
fn a_call_whose_future_was_dropped_is_over_before_the_next_one_begins() {
    let (began, begun) = channel();
    let (began, begun) = (Mutex::new(began), Mutex::new(begun));
    let (tell, told) = channel();
    let tell = Mutex::new(tell);
    crate::block_on(async {
        let mut file = File::from_std(std::fs::File::open("/dev/null")?);
        let first = Settled::new(&mut file, move |_| {
            let overtaken = begun.lock().unwrap().recv_timeout(Duration::from_millis(200));
            tell.lock().unwrap().send(overtaken).unwrap();
            Ok(())
        });
        // The first poll starts it; then it is dropped.
        assert!(pin!(first).poll(&mut Context::from_waker(Waker::noop())).is_pending());
        Settled::new(&mut file, move |_| {
            let _ = began.lock().unwrap().send(());
            Ok(())
        })
        .await
    })
    .unwrap();
    assert_eq!(told.recv().unwrap(), Err(RecvTimeoutError::Timeout));
}
