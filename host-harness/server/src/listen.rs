//! Sockets: TCP, with or without TLS, and Unix. Connections and headers have limits.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::Watcher;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
#[cfg(unix)]
use tokio::net::UnixListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::limits::ServerLimits;
use crate::metrics::Metrics;
use crate::origins::Peer;

/// A socket that clients connect to.
pub(crate) enum Listener {
    Tcp(TcpListener, Option<TlsAcceptor>),
    #[cfg(unix)]
    Unix(UnixListener, PathBuf),
}

impl Listener {
    pub(crate) async fn tcp(address: SocketAddr, tls: Option<TlsAcceptor>) -> io::Result<Self> {
        Ok(Self::Tcp(TcpListener::bind(address).await?, tls))
    }

    /// Binds a Unix socket that only its owner can connect to. A socket without a running server is
    /// replaced.
    #[cfg(unix)]
    pub(crate) async fn unix(path: &Path) -> io::Result<Self> {
        use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
        if std::fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket()) {
            if tokio::net::UnixStream::connect(path).await.is_ok() {
                return Err(io::Error::new(io::ErrorKind::AddrInUse, "a server listens there"));
            }
            std::fs::remove_file(path)?;
        }
        let listener = UnixListener::bind(path)?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
        Ok(Self::Unix(listener, path.to_owned()))
    }

    pub(crate) fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(listener, _) => listener.local_addr().ok(),
            #[cfg(unix)]
            Self::Unix(..) => None,
        }
    }
}

#[cfg(unix)]
impl Drop for Listener {
    fn drop(&mut self) {
        if let Self::Unix(_, path) = self
            && let Err(error) = std::fs::remove_file(path)
        {
            tracing::debug!(%error, "the socket cannot be removed");
        }
    }
}

/// Serves connections of all listeners.
#[derive(Clone)]
pub(crate) struct Connections {
    pub(crate) router: Router,
    pub(crate) limits: ServerLimits,
    pub(crate) metrics: Metrics,
    pub(crate) open: Arc<Semaphore>,
    pub(crate) stop: CancellationToken,
}

impl Connections {
    /// Accepts connections until the server stops.
    pub(crate) async fn serve(self, listener: Listener, watcher: impl Fn() -> Watcher + Send) {
        loop {
            let permit = tokio::select! {
                () = self.stop.cancelled() => return,
                permit = self.open.clone().acquire_owned() => match permit {
                    Ok(permit) => permit,
                    Err(_) => return,
                },
            };
            let accepted = tokio::select! {
                () = self.stop.cancelled() => return,
                accepted = self.accept(&listener, permit, &watcher) => accepted,
            };
            if let Err(error) = accepted {
                // For example because of missing descriptors; some become available soon.
                tracing::warn!(%error, "a connection cannot be accepted");
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            }
        }
    }

    async fn accept(
        &self,
        listener: &Listener,
        permit: OwnedSemaphorePermit,
        watcher: &impl Fn() -> Watcher,
    ) -> io::Result<()> {
        match listener {
            Listener::Tcp(listener, tls) => {
                let (stream, address) = listener.accept().await?;
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%error, "TCP_NODELAY cannot be set");
                }
                let (own, watcher, tls) = (self.clone(), watcher(), tls.clone());
                tokio::spawn(async move {
                    let peer =
                        Peer { is_unix: false, is_tls: tls.is_some(), address: Some(address.ip()) };
                    let Some(tls) = tls else {
                        return own.connection(stream, peer, watcher, permit).await;
                    };
                    let time = ServerLimits::time(own.limits.header_ms);
                    match tokio::time::timeout(time, tls.accept(stream)).await {
                        Ok(Ok(stream)) => own.connection(stream, peer, watcher, permit).await,
                        Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
                        Err(_) => tracing::debug!("a TLS handshake took too long"),
                    }
                });
            }
            #[cfg(unix)]
            Listener::Unix(listener, _) => {
                let (stream, _) = listener.accept().await?;
                let (own, watcher) = (self.clone(), watcher());
                tokio::spawn(async move {
                    let peer = Peer { is_unix: true, is_tls: false, address: None };
                    own.connection(stream, peer, watcher, permit).await;
                });
            }
        }
        Ok(())
    }

    async fn connection(
        self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        peer: Peer,
        watcher: Watcher,
        permit: OwnedSemaphorePermit,
    ) {
        let limits = &self.limits;
        let mut builder = Builder::new(TokioExecutor::new());
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(ServerLimits::time(limits.header_ms))
            .max_headers(limits.headers)
            .max_buf_size(limits.header_bytes.max(8 * 1024));
        builder
            .http2()
            .timer(TokioTimer::new())
            .max_header_list_size(u32::try_from(limits.header_bytes).unwrap_or(u32::MAX))
            .max_concurrent_streams(128)
            .keep_alive_interval(std::time::Duration::from_secs(20))
            .keep_alive_timeout(std::time::Duration::from_secs(20));
        let router = self.router.clone().layer(axum::Extension(peer));
        let service = TowerToHyperService::new(router);
        let connection = builder.serve_connection(TokioIo::new(stream), service).into_owned();
        self.metrics.connections.inc();
        if let Err(error) = watcher.watch(connection).await {
            tracing::debug!(%error, "a connection ended with an error");
        }
        self.metrics.connections.dec();
        drop(permit);
    }
}
