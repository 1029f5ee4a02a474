//! Tests of the limit around a future: who wins when both are ready, and what the error says.

use super::super::testing::in_time;
use super::*;
use crate::time::sleep;
use futures_lite::future::{self, block_on};
use pirn_sync::host::{Wait, WaitKind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Waker;

#[test]
fn an_inner_future_that_is_ready_at_the_deadline_wins() {
    in_time(|| {
        let now = clock::now();
        assert_eq!(block_on(timeout_at(now, async { 7 })), Ok(7));
        assert_eq!(block_on(timeout(Duration::ZERO, async { 7 })), Ok(7));
        let at = clock::now() + Duration::from_millis(3);
        let mut both = timeout_at(at, crate::time::sleep_until(at));
        while clock::now() < at {}
        assert_eq!(block_on(&mut both), Ok(()));
    });
}

#[test]
fn what_takes_too_long_has_elapsed() {
    in_time(|| {
        let start = clock::now();
        let out = block_on(timeout(Duration::from_millis(4), future::pending::<()>()));
        assert!(out.is_err() && start.elapsed() >= Duration::from_millis(4));
        assert!(block_on(timeout(Duration::ZERO, future::pending::<()>())).is_err());
    });
}

#[test]
fn a_limit_too_large_to_represent_never_ends() {
    in_time(|| {
        assert_eq!(block_on(timeout(Duration::MAX, sleep(Duration::from_millis(2)))), Ok(()));
    });
}

/// Ready at once, but for the yield that every leaf honours.
struct Leaf;

impl Future for Leaf {
    type Output = ();
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        host::poll_yield(cx)
    }
}

#[test]
fn what_goes_on_until_it_is_asked_to_yield_again_runs_out_of_time() {
    static FLAG: AtomicBool = AtomicBool::new(true);
    let mut cx = Context::from_waker(Waker::noop());
    let mut timeout = timeout(Duration::ZERO, Leaf);
    host::install(Some(&FLAG));
    assert!(Pin::new(&mut timeout).poll(&mut cx).is_pending());
    assert_eq!(Pin::new(&mut timeout).poll(&mut cx), Poll::Ready(Err(Elapsed(()))));
    host::install(None);
}

#[test]
fn a_yield_at_the_deadline_does_not_make_the_timer_win() {
    static FLAG: AtomicBool = AtomicBool::new(true);
    let mut cx = Context::from_waker(Waker::noop());
    let mut timeout = timeout(Duration::ZERO, Leaf);
    host::install(Some(&FLAG));
    assert!(Pin::new(&mut timeout).poll(&mut cx).is_pending());
    FLAG.store(false, Ordering::Relaxed);
    assert_eq!(Pin::new(&mut timeout).poll(&mut cx), Poll::Ready(Ok(())));
    host::install(None);
}

#[test]
fn the_dump_shows_what_the_inner_future_waits_on() {
    let mut cx = Context::from_waker(Waker::noop());
    let at = Location::caller();
    let inner = future::poll_fn(|_| {
        host::waiting_on(WaitKind::Recv, at);
        Poll::<()>::Pending
    });
    let mut noted = std::pin::pin!(timeout(Duration::from_secs(60), inner));
    assert!(noted.as_mut().poll(&mut cx).is_pending());
    assert_eq!(host::take_wait(), Some(Wait { kind: WaitKind::Recv, at }));
    let mut silent = timeout(Duration::from_secs(60), future::pending::<()>());
    assert!(Pin::new(&mut silent).poll(&mut cx).is_pending());
    assert!(host::take_wait().is_some_and(|wait| wait.kind == WaitKind::Sleep));
}

#[test]
fn elapsed_is_an_io_error_of_its_kind() {
    let elapsed = block_on(timeout(Duration::ZERO, future::pending::<()>())).unwrap_err();
    assert_eq!(std::io::Error::from(elapsed).kind(), std::io::ErrorKind::TimedOut);
    assert!(elapsed.to_string().contains("time limit"));
}
