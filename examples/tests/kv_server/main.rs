//! Drives `kv_server` from outside, with a client library made by others and with bare sockets.
//!
//! Each test starts a server of its own on a free port. [`Server`] holds it and what is said to it:
//! [`Client::say`] sends a command through the `redis` crate and writes the reply down in one line, so that a test can
//! be a table of commands and replies; [`Raw`] sends bytes as they are.

mod commands;
mod expiry;
mod lifecycle;
mod limits;
mod protocol;
mod pubsub;
#[path = "../support/mod.rs"]
mod support;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};

use redis::Value;

use support::{Ended, Running, program, serve_as};

/// How long anything may take before a test gives up.
const PATIENCE: Duration = Duration::from_secs(30);

/// A server on a free port.
struct Server {
    running: Running,
    address: SocketAddr,
}

impl Server {
    fn start(options: &[&str]) -> Self {
        Self::start_as(program("kv_server"), options)
    }

    fn start_as(command: Command, options: &[&str]) -> Self {
        let (running, address) = serve_as(command, options);
        Self { running, address: address.parse().expect("it is an address") }
    }

    fn url(&self) -> String {
        format!("redis://{}/", self.address)
    }

    fn client(&self) -> Client {
        let client = redis::Client::open(self.url()).expect("the address is sound");
        let connection = client.get_connection_with_timeout(PATIENCE).expect("the server accepts");
        connection.set_read_timeout(Some(PATIENCE)).unwrap();
        Client(connection)
    }

    fn raw(&self) -> Raw {
        let stream = TcpStream::connect(self.address).expect("the server accepts");
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Raw(stream)
    }

    /// Asks it to end, and waits until it has.
    #[track_caller]
    fn stop(self) -> Ended {
        self.running.signal("TERM");
        self.running.end().expect(0)
    }
}

/// A client library's connection.
struct Client(redis::Connection);

impl Client {
    /// Sends the words of `command`, and writes the reply down: `OK`, `7`, `"text"`, `nil`, `[…]`, `!ERR …`.
    fn say(&mut self, command: &str) -> String {
        let mut words = command.split(' ');
        let mut command = redis::cmd(words.next().unwrap_or_default());
        for word in words {
            command.arg(word);
        }
        match command.query::<Value>(&mut self.0) {
            Ok(reply) => written(&reply),
            Err(error) => {
                format!("!{} {}", error.code().unwrap_or("?"), error.detail().unwrap_or_default())
            }
        }
    }

    /// Says each command and compares its reply.
    #[track_caller]
    fn table(&mut self, rows: &[(&str, &str)]) {
        for (command, reply) in rows {
            assert_eq!(self.say(command), *reply, "{command}");
        }
    }

    /// Says the command until its reply is this.
    #[track_caller]
    fn until(&mut self, command: &str, reply: &str) {
        let begun = Instant::now();
        loop {
            let said = self.say(command);
            if said == reply {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "{command} still says {said}");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// A number out of `INFO`.
    fn info(&mut self, field: &str) -> usize {
        let text: String = redis::cmd("INFO").query(&mut self.0).unwrap();
        let mut fields = text.lines().filter_map(|line| line.split_once(':'));
        let found = fields.find(|(name, _)| *name == field).expect("the field is there");
        found.1.parse().expect("it is a number")
    }
}

fn written(reply: &Value) -> String {
    match reply {
        Value::Nil => "nil".to_owned(),
        Value::Int(number) => number.to_string(),
        Value::BulkString(bytes) => format!("{:?}", String::from_utf8_lossy(bytes)),
        Value::Array(all) => format!("[{}]", all.iter().map(written).collect::<Vec<_>>().join(" ")),
        Value::SimpleString(text) => text.clone(),
        Value::Okay => "OK".to_owned(),
        Value::ServerError(error) => format!("!{} {}", error.code(), error.details().unwrap_or_default()),
        other => format!("{other:?}"),
    }
}

/// A bare connection.
struct Raw(TcpStream);

impl Raw {
    fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).expect("the server reads");
    }

    /// Reads exactly this.
    #[track_caller]
    fn expect(&mut self, reply: impl AsRef<[u8]>) {
        let reply = reply.as_ref();
        let mut read = vec![0; reply.len()];
        let ended = self.0.read_exact(&mut read);
        let (read, expected) = (read.escape_ascii(), reply.escape_ascii());
        assert!(ended.is_ok(), "{ended:?} instead of \"{expected}\", after \"{read}\"");
        assert_eq!(read.to_string(), expected.to_string());
    }

    /// Reads to the end of the stream, which comes soon.
    fn rest(mut self) -> String {
        let mut read = Vec::new();
        self.0.read_to_end(&mut read).expect("the server closes in good order");
        String::from_utf8_lossy(&read).into_owned()
    }
}
