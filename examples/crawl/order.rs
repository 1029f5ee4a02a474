//! The order in which `find` goes through a directory, so that ours is the same.
//!
//! It is the order in which the kernel lists the entries, with one exception: a directory of more than ten thousand
//! entries is sorted by inode number, in portions of a hundred thousand, because reading inodes in their order saves a
//! disk much seeking; except where there is no disk below, in memory or behind a network.

use std::fs::{self, DirEntry};
use std::io;
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::DirEntryExt;
use std::path::Path;

const LARGE: usize = 10_000;
const PORTION: usize = 100_000;

/// A directory's entries, the last one first.
pub(crate) fn entries(dir: &Path) -> io::Result<Vec<DirEntry>> {
    let mut entries = fs::read_dir(dir)?.collect::<io::Result<Vec<_>>>()?;
    for portion in entries.chunks_mut(PORTION) {
        if portion.len() > LARGE && is_on_a_disk(dir) {
            portion.sort_by_key(DirEntryExt::ino);
        }
    }
    entries.reverse();
    Ok(entries)
}

/// The file systems that find knows not to be on a disk of this machine, by the numbers that the kernel gives them.
const ELSEWHERE: [u32; 5] = [
    0x0102_1994, // tmpfs
    0x6969,      // NFS
    0x517B,      // SMB
    0xFE53_4D42, // SMB 2
    0xFF53_4D42, // CIFS
];

fn is_on_a_disk(dir: &Path) -> bool {
    let Ok(path) = std::ffi::CString::new(dir.as_os_str().as_bytes()) else { return true };
    let mut told = MaybeUninit::<libc::statfs>::uninit();
    // SAFETY: the path is a C string, and there is room for the answer.
    let result = unsafe { libc::statfs(path.as_ptr(), told.as_mut_ptr()) };
    if result != 0 {
        return true;
    }
    // SAFETY: `statfs` returned 0, so it has written the answer.
    let kind = unsafe { told.assume_init() }.f_type;
    !ELSEWHERE.contains(&(kind as u32))
}
