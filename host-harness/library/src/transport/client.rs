//! The default transport: hyper over rustls, connections reused per plugin, pool, and origin.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use http::header::{ACCEPT_ENCODING, HOST, HeaderValue};
use http::{Method, Request, Uri, Version};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::RootCertStore;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use tokio_rustls::TlsConnector;
use url::Url;

use super::connector::{ConnectTo, Connector, Resolver, SystemResolver};
use super::decode;
use super::pieces::Pieces;
use super::pool::{Body, Leased, PoolKey, Pools, Protocol};
use super::proxy::Proxy;
use super::quota::Quota;
use super::{
    AnswerRoom, Transport, TransportError, TransportErrorKind, TransportRequest, TransportResponse,
};
use crate::causes::chain;
use crate::limits::ConnectionLimits;
use crate::origin::{Origin, OriginOfUrl as _};
use crate::secret::Secret;

/// Why the transport cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum TransportBuildError {
    /// A CA certificate cannot be read, or the TLS implementation rejects it.
    #[error("cannot use the CA certificates")]
    Ca(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A CA file contains no certificate.
    #[error("cannot use the CA certificates: the file contains no certificate (PEM)")]
    NoCertificate,
    /// The proxy is not an http origin. The message does not quote the URL, because it may contain
    /// a password.
    #[error(
        "cannot use the URL of the proxy: {0}. Use http://host:port or \
         http://user:password@host:port"
    )]
    Proxy(&'static str),
}

/// Builds an [`HttpTransport`].
#[derive(Default)]
pub struct HttpTransportBuilder {
    ca_pem: Vec<Vec<u8>>,
    connect_to: Vec<ConnectTo>,
    proxy: Option<Secret>,
    proxy_credentials: Option<(String, Secret)>,
    resolver: Option<Arc<dyn Resolver>>,
    limits: ConnectionLimits,
}

impl HttpTransportBuilder {
    /// Trusts additional certificate authorities (PEM), in addition to Mozilla's.
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
    /// no environment variable is read. The URL may hold a user name, which may be empty, and a
    /// password, both percent-encoded; they are sent to the proxy alone (Basic).
    #[must_use]
    pub fn proxy(mut self, proxy: impl Into<String>) -> Self {
        self.proxy = Some(Secret::new(proxy));
        self
    }

    /// User name and password for the proxy, instead of those in its URL.
    #[must_use]
    pub fn proxy_credentials(mut self, user: impl Into<String>, password: Secret) -> Self {
        self.proxy_credentials = Some((user.into(), password));
        self
    }

    /// Resolves names by other means than the operating system's.
    #[must_use]
    pub fn resolver(mut self, resolver: Arc<dyn Resolver>) -> Self {
        self.resolver = Some(resolver);
        self
    }

    /// Limits connections and name look-ups. Default: [`ConnectionLimits::default`].
    #[must_use]
    pub fn limits(mut self, limits: ConnectionLimits) -> Self {
        self.limits = limits;
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
                    certificate.map_err(|error| TransportBuildError::Ca(error.into()))?;
                roots.add(certificate).map_err(|error| TransportBuildError::Ca(error.into()))?;
                any = true;
            }
            if !any {
                return Err(TransportBuildError::NoCertificate);
            }
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| TransportBuildError::Ca(error.into()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let proxy = match self.proxy {
            Some(url) => Some(
                Proxy::new(url.expose(), self.proxy_credentials)
                    .map_err(TransportBuildError::Proxy)?,
            ),
            None => None,
        };
        let connect_to =
            self.connect_to.into_iter().map(|mapping| (mapping.from, mapping.to)).collect();
        Ok(HttpTransport {
            connector: Connector {
                resolver: self.resolver.unwrap_or_else(|| Arc::new(SystemResolver)),
                lookups: Quota::new(self.limits.lookups, self.limits.lookups_per_plugin),
                connect_to,
                tls: TlsConnector::from(Arc::new(tls)),
                proxy,
            },
            pools: Pools::new(self.limits),
        })
    }
}

/// HTTP/2 and HTTP/1.1 over TLS.
pub struct HttpTransport {
    connector: Connector,
    pools: Arc<Pools>,
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

    async fn connection(&self, key: &Arc<PoolKey>, url: &Url) -> Result<Leased, TransportError> {
        if let Some(leased) = self.pools.ready(key) {
            return Ok(leased);
        }
        // Until it is known whether the origin supports HTTP/2, one connection is opened at a time:
        // a burst of two hundred requests must not open two hundred connections when one would
        // suffice.
        let opening = self.pools.opening(key);
        let _turn = if opening.protocol() == Protocol::Http1 {
            None
        } else {
            let turn = opening.turn.lock().await;
            if let Some(leased) = self.pools.ready(key) {
                return Ok(leased);
            }
            (opening.protocol() != Protocol::Http1).then_some(turn)
        };
        let share = self.pools.share(&key.plugin).await.map_err(|problem| {
            TransportError::new(
                TransportErrorKind::Unreachable,
                format!("cannot reach {}: {problem}", key.origin),
            )
        })?;
        let origin = &key.origin;
        let opened = self.connector.open(url, origin, &key.plugin, key.private).await?;
        let failed = |error: hyper::Error| {
            TransportError::new(
                TransportErrorKind::Unreachable,
                format!("cannot reach {origin}: {}", chain(&error)),
            )
        };
        let io = TokioIo::new(opened.stream);
        // The share is given back when the connection is closed, which its driver does.
        if opened.is_http2 {
            let (sender, connection) = http2::Builder::new(TokioExecutor::new())
                .timer(TokioTimer::new())
                .keep_alive_interval(Duration::from_secs(20))
                .keep_alive_timeout(Duration::from_secs(10))
                .handshake(io)
                .await
                .map_err(failed)?;
            let driver = async move {
                let _share = share;
                if let Err(error) = connection.await {
                    tracing::debug!(error = %chain(&error), "an HTTP/2 connection ended");
                }
            };
            Ok(self.pools.opened_http2(key, &opening, sender, driver))
        } else {
            let (sender, connection) = http1::handshake(io).await.map_err(failed)?;
            let driver = async move {
                let _share = share;
                if let Err(error) = connection.await {
                    tracing::debug!(error = %chain(&error), "an HTTP/1.1 connection ended");
                }
            };
            Ok(self.pools.opened_http1(key, &opening, sender, driver))
        }
    }
}

/// The request in the form that the connection needs: HTTP/1.1 has a path and `Host`, HTTP/2 the
/// whole URI.
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
    let mut wire = Request::new(Pieces::new(request.body.clone().unwrap_or_default()));
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
        self.send_within(request, &AnswerRoom::default()).await
    }

    async fn send_within(
        &self,
        request: TransportRequest,
        room: &AnswerRoom,
    ) -> Result<TransportResponse, TransportError> {
        let origin = Origin::of(&request.url).ok_or_else(|| {
            TransportError::new(TransportErrorKind::Denied, "the URL is neither https nor http")
        })?;
        let key = Arc::new(PoolKey {
            plugin: request.plugin.clone(),
            pool: request.pool.clone(),
            origin: origin.clone(),
            private: request.private_addresses,
        });
        // A connection that has gone idle may be closed by the other side at any time. What it did
        // not take at all is sent over another one; what it may have taken never is.
        let mut left = 3;
        let (connection, response) = loop {
            let mut connection = self.connection(&key, &request.url).await?;
            let wire = on_the_wire(&request, &origin, connection.is_http2())?;
            let sent_before = request.sent.is_set();
            request.sent.set();
            match connection.send(wire).await {
                Ok(response) => break (connection, response),
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
        let body = decode::read(&head.headers, body, request.response_limit, room, is_head);
        let body = body.await?;
        connection.give_back().await;
        let version = if head.version == Version::HTTP_2 { "HTTP/2" } else { "HTTP/1.1" };
        Ok(TransportResponse { status: head.status, headers: head.headers, body, version })
    }

    fn is_mapped(&self, origin: &Origin) -> bool {
        self.connector.connect_to.contains_key(origin)
    }
}
