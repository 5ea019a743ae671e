//! OCI registries: a package is an artifact with one layer, the archive, and is named by the digest of
//! the artifact's manifest.

use std::pin::Pin;
use std::str::FromStr as _;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use oci_client::client::{Certificate, CertificateEncoding, ClientConfig, ClientProtocol};
use oci_client::errors::OciDistributionError;
use oci_client::manifest::{OCI_IMAGE_MEDIA_TYPE, OciDescriptor, OciImageManifest};
use oci_client::secrets::RegistryAuth;
use oci_client::{Client, Reference, RegistryOperation};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use tokio::io::AsyncWrite;
use workflow_node_host::{Digest, Secret};

use super::{LARGEST_ARCHIVE, Package, PackageError};

/// Type of the artifact, and of its configuration, which is the package's `package.json`.
const ARTIFACT: &str = "application/vnd.workflow-node.package.v1+json";
/// Type of the layer.
const LAYER: &str = "application/vnd.workflow-node.package.v1.tar+gzip";
/// Time to connect to a registry.
const CONNECT: Duration = Duration::from_secs(15);
/// Time in which a registry must send something.
const SILENCE: Duration = Duration::from_secs(60);

/// Time for a push or a pull in all.
const TOTAL: Duration = Duration::from_secs(15 * 60);
/// Bytes of a manifest. Registries accept at least as much (OCI distribution specification).
const LARGEST_MANIFEST: usize = 4 << 20;
/// Name of this program in requests.
const USER_AGENT: &str = concat!("harness/", env!("CARGO_PKG_VERSION"));

/// Why a registry cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// Not the name of an artifact.
    #[error("`{0}` does not name a package in a registry: {1}")]
    Name(String, String),
    /// Not the name of an artifact either.
    #[error("`{name}` does not name a package in a registry")]
    Reference {
        /// The name.
        name: String,
        /// What is wrong with it.
        source: oci_client::ParseError,
    },
    /// A file with certificates is wrong.
    #[error("The file of certificate authorities has no certificate in PEM")]
    Certificates,
    /// The registry refuses, or cannot be reached.
    #[error("{0}")]
    Registry(String),
    /// The registry cannot be reached, or fails.
    #[error("The registry {registry} cannot be used")]
    Unusable {
        /// The registry.
        registry: String,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The artifact is something else.
    #[error("`{0}` is not the package of a node: {1}")]
    Other(String, String),
    /// The package is not valid.
    #[error(transparent)]
    Package(#[from] PackageError),
}

/// How a registry is reached.
#[derive(Clone, Default)]
pub struct Registry {
    /// User name and password.
    pub credentials: Option<(String, Secret)>,
    /// Certificate authorities that are trusted beside those of the system, in PEM.
    pub ca_pem: Option<Vec<u8>>,
    /// Without TLS. Only for a registry on this machine.
    pub plain_http: bool,
}

/// Where a package is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The registry and repository with the digest: `registry/repository@sha256:…`.
    pub name: String,
    /// Digest of the artifact.
    pub digest: Digest,
}

impl Registry {
    /// Stores a package under `registry/repository:tag`, and names it by its digest.
    ///
    /// # Errors
    ///
    /// If the package is not valid, or the registry refuses.
    pub async fn push(&self, name: &str, archive: Bytes) -> Result<Stored, RegistryError> {
        in_time(name, self.pushed(name, archive)).await
    }

    async fn pushed(&self, name: &str, archive: Bytes) -> Result<Stored, RegistryError> {
        let package = Package::read(&archive)?;
        let reference = reference(name)?;
        if reference.digest().is_some() {
            let message = "a package is stored under a tag: registry/repository:tag".to_owned();
            return Err(RegistryError::Name(name.to_owned(), message));
        }
        let config = serde_json::to_vec(package.manifest()).unwrap_or_default();
        let descriptor = |media_type: &str, bytes: &[u8]| OciDescriptor {
            media_type: media_type.to_owned(),
            digest: Digest::of(bytes).to_string(),
            size: i64::try_from(bytes.len()).unwrap_or(i64::MAX),
            ..OciDescriptor::default()
        };
        let manifest = OciImageManifest {
            media_type: Some(OCI_IMAGE_MEDIA_TYPE.to_owned()),
            artifact_type: Some(ARTIFACT.to_owned()),
            config: descriptor(ARTIFACT, &config),
            layers: vec![descriptor(LAYER, &archive)],
            ..OciImageManifest::default()
        };
        let text = serde_json::to_vec(&manifest).unwrap_or_default();
        let digest = Digest::of(&text);
        let client = self.client(&reference).await?;
        let failed = |error: OciDistributionError| told(&reference, error);
        let layer = manifest.layers.first().map(|layer| layer.digest.clone()).unwrap_or_default();
        client.push_blob(&reference, archive, &layer).await.map_err(failed)?;
        client.push_blob(&reference, config, &manifest.config.digest).await.map_err(failed)?;
        let content_type = http::HeaderValue::from_static(OCI_IMAGE_MEDIA_TYPE);
        client.push_manifest_raw(&reference, text, content_type).await.map_err(failed)?;
        Ok(stored(&reference, digest))
    }

    /// Reads a package by its digest, or by a tag, and verifies it.
    ///
    /// # Errors
    ///
    /// If it is not there or is not a package, the registry sends something else than the digest says,
    /// or the package is not valid.
    pub async fn pull(&self, name: &str) -> Result<(Bytes, Package, Stored), RegistryError> {
        in_time(name, self.pulled(name)).await
    }

    async fn pulled(&self, name: &str) -> Result<(Bytes, Package, Stored), RegistryError> {
        let reference = reference(name)?;
        let client = self.client(&reference).await?;
        let failed = |error: OciDistributionError| told(&reference, error);
        let other = |message: &str| RegistryError::Other(name.to_owned(), message.to_owned());
        let text = self.manifest(&client, &reference).await?;
        let digest = Digest::of(&text);
        if reference.digest().is_some_and(|named| *named != digest.to_string()) {
            return Err(other("the registry sent something else than the digest says"));
        }
        let manifest: OciImageManifest = serde_json::from_slice(&text)
            .map_err(|_| other("it has no manifest of an OCI artifact"))?;
        let [layer] = manifest.layers.as_slice() else {
            return Err(other("it does not have exactly one layer"));
        };
        if layer.media_type != LAYER {
            return Err(other(&format!("its layer has the type `{}`", layer.media_type)));
        }
        if !u64::try_from(layer.size).is_ok_and(|size| size <= LARGEST_ARCHIVE) {
            return Err(PackageError::TooLarge("The archive", LARGEST_ARCHIVE).into());
        }
        let mut archive = Bounded(Vec::new());
        client.pull_blob(&reference, layer, &mut archive).await.map_err(failed)?;
        let archive = Bytes::from(archive.0);
        if layer.digest != Digest::of(&archive).to_string() {
            return Err(other("the registry sent something else than the digest says"));
        }
        let package = Package::read(&archive)?;
        Ok((archive, package, stored(&reference, digest)))
    }

    /// Reads a manifest, of a bounded size: the library that speaks with registries reads whatever
    /// comes.
    async fn manifest(
        &self,
        client: &Client,
        reference: &Reference,
    ) -> Result<Vec<u8>, RegistryError> {
        let failed = |error: OciDistributionError| told(reference, error);
        let unreachable =
            |error: reqwest::Error| told(reference, OciDistributionError::from(error));
        let token = client.auth(reference, &self.auth(), RegistryOperation::Pull).await;
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT)
            .read_timeout(SILENCE)
            .user_agent(USER_AGENT);
        let roots = self.roots()?.into_iter().map(|der| reqwest::Certificate::from_der(&der));
        let roots: Vec<_> = roots.collect::<Result<_, _>>().map_err(unreachable)?;
        let http = http.tls_certs_merge(roots).build().map_err(unreachable)?;
        let url = format!(
            "{}://{}/v2/{}/manifests/{}",
            if self.plain_http { "http" } else { "https" },
            reference.resolve_registry(),
            reference.repository(),
            reference.digest().or(reference.tag()).unwrap_or("latest"),
        );
        let request = http.get(url).header(http::header::ACCEPT, OCI_IMAGE_MEDIA_TYPE);
        let request = match (token.map_err(failed)?, &self.credentials) {
            (Some(token), _) => request.bearer_auth(token),
            (None, Some((user, password))) => request.basic_auth(user, Some(password.expose())),
            (None, None) => request,
        };
        let mut response = request.send().await.map_err(unreachable)?;
        let code = response.status().as_u16();
        if code != 200 {
            let (url, message) = (response.url().to_string(), String::new());
            return Err(failed(OciDistributionError::ServerError { code, url, message }));
        }
        let mut text = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(unreachable)? {
            if text.len() + piece.len() > LARGEST_MANIFEST {
                let message = format!("its manifest is larger than {LARGEST_MANIFEST} bytes");
                return Err(RegistryError::Other(reference.to_string(), message));
            }
            text.extend_from_slice(&piece);
        }
        Ok(text)
    }

    fn auth(&self) -> RegistryAuth {
        match &self.credentials {
            Some((user, password)) => {
                RegistryAuth::Basic(user.clone(), password.expose().to_owned())
            }
            None => RegistryAuth::Anonymous,
        }
    }

    async fn client(&self, reference: &Reference) -> Result<Client, RegistryError> {
        // reqwest takes the provider of the process. Any provider that was installed before works as well.
        let provider = rustls::crypto::ring::default_provider();
        let _already: Result<(), Arc<_>> = provider.install_default();
        let registry = reference.resolve_registry().to_owned();
        if self.plain_http && !is_local(&registry) {
            let message = "without TLS, only a registry on this machine can be used".to_owned();
            return Err(RegistryError::Name(registry, message));
        }
        let protocol = match self.plain_http {
            true => ClientProtocol::HttpsExcept(vec![registry.clone()]),
            false => ClientProtocol::Https,
        };
        let certificate = |der: CertificateDer<'_>| Certificate {
            encoding: CertificateEncoding::Der,
            data: der.to_vec(),
        };
        let extra_root_certificates = self.roots()?.into_iter().map(certificate).collect();
        let config = ClientConfig {
            protocol,
            extra_root_certificates,
            connect_timeout: Some(CONNECT),
            read_timeout: Some(SILENCE),
            platform_resolver: None,
            user_agent: USER_AGENT,
            ..ClientConfig::default()
        };
        let client = Client::try_from(config).map_err(|error| told(reference, error))?;
        client.store_auth_if_needed(&registry, &self.auth()).await;
        Ok(client)
    }

    /// The certificate authorities that are trusted beside those of the system.
    fn roots(&self) -> Result<Vec<CertificateDer<'static>>, RegistryError> {
        let Some(pem) = &self.ca_pem else { return Ok(Vec::new()) };
        let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
        let read = read.map_err(|_| RegistryError::Certificates)?;
        if read.is_empty() {
            return Err(RegistryError::Certificates);
        }
        Ok(read)
    }
}

/// The result of a push or a pull, unless it takes too long: a registry may send slowly forever.
async fn in_time<T>(
    name: &str,
    work: impl Future<Output = Result<T, RegistryError>>,
) -> Result<T, RegistryError> {
    match tokio::time::timeout(TOTAL, work).await {
        Ok(result) => result,
        Err(_) => {
            let minutes = TOTAL.as_secs() / 60;
            let message =
                format!("The registry of `{name}` has not finished within {minutes} minutes");
            Err(RegistryError::Registry(message))
        }
    }
}

/// The artifact of a name, which must have a tag or a digest.
fn reference(name: &str) -> Result<Reference, RegistryError> {
    let wrong = |message: &str| RegistryError::Name(name.to_owned(), message.to_owned());
    let last = name.rsplit('/').next().unwrap_or_default();
    if !name.contains('/') || !last.contains([':', '@']) {
        return Err(wrong("it is written registry/repository:tag or registry/repository@sha256:…"));
    }
    let name = name.to_owned();
    Reference::from_str(&name).map_err(|source| RegistryError::Reference { name, source })
}

fn stored(reference: &Reference, digest: Digest) -> Stored {
    let name = format!("{}/{}@{digest}", reference.registry(), reference.repository());
    Stored { name, digest }
}

/// Whether a registry is on this machine.
fn is_local(registry: &str) -> bool {
    let host = match registry.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => registry,
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// An error of a registry as the library states it.
fn told(reference: &Reference, error: OciDistributionError) -> RegistryError {
    let registry = reference.registry();
    RegistryError::Registry(match error {
        OciDistributionError::UnauthorizedError { .. }
        | OciDistributionError::AuthenticationFailure(_) => {
            format!("The registry {registry} refuses the credentials, or requires some")
        }
        OciDistributionError::ServerError { code: 401 | 403, .. } => {
            format!("The registry {registry} refuses the credentials, or requires some")
        }
        OciDistributionError::ImageManifestNotFoundError(_)
        | OciDistributionError::ServerError { code: 404, .. } => {
            format!("The registry {registry} has no `{reference}`")
        }
        OciDistributionError::RegistryError { ref envelope, .. }
            if envelope.errors.iter().any(|one| {
                use oci_client::errors::OciErrorCode::{ManifestUnknown, NameUnknown};
                matches!(one.code, ManifestUnknown | NameUnknown)
            }) =>
        {
            format!("The registry {registry} has no `{reference}`")
        }
        error => {
            let (registry, source) = (registry.to_owned(), error.into());
            return RegistryError::Unusable { registry, source };
        }
    })
}

/// Keeps at most as much as an archive may have.
struct Bounded(Vec<u8>);

impl AsyncWrite for Bounded {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        if (self.0.len() + bytes.len()) as u64 > LARGEST_ARCHIVE {
            let error = PackageError::TooLarge("The archive", LARGEST_ARCHIVE);
            return Poll::Ready(Err(std::io::Error::other(error)));
        }
        self.0.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    /// A registry whose manifests never end.
    async fn endless() -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                tokio::spawn(async move {
                    let mut request = [0; 4096];
                    let read = stream.read(&mut request).await.unwrap_or_default();
                    let is_manifest =
                        String::from_utf8_lossy(&request[..read]).contains("/manifests/");
                    let (head, piece): (&[u8], _) = match is_manifest {
                        true => (b"HTTP/1.1 200 OK\r\n\r\n", vec![b' '; 1 << 16]),
                        false => (b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", Vec::new()),
                    };
                    let mut sent = stream.write_all(head).await;
                    while sent.is_ok() && is_manifest {
                        sent = stream.write_all(&piece).await;
                    }
                });
            }
        });
        address
    }

    #[tokio::test]
    async fn a_manifest_is_read_up_to_a_limit() {
        let registry = Registry { plain_http: true, ..Registry::default() };
        let name = format!("{}/nodes/lamp:1", endless().await);
        let pulled = tokio::time::timeout(Duration::from_secs(60), registry.pull(&name)).await;
        let error = pulled.expect("it ends").expect_err("it is refused").to_string();
        assert!(error.contains("its manifest is larger than 4194304 bytes"), "{error}");
    }
}
