//! [`Command`]: what to run, and how. The methods are std's.

use std::ffi::OsStr;
use std::io;
use std::path::Path;

use super::{Child, CollectOutput, Status, Stdio};
use crate::thread;

/// Describes a process to start, as [`std::process::Command`] does.
///
/// What has no method here can be set through [`as_std_mut`](Self::as_std_mut).
#[derive(Debug)]
pub struct Command {
    std: std::process::Command,
    kill_on_drop: bool,
    /// Which of the three streams the user has set; [`output`](Self::output) decides about the others.
    chosen: Chosen,
}

#[derive(Clone, Copy, Debug, Default)]
struct Chosen {
    stdin: bool,
    stdout: bool,
    stderr: bool,
}

impl Command {
    /// Runs `program`, found along `PATH`, without arguments, with this process's environment, directory and
    /// streams.
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        Self::from(std::process::Command::new(program))
    }

    /// Adds an argument.
    pub fn arg(&mut self, arg: impl AsRef<OsStr>) -> &mut Self {
        self.std.arg(arg);
        self
    }

    /// Adds several arguments.
    pub fn args<S: AsRef<OsStr>>(&mut self, args: impl IntoIterator<Item = S>) -> &mut Self {
        self.std.args(args);
        self
    }

    /// Sets a variable of the environment.
    pub fn env(&mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> &mut Self {
        self.std.env(name, value);
        self
    }

    /// Sets several variables of the environment.
    pub fn envs<K: AsRef<OsStr>, V: AsRef<OsStr>>(
        &mut self,
        vars: impl IntoIterator<Item = (K, V)>,
    ) -> &mut Self {
        self.std.envs(vars);
        self
    }

    /// Removes a variable of the environment.
    pub fn env_remove(&mut self, name: impl AsRef<OsStr>) -> &mut Self {
        self.std.env_remove(name);
        self
    }

    /// Empties the environment.
    pub fn env_clear(&mut self) -> &mut Self {
        self.std.env_clear();
        self
    }

    /// Sets the working directory.
    pub fn current_dir(&mut self, dir: impl AsRef<Path>) -> &mut Self {
        self.std.current_dir(dir);
        self
    }

    /// What the child reads from.
    pub fn stdin(&mut self, stdin: impl Into<Stdio>) -> &mut Self {
        self.chosen.stdin = true;
        self.std.stdin(stdin);
        self
    }

    /// Where the child's output goes.
    pub fn stdout(&mut self, stdout: impl Into<Stdio>) -> &mut Self {
        self.chosen.stdout = true;
        self.std.stdout(stdout);
        self
    }

    /// Where the child's errors go.
    pub fn stderr(&mut self, stderr: impl Into<Stdio>) -> &mut Self {
        self.chosen.stderr = true;
        self.std.stderr(stderr);
        self
    }

    /// Puts the child into a process group: 0 makes one of its own, which Ctrl-C does not reach.
    pub fn process_group(&mut self, group: i32) -> &mut Self {
        std::os::unix::process::CommandExt::process_group(&mut self.std, group);
        self
    }

    /// Kills the child when its [`Child`], or the future of [`status`](Self::status) or
    /// [`output`](Self::output), is dropped before it has ended. Off unless set: a child is left to itself.
    pub fn kill_on_drop(&mut self, yes: bool) -> &mut Self {
        self.kill_on_drop = yes;
        self
    }

    /// Std's command, for what has no method here.
    pub fn as_std(&self) -> &std::process::Command {
        &self.std
    }

    /// Std's command, for what has no method here. Streams are better set here: std does not tell which it has
    /// been given, so [`output`](Self::output) replaces those.
    pub fn as_std_mut(&mut self) -> &mut std::process::Command {
        &mut self.std
    }

    /// Starts the process; streams that were set to [`Stdio::piped`] are fields of the [`Child`]. Takes as
    /// long as the system needs to make a process, some hundred microseconds.
    ///
    /// # Errors
    /// As [`std::process::Command::spawn`]; when there is no descriptor left to watch the child with, or no room to watch
    /// its pipes (it is killed then).
    #[track_caller]
    pub fn spawn(&mut self) -> io::Result<Child> {
        Child::new(thread::with_ordinary_timers(|| self.std.spawn())?, self.kill_on_drop)
    }

    /// Starts the process, at once, and waits for its end.
    ///
    /// # Errors
    /// Those of [`spawn`](Self::spawn) and [`Child::wait`].
    #[track_caller]
    pub fn status(&mut self) -> Status {
        Status::new(self.spawn())
    }

    /// Starts the process, at once, waits for its end and collects what it writes. Its input is empty, unless
    /// set otherwise. However much it writes, it never waits for us: both streams are read as they fill.
    ///
    /// Streams count as set if [`stdin`](Self::stdin), [`stdout`](Self::stdout) or [`stderr`](Self::stderr) set
    /// them. Whatever was set through [`as_std_mut`](Self::as_std_mut), or before the conversion from std's
    /// command, is replaced for this process, and inherited by those that are started after it.
    ///
    /// # Errors
    /// Those of [`spawn`](Self::spawn), of reading, and of [`Child::wait`].
    #[track_caller]
    pub fn output(&mut self) -> CollectOutput {
        let chosen = self.chosen;
        if !chosen.stdin {
            self.std.stdin(Stdio::null());
        }
        if !chosen.stdout {
            self.std.stdout(Stdio::piped());
        }
        if !chosen.stderr {
            self.std.stderr(Stdio::piped());
        }
        let child = self.spawn();
        if !chosen.stdin {
            self.std.stdin(Stdio::inherit());
        }
        if !chosen.stdout {
            self.std.stdout(Stdio::inherit());
        }
        if !chosen.stderr {
            self.std.stderr(Stdio::inherit());
        }
        CollectOutput::new(child)
    }
}

impl From<std::process::Command> for Command {
    /// Takes over all settings. [`output`](Self::output) replaces streams that were set before.
    fn from(std: std::process::Command) -> Self {
        Self { std, kill_on_drop: false, chosen: Chosen::default() }
    }
}
