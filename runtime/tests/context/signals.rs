//! `Context::notify`: a signal ends a context, and says so.

use pirn::context::SignalReceived;
use pirn::signal::Signal;
use pirn::{Context, ContextError};

use crate::support::in_time;

#[test]
fn a_signal_ends_the_context_with_a_cause_that_names_it() {
    in_time(|| {
        let (ctx, _cancel) = Context::notify(&Context::background(), &[Signal::USR1, Signal::HUP]);
        let (below, _cancel_below) = ctx.with_cancel();
        assert!(ctx.err().is_none());
        Signal::USR1.raise();
        pirn::block_on(below.done());
        assert_eq!(ctx.err(), Some(ContextError::Canceled));
        let cause = below.cause().expect("ended");
        assert_eq!(cause.downcast_ref(), Some(&SignalReceived(Signal::USR1)));
        assert_eq!(cause.to_string(), "received SIGUSR1");
    });
}

#[test]
fn a_context_hears_of_a_signal_after_its_runtime_has_gone() {
    in_time(|| {
        let runtime = pirn::Builder::new().procs(1).build().expect("a runtime");
        let (ctx, _cancel) =
            runtime.block_on(async { Context::notify(&Context::background(), &[Signal::WINCH]) });
        drop(runtime);
        Signal::WINCH.raise();
        pirn::block_on(ctx.done());
        let cause = ctx.cause().expect("ended");
        assert_eq!(cause.downcast_ref(), Some(&SignalReceived(Signal::WINCH)));
    });
}

#[test]
fn a_context_that_ends_otherwise_stops_listening_and_leaves_no_task() {
    in_time(|| {
        let runtime = pirn::Builder::new().procs(1).build().expect("a runtime");
        runtime.block_on(async {
            let (parent, cancel_parent) = Context::background().with_cancel();
            let contexts: Vec<_> = (0..10).map(|_| Context::notify(&parent, &[Signal::USR2])).collect();
            assert_eq!(pirn::Handle::current().metrics().live_tasks, 10);
            let mut cancels: Vec<_> = contexts.into_iter().map(|(_, cancel)| cancel).collect();
            cancels.truncate(5);
            drop(cancels.pop());
            cancel_parent.cancel();
            let ended = Context::notify(&parent, &[Signal::USR2]);
            assert!(ended.0.err().is_some());
            while pirn::Handle::current().metrics().live_tasks > 0 {
                pirn::yield_now().await;
            }
        });
    });
}
