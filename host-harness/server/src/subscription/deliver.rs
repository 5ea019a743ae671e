//! Delivers events to engines: signed, in order, and repeated until they are accepted or set aside.
//! Every connection's address is checked, and redirects are not followed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use bytes::Bytes;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use url::{Host, Url};
use workflow_node_host::transport::{
    HttpTransport, HttpTransportBuilder, SentMark, Transport as _, TransportRequest,
};
use workflow_node_host::{Secret, chain};

use super::store::{StoredEvent, StoredSubscription};
use crate::limits::ServerLimits;

/// The header with the signature.
pub(crate) const SIGNATURE: &str = "x-harness-signature";
/// Maximum size of a response body that is read.
const ANSWER: usize = 64 * 1024;

/// Builds the transport of deliveries.
pub(crate) type MakeTransport = Arc<dyn Fn() -> HttpTransportBuilder + Send + Sync>;

/// Result of one attempt.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Attempt {
    Accepted,
    /// It will be retried.
    Refused(String),
    /// The engine refuses it.
    Gone(String),
}

/// Sends deliveries.
pub(crate) struct Deliverer {
    make: MakeTransport,
    /// Transports by origin on this machine; one for all others.
    transports: Mutex<HashMap<Option<String>, Arc<HttpTransport>>>,
}

impl std::fmt::Debug for Deliverer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Deliverer").finish_non_exhaustive()
    }
}

/// The signature of a body.
pub(crate) fn signature(secret: &Secret, body: &[u8]) -> String {
    let mac = <Hmac<Sha256> as hmac::Mac>::new_from_slice(secret.expose().as_bytes());
    let Ok(mut mac) = mac else { return String::new() };
    mac.update(body);
    let mut text = String::from("v1=");
    for byte in mac.finalize().into_bytes() {
        text.push_str(&format!("{byte:02x}"));
    }
    text
}

/// The origin of a URL whose host is an IP address or `localhost`. An operator who lists such an
/// origin has chosen this address; every other name is judged by the addresses that it resolves to.
fn literal(url: &Url) -> Option<String> {
    let is_literal = match url.host()? {
        Host::Ipv4(_) | Host::Ipv6(_) => true,
        Host::Domain(name) => name == "localhost",
    };
    is_literal.then(|| url.origin().ascii_serialization())
}

impl Deliverer {
    pub(crate) fn new(make: MakeTransport) -> Self {
        Self { make, transports: Mutex::default() }
    }

    fn transport(&self, url: &Url) -> Result<Arc<HttpTransport>, String> {
        let literal = literal(url);
        let mut transports = self.transports.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(transport) = transports.get(&literal) {
            return Ok(transport.clone());
        }
        let mut builder = (self.make)();
        if let Some(origin) = &literal {
            let own = format!("{origin}={origin}").parse();
            builder = builder.connect_to(own.map_err(|_| "its address cannot be used".to_owned())?);
        }
        let transport = Arc::new(builder.build().map_err(|error| chain(&error))?);
        transports.insert(literal, transport.clone());
        Ok(transport)
    }

    /// Tries to deliver an event.
    pub(super) async fn send(
        &self,
        to: &StoredSubscription,
        event: &StoredEvent,
        time: Duration,
    ) -> Attempt {
        let Some(url) = to.deliver_to.as_deref().and_then(|url| Url::parse(url).ok()) else {
            return Attempt::Refused(
                "its address cannot be opened with the server's key".to_owned(),
            );
        };
        let transport = match self.transport(&url) {
            Ok(transport) => transport,
            Err(reason) => return Attempt::Refused(reason),
        };
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::USER_AGENT, HeaderValue::from_static("harness-serve"));
        let signature = signature(&to.secret, event.body.as_bytes());
        match HeaderValue::from_str(&signature) {
            Ok(signature) => headers.insert(SIGNATURE, signature),
            Err(error) => return Attempt::Refused(error.to_string()),
        };
        let [tenant, user] = [to.key.principal.tenant.as_str(), to.key.principal.user.as_str()];
        let request = TransportRequest {
            plugin: String::new(),
            pool: format!("{tenant}/{user}/{}", to.key.id),
            method: Method::POST,
            url,
            headers,
            body: Some(Bytes::from(event.body.clone())),
            private_addresses: to.is_private,
            response_limit: ANSWER,
            sent: SentMark::default(),
        };
        match tokio::time::timeout(time, transport.send(request)).await {
            Err(_) => Attempt::Refused(format!("no answer within {time:?}")),
            Ok(Err(error)) => Attempt::Refused(error.to_string()),
            Ok(Ok(answer)) => judged(answer.status),
        }
    }
}

fn judged(status: StatusCode) -> Attempt {
    let reason = match status {
        status if status.is_success() => return Attempt::Accepted,
        status if status.is_redirection() => {
            format!("the engine answered {status}, and redirects are not followed")
        }
        status => format!("the engine answered {status}"),
    };
    match status {
        StatusCode::NOT_FOUND | StatusCode::GONE => Attempt::Gone(reason),
        _ => Attempt::Refused(reason),
    }
}

/// The wait after this many refusals.
pub(super) fn pause(refusals: u32, limits: &ServerLimits) -> Duration {
    let longest = ServerLimits::time(limits.delivery_pause_ms);
    Duration::from_millis(500).saturating_mul(1 << refusals.min(16)).min(longest)
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use async_trait::async_trait;
    use workflow_node_host::Principal;
    use workflow_node_host::transport::Resolver;

    use super::*;
    use crate::subscription::store::Key;

    /// Resolves every name to one address.
    struct To(IpAddr);

    #[async_trait]
    impl Resolver for To {
        async fn resolve(&self, _: &str) -> std::io::Result<Vec<IpAddr>> {
            Ok(vec![self.0])
        }
    }

    async fn send(url: &str, resolves_to: &str, is_private: bool) -> Attempt {
        let address: IpAddr = resolves_to.parse().unwrap();
        let deliverer = Deliverer::new(Arc::new(move || {
            HttpTransport::builder().resolver(Arc::new(To(address)))
        }));
        let subscription = StoredSubscription {
            key: Key { principal: Principal::default(), id: "1".into() },
            source: String::new(),
            plugin: String::new(),
            trigger: String::new(),
            workflow: None,
            deliver_to: Some(url.to_owned()),
            is_private,
            secret: Secret::new("secret"),
            created_at: 0,
            token: String::new(),
            waiting: 0,
            set_aside: 0,
            problem: None,
        };
        let event = StoredEvent { number: 1, body: "{}".into(), reason: None, refused_since: None };
        deliverer.send(&subscription, &event, Duration::from_secs(2)).await
    }

    #[tokio::test]
    async fn a_name_that_resolves_to_loopback_or_metadata_is_not_reached() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        for (address, is_private) in [
            ("127.0.0.1", false),
            ("127.0.0.1", true),
            ("::1", true),
            ("169.254.169.254", true),
            ("fd00:ec2::254", true),
            ("100.100.100.200", true),
            ("10.0.0.1", false),
            ("0.0.0.0", true),
        ] {
            let attempt = send(&format!("http://rebound.test:{port}/x"), address, is_private).await;
            let Attempt::Refused(reason) = attempt else { panic!("{address}: {attempt:?}") };
            assert!(reason.contains("address"), "{address}: {reason}");
        }
        assert!(listener.accept().is_err(), "nobody has connected");
    }

    #[test]
    fn the_signature_covers_the_raw_body() {
        // Computed with `printf '%s' BODY | openssl dgst -sha256 -hmac SECRET`.
        let expected = "v1=f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8";
        let text = b"The quick brown fox jumps over the lazy dog";
        assert_eq!(signature(&Secret::new("key"), text), expected);
    }

    #[test]
    fn a_gone_receiver_is_set_aside_and_a_redirect_is_a_refusal() {
        assert_eq!(judged(StatusCode::NO_CONTENT), Attempt::Accepted);
        assert!(matches!(judged(StatusCode::GONE), Attempt::Gone(_)));
        assert!(matches!(judged(StatusCode::NOT_FOUND), Attempt::Gone(_)));
        for status in [302, 307, 400, 401, 429, 500, 503] {
            let status = StatusCode::from_u16(status).unwrap();
            assert!(matches!(judged(status), Attempt::Refused(_)), "{status}");
        }
    }
}
