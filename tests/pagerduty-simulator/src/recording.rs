//! Received requests, for assertions.

use std::fmt;
use std::time::SystemTime;

use bytes::Bytes;

use crate::keys::Region;

/// One of the simulator's servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// The REST API in the US.
    RestUs,
    /// The REST API in the EU.
    RestEu,
    /// The Events API in the US.
    EventsUs,
    /// The Events API in the EU.
    EventsEu,
    /// The identity service, which both regions share.
    Identity,
}

impl Origin {
    /// All of them, in the order of their ports.
    pub const ALL: [Self; 5] =
        [Self::RestUs, Self::RestEu, Self::EventsUs, Self::EventsEu, Self::Identity];

    /// Its host name at PagerDuty.
    #[must_use]
    pub fn host(self) -> &'static str {
        match self {
            Self::RestUs => "api.pagerduty.com",
            Self::RestEu => "api.eu.pagerduty.com",
            Self::EventsUs => "events.pagerduty.com",
            Self::EventsEu => "events.eu.pagerduty.com",
            Self::Identity => "identity.pagerduty.com",
        }
    }

    /// The region whose keys it accepts; none if both regions share it.
    #[must_use]
    pub fn region(self) -> Option<Region> {
        match self {
            Self::RestUs | Self::EventsUs => Some(Region::Us),
            Self::RestEu | Self::EventsEu => Some(Region::Eu),
            Self::Identity => None,
        }
    }

    pub(crate) fn is_events(self) -> bool {
        matches!(self, Self::EventsUs | Self::EventsEu)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.host())
    }
}

/// A request exactly as received, and its result.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RecordedRequest {
    /// Sequence number across all origins, from 1; never reused.
    pub sequence: u64,
    /// Which server received it.
    pub origin: Origin,
    /// The `Host` header, or `:authority` with HTTP/2.
    pub host: String,
    /// The method, in upper case.
    pub method: String,
    /// The path as sent, still percent-encoded.
    pub path: String,
    /// The query as sent; empty if there was none.
    pub query: String,
    /// The headers in order, names in lower case. Bytes outside UTF-8 are replaced.
    pub headers: Vec<(String, String)>,
    /// The body as sent.
    pub body: Bytes,
    /// For instance `HTTP/2.0`.
    pub http_version: String,
    /// The status of the response; none before it is sent and after a reset.
    pub response_status: Option<u16>,
    /// Requests with the same number used the same connection.
    pub connection: u64,
    /// When its body had arrived.
    pub received_at: SystemTime,
    /// The name of its key, if the simulator knows the key.
    pub key_name: Option<String>,
}

impl RecordedRequest {
    /// The first value of a header, by its lower-case name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// The body as JSON; `Null` if it is not JSON.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The decoded pairs of the query, in order.
    #[must_use]
    pub fn query_pairs(&self) -> Vec<(String, String)> {
        url::form_urlencoded::parse(self.query.as_bytes()).into_owned().collect()
    }

    pub(crate) fn objection(&self, text: &str) -> String {
        format!("request {}: {} {}: {text}", self.sequence, self.method, self.path)
    }
}
