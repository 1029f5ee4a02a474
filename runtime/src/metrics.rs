//! The counters of a runtime.

use crate::sched::Shared;

/// The counters of one runtime at one moment: always on, since each is a plain store by its owner.
///
/// ```
/// let runtime = pirn::Builder::new().procs(2).build()?;
/// runtime.block_on(async { pirn::spawn(async {}).await.unwrap() });
/// let metrics = runtime.metrics();
/// assert_eq!((metrics.procs.len(), metrics.spawned, metrics.live_tasks), (2, 1, 0));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Metrics {
    /// Those of each processor. More than [`procs`](crate::Runtime::procs) if some were retired or are lent.
    pub procs: Vec<ProcMetrics>,
    /// Processors that are left unused while other threads want the cores
    /// ([`Builder::yield_cores`](crate::Builder::yield_cores)).
    pub withheld: usize,
    /// Tasks that have not ended. The future of a `block_on` is none.
    pub live_tasks: usize,
    /// Tasks ever spawned.
    pub spawned: u64,
    /// Threads that live, those that block included, sysmon not.
    pub threads: usize,
    /// Tasks in the injector.
    pub injector_len: usize,
    /// Timers that are pending.
    pub timers: usize,
    /// Descriptors registered with the netpoller.
    pub descriptors: usize,
}

/// The counters of one processor.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ProcMetrics {
    /// Polls of tasks.
    pub polls: u64,
    /// Times it took work from another.
    pub steals: u64,
    /// Tasks in its run queue.
    pub local_queue_len: usize,
    /// Times it was put down because there was nothing to do.
    pub parks: u64,
    /// Times it was given away by a task that blocked on purpose.
    pub handoffs: u64,
}

impl Shared {
    pub(crate) fn metrics(&self) -> Metrics {
        if self.has_ended() {
            return Metrics::default();
        }
        Metrics {
            procs: self.proc_metrics(),
            withheld: self.withheld(),
            live_tasks: self.live_tasks(),
            spawned: self.spawned(),
            threads: self.threads(),
            injector_len: self.injector_len(),
            timers: self.timer_count(),
            descriptors: self.netpoll.len(),
        }
    }

    fn proc_metrics(&self) -> Vec<ProcMetrics> {
        self.processors()
            .iter()
            .map(|remote| ProcMetrics {
                polls: remote.counters().polls(),
                steals: remote.counters().steals(),
                local_queue_len: remote.queue_len(),
                parks: remote.counters().parks(),
                handoffs: remote.counters().handoffs(),
            })
            .collect()
    }
}
