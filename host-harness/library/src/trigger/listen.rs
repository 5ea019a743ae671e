//! Listens for deliveries over plain HTTP, on one machine or behind a proxy that terminates TLS. An
//! engine with its own server calls [`Triggers::receive`] instead.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, RwLock};
use std::time::Duration;

use bytes::Bytes;
use http::header::{
    CONNECTION, CONTENT_SECURITY_POLICY, HeaderName, HeaderValue, X_CONTENT_TYPE_OPTIONS,
};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming as Body;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_io_timeout::TimeoutStream;

use super::manage::Triggers;
use super::receive::{Answer, Incoming, Reason};
use crate::plugin::Plugin;

/// Connections at once; others wait.
const MOST: usize = 256;
/// How long a request's head and then its body may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a client may take to read some of a response.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a connection is used. Then it is closed after the request that is under way.
const LIFETIME: Duration = Duration::from_secs(300);
/// How long that request may take.
const LAST_REQUEST: Duration = Duration::from_secs(60);
/// How long a client that is still sending is listened to after the last response. A socket that is
/// closed with something unread is reset, and the client might not see the response.
const LINGER: Duration = Duration::from_secs(2);
/// Buffer of a connection for the head of a request, in bytes.
const HEAD_BUFFER: usize = 64 * 1024;

/// Takes deliveries at `http://ADDRESS/PATH`, a path for each subscription.
#[derive(Clone)]
pub struct Listener(Arc<Inner>);

/// Hears how a delivery to a subscription was answered.
type OnAnswer = Box<dyn Fn(&str, &Answer) + Send + Sync>;

struct Inner {
    triggers: Triggers,
    plugin: Plugin,
    /// The subscription of each path.
    routes: RwLock<BTreeMap<String, String>>,
    /// Bytes that further bodies may take.
    room: Arc<Semaphore>,
    on_answer: OnAnswer,
}

/// The body of a request, as long as it counts.
struct Received {
    bytes: Bytes,
    _room: OwnedSemaphorePermit,
}

impl Listener {
    /// A listener for the subscriptions of one plugin. It calls `on_answer` with the response to each
    /// delivery and the name of the subscription (empty if the path is unknown).
    pub fn new(
        triggers: Triggers,
        plugin: Plugin,
        on_answer: impl Fn(&str, &Answer) + Send + Sync + 'static,
    ) -> Self {
        let routes = RwLock::default();
        let room = Semaphore::new(triggers.0.limits.bodies_held.min(Semaphore::MAX_PERMITS));
        let (room, on_answer) = (Arc::new(room), Box::new(on_answer));
        Self(Arc::new(Inner { triggers, plugin, routes, room, on_answer }))
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
                    tracing::warn!(%error, "cannot accept a connection");
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
        let service = service_fn(|request| {
            Box::pin(async move { Ok::<_, Infallible>(self.answered(address, request).await) })
        });
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(Some(WRITE_TIMEOUT));
        let mut connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(PATIENCE)
            .max_headers(64)
            .max_buf_size(HEAD_BUFFER)
            .serve_connection(TokioIo::new(Box::pin(stream)), service);
        let served = poll_fn(|context| connection.poll_without_shutdown(context));
        let served = match tokio::time::timeout(LIFETIME, served).await {
            Ok(served) => served,
            Err(_) => {
                Pin::new(&mut connection).graceful_shutdown();
                let last = poll_fn(|context| connection.poll_without_shutdown(context));
                match tokio::time::timeout(LAST_REQUEST, last).await {
                    Ok(served) => served,
                    Err(_) => {
                        return tracing::debug!("a connection was closed after its time limit");
                    }
                }
            }
        };
        match served {
            Ok(()) => linger(connection.into_parts().io.into_inner()).await,
            Err(error) => tracing::debug!(%error, "a connection ended"),
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
        (self.0.on_answer)(subscription.as_deref().unwrap_or_default(), &answer);
        response(answer)
    }

    async fn taken(
        &self,
        name: &str,
        address: Option<SocketAddr>,
        request: Request<Body>,
    ) -> Answer {
        let (head, body) = request.into_parts();
        let (triggers, plugin) = (&self.0.triggers, &self.0.plugin);
        let limit = match triggers.admit(plugin, name, &head.method, &head.headers).await {
            Ok(limit) => limit,
            Err(refusal) => return refusal,
        };
        let waits = AtomicBool::new(false);
        let body = match tokio::time::timeout(PATIENCE, self.read(body, limit, &waits)).await {
            Ok(Ok(body)) => body,
            Ok(Err(refusal)) => return refusal,
            Err(_) if waits.load(Ordering::Relaxed) => {
                let reason = "too many bodies are being received (limit `bodies_held`)";
                let reason = Reason::Failed(reason.into());
                return Answer::of(StatusCode::SERVICE_UNAVAILABLE, reason);
            }
            Err(_) => {
                let reason = Reason::Failed("the body did not arrive in time".into());
                return Answer::of(StatusCode::REQUEST_TIMEOUT, reason);
            }
        };
        let host = address.map(|address| address.to_string()).unwrap_or_default();
        let incoming = Incoming {
            method: head.method,
            url: format!("http://{host}{}", head.uri),
            headers: head.headers,
            body: body.bytes.clone(),
        };
        triggers.receive(plugin, name, incoming).await
    }

    /// Reads a body, within the limit and the budget for all bodies. `waits` states whether it
    /// waits for the budget.
    async fn read(&self, body: Body, limit: usize, waits: &AtomicBool) -> Result<Received, Answer> {
        let mut body = pin!(body);
        let mut bytes = Vec::new();
        let none = self.0.room.clone().acquire_many_owned(0).await;
        let mut room = none.expect("the semaphore is never closed");
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| {
                let reason = Reason::Failed(format!("cannot read the body: {error}"));
                Answer::of(StatusCode::BAD_REQUEST, reason)
            })?;
            let Ok(chunk) = frame.into_data() else { continue };
            if bytes.len() + chunk.len() > limit {
                return Err(Answer::of(StatusCode::PAYLOAD_TOO_LARGE, Reason::TooLarge));
            }
            let size = u32::try_from(chunk.len()).unwrap_or(u32::MAX);
            waits.store(true, Ordering::Relaxed);
            let more = self.0.room.clone().acquire_many_owned(size).await;
            waits.store(false, Ordering::Relaxed);
            room.merge(more.expect("the semaphore is never closed"));
            bytes.extend_from_slice(&chunk);
        }
        Ok(Received { bytes: bytes.into(), _room: room })
    }
}

/// Closes a connection so that the client can read the response, even if it is still sending.
async fn linger(mut stream: Pin<Box<TimeoutStream<TcpStream>>>) {
    if stream.shutdown().await.is_err() {
        return;
    }
    let mut discarded = vec![0; 16 * 1024];
    let rest = async { while stream.read(&mut discarded).await.is_ok_and(|count| count > 0) {} };
    if tokio::time::timeout(LINGER, rest).await.is_err() {
        tracing::debug!("a client continued to send after the last response");
    }
}

fn response(answer: Answer) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(answer.body)));
    *response.status_mut() = answer.status;
    let headers = response.headers_mut();
    for (name, value) in &answer.headers {
        // They were judged when the answer was made.
        if let (Ok(name), Ok(value)) =
            (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value))
        {
            headers.append(name, value);
        }
    }
    // A plugin's words are shown to nobody as a page of the engine's host.
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let policy = HeaderValue::from_static("default-src 'none'; sandbox");
    headers.insert(CONTENT_SECURITY_POLICY, policy);
    if !answer.status.is_success() {
        // No further request is read from this connection, and neither is this body.
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}
