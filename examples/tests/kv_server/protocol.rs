//! Bytes as they are: inline commands, requests in pieces, noise, and announcements that nothing follows.

use std::io::Write;
use std::net::Shutdown;

use crate::Server;

#[test]
fn a_person_may_type() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    raw.send("\r\nPING\r\nset k \"a\\x20b\"\nGET k\r\n");
    raw.expect("+PONG\r\n+OK\r\n$3\r\na b\r\n");
}

#[test]
fn a_request_may_come_in_pieces() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    for byte in b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\nab\r\nc\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\n" {
        raw.send([*byte]);
    }
    raw.expect("+OK\r\n$5\r\nab\r\nc\r\n");
}

#[test]
fn what_cannot_be_understood_ends_the_connection_and_says_why() {
    let server = Server::start(&[]);
    for (bytes, error) in [
        ("*2147483648\r\n", "invalid multibulk length"),
        ("*x\r\n", "invalid multibulk length"),
        ("*1\r\n$536870913\r\n", "invalid bulk length"),
        ("*1\r\n$-1\r\n", "invalid bulk length"),
        ("*1\r\n+PING\r\n", "expected '$', got '+'"),
        ("SET \"k\r\n", "unbalanced quotes in request"),
    ] {
        let mut raw = server.raw();
        raw.send(format!("PING\r\n{bytes}PING\r\n"));
        assert_eq!(raw.rest(), format!("+PONG\r\n-ERR Protocol error: {error}\r\n"), "{bytes:?}");
    }
    let mut raw = server.raw();
    raw.send(vec![b'x'; 70_000]);
    assert_eq!(raw.rest(), "-ERR Protocol error: too big inline request\r\n");
    assert_eq!(server.client().say("ping"), "PONG");
}

#[test]
fn a_request_has_as_many_arguments_as_there_is_memory_for() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    raw.send(format!("*2000001\r\n$6\r\nEXISTS\r\n{}", "$1\r\nk\r\n".repeat(2_000_000)));
    raw.send("PING\r\n");
    raw.expect(":0\r\n+PONG\r\n");
}

#[test]
fn errors_quote_bytes_as_they_came_and_up_to_a_nul() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    let mut ask = |request: &[&[u8]], error: &[u8]| {
        let mut bytes = format!("*{}\r\n", request.len()).into_bytes();
        for argument in request {
            bytes.extend([format!("${}\r\n", argument.len()).as_bytes(), argument, b"\r\n"].concat());
        }
        raw.send(bytes);
        raw.expect([b"-ERR ", error, b"\r\n"].concat());
    };
    for (said, quoted) in [
        (&b"\xff\xfe"[..], &b"\xff\xfe"[..]),
        ("\u{e9}".as_bytes(), "\u{e9}".as_bytes()),
        (b"a\0b", b"a"),
        (b"a\r\nb", b"a  b"),
        (b"\x01\x7f'", b"\x01\x7f'"),
        (b"", b""),
        // A limit in bytes may cut a character in two.
        (&b"\xc3\xa9".repeat(64), &b"\xc3\xa9".repeat(64)),
    ] {
        let unknown = [b"unknown command '", quoted, b"', with args beginning with: "].concat();
        ask(&[said], &unknown);
        let begin = &[b"'", quoted, b"' "].concat();
        ask(&[b"x", said], &[b"unknown command 'x', with args beginning with: ", &begin[..]].concat());
        ask(&[b"client", said], &[b"unknown subcommand '", quoted, b"'. Try CLIENT HELP."].concat());
        ask(&[b"hello", b"2", said], &[b"Syntax error in HELLO option '", quoted, b"'"].concat());
        ask(&[b"expire", b"k", b"1", said], &[b"Unsupported option ", quoted].concat());
    }
    let long = b"x".repeat(200);
    ask(&[&long], &[b"unknown command '", &long[..128], b"', with args beginning with: "].concat());
    ask(&[b"client", &long], &[b"unknown subcommand '", &long[..128], b"'. Try CLIENT HELP."].concat());
    ask(&[b"hello", b"2", &long], &[b"Syntax error in HELLO option '", &long[..], b"'"].concat());
    ask(&[b"expire", b"k", b"1", &long], &[b"Unsupported option ", &long[..]].concat());
    ask(&[b"expire", b"k", b"1", b"a\r\n"], b"Unsupported option a");
    raw.send(b"*1\r\n\xff\r\n");
    raw.expect(b"-ERR Protocol error: expected '$', got '\xff'\r\n");
}

#[test]
fn a_line_with_a_nul_is_never_executed() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    raw.send("SET k a\0b\r\nSET k v\r\n");
    raw.send("PING\r\n".repeat(11_000));
    assert_eq!(raw.rest(), "-ERR Protocol error: too big inline request\r\n");
    assert_eq!(server.client().say("get k"), "nil");
}

#[test]
fn a_browser_cannot_be_made_to_send_commands() {
    let server = Server::start(&[]);
    // A page may have a browser send what it likes to this machine, but only behind a head of HTTP.
    for head in ["POST / HTTP/1.1\r\nHost: a\r\n\r\n", "GET / HTTP/1.1\r\nhost: a\r\n\r\n"] {
        let mut raw = server.raw();
        raw.send(format!("{head}SET k v\r\nPING\r\n"));
        // Nor does it hear anything, not even of the lines before the one that gives it away.
        assert_eq!(raw.rest(), "", "{head}");
    }
    assert_eq!(server.client().say("get k"), "nil");
}

#[test]
fn noise_does_no_harm() {
    let server = Server::start(&[]);
    // A small generator of our own: the noise is the same in every run.
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    for _ in 0..200 {
        let length = random() % 2000;
        let mut noise: Vec<u8> = (0..length).map(|_| random() as u8).collect();
        if random() % 2 == 0 {
            noise.insert(0, b'*');
        }
        let mut raw = server.raw();
        // The server may close while we write.
        let _ = raw.0.write_all(&noise);
        let _ = raw.0.shutdown(Shutdown::Write);
    }
    let mut client = server.client();
    // All but the one who asks are gone.
    let alone = client.say("client info");
    client.until("client list", &alone);
    assert!(server.stop().stderr.contains("closing a connection"));
}

#[test]
fn what_is_announced_but_does_not_come_costs_nothing() {
    let server = Server::start(&[]);
    let mut client = server.client();
    let before = client.info("used_memory");
    let raws: Vec<_> = (0..50)
        .map(|_| {
            let mut raw = server.raw();
            raw.send("*2147483647\r\n$3\r\nSET\r\n$536870912\r\nabc");
            raw
        })
        .collect();
    client.until("config get timeout", "[\"timeout\" \"0\"]");
    let used = client.info("used_memory").saturating_sub(before);
    assert!(used < 4 << 20, "{used} bytes for 25 GB that were announced");
    drop(raws);
}

#[test]
fn a_client_that_only_sends_waits_for_itself() {
    let server = Server::start(&[]);
    let mut client = server.client();
    client.say(&format!("set k {}", "x".repeat(100_000)));
    let before = client.info("used_memory");
    let raw = server.raw();
    raw.0.set_nonblocking(true).unwrap();
    let request = "GET k\r\n".repeat(1000);
    // A hundred gigabytes of replies are asked for; none is read.
    let mut asked = 0;
    for _ in 0..1000 {
        match (&raw.0).write(request.as_bytes()) {
            Ok(written) => asked += written,
            Err(_) => std::thread::sleep(std::time::Duration::from_millis(1)),
        }
    }
    assert!(asked > 7000);
    let used = client.info("used_memory").saturating_sub(before);
    assert!(used < 16 << 20, "{used} bytes wait for a client that does not read");
}
