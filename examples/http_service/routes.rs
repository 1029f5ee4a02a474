//! The handlers, and which path leads to which.
//!
//! A handler takes the request's [`Context`], which `request.rs` has put beside it, narrows it to the budget that it
//! grants, and does everything under that. It never asks *why* it has to stop: budget, client and server are all
//! the same to it.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{FromRef, FromRequest, Query, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Json, Router};
use pirn::time::sleep;
use pirn::{Context, ContextError};
use serde::Deserialize;

use crate::fanout::{Backends, CallError};
use crate::metrics::Metrics;

/// What the handlers share.
#[derive(Clone)]
pub(crate) struct App {
    pub(crate) budgets: Budgets,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) backends: Arc<Backends>,
}

/// How long a request may take.
#[derive(Clone, Copy)]
pub(crate) struct Budgets {
    pub(crate) task: Duration,
    pub(crate) fanout: Duration,
}

/// For handlers that want no more of it: the rest has reference counts, for which the processors would contend.
impl FromRef<App> for Budgets {
    fn from_ref(app: &App) -> Self {
        app.budgets
    }
}

pub(crate) fn router(app: App) -> Router {
    Router::new()
        .route("/task", get(task).post(posted_task))
        .route("/fanout", get(fanout))
        .route("/metrics", get(metrics))
        .with_state(app)
}

/// How long the work of a request takes.
#[derive(Clone, Copy, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Work {
    ms: u64,
}

async fn task(
    State(budgets): State<Budgets>,
    Extension(ctx): Extension<Context>,
    Query(asked): Query<Work>,
) -> Response {
    let (ctx, _cancel) = ctx.with_timeout(budgets.task);
    answer(work(&ctx, asked).await)
}

/// The budget is for the reading of the body too: whoever sends it drop by drop has only so long.
async fn posted_task(
    State(budgets): State<Budgets>,
    Extension(ctx): Extension<Context>,
    request: Request,
) -> Response {
    let (ctx, _cancel) = ctx.with_timeout(budgets.task);
    match ctx.run(Json::<Work>::from_request(request, &())).await {
        Ok(Ok(Json(asked))) => answer(work(&ctx, asked).await),
        Ok(Err(refused)) => refused.into_response(),
        Err(ended) => answer(Err(ended)),
    }
}

/// The work itself; waiting stands for whatever takes its time, if it takes any.
pub(crate) async fn work(ctx: &Context, asked: Work) -> Result<String, ContextError> {
    if asked.ms > 0 {
        ctx.run(sleep(Duration::from_millis(asked.ms))).await?;
    }
    Ok(format!("done after {} ms\n", asked.ms))
}

fn answer(result: Result<String, ContextError>) -> Response {
    match result {
        Ok(done) => done.into_response(),
        Err(ended) => {
            let status = match ended {
                ContextError::DeadlineExceeded => StatusCode::REQUEST_TIMEOUT,
                // The client would not hear it; so it is the server that has to stop.
                ContextError::Canceled => StatusCode::SERVICE_UNAVAILABLE,
            };
            (status, format!("{ended}\n")).into_response()
        }
    }
}

async fn fanout(
    State(app): State<App>,
    Extension(ctx): Extension<Context>,
    Query(asked): Query<Work>,
) -> Response {
    let (ctx, _cancel) = ctx.with_timeout(app.budgets.fanout);
    match app.backends.ask_all(&ctx, asked.ms).await {
        Ok(merged) => Json(merged).into_response(),
        Err(error) => {
            let status = match error {
                CallError::Ended(ContextError::DeadlineExceeded) => StatusCode::GATEWAY_TIMEOUT,
                CallError::Ended(ContextError::Canceled) => StatusCode::SERVICE_UNAVAILABLE,
                CallError::Failed(_) => StatusCode::BAD_GATEWAY,
            };
            (status, format!("{error}\n")).into_response()
        }
    }
}

async fn metrics(State(app): State<App>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], app.metrics.render())
}
