//! Files: every promise of `pirn::fs`, one test each.

#[path = "net/support.rs"]
mod support;

use std::collections::BTreeSet;
use std::ffi::CString;
use std::io::{ErrorKind, SeekFrom};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use futures_core::FusedStream;
use pirn::fs;
use pirn::io::{AsyncBufReadExt, AsyncReadExt, AsyncSeekExt, AsyncWriteExt, BufReader};
use support::{poll_once, run};

/// A directory of the test's own, removed at its end.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("pirn-fs-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn whole_files_come_back_as_they_were_written() {
    run(async {
        let scratch = Scratch::new("whole");
        let (path, other) = (scratch.join("a"), scratch.join("b"));
        fs::write(&path, "some text").await?;
        assert_eq!(fs::read_to_string(&path).await?, "some text");
        fs::rename(&path, &other).await?;
        assert_eq!(fs::read(&other).await?, b"some text");
        assert_eq!(fs::metadata(&other).await?.len(), 9);
        assert!(!fs::try_exists(&path).await?);
        fs::remove_file(&other).await?;
        assert_eq!(fs::read(&other).await.unwrap_err().kind(), ErrorKind::NotFound);
        Ok(())
    });
}

#[test]
fn a_directory_of_many_batches_is_read_whole() {
    run(async {
        let scratch = Scratch::new("dir");
        let names: BTreeSet<String> = (0..200).map(|number| format!("file-{number}")).collect();
        for name in &names {
            std::fs::write(scratch.join(name), "")?;
        }
        let mut found = BTreeSet::new();
        let mut entries = fs::read_dir(&scratch.0).await?;
        while let Some(entry) = entries.next_entry().await? {
            assert!(entry.file_type().await?.is_file());
            assert!(found.insert(entry.file_name().into_string().unwrap()), "no entry comes twice");
        }
        assert_eq!(found, names);
        Ok(())
    });
}

#[test]
fn a_directory_is_terminated_behind_its_last_entry() {
    run(async {
        let scratch = Scratch::new("ended");
        std::fs::write(scratch.join("only"), "")?;
        let mut entries = fs::read_dir(&scratch.0).await?;
        assert!(!entries.is_terminated());
        assert!(entries.next_entry().await?.is_some());
        assert!(entries.is_terminated(), "the only batch was not full");
        assert!(entries.next_entry().await?.is_none());
        Ok(())
    });
}

#[test]
fn a_file_is_read_written_and_sought() {
    run(async {
        let scratch = Scratch::new("file");
        let path = scratch.join("file");
        let mut options = fs::OpenOptions::new();
        let mut file = options.read(true).write(true).create(true).open(&path).await?;
        file.write_all(b"one two three").await?;
        file.seek(SeekFrom::Start(4)).await?;
        let mut word = [0; 3];
        file.read_exact(&mut word).await?;
        assert_eq!(&word, b"two");
        assert_eq!(file.seek(SeekFrom::Current(0)).await?, 7, "the position is the user's, not the job's");
        file.write_all(b" 2").await?;
        file.flush().await?;
        assert_eq!(std::fs::read(&path)?, b"one two 2hree");
        file.set_len(3).await?;
        assert_eq!(file.metadata().await?.len(), 3);
        Ok(())
    });
}

#[test]
fn a_cancelled_file_read_loses_no_byte() {
    run(async {
        let scratch = Scratch::new("cancel");
        let path = scratch.join("file");
        std::fs::write(&path, "abcdef")?;
        let mut file = fs::File::open(&path).await?;
        let mut buf = [0; 2];
        // Whether the job is done at the first poll or not: its bytes are the file's next ones.
        let mut text = match poll_once(file.read(&mut buf)) {
            Some(count) => String::from_utf8(buf[..count?].to_vec()).unwrap(),
            None => String::new(),
        };
        let mut rest = String::new();
        file.read_to_string(&mut rest).await?;
        text.push_str(&rest);
        assert_eq!(text, "abcdef");
        Ok(())
    });
}

#[test]
fn a_seek_that_fails_moves_nothing() {
    run(async {
        let scratch = Scratch::new("seek");
        let path = scratch.join("file");
        let bytes: Vec<u8> = (0..200).collect();
        std::fs::write(&path, &bytes)?;
        let mut file = fs::File::open(&path).await?;
        // The file's own position is now ahead of ours, unless the job was done at the first poll.
        let mut position = poll_once(file.read(&mut [0; 100])).transpose()?.unwrap_or(0);
        for by in [-1_000, i64::MIN] {
            let mut buf = [0; 10];
            file.read_exact(&mut buf).await?;
            position += 10;
            assert_eq!(buf, bytes[position - 10..position]);
            let error = file.seek(SeekFrom::Current(by)).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            assert_eq!(file.read(&mut buf[..1]).await?, 1);
            position += 1;
            assert_eq!(buf[0], bytes[position - 1]);
        }
        Ok(())
    });
}

#[test]
fn an_error_of_a_write_is_told_by_the_next_operation() {
    run(async {
        let mut full = fs::OpenOptions::new().write(true).open("/dev/full").await?;
        let written = full.write(b"x").await;
        let error = match written {
            Err(error) => error,
            Ok(_) => full.flush().await.unwrap_err(),
        };
        assert_eq!(error.kind(), ErrorKind::StorageFull);
        full.flush().await?;
        Ok(())
    });
}

#[test]
fn an_error_of_an_operation_that_was_dropped_is_told_to_nobody() {
    run(async {
        let mut directory = fs::File::open("/").await?;
        // Neither works on a directory. A job that is done at the first poll has told its future.
        let _ = poll_once(directory.read(&mut [0; 8]));
        assert!(directory.metadata().await?.is_dir());
        let _ = poll_once(directory.seek(SeekFrom::Current(-1_000)));
        assert!(directory.metadata().await?.is_dir());
        Ok(())
    });
}

#[test]
fn a_write_to_a_pipe_loses_no_byte_that_a_cancelled_read_has_fetched() {
    run(async {
        // A terminal is such a file too: read and written through one handle, and without a position.
        let scratch = Scratch::new("pipe");
        let path = scratch.join("pipe");
        let name = CString::new(path.as_os_str().as_bytes())?;
        // SAFETY: the name ends with a zero and lives through the call.
        assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0);
        let mut pipe = fs::OpenOptions::new().read(true).write(true).open(&path).await?;
        pipe.write_all(b"abcdef").await?;
        pipe.flush().await?;
        let mut buf = [0; 3];
        let taken = poll_once(pipe.read(&mut buf)).transpose()?.unwrap_or(0);
        pipe.write_all(b"ghi").await?;
        pipe.flush().await?;
        let mut rest = [0; 9];
        pipe.read_exact(&mut rest[taken..]).await?;
        rest[..taken].copy_from_slice(&buf[..taken]);
        assert_eq!(&rest, b"abcdefghi");
        Ok(())
    });
}

#[test]
fn an_operation_that_is_never_polled_does_nothing() {
    run(async {
        let scratch = Scratch::new("lazy");
        let path = scratch.join("kept");
        std::fs::write(&path, "kept")?;
        drop(fs::remove_file(&path));
        assert_eq!(fs::read(&path).await?, b"kept");
        Ok(())
    });
}

#[test]
fn lines_of_a_large_file_arrive_in_order() {
    run(async {
        let scratch = Scratch::new("lines");
        let path = scratch.join("lines");
        let text: String = (0..20_000).map(|number| format!("line {number}\n")).collect();
        std::fs::write(&path, &text)?;
        let mut reader = BufReader::new(fs::File::open(&path).await?);
        let (mut line, mut number) = (String::new(), 0);
        while reader.read_line(&mut line).await? > 0 {
            assert_eq!(line, format!("line {number}\n"));
            number += 1;
            line.clear();
        }
        assert_eq!(number, 20_000);
        Ok(())
    });
}

#[test]
fn what_comes_after_a_cancelled_read_begins_where_its_user_is() {
    run(async {
        let scratch = Scratch::new("behind");
        let path = scratch.join("file");
        std::fs::write(&path, "abcdef")?;
        let mut file = fs::OpenOptions::new().read(true).write(true).open(&path).await?;
        // Whether the job is done at the first poll or not.
        let taken = poll_once(file.read(&mut [0; 2])).transpose()?.unwrap_or(0);
        file.write_all(b"XY").await?;
        let mut rest = String::new();
        file.read_to_string(&mut rest).await?;
        assert_eq!(rest, "abcdef"[taken + 2..]);
        file.seek(SeekFrom::Start(0)).await?;
        let taken = poll_once(file.read(&mut [0; 2])).transpose()?.unwrap_or(0);
        assert_eq!(file.seek(SeekFrom::Current(1)).await?, taken as u64 + 1);
        Ok(())
    });
}

#[test]
fn permissions_are_set_through_an_open_file() {
    run(async {
        let scratch = Scratch::new("mode");
        let path = scratch.join("file");
        let mut file = fs::File::create(&path).await?;
        let mut permissions = file.metadata().await?.permissions();
        permissions.set_readonly(true);
        file.set_permissions(permissions).await?;
        assert!(std::fs::metadata(&path)?.permissions().readonly());
        file.sync_all().await?;
        file.sync_data().await
    });
}
