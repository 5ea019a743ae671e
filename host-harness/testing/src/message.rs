//! Requests and responses as fakes, recordings, and faults see them.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use url::Url;
use workflow_node_host::transport::{
    TransportError, TransportErrorKind, TransportRequest, TransportResponse,
};

/// A request. Not `Debug`, because it can contain secrets.
#[derive(Clone)]
pub struct Request {
    /// Method, in upper case.
    pub method: String,
    /// URL.
    pub url: Url,
    /// Headers in order, names in lower case.
    pub headers: Vec<(String, String)>,
    /// Body; empty if there is none.
    pub body: Bytes,
}

impl Request {
    /// The request that a transport is about to send.
    pub fn of(request: &TransportRequest) -> Self {
        Self {
            method: request.method.to_string(),
            url: request.url.clone(),
            headers: pairs(&request.headers),
            body: request.body.clone().unwrap_or_default(),
        }
    }

    /// Value of the first header of this name, in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }

    /// Whether the method is safe (reads only).
    pub fn is_read(&self) -> bool {
        matches!(self.method.as_str(), "GET" | "HEAD" | "OPTIONS")
    }
}

/// A response.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Response {
    /// Status.
    pub status: u16,
    /// Headers in order.
    pub headers: Vec<(String, String)>,
    /// Body; empty if there is none.
    pub body: Bytes,
}

impl Response {
    /// A response with a JSON body.
    pub fn json(status: u16, body: &serde_json::Value) -> Self {
        Self {
            status,
            headers: vec![("content-type".to_owned(), "application/json".to_owned())],
            body: body.to_string().into(),
        }
    }

    /// The response that a transport has received.
    pub fn of(response: &TransportResponse) -> Self {
        Self {
            status: response.status.as_u16(),
            headers: pairs(&response.headers),
            body: response.body.clone().into(),
        }
    }

    /// Value of the first header of this name, in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }

    /// The response as a transport returns it.
    ///
    /// # Errors
    ///
    /// [`TransportErrorKind::TooLarge`] if the body is above the limit, and
    /// [`TransportErrorKind::InvalidResponse`] if the status is not one of a response.
    pub fn into_transport(self, limit: usize) -> Result<TransportResponse, TransportError> {
        if self.body.len() > limit {
            let message = format!("the response is larger than {limit} bytes");
            return Err(TransportError::new(TransportErrorKind::TooLarge, message));
        }
        let status = StatusCode::from_u16(self.status)
            .ok()
            .filter(|status| status.as_u16() >= 200)
            .ok_or_else(|| {
                let message = format!("{} is not the status of a response", self.status);
                TransportError::new(TransportErrorKind::InvalidResponse, message)
            })?;
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            let name = HeaderName::from_bytes(name.as_bytes());
            if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(value)) {
                headers.append(name, value);
            }
        }
        Ok(TransportResponse { status, headers, body: self.body.to_vec(), version: "HTTP/1.1" })
    }
}

fn header<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let named = headers.iter().find(|(one, _)| one.eq_ignore_ascii_case(name));
    named.map(|(_, value)| value.as_str())
}

/// Headers as text. Bytes outside UTF-8 are replaced.
pub(crate) fn pairs(headers: &HeaderMap) -> Vec<(String, String)> {
    headers
        .iter()
        .map(|(name, value)| {
            (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        })
        .collect()
}
