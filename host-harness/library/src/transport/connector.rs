//! Opens connections: resolves a name, judges every address, connects to a judged one, and keeps
//! the name for SNI and certificate.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use url::{Host, Url};

use super::proxy::Proxy;
use super::quota::{Exhausted, Quota};
use super::{TransportError, TransportErrorKind, judge_address, judge_private_address};
use crate::causes::chain;
use crate::origin::{Origin, OriginError, OriginOfUrl as _};

/// How long one connection attempt may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a name look-up waits for others to end. The rest of the attempt is for itself.
const LOOKUP_WAIT: Duration = Duration::from_secs(4);
/// Stack of a thread that looks a name up, in bytes. Modules of the system's name service switch keep
/// answers of some 10 KiB on it.
const LOOKUP_STACK: usize = 1024 * 1024;

/// Resolves names.
#[async_trait]
pub trait Resolver: Send + Sync + 'static {
    /// All addresses of a name. The transport lets only a limited number of look-ups run at a time
    /// (see [`ConnectionLimits`](crate::ConnectionLimits)), and lets each end even where nobody waits
    /// for it any more: a look-up that has begun counts until it returns.
    ///
    /// # Errors
    ///
    /// When it has none.
    async fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>>;
}

/// The operating system's resolver, with its hosts file, search domains, and name service switch.
/// It has only a blocking call that cannot be canceled. Each lookup runs on a separate thread, so
/// that lookups that hang do not occupy the thread pool for files and the credential store.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemResolver;

#[async_trait]
impl Resolver for SystemResolver {
    async fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        let (sender, receiver) = tokio::sync::oneshot::channel();
        let host = host.to_owned();
        std::thread::Builder::new()
            .name("workflow-node-dns".into())
            .stack_size(LOOKUP_STACK)
            .spawn(move || {
                let found = (host.as_str(), 0)
                    .to_socket_addrs()
                    .map(|addresses| addresses.map(|address| address.ip()).collect());
                // Nobody may be waiting any more.
                drop(sender.send(found));
            })?;
        receiver.await.map_err(|_| io::Error::other("the lookup ended without a result"))?
    }
}

/// A mapping of one origin to another, written `ORIGIN=ORIGIN`: requests for the first connect to
/// the second. URL, `Host`, SNI and certificate check stay with the first (as with curl's
/// `--connect-to`), and the second's address is not judged: the operator has named it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectTo {
    /// Origin that requests name.
    pub from: Origin,
    /// Origin that they are sent to.
    pub to: Origin,
}

/// Reason that a text is not a mapping.
#[derive(Debug, thiserror::Error)]
pub enum ConnectToError {
    /// No `=`.
    #[error(
        "invalid mapping `{0}`. Use ORIGIN=ORIGIN, e.g. \
         https://api.example.com=https://127.0.0.1:8443"
    )]
    Form(String),
    /// No origin.
    #[error(transparent)]
    Origin(#[from] OriginError),
    /// From https to http or the reverse.
    #[error("cannot map {from} to {to}: both must be https, or both must be http")]
    Scheme {
        /// Origin that requests name.
        from: Origin,
        /// Origin that they would be sent to.
        to: Origin,
    },
}

impl std::str::FromStr for ConnectTo {
    type Err = ConnectToError;

    fn from_str(text: &str) -> Result<Self, ConnectToError> {
        let (from, to) = text.split_once('=').ok_or_else(|| ConnectToError::Form(text.into()))?;
        let (from, to): (Origin, Origin) = (from.parse()?, to.parse()?);
        if from.is_https() != to.is_https() {
            return Err(ConnectToError::Scheme { from, to });
        }
        Ok(Self { from, to })
    }
}

/// A byte stream to an origin.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Opened connection.
pub(super) struct Opened {
    pub(super) stream: Box<dyn Stream>,
    pub(super) is_http2: bool,
}

/// Opens connections.
pub(super) struct Connector {
    pub(super) resolver: Arc<dyn Resolver>,
    pub(super) lookups: Quota,
    pub(super) connect_to: BTreeMap<Origin, Origin>,
    pub(super) tls: TlsConnector,
    pub(super) proxy: Option<Proxy>,
}

impl Connector {
    pub(super) async fn open(
        &self,
        url: &Url,
        origin: &Origin,
        plugin: &str,
        private: bool,
    ) -> Result<Opened, TransportError> {
        let attempt = self.open_unbounded(url, origin, plugin, private);
        match tokio::time::timeout(CONNECT_TIMEOUT, attempt).await {
            Ok(result) => result,
            Err(_) => {
                Err(unreachable(origin, &format!("no connection within {CONNECT_TIMEOUT:?}")))
            }
        }
    }

    async fn open_unbounded(
        &self,
        url: &Url,
        origin: &Origin,
        plugin: &str,
        private: bool,
    ) -> Result<Opened, TransportError> {
        let stream = self.tcp(url, origin, plugin, private).await?;
        if !origin.is_https() {
            return Ok(Opened { stream: Box::new(stream), is_http2: false });
        }
        let name = match url.host() {
            Some(Host::Domain(name)) => ServerName::try_from(name.to_owned()).ok(),
            Some(Host::Ipv4(address)) => Some(ServerName::IpAddress(IpAddr::V4(address).into())),
            Some(Host::Ipv6(address)) => Some(ServerName::IpAddress(IpAddr::V6(address).into())),
            None => None,
        };
        let name =
            name.ok_or_else(|| unreachable(origin, "its name is not valid in a certificate"))?;
        let stream = self
            .tls
            .connect(name, stream)
            .await
            .map_err(|error| unreachable(origin, &format!("TLS failed: {}", chain(&error))))?;
        let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        Ok(Opened { stream: Box::new(stream), is_http2 })
    }

    async fn tcp(
        &self,
        url: &Url,
        origin: &Origin,
        plugin: &str,
        private: bool,
    ) -> Result<TcpStream, TransportError> {
        if let Some(to) = self.connect_to.get(origin) {
            let mapped = async {
                let addresses = self.addresses(&to_url(to), to, plugin).await?;
                self.connect(&addresses, to).await
            };
            return mapped.await.map_err(|error: TransportError| TransportError {
                message: format!("{} (mapped from {origin})", error.message),
                ..error
            });
        }
        if let Some(proxy) = &self.proxy {
            // The proxy resolves the name: judging its answer is the proxy's business, and the
            // operator chose it. A literal address is judged all the same.
            if let Some(address) = literal(url) {
                refuse_unless_allowed(origin, address, private)?;
            }
            return self.through_proxy(proxy, origin, plugin).await;
        }
        let addresses = self.addresses(url, origin, plugin).await?;
        // One address that is not public condemns the name: who answers so is up to something.
        for address in &addresses {
            refuse_unless_allowed(origin, address.ip(), private)?;
        }
        self.connect(&addresses, origin).await
    }

    async fn addresses(
        &self,
        url: &Url,
        origin: &Origin,
        plugin: &str,
    ) -> Result<Vec<SocketAddr>, TransportError> {
        let addresses = match literal(url) {
            Some(address) => vec![address],
            None => self.look_up(origin, plugin).await?,
        };
        if addresses.is_empty() {
            return Err(unreachable(origin, "its name has no address"));
        }
        Ok(addresses.into_iter().map(|ip| SocketAddr::new(ip, origin.port())).collect())
    }

    /// Resolves the name of an origin. A look-up that nobody waits for any more still counts until it
    /// has ended.
    async fn look_up(&self, origin: &Origin, plugin: &str) -> Result<Vec<IpAddr>, TransportError> {
        let share = tokio::time::timeout(LOOKUP_WAIT, self.lookups.take(plugin));
        let share = share.await.map_err(|_| {
            let whose = match self.lookups.exhausted(plugin) {
                Some(Exhausted::Plugin) => "of this plugin (limit `lookups_per_plugin`)",
                _ => "of this host (limit `lookups`)",
            };
            unreachable(
                origin,
                &format!(
                    "too many DNS lookups {whose} are in progress, and none has ended within \
                     {LOOKUP_WAIT:?}. Check the name servers of this machine and of the plugin's \
                     origins"
                ),
            )
        })?;
        let (resolver, host) = (self.resolver.clone(), origin.host().to_owned());
        let lookup = tokio::spawn(async move {
            let found = resolver.resolve(&host).await;
            drop(share);
            found
        });
        let failed = |error: &dyn std::fmt::Display| {
            unreachable(origin, &format!("cannot resolve its name: {error}"))
        };
        lookup.await.map_err(|error| failed(&error))?.map_err(|error| failed(&error))
    }

    /// Tries the addresses in turn, each with its share of the time.
    async fn connect(
        &self,
        addresses: &[SocketAddr],
        origin: &Origin,
    ) -> Result<TcpStream, TransportError> {
        let share = CONNECT_TIMEOUT / 2 / u32::try_from(addresses.len()).unwrap_or(1).max(1);
        let mut last = String::new();
        for address in addresses {
            match tokio::time::timeout(
                share.max(Duration::from_secs(1)),
                TcpStream::connect(address),
            )
            .await
            {
                Ok(Ok(stream)) => {
                    // Small requests should leave at once; failing to say so costs only time.
                    if let Err(error) = stream.set_nodelay(true) {
                        tracing::debug!(%error, "cannot set TCP_NODELAY");
                    }
                    return Ok(stream);
                }
                Ok(Err(error)) => last = error.to_string(),
                Err(_) => last = "no response".to_owned(),
            }
        }
        Err(unreachable(origin, &last))
    }

    /// RFC 9110 section 9.3.6.
    async fn through_proxy(
        &self,
        proxy: &Proxy,
        origin: &Origin,
        plugin: &str,
    ) -> Result<TcpStream, TransportError> {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let proxy_origin = Origin::of(&proxy.url)
            .filter(|origin| !origin.is_https())
            .ok_or_else(|| unreachable(origin, "the proxy is not an http:// origin"))?;
        let addresses = self.addresses(&proxy.url, &proxy_origin, plugin).await?;
        let mut stream = self.connect(&addresses, &proxy_origin).await?;
        let authority = format!("{}:{}", origin.host(), origin.port());
        let request = proxy.request(&authority);
        let failed = |problem: &str| unreachable(&proxy_origin, problem);
        stream
            .write_all(request.expose().as_bytes())
            .await
            .map_err(|error| failed(&error.to_string()))?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            if head.len() >= 8 * 1024 {
                return Err(failed("the response of the proxy is too long"));
            }
            let byte = stream.read_u8().await.map_err(|error| failed(&error.to_string()))?;
            head.push(byte);
        }
        let status = head.split(|byte| *byte == b' ').nth(1).unwrap_or_default();
        if status.first() != Some(&b'2') {
            let status = String::from_utf8_lossy(status);
            let hint = match (&*status, proxy.has_credentials()) {
                ("407", true) => ": it rejected the user name or password",
                ("407", false) => ": it requires a user name and a password",
                _ => "",
            };
            let problem = format!("the proxy refused to connect to {authority} ({status}){hint}");
            return Err(failed(&problem));
        }
        Ok(stream)
    }
}

fn to_url(origin: &Origin) -> Url {
    Url::parse(&format!("{origin}/")).expect("an origin is a URL")
}

fn literal(url: &Url) -> Option<IpAddr> {
    match url.host()? {
        Host::Ipv4(address) => Some(address.into()),
        Host::Ipv6(address) => Some(address.into()),
        Host::Domain(_) => None,
    }
}

fn refuse_unless_allowed(
    origin: &Origin,
    address: IpAddr,
    private: bool,
) -> Result<(), TransportError> {
    let judged = if private { judge_private_address(address) } else { judge_address(address) };
    judged.map_err(|reason| {
        TransportError::new(
            TransportErrorKind::Denied,
            format!(
                "{origin} resolves to {address}, {}. Plugins can reach only the public internet, and \
                 private addresses of a server for which they were approved. For a test server, \
                 map the origin: --connect-to {origin}=ORIGIN",
                reason.0
            ),
        )
    })
}

fn unreachable(origin: &Origin, problem: &str) -> TransportError {
    TransportError::new(
        TransportErrorKind::Unreachable,
        format!("cannot reach {origin}: {problem}"),
    )
}
