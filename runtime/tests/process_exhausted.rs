//! A child that is dropped while there is no descriptor to be had. Alone in its process, whose limit it lowers.

use pirn::process::{Command, Stdio};

#[path = "common/mod.rs"]
mod common;
use common::{eventually, within};

#[test]
fn children_dropped_without_a_free_descriptor_leave_no_zombies() {
    within(30, || {
        pirn::block_on(async {
            let mut read = Command::new("sh");
            read.args(["-c", "read line"]).stdin(Stdio::piped());
            let mut children = [read.spawn().unwrap(), read.spawn().unwrap()];
            let (numbers, inputs) = (
                children.each_ref().map(|child| child.id().unwrap()),
                children.each_mut().map(|child| child.stdin.take()),
            );
            limit_descriptors(256);
            let mut hoard = Vec::new();
            while let Ok(file) = std::fs::File::open("/dev/null") {
                hoard.push(file);
            }
            drop(children);
            hoard.clear();
            // Last come, first gone: neither may have to wait for the other.
            for (number, input) in numbers.into_iter().zip(inputs).rev() {
                assert!(is_there(number), "it was not killed");
                drop(input);
                eventually(|| !is_there(number));
            }
        });
    });
}

/// Whether there is a process, alive or a zombie.
fn is_there(number: u32) -> bool {
    std::path::Path::new(&format!("/proc/{number}")).exists()
}

fn limit_descriptors(limit: u64) {
    let limit = libc::rlimit { rlim_cur: limit, rlim_max: limit };
    // SAFETY: `limit` lives through the call.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) }, 0);
}
