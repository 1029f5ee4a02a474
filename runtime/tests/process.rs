//! Processes: every promise of `pirn::process`, one test each.

#[path = "net/support.rs"]
mod support;

use std::io::ErrorKind;
use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

use pirn::io::{AsyncReadExt, AsyncWriteExt};
use pirn::process::{Child, Command, Stdio};
use support::run;

fn shell(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.arg("-c").arg(script);
    command
}

/// The letter of the process's state, `None` when there is no such process.
fn state(pid: u32) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}

async fn until_gone(pid: u32) {
    while state(pid).is_some() {
        pirn::time::sleep(Duration::from_millis(1)).await;
    }
}

#[test]
fn the_status_tells_how_the_child_ended() {
    run(async {
        assert_eq!(shell("exit 3").status().await?.code(), Some(3));
        assert_eq!(shell("kill -TERM $$").status().await?.signal(), Some(libc::SIGTERM));
        assert!(shell("true").status().await?.success());
        Ok(())
    });
}

#[test]
fn output_of_more_than_a_pipe_holds_is_collected_from_both_streams() {
    run(async {
        // 1 MiB into each, in turns: whoever read one stream to its end first would wait for ever.
        let script = "i=0; while [ $i -lt 64 ]; do head -c 16384 /dev/zero; head -c 16384 /dev/zero >&2; i=$((i+1)); done";
        let output = shell(script).output().await?;
        assert!(output.status.success());
        assert_eq!((output.stdout.len(), output.stderr.len()), (1 << 20, 1 << 20));
        Ok(())
    });
}

#[test]
fn pipes_carry_bytes_both_ways() {
    run(async {
        let mut child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let (mut input, mut output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let sent: Vec<u8> = (0..1_000_000_u32).map(|number| (number % 251) as u8).collect();
        let expected = sent.clone();
        let writer = pirn::spawn(async move {
            input.write_all(&sent).await?;
            input.close().await
        });
        let mut received = Vec::new();
        output.read_to_end(&mut received).await?;
        writer.await.unwrap()?;
        assert!(received == expected);
        assert!(child.wait().await?.success());
        Ok(())
    });
}

#[test]
fn a_wait_closes_the_childs_input_and_answers_again() {
    run(async {
        let mut child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn()?;
        let status = child.wait().await?;
        assert!(status.success());
        assert_eq!(child.wait().await?, status);
        assert_eq!(child.id(), None, "the number may be another's now");
        child.kill()?;
        Ok(())
    });
}

#[test]
fn a_cancelled_wait_can_be_repeated() {
    run(async {
        let mut child = shell("read line").stdin(Stdio::piped()).spawn()?;
        let input = child.stdin.take().unwrap();
        support::assert_pending(child.wait());
        assert!(child.try_wait()?.is_none());
        drop(input);
        assert_eq!(child.wait().await?.code(), Some(1));
        Ok(())
    });
}

#[test]
fn kill_ends_the_child() {
    run(async {
        let mut child = shell("exec sleep 1000").spawn()?;
        child.kill()?;
        assert_eq!(child.wait().await?.signal(), Some(libc::SIGKILL));
        Ok(())
    });
}

#[test]
fn kill_on_drop_kills_and_leaves_no_zombie() {
    run(async {
        let child: Child = Command::new("sleep").arg("1000").kill_on_drop(true).spawn()?;
        let pid = child.id().unwrap();
        drop(child);
        until_gone(pid).await;
        Ok(())
    });
}

#[test]
fn a_dropped_child_lives_on_and_leaves_no_zombie() {
    run(async {
        for _ in 0..3 {
            let mut child =
                shell("read line; echo $line").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
            let (pid, mut input, mut output) =
                (child.id().unwrap(), child.stdin.take().unwrap(), child.stdout.take().unwrap());
            drop(child);
            input.write_all(b"alive\n").await?;
            let mut said = String::new();
            output.read_to_string(&mut said).await?;
            assert_eq!(said, "alive\n", "it was not killed");
            until_gone(pid).await;
        }
        Ok(())
    });
}

#[test]
fn a_child_has_the_timers_that_any_other_has() {
    fn slack() -> Command {
        let mut command = Command::new("cat");
        command.arg("/proc/self/timerslack_ns");
        command
    }
    run(async {
        let ordinary = std::thread::spawn(|| slack().as_std_mut().output()).join().unwrap()?;
        assert!(ordinary.status.success());
        let one = pirn::spawn(async { slack().output().await });
        let two = pirn::spawn_blocking(|| pirn::block_on(slack().output()));
        for output in [one.await, two.await] {
            assert_eq!(output.unwrap()?.stdout, ordinary.stdout);
        }
        Ok(())
    });
}

#[test]
fn a_program_that_is_not_there_is_an_error() {
    run(async {
        let error = Command::new("/no/such/program").status().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert_eq!(Command::new("/no/such/program").spawn().unwrap_err().kind(), ErrorKind::NotFound);
        Ok(())
    });
}

#[test]
fn the_environment_and_the_directory_are_as_they_were_set() {
    run(async {
        let mut command = shell("echo $ONE $TWO $THREE $HOME; pwd; cut -d' ' -f5 /proc/$$/stat");
        command.env("ONE", "1").envs([("TWO", "2"), ("THREE", "3")]).env_remove("HOME");
        let mut child = command.current_dir("/").process_group(0).stdout(Stdio::piped()).spawn()?;
        let (pid, mut said) = (child.id().unwrap(), String::new());
        child.stdout.take().unwrap().read_to_string(&mut said).await?;
        assert!(child.wait().await?.success());
        let words: Vec<_> = said.split_whitespace().collect();
        assert_eq!(words, ["1", "2", "3", "/", &pid.to_string()], "a directory and a group of its own");

        let mut bare = Command::new("/usr/bin/env");
        bare.env("GONE", "1").env_clear().env("LEFT", "2");
        assert_eq!(bare.output().await?.stdout, b"LEFT=2\n");
        Ok(())
    });
}

#[test]
fn output_leaves_the_streams_that_were_set_and_replaces_the_others_for_once() {
    run(async {
        let mut cat = Command::new("cat");
        assert_eq!(cat.output().await?.stdout, b"", "its input is empty");
        let (ours, theirs) = std::io::pipe()?;
        let mut chosen = shell("cat; echo out; echo err >&2");
        chosen.stdin(Stdio::from({
            let (reader, mut writer) = std::io::pipe()?;
            std::io::Write::write_all(&mut writer, b"in\n")?;
            reader
        }));
        chosen.stdout(theirs.try_clone()?).stderr(theirs);
        let output = chosen.output().await?;
        drop(chosen);
        assert_eq!((output.stdout.len(), output.stderr.len()), (0, 0), "they went where they were sent");
        let mut said = String::new();
        std::io::Read::read_to_string(&mut { ours }, &mut said)?;
        assert_eq!(said, "in\nout\nerr\n");
        Ok(())
    });
}

#[test]
fn a_status_closes_an_input_that_nobody_can_write_to() {
    run(async {
        assert!(Command::new("cat").stdin(Stdio::piped()).status().await?.success());
        Ok(())
    });
}

#[test]
fn streams_that_output_replaced_are_inherited_afterwards() {
    run(async {
        let mut command = shell("true");
        assert!(command.output().await?.status.success());
        let mut child = command.spawn()?;
        assert!(child.stdin.is_none() && child.stdout.is_none() && child.stderr.is_none());
        assert!(child.wait().await?.success());
        Ok(())
    });
}
