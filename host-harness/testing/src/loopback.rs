//! A service on loopback that replaces every origin: HTTP over TLS with a certificate for any
//! requested name, and plain HTTP. Its responses are determined elsewhere.
//!
//! Connections are real, so that a node is judged with the transport that it ships with.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use http::header::{HeaderName, HeaderValue};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls;
use workflow_node_host::transport::{
    AnswerRoom, HttpTransport, Transport, TransportError, TransportErrorKind, TransportRequest,
    TransportResponse,
};
use workflow_node_host::{Origin, OriginOfUrl as _, chain};

use crate::fake::Certificates;

/// A request as the service has read it.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    /// Method.
    pub(crate) method: String,
    /// Name and port that the request was sent to.
    pub(crate) host: String,
    /// Path and query.
    pub(crate) target: String,
    /// Headers in order, names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    /// Body.
    pub(crate) body: Bytes,
}

impl Received {
    /// The path without the query.
    pub(crate) fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// The body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Whether the method is safe (reads only).
    pub(crate) fn reads(&self) -> bool {
        matches!(self.method.as_str(), "GET" | "HEAD" | "OPTIONS")
    }
}

/// How a request is answered.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// With a response.
    Response {
        /// Status.
        status: u16,
        /// Headers in addition to `Content-Length`.
        headers: Vec<(&'static str, String)>,
        /// Body.
        body: Bytes,
    },
    /// The connection is closed after the request was read.
    Closed,
}

impl Reply {
    /// A response with a JSON body.
    pub(crate) fn json(status: u16, body: impl Into<Bytes>) -> Self {
        let headers = vec![("content-type", "application/json".to_owned())];
        Self::Response { status, headers, body: body.into() }
    }
}

/// Determines the responses of the service.
#[async_trait]
pub(crate) trait Answers: Send + Sync + 'static {
    /// Responds to a request.
    async fn answer(&self, request: Received) -> Reply;
}

/// The service. It stops when it is dropped.
pub(crate) struct Loopback {
    tls: SocketAddr,
    plain: SocketAddr,
    ca_pem: String,
    tasks: Vec<JoinHandle<()>>,
}

impl Loopback {
    /// Starts the service on free ports.
    ///
    /// # Errors
    ///
    /// If no port can be bound, or no certificate can be generated.
    pub(crate) async fn start(answers: Arc<dyn Answers>) -> std::io::Result<Self> {
        let certificates = Certificates::new()?;
        let ca_pem = certificates.ca_pem();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(std::io::Error::other)?
            .with_no_client_auth()
            .with_cert_resolver(certificates);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let (tls, plain) =
            (TcpListener::bind("127.0.0.1:0").await?, TcpListener::bind("127.0.0.1:0").await?);
        let (tls_address, plain_address) = (tls.local_addr()?, plain.local_addr()?);
        let tasks = vec![
            tokio::spawn(accept(tls, Some(acceptor), answers.clone())),
            tokio::spawn(accept(plain, None, answers)),
        ];
        Ok(Self { tls: tls_address, plain: plain_address, ca_pem, tasks })
    }

    /// A transport that reaches the service under every origin.
    pub(crate) fn transport(&self) -> LoopbackTransport {
        LoopbackTransport {
            tls: self.tls,
            plain: self.plain,
            ca_pem: self.ca_pem.clone(),
            by_origin: Mutex::default(),
        }
    }
}

impl Drop for Loopback {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

async fn accept(listener: TcpListener, acceptor: Option<TlsAcceptor>, answers: Arc<dyn Answers>) {
    // The tasks of connections end with this set.
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let (acceptor, answers) = (acceptor.clone(), answers.clone());
        connections.spawn(async move { serve(stream, acceptor, answers).await });
        while connections.try_join_next().is_some() {}
    }
}

/// Serves a connection until the client closes it or a fault ends it.
async fn serve(stream: TcpStream, acceptor: Option<TlsAcceptor>, answers: Arc<dyn Answers>) {
    let service = service_fn(move |request: http::Request<Incoming>| {
        let answers = answers.clone();
        async move {
            let received = read(request).await?;
            match answers.answer(received).await {
                Reply::Closed => Err(std::io::Error::other("the service closes the connection")),
                Reply::Response { status, headers, body } => Ok(written(status, headers, body)),
            }
        }
    });
    let server = auto::Builder::new(TokioExecutor::new()).http1_only();
    // A client may close the connection, as may a fault.
    let _ended = match acceptor {
        None => server.serve_connection(TokioIo::new(stream), service).await.is_ok(),
        Some(acceptor) => match acceptor.accept(stream).await {
            Ok(stream) => server.serve_connection(TokioIo::new(stream), service).await.is_ok(),
            Err(_) => false,
        },
    };
}

async fn read(request: http::Request<Incoming>) -> std::io::Result<Received> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(std::io::Error::other)?.to_bytes();
    let headers: Vec<(String, String)> = head
        .headers
        .iter()
        .map(|(name, value)| {
            (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        })
        .collect();
    let host = headers.iter().find(|(name, _)| name == "host");
    Ok(Received {
        method: head.method.to_string(),
        host: host.map(|(_, host)| host.clone()).unwrap_or_default(),
        target: head.uri.path_and_query().map(ToString::to_string).unwrap_or_default(),
        headers,
        body,
    })
}

fn written(
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Bytes,
) -> http::Response<Full<Bytes>> {
    let mut response = http::Response::new(Full::new(body));
    *response.status_mut() = http::StatusCode::from_u16(status).unwrap_or_default();
    for (name, value) in headers {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().append(HeaderName::from_static(name), value);
        }
    }
    response
}

/// Sends every request to the service, whichever origin it names.
pub(crate) struct LoopbackTransport {
    tls: SocketAddr,
    plain: SocketAddr,
    ca_pem: String,
    by_origin: Mutex<BTreeMap<String, Arc<HttpTransport>>>,
}

impl LoopbackTransport {
    fn to(&self, request: &TransportRequest) -> Result<Arc<HttpTransport>, TransportError> {
        let refused = |problem: String| TransportError::new(TransportErrorKind::Denied, problem);
        let origin = Origin::of(&request.url)
            .ok_or_else(|| refused(format!("{} has no origin", request.url)))?
            .to_string();
        let mut by_origin = self.by_origin.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = by_origin.get(&origin) {
            return Ok(known.clone());
        }
        let mapping = match request.url.scheme() {
            "https" => format!("{origin}=https://{}", self.tls),
            _ => format!("{origin}=http://{}", self.plain),
        };
        let mapping = mapping.parse().map_err(|error| refused(format!("{error}")))?;
        let transport = HttpTransport::builder()
            .ca_pem(self.ca_pem.as_str())
            .connect_to(mapping)
            .build()
            .map_err(|error| refused(chain(&error)))?;
        let transport = Arc::new(transport);
        by_origin.insert(origin, transport.clone());
        Ok(transport)
    }
}

#[async_trait]
impl Transport for LoopbackTransport {
    async fn send(&self, request: TransportRequest) -> Result<TransportResponse, TransportError> {
        self.to(&request)?.send(request).await
    }

    async fn send_within(
        &self,
        request: TransportRequest,
        room: &AnswerRoom,
    ) -> Result<TransportResponse, TransportError> {
        self.to(&request)?.send_within(request, room).await
    }

    fn is_mapped(&self, _origin: &Origin) -> bool {
        true
    }
}
