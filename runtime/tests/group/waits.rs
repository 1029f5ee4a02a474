//! What a dump says of tasks that wait here: the kind of wait, and the line of the user's that began it.

use std::future::{Future, pending};
use std::panic::Location;

use pirn::sync::host::WaitKind;
use pirn::task::{Child, scope};
use pirn::{Context, ErrGroup, JoinSet, Supervisor};

use crate::support::on_runtime;

/// Runs `future` as a task until a dump shows it waiting, as `kind`, since line `line` of this file.
async fn shows(future: impl Future + Send + 'static, kind: WaitKind, line: u32) {
    let task = pirn::spawn(async {
        future.await;
    });
    loop {
        let dump = pirn::Handle::current().dump();
        let own = dump.iter().find(|info| info.id == task.id()).expect("it waits for ever");
        if let Some(wait) = &own.waiting_on {
            let at = wait.at.expect("our leaves record their place");
            assert_eq!((wait.kind, at.file(), at.line()), (kind, file!(), line));
            break;
        }
        pirn::yield_now().await;
    }
    task.abort();
}

#[track_caller]
fn here() -> u32 {
    Location::caller().line()
}

#[test]
fn every_wait_is_recorded_with_the_place_that_began_it() {
    on_runtime(|| async {
        let (ctx, _cancel) = Context::background().with_cancel();
        let (done, line) = (ctx.done(), here());
        shows(done, WaitKind::Context, line).await;

        // The wait of the future that is run is the one worth showing; this one has none of its own.
        let (run, line) = (ctx.run(pending::<()>()), here());
        shows(run, WaitKind::Context, line).await;

        let never = async {
            let mut set = JoinSet::new();
            set.spawn(pending::<()>());
            set.join_next().await;
        };
        shows(never, WaitKind::Join, here() - 2).await;

        let mut set = JoinSet::new();
        set.spawn(pending::<()>());
        let (all, line) = (set.join_all(), here());
        shows(all, WaitKind::Join, line).await;

        let never = async {
            let group = ErrGroup::<()>::new().limit(0);
            group.go(async { Ok(()) }).await;
        };
        shows(never, WaitKind::Semaphore, here() - 2).await;

        let (group, line) = (ErrGroup::<()>::new(), here() + 2);
        group.go(pending()).await;
        let wait = group.wait();
        shows(wait, WaitKind::Join, line).await;

        let child =
            Child::new("endless", |_| pending::<Result<(), &str>>()).shutdown_timeout(Default::default());
        let (supervise, line) = (Supervisor::new("app").run_children(&ctx, [child]), here());
        shows(supervise, WaitKind::Join, line).await;

        let (supervise, line) = (Supervisor::new("one").run(&ctx, pending::<Result<(), &str>>), here());
        shows(supervise, WaitKind::Join, line).await;

        let line = here() + 1;
        let scope = scope(|scope| async move {
            scope.spawn(pending::<()>());
        });
        shows(scope, WaitKind::Join, line).await;
    });
}

#[test]
fn the_tasks_of_a_group_are_shown_as_spawned_where_they_were_asked_for() {
    on_runtime(|| async {
        let group = ErrGroup::<()>::new();
        let lines = [here() + 1, here() + 2];
        group.go(pending()).await;
        assert!(group.try_go(pending()).is_ok());
        let dump = pirn::Handle::current().dump();
        let mut shown: Vec<_> =
            dump.iter().map(|task| (task.spawned_at.file(), task.spawned_at.line())).collect();
        shown.sort_unstable();
        assert_eq!(shown, lines.map(|line| (file!(), line)));
    });
}
