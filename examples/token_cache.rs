//! A cache that keeps one access token fresh and hands it to whoever asks.
//!
//! ```text
//!   callers ──► requests ──► ┌────────────┐ ──► fetch, as a task of its own, before the token expires
//!           ◄── oneshot ──── │ the keeper │ ◄── Ok(token) · Err · panic
//!                            └────────────┘ ──► after too many failures in a row: ends the service's context
//! ```
//!
//! One task, the keeper, owns the token; so there is no lock, and no two refreshes can run at once. A request is a
//! message that carries the channel for its reply. What the keeper promises:
//!
//! 1. A reply is a token that has not expired. A request that comes while there is none waits for the next one.
//! 2. Refreshing never delays a request: it runs in a task of its own, before the token expires.
//! 3. A refresh that fails or *panics* is tried again, after pauses that double up to a limit.
//! 4. After `max_failures` of them in a row the keeper gives up: it cancels the context that `TokenCache::start`
//!    returned, with the last failure as the cause. A service runs under that context, and so shuts down.
//! 5. A caller waits no longer than its own context allows.
//! 6. The keeper ends, and aborts a refresh in progress, when its context ends or the last handle is dropped.
//!
//! `TokenCache` and what belongs to it know nothing of the demonstration below them; copy them into a service.

use std::collections::BTreeSet;
use std::fmt;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use clap::Parser;
use pirn::channel::{Receiver, Sender, bounded, oneshot};
use pirn::sync::WaitGroup;
use pirn::task::JoinSet;
use pirn::time::{Instant, Timer, sleep, timeout};
use pirn::{CancelFunc, Context, ContextError, JoinError, select};
use pirn_examples::{
    Failure, MOST, Outcome, check, check_eq, check_no_task_is_left, complain, finish, live_tasks,
};

/// A token, and how long it can be used.
#[derive(Clone, Debug)]
struct Token {
    text: Arc<str>,
    expires: Instant,
}

/// How the keeper goes about its work.
struct Policy {
    /// How long before a token expires the next one is fetched.
    margin: Duration,
    /// The first pause after a failure; each further one doubles it.
    min_pause: Duration,
    /// No pause is longer than this.
    max_pause: Duration,
    /// How many failures in a row are too many.
    max_failures: u32,
}

/// Why there is no token.
#[derive(Clone, Copy, Debug, PartialEq)]
enum TokenError {
    /// The caller's context ended first.
    Stopped(ContextError),
    /// The keeper has given up or was told to end.
    Closed,
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stopped(why) => write!(f, "no token: {why}"),
            Self::Closed => f.write_str("no token: the cache has shut down"),
        }
    }
}

impl std::error::Error for TokenError {}

type Reply = oneshot::Sender<Token>;

/// A handle to the keeper; cheap to clone.
#[derive(Clone)]
struct TokenCache {
    requests: Sender<Reply>,
}

impl TokenCache {
    /// Starts the keeper under `ctx`. The service is to run under the context returned, which ends with that one or
    /// when the keeper gives up.
    fn start<F, Fut>(ctx: &Context, policy: Policy, fetch: F) -> (Self, Context)
    where
        F: FnMut() -> Fut + Send + 'static,
        Fut: Future<Output = Result<Token, String>> + Send + 'static,
    {
        let (ctx, give_up) = ctx.with_cancel();
        let (requests, inbox) = bounded(16);
        let keeper = Keeper { policy, fetch, token: None, waiting: Vec::new(), failures: 0 };
        pirn::go!(keeper.run(ctx.clone(), inbox, give_up));
        (Self { requests }, ctx)
    }

    /// A token that has not expired.
    async fn token(&self, ctx: &Context) -> Result<Token, TokenError> {
        let asked = async {
            let (reply, token) = oneshot::channel();
            self.requests.send(reply).await.map_err(|_| TokenError::Closed)?;
            token.await.map_err(|_| TokenError::Closed)
        };
        ctx.run(asked).await.unwrap_or_else(|why| Err(TokenError::Stopped(why)))
    }
}

struct Keeper<F> {
    policy: Policy,
    fetch: F,
    token: Option<Token>,
    waiting: Vec<Reply>,
    /// In a row.
    failures: u32,
}

impl<F, Fut> Keeper<F>
where
    F: FnMut() -> Fut + Send + 'static,
    Fut: Future<Output = Result<Token, String>> + Send + 'static,
{
    async fn run(mut self, ctx: Context, inbox: Receiver<Reply>, give_up: CancelFunc) {
        // Holds one task or none. As a set, because dropping a set aborts what is in it.
        let mut refresh = JoinSet::new();
        let due = Timer::new(Duration::ZERO);
        loop {
            select! {
                _ = ctx.done() => return,
                request = inbox.recv() => match request {
                    Ok(reply) => self.serve(reply),
                    Err(_) => return,
                },
                _ = due.receiver().recv() => {
                    refresh.spawn((self.fetch)());
                }
                outcome = refresh.join_next(), if !refresh.is_empty() => {
                    match self.settle(outcome.expect("the set was not empty")) {
                        Ok(pause) => {
                            due.reset(pause);
                        }
                        Err(last) => {
                            give_up.cancel_cause(last);
                            return;
                        }
                    }
                }
            }
        }
    }

    fn serve(&mut self, reply: Reply) {
        match &self.token {
            Some(token) if token.expires > Instant::now() => {
                // An error means that the caller no longer waits.
                let _ = reply.send(token.clone());
            }
            _ => {
                self.waiting.retain(|reply| !reply.is_closed());
                self.waiting.push(reply);
            }
        }
    }

    /// Takes in what a refresh came to. Returns the time until the next one, or why there will be none.
    fn settle(&mut self, outcome: Result<Result<Token, String>, JoinError>) -> Result<Duration, String> {
        let failure = match outcome {
            Ok(Ok(token)) => {
                self.failures = 0;
                let left = token.expires.saturating_duration_since(Instant::now());
                self.token = Some(token);
                for reply in std::mem::take(&mut self.waiting) {
                    self.serve(reply);
                }
                return Ok(left.saturating_sub(self.policy.margin));
            }
            Ok(Err(error)) => error,
            Err(panic) => panic.to_string(),
        };
        self.failures += 1;
        if self.failures >= self.policy.max_failures {
            return Err(format!("{} refreshes failed in a row, the last one so: {failure}", self.failures));
        }
        let doubled = self.policy.min_pause.saturating_mul(1 << (self.failures - 1).min(16));
        let pause = doubled.min(self.policy.max_pause);
        complain(format_args!("refreshing the token failed ({failure}), the next try is in {pause:?}"));
        Ok(pause)
    }
}

/// Keeps a token fresh, serves it to callers, survives failures, and shuts down when there are too many.
#[derive(Parser)]
pub(crate) struct Args {
    /// How many clients ask for tokens
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(..=MOST))]
    clients: u32,
}

#[pirn::main]
async fn main() -> ExitCode {
    finish(run).await
}

/// How long a token can be used, and how long it is until the next one is fetched.
const LIFE: Duration = Duration::from_secs(3600);
const FRESH: Duration = Duration::from_millis(80);

/// How long the authority waits for clients: long enough for any machine to serve them all.
const PATIENCE: Duration = Duration::from_secs(20);

/// An authority as one wishes to have it in tests: the second call panics, the third fails, all from the fifth on do.
///
/// So that every client can be asked to have seen every token, however many there are and however slow the machine is,
/// a token is not followed by the next one, nor by the failures at the end, before all clients have used it.
struct Authority {
    calls: AtomicU32,
    /// The clients that have not used the first token yet, and those that have not used the second.
    unused: [WaitGroup; 2],
}

impl Authority {
    fn new(clients: u32) -> Self {
        let unused = [WaitGroup::new(), WaitGroup::new()];
        unused.iter().for_each(|token| token.add(clients as usize));
        Self { calls: AtomicU32::new(0), unused }
    }

    async fn issue(&self) -> Result<Token, String> {
        let call = self.calls.fetch_add(1, Relaxed) + 1;
        sleep(Duration::from_millis(5)).await;
        let [first, second] = &self.unused;
        let before = match call {
            4 => Some(first),
            5 => Some(second),
            _ => None,
        };
        if let Some(before) = before {
            // Who waits in vain goes on: that a client was not served is for the check to tell.
            let _ = timeout(PATIENCE, before.wait()).await;
        }
        match call {
            1 | 4 => {
                println!("the authority issues token {call}");
                Ok(Token { text: format!("token {call}").into(), expires: Instant::now() + LIFE })
            }
            2 => panic!("the authority's client has a bug"),
            _ => Err("the authority is out of office".to_owned()),
        }
    }
}

pub(crate) async fn run(args: Args) -> Outcome {
    let before = live_tasks();
    let policy = Policy {
        margin: LIFE - FRESH,
        min_pause: Duration::from_millis(10),
        max_pause: Duration::from_millis(40),
        max_failures: 3,
    };
    let authority = Arc::new(Authority::new(args.clients));
    let fetch = {
        let authority = authority.clone();
        move || {
            let authority = authority.clone();
            async move { authority.issue().await }
        }
    };
    let (cache, service) = TokenCache::start(&Context::background(), policy, fetch);

    let (in_no_time, _cancel) = Context::background().with_timeout(Duration::ZERO);
    let hasty = cache.token(&in_no_time).await.err();
    check_eq(
        "a caller without time gets no token",
        hasty,
        Some(TokenError::Stopped(ContextError::DeadlineExceeded)),
    )?;

    let mut clients = JoinSet::new();
    for client in 1..=args.clients {
        clients.spawn(use_tokens(client, cache.clone(), authority.clone()));
    }
    while let Some(seen) = clients.join_next().await {
        let seen = seen.map_err(|error| Failure::Wrong(format!("a client failed: {error}")))?;
        let expected = BTreeSet::from(["token 1".into(), "token 4".into()]);
        check_eq("a client was served by every token there was", seen, expected)?;
    }

    service.done().await;
    let cause = service.cause().map(|cause| cause.to_string()).unwrap_or_default();
    println!("the service is told to shut down: {cause}");
    check(
        "three failures in a row end the service, and the cause says so",
        cause.starts_with("3 refreshes failed"),
    )?;
    check_eq("a panic and an error had been survived before", authority.calls.load(Relaxed), 7)?;
    check_eq(
        "later callers learn of it",
        cache.token(&Context::background()).await.err(),
        Some(TokenError::Closed),
    )?;
    check_no_task_is_left(before).await
}

/// A client that uses tokens until there are none; returns those it saw.
async fn use_tokens(client: u32, cache: TokenCache, authority: Arc<Authority>) -> BTreeSet<Arc<str>> {
    let mut seen = BTreeSet::new();
    while let Ok(token) = cache.token(&Context::background()).await {
        if seen.insert(token.text.clone()) {
            println!("client {client} uses {}", token.text);
            let unused = authority.unused.get(seen.len() - 1).expect("there are two tokens");
            unused.done();
        }
        sleep(Duration::from_millis(3)).await;
    }
    seen
}
