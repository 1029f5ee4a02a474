//! The Go program in `benches/go`: found, built once, and started like any other run.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The built program.
pub(crate) struct Go(PathBuf);

impl Go {
    /// Builds it with the toolchain that `GO` names, or the one on `PATH`; `None` if there is neither.
    pub(crate) fn build() -> Result<Option<Self>, String> {
        let tool = env::var_os("GO").unwrap_or_else(|| OsString::from("go"));
        if Command::new(&tool).arg("version").output().is_err() {
            return Ok(None);
        }
        let program = target().join("pirn-benches-go");
        let mut command = Command::new(&tool);
        command.current_dir(source()).args(["build", "-o"]).arg(&program).arg(".");
        let built = command.output().map_err(|error| format!("go build: {error}"))?;
        if built.status.success() {
            Ok(Some(Self(program)))
        } else {
            Err(format!("go build: {}", String::from_utf8_lossy(&built.stderr)))
        }
    }

    /// A run of it, beside its source: what it needs for that lies there.
    pub(crate) fn command(&self, row: &str, procs: usize) -> Command {
        let mut command = Command::new(&self.0);
        command.current_dir(source()).args([row, &procs.to_string()]);
        command
    }
}

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("go")
}

/// Where this program was built: the Go program lies beside it.
fn target() -> PathBuf {
    let me = env::current_exe().unwrap_or_default();
    me.parent().map_or_else(env::temp_dir, Path::to_path_buf)
}
