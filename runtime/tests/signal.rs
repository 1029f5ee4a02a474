//! Signals: every promise of `pirn::signal`, one test each.
//!
//! Dispositions belong to the whole process, so each test uses a signal of its own.

#[path = "net/support.rs"]
mod support;

use std::mem::MaybeUninit;

use pirn::signal::{self, Signal};
use support::run;

/// What happens at `signal` now: the address of a handler, or `SIG_DFL`, `SIG_IGN`.
fn disposition(signal: Signal) -> usize {
    let mut action = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: nothing is set; `action` has room for the answer and is valid without one.
    unsafe {
        libc::sigaction(signal.as_raw(), std::ptr::null(), action.as_mut_ptr());
        action.assume_init().sa_sigaction
    }
}

#[test]
fn every_receiver_of_a_signal_hears_it() {
    run(async {
        let receivers: Vec<_> = (0..3).map(|_| signal::notify(&[Signal::USR1])).collect();
        Signal::USR1.raise();
        for receiver in &receivers {
            assert_eq!(receiver.recv().await, Ok(Signal::USR1));
        }
        Ok(())
    });
}

#[test]
fn signals_merge_and_a_flood_crowds_out_nobody() {
    run(async {
        // One of the flood may still be on its way at the end: its default action, the end of the process,
        // must not return before.
        std::mem::forget(signal::notify(&[Signal::USR2]));
        let signals = signal::notify(&[Signal::USR2, Signal::URG]);
        for _ in 0..10_000 {
            Signal::USR2.raise();
            assert!(signals.len() <= 1, "a signal that lies unread is not sent again");
        }
        Signal::URG.raise();
        while signals.recv().await != Ok(Signal::URG) {}
        Signal::USR2.raise();
        assert_eq!(signals.recv().await, Ok(Signal::USR2), "what was read can come again");
        Ok(())
    });
}

#[test]
fn the_former_disposition_returns_with_the_last_receiver() {
    run(async {
        let former = disposition(Signal::PROF);
        let first = signal::notify(&[Signal::PROF, Signal::TTIN]);
        let ours = disposition(Signal::PROF);
        assert_ne!(ours, former);
        let second = signal::notify(&[Signal::PROF]);
        let clone = first.clone();
        drop(first);
        drop(second);
        assert_eq!(disposition(Signal::PROF), ours, "a clone still listens");
        drop(clone);
        assert_eq!(disposition(Signal::PROF), former);
        assert_eq!(disposition(Signal::TTIN), libc::SIG_DFL);
        Ok(())
    });
}

#[test]
fn ctrl_c_listens_from_the_call_on() {
    run(async {
        let interrupted = signal::ctrl_c();
        Signal::INT.raise();
        interrupted.await?;
        Ok(())
    });
}

#[test]
fn an_ignored_signal_is_heard_by_nobody() {
    run(async {
        let signals = signal::notify(&[Signal::TTOU]);
        signal::ignore(&[Signal::TTOU]);
        assert!(signals.recv().await.is_err(), "its last signal is gone, so the channel is closed");
        assert_eq!(disposition(Signal::TTOU), libc::SIG_IGN);
        // It stays ignored: a thread that is just being started holds signals back, and this one would stop
        // the process if it came through after a reset.
        Signal::TTOU.raise();
        Ok(())
    });
}

#[test]
fn reset_restores_the_default_action_and_closes_the_channel() {
    run(async {
        let signals = signal::notify(&[Signal::TSTP]);
        signal::reset(&[Signal::TSTP]);
        assert_eq!(disposition(Signal::TSTP), libc::SIG_DFL);
        assert!(signals.recv().await.is_err());
        let again = signal::notify(&[Signal::TSTP]);
        drop(signals);
        assert_ne!(disposition(Signal::TSTP), libc::SIG_DFL, "a former listener takes nothing away");
        drop(again);
        Ok(())
    });
}

#[test]
#[should_panic(expected = "SIGKILL cannot be listened to")]
fn a_signal_that_cannot_be_handled_panics() {
    let _ = signal::notify(&[Signal::KILL]);
}

#[test]
fn signals_reach_a_plain_thread() {
    support::within_a_minute(|| {
        let signals = signal::notify(&[Signal::ALRM]);
        Signal::ALRM.raise();
        assert_eq!(signals.recv_blocking(), Ok(Signal::ALRM));
    });
}
