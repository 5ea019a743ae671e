//! A webhook receiver that records requests and responds as instructed.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response};
use hyper_util::rt::TokioIo;
use pagerduty_simulator::IssuedCertificate;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// How the receiver responds to a request.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Answer {
    Status(u16),
    /// Responds with 202, but too late.
    Late(Duration),
}

/// A request as received.
#[derive(Clone, Debug)]
pub(crate) struct Arrival {
    pub(crate) target: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Arrival {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn event(&self) -> Value {
        let body: Value = serde_json::from_slice(&self.body).unwrap();
        body["event"].clone()
    }

    pub(crate) fn event_type(&self) -> String {
        self.event()["event_type"].as_str().unwrap().to_owned()
    }

    /// Whether one of the signatures was made with this secret over these bytes.
    pub(crate) fn is_signed_with(&self, secret: &str) -> bool {
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret.as_bytes());
        self.header("x-pagerduty-signature").split(',').any(|signature| {
            let Some(hex) = signature.strip_prefix("v1=") else { return false };
            let bytes: Option<Vec<u8>> = (0..hex.len() / 2)
                .map(|place| u8::from_str_radix(&hex[place * 2..place * 2 + 2], 16).ok())
                .collect();
            bytes.is_some_and(|bytes| ring::hmac::verify(&key, &self.body, &bytes).is_ok())
        })
    }
}

#[derive(Default)]
struct Memory {
    arrivals: Vec<Arrival>,
    /// Pending responses; 202 if there are none.
    answers: VecDeque<Answer>,
    always: Option<Answer>,
}

#[derive(Clone)]
pub(crate) struct Receiver {
    address: SocketAddr,
    scheme: &'static str,
    memory: Arc<Mutex<Memory>>,
}

impl Receiver {
    pub(crate) async fn start() -> Self {
        Self::listen(None).await
    }

    pub(crate) async fn start_tls(certificate: &IssuedCertificate) -> Self {
        let chain = CertificateDer::from_pem_slice(certificate.certificate_pem.as_bytes()).unwrap();
        let key = PrivateKeyDer::from_pem_slice(certificate.key_pem.as_bytes()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![chain], key)
            .unwrap();
        Self::listen(Some(TlsAcceptor::from(Arc::new(config)))).await
    }

    async fn listen(tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let receiver = Self {
            address: listener.local_addr().unwrap(),
            scheme: if tls.is_some() { "https" } else { "http" },
            memory: Arc::default(),
        };
        let memory = Arc::clone(&receiver.memory);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (memory, tls) = (Arc::clone(&memory), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        None => serve(stream, memory).await,
                        Some(tls) => {
                            // A client that refuses the certificate may be the purpose of a test.
                            if let Ok(stream) = tls.accept(stream).await {
                                serve(stream, memory).await;
                            }
                        }
                    }
                });
            }
        });
        receiver
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}://{}{path}", self.scheme, self.address)
    }

    /// The address without its scheme.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Sets the responses to the next requests.
    pub(crate) fn answer(&self, answers: &[Answer]) {
        self.memory.lock().unwrap().answers.extend(answers);
    }

    /// Sets the response to all other requests.
    pub(crate) fn always(&self, answer: Answer) {
        self.memory.lock().unwrap().always = Some(answer);
    }

    pub(crate) fn arrivals(&self) -> Vec<Arrival> {
        self.memory.lock().unwrap().arrivals.clone()
    }

    pub(crate) fn types(&self) -> Vec<String> {
        self.arrivals().iter().map(Arrival::event_type).collect()
    }

    pub(crate) fn forget(&self) {
        self.memory.lock().unwrap().arrivals.clear();
    }

    /// Waits until this many requests have arrived.
    pub(crate) async fn has(&self, count: usize) {
        let enough = async {
            while self.arrivals().len() < count {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        let seen = tokio::time::timeout(Duration::from_secs(10), enough).await;
        assert!(seen.is_ok(), "{} of {count} arrived: {:?}", self.arrivals().len(), self.types());
    }
}

async fn serve<S>(stream: S, memory: Arc<Mutex<Memory>>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |request: Request<Incoming>| {
        let memory = Arc::clone(&memory);
        async move {
            let (parts, body) = request.into_parts();
            let body = body.collect().await.unwrap().to_bytes();
            let target = parts.uri.to_string();
            let answer = {
                let mut memory = memory.lock().unwrap();
                memory.arrivals.push(Arrival { target, headers: parts.headers, body });
                memory.answers.pop_front().or(memory.always)
            };
            let status = match answer {
                None => 202,
                Some(Answer::Status(status)) => status,
                Some(Answer::Late(wait)) => {
                    tokio::time::sleep(wait).await;
                    202
                }
            };
            let response = Response::builder().status(status).body(Empty::<Bytes>::new()).unwrap();
            Ok::<_, Infallible>(response)
        }
    });
    // The simulator disconnects after the response.
    let _left = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}
