//! [`OpenOptions`]: std's, with an `open` that does not block.

use std::os::unix::fs::OpenOptionsExt;
use std::panic::Location;
use std::path::Path;

use super::{File, Job};

/// How to open a file; see [`std::fs::OpenOptions`] for what each option means.
///
/// ```no_run
/// # async fn append() -> std::io::Result<()> {
/// use pirn::io::AsyncWriteExt;
///
/// let mut log = pirn::fs::OpenOptions::new().create(true).append(true).open("log").await?;
/// log.write_all(b"one more line\n").await?;
/// log.flush().await
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct OpenOptions(std::fs::OpenOptions);

impl OpenOptions {
    /// Nothing is allowed yet.
    #[expect(clippy::new_without_default, reason = "the same face as std's, which has no default either")]
    pub fn new() -> Self {
        Self(std::fs::OpenOptions::new())
    }

    /// May it be read?
    pub fn read(&mut self, yes: bool) -> &mut Self {
        self.0.read(yes);
        self
    }

    /// May it be written?
    pub fn write(&mut self, yes: bool) -> &mut Self {
        self.0.write(yes);
        self
    }

    /// Does every write go to the end?
    pub fn append(&mut self, yes: bool) -> &mut Self {
        self.0.append(yes);
        self
    }

    /// Is its content thrown away?
    pub fn truncate(&mut self, yes: bool) -> &mut Self {
        self.0.truncate(yes);
        self
    }

    /// Is it made when it is missing?
    pub fn create(&mut self, yes: bool) -> &mut Self {
        self.0.create(yes);
        self
    }

    /// Is it an error when it is there already?
    pub fn create_new(&mut self, yes: bool) -> &mut Self {
        self.0.create_new(yes);
        self
    }

    /// The permissions of a file that is made.
    pub fn mode(&mut self, mode: u32) -> &mut Self {
        self.0.mode(mode);
        self
    }

    /// Further flags of open(2).
    pub fn custom_flags(&mut self, flags: i32) -> &mut Self {
        self.0.custom_flags(flags);
        self
    }

    /// Opens the file.
    ///
    /// # Errors
    /// As [`std::fs::OpenOptions::open`].
    #[track_caller]
    pub fn open(&self, path: impl AsRef<Path>) -> Job<File> {
        let (options, path, at) = (self.0.clone(), path.as_ref().to_owned(), Location::caller());
        Job::new(move || options.open(path).map(|file| File::opened_at(at, file)))
    }
}
