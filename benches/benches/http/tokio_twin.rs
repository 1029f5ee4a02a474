//! `examples/http_service` once more, as one writes it for tokio: the same routes, the same limits, the same manners.
//!
//! | there | here |
//! |---|---|
//! | `Context` per request, ended by its guard | `CancellationToken` with a `DropGuard`, and `timeout` for the budget |
//! | hyper on `TcpStream` | hyper on `TokioIo<TcpStream>`, from hyper-util |
//! | `Patient`: a deadline of the socket | the same, with a `Sleep` |
//! | sharded counters | atomics |
//! | a pool that is a channel | a pool behind a mutex |

use std::convert::Infallible;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequest, Query, Request as AxumRequest, State};
use axum::http::{HeaderValue, Request, Response, StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Extension, Json, Router};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::SendRequest;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Semaphore;
use tokio::time::{Sleep, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use tower_http::limit::{RequestBodyLimit, ResponseBody};

const MAX_CONNECTIONS: usize = 10_000;
const TIME_LIMIT: Duration = Duration::from_secs(10);

type AnyError = Box<dyn std::error::Error + Send + Sync>;

/// Serves on `address` until SIGTERM.
pub(crate) fn main(address: &str) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let stop = CancellationToken::new();
        let backends = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let metrics = Arc::new(Metrics::default());
        let client = Backends { address: backends.local_addr().expect("an address"), kept: Mutex::default() };
        let app = App { metrics: metrics.clone(), backends: Arc::new(client) };
        let listener = TcpListener::bind(address).await.expect("a free port");
        println!("listening on {}", listener.local_addr().expect("an address"));
        tokio::spawn(serve(backends, backend_router(), Arc::default(), CancellationToken::new()));
        let server = tokio::spawn(serve(listener, router(app), metrics, stop.clone()));
        signal(SignalKind::terminate()).expect("SIGTERM can be handled").recv().await;
        stop.cancel();
        server.await.expect("no panic");
    });
}

#[derive(Default)]
struct Metrics {
    total: AtomicI64,
    canceled: AtomicI64,
    in_flight: AtomicI64,
}

struct InFlight<'a>(&'a Metrics, bool);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Relaxed);
        if !self.1 {
            self.0.canceled.fetch_add(1, Relaxed);
        }
    }
}

#[derive(Clone)]
struct App {
    metrics: Arc<Metrics>,
    backends: Arc<Backends>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Work {
    ms: u64,
}

fn router(app: App) -> Router {
    Router::new()
        .route("/task", get(task).post(posted_task))
        .route("/fanout", get(fanout))
        .route("/metrics", get(metrics))
        .with_state(app)
}

async fn task(Extension(token): Extension<CancellationToken>, Query(asked): Query<Work>) -> Response<Body> {
    answer(timeout(Duration::from_secs(2), work(&token, asked)).await)
}

async fn posted_task(Extension(token): Extension<CancellationToken>, request: AxumRequest) -> Response<Body> {
    let work = async {
        match Json::from_request(request, &()).await {
            Ok(Json(asked)) => answer(Ok(work(&token, asked).await)),
            Err(refused) => refused.into_response(),
        }
    };
    timeout(Duration::from_secs(2), work).await.unwrap_or_else(|late| answer(Err(late)))
}

async fn work(token: &CancellationToken, asked: Work) -> Option<String> {
    // tokio rounds a sleep up to the next millisecond, also one of nothing. That is not what is to be compared.
    if asked.ms > 0 {
        token.run_until_cancelled(sleep(Duration::from_millis(asked.ms))).await?;
    }
    Some(format!("done after {} ms\n", asked.ms))
}

fn answer(result: Result<Option<String>, tokio::time::error::Elapsed>) -> Response<Body> {
    match result {
        Ok(Some(done)) => done.into_response(),
        Ok(None) => (StatusCode::SERVICE_UNAVAILABLE, "context canceled\n").into_response(),
        Err(_) => (StatusCode::REQUEST_TIMEOUT, "context deadline exceeded\n").into_response(),
    }
}

async fn fanout(State(app): State<App>, Query(asked): Query<Work>) -> Response<Body> {
    match timeout(Duration::from_secs(1), app.backends.ask_all(asked.ms)).await {
        Ok(Ok(merged)) => Json(merged).into_response(),
        Ok(Err(error)) => (StatusCode::BAD_GATEWAY, format!("{error}\n")).into_response(),
        Err(_) => (StatusCode::GATEWAY_TIMEOUT, "context deadline exceeded\n").into_response(),
    }
}

async fn metrics(State(app): State<App>) -> String {
    let Metrics { total, canceled, in_flight } = &*app.metrics;
    let [total, canceled, in_flight] = [total, canceled, in_flight].map(|figure| figure.load(Relaxed));
    format!("requests_total {total}\nrequests_canceled_total {canceled}\nrequests_in_flight {in_flight}\n")
}

fn backend_router() -> Router {
    let knowledge = [
        ("/profile", json!({ "user": 7, "name": "Ada" })),
        ("/inventory", json!({ "in_stock": 12 })),
        ("/pricing", json!({ "currency": "EUR", "cents": 1999 })),
    ];
    knowledge.into_iter().fold(Router::new(), |router, (path, knows)| {
        let handler = async move |Extension(token): Extension<CancellationToken>,
                                  Query(asked): Query<Work>| {
            work(&token, asked).await;
            Json(knows)
        };
        router.route(path, get(handler))
    })
}

/// Accepts until `stop`, then waits until everybody has been answered.
async fn serve(listener: TcpListener, router: Router, metrics: Arc<Metrics>, stop: CancellationToken) {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let next = async || {
        let place = places.clone().acquire_owned().await.expect("nobody closes it");
        listener.accept().await.map(|(stream, _)| (stream, place))
    };
    while let Some(accepted) = stop.run_until_cancelled(next()).await {
        let Ok((stream, place)) = accepted else { continue };
        let (router, metrics, stop) = (router.clone(), metrics.clone(), stop.clone());
        tokio::spawn(async move {
            connection(stream, router, &metrics, stop).await;
            drop(place);
        });
    }
    let all = u32::try_from(MAX_CONNECTIONS).expect("it is small");
    let _ = places.acquire_many(all).await;
}

async fn connection(stream: TcpStream, router: Router, metrics: &Metrics, stop: CancellationToken) {
    let _ = stream.set_nodelay(true);
    let closing = stop.child_token();
    let alive = CancellationToken::new();
    let mut http = http1::Builder::new();
    http.writev(false);
    http.timer(TokioTimer::new()).header_read_timeout(TIME_LIMIT).max_buf_size(16 * 1024);
    let service = service_fn(|request| respond(&router, metrics, &alive, &stop, request));
    let stream = Patient { stream: TokioIo::new(stream), limit: None };
    let mut http = pin!(http.serve_connection(stream, service));
    if closing.run_until_cancelled(http.as_mut()).await.is_none() {
        http.as_mut().graceful_shutdown();
        let _ = http.await;
    }
}

async fn respond(
    router: &Router,
    metrics: &Metrics,
    alive: &CancellationToken,
    stop: &CancellationToken,
    mut request: Request<Incoming>,
) -> Result<Response<ResponseBody<Body>>, Infallible> {
    let counted = (request.uri().path() != "/metrics").then(|| {
        metrics.total.fetch_add(1, Relaxed);
        metrics.in_flight.fetch_add(1, Relaxed);
        InFlight(metrics, false)
    });
    let token = alive.child_token();
    let _guard = token.clone().drop_guard();
    request.extensions_mut().insert(token);
    let mut response = RequestBodyLimit::new(router.clone(), 64 * 1024).oneshot(request).await?;
    if stop.is_cancelled() {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    if let Some(mut counted) = counted {
        counted.1 = true;
    }
    Ok(response)
}

/// A connection whose writes fail when its peer does not read for too long.
struct Patient {
    stream: TokioIo<TcpStream>,
    limit: Option<Pin<Box<Sleep>>>,
}

impl Patient {
    fn note<T>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.limit = None;
            return written;
        }
        let limit = self.limit.get_or_insert_with(|| Box::pin(sleep(TIME_LIMIT)));
        limit.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl Read for Patient {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl Write for Patient {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.note(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.note(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// The client of `/fanout`.
struct Backends {
    address: SocketAddr,
    kept: Mutex<Vec<SendRequest<Empty<Bytes>>>>,
}

impl Backends {
    async fn ask_all(self: &Arc<Self>, ms: u64) -> Result<Map<String, Value>, AnyError> {
        let mut calls = tokio::task::JoinSet::new();
        for name in ["profile", "inventory", "pricing"] {
            let backends = self.clone();
            calls.spawn(async move { backends.ask(name, ms).await.map(|answer| (name.to_owned(), answer)) });
        }
        let mut merged = Map::new();
        while let Some(call) = calls.join_next().await {
            let (name, answer) = call??;
            merged.insert(name, answer);
        }
        Ok(merged)
    }

    async fn ask(&self, name: &str, ms: u64) -> Result<Value, AnyError> {
        let kept = self.kept.lock().expect("no panic").pop();
        if let Some(connection) = kept
            && let Ok(answer) = self.ask_on(connection, name, ms).await
        {
            return Ok(answer);
        }
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let (connection, driver) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(driver);
        self.ask_on(connection, name, ms).await
    }

    async fn ask_on(
        &self,
        mut connection: SendRequest<Empty<Bytes>>,
        name: &str,
        ms: u64,
    ) -> Result<Value, AnyError> {
        connection.ready().await?;
        let request = Request::get(format!("/{name}?ms={ms}"))
            .header(header::HOST, self.address.to_string())
            .body(Empty::new())?;
        let response = connection.send_request(request).await?;
        let status = response.status();
        if !status.is_success() {
            return Err(format!("status {status}").into());
        }
        let body = Limited::new(response, 64 * 1024).collect().await?.to_bytes();
        let mut kept = self.kept.lock().expect("no panic");
        if kept.len() < 1024 {
            kept.push(connection);
        }
        drop(kept);
        Ok(serde_json::from_slice(&body)?)
    }
}
