//! TLS from files: the certificate is read again when its files change, without a restart.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use sha2::{Digest as _, Sha256};
use tokio_rustls::TlsAcceptor;
use workflow_node_host::chain;
use zeroize::Zeroizing;

/// A certificate and its key, for TLS.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct TlsFiles {
    /// PEM file with the certificate, followed by those that lead to its authority.
    pub certificate: PathBuf,
    /// PEM file with the private key.
    pub key: PathBuf,
}

impl TlsFiles {
    /// The files of a certificate and its key.
    pub fn new(certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        Self { certificate: certificate.into(), key: key.into() }
    }

    /// Reads the files.
    pub(crate) fn read(self) -> Result<Tls, TlsError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let (certified, digest) = self.certified(&provider)?;
        let current = Arc::new(Current(RwLock::new(Arc::new(certified))));
        let mut config = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|error| wrong(&self.certificate, error))?
            .with_no_client_auth()
            .with_cert_resolver(current.clone());
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let acceptor = TlsAcceptor::from(Arc::new(config));
        Ok(Tls { files: self, provider, acceptor, current, digest })
    }

    /// Certified key from the files, and a digest of their contents.
    fn certified(&self, provider: &CryptoProvider) -> Result<(CertifiedKey, [u8; 32]), TlsError> {
        let certificate = std::fs::read(&self.certificate);
        let certificate = certificate.map_err(|error| wrong(&self.certificate, error))?;
        let key = std::fs::read(&self.key).map_err(|error| wrong(&self.key, error))?;
        let key = Zeroizing::new(key);
        let digest = Sha256::new().chain_update(&certificate).chain_update([0]).chain_update(&key);
        let chain = CertificateDer::pem_slice_iter(&certificate)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| wrong(&self.certificate, error))?;
        let key = PrivateKeyDer::from_pem_slice(&key).map_err(|error| wrong(&self.key, error))?;
        let certified = CertifiedKey::from_der(chain, key, provider)
            .map_err(|error| wrong(&self.certificate, error))?;
        Ok((certified, digest.finalize().into()))
    }
}

fn wrong(path: &Path, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> TlsError {
    TlsError { path: path.to_owned(), source: error.into() }
}

/// Why a certificate or its key cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("Cannot use the TLS certificate or key {}", path.display())]
pub struct TlsError {
    path: PathBuf,
    source: Box<dyn std::error::Error + Send + Sync>,
}

/// A certificate in use.
pub(crate) struct Tls {
    files: TlsFiles,
    provider: Arc<CryptoProvider>,
    acceptor: TlsAcceptor,
    current: Arc<Current>,
    digest: [u8; 32],
}

impl Tls {
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        self.acceptor.clone()
    }

    /// Reads the files again, as often as `every`, and uses what they hold from then on. Files that
    /// cannot be used change nothing: one of them may have been written before the other.
    pub(crate) async fn watch(mut self, every: Duration) {
        loop {
            tokio::time::sleep(every).await;
            let (files, provider) = (self.files.clone(), self.provider.clone());
            let read = tokio::task::spawn_blocking(move || files.certified(&provider)).await;
            let read = match read {
                Ok(read) => read.map_err(|error| chain(&error)),
                Err(panicked) => Err(panicked.to_string()),
            };
            match read {
                Ok((_, digest)) if digest == self.digest => {}
                Ok((certified, digest)) => {
                    self.digest = digest;
                    *self.current.0.write().unwrap_or_else(PoisonError::into_inner) =
                        Arc::new(certified);
                    tracing::info!("a renewed TLS certificate is in use");
                }
                Err(error) => tracing::warn!(error, "the TLS certificate cannot be read again"),
            }
        }
    }
}

/// The certificate of new connections.
struct Current(RwLock<Arc<CertifiedKey>>);

impl fmt::Debug for Current {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Current").finish_non_exhaustive()
    }
}

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.read().unwrap_or_else(PoisonError::into_inner).clone())
    }
}
