//! A processor that stands still beside one that never rests. Counted in polls, since how long these take is up to the
//! machine.

use crate::Builder;
use crate::common::within;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

/// Many times what a thief takes, and fewer than would keep a visitor from passing by.
const QUEUED: usize = 60;

async fn one_more_poll() {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_micros(20) {}
    crate::yield_now().await;
}

/// What lies behind a long poll is taken over by who passes by, before the next fairness tick.
#[test]
fn what_waits_behind_a_long_poll_is_taken_in_passing() {
    within(60, || {
        let runtime = Arc::new(Builder::new().procs(2).sysmon(false).build().unwrap());
        // Who has descriptors passes by.
        let _socket = runtime.block_on(crate::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))).unwrap();
        let (polls, over) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let busy = runtime.spawn({
            let (polls, over) = (polls.clone(), over.clone());
            async move {
                while !over.load(SeqCst) {
                    polls.fetch_add(1, SeqCst);
                    one_more_poll().await;
                }
            }
        });
        for _ in 0..5 {
            let long = runtime.spawn({
                let (handle, polls) = (runtime.handle().clone(), polls.clone());
                async move {
                    // Until the pace of both is known: of this one's processor, and then of the other's.
                    let begun = polls.load(SeqCst);
                    while polls.load(SeqCst) < begun + 400 {
                        one_more_poll().await;
                    }
                    while polls.load(SeqCst) < begun + 800 {
                        std::hint::spin_loop();
                    }
                    // The last one is in the next slot, which nobody visits.
                    let (run, last) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicU64::new(0)));
                    for _ in 0..=QUEUED {
                        let (run, last, polls) = (run.clone(), last.clone(), polls.clone());
                        handle.spawn(async move {
                            last.fetch_max(polls.load(SeqCst), SeqCst);
                            run.fetch_add(1, SeqCst);
                        });
                    }
                    let queued = polls.load(SeqCst);
                    while run.load(SeqCst) < QUEUED {
                        std::hint::spin_loop();
                    }
                    last.load(SeqCst).saturating_sub(queued)
                }
            });
            let polls = runtime.block_on(long).unwrap();
            assert!(polls < 30, "it took {polls} polls of the other one");
        }
        over.store(true, SeqCst);
        runtime.block_on(busy).unwrap();
    });
}
