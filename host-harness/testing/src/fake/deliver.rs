//! Delivers webhooks to a receiver on this machine.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use url::Url;
use workflow_node_host::chain;
use workflow_node_host::transport::{HttpTransport, SentMark, Transport as _, TransportRequest};

use super::Delivery;

/// Maximum size of a receiver's response, in bytes.
const ANSWER: usize = 64 * 1024;

/// Why a webhook was not delivered.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub struct DeliverError(String);

type Report = Box<dyn Fn(&str, &Result<u16, DeliverError>) + Send + Sync>;

/// Delivers webhooks, to loopback only: a fake never reaches anything outside this machine.
pub struct Deliver {
    /// The destination of all deliveries, whatever origin they name.
    to: Option<Url>,
    report: Report,
}

impl Deliver {
    /// `to`: an origin on loopback that replaces all others. `report` receives the URL of each
    /// delivery and its result.
    pub fn new(
        to: Option<Url>,
        report: impl Fn(&str, &Result<u16, DeliverError>) + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self { to, report: Box::new(report) })
    }

    /// Delivers in the background.
    pub(crate) fn all(self: &Arc<Self>, deliveries: Vec<Delivery>) {
        for delivery in deliveries {
            let deliver = self.clone();
            tokio::spawn(async move {
                tokio::time::sleep(delivery.after).await;
                let sent = deliver.one(&delivery).await;
                (deliver.report)(&delivery.to, &sent);
            });
        }
    }

    /// Delivers one webhook, and returns the receiver's status.
    ///
    /// # Errors
    ///
    /// If its URL is not on this machine, or the receiver does not respond.
    pub async fn one(&self, delivery: &Delivery) -> Result<u16, DeliverError> {
        let failed = |message: String| DeliverError(message);
        let mut url: Url = delivery
            .to
            .parse()
            .map_err(|error| failed(format!("`{}` is not a URL: {error}", delivery.to)))?;
        if let Some(to) = &self.to {
            let moved = url
                .set_scheme(to.scheme())
                .and_then(|()| url.set_host(to.host_str()).map_err(drop))
                .and_then(|()| url.set_port(to.port()));
            moved.map_err(|()| failed(format!("`{url}` cannot be delivered to {to}")))?;
        }
        let is_loopback = match url.host() {
            Some(url::Host::Ipv4(address)) => address.is_loopback(),
            Some(url::Host::Ipv6(address)) => address.is_loopback(),
            Some(url::Host::Domain(name)) => name == "localhost",
            None => false,
        };
        if !is_loopback {
            return Err(failed(format!(
                "{url} is not on this machine, and a fake delivers nowhere else. Name the receiver \
                 with --deliver-to http://127.0.0.1:PORT"
            )));
        }
        let origin = url.origin().ascii_serialization();
        let mapping = format!("{origin}={origin}").parse();
        let mapping = mapping.map_err(|error| failed(format!("{origin}: {error}")))?;
        let transport = HttpTransport::builder().connect_to(mapping).build();
        let transport = transport.map_err(|error| failed(chain(&error)))?;
        let mut headers = HeaderMap::new();
        for (name, value) in &delivery.headers {
            let name = HeaderName::from_bytes(name.as_bytes());
            if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(value)) {
                headers.append(name, value);
            }
        }
        let request = TransportRequest {
            plugin: String::new(),
            pool: "fake".to_owned(),
            method: Method::POST,
            url,
            headers,
            body: Some(delivery.body.clone()),
            private_addresses: false,
            response_limit: ANSWER,
            sent: SentMark::default(),
        };
        let response = transport.send(request).await;
        response.map(|response| response.status.as_u16()).map_err(|error| failed(error.to_string()))
    }
}
