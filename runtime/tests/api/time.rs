//! *Time*: sleeps, limits, tickers and timers.

use std::future::{pending, ready};
use std::time::Duration;

use pirn::channel::{Receiver, TryRecvError};
use pirn::time::{
    Elapsed, Instant, Interval, MissedTick, Sleep, Timeout, Timer, after, interval, interval_at, sleep,
    sleep_until, tick, timeout, timeout_at,
};

use crate::{error, owned, panic_of, poll, send_sync, spawnable};

const LONG: Duration = Duration::from_secs(3600);
const SHORT: Duration = Duration::from_millis(1);

#[test]
fn the_types_are_as_free_as_they_can_be() {
    send_sync::<Sleep>();
    send_sync::<pirn::time::Tick<'static>>();
    owned::<Sleep>();
    send_sync::<Interval>();
    send_sync::<Timer>();
    send_sync::<Timeout<Sleep>>();
    send_sync::<Elapsed>();
    error::<Elapsed>();
    let _: fn(std::time::Instant) -> Instant = |instant| instant;
}

#[pirn::test(procs = 2, timeout = "10s")]
async fn sleep_lasts_at_least_as_long_as_told() {
    let start = Instant::now();
    let sleeping: Sleep = spawnable(sleep(SHORT));
    let () = sleeping.await;
    assert!(start.elapsed() >= SHORT);
    sleep_until(start + 2 * SHORT).await;
    assert!(start.elapsed() >= 2 * SHORT);
}

#[test]
fn time_passes_outside_a_runtime_too() {
    let mut sleeping = Box::pin(sleep(SHORT));
    let done = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        pirn::block_on(sleeping.as_mut());
        done.0.send(()).unwrap();
    });
    done.1.recv_timeout(Duration::from_secs(10)).unwrap();
    assert!(after(SHORT).recv_timeout_blocking(Duration::from_secs(10)).is_ok());
}

#[pirn::test(procs = 2, timeout = "10s")]
async fn zero_completes_without_waiting() {
    assert!(poll(&mut Box::pin(sleep(Duration::ZERO))).is_ready());
    assert!(poll(&mut Box::pin(sleep_until(Instant::now()))).is_ready());
    assert!(timeout(Duration::ZERO, pending::<()>()).await.is_err());
}

#[pirn::test(procs = 2, timeout = "10s")]
async fn durations_too_large_to_represent_never_fire() {
    assert!(poll(&mut Box::pin(sleep(Duration::MAX))).is_pending());
    assert!(poll(&mut Box::pin(timeout(Duration::MAX, pending::<()>()))).is_pending());
    assert_eq!(after(Duration::MAX).try_recv(), Err(TryRecvError::Empty));
    assert_eq!(tick(Duration::MAX).try_recv(), Err(TryRecvError::Empty));
    let timer = Timer::new(Duration::MAX);
    assert_eq!(timer.receiver().try_recv(), Err(TryRecvError::Empty));
    timer.reset(Duration::MAX);
    let mut interval = interval(Duration::MAX);
    interval.tick().await;
    assert!(poll(&mut Box::pin(interval.tick())).is_pending());
}

#[pirn::test(procs = 2, timeout = "10s")]
async fn a_timeout_gives_the_output_or_elapsed() {
    let done: Result<u8, Elapsed> = timeout(LONG, async { 7 }).await;
    assert_eq!(done.ok(), Some(7));
    let late: Result<(), Elapsed> = timeout(SHORT, pending()).await;
    assert!(!late.unwrap_err().to_string().is_empty());
    assert!(timeout_at(Instant::now() + SHORT, pending::<()>()).await.is_err());
    assert!(timeout(Duration::ZERO, ready(7)).await.is_ok(), "an inner future that is ready wins");
    assert!(timeout_at(Instant::now(), ready(7)).await.is_ok());
}

#[pirn::test(procs = 2, timeout = "10s")]
async fn an_interval_ticks_at_once_and_then_by_its_period() {
    let start = Instant::now();
    let mut ticks: Interval = interval(SHORT);
    ticks.tick().await;
    drop(ticks.tick());
    ticks.tick().await;
    assert!(start.elapsed() >= SHORT);
    for behaviour in [MissedTick::Burst, MissedTick::Delay, MissedTick::Skip] {
        interval(SHORT).missed_tick(behaviour).tick().await;
    }
    assert_eq!(MissedTick::default(), MissedTick::Skip);
    let start = Instant::now() + SHORT;
    let mut ticks: Interval = interval_at(start, SHORT);
    let first: Instant = ticks.tick().await;
    assert!(first == start && Instant::now() >= start);
}

#[test]
fn a_zero_period_panics() {
    panic_of(|| interval(Duration::ZERO));
    panic_of(|| interval_at(Instant::now(), Duration::ZERO));
    panic_of(|| tick(Duration::ZERO));
}

#[pirn::test(procs = 2, timeout = "10s")]
async fn after_gives_one_value_and_is_silent_and_open_then() {
    let start = Instant::now();
    let rx: Receiver<Instant> = after(SHORT);
    let fired: Instant = rx.recv().await.unwrap();
    assert!(fired >= start + SHORT);
    assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
    assert!(!rx.is_closed());
}

#[pirn::test(procs = 2, timeout = "10s")]
async fn tick_has_room_for_one_and_stays_open() {
    let rx: Receiver<Instant> = tick(SHORT);
    assert_eq!((rx.capacity(), rx.len()), (Some(1), 0));
    let first = rx.recv().await.unwrap();
    assert!(rx.recv().await.unwrap() > first);
    assert!(!rx.is_closed());
}

#[pirn::test(procs = 2, timeout = "10s")]
async fn a_timer_that_is_stopped_or_reset_gives_nothing_of_its_earlier_setting() {
    let timer = Timer::new(LONG);
    let rx: &Receiver<Instant> = timer.receiver();
    let pending: bool = timer.stop();
    assert!(pending && !timer.stop());
    assert!(!timer.reset(LONG), "it was not pending");
    assert!(timer.reset(SHORT), "it was");
    rx.recv().await.unwrap();
    assert!(!timer.stop(), "it has fired");

    let due = Timer::new(Duration::ZERO);
    due.stop();
    assert_eq!(due.receiver().try_recv(), Err(TryRecvError::Empty));
}

#[pirn::test(procs = 2, timeout = "10s")]
async fn a_sleep_whose_runtime_is_gone_moves_to_the_one_that_polls_it() {
    let mut sleeping = Box::pin(sleep(Duration::from_millis(50)));
    let job = pirn::spawn_blocking(move || {
        let other = pirn::Builder::new().procs(1).build().unwrap();
        let first = other.block_on(async { poll(&mut sleeping) });
        drop(other);
        (first, sleeping)
    });
    let (first, sleeping) = job.await.unwrap();
    if first.is_pending() {
        sleeping.await;
    }
}
