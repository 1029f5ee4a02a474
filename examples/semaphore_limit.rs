//! Two ways to bound how many calls run at once: a buffered channel, and a [`Semaphore`].
//!
//! In Go the usual way is the channel: its buffer has one place for each call that may run; a call puts a value in
//! before it starts and takes one out when it is done. A semaphore says the same in its own words, and gives its
//! permit back by itself when the call panics or is dropped.
//!
//! That no *more* run at once shows by counting. That *as many* do would depend on how fast calls can be started, if
//! each was over after a moment. So the first ones wait for each other, inside: where the bound is too tight, they
//! wait in vain, and the count says so.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use clap::Parser;
use pirn::channel::bounded;
use pirn::sync::{Barrier, Semaphore, WaitGroup};
use pirn::time::{Instant, sleep, timeout_at};
use pirn_examples::{MOST, Outcome, check_eq, finish};

/// Bounds how many calls run at once, by a channel and by a semaphore.
#[derive(Parser)]
pub(crate) struct Args {
    /// How many calls there are
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(..=MOST))]
    calls: u32,
    /// How many of them may run at once
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
}

#[pirn::main]
async fn main() -> ExitCode {
    finish(run).await
}

/// How long the first calls wait for each other, all in all: long enough for any machine to start them.
const PATIENCE: Duration = Duration::from_secs(20);

/// A service that knows how many calls are inside it, and how many were at most.
struct Service {
    /// As many as may be inside at once. They stay until all of them have come.
    first: Barrier,
    patience: Instant,
    came: AtomicUsize,
    inside: AtomicUsize,
    most: AtomicUsize,
    served: AtomicUsize,
    may: usize,
}

impl Service {
    fn new(args: &Args) -> Arc<Self> {
        let may = args.calls.min(args.limit) as usize;
        let [came, inside, most, served] = [const { AtomicUsize::new(0) }; 4];
        let patience = Instant::now() + PATIENCE;
        Arc::new(Self { first: Barrier::new(may), patience, came, inside, most, served, may })
    }

    async fn call(&self) {
        let inside = self.inside.fetch_add(1, Relaxed) + 1;
        self.most.fetch_max(inside, Relaxed);
        if self.came.fetch_add(1, Relaxed) < self.may {
            // Who waits in vain goes on: that too few were inside is for the check to tell.
            let _ = timeout_at(self.patience, self.first.wait()).await;
        }
        // And now whoever should not be let in has the time to come.
        sleep(Duration::from_millis(20)).await;
        self.inside.fetch_sub(1, Relaxed);
        self.served.fetch_add(1, Relaxed);
    }

    fn check(&self, how: &str, args: &Args) -> Outcome {
        let (most, served) = (self.most.load(Relaxed), self.served.load(Relaxed));
        println!("{how}: {served} calls, at most {most} at once");
        check_eq(&format!("{how} lets every call through"), served, args.calls as usize)?;
        check_eq(&format!("{how} lets as many run at once as it may, and no more"), most, self.may)
    }
}

pub(crate) async fn run(args: Args) -> Outcome {
    by_channel(&args).await.check("the channel", &args)?;
    by_semaphore(&args).await.check("the semaphore", &args)
}

async fn by_channel(args: &Args) -> Arc<Service> {
    let service = Service::new(args);
    let (enter, leave) = bounded(args.limit as usize);
    let calls = WaitGroup::new();
    for _ in 0..args.calls {
        let (service, enter, leave, done) = (service.clone(), enter.clone(), leave.clone(), calls.guard());
        pirn::go!({
            enter.send(()).await.expect("this task itself holds a receiver");
            service.call().await;
            leave.recv().await.expect("this task's own value or another's is in the buffer");
            drop(done);
        });
    }
    calls.wait().await;
    service
}

async fn by_semaphore(args: &Args) -> Arc<Service> {
    let service = Service::new(args);
    let semaphore = Arc::new(Semaphore::new(args.limit as usize));
    let calls = WaitGroup::new();
    for _ in 0..args.calls {
        let (service, semaphore, done) = (service.clone(), semaphore.clone(), calls.guard());
        pirn::go!({
            let permit = semaphore.acquire().await.expect("nobody closes this semaphore");
            service.call().await;
            drop(permit);
            drop(done);
        });
    }
    calls.wait().await;
    service
}
