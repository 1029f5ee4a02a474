//! Runs the built programs, each under a hard time limit.

#![allow(dead_code, reason = "each test file uses its own part of this")]

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long a program may take here. They take a second at most; a loaded machine may need many times that.
const TIME_LIMIT: Duration = Duration::from_secs(60);

/// What a program left behind.
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    pub(crate) fn code(&self) -> Option<i32> {
        self.status.code()
    }

    /// Fails unless the program ended with this exit code.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code(), Some(code), "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    pub(crate) fn last_line(&self) -> &str {
        self.stdout.lines().last().unwrap_or_default()
    }
}

/// The program `name`, as `cargo test` builds it beside the tests.
pub(crate) fn program(name: &str) -> Command {
    command(path(name))
}

/// The program `name` under what the shell's `ulimit` does with these words.
pub(crate) fn limited(name: &str, limit: &str) -> Command {
    let mut shell = command("sh");
    shell.args(["-c", &format!("ulimit {limit} && exec \"$0\" \"$@\"")]).arg(path(name));
    shell
}

fn command(path: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(path);
    // A test sets what it means to test; what happens to be set around it is not that.
    command.env_remove("PIRN_PROCS").env_remove("PIRN_TRACE").env_remove("RUST_BACKTRACE");
    command
}

/// The program `name`, whose standard output takes nothing: it is on a disk that is full.
pub(crate) fn program_that_cannot_write(name: &str) -> Command {
    with_full_disk(name, r#"exec "$0" "$@" >/dev/full"#)
}

/// The program `name`, whose standard error takes nothing.
pub(crate) fn program_that_cannot_complain(name: &str) -> Command {
    with_full_disk(name, r#"exec "$0" "$@" 2>/dev/full"#)
}

fn with_full_disk(name: &str, script: &str) -> Command {
    let mut command = command("sh");
    command.args(["-c", script]).arg(path(name));
    command
}

pub(crate) fn path(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("this test has a path");
    let built = test.ancestors().nth(2).expect("tests are built into deps/, beside examples/");
    let path = built.join("examples").join(name);
    let sources = Path::new(env!("CARGO_MANIFEST_DIR"));
    let source = [format!("{name}.rs"), format!("{name}/main.rs")].map(|source| sources.join(source));
    let written =
        source.iter().find_map(|source| source.metadata().ok()).map(|source| source.modified().unwrap());
    let built = path.metadata().ok().map(|path| path.modified().unwrap());
    let message =
        "is not built, or older than its source; `cargo test -p pirn-examples` without `--test` builds it";
    assert!(built >= written, "{} {message}", path.display());
    path
}

/// Runs a program to its end.
#[track_caller]
pub(crate) fn run(command: &mut Command) -> Ended {
    Running::start(command).end()
}

/// Starts a server on a free port of this machine, and returns it with its address.
pub(crate) fn serve(name: &str, arguments: &[&str]) -> (Running, String) {
    serve_as(program(name), arguments)
}

/// The same with a command that starts it.
pub(crate) fn serve_as(mut command: Command, arguments: &[&str]) -> (Running, String) {
    let running = Running::start(command.args(["--listen", "127.0.0.1:0"]).args(arguments));
    let address = running.output_after("listening on ");
    (running, address)
}

/// Sends this again and again, until nothing more fits between here and there; how much of it has arrived there.
pub(crate) fn fill(stream: &mut TcpStream, with: &[u8]) -> usize {
    stream.set_write_timeout(Some(Duration::from_millis(100))).unwrap();
    let mut sent = 0;
    while let Ok(count) = stream.write(with) {
        sent += count;
    }
    let mut waits: libc::c_int = 0;
    // SAFETY: the kernel writes one number, into a variable that lives longer than the call.
    assert_eq!(unsafe { libc::ioctl(stream.as_raw_fd(), libc::TIOCOUTQ, &raw mut waits) }, 0);
    sent - waits as usize
}

/// What has been written to a pipe so far.
#[derive(Default)]
struct Text {
    bytes: Mutex<Vec<u8>>,
    more: Condvar,
}

/// A program on its way. Its outputs are read all the time, so that a full pipe never stops it.
pub(crate) struct Running {
    child: Child,
    stdout: Pipe,
    stderr: Pipe,
}

impl Running {
    pub(crate) fn start(command: &mut Command) -> Self {
        Self::start_with(command, b"")
    }

    /// Starts a program with this on its standard input, which then ends.
    pub(crate) fn start_with(command: &mut Command, input: &[u8]) -> Self {
        let mut running = Self::start_open(command);
        let mut stdin = running.child.stdin.take().expect("it was piped");
        let input = input.to_vec();
        // On a thread, because a program may write much before it has read all.
        std::thread::spawn(move || stdin.write_all(&input));
        running
    }

    /// Starts a program whose standard input stays open for as long as it runs.
    pub(crate) fn start_open(command: &mut Command) -> Self {
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let stdout = Pipe::new(child.stdout.take().expect("it was piped"));
        let stderr = Pipe::new(child.stderr.take().expect("it was piped"));
        Self { child, stdout, stderr }
    }

    pub(crate) fn stdin(&mut self) -> &mut impl Write {
        self.child.stdin.as_mut().expect("it was left open")
    }

    /// Waits until the program has written this to its standard error.
    pub(crate) fn wait_for(&self, what: &str) {
        self.stderr.wait_for(what);
    }

    /// Waits until the program has written this to its standard output.
    pub(crate) fn wait_for_output(&self, what: &str) {
        self.stdout.wait_for(what);
    }

    /// The rest of the line on standard output that begins with this; waits for it.
    pub(crate) fn output_after(&self, what: &str) -> String {
        self.stdout.line_after(what)
    }

    pub(crate) fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", signal, &pid]).status().expect("kill is there");
        assert!(sent.success(), "the program has ended already");
    }

    /// Waits for the end; a program that is late is killed and fails the test.
    #[track_caller]
    pub(crate) fn end(mut self) -> Ended {
        let begun = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("the child is ours") {
                break Some(status);
            }
            if begun.elapsed() > TIME_LIMIT {
                break None;
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        if status.is_none() {
            self.child.kill().expect("the child is ours");
            self.child.wait().expect("the child is ours");
        }
        let (stdout, stderr) = (self.stdout.all(), self.stderr.all());
        let Some(status) = status else {
            panic!("no end after {TIME_LIMIT:?}\nstdout:\n{stdout}\nstderr:\n{stderr}");
        };
        Ended { status, stdout, stderr }
    }
}

impl Drop for Running {
    /// A test that fails, or has seen what it wanted, leaves no program behind.
    fn drop(&mut self) {
        let _ended_already = self.child.kill();
        let _ended_already = self.child.wait();
    }
}

/// One of a program's outputs, with the thread that reads it.
struct Pipe {
    text: Arc<Text>,
    reader: JoinHandle<()>,
}

impl Pipe {
    fn new(mut pipe: impl Read + Send + 'static) -> Self {
        let text = Arc::new(Text::default());
        let into = text.clone();
        let reader = std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            loop {
                match pipe.read(&mut buffer).expect("a pipe can be read") {
                    0 => break,
                    read => into.bytes.lock().unwrap().extend_from_slice(&buffer[..read]),
                }
                into.more.notify_all();
            }
        });
        Self { text, reader }
    }

    fn line_after(&self, what: &str) -> String {
        let rest = |bytes: &[u8]| {
            let text = String::from_utf8_lossy(bytes).into_owned();
            let (line, _) = text.split_once(what)?.1.split_once('\n')?;
            Some(line.to_owned())
        };
        let bytes = self.text.bytes.lock().unwrap();
        let (bytes, _) =
            self.text.more.wait_timeout_while(bytes, TIME_LIMIT, |bytes| rest(bytes).is_none()).unwrap();
        rest(&bytes).unwrap_or_else(|| panic!("no {what:?} in {}", String::from_utf8_lossy(&bytes)))
    }

    fn wait_for(&self, what: &str) {
        let bytes = self.text.bytes.lock().unwrap();
        let absent = |bytes: &mut Vec<u8>| !String::from_utf8_lossy(bytes).contains(what);
        let (bytes, late) = self.text.more.wait_timeout_while(bytes, TIME_LIMIT, absent).unwrap();
        assert!(!late.timed_out(), "no {what:?} in {}", String::from_utf8_lossy(&bytes));
    }

    /// What has been written by the end; or soon after it, where somebody else holds the pipe open.
    fn all(&self) -> String {
        let begun = Instant::now();
        while !self.reader.is_finished() && begun.elapsed() < Duration::from_secs(5) {
            std::thread::sleep(Duration::from_millis(1));
        }
        String::from_utf8_lossy(&self.text.bytes.lock().unwrap()).into_owned()
    }
}
