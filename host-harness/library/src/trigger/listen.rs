//! Listens for deliveries over plain HTTP, for one machine and for what stands behind a proxy that
//! ends TLS. An engine with a server of its own calls [`Triggers::receive`] instead.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::Incoming as Body;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use super::manage::Triggers;
use super::receive::{Answer, Incoming, LARGEST, Reason};
use crate::plugin::Plugin;

/// Connections at once; others wait.
const MOST: usize = 256;
/// How long a request's head and then its body may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Takes deliveries at `http://ADDRESS/PATH`, a path for each subscription.
#[derive(Clone)]
pub struct Listener(Arc<Inner>);

/// Hears how a delivery to a subscription was answered.
type Heard = Box<dyn Fn(&str, &Answer) + Send + Sync>;

struct Inner {
    triggers: Triggers,
    plugin: Plugin,
    /// The subscription of each path.
    routes: RwLock<BTreeMap<String, String>>,
    heard: Heard,
}

impl Listener {
    /// For the subscriptions of one plugin. `heard` is told how each delivery was answered, by the
    /// subscription's name (empty where there is none).
    pub fn new(
        triggers: Triggers,
        plugin: Plugin,
        heard: impl Fn(&str, &Answer) + Send + Sync + 'static,
    ) -> Self {
        let routes = RwLock::default();
        Self(Arc::new(Inner { triggers, plugin, routes, heard: Box::new(heard) }))
    }

    /// Takes the deliveries of a subscription at a path, e.g. `/hooks/7c1f…`.
    pub fn route(&self, path: impl Into<String>, subscription: impl Into<String>) {
        let mut routes = self.0.routes.write().unwrap_or_else(|poisoned| poisoned.into_inner());
        routes.insert(path.into(), subscription.into());
    }

    /// Serves until it is dropped.
    ///
    /// # Errors
    ///
    /// When the address can no longer be listened to.
    pub async fn serve(&self, listener: TcpListener) -> std::io::Result<()> {
        let room = Arc::new(Semaphore::new(MOST));
        let mut connections = tokio::task::JoinSet::new();
        loop {
            let permit = room.clone().acquire_owned().await.map_err(std::io::Error::other)?;
            let (stream, _) = match listener.accept().await {
                Ok(accepted) => accepted,
                // One connection that is gone, or too many open files: both pass.
                Err(error) => {
                    tracing::warn!(%error, "a connection cannot be accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            };
            let own = self.clone();
            connections.spawn(async move {
                own.connection(stream).await;
                drop(permit);
            });
            while connections.try_join_next().is_some() {}
        }
    }

    async fn connection(&self, stream: TcpStream) {
        let address = stream.local_addr().ok();
        let service = service_fn(|request| async move {
            Ok::<_, Infallible>(self.answered(address, request).await)
        });
        let served = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(PATIENCE)
            .max_headers(64)
            .serve_connection(TokioIo::new(stream), service)
            .await;
        if let Err(error) = served {
            tracing::debug!(%error, "a connection ended");
        }
    }

    async fn answered(
        &self,
        address: Option<SocketAddr>,
        request: Request<Body>,
    ) -> Response<Full<Bytes>> {
        let subscription = {
            let routes = self.0.routes.read().unwrap_or_else(|poisoned| poisoned.into_inner());
            routes.get(request.uri().path()).cloned()
        };
        let answer = match &subscription {
            None => Answer::of(StatusCode::NOT_FOUND, Reason::Unknown),
            Some(name) => self.taken(name, address, request).await,
        };
        (self.0.heard)(subscription.as_deref().unwrap_or_default(), &answer);
        response(answer)
    }

    async fn taken(
        &self,
        name: &str,
        address: Option<SocketAddr>,
        request: Request<Body>,
    ) -> Answer {
        let (head, body) = request.into_parts();
        let read = tokio::time::timeout(PATIENCE, Limited::new(body, LARGEST).collect()).await;
        let body = match read {
            Ok(Ok(body)) => body.to_bytes(),
            Ok(Err(error)) if error.is::<LengthLimitError>() => {
                return Answer::of(StatusCode::PAYLOAD_TOO_LARGE, Reason::TooLarge);
            }
            Ok(Err(error)) => {
                let reason = Reason::Failed(format!("the body cannot be read: {error}"));
                return Answer::of(StatusCode::BAD_REQUEST, reason);
            }
            Err(_) => {
                let reason = Reason::Failed("the body did not come in time".into());
                return Answer::of(StatusCode::REQUEST_TIMEOUT, reason);
            }
        };
        let host = address.map(|address| address.to_string()).unwrap_or_default();
        let incoming = Incoming {
            method: head.method,
            url: format!("http://{host}{}", head.uri),
            headers: head.headers,
            body,
        };
        self.0.triggers.receive(&self.0.plugin, name, incoming).await
    }
}

fn response(answer: Answer) -> Response<Full<Bytes>> {
    let mut builder = Response::builder().status(answer.status);
    for (name, value) in &answer.headers {
        builder = builder.header(name, value);
    }
    builder.body(Full::new(Bytes::from(answer.body))).unwrap_or_else(|error| {
        tracing::error!(%error, "the plugin's answer has headers that cannot be sent");
        let mut response = Response::new(Full::new(Bytes::new()));
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        response
    })
}
