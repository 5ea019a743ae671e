//! A service of a test's own over TLS: it answers HTTP/1.1 by a closure, under any names, and keeps
//! what it was sent.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::{TlsAcceptor, rustls};
use workflow_node_host::transport::{HttpTransport, HttpTransportBuilder};

/// A request, as the service has read it.
#[derive(Clone, Debug)]
pub struct Received {
    /// Method.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Headers in their order.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: String,
}

impl Received {
    /// The path without the query.
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// The value of a header; `None` unless it was sent exactly once.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(one, _)| one.eq_ignore_ascii_case(name));
        match (values.next(), values.next()) {
            (Some((_, value)), None) => Some(value),
            _ => None,
        }
    }

    /// A parameter of the query, decoded.
    pub fn query(&self, name: &str) -> Option<String> {
        let (_, query) = self.target.split_once('?')?;
        field(query, name)
    }

    /// A field of the body, which is a form.
    pub fn field(&self, name: &str) -> Option<String> {
        field(&self.body, name)
    }
}

fn field(form: &str, name: &str) -> Option<String> {
    let mut fields = url::form_urlencoded::parse(form.as_bytes());
    fields.find(|(field, _)| field == name).map(|(_, value)| value.into_owned())
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

impl Reply {
    /// An answer with a JSON body.
    pub fn json(status: u16, body: impl ToString) -> Self {
        let headers = vec![("Content-Type".to_owned(), "application/json".to_owned())];
        Self { status, headers, body: body.to_string() }
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    fn written(&self) -> Vec<u8> {
        let mut head =
            format!("HTTP/1.1 {} x\r\nContent-Length: {}\r\n", self.status, self.body.len());
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        [head.as_bytes(), b"\r\n", self.body.as_bytes()].concat()
    }
}

type Answer = dyn Fn(&Received) -> Reply + Send + Sync;

/// The service. Its task ends with the test's runtime.
pub struct Service {
    address: SocketAddr,
    ca_pem: String,
    received: Arc<Mutex<Vec<Received>>>,
}

impl Service {
    /// A service whose certificate is for these names.
    pub async fn start(
        names: &[&str],
        answer: impl Fn(&Received) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let (ca_pem, config) = certificate(names);
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let received: Arc<Mutex<Vec<Received>>> = Arc::default();
        let kept = received.clone();
        let answer: Arc<Answer> = Arc::new(answer);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, kept, answer) = (acceptor.clone(), kept.clone(), answer.clone());
                // A client that goes, or refuses the certificate, ends the task.
                tokio::spawn(async move { serve(acceptor, stream, &kept, &*answer).await.ok() });
            }
        });
        Self { address, ca_pem, received }
    }

    /// A transport that trusts the service and reaches it under these origins.
    pub fn transport(&self, origins: &[&str]) -> HttpTransportBuilder {
        let mut builder = HttpTransport::builder().ca_pem(self.ca_pem.as_str());
        for origin in origins {
            let mapping = format!("{origin}=https://{}", self.address);
            builder = builder.connect_to(mapping.parse().expect("it maps an origin"));
        }
        builder
    }

    /// Address on which the service listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The certificate of the authority that has signed its own.
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// Requests that the service received.
    pub fn requests(&self) -> Vec<Received> {
        self.received.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The certificate of an authority, and the configuration of a server that it has signed.
fn certificate(names: &[&str]) -> (String, ServerConfig) {
    let mut ca = CertificateParams::default();
    ca.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let ca_key = KeyPair::generate().expect("a key");
    let ca_pem = ca.self_signed(&ca_key).expect("a certificate").pem();
    let issuer = Issuer::new(ca, ca_key);
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let key = KeyPair::generate().expect("a key");
    let leaf = CertificateParams::new(names).expect("names").signed_by(&key, &issuer);
    let chain = vec![leaf.expect("a certificate").der().clone()];
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider has these versions")
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .expect("the key is the certificate's");
    (ca_pem, config)
}

async fn serve(
    acceptor: TlsAcceptor,
    stream: TcpStream,
    kept: &Mutex<Vec<Received>>,
    answer: &Answer,
) -> io::Result<()> {
    let mut stream = acceptor.accept(stream).await?;
    let mut held = Vec::new();
    loop {
        let Some(end) = held.windows(4).position(|part| part == b"\r\n\r\n") else {
            if stream.read_buf(&mut held).await? == 0 {
                return Ok(());
            }
            continue;
        };
        let head = String::from_utf8_lossy(&held[..end]).into_owned();
        let mut lines = head.split("\r\n");
        let mut first = lines.next().unwrap_or_default().split(' ').map(str::to_owned);
        let headers: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
            .collect();
        let length = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
        let length = length.and_then(|(_, value)| value.parse::<usize>().ok()).unwrap_or(0);
        while held.len() < end + 4 + length {
            if stream.read_buf(&mut held).await? == 0 {
                return Ok(());
            }
        }
        let rest = held.split_off(end + 4 + length);
        let body = String::from_utf8_lossy(&held[end + 4..]).into_owned();
        held = rest;
        let (method, target) = (first.next().unwrap_or_default(), first.next().unwrap_or_default());
        let request = Received { method, target, headers, body };
        let reply = answer(&request);
        kept.lock().unwrap_or_else(PoisonError::into_inner).push(request);
        stream.write_all(&reply.written()).await?;
    }
}
