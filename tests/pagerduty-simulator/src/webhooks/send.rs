//! One attempt: a new connection, one request, and the head of the response.

use std::io;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, USER_AGENT};
use hyper_util::rt::TokioIo;
use percent_encoding::percent_decode_str;
use rustls::CertificateError;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use url::Url;

/// Result of an attempt.
#[derive(Debug)]
pub(super) enum Outcome {
    Answer(u16),
    /// No response; another attempt may succeed.
    NoAnswer(String),
    /// No response, and no attempt can succeed.
    Hopeless(String),
}

/// Sends a body and waits for the head of a response, all within the timeout.
pub(super) async fn send(
    tls: &TlsConnector,
    address: &str,
    headers: &[(String, String)],
    body: Bytes,
    limit: Duration,
) -> Outcome {
    let Ok(url) = Url::parse(address) else {
        return Outcome::Hopeless("the address is no URL".to_owned());
    };
    match tokio::time::timeout(limit, attempt(tls, &url, headers, body)).await {
        Ok(outcome) => outcome,
        Err(_) => Outcome::NoAnswer("no answer in time".to_owned()),
    }
}

async fn attempt(
    tls: &TlsConnector,
    url: &Url,
    headers: &[(String, String)],
    body: Bytes,
) -> Outcome {
    let Some(host) = url.host_str() else {
        return Outcome::Hopeless("the address names no host".to_owned());
    };
    let port = url.port_or_known_default().unwrap_or(443);
    // Brackets belong to the notation of a URL, not to the address.
    let name = host.trim_matches(['[', ']']).to_owned();
    let stream = match TcpStream::connect((name.as_str(), port)).await {
        Ok(stream) => stream,
        Err(error) => return Outcome::NoAnswer(error.to_string()),
    };
    let request = match request(url, host, headers, body) {
        Ok(request) => request,
        Err(error) => return Outcome::Hopeless(error.to_string()),
    };
    if url.scheme() == "http" {
        return exchange(stream, request).await;
    }
    let Ok(name) = ServerName::try_from(name) else {
        return Outcome::Hopeless("the host is no name for TLS".to_owned());
    };
    match tls.connect(name, stream).await {
        Ok(stream) => exchange(stream, request).await,
        Err(error) if is_hopeless(&error) => Outcome::Hopeless(error.to_string()),
        Err(error) => Outcome::NoAnswer(error.to_string()),
    }
}

fn request(
    url: &Url,
    host: &str,
    headers: &[(String, String)],
    body: Bytes,
) -> hyper::http::Result<Request<Full<Bytes>>> {
    let target = match url.query() {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_owned(),
    };
    let host = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    let mut request = Request::post(target)
        .header(HOST, host)
        .header(CONTENT_TYPE, "application/json")
        .header(USER_AGENT, "PagerDuty-Webhook/V3.0");
    if !url.username().is_empty() {
        let plain = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let pair = format!("{}:{}", plain(url.username()), plain(url.password().unwrap_or("")));
        request = request.header(AUTHORIZATION, format!("Basic {}", STANDARD.encode(pair)));
    }
    for (name, value) in headers {
        request = request.header(name.as_str(), value.as_str());
    }
    request.body(Full::new(body))
}

async fn exchange<S>(stream: S, request: Request<Full<Bytes>>) -> Outcome
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = match handshake {
        Ok(pair) => pair,
        Err(error) => return Outcome::NoAnswer(error.to_string()),
    };
    // It ends with the sender, at the end of this function.
    tokio::spawn(connection);
    match sender.send_request(request).await {
        Ok(response) => Outcome::Answer(response.status().as_u16()),
        Err(error) => Outcome::NoAnswer(format!("{error:?}")),
    }
}

/// An expired certificate may be renewed; other TLS failures are permanent.
fn is_hopeless(error: &io::Error) -> bool {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match inner {
        None => false,
        Some(rustls::Error::InvalidCertificate(
            CertificateError::Expired | CertificateError::ExpiredContext { .. },
        )) => false,
        Some(_) => true,
    }
}
