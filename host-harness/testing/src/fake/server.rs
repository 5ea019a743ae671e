//! A fake over TLS on loopback, with real connections: resets are real resets.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose,
};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Sleep;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{self, ServerConfig};
use url::Url;

use super::deliver::Deliver;
use super::{Answered, Fake};
use crate::fault::Fault;
use crate::message::{Request, Response};

/// Chunk size of a slow body.
const PIECES: u32 = 10;

/// A served request.
#[derive(Clone, Debug)]
pub struct Served {
    /// Method.
    pub method: String,
    /// URL, with the origin that was requested.
    pub url: String,
    /// Status of the response; `None` if there was none.
    pub status: Option<u16>,
    /// Line of the route in the file; `None` if no route matches.
    pub line: Option<usize>,
    /// The fault that affected the response.
    pub fault: Option<Fault>,
}

type Report = Arc<dyn Fn(&Served) + Send + Sync>;

/// A running fake. It stops when it is dropped.
pub struct Server {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Server {
    /// Serves a fake on this loopback address. `report` receives every request, and `deliver` every
    /// webhook.
    ///
    /// # Errors
    ///
    /// If the address is not a loopback address, or it cannot be bound.
    pub async fn start(
        fake: Arc<Fake>,
        certificates: &Arc<Certificates>,
        address: SocketAddr,
        deliver: Arc<Deliver>,
        report: impl Fn(&Served) + Send + Sync + 'static,
    ) -> std::io::Result<Self> {
        if !address.ip().is_loopback() {
            let message = format!("{address} is not an address of loopback, e.g. 127.0.0.1:8443");
            return Err(std::io::Error::new(std::io::ErrorKind::InvalidInput, message));
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(std::io::Error::other)?
            .with_no_client_auth()
            .with_cert_resolver(certificates.clone());
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let service = Arc::new(Service { fake, deliver, report: Arc::new(report) });
        let task = tokio::spawn(async move {
            // The tasks of connections end with this set.
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (service, acceptor) = (service.clone(), acceptor.clone());
                connections.spawn(async move { service.connection(stream, acceptor).await });
                while connections.try_join_next().is_some() {}
            }
        });
        Ok(Self { address, task })
    }

    /// The address that it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Service {
    fake: Arc<Fake>,
    deliver: Arc<Deliver>,
    report: Report,
}

impl Service {
    async fn connection(self: Arc<Self>, stream: TcpStream, acceptor: TlsAcceptor) {
        let reset = Arc::new(Reset::of(&stream));
        // A client that refuses the certificate can be ignored.
        let Ok(stream) = acceptor.accept(stream).await else { return };
        let service = service_fn(|request| {
            let (service, reset) = (self.clone(), reset.clone());
            async move { service.serve(request, &reset).await }
        });
        let server = auto::Builder::new(TokioExecutor::new()).http1_only();
        // A client may close the connection, as may a fault.
        let _ended = server.serve_connection(TokioIo::new(stream), service).await.is_ok();
    }

    async fn serve(
        &self,
        request: http::Request<Incoming>,
        reset: &Reset,
    ) -> std::io::Result<http::Response<Paced>> {
        let (head, body) = request.into_parts();
        let host = head.headers.get("host").and_then(|host| host.to_str().ok());
        let target = head.uri.path_and_query().map(ToString::to_string).unwrap_or_default();
        let url = format!("https://{}{target}", host.unwrap_or("127.0.0.1"));
        let url: Url = url.parse().map_err(std::io::Error::other)?;
        let mut request = Request {
            method: head.method.to_string(),
            url,
            headers: crate::message::pairs(&head.headers),
            body: Bytes::new(),
        };
        // Such a route cannot depend on the body, which is not read.
        if let Some(fault) = self.fake.resets_before(&request) {
            let answered = Answered { fault: Some(fault), ..self.fake.answer(&request, now()) };
            self.report(&request, &answered, None);
            reset.set();
            return Err(std::io::Error::other("reset by a fault"));
        }
        request.body = body.collect().await.map_err(std::io::Error::other)?.to_bytes();
        let mut answered = self.fake.answer(&request, now());
        if let Some(response) = answered.fault.as_ref().and_then(Fault::response) {
            answered.response = response;
        }
        let is_processed = answered.fault.as_ref().is_none_or(Fault::is_processed);
        if is_processed {
            self.deliver.all(std::mem::take(&mut answered.webhooks));
        }
        if let Some(Fault::ResetAfter | Fault::ResetBefore) = answered.fault {
            self.report(&request, &answered, None);
            reset.set();
            return Err(std::io::Error::other("reset by a fault"));
        }
        let mut response = answered.response.clone();
        let (mut pace, mut is_truncated) = (None, false);
        match &answered.fault {
            Some(Fault::Delay { by }) => tokio::time::sleep(*by).await,
            Some(Fault::SlowBody { over }) => pace = Some(*over / PIECES),
            Some(Fault::Truncated) => is_truncated = true,
            Some(Fault::Malformed) => response = Fault::malformed(response),
            _ => {}
        }
        self.report(&request, &answered, Some(response.status));
        Ok(written(response, pace, is_truncated))
    }

    fn report(&self, request: &Request, answered: &Answered, status: Option<u16>) {
        (self.report)(&Served {
            method: request.method.clone(),
            url: request.url.to_string(),
            status,
            line: answered.line,
            fault: answered.fault.clone(),
        });
    }
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

fn written(
    response: Response,
    pace: Option<Duration>,
    is_truncated: bool,
) -> http::Response<Paced> {
    let length = response.body.len();
    let body = Paced {
        piece: length.div_ceil(PIECES as usize).max(1),
        ends_at: if is_truncated { length / 2 } else { length },
        body: response.body,
        sent: 0,
        pace,
        pause: None,
    };
    let mut written = http::Response::new(body);
    *written.status_mut() = http::StatusCode::from_u16(response.status).unwrap_or_default();
    for (name, value) in response.headers {
        let name = http::HeaderName::from_bytes(name.as_bytes());
        if let (Ok(name), Ok(value)) = (name, http::HeaderValue::from_str(&value)) {
            written.headers_mut().append(name, value);
        }
    }
    written
}

/// A body that announces its length, and may be slow or end early.
struct Paced {
    body: Bytes,
    piece: usize,
    ends_at: usize,
    sent: usize,
    pace: Option<Duration>,
    pause: Option<Pin<Box<Sleep>>>,
}

impl Body for Paced {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        if let Some(pace) = self.pace.filter(|_| self.sent < self.ends_at) {
            let pause = self.pause.get_or_insert_with(|| Box::pin(tokio::time::sleep(pace)));
            std::task::ready!(pause.as_mut().poll(context));
            self.pause = None;
        }
        if self.sent >= self.ends_at {
            return Poll::Ready(if self.ends_at < self.body.len() {
                Some(Err(std::io::Error::other("the body ends early by a fault")))
            } else {
                None
            });
        }
        let size = if self.pace.is_some() { self.piece } else { self.ends_at };
        let end = (self.sent + size).min(self.ends_at);
        let piece = self.body.slice(self.sent..end);
        self.sent = end;
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.sent >= self.ends_at && self.ends_at == self.body.len()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact((self.body.len() - self.sent) as u64)
    }
}

/// Makes the end of a connection a TCP reset.
struct Reset {
    #[cfg(unix)]
    socket: Option<std::os::fd::OwnedFd>,
}

impl Reset {
    fn of(stream: &TcpStream) -> Self {
        #[cfg(unix)]
        {
            use std::os::fd::AsFd as _;
            Self { socket: stream.as_fd().try_clone_to_owned().ok() }
        }
        #[cfg(not(unix))]
        {
            let _ = stream;
            Self {}
        }
    }

    fn set(&self) {
        #[cfg(unix)]
        if let Some(socket) = &self.socket {
            // If it fails, the connection ends without a reset, which is a fault as well.
            let linger = Some(Duration::ZERO);
            let _reset = rustix::net::sockopt::set_socket_linger(socket, linger).is_ok();
        }
    }
}

/// A certificate authority for the lifetime of the fake, and a certificate for each requested name.
pub struct Certificates {
    issuer: CertifiedIssuer<'static, KeyPair>,
    key: KeyPair,
    made: Mutex<BTreeMap<String, Arc<CertifiedKey>>>,
}

impl std::fmt::Debug for Certificates {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Certificates")
    }
}

impl Certificates {
    /// Creates an authority.
    ///
    /// # Errors
    ///
    /// If no key can be generated.
    pub fn new() -> std::io::Result<Arc<Self>> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.distinguished_name.push(DnType::CommonName, "harness fake");
        let key = || KeyPair::generate().map_err(std::io::Error::other);
        let issuer = CertifiedIssuer::self_signed(params, key()?).map_err(std::io::Error::other)?;
        Ok(Arc::new(Self { issuer, key: key()?, made: Mutex::default() }))
    }

    /// The authority's certificate, which clients must trust.
    pub fn ca_pem(&self) -> String {
        self.issuer.pem()
    }

    fn certificate(&self, name: &str) -> Option<Arc<CertifiedKey>> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = made.get(name) {
            return Some(known.clone());
        }
        let params = CertificateParams::new(vec![name.to_owned()]).ok()?;
        let certificate = params.signed_by(&self.key, &self.issuer).ok()?;
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.key.serialize_der()));
        let signing = rustls::crypto::ring::sign::any_supported_type(&key).ok()?;
        let certified = Arc::new(CertifiedKey::new(vec![certificate.der().clone()], signing));
        made.insert(name.to_owned(), certified.clone());
        Some(certified)
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        // A client that connects to an address requests no name.
        self.certificate(hello.server_name().unwrap_or("127.0.0.1"))
    }
}
