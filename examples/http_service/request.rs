//! One request's frame: it gives the handler a context, and counts.
//!
//! The future that [`answer`] returns is all there is of a request. hyper drops it when the client goes away, the
//! server when it has to stop; and whatever hangs on it goes with it: the guard that ends the context and all that
//! runs under it, the guard that counts.

use std::convert::Infallible;
use std::sync::atomic::Ordering;

use axum::body::Body;
use axum::http::{HeaderValue, Request, Response, header};
use hyper::body::Incoming;
use pirn::Context;
use tower::ServiceExt;
use tower_http::limit::RequestBodyLimit;

use crate::connection::Server;

/// Any body of an answer: a handler's, or what the limit says of a request's body.
pub(crate) type AnswerBody = tower_http::limit::ResponseBody<Body>;

/// Answers one request of the connection whose context is `peer`.
pub(crate) async fn answer(
    server: &Server,
    peer: &Context,
    mut request: Request<Incoming>,
) -> Result<Response<AnswerBody>, Infallible> {
    // Who asks for the figures does not change them.
    let counted = (request.uri().path() != "/metrics").then(|| server.metrics.begin());
    let (ctx, _cancel) = peer.with_cancel();
    request.extensions_mut().insert(ctx);

    // A tower service over a tower service: the limit answers 413 to a body that is announced as too large, and ends
    // one that turns out to be.
    let service = RequestBodyLimit::new(server.router.clone(), server.limits.max_body);
    let mut response = service.oneshot(request).await?;
    if server.is_leaving.load(Ordering::Relaxed) {
        // A client that is told will not send its next request into a connection that closes.
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    if let Some(counted) = counted {
        counted.answered();
    }
    Ok(response)
}
