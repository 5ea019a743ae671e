//! Receives one callback on this machine (RFC 8252 section 7.3): binds a literal loopback address,
//! answers one path with a fixed page, and is gone after the first answer that counts.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

use super::callback::LONGEST;
use super::page::{self, Page};

/// Maximum time for one connection to send its request.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a person may take at the service.
pub const WAITING: Duration = Duration::from_secs(120);
/// Connections that are read at once; a browser opens a few ahead.
const MOST: usize = 16;

/// Listens for a callback.
#[derive(Debug)]
pub struct Loopback {
    listener: TcpListener,
    redirect: Url,
}

/// A callback that waits for its page.
#[derive(Debug)]
pub struct Received {
    stream: TcpStream,
    /// The whole URL, to be given to [`finish`](super::CredentialManager::finish). It holds the
    /// code: not to be shown.
    pub url: String,
}

impl Loopback {
    /// Listens on 127.0.0.1, at a port that the system chooses.
    ///
    /// # Errors
    ///
    /// When it cannot.
    pub async fn bind() -> std::io::Result<Self> {
        Self::at(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0), "/callback").await
    }

    /// Listens where a registered redirect URL says, e.g. `http://127.0.0.1:8912/callback`.
    ///
    /// # Errors
    ///
    /// When the URL is not plain http at a literal loopback address with a port, or the port is
    /// taken.
    pub async fn for_redirect(redirect: &Url) -> std::io::Result<Self> {
        let wrong = || {
            std::io::Error::other(
                "the host can listen only on http://127.0.0.1:PORT/PATH and http://[::1]:PORT/PATH",
            )
        };
        let address = literal_loopback(redirect).ok_or_else(wrong)?;
        let listener = TcpListener::bind(address).await?;
        Ok(Self { listener, redirect: redirect.clone() })
    }

    async fn at(address: SocketAddr, path: &str) -> std::io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let redirect = format!("http://{}{path}", listener.local_addr()?);
        let redirect = Url::parse(&redirect).map_err(std::io::Error::other)?;
        Ok(Self { listener, redirect })
    }

    /// Redirect URL to send to the service.
    pub fn redirect_url(&self) -> &Url {
        &self.redirect
    }

    /// Waits for the callback. Any other connection receives a response and is closed; a slow one
    /// is cut off.
    ///
    /// # Errors
    ///
    /// When none comes in time.
    pub async fn receive(&self, within: Duration) -> std::io::Result<Received> {
        let (found, mut callback) = tokio::sync::mpsc::channel::<Received>(1);
        let room = std::sync::Arc::new(tokio::sync::Semaphore::new(MOST));
        let mut readers = tokio::task::JoinSet::new();
        let accepting = async {
            loop {
                let (stream, _) = self.listener.accept().await?;
                let Ok(permit) = room.clone().try_acquire_owned() else { continue };
                let (redirect, found) = (self.redirect.clone(), found.clone());
                readers.spawn(async move {
                    let _permit = permit;
                    if let Ok(Some(received)) =
                        tokio::time::timeout(PATIENCE, read(stream, &redirect)).await
                    {
                        // A second one, that comes before the first was seen, is dropped.
                        let _taken = found.try_send(received).is_ok();
                    }
                });
                // Readers that are done make room.
                while readers.try_join_next().is_some() {}
            }
        };
        tokio::select! {
            biased;
            received = callback.recv() => {
                received.ok_or_else(|| std::io::Error::other("the listener is closed"))
            }
            error = accepting => error,
            () = tokio::time::sleep(within) => Err(std::io::Error::new(
                std::io::ErrorKind::TimedOut,
                format!("no callback from the service arrived within {} s", within.as_secs()),
            )),
        }
    }
}

impl Received {
    /// Shows the page that this browser stays on.
    pub async fn show(mut self, page: &Page) {
        // The browser may be gone; what was connected is connected.
        let _shown = answer(&mut self.stream, "200 OK", &page.html()).await.is_ok();
    }
}

/// The address of a redirect URL that can be listened to.
pub(crate) fn literal_loopback(redirect: &Url) -> Option<SocketAddr> {
    let address = match redirect.host()? {
        url::Host::Ipv4(address) if address == Ipv4Addr::LOCALHOST => IpAddr::V4(address),
        url::Host::Ipv6(address) if address.is_loopback() => IpAddr::V6(address),
        _ => return None,
    };
    (redirect.scheme() == "http").then(|| SocketAddr::new(address, redirect.port().unwrap_or(80)))
}

/// Reads the head of a request. Responds to requests that are not callbacks.
async fn read(mut stream: TcpStream, redirect: &Url) -> Option<Received> {
    let mut head = Vec::with_capacity(1024);
    let mut buffer = [0; 1024];
    let end = loop {
        if let Some(end) = head.windows(4).position(|at| at == b"\r\n\r\n") {
            break end;
        }
        // The request line has its own limit; the headers of a browser fit beside it.
        if head.len() > LONGEST + 32 * 1024 {
            let _answered = answer(&mut stream, "431 Request Header Fields Too Large", "").await;
            return None;
        }
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return None,
            Ok(read) => head.extend_from_slice(&buffer[..read]),
        }
    };
    let line = head[..end].split(|byte| *byte == b'\r').next().unwrap_or_default();
    if line.len() > LONGEST {
        let _answered = answer(&mut stream, "414 URI Too Long", "").await;
        return None;
    }
    let line = std::str::from_utf8(line).unwrap_or_default();
    let mut words = line.split(' ');
    let (Some(method), Some(target), Some(version), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        let _answered = answer(&mut stream, "400 Bad Request", "").await;
        return None;
    };
    if !version.starts_with("HTTP/1.") || !target.starts_with('/') {
        let _answered = answer(&mut stream, "400 Bad Request", "").await;
        return None;
    }
    let path = target.split('?').next().unwrap_or_default();
    if path != redirect.path() {
        let _answered = answer(&mut stream, "404 Not Found", &page::nothing_here()).await;
        return None;
    }
    if method != "GET" {
        let _answered = answer(&mut stream, "405 Method Not Allowed", "").await;
        return None;
    }
    let origin = redirect.origin().ascii_serialization();
    Some(Received { stream, url: format!("{origin}{target}") })
}

async fn answer(stream: &mut TcpStream, status: &str, html: &str) -> std::io::Result<()> {
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: text/html; charset=utf-8\r\ncontent-length: {}\r\n\
         cache-control: no-store\r\nreferrer-policy: no-referrer\r\n\
         content-security-policy: default-src 'none'; style-src 'unsafe-inline'\r\n\
         x-content-type-options: nosniff\r\nx-frame-options: DENY\r\nconnection: close\r\n\r\n",
        html.len()
    );
    let write = async {
        stream.write_all(head.as_bytes()).await?;
        stream.write_all(html.as_bytes()).await?;
        stream.shutdown().await
    };
    match tokio::time::timeout(PATIENCE, write).await {
        Ok(written) => written,
        Err(_) => Err(std::io::ErrorKind::TimedOut.into()),
    }
}
