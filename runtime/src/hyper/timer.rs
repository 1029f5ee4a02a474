//! [`Timer`]: hyper's deadlines on this crate's timers.
//!
//! hyper keeps its sleeps in boxes, so each costs an allocation; nothing is registered with the timers until
//! one is polled and has to wait. A deadline that hyper moves keeps its box.

use std::pin::Pin;
use std::time::{Duration, Instant};

use pirn_sync::clock;

use crate::time;

/// Gives hyper its deadlines: the time that it may take to read a request's head, HTTP/2's keep-alive.
///
/// Without a timer hyper panics when such a limit is set, and has none otherwise: give it one.
///
/// ```
/// use std::time::{Duration, Instant};
///
/// use hyper::rt::Timer as _;
/// use pirn::hyper::Timer;
///
/// let mut http = hyper::server::conn::http1::Builder::new();
/// http.timer(Timer).header_read_timeout(Duration::from_secs(10));
///
/// let mut sleep = Timer.sleep(Duration::from_secs(3600));
/// Timer.reset(&mut sleep, Instant::now() + Duration::from_millis(1));
/// pirn::block_on(sleep);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Timer;

impl ::hyper::rt::Timer for Timer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn ::hyper::rt::Sleep>> {
        Box::pin(time::sleep(duration))
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn ::hyper::rt::Sleep>> {
        Box::pin(time::sleep_until(deadline))
    }

    fn now(&self) -> Instant {
        clock::now()
    }

    fn reset(&self, sleep: &mut Pin<Box<dyn ::hyper::rt::Sleep>>, deadline: Instant) {
        match sleep.as_mut().downcast_mut_pin::<time::Sleep>() {
            Some(sleep) => sleep.get_mut().reset(deadline),
            // Another timer's: hyper was given two.
            None => *sleep = self.sleep_until(deadline),
        }
    }
}

impl ::hyper::rt::Sleep for time::Sleep {}
