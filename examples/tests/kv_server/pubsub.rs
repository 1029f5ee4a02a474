//! Publish and subscribe, and what becomes of a subscriber that does not read.

use std::io::Read;
use std::time::Instant;

use crate::{PATIENCE, Server};

#[test]
fn messages_reach_channels_and_patterns() {
    let server = Server::start(&[]);
    let (mut listener, mut speaker) = (server.client(), server.client());
    let mut pubsub = listener.0.as_pubsub();
    pubsub.set_read_timeout(Some(PATIENCE)).unwrap();
    pubsub.subscribe(&["news", "sport"]).unwrap();
    pubsub.psubscribe("n*").unwrap();
    // The client takes the answer to the second of two channels for that to the pattern, and goes on too early.
    let begun = Instant::now();
    while speaker.say("pubsub numpat") != "1" {
        assert!(begun.elapsed() < PATIENCE, "the pattern was never subscribed to");
    }
    speaker.table(&[
        ("publish news one", "2"),
        ("publish sport two", "1"),
        ("publish nothing three", "1"),
        ("publish other four", "0"),
        ("pubsub numsub news other", "[\"news\" 1 \"other\" 0]"),
        ("pubsub numpat", "1"),
        ("pubsub channels n*", "[\"news\"]"),
    ]);
    let mut heard = Vec::new();
    for _ in 0..4 {
        let message = pubsub.get_message().unwrap();
        let payload: String = message.get_payload().unwrap();
        heard.push((message.get_channel_name().to_owned(), message.from_pattern(), payload));
    }
    heard.sort();
    let expected =
        [("news", false, "one"), ("news", true, "one"), ("nothing", true, "three"), ("sport", false, "two")];
    let expected = expected.map(|(channel, pattern, text)| (channel.to_owned(), pattern, text.to_owned()));
    assert_eq!(heard, expected);
    pubsub.unsubscribe(&["news", "sport"]).unwrap();
    pubsub.punsubscribe("n*").unwrap();
    // The library does not wait until it is confirmed.
    speaker.until("publish news five", "0");
}

#[test]
fn a_subscriber_may_say_little() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    raw.send("SUBSCRIBE a b\r\n");
    raw.expect("*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n*3\r\n$9\r\nsubscribe\r\n$1\r\nb\r\n:2\r\n");
    raw.send("GET x\r\n");
    raw.expect("-ERR Can't execute 'get': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context\r\n");
    raw.send("CLIENT ID\r\n");
    raw.expect("-ERR Can't execute 'client|id': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context\r\n");
    raw.send("CLIENT x\r\n");
    raw.expect("-ERR unknown subcommand 'x'. Try CLIENT HELP.\r\n");
    raw.send("PING\r\nPING x\r\n");
    raw.expect("*2\r\n$4\r\npong\r\n$0\r\n\r\n*2\r\n$4\r\npong\r\n$1\r\nx\r\n");
    raw.send("UNSUBSCRIBE a\r\nPUNSUBSCRIBE\r\n");
    raw.expect("*3\r\n$11\r\nunsubscribe\r\n$1\r\na\r\n:1\r\n*3\r\n$12\r\npunsubscribe\r\n$-1\r\n:1\r\n");
    raw.send("UNSUBSCRIBE\r\nGET x\r\nUNSUBSCRIBE\r\n");
    raw.expect(
        "*3\r\n$11\r\nunsubscribe\r\n$1\r\nb\r\n:0\r\n$-1\r\n*3\r\n$11\r\nunsubscribe\r\n$-1\r\n:0\r\n",
    );
    raw.send("PSUBSCRIBE x*\r\nRESET\r\nPING\r\n");
    raw.expect("*3\r\n$10\r\npsubscribe\r\n$2\r\nx*\r\n:1\r\n+RESET\r\n+PONG\r\n");
}

#[test]
fn messages_come_in_the_order_in_which_they_were_published() {
    let server = Server::start(&["--procs", "2"]);
    let (mut listener, mut speaker) = (server.client(), server.client());
    let mut pubsub = listener.0.as_pubsub();
    pubsub.set_read_timeout(Some(PATIENCE)).unwrap();
    pubsub.subscribe("c").unwrap();
    let mut pipe = redis::pipe();
    (0..5000).for_each(|number| {
        pipe.cmd("PUBLISH").arg("c").arg(number).ignore();
    });
    let () = pipe.query(&mut speaker.0).unwrap();
    for number in 0..5000 {
        assert_eq!(pubsub.get_message().unwrap().get_payload::<i32>().unwrap(), number);
    }
}

#[test]
fn a_slow_subscriber_is_cut_off_and_the_others_go_on() {
    let server = Server::start(&["--pubsub-limit", "1mb"]);
    let (mut slow, mut quick) = (server.raw(), server.raw());
    for raw in [&mut slow, &mut quick] {
        raw.send("SUBSCRIBE c\r\n");
        raw.expect("*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n");
    }
    let mut speaker = server.client();
    let payload = "x".repeat(100_000);
    let message = format!("*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$100000\r\n{payload}\r\n");
    // The kernel's own buffers take a few megabytes before the server sees that nobody reads.
    let mut published = 0;
    while speaker.say(&format!("publish c {payload}")) == "2" {
        quick.expect(&message);
        published += 1;
        assert!(published < 1000, "a hundred megabytes wait for a subscriber that may have one");
    }
    quick.expect(&message);
    speaker.until("pubsub numsub c", "[\"c\" 1]");
    let mut got = Vec::new();
    // What was sent before may come; the end does.
    let _ = slow.0.read_to_end(&mut got);
    assert!(got.len() < published * message.len());
    assert!(server.stop().stderr.contains("too slow"));
}

#[test]
fn many_slow_subscribers_cannot_use_up_the_memory() {
    let server = Server::start(&["--maxmemory", "10mb"]);
    // Each has a pattern of its own, so that they share no message.
    let slow: Vec<_> = (1..=20)
        .map(|stars| {
            let mut raw = server.raw();
            raw.send(format!("PSUBSCRIBE {}\r\n", "*".repeat(stars)));
            raw.expect("*3\r\n$10\r\npsubscribe\r\n");
            raw
        })
        .collect();
    let mut speaker = server.client();
    let command = format!("publish c {}", "x".repeat(60_000));
    // The kernel's own buffers take a few megabytes for each; what is more has to wait in the server.
    while speaker.say(&command) != "0" {
        let used = speaker.info("used_memory");
        assert!(used < 40 << 20, "{used} bytes are used");
    }
    speaker.until("pubsub numpat", "0");
    drop(slow);
}

#[test]
fn a_subscriber_that_goes_is_forgotten() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    raw.send("SUBSCRIBE c\r\n");
    raw.expect("*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n");
    drop(raw);
    server.client().until("pubsub channels", "[]");
}

#[test]
fn nothing_reaches_a_subscriber_that_has_left() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    raw.send("SUBSCRIBE c\r\nQUIT\r\n");
    raw.expect("*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n+OK\r\n");
    assert_eq!(raw.0.read(&mut [0]).unwrap(), 0);
    // It has not closed its side, and the server still waits for that.
    assert_eq!(server.client().say("publish c m"), "0");
    drop(raw);
}
