//! Files and directories: std's functions, each as a blocking job.
//!
//! Everything here is a future that makes one blocking call on a thread which holds no processor (see
//! [`Job`]). The names, arguments and errors are those of [`std::fs`].
//!
//! | to do this | use | jobs |
//! |---|---|---|
//! | a whole file | [`read`], [`read_to_string`], [`write`](fn@write) | one |
//! | a file in pieces | [`File`], [`OpenOptions`] | one per buffer |
//! | the entries of a directory | [`read_dir`] | one per batch of entries |
//! | anything else | [`metadata`], [`rename`], … | one |
//!
//! Dropping one of these futures before its first poll leaves the disk alone; afterwards the call runs to its
//! end unseen.

mod dir;
mod file;
mod job;
mod open_options;

use std::fs::{Metadata, Permissions};
use std::io;
use std::path::{Path, PathBuf};

pub use dir::{DirEntry, NextEntry, ReadDir, read_dir};
pub use file::{File, Settled};
pub use job::Job;
pub use open_options::OpenOptions;

/// The whole content of a file.
///
/// # Errors
/// As [`std::fs::read`].
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// pirn::block_on(async {
///     let path = std::env::temp_dir().join(format!("pirn-doc-{}", std::process::id()));
///     pirn::fs::write(&path, "two words").await?;
///     assert_eq!(pirn::fs::read(&path).await?, b"two words");
///     pirn::fs::remove_file(&path).await
/// })
/// # }
/// ```
#[track_caller]
pub fn read(path: impl AsRef<Path>) -> Job<Vec<u8>> {
    with_path(path, |path| std::fs::read(path))
}

/// The whole content of a text file.
///
/// # Errors
/// As [`std::fs::read_to_string`]; `InvalidData` if it is not UTF-8.
#[track_caller]
pub fn read_to_string(path: impl AsRef<Path>) -> Job<String> {
    with_path(path, |path| std::fs::read_to_string(path))
}

/// Makes a file, or replaces its content.
///
/// # Errors
/// As [`std::fs::write`].
#[track_caller]
pub fn write(path: impl AsRef<Path>, content: impl AsRef<[u8]>) -> Job<()> {
    let content = content.as_ref().to_owned();
    with_path(path, move |path| std::fs::write(path, content))
}

/// Makes a directory.
///
/// # Errors
/// As [`std::fs::create_dir`].
#[track_caller]
pub fn create_dir(path: impl AsRef<Path>) -> Job<()> {
    with_path(path, |path| std::fs::create_dir(path))
}

/// Makes a directory and those above it that are missing.
///
/// # Errors
/// As [`std::fs::create_dir_all`].
#[track_caller]
pub fn create_dir_all(path: impl AsRef<Path>) -> Job<()> {
    with_path(path, |path| std::fs::create_dir_all(path))
}

/// Removes an empty directory.
///
/// # Errors
/// As [`std::fs::remove_dir`].
#[track_caller]
pub fn remove_dir(path: impl AsRef<Path>) -> Job<()> {
    with_path(path, |path| std::fs::remove_dir(path))
}

/// Removes a directory and everything below it.
///
/// # Errors
/// As [`std::fs::remove_dir_all`].
#[track_caller]
pub fn remove_dir_all(path: impl AsRef<Path>) -> Job<()> {
    with_path(path, |path| std::fs::remove_dir_all(path))
}

/// Removes a file.
///
/// # Errors
/// As [`std::fs::remove_file`].
#[track_caller]
pub fn remove_file(path: impl AsRef<Path>) -> Job<()> {
    with_path(path, |path| std::fs::remove_file(path))
}

/// What the system knows of a file; follows symbolic links.
///
/// # Errors
/// As [`std::fs::metadata`].
#[track_caller]
pub fn metadata(path: impl AsRef<Path>) -> Job<Metadata> {
    with_path(path, |path| std::fs::metadata(path))
}

/// As [`metadata`], of a symbolic link itself.
///
/// # Errors
/// As [`std::fs::symlink_metadata`].
#[track_caller]
pub fn symlink_metadata(path: impl AsRef<Path>) -> Job<Metadata> {
    with_path(path, |path| std::fs::symlink_metadata(path))
}

/// Whether there is something at `path`.
///
/// # Errors
/// As [`std::fs::exists`].
#[track_caller]
pub fn try_exists(path: impl AsRef<Path>) -> Job<bool> {
    with_path(path, |path| path.try_exists())
}

/// The absolute path, without symbolic links.
///
/// # Errors
/// As [`std::fs::canonicalize`].
#[track_caller]
pub fn canonicalize(path: impl AsRef<Path>) -> Job<PathBuf> {
    with_path(path, |path| std::fs::canonicalize(path))
}

/// Where a symbolic link points.
///
/// # Errors
/// As [`std::fs::read_link`].
#[track_caller]
pub fn read_link(path: impl AsRef<Path>) -> Job<PathBuf> {
    with_path(path, |path| std::fs::read_link(path))
}

/// Changes who may do what with a file.
///
/// # Errors
/// As [`std::fs::set_permissions`].
#[track_caller]
pub fn set_permissions(path: impl AsRef<Path>, permissions: Permissions) -> Job<()> {
    with_path(path, move |path| std::fs::set_permissions(path, permissions))
}

/// Renames a file, replacing what is at `to`.
///
/// # Errors
/// As [`std::fs::rename`].
#[track_caller]
pub fn rename(from: impl AsRef<Path>, to: impl AsRef<Path>) -> Job<()> {
    let to = to.as_ref().to_owned();
    with_path(from, move |from| std::fs::rename(from, to))
}

/// Copies a file's content and permissions; returns the number of bytes.
///
/// # Errors
/// As [`std::fs::copy`].
#[track_caller]
pub fn copy(from: impl AsRef<Path>, to: impl AsRef<Path>) -> Job<u64> {
    let to = to.as_ref().to_owned();
    with_path(from, move |from| std::fs::copy(from, to))
}

/// Gives a file a second name.
///
/// # Errors
/// As [`std::fs::hard_link`].
#[track_caller]
pub fn hard_link(original: impl AsRef<Path>, link: impl AsRef<Path>) -> Job<()> {
    let link = link.as_ref().to_owned();
    with_path(original, move |original| std::fs::hard_link(original, link))
}

/// Makes a symbolic link to `original`.
///
/// # Errors
/// As [`std::os::unix::fs::symlink`].
#[track_caller]
pub fn symlink(original: impl AsRef<Path>, link: impl AsRef<Path>) -> Job<()> {
    let link = link.as_ref().to_owned();
    with_path(original, move |original| std::os::unix::fs::symlink(original, link))
}

#[track_caller]
fn with_path<T: Send + 'static>(
    path: impl AsRef<Path>,
    call: impl FnOnce(&Path) -> io::Result<T> + Send + Sync + 'static,
) -> Job<T> {
    let path = path.as_ref().to_owned();
    Job::new(move || call(&path))
}
