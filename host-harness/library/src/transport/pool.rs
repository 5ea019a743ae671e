//! The default transport: hyper over rustls, connections reused per pool and origin. Pools are
//! never shared between credentials, so that no connection that has proved itself for one serves
//! another.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, HOST, HeaderValue};
use http::{Method, Request, Response, Uri, Version};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::{TrySendError, http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::RootCertStore;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use tokio_rustls::TlsConnector;
use url::Url;

use super::connector::{ConnectTo, Connector, Resolver, SystemResolver};
use super::decode::{self, chain};
use super::{Transport, TransportError, TransportErrorKind, TransportRequest, TransportResponse};
use crate::origin::{Origin, OriginOfUrl as _};

/// How long an unused HTTP/1.1 connection is kept.
const IDLE: Duration = Duration::from_secs(30);
/// How many unused HTTP/1.1 connections are kept per pool and origin.
const MOST_IDLE: usize = 64;

type Body = Full<Bytes>;

/// Why the transport cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum TransportBuildError {
    /// The CA file holds no certificate.
    #[error("the CA certificates cannot be used: {0}")]
    Ca(String),
    /// The proxy is no http origin.
    #[error(
        "the proxy `{0}` cannot be used: write it as http://host:port, without user and password"
    )]
    Proxy(String),
}

/// Builds an [`HttpTransport`].
#[derive(Default)]
pub struct HttpTransportBuilder {
    ca_pem: Vec<Vec<u8>>,
    connect_to: Vec<ConnectTo>,
    proxy: Option<String>,
    resolver: Option<Arc<dyn Resolver>>,
}

impl HttpTransportBuilder {
    /// Trusts further certificate authorities (PEM), besides Mozilla's.
    #[must_use]
    pub fn ca_pem(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.ca_pem.push(pem.into());
        self
    }

    /// Maps an origin to another.
    #[must_use]
    pub fn connect_to(mut self, mapping: ConnectTo) -> Self {
        self.connect_to.push(mapping);
        self
    }

    /// Sends everything that is not mapped through an HTTP proxy (CONNECT). Nothing else sets one:
    /// no environment variable is read.
    #[must_use]
    pub fn proxy(mut self, proxy: impl Into<String>) -> Self {
        self.proxy = Some(proxy.into());
        self
    }

    /// Resolves names by other means than the operating system's.
    #[must_use]
    pub fn resolver(mut self, resolver: Arc<dyn Resolver>) -> Self {
        self.resolver = Some(resolver);
        self
    }

    /// Builds it.
    ///
    /// # Errors
    ///
    /// When a certificate or the proxy cannot be used.
    pub fn build(self) -> Result<HttpTransport, TransportBuildError> {
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        for pem in &self.ca_pem {
            let mut any = false;
            for certificate in CertificateDer::pem_slice_iter(pem) {
                let certificate =
                    certificate.map_err(|error| TransportBuildError::Ca(error.to_string()))?;
                roots
                    .add(certificate)
                    .map_err(|error| TransportBuildError::Ca(error.to_string()))?;
                any = true;
            }
            if !any {
                return Err(TransportBuildError::Ca("there is none in the file (PEM)".into()));
            }
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| TransportBuildError::Ca(error.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let proxy = self
            .proxy
            .map(|proxy| {
                Url::parse(&proxy)
                    .ok()
                    .filter(|url| {
                        url.scheme() == "http" && url.has_host() && url.username().is_empty()
                    })
                    .ok_or(TransportBuildError::Proxy(proxy))
            })
            .transpose()?;
        let connect_to =
            self.connect_to.into_iter().map(|mapping| (mapping.from, mapping.to)).collect();
        Ok(HttpTransport {
            connector: Connector {
                resolver: self.resolver.unwrap_or_else(|| Arc::new(SystemResolver)),
                connect_to,
                tls: TlsConnector::from(Arc::new(tls)),
                proxy,
            },
            pools: Mutex::default(),
        })
    }
}

/// HTTP/2 and HTTP/1.1 over TLS.
pub struct HttpTransport {
    connector: Connector,
    pools: Mutex<HashMap<(String, Origin), Arc<Pool>>>,
}

impl HttpTransport {
    /// Starts a builder.
    pub fn builder() -> HttpTransportBuilder {
        HttpTransportBuilder::default()
    }

    /// The origins that are mapped.
    pub fn mapped(&self) -> &BTreeMap<Origin, Origin> {
        &self.connector.connect_to
    }

    fn pool(&self, name: &str, origin: &Origin) -> Arc<Pool> {
        let mut pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        pools.entry((name.to_owned(), origin.clone())).or_default().clone()
    }

    async fn sender(
        &self,
        pool: &Arc<Pool>,
        url: &Url,
        origin: &Origin,
    ) -> Result<Sender, TransportError> {
        if let Some(sender) = pool.ready() {
            return Ok(sender);
        }
        // While nobody knows whether the origin speaks HTTP/2, one connection is opened at a time:
        // a burst of two hundred requests must not open two hundred connections to find out that
        // one would do.
        let _turn = if pool.speaks() == Speaks::Http1 {
            None
        } else {
            let turn = pool.opening.lock().await;
            if let Some(sender) = pool.ready() {
                return Ok(sender);
            }
            (pool.speaks() != Speaks::Http1).then_some(turn)
        };
        let opened = self.connector.open(url, origin).await?;
        let failed = |error: hyper::Error| {
            TransportError::new(
                TransportErrorKind::Unreachable,
                format!("{origin} cannot be reached: {}", chain(&error)),
            )
        };
        let io = TokioIo::new(opened.stream);
        if opened.is_http2 {
            let (sender, connection) = http2::Builder::new(TokioExecutor::new())
                .timer(TokioTimer::new())
                .keep_alive_interval(Duration::from_secs(20))
                .keep_alive_timeout(Duration::from_secs(10))
                .handshake(io)
                .await
                .map_err(failed)?;
            tokio::spawn(async move {
                if let Err(error) = connection.await {
                    tracing::debug!(error = %chain(&error), "an HTTP/2 connection ended");
                }
            });
            pool.lock().http2 = Some(sender.clone());
            pool.learn(Speaks::Http2);
            Ok(Sender::Http2(sender))
        } else {
            let (sender, connection) = http1::handshake(io).await.map_err(failed)?;
            tokio::spawn(async move {
                if let Err(error) = connection.await {
                    tracing::debug!(error = %chain(&error), "an HTTP/1.1 connection ended");
                }
            });
            pool.learn(Speaks::Http1);
            Ok(Sender::Http1(sender, Arc::downgrade(pool)))
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Speaks {
    #[default]
    Unknown,
    Http1,
    Http2,
}

/// Connections to one origin for one credential.
#[derive(Default)]
struct Pool {
    state: Mutex<PoolState>,
    opening: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct PoolState {
    speaks: Speaks,
    http2: Option<http2::SendRequest<Body>>,
    idle: Vec<(Instant, http1::SendRequest<Body>)>,
}

impl Pool {
    fn lock(&self) -> std::sync::MutexGuard<'_, PoolState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn speaks(&self) -> Speaks {
        self.lock().speaks
    }

    fn learn(&self, speaks: Speaks) {
        self.lock().speaks = speaks;
    }

    /// A connection that can be used at once.
    fn ready(self: &Arc<Self>) -> Option<Sender> {
        let mut state = self.lock();
        if let Some(sender) = &state.http2 {
            if !sender.is_closed() {
                return Some(Sender::Http2(sender.clone()));
            }
            state.http2 = None;
        }
        while let Some((since, sender)) = state.idle.pop() {
            if sender.is_ready() && since.elapsed() < IDLE {
                return Some(Sender::Http1(sender, Arc::downgrade(self)));
            }
        }
        None
    }
}

enum Sender {
    Http1(http1::SendRequest<Body>, Weak<Pool>),
    Http2(http2::SendRequest<Body>),
}

impl Sender {
    async fn send(
        &mut self,
        request: Request<Body>,
    ) -> Result<Response<Incoming>, TrySendError<Request<Body>>> {
        match self {
            Self::Http1(sender, _) => sender.try_send_request(request).await,
            Self::Http2(sender) => sender.try_send_request(request).await,
        }
    }

    /// Puts an HTTP/1.1 connection back, once its answer has been read to the end.
    fn give_back(self) {
        if let Self::Http1(sender, pool) = self
            && let Some(pool) = pool.upgrade()
            && !sender.is_closed()
        {
            let mut state = pool.lock();
            if state.idle.len() < MOST_IDLE {
                state.idle.push((Instant::now(), sender));
            }
        }
    }
}

/// The request as the connection wants it: HTTP/1.1 has a path and `Host`, HTTP/2 the whole URI.
fn on_the_wire(
    request: &TransportRequest,
    origin: &Origin,
    is_http2: bool,
) -> Result<Request<Body>, TransportError> {
    let url = &request.url;
    let target = match url.query() {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_owned(),
    };
    let authority = origin.to_string();
    let authority = authority.split_once("://").map_or(authority.as_str(), |(_, rest)| rest);
    let scheme = if origin.is_https() { "https" } else { "http" };
    let uri = if is_http2 { format!("{scheme}://{authority}{target}") } else { target };
    let invalid = |problem: String| {
        TransportError::new(
            TransportErrorKind::Unreachable,
            format!("the request is malformed: {problem}"),
        )
    };
    let uri: Uri =
        uri.parse().map_err(|error: http::uri::InvalidUri| invalid(error.to_string()))?;
    let mut wire = Request::new(Full::new(request.body.clone().unwrap_or_default()));
    *wire.method_mut() = request.method.clone();
    *wire.uri_mut() = uri;
    *wire.version_mut() = if is_http2 { Version::HTTP_2 } else { Version::HTTP_11 };
    *wire.headers_mut() = request.headers.clone();
    let accepted = HeaderValue::from_static(decode::ACCEPT_ENCODING);
    wire.headers_mut().insert(ACCEPT_ENCODING, accepted);
    if !is_http2 {
        let host = HeaderValue::from_str(authority).map_err(|error| invalid(error.to_string()))?;
        wire.headers_mut().insert(HOST, host);
    }
    Ok(wire)
}

#[async_trait]
impl Transport for HttpTransport {
    async fn send(&self, request: TransportRequest) -> Result<TransportResponse, TransportError> {
        let origin = Origin::of(&request.url).ok_or_else(|| {
            TransportError::new(TransportErrorKind::Denied, "the URL is neither https nor http")
        })?;
        let pool = self.pool(&request.pool, &origin);
        // A connection that has gone idle may be closed by the other side at any time. What it did
        // not take at all is sent over another one; what it may have taken never is.
        let mut left = 3;
        let (mut sender, response) = loop {
            let mut sender = self.sender(&pool, &request.url, &origin).await?;
            let wire = on_the_wire(&request, &origin, matches!(sender, Sender::Http2(_)))?;
            let sent_before = request.sent.is_set();
            request.sent.set();
            match sender.send(wire).await {
                Ok(response) => break (sender, response),
                Err(mut error) => {
                    if error.take_message().is_some() {
                        if !sent_before {
                            request.sent.clear();
                        }
                        left -= 1;
                        if left > 0 {
                            continue;
                        }
                    }
                    let error = error.into_error();
                    let kind = if error.is_parse() {
                        TransportErrorKind::InvalidResponse
                    } else {
                        TransportErrorKind::Unreachable
                    };
                    return Err(TransportError::new(
                        kind,
                        format!("the connection to {origin} broke: {}", chain(&error)),
                    ));
                }
            }
        };
        let (head, body) = response.into_parts();
        let is_head = request.method == Method::HEAD;
        let body = decode::read(&head.headers, body, request.response_limit, is_head).await?;
        if let Sender::Http1(connection, _) = &mut sender {
            // The connection is free again once its driver has seen the end of the body.
            if connection.ready().await.is_ok() {
                sender.give_back();
            }
        }
        let version = if head.version == Version::HTTP_2 { "HTTP/2" } else { "HTTP/1.1" };
        Ok(TransportResponse { status: head.status, headers: head.headers, body, version })
    }

    fn is_mapped(&self, origin: &Origin) -> bool {
        self.connector.connect_to.contains_key(origin)
    }
}
