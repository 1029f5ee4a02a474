//! One connection, from its first byte to its last.
//!
//! ```text
//!            ┌───────────────────────────────────────────────────────────────────┐
//!            ▼                                                                   │
//!   wait, owning no buffer ─► read ─► execute every complete request ─► write all replies at once
//!            ▲                         │ an incomplete one is kept               │
//!            └── a message for a subscriber: written like a reply ◄──────────────┘
//! ```
//!
//! # Pipelining
//! A client may send many requests before it reads a reply. All that have arrived are executed in one go and answered
//! by one `write`: two system calls for a batch of any size. Between reading and writing there is no `.await`, so a
//! batch is executed by one processor without a pause.
//!
//! # How much a connection may hold
//! C1. Waiting, it holds no buffer, unless a request has arrived in part: then exactly the bytes of that part.
//! C2. It executes nothing while more than [`ENOUGH`] of replies wait to be written. A client that sends and never
//!     reads fills that, then its own socket, and then waits for itself.
//!     One long reply may be more than that, but not more than there is memory for (`reply.rs`).
//! C3. A part of a large request does not grow while memory is above its bound.
//!
//! # The last words
//! A connection that ends of our own accord lingers until the reply that says why has arrived ([`Linger`]).

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Poll, ready};
use std::time::Duration;

use pirn::io::AsyncRead;
use pirn::net::TcpStream;
use pirn::select;
use pirn::sync::PoolGuard;
use pirn_examples::server::{Linger, unread};

use crate::clients::Client;
use crate::command;
use crate::error::Error;
use crate::frame::Parser;
use crate::pubsub::{Message, Subscriptions};
use crate::reply::Reply;
use crate::server::Server;
use crate::session::Session;

/// How many bytes of replies are gathered before they are written.
const ENOUGH: usize = 256 * 1024;
/// The length from which on a request that is still arriving counts as large.
const LARGE: usize = 64 * 1024;
/// How long the last words may take to arrive, and how many bytes may come meanwhile.
const LINGER: (Duration, usize) = (Duration::from_secs(1), 1024 * 1024);
/// The same at the server's end: who is still sending then has done nothing wrong, and who is not need not be waited for.
const LINGER_AT_THE_END: (Duration, usize) = (Duration::from_millis(200), usize::MAX);

/// Serves a client until it goes, says `QUIT` or cannot be understood.
pub(crate) async fn serve(server: Arc<Server>, client: Arc<Client>) -> io::Result<()> {
    let session = Session::new(client.clone());
    let parser = Parser::default();
    let mut connection = Connection { server: &server, session, parser, part: Vec::new(), unread: None };
    connection.run(&client.stream).await?;
    let (time, bytes) = if connection.unread.is_some() { LINGER_AT_THE_END } else { LINGER };
    // With its subscriptions: nobody is told that a message has reached it from now on.
    drop(connection);
    Linger::new(time, bytes).on(&client.stream).await
}

struct Connection<'a> {
    server: &'a Server,
    session: Session,
    parser: Parser,
    /// What has arrived of a request, and whatever came behind it.
    part: Vec<u8>,
    /// How much is still to be read, once the server ends.
    unread: Option<usize>,
}

/// What a connection waits for.
enum Event<'a> {
    /// So many bytes in this buffer; none at the end of the stream.
    Input(PoolGuard<'a, Box<[u8]>>, usize),
    Message(Arc<Message>),
}

impl<'a> Connection<'a> {
    async fn run(&mut self, stream: &TcpStream) -> io::Result<()> {
        while self.unread != Some(0) {
            let event = match next(self.server, stream, self.session.subscriptions.as_deref()).await {
                // The server ends (`clients.rs`).
                Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                    stream.set_read_deadline(None);
                    self.unread = Some(unread(stream)?);
                    continue;
                }
                event => event?,
            };
            let mut out = self.server.buffers.output();
            let mut is_all = match event {
                Event::Input(_, 0) => return Ok(()),
                Event::Input(input, length) => {
                    self.unread = self.unread.map(|unread| unread.saturating_sub(length));
                    self.receive(&input[..length], &mut out)
                }
                Event::Message(message) => {
                    self.forward(&message, &mut out);
                    true
                }
            };
            self.server.pulse.beat();
            loop {
                write_all(stream, &out).await?;
                if is_all {
                    break;
                }
                out.clear();
                is_all = self.receive(&[], &mut out);
            }
            if self.session.is_ending {
                break;
            }
        }
        Ok(())
    }

    /// Executes what `input` completes. False: there may be more to execute, once the replies are written (C2).
    fn receive(&mut self, input: &[u8], out: &mut Vec<u8>) -> bool {
        if self.part.is_empty() {
            let done = self.execute(input, out);
            self.part.extend_from_slice(&input[done..]);
        } else {
            let mut part = std::mem::take(&mut self.part);
            part.extend_from_slice(input);
            let done = self.execute(&part, out);
            if done < part.len() {
                part.drain(..done);
                self.part = part;
            }
        }
        if self.session.is_ending {
            self.part = Vec::new();
            return true;
        }
        if self.part.len() > LARGE && self.server.is_full(0) && out.len() < ENOUGH {
            self.refuse(&Error::OutOfMemory, out);
        }
        out.len() < ENOUGH
    }

    /// Executes the complete requests at the beginning of `input`; how many bytes they are.
    fn execute(&mut self, input: &[u8], out: &mut Vec<u8>) -> usize {
        let (mut done, mut commands) = (0, 0);
        let now = self.server.db.clock.now();
        while out.len() < ENOUGH && !self.session.is_ending {
            match self.parser.parse(&input[done..]) {
                Ok(Some(length)) => {
                    let args = self.parser.args(&input[done..]);
                    if args.len() > 0 {
                        command::execute(self.server, &mut self.session, args, now, out);
                        commands += 1;
                    }
                    self.parser.next();
                    done += length;
                }
                Ok(None) => break,
                Err(error) => self.refuse(&Error::Protocol(error), out),
            }
        }
        self.server.commands.add(commands);
        done
    }

    /// Says why, and ends.
    fn refuse(&mut self, why: &Error, out: &mut Vec<u8>) {
        tracing::info!(client = self.session.client.id, %why, "closing a connection");
        Reply::new(out).error(why);
        self.session.is_ending = true;
    }

    /// Writes a message, and those that wait behind it.
    fn forward(&mut self, message: &Message, out: &mut Vec<u8>) {
        let Some(subscriptions) = &mut self.session.subscriptions else { return };
        subscriptions.take(message, out);
        while out.len() < ENOUGH
            && let Ok(message) = subscriptions.messages.try_recv()
        {
            subscriptions.take(&message, out);
        }
    }
}

/// Waits for something to do. Cancel-safe, as everything in it is.
async fn next<'a>(
    server: &'a Server,
    stream: &TcpStream,
    subscriptions: Option<&Subscriptions>,
) -> io::Result<Event<'a>> {
    let Some(subscriptions) = subscriptions else { return read(server, stream).await };
    select! {
        input = read(server, stream) => input,
        message = subscriptions.messages.recv() => match message {
            Ok(message) => Ok(Event::Message(message)),
            Err(_) => Err(io::Error::new(io::ErrorKind::ConnectionAborted, "the subscriber was too slow")),
        },
    }
}

/// Reads what is there, waiting until something is. The buffer is borrowed anew in each poll, so that nobody who waits
/// holds one (C1).
async fn read<'a>(server: &'a Server, mut stream: &TcpStream) -> io::Result<Event<'a>> {
    poll_fn(move |cx| {
        let mut buffer = server.buffers.input();
        let length = ready!(Pin::new(&mut stream).poll_read(cx, &mut buffer))?;
        Poll::Ready(Ok(Event::Input(buffer, length)))
    })
    .await
}

async fn write_all(stream: &TcpStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        let written = stream.write(bytes).await?;
        bytes = &bytes[written..];
    }
    Ok(())
}
