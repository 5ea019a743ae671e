//! A certificate authority for one simulator, and its leaf certificate.

use std::io;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

/// Which certificate the servers present.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CertificateKind {
    /// Signed by the authority, valid, with every name.
    #[default]
    Good,
    /// Like `Good`, but expired.
    Expired,
    /// Valid for another host.
    WrongName,
    /// Has every name, but was not signed by the authority.
    SelfSigned,
}

/// The names and the address that the simulator serves.
const NAMES: [&str; 7] = [
    "api.pagerduty.com",
    "api.eu.pagerduty.com",
    "events.pagerduty.com",
    "events.eu.pagerduty.com",
    "identity.pagerduty.com",
    "localhost",
    "127.0.0.1",
];

/// The authority's certificate and the servers' TLS configuration.
pub(crate) struct Certificates {
    pub(crate) ca_pem: String,
    pub(crate) ca_der: Vec<u8>,
    pub(crate) server: Arc<ServerConfig>,
    pub(crate) authority: Authority,
}

/// The key that signs certificates.
pub(crate) struct Authority(Issuer<'static, KeyPair>);

/// A certificate signed by the simulator's authority, and its key.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct IssuedCertificate {
    /// The certificate in PEM.
    pub certificate_pem: String,
    /// Its private key in PEM.
    pub key_pem: String,
}

impl Authority {
    /// A certificate for these names and addresses, expired if requested.
    pub(crate) fn issue(
        &self,
        names: &[&str],
        kind: CertificateKind,
    ) -> io::Result<IssuedCertificate> {
        let names: Vec<String> = match kind {
            CertificateKind::WrongName => vec!["wrong.example.com".to_owned()],
            _ => names.iter().map(|name| (*name).to_owned()).collect(),
        };
        let leaf = leaf(names, kind)?;
        let key = KeyPair::generate().map_err(io::Error::other)?;
        let certificate = match kind {
            CertificateKind::SelfSigned => leaf.self_signed(&key),
            _ => leaf.signed_by(&key, &self.0),
        };
        let certificate = certificate.map_err(io::Error::other)?;
        Ok(IssuedCertificate { certificate_pem: certificate.pem(), key_pem: key.serialize_pem() })
    }
}

/// The content of a server certificate before it is signed.
fn leaf(names: Vec<String>, kind: CertificateKind) -> io::Result<CertificateParams> {
    let mut leaf = CertificateParams::new(names).map_err(io::Error::other)?;
    leaf.distinguished_name.push(DnType::CommonName, "PagerDuty simulator");
    leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    leaf.use_authority_key_identifier_extension = true;
    validity(&mut leaf, kind);
    Ok(leaf)
}

impl Certificates {
    pub(crate) fn new(kind: CertificateKind, http1_only: bool) -> io::Result<Self> {
        let mut ca = CertificateParams::default();
        ca.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        ca.distinguished_name.push(DnType::CommonName, "PagerDuty simulator authority");
        validity(&mut ca, CertificateKind::Good);
        let ca_key = KeyPair::generate().map_err(io::Error::other)?;
        let ca_certificate = ca.self_signed(&ca_key).map_err(io::Error::other)?;
        let issuer = Issuer::new(ca, ca_key);

        let names: Vec<String> = match kind {
            CertificateKind::WrongName => vec!["wrong.example.com".to_owned()],
            _ => NAMES.iter().map(|name| (*name).to_owned()).collect(),
        };
        let leaf = leaf(names, kind)?;
        let leaf_key = KeyPair::generate().map_err(io::Error::other)?;
        let leaf_certificate = match kind {
            CertificateKind::SelfSigned => leaf.self_signed(&leaf_key),
            _ => leaf.signed_by(&leaf_key, &issuer),
        }
        .map_err(io::Error::other)?;

        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(leaf_key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut server = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_no_client_auth()
            .with_single_cert(vec![leaf_certificate.der().clone()], key)
            .map_err(io::Error::other)?;
        server.alpn_protocols = if http1_only {
            vec![b"http/1.1".to_vec()]
        } else {
            vec![b"h2".to_vec(), b"http/1.1".to_vec()]
        };
        Ok(Self {
            ca_pem: ca_certificate.pem(),
            ca_der: ca_certificate.der().to_vec(),
            server: Arc::new(server),
            authority: Authority(issuer),
        })
    }
}

/// Fixed dates: no run falls outside of them, and `Expired` is in the past.
fn validity(params: &mut CertificateParams, kind: CertificateKind) {
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = match kind {
        CertificateKind::Expired => date_time_ymd(2021, 1, 1),
        _ => date_time_ymd(2099, 1, 1),
    };
}
