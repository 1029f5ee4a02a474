//! Signals: every promise of `pirn::signal`, one test each.
//!
//! Dispositions belong to the whole process, so each test uses a signal of its own.

#[path = "net/support.rs"]
mod support;

use std::future::Future;
use std::mem::MaybeUninit;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::task::{Context, Wake, Waker};

use pirn::signal::{self, Signal};
use support::{run, within_a_minute};

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
fn a_signal_of_the_c_library_panics() {
    let library = [Signal::from_raw(32).unwrap()];
    for refuse in [|signals: &[Signal]| drop(signal::notify(signals)), signal::ignore, signal::reset] {
        let message = std::panic::catch_unwind(|| refuse(&library)).unwrap_err();
        assert!(message.downcast_ref::<String>().unwrap().contains("cannot be listened to"));
    }
}

#[test]
fn signals_reach_a_plain_thread() {
    within_a_minute(|| {
        let signals = signal::notify(&[Signal::ALRM]);
        Signal::ALRM.raise();
        assert_eq!(signals.recv_blocking(), Ok(Signal::ALRM));
    });
}

/// A waker that panics.
struct Panics;

impl Wake for Panics {
    fn wake(self: Arc<Self>) {
        panic!("a waker panics");
    }
}

/// Polls a future that waits, with `waker`.
#[track_caller]
fn wait_with<F: Future>(future: std::pin::Pin<&mut F>, waker: impl Wake + Send + Sync + 'static) {
    let waker = Waker::from(Arc::new(waker));
    assert!(future.poll(&mut Context::from_waker(&waker)).is_pending());
}

#[test]
fn a_waker_that_panics_costs_nobody_else_a_signal() {
    within_a_minute(|| {
        // Who listens first is told first: the other one after the panic.
        let (unlucky, other) = (signal::notify(&[Signal::WINCH]), signal::notify(&[Signal::WINCH]));
        let mut received = pin!(unlucky.recv());
        wait_with(received.as_mut(), Panics);
        for _ in 0..2 {
            Signal::WINCH.raise();
            assert_eq!(other.recv_blocking(), Ok(Signal::WINCH));
        }
        assert_eq!(pirn::block_on(received), Ok(Signal::WINCH));
    });
}

#[test]
fn a_waker_that_panics_because_its_channel_closes_costs_nobody_else_a_signal() {
    /// Has the listener dropped by who has just told it of the signal.
    struct Ignores(mpsc::Sender<()>);
    impl Wake for Ignores {
        fn wake(self: Arc<Self>) {
            signal::ignore(&[Signal::HUP]);
            self.0.send(()).unwrap();
        }
    }
    within_a_minute(|| {
        let other = signal::notify(&[Signal::CONT]);
        let signals = signal::notify(&[Signal::HUP]);
        let (mut first, mut second) = (pin!(signals.recv()), pin!(signals.recv()));
        let (ignored, wait_ignored) = mpsc::channel();
        wait_with(first.as_mut(), Ignores(ignored));
        wait_with(second.as_mut(), Panics);
        Signal::HUP.raise();
        wait_ignored.recv().unwrap();
        Signal::CONT.raise();
        assert_eq!(other.recv_blocking(), Ok(Signal::CONT));
        assert_eq!(pirn::block_on(first), Ok(Signal::HUP));
        assert!(pirn::block_on(second).is_err(), "its channel is closed");
    });
}

#[test]
fn taking_signals_away_closes_every_channel_whatever_panics() {
    within_a_minute(|| {
        let (one, two) = (signal::notify(&[Signal::IO]), signal::notify(&[Signal::IO]));
        let (mut of_one, mut of_two) = (pin!(one.recv()), pin!(two.recv()));
        wait_with(of_one.as_mut(), Panics);
        wait_with(of_two.as_mut(), Panics);
        let taken = std::panic::catch_unwind(|| signal::reset(&[Signal::IO]));
        assert!(taken.is_err(), "the first panic goes on");
        assert!(pirn::block_on(of_one).is_err() && pirn::block_on(of_two).is_err());
    });
}

/// Held by a test of what happens at SIGQUIT, and of the thread that listens to it.
static SIGQUIT: Mutex<()> = Mutex::new(());

/// A runtime that dumps its tasks at SIGQUIT.
fn dumping() -> pirn::Runtime {
    pirn::Builder::new().procs(1).dump_on_sigquit(true).build().unwrap()
}

#[test]
fn a_runtime_that_dumps_has_given_sigquit_back_when_it_has_ended() {
    within_a_minute(|| {
        let _alone = SIGQUIT.lock().unwrap_or_else(PoisonError::into_inner);
        let former = disposition(Signal::QUIT);
        let runtime = dumping();
        assert_ne!(disposition(Signal::QUIT), former);
        drop(runtime);
        assert_eq!(disposition(Signal::QUIT), former);
    });
}

#[test]
fn a_runtime_does_not_dump_any_more_when_sigquit_was_taken_away() {
    fn listens() -> bool {
        let threads = std::fs::read_dir("/proc/self/task").unwrap();
        let mut names =
            threads.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok());
        names.any(|name| name.trim() == "pirn-quit")
    }
    within_a_minute(|| {
        let _alone = SIGQUIT.lock().unwrap_or_else(PoisonError::into_inner);
        for take_away in [signal::ignore, signal::reset] {
            let runtime = dumping();
            // A thread has its name a moment after it was started.
            while !listens() {
                std::thread::yield_now();
            }
            take_away(&[Signal::QUIT]);
            while listens() {
                std::thread::yield_now();
            }
            let left = disposition(Signal::QUIT);
            drop(runtime);
            assert_eq!(disposition(Signal::QUIT), left, "the runtime's end changes nothing any more");
        }
    });
}

#[test]
fn ctrl_c_is_an_error_once_its_signal_was_taken_away() {
    // In a process of its own: another test listens to the same signal.
    let mut child = std::process::Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "child_that_resets_ctrl_c", "--ignored"]);
    assert!(child.output().unwrap().status.success());
}

#[test]
#[ignore = "a child process of the test above"]
fn child_that_resets_ctrl_c() {
    run(async {
        let pressed = signal::ctrl_c();
        signal::reset(&[Signal::INT]);
        let error = pressed.await.unwrap_err();
        assert!(error.to_string().starts_with("SIGINT was ignored or reset elsewhere"), "{error}");
        Ok(())
    });
}
