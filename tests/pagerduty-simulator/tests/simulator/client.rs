//! A small client: one connection per request, which trusts only the simulator's authority.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use pagerduty_simulator::{Origin, Simulator};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

pub(crate) const ACCEPT: &str = "application/vnd.pagerduty+json;version=2";

/// A complete response.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: hyper::HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error} in {:?}", self.body))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The status and the code of the error.
    pub(crate) fn error(&self) -> (u16, i64) {
        (self.status, self.json()["error"]["code"].as_i64().unwrap_or_default())
    }

    /// The IDs of a list.
    pub(crate) fn ids(&self, root: &str) -> Vec<String> {
        assert_eq!(self.status, 200, "{:?}", self.body);
        let answer = self.json();
        let items = answer[root].as_array().unwrap();
        items.iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
    }
}

/// A request being built.
#[derive(Clone)]
pub(crate) struct Ask<'a> {
    simulator: &'a Simulator,
    origin: Origin,
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: Bytes,
    http1: bool,
    host: String,
}

/// A request to the REST API in the US, by the account key, on behalf of Ada.
pub(crate) fn ask<'a>(simulator: &'a Simulator, method: &str, target: &str) -> Ask<'a> {
    let key = simulator.us().keys().account;
    Ask {
        simulator,
        origin: Origin::RestUs,
        method: method.to_owned(),
        target: target.to_owned(),
        headers: Vec::new(),
        body: Bytes::new(),
        http1: false,
        host: String::new(),
    }
    .header("accept", ACCEPT)
    .header("from", "ada@example.com")
    .header("authorization", &format!("Token token={key}"))
}

pub(crate) fn get<'a>(simulator: &'a Simulator, target: &str) -> Ask<'a> {
    ask(simulator, "GET", target)
}

impl Ask<'_> {
    pub(crate) fn origin(mut self, origin: Origin) -> Self {
        self.origin = origin;
        self
    }

    /// Replaces a header; an empty value removes it.
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(other, _)| other != name);
        if !value.is_empty() {
            self.headers.push((name.to_owned(), value.to_owned()));
        }
        self
    }

    pub(crate) fn token(self, key: &str) -> Self {
        self.header("authorization", &format!("Token token={key}"))
    }

    pub(crate) fn bearer(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    pub(crate) fn json(self, body: &Value) -> Self {
        self.header("content-type", "application/json").bytes(body.to_string())
    }

    pub(crate) fn bytes(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    pub(crate) fn http1(mut self) -> Self {
        self.http1 = true;
        self
    }

    /// Names another host than the origin's.
    pub(crate) fn host(mut self, host: &str) -> Self {
        self.host = host.to_owned();
        self
    }

    /// Sends the request and reads the whole response.
    pub(crate) async fn try_send(self) -> Result<Answer, String> {
        let stream = connect(self.simulator, self.origin, self.http1).await?;
        let text = |error: &dyn std::fmt::Debug| format!("{error:?}");
        let host = if self.host.is_empty() { self.origin.host() } else { &self.host };
        let target = match self.http1 {
            true => self.target.clone(),
            false => format!("https://{host}{}", self.target),
        };
        let mut request = Request::builder().method(self.method.as_str()).uri(target);
        if self.http1 {
            request = request.header("host", host);
        }
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let request = request.body(Full::new(self.body)).map_err(|error| text(&error))?;
        let response = exchange(stream, request, self.http1).await.map_err(|error| text(&error))?;
        let (parts, body) = response.into_parts();
        let body = body.collect().await.map_err(|error| text(&error))?.to_bytes();
        Ok(Answer { status: parts.status.as_u16(), headers: parts.headers, body })
    }

    pub(crate) async fn send(self) -> Answer {
        self.try_send().await.unwrap()
    }

    /// Sends the request on an open connection.
    pub(crate) async fn send_on(self, line: &Line) -> Answer {
        let target = format!("https://{}{}", self.origin.host(), self.target);
        let mut request = Request::builder().method(self.method.as_str()).uri(target);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let request = request.body(Full::new(self.body)).unwrap();
        let response = line.0.clone().send_request(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Answer { status: parts.status.as_u16(), headers: parts.headers, body }
    }
}

/// A connection for many requests to the REST API in the US.
pub(crate) struct Line(hyper::client::conn::http2::SendRequest<Full<Bytes>>);

pub(crate) async fn line(simulator: &Simulator) -> Line {
    let stream = connect(simulator, Origin::RestUs, false).await.unwrap();
    let handshake =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
    let (sender, connection) = handshake.await.unwrap();
    tokio::spawn(connection);
    Line(sender)
}

async fn exchange(
    stream: TlsStream<TcpStream>,
    request: Request<Full<Bytes>>,
    http1: bool,
) -> hyper::Result<hyper::Response<Incoming>> {
    let io = TokioIo::new(stream);
    if http1 {
        let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await?;
        tokio::spawn(connection);
        sender.send_request(request).await
    } else {
        let executor = TokioExecutor::new();
        let (mut sender, connection) = hyper::client::conn::http2::handshake(executor, io).await?;
        tokio::spawn(connection);
        sender.send_request(request).await
    }
}

/// A TLS connection that offers one protocol, under PagerDuty's name for the origin.
pub(crate) async fn connect(
    simulator: &Simulator,
    origin: Origin,
    http1: bool,
) -> Result<TlsStream<TcpStream>, String> {
    connect_at(simulator.address(origin), simulator.ca_der(), origin, http1).await
}

/// As [`connect`], if the simulator itself may have stopped.
pub(crate) async fn connect_at(
    address: SocketAddr,
    ca_der: &[u8],
    origin: Origin,
    http1: bool,
) -> Result<TlsStream<TcpStream>, String> {
    let mut roots = RootCertStore::empty();
    roots.add(ca_der.to_vec().into()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![if http1 { b"http/1.1".to_vec() } else { b"h2".to_vec() }];
    let stream = TcpStream::connect(address).await.map_err(|error| error.to_string())?;
    stream.set_nodelay(true).unwrap();
    let name = ServerName::try_from(origin.host()).unwrap();
    let connector = TlsConnector::from(Arc::new(config));
    connector.connect(name, stream).await.map_err(|error| error.to_string())
}
