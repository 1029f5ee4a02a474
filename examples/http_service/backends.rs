//! The three services that `/fanout` asks. They run in this process, but on a port of their own, and are asked over
//! HTTP as if they were anywhere.
//!
//! They are served as the front is, by the same [`Server`]. So a call that `/fanout` gives up closes a connection, and
//! the backend's request is canceled as any other one: cancellation crosses the wire without a word about it.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use axum::extract::Query;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Json, Router};
use pirn::net::TcpListener;
use pirn::sync::Semaphore;
use pirn::{Context, ContextError};
use pirn_examples::server::Stop;
use pirn_examples::{Failure, Outcome};
use serde_json::{Value, json};

use crate::connection::{Limits, Server};
use crate::fanout::{Backends, KEPT};
use crate::metrics::Metrics;
use crate::routes::{Work, work};

/// What they are called, and what each one knows.
fn knowledge() -> [(&'static str, Value); 3] {
    [
        ("profile", json!({ "user": 7, "name": "Ada" })),
        ("inventory", json!({ "in_stock": 12 })),
        ("pricing", json!({ "currency": "EUR", "cents": 1999 })),
    ]
}

/// How many connections the backends have when the front has so many: each of those may ask all of them at once, and
/// some are kept for later. With fewer, a call could wait for a place that its own request's other calls hold.
pub(crate) fn connections(of_the_front: usize) -> usize {
    let asking = of_the_front.saturating_mul(knowledge().len());
    asking.saturating_add(KEPT).min(Semaphore::MAX_PERMITS)
}

/// Starts the backends on a free port, and returns the client that knows it.
pub(crate) async fn start(stop: &Stop, limits: &Limits) -> Outcome<Arc<Backends>> {
    let cannot = |error| Failure::Input(format!("cannot listen for the backends: {error}"));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(cannot)?;
    let address = listener.local_addr().map_err(cannot)?;
    let router = knowledge().into_iter().fold(Router::new(), |router, (name, knows)| {
        let handler = async move |Extension(ctx): Extension<Context>, Query(asked): Query<Work>| {
            tell(&ctx, asked, knows).await
        };
        router.route(&format!("/{name}"), get(handler))
    });
    let limits = Limits { max_connections: connections(limits.max_connections), ..limits.clone() };
    let server = Server {
        router,
        metrics: Arc::new(Metrics::default()),
        places: Arc::new(Semaphore::new(limits.max_connections)),
        limits,
        // They answer for as long as the front may ask, which is longer than the front accepts.
        stop: Stop { draining: stop.now.clone(), now: stop.now.clone() },
        is_leaving: AtomicBool::new(false),
    };
    pirn::go!(server.serve(listener));
    Ok(Arc::new(Backends::new(address, knowledge().map(|(name, _)| name))))
}

async fn tell(ctx: &Context, asked: Work, knows: Value) -> Response {
    match work(ctx, asked).await {
        Ok(_) => Json(knows).into_response(),
        Err(ContextError::DeadlineExceeded | ContextError::Canceled) => {
            axum::http::StatusCode::SERVICE_UNAVAILABLE.into_response()
        }
    }
}
