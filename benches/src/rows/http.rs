//! `http_hello`: hyper (for Go: net/http) answers `GET /` with a dozen bytes on 64 connections of wrk, which has
//! one thread of its own; requests a second, and the 99th percentile of their times as wrk saw them.
//!
//! The server is the simplest that hyper's documentation shows, over each executor's sockets as its own documentation
//! gives them to hyper: no router, no limits, no timer. The load client is a program that others wrote, in a process
//! of its own, and contends with the server for the cores. Where it is not installed the row is passed over.

use std::convert::Infallible;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::sync::mpsc;

use hyper::Response;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::rt;
use hyper::server::conn::http1;
use hyper::service::service_fn;

use super::echo::Net;
use crate::contender::Contender;
use crate::exec;
use crate::row::{Figure, Measured, Row, Setup};

pub(crate) const ROWS: &[Row] = &[HELLO];

const HELLO: Row = Row {
    name: "http_hello",
    figures: &[Figure::more("http_hello", "1/s"), Figure::less("http_hello:p99_us", "us")],
    contenders: &[Contender::Pirn, Contender::Tokio, Contender::Smol, Contender::Go],
    run: |setup| match setup.contender {
        Contender::Pirn => hello::<exec::Pirn>(setup),
        Contender::Tokio => hello::<exec::Tokio>(setup),
        Contender::Smol => hello::<exec::Smol>(setup),
        other => panic!("{} takes no part in this row", other.name()),
    },
};

const TEXT: &str = "Hello, World!";

/// The load client, and what it has to be told: the script makes it print the row's lines, and others if a request has
/// failed.
const WRK: &str = "wrk";
const LOAD: [&str; 5] = ["-t1", "-c64", "-d2s", "-s", concat!(env!("CARGO_MANIFEST_DIR"), "/go/hello.lua")];

/// Why a row cannot be run here, if so.
pub(crate) fn obstacle(row: &Row) -> Option<String> {
    let is_here = || Command::new(WRK).arg("--version").output().is_ok();
    (row.name == HELLO.name && !is_here())
        .then(|| format!("{} is left out: there is no `{WRK}` on PATH", row.name))
}

/// An executor whose sockets hyper can use.
trait Http: Net {
    type Io: rt::Read + rt::Write + Send + Unpin + 'static;
    fn io(stream: Self::Stream) -> Self::Io;
}

impl Http for exec::Pirn {
    type Io = Self::Stream;

    fn io(stream: Self::Stream) -> Self::Io {
        stream
    }
}

impl Http for exec::Tokio {
    type Io = hyper_util::rt::TokioIo<Self::Stream>;

    fn io(stream: Self::Stream) -> Self::Io {
        hyper_util::rt::TokioIo::new(stream)
    }
}

impl Http for exec::Smol {
    type Io = smol_hyper::rt::FuturesIo<Self::Stream>;

    fn io(stream: Self::Stream) -> Self::Io {
        smol_hyper::rt::FuturesIo::new(stream)
    }
}

fn hello<E: Http>(setup: Setup) -> Measured {
    let executor = E::start(setup.procs);
    let (tell, told) = mpsc::channel();
    drop(executor.spawn_from_outside(serve::<E>(tell)));
    let address = told.recv().expect("the server listens");
    check(address);
    let measured = load(address);
    // A figure is a process: tearing the executor down is not part of it.
    std::mem::forget(executor);
    measured
}

async fn serve<E: Http>(tell: mpsc::Sender<SocketAddr>) {
    let (mut listener, address) = E::bind().await.expect("a port");
    tell.send(address).expect("somebody listens");
    loop {
        let stream = E::accept(&mut listener).await.expect("a connection");
        E::detach(async move {
            // The load client ends by closing its connections, answered or not.
            let _ = http1::Builder::new().serve_connection(E::io(stream), service_fn(answer)).await;
        });
    }
}

async fn answer<B>(_: hyper::Request<B>) -> Result<Response<String>, Infallible> {
    let mut response = Response::new(TEXT.to_owned());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    Ok(response)
}

/// That there is an answer, and the right one; of the others the load client looks only at the status.
fn check(address: SocketAddr) {
    let mut stream = TcpStream::connect(address).expect("a connection");
    stream.write_all(b"GET / HTTP/1.1\r\nconnection: close\r\n\r\n").expect("a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with(TEXT), "the answer is {answer}");
}

fn load(address: SocketAddr) -> Measured {
    let output = Command::new(WRK).args(LOAD).arg(format!("http://{address}/")).output();
    let output = output.expect("wrk starts");
    let said = String::from_utf8_lossy(&output.stdout);
    Measured::read(&said, &HELLO)
        .unwrap_or_else(|| panic!("{}", said.lines().last().unwrap_or("wrk said nothing")))
}
