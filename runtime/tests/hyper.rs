//! hyper on this crate: every promise of `pirn::hyper`, one test each.

use std::convert::Infallible;
use std::future::{pending, poll_fn};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::rt::{Read, ReadBuf, Timer as _, Write};
use hyper::service::service_fn;
use hyper::{Request, Response, Version, client, server};
use pirn::channel::bounded;
use pirn::hyper::{Executor, Io, Timer};
use pirn::io::{AsyncReadExt, AsyncWriteExt, duplex};
use pirn::net::{TcpListener, TcpStream, UnixStream};

type Outcome = Result<(), Box<dyn std::error::Error + Send + Sync>>;

/// Answers with the body that it was sent.
async fn echo(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, hyper::Error> {
    Ok(Response::new(Full::new(request.into_body().collect().await?.to_bytes())))
}

fn request(body: impl Into<Bytes>) -> Request<Full<Bytes>> {
    Request::builder().uri("http://pirn.test/").body(Full::new(body.into())).expect("a good request")
}

async fn pair() -> std::io::Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let client = TcpStream::connect(listener.local_addr()?).await?;
    Ok((client, listener.accept().await?.0))
}

/// Sends bodies of all sizes over one connection and gets each back.
async fn bodies_come_back<C, S>(client: C, server: S) -> Outcome
where
    C: Read + Write + Unpin + Send + 'static,
    S: Read + Write + Unpin + Send + 'static,
{
    let serving = pirn::spawn(server::conn::http1::Builder::new().serve_connection(server, service_fn(echo)));
    let (mut client, connection) = client::conn::http1::handshake(client).await?;
    pirn::go!(connection);
    for size in [0, 1, 100, 8_192, 8_193, 1_000_000] {
        let body: Bytes = (0..size).map(|n: u32| n as u8).collect();
        client.ready().await?;
        let answer = client.send_request(request(body.clone())).await?;
        assert!(answer.into_body().collect().await?.to_bytes() == body, "{size} bytes");
    }
    drop(client);
    serving.await??;
    Ok(())
}

#[pirn::test]
async fn http1_runs_over_tcp() -> Outcome {
    let (client, server) = pair().await?;
    bodies_come_back(client, server).await
}

#[pirn::test]
async fn http1_runs_over_unix_streams() -> Outcome {
    let (client, server) = UnixStream::pair()?;
    bodies_come_back(client, server).await
}

#[pirn::test]
async fn http1_runs_over_a_pipe_in_memory() -> Outcome {
    let (client, server) = duplex(512);
    bodies_come_back(client, server).await
}

#[pirn::test]
async fn http1_runs_over_any_futures_io_stream_in_an_io() -> Outcome {
    let (client, server) = pair().await?;
    // `Io<Io<T>>` goes to `futures-io` and back: both directions of the wrapper.
    bodies_come_back(Io::new(Io::new(client)), Io::new(server)).await
}

#[pirn::test]
async fn http2_runs_its_streams_as_tasks_of_the_executor() -> Outcome {
    let (client, server) = pair().await?;
    let (arrived, all_here) = bounded(8);
    // Each answers only when all have come: they must run at once.
    let barrier = std::sync::Arc::new(pirn::sync::Barrier::new(8));
    let service = service_fn(move |request: Request<Incoming>| {
        let (arrived, barrier) = (arrived.clone(), barrier.clone());
        async move {
            arrived.send(request.version()).await.expect("somebody counts");
            barrier.wait().await;
            echo(request).await
        }
    });
    let mut http = server::conn::http2::Builder::new(Executor);
    pirn::go!(http.timer(Timer).serve_connection(server, service));
    let (client, connection) = client::conn::http2::handshake(Executor, client).await?;
    pirn::go!(connection);
    let answers: Vec<_> = (0..8_u8)
        .map(|n| {
            let mut client = client.clone();
            pirn::spawn(async move { client.send_request(request(vec![n; 40_000])).await?.collect().await })
        })
        .collect();
    for (n, answer) in answers.into_iter().enumerate() {
        assert_eq!(answer.await??.to_bytes(), vec![n as u8; 40_000]);
        assert_eq!(all_here.recv().await?, Version::HTTP_2);
    }
    Ok(())
}

#[pirn::test]
async fn a_client_that_sends_no_whole_head_in_time_is_cut_off() -> Outcome {
    let (mut client, server) = pair().await?;
    let mut http = server::conn::http1::Builder::new();
    http.timer(Timer).header_read_timeout(Duration::from_millis(50));
    let serving = pirn::spawn(http.serve_connection(server, service_fn(echo)));
    client.write_all(b"GET / HTTP/1.1\r\nhost: pir").await?;
    let error = serving.await?.expect_err("it was cut off");
    assert!(error.is_timeout(), "{error}");
    let mut rest = Vec::new();
    client.read_to_end(&mut rest).await?;
    Ok(())
}

#[pirn::test]
async fn a_client_that_goes_away_takes_its_request_with_it() -> Outcome {
    let (mut client, server) = pair().await?;
    let (started, has_started) = bounded(1);
    let (holds, held) = bounded::<()>(1);
    let service = service_fn(move |_| {
        let (started, holds) = (started.clone(), holds.clone());
        async move {
            started.send(()).await.expect("somebody waits");
            let _held_as_long_as_the_request = holds;
            pending::<Result<Response<Full<Bytes>>, Infallible>>().await
        }
    });
    pirn::go!(server::conn::http1::Builder::new().serve_connection(server, service));
    client.write_all(b"GET / HTTP/1.1\r\nhost: pirn\r\n\r\n").await?;
    has_started.recv().await?;
    drop(client);
    assert!(held.recv().await.is_err(), "the request's future was dropped, and all that it held");
    Ok(())
}

#[pirn::test]
async fn a_read_goes_straight_into_room_that_is_not_initialised() -> Outcome {
    let (client, mut server) = pair().await?;
    let (mut read, _write) = client.into_split();
    server.write_all(b"one two").await?;
    let mut bytes = [MaybeUninit::uninit(); 5];
    let mut buf = ReadBuf::uninit(&mut bytes);
    poll_fn(|cx| Pin::new(&mut read).poll_read(cx, buf.unfilled())).await?;
    assert_eq!(buf.filled(), b"one t");
    let mut bytes = [MaybeUninit::uninit(); 5];
    let mut buf = ReadBuf::uninit(&mut bytes);
    poll_fn(|cx| Pin::new(&mut read).poll_read(cx, buf.unfilled())).await?;
    assert_eq!(buf.filled(), b"wo");
    server.close().await?;
    poll_fn(|cx| Pin::new(&mut read).poll_read(cx, buf.unfilled())).await?;
    assert_eq!(buf.filled(), b"wo", "the end of the stream fills nothing");
    Ok(())
}

#[pirn::test]
async fn head_and_body_leave_in_one_vectored_write() -> Outcome {
    let (client, server) = pair().await?;
    let (_read, mut write) = client.into_split();
    assert!(write.is_write_vectored());
    let bufs = [&b"head "[..], b"", b"body"].map(std::io::IoSlice::new);
    assert_eq!(poll_fn(|cx| Pin::new(&mut write).poll_write_vectored(cx, &bufs)).await?, 9);
    poll_fn(|cx| Pin::new(&mut write).poll_shutdown(cx)).await?;
    let mut got = String::new();
    { server }.read_to_string(&mut got).await?;
    assert_eq!(got, "head body");
    Ok(())
}

#[pirn::test]
async fn a_deadline_that_is_moved_keeps_its_box() {
    let mut sleep = Timer.sleep(Duration::from_secs(3600));
    let place = std::ptr::from_ref(&*sleep).cast::<()>();
    let due = Instant::now() + Duration::from_millis(5);
    Timer.reset(&mut sleep, due);
    assert!(std::ptr::addr_eq(place, std::ptr::from_ref(&*sleep)));
    sleep.await;
    assert!(Instant::now() >= due);
}
