//! Timers beside those of tokio and smol: how late a sleep ends, and what a million of them cost.
//!
//! `cargo bench -p pirn-benches --bench timers [WORKLOAD …]`. Each figure comes from a process of its own, three rounds,
//! interleaved; the median counts, and the ratio to `pirn` stands beside it. All contenders have two workers.
//!
//! | workload | what | unit |
//! |----------|------|------|
//! | `accuracy` | 500 sleeps of 1 ms, one after the other: median lateness, and the 99th percentile | µs |
//! | `million` | a million tasks that sleep 0 to 1000 ms each: wall time, and CPU time | ms |
//! | `cancel` | a million pending sleeps are dropped, in a random order | ms |
//! | `timeout` | a million timeouts of a minute around a future that is pending once | ns each |

use std::future::Future;
use std::pin::Pin;
use std::process::Command;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

const CONTENDERS: [&str; 3] = ["pirn", "tokio", "smol"];
const WORKLOADS: [&str; 4] = ["accuracy", "million", "cancel", "timeout"];
const ROUNDS: usize = 3;
const MILLION: usize = 1_000_000;

/// One way to spawn and to sleep.
trait Contender: 'static {
    type Sleep: Future + Send;
    /// Runs `body` on two workers.
    fn run(body: impl Future<Output = ()> + Send + 'static);
    /// Starts a task; the future waits for its end.
    fn spawn(task: impl Future<Output = ()> + Send + 'static) -> impl Future<Output = ()> + Send;
    fn sleep(duration: Duration) -> Self::Sleep;
    /// True when `future` was in time.
    fn timeout(duration: Duration, future: impl Future + Send) -> impl Future<Output = bool> + Send;
}

struct Pirn;

impl Contender for Pirn {
    type Sleep = pirn::time::Sleep;
    fn run(body: impl Future<Output = ()> + Send + 'static) {
        let runtime = pirn::Builder::new().procs(2).build().expect("a runtime");
        runtime.block_on(Self::join(runtime.spawn(body)));
    }
    fn spawn(task: impl Future<Output = ()> + Send + 'static) -> impl Future<Output = ()> + Send {
        Self::join(pirn::spawn(task))
    }
    fn sleep(duration: Duration) -> Self::Sleep {
        pirn::time::sleep(duration)
    }
    async fn timeout(duration: Duration, future: impl Future + Send) -> bool {
        pirn::time::timeout(duration, future).await.is_ok()
    }
}

impl Pirn {
    async fn join(handle: pirn::JoinHandle<()>) {
        handle.await.expect("no panic");
    }
}

struct Tokio;

impl Contender for Tokio {
    type Sleep = tokio::time::Sleep;
    fn run(body: impl Future<Output = ()> + Send + 'static) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.expect("a runtime");
        runtime.block_on(Self::join(runtime.spawn(body)));
    }
    fn spawn(task: impl Future<Output = ()> + Send + 'static) -> impl Future<Output = ()> + Send {
        Self::join(tokio::spawn(task))
    }
    fn sleep(duration: Duration) -> Self::Sleep {
        tokio::time::sleep(duration)
    }
    async fn timeout(duration: Duration, future: impl Future + Send) -> bool {
        tokio::time::timeout(duration, future).await.is_ok()
    }
}

impl Tokio {
    async fn join(handle: tokio::task::JoinHandle<()>) {
        handle.await.expect("no panic");
    }
}

struct Smol;

impl Contender for Smol {
    type Sleep = smol::Timer;
    fn run(body: impl Future<Output = ()> + Send + 'static) {
        smol::block_on(smol::spawn(body));
    }
    fn spawn(task: impl Future<Output = ()> + Send + 'static) -> impl Future<Output = ()> + Send {
        smol::spawn(task)
    }
    fn sleep(duration: Duration) -> Self::Sleep {
        smol::Timer::after(duration)
    }
    async fn timeout(duration: Duration, future: impl Future + Send) -> bool {
        let inner = async {
            future.await;
            true
        };
        let limit = async {
            smol::Timer::after(duration).await;
            false
        };
        smol::future::or(inner, limit).await
    }
}

/// Named figures of one run.
type Figures = Vec<(&'static str, f64)>;

/// Runs `body` on the contender's workers and brings its figures out.
fn on<C: Contender>(body: impl Future<Output = Figures> + Send + 'static) -> Figures {
    let (sender, receiver) = std::sync::mpsc::channel();
    C::run(async move { sender.send(body.await).expect("the main thread waits") });
    receiver.recv().expect("the body ends")
}

/// Where each of `n` things goes when they are shuffled: the same every time.
fn scattered(n: usize) -> impl Iterator<Item = usize> {
    // A multiplier that is prime to n, so that every place is met once.
    (0..n).map(move |i| i * 618_033 % n)
}

async fn accuracy<C: Contender>() -> Figures {
    let mut late = Vec::new();
    for _ in 0..500 {
        let start = Instant::now();
        C::sleep(Duration::from_millis(1)).await;
        late.push(start.elapsed().as_secs_f64() * 1e6 - 1_000.0);
    }
    late.sort_by(f64::total_cmp);
    vec![("accuracy p50 us", late[250]), ("accuracy p99 us", late[495])]
}

async fn million<C: Contender>() -> Figures {
    let (start, cpu) = (Instant::now(), cpu_time());
    let sleeps = scattered(MILLION).map(|n| Duration::from_nanos(n as u64 * 1_000));
    let tasks: Vec<_> = sleeps.map(|d| C::spawn(async move { drop(C::sleep(d).await) })).collect();
    for task in tasks {
        task.await;
    }
    let cpu = cpu_time() - cpu;
    vec![
        ("million wall ms", start.elapsed().as_secs_f64() * 1e3),
        ("million cpu ms", cpu.as_secs_f64() * 1e3),
    ]
}

async fn cancel<C: Contender>() -> Figures {
    let mut cx = Context::from_waker(Waker::noop());
    let mut sleeps: Vec<Option<Pin<Box<C::Sleep>>>> = Vec::new();
    for n in 0..MILLION {
        let mut sleep = Box::pin(C::sleep(Duration::from_secs(60) + Duration::from_micros(n as u64)));
        assert!(sleep.as_mut().poll(&mut cx).is_pending());
        sleeps.push(Some(sleep));
    }
    let start = Instant::now();
    for n in scattered(MILLION) {
        sleeps[n] = None;
    }
    vec![("cancel ms", start.elapsed().as_secs_f64() * 1e3)]
}

async fn timeout<C: Contender>() -> Figures {
    let start = Instant::now();
    for _ in 0..MILLION {
        let mut polls = 0;
        let twice = std::future::poll_fn(|cx: &mut Context<'_>| {
            polls += 1;
            cx.waker().wake_by_ref();
            if polls == 2 { Poll::Ready(()) } else { Poll::Pending }
        });
        assert!(C::timeout(Duration::from_secs(60), twice).await);
    }
    vec![("timeout ns", start.elapsed().as_secs_f64() * 1e9 / MILLION as f64)]
}

fn measure<C: Contender>(workload: &str) -> Figures {
    match workload {
        "accuracy" => on::<C>(accuracy::<C>()),
        "million" => on::<C>(million::<C>()),
        "cancel" => on::<C>(cancel::<C>()),
        "timeout" => on::<C>(timeout::<C>()),
        other => panic!("no workload is called {other}: {WORKLOADS:?}"),
    }
}

/// What this process has used of all processors.
fn cpu_time() -> Duration {
    // SAFETY: all zeroes is a valid `rusage`, plain numbers, and the call writes to nothing else.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        assert_eq!(libc::getrusage(libc::RUSAGE_SELF, &mut usage), 0);
        usage
    };
    let of = |t: libc::timeval| Duration::new(t.tv_sec as u64, t.tv_usec as u32 * 1_000);
    of(usage.ru_utime) + of(usage.ru_stime)
}

/// The figures of one contender, taken in a fresh process.
fn in_a_process(contender: &str, workload: &str) -> Vec<(String, f64)> {
    let me = std::env::current_exe().expect("the path of this program");
    let output = Command::new(me)
        .args(["--measure", contender, workload])
        .env("SMOL_THREADS", "2")
        .output()
        .expect("this program starts again");
    assert!(output.status.success(), "{contender} {workload}: {}", String::from_utf8_lossy(&output.stderr));
    let line =
        |line: &str| line.rsplit_once(' ').map(|(name, n)| (name.to_owned(), n.parse().expect("a number")));
    String::from_utf8_lossy(&output.stdout).lines().filter_map(line).collect()
}

fn compare(workload: &str) {
    let mut rounds = vec![Vec::new(); CONTENDERS.len()];
    for _ in 0..ROUNDS {
        for (figures, contender) in rounds.iter_mut().zip(CONTENDERS) {
            figures.push(in_a_process(contender, workload));
        }
    }
    let median = |contender: usize, figure: usize| {
        let mut all: Vec<f64> = rounds[contender].iter().map(|round| round[figure].1).collect();
        all.sort_by(f64::total_cmp);
        all[ROUNDS / 2]
    };
    for (figure, (name, _)) in rounds[0][0].iter().enumerate() {
        print!("{name:<18}");
        for (contender, name) in CONTENDERS.iter().enumerate() {
            let value = median(contender, figure);
            print!("  {name} {value:>8.1} ({:>5.2}x)", value / median(0, figure));
        }
        println!();
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    if let [flag, contender, workload] = arguments.as_slice()
        && flag == "--measure"
    {
        let figures = match contender.as_str() {
            "pirn" => measure::<Pirn>(workload),
            "tokio" => measure::<Tokio>(workload),
            _ => measure::<Smol>(workload),
        };
        figures.iter().for_each(|(name, value)| println!("{name} {value}"));
        return;
    }
    let chosen: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let workloads = if chosen.is_empty() { WORKLOADS.to_vec() } else { chosen };
    workloads.into_iter().for_each(compare);
}
