//! Configuring a runtime.

use crate::global;
use crate::sched::{Config, MAX_PROCS, Shared, UnhandledPanic};
use crate::{Handle, Runtime, quit, trace};
use std::sync::Arc;
use std::time::Duration;
use std::{env, io, thread};

/// How a [`Runtime`] is to be. Each method takes and returns the builder.
///
/// ```
/// let runtime = pirn::Builder::new().procs(2).thread_name("worker").build()?;
/// assert_eq!(runtime.procs(), 2);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `build` or `install_global`"]
pub struct Builder {
    procs: Option<usize>,
    max_threads: Option<usize>,
    thread_name: Option<String>,
    thread_stack_size: Option<usize>,
    on_unhandled_panic: UnhandledPanic,
    dump_on_sigquit: bool,
    yield_cores: bool,
    sysmon: bool,
    keep_alive: Duration,
}

const DEFAULT_MAX_THREADS: usize = 512;
const KEEP_ALIVE: Duration = Duration::from_secs(10);
/// On less than that a machine could not even look for work.
const LEAST_STACK: usize = 64 << 10;

impl Builder {
    /// The defaults: as many processors as this process may use, at most 512 threads, panics reported.
    pub fn new() -> Self {
        Self {
            procs: None,
            max_threads: None,
            thread_name: None,
            thread_stack_size: None,
            on_unhandled_panic: UnhandledPanic::Report,
            dump_on_sigquit: false,
            yield_cores: true,
            sysmon: true,
            keep_alive: KEEP_ALIVE,
        }
    }

    /// How many processors there are: how many tasks can run at the same time.
    ///
    /// Unless set it is `PIRN_PROCS`, else what the affinity mask and the cgroup's CPU quota allow.
    pub fn procs(mut self, n: usize) -> Self {
        self.procs = Some(n);
        self
    }

    /// How many threads there may be, workers and those that block together; raised to `procs + 2`. Blocking
    /// jobs use at most `max_threads - procs - 1` of them.
    ///
    /// A task that blocks, in [`block_on`](crate::block_on()) or otherwise, keeps its thread meanwhile. Where as many as
    /// there may be wait for other tasks, nobody is left to run these.
    pub fn max_threads(mut self, n: usize) -> Self {
        self.max_threads = Some(n);
        self
    }

    /// What the threads are called; a number is appended. `pirn` unless set.
    pub fn thread_name(mut self, name: impl Into<String>) -> Self {
        self.thread_name = Some(name.into());
        self
    }

    /// How many bytes of stack each thread has, raised to 64 KiB; std's default of 2 MiB unless set.
    pub fn thread_stack_size(mut self, bytes: usize) -> Self {
        self.thread_stack_size = Some(bytes.max(LEAST_STACK));
        self
    }

    /// What to do about a panic that nobody joins.
    pub fn on_unhandled_panic(mut self, policy: UnhandledPanic) -> Self {
        self.on_unhandled_panic = policy;
        self
    }

    /// Whether SIGQUIT prints every live task and what it waits on, on standard error; the process goes on.
    /// `PIRN_DUMP=1` in the environment asks for it too.
    ///
    /// SIGQUIT has its former effect again when the runtime has been shut down. After
    /// [`signal::ignore`](crate::signal::ignore) or [`signal::reset`](crate::signal::reset) of it, the runtime
    /// prints no more: it has the effect that was asked for then.
    ///
    /// ```
    /// let runtime = pirn::Builder::new().dump_on_sigquit(true).build()?;
    /// pirn::signal::Signal::QUIT.raise();
    /// # drop(runtime);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn dump_on_sigquit(mut self, on: bool) -> Self {
        self.dump_on_sigquit = on;
        self
    }

    /// Whether the runtime leaves processors unused while other threads want the cores and it gets as much done without:
    /// beside a client, a proxy or a database on the same machine it serves more then, and sooner. On unless set.
    ///
    /// It is tried whenever the runtime's threads have waited for cores for a tenth of their time, by counting polls;
    /// what is found is relied on for 16 seconds of use at most, and for one when it is not crowded any more. A task
    /// that computes or blocks for some milliseconds ends it. [`Metrics::withheld`](crate::Metrics::withheld) says how
    /// many processors it is now. Without effect where the kernel does not tell who waits for a core (Linux does, in
    /// `/proc/self/task/*/schedstat`). Switch it off where a share of the cores matters more than what is done with it.
    ///
    /// ```
    /// let runtime = pirn::Builder::new().procs(2).yield_cores(false).build()?;
    /// assert_eq!(runtime.metrics().withheld, 0);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn yield_cores(mut self, on: bool) -> Self {
        self.yield_cores = on;
        self
    }

    /// Switches the watching thread off, so that a test can show what is lost without it.
    #[doc(hidden)]
    pub fn sysmon(mut self, on: bool) -> Self {
        self.sysmon = on;
        self
    }

    /// How long a surplus thread waits to be needed, so that a test need not wait for ten seconds.
    #[doc(hidden)]
    pub fn keep_alive(mut self, duration: Duration) -> Self {
        self.keep_alive = duration;
        self
    }

    /// Starts the runtime.
    ///
    /// # Errors
    /// `InvalidInput` for 0 processors or more than 65,536, for a `PIRN_PROCS` that is no such number, for a
    /// `PIRN_TRACE` that is not `sched=MS`, and for a thread name with a NUL; else what the system says when it refuses a
    /// descriptor, the first thread, or one that is to print. Nothing is left running.
    pub fn build(self) -> io::Result<Runtime> {
        Ok(Runtime::from_handle(Handle::new(self.build_shared()?)))
    }

    /// Makes this the configuration of the global runtime, which starts at its first use.
    ///
    /// # Errors
    /// `AlreadyExists`, with a [`GlobalAlreadyStarted`](crate::GlobalAlreadyStarted) inside, if the global runtime has been
    /// configured or used before. `InvalidInput` for what this builder was told and no runtime can have, as in
    /// [`build`](Self::build); nothing is configured then. What the environment and the system have to say is asked when it
    /// starts.
    pub fn install_global(self) -> io::Result<()> {
        self.check()?;
        global::install(self)
    }

    /// Whether a runtime can be as this builder was told.
    fn check(&self) -> io::Result<()> {
        match self.procs {
            Some(0) => {
                return Err(invalid("a runtime needs at least one processor; procs(0) was asked for".into()));
            }
            Some(procs) if procs > MAX_PROCS => {
                return Err(invalid(format!("a runtime has {MAX_PROCS} processors at most, not {procs}")));
            }
            _ => {}
        }
        match &self.thread_name {
            Some(name) if name.contains('\0') => {
                Err(invalid(format!("the name of a thread contains no NUL, but {name:?} does")))
            }
            _ => Ok(()),
        }
    }

    pub(crate) fn build_shared(self) -> io::Result<Arc<Shared>> {
        self.check()?;
        let procs = match self.procs {
            Some(procs) => procs,
            None => default_procs()?,
        };
        let trace = trace::asked_for()?;
        let shared = Shared::new(Config {
            procs,
            max_threads: self.max_threads.unwrap_or(DEFAULT_MAX_THREADS).max(procs + 2),
            thread_name: self.thread_name.unwrap_or_else(|| "pirn".into()),
            thread_stack_size: self.thread_stack_size,
            on_unhandled_panic: self.on_unhandled_panic,
            yield_cores: self.yield_cores,
            sysmon: self.sysmon,
            keep_alive: self.keep_alive,
        })?;
        let dumps = self.dump_on_sigquit || quit::is_asked_for();
        start_printing(&shared, trace, dumps).inspect_err(|_| {
            // Nothing has run yet, so nothing can be left.
            let _report = shared.shut_down(None, Duration::ZERO);
        })?;
        Ok(shared)
    }
}

/// Starts the threads that print what goes on inside a runtime, as far as they are asked for.
fn start_printing(shared: &Arc<Shared>, trace: Option<Duration>, dumps: bool) -> io::Result<()> {
    if let Some(interval) = trace {
        trace::start(shared, interval)?;
    }
    if dumps {
        quit::start(shared)?;
    }
    Ok(())
}

impl Default for Builder {
    fn default() -> Self {
        Self::new()
    }
}

fn default_procs() -> io::Result<usize> {
    let Some(asked) = env::var_os("PIRN_PROCS") else {
        // std honours the affinity mask and, on Linux, the quota of the cgroup.
        return Ok(thread::available_parallelism().map_or(1, usize::from));
    };
    match asked.to_str().and_then(|asked| asked.trim().parse().ok()) {
        Some(procs) if (1..=MAX_PROCS).contains(&procs) => Ok(procs),
        _ => Err(invalid(format!(
            "PIRN_PROCS must be a positive number, {MAX_PROCS} at most, not {asked:?}; it need not be set"
        ))),
    }
}

fn invalid(message: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, message)
}
