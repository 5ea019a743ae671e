//! Delivers webhooks to a receiver on this machine.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use url::Url;
use workflow_node_host::transport::{
    ConnectToError, HttpTransport, SentMark, Transport as _, TransportRequest,
};

use super::Delivery;

/// Maximum size of a receiver's response, in bytes.
const ANSWER: usize = 64 * 1024;

/// Why a webhook was not delivered.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct DeliverError {
    message: String,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl DeliverError {
    fn new(message: String) -> Self {
        Self { message, source: None }
    }

    fn because(
        message: String,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self { message, source: Some(source.into()) }
    }
}

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
        let mut url: Url = delivery.to.parse().map_err(|error: url::ParseError| {
            DeliverError::because(format!("`{}` is not a URL", delivery.to), error)
        })?;
        if let Some(to) = &self.to {
            let moved = url
                .set_scheme(to.scheme())
                .and_then(|()| url.set_host(to.host_str()).map_err(drop))
                .and_then(|()| url.set_port(to.port()));
            moved
                .map_err(|()| DeliverError::new(format!("`{url}` cannot be delivered to {to}")))?;
        }
        let is_loopback = match url.host() {
            Some(url::Host::Ipv4(address)) => address.is_loopback(),
            Some(url::Host::Ipv6(address)) => address.is_loopback(),
            Some(url::Host::Domain(name)) => name == "localhost",
            None => false,
        };
        if !is_loopback {
            return Err(DeliverError::new(format!(
                "{url} is not on this machine, and a fake delivers nowhere else. Name the receiver \
                 with --deliver-to http://127.0.0.1:PORT"
            )));
        }
        let origin = url.origin().ascii_serialization();
        let mapping = format!("{origin}={origin}").parse().map_err(|error: ConnectToError| {
            DeliverError::because(format!("Cannot connect to {origin}"), error)
        })?;
        let transport = HttpTransport::builder().connect_to(mapping).build().map_err(|error| {
            DeliverError::because("Cannot prepare the connection".to_owned(), error)
        })?;
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
        match transport.send(request).await {
            Ok(response) => Ok(response.status.as_u16()),
            Err(error) => Err(DeliverError::because("no response".to_owned(), error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;
    use workflow_node_host::chain;
    use workflow_node_host::transport::TransportError;

    use super::*;

    fn delivery(to: &str) -> Delivery {
        Delivery {
            to: to.to_owned(),
            after: Duration::ZERO,
            headers: Vec::new(),
            body: Bytes::new(),
        }
    }

    #[tokio::test]
    async fn an_error_links_what_caused_it_and_prints_it_once() {
        // The port was free a moment ago, and nobody listens there now.
        let free = std::net::TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr());
        let to = format!("http://{}/hook", free.expect("a port is free"));
        let deliver = Deliver::new(None, |_, _| {});
        let error = deliver.one(&delivery(&to)).await.expect_err("nobody listens");
        assert_eq!(error.to_string(), "no response");
        let cause = std::error::Error::source(&error).expect("the cause is linked");
        assert!(cause.is::<TransportError>(), "{cause:?}");
        assert_eq!(chain(&error), format!("no response: {cause}"));

        let error = deliver.one(&delivery("hook")).await.expect_err("a path is not a URL");
        let cause = std::error::Error::source(&error).expect("the cause is linked").to_string();
        assert_eq!(chain(&error), format!("`hook` is not a URL: {cause}"));
    }
}
