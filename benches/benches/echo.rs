//! TCP echo over loopback, beside tokio and a thread per connection: what `examples/echo_server.rs` does, for
//! each of them.
//!
//! `cargo bench -p pirn-benches --bench echo [-- CONNECTIONS …]` (64 and 1,000 unless told). 64 bytes there and
//! back, server and clients in one process; the async contenders have two workers. Each figure comes from a
//! process of its own, three rounds, interleaved; the median counts. The clock starts when all are connected: a
//! connection that still waits for its turn to be accepted takes no part, and would flatter the rest.
//!
//! The floor is the kernel's: some 11 µs of processor time for two writes and two reads, so two cores cannot pass
//! 180,000 round trips a second whatever the runtime does.

use std::io;
use std::net::SocketAddr;
use std::process::Command;
use std::time::{Duration, Instant};

const CONTENDERS: [&str; 3] = ["pirn", "tokio", "threads"];
const ROUNDS: usize = 3;
const TIME: Duration = Duration::from_millis(1_500);
const SIZE: usize = 64;

/// Round trips of one run.
type Trips = Vec<Duration>;

/// An async contender: the same program, whose `spawn`, `TcpStream` and I/O traits are the runtime's.
macro_rules! contender {
    ($name:ident, $runtime:expr, $spawn:path, { $($imports:item)+ }) => {
        mod $name {
            use super::*;
            $($imports)+

            pub(crate) fn run(connections: usize) -> Trips {
                let runtime = $runtime.expect("a runtime");
                let main = runtime.spawn(echo(connections));
                runtime.block_on(main).expect("no panic").expect("no error")
            }

            async fn echo(connections: usize) -> io::Result<Trips> {
                let listener = TcpListener::bind("127.0.0.1:0").await?;
                let address = listener.local_addr()?;
                $spawn(async move {
                    while let Ok((stream, _)) = listener.accept().await {
                        $spawn(serve(stream));
                    }
                });
                let connecting: Vec<_> = (0..connections).map(|_| $spawn(connect(address))).collect();
                let mut streams = Vec::new();
                for stream in connecting {
                    streams.push(stream.await.expect("no panic")?);
                }
                let end = Instant::now() + TIME;
                let clients: Vec<_> = streams.into_iter().map(|stream| $spawn(client(stream, end))).collect();
                let mut trips = Trips::new();
                for client in clients {
                    trips.extend(client.await.expect("no panic")?);
                }
                Ok(trips)
            }

            async fn serve(mut stream: TcpStream) -> io::Result<()> {
                stream.set_nodelay(true)?;
                let mut buf = [0; 4096];
                loop {
                    let count = stream.read(&mut buf).await?;
                    if count == 0 {
                        return Ok(());
                    }
                    stream.write_all(&buf[..count]).await?;
                }
            }

            async fn connect(address: SocketAddr) -> io::Result<TcpStream> {
                let stream = TcpStream::connect(address).await?;
                stream.set_nodelay(true)?;
                Ok(stream)
            }

            async fn client(mut stream: TcpStream, end: Instant) -> io::Result<Trips> {
                let (message, mut answer, mut trips) = ([7; SIZE], [0; SIZE], Trips::new());
                while Instant::now() < end {
                    let sent = Instant::now();
                    stream.write_all(&message).await?;
                    stream.read_exact(&mut answer).await?;
                    trips.push(sent.elapsed());
                }
                Ok(trips)
            }
        }
    };
}

contender!(on_pirn, pirn::Builder::new().procs(2).build(), pirn::spawn, {
    use pirn::io::{AsyncReadExt, AsyncWriteExt};
    use pirn::net::{TcpListener, TcpStream};
});

contender!(
    on_tokio,
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build(),
    tokio::spawn,
    {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        use tokio::net::{TcpListener, TcpStream};
    }
);

mod on_threads {
    use super::*;
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::thread;

    pub(crate) fn run(connections: usize) -> Trips {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        start(move || listener.incoming().flatten().for_each(|stream| drop(start(move || serve(stream)))));
        let connecting: Vec<_> = (0..connections).map(|_| start(move || connect(address))).collect();
        let streams: Vec<_> = connecting.into_iter().map(join).collect();
        let end = Instant::now() + TIME;
        let clients: Vec<_> = streams.into_iter().map(|stream| start(move || client(stream, end))).collect();
        clients.into_iter().flat_map(join).collect()
    }

    fn start<T: Send + 'static>(body: impl FnOnce() -> T + Send + 'static) -> thread::JoinHandle<T> {
        thread::Builder::new().stack_size(64 * 1024).spawn(body).expect("a thread")
    }

    fn join<T>(thread: thread::JoinHandle<io::Result<T>>) -> T {
        thread.join().expect("no panic").expect("no error")
    }

    fn serve(mut stream: TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let mut buf = [0; 4096];
        loop {
            let count = stream.read(&mut buf)?;
            if count == 0 {
                return Ok(());
            }
            stream.write_all(&buf[..count])?;
        }
    }

    fn connect(address: SocketAddr) -> io::Result<TcpStream> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    fn client(mut stream: TcpStream, end: Instant) -> io::Result<Trips> {
        let (message, mut answer, mut trips) = ([7; SIZE], [0; SIZE], Trips::new());
        while Instant::now() < end {
            let sent = Instant::now();
            stream.write_all(&message)?;
            stream.read_exact(&mut answer)?;
            trips.push(sent.elapsed());
        }
        Ok(trips)
    }
}

/// Round trips per second and the 99th percentile in microseconds, taken in a fresh process.
fn in_a_process(contender: &str, connections: usize) -> (f64, f64) {
    let me = std::env::current_exe().expect("the path of this program");
    let arguments = ["--measure".to_owned(), contender.to_owned(), connections.to_string()];
    let output = Command::new(me).args(arguments).output().expect("this program starts again");
    assert!(output.status.success(), "{contender}: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut numbers = text.split_whitespace().map(|number| number.parse().expect("a number"));
    (numbers.next().expect("a rate"), numbers.next().expect("a time"))
}

fn measure(contender: &str, connections: usize) {
    let mut trips = match contender {
        "pirn" => on_pirn::run(connections),
        "tokio" => on_tokio::run(connections),
        _ => on_threads::run(connections),
    };
    trips.sort_unstable();
    let p99 = trips[trips.len() * 99 / 100];
    println!("{} {}", trips.len() as f64 / TIME.as_secs_f64(), p99.as_secs_f64() * 1e6);
}

fn compare(connections: usize) {
    let mut rounds = vec![Vec::new(); CONTENDERS.len()];
    for _ in 0..ROUNDS {
        for (figures, contender) in rounds.iter_mut().zip(CONTENDERS) {
            figures.push(in_a_process(contender, connections));
        }
    }
    let median = |contender: usize, figure: fn(&(f64, f64)) -> f64| {
        let mut all: Vec<f64> = rounds[contender].iter().map(figure).collect();
        all.sort_by(f64::total_cmp);
        all[ROUNDS / 2]
    };
    println!("{connections} connections");
    for (contender, name) in CONTENDERS.iter().enumerate() {
        let (rate, p99) = (median(contender, |run| run.0), median(contender, |run| run.1));
        let (ours, our_p99) = (median(0, |run| run.0), median(0, |run| run.1));
        println!(
            "  {name:<8} {rate:>9.0} round trips/s ({:.2}x)   p99 {p99:>9.0} us ({:.2}x)",
            rate / ours,
            p99 / our_p99
        );
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    if let [flag, contender, connections] = arguments.as_slice()
        && flag == "--measure"
    {
        return measure(contender, connections.parse().expect("a number of connections"));
    }
    let chosen = arguments.iter().map(|number| number.parse().expect("a number of connections"));
    let chosen: Vec<usize> = chosen.collect();
    let connections = if chosen.is_empty() { vec![64, 1_000] } else { chosen };
    connections.into_iter().for_each(compare);
}
