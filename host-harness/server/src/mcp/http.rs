//! MCP over HTTP (streamable HTTP) at `/mcp`, behind the guard of the server: the same tokens, and the
//! same checks of Host and Origin. No sessions: every request says what it needs.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::any;
use bytes::Bytes;
use http_body_util::Full;
use http_body_util::combinators::BoxBody;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use tokio_util::sync::CancellationToken;

use super::calls::{Delivery, Watch};
use super::handler::Tools;
use crate::error::ApiError;
use crate::extract::whole;
use crate::limits::ServerLimits;
use crate::state::Shared;
use crate::token::Caller;

type Service = StreamableHttpService<Tools, NeverSessionManager>;

/// The endpoint, until `stop`.
pub(crate) fn router(state: &Shared, stop: &CancellationToken) -> Router<Shared> {
    let tools = Tools::of_requests(state.clone());
    let limits = &state.limits;
    // The guard has checked Host and Origin.
    let config = StreamableHttpServerConfig::default()
        .disable_allowed_hosts()
        .disable_allowed_origins()
        .with_legacy_session_mode(false)
        .with_json_response(false)
        .with_sse_keep_alive(Some(ServerLimits::time(limits.heartbeat_ms)))
        .with_max_request_body_bytes(limits.json_body)
        .with_cancellation_token(stop.child_token());
    let calls = tools.calls();
    let service: Service =
        StreamableHttpService::new(move || Ok(tools.clone()), Arc::default(), config);
    let endpoint = move |State(state): State<Shared>, _caller: Caller, request: Request| {
        let (service, delivery) = (service.clone(), Delivery::new(calls.clone()));
        async move { serve(&state, &service, delivery, request).await }
    };
    Router::new()
        .route("/mcp", any(endpoint))
        // Clients that look for an authorization server must see that there is none: tokens are static.
        .route("/.well-known/{*document}", any(|| async { StatusCode::NOT_FOUND }))
}

async fn serve(
    state: &Shared,
    service: &Service,
    delivery: Delivery,
    request: Request,
) -> Result<Response, ApiError> {
    let (mut parts, body) = request.into_parts();
    let body = whole(body, &state.limits, "json_body", state.limits.json_body).await?;
    parts.extensions.insert(delivery.clone());
    let watch = Watch(delivery);
    let request = axum::http::Request::from_parts(parts, Full::new(body));
    let response = service.handle(request).await;
    Ok(response.map(|body| Body::new(WatchedBody { body, watch })))
}

/// A body that reports the data it sends, and its end.
struct WatchedBody {
    body: BoxBody<Bytes, Infallible>,
    watch: Watch,
}

impl HttpBody for WatchedBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.body).poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &polled
            && let Some(part) = frame.data_ref()
        {
            this.watch.sends(part);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
