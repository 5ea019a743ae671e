//! Calls the API in this process, as the token of a session.

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use axum::response::Response;
use http_body_util::BodyExt as _;
use hyper::service::Service as _;
use hyper_util::service::TowerToHyperService;
use serde_json::Value;
use url::Url;

use crate::error::{ApiError, ErrorBody};
use crate::extract::Found;
use crate::token::Caller;

/// Most bytes of a response that the page reads.
const MOST: usize = 32 * 1024 * 1024;

/// The routes of the API.
#[derive(Clone)]
pub(crate) struct Client(Router);

/// The path of segments, each encoded.
pub(crate) fn path<'a>(segments: impl IntoIterator<Item = &'a str>) -> String {
    let mut url = Url::parse("http://host/").expect("the address is a URL");
    if let Ok(mut path) = url.path_segments_mut() {
        path.clear().extend(segments);
    }
    url.path().to_owned()
}

/// A path with a query.
pub(crate) fn with_query(path: &str, query: &[(&str, &str)]) -> String {
    if query.is_empty() {
        return path.to_owned();
    }
    let mut encoded = url::form_urlencoded::Serializer::new(String::new());
    encoded.extend_pairs(query);
    format!("{path}?{}", encoded.finish())
}

impl Client {
    pub(super) fn new(api: Router) -> Self {
        Self(api)
    }

    /// Sends a request, and returns the response unchanged.
    pub(super) async fn send(
        &self,
        caller: &Caller,
        method: Method,
        path: &str,
        accept: &str,
        body: Option<&Value>,
    ) -> Result<Response, ApiError> {
        let mut request =
            Request::builder().method(method).uri(path).header(header::ACCEPT, accept);
        let body = match body {
            None => Body::empty(),
            Some(body) => {
                request = request.header(header::CONTENT_TYPE, "application/json");
                Body::from(body.to_string())
            }
        };
        let mut request = request.body(body).map_err(|error| ApiError::internal(&error))?;
        request.extensions_mut().insert(Found(Some(caller.clone())));
        let Ok(response) = TowerToHyperService::new(self.0.clone()).call(request).await;
        Ok(response)
    }

    /// Sends a request, and returns the status and the body of a response that is not an error.
    pub(super) async fn call(
        &self,
        caller: &Caller,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<(StatusCode, Value), ApiError> {
        let response = self.send(caller, method, path, "application/json", body).await?;
        let status = response.status();
        let body = http_body_util::Limited::new(response.into_body(), MOST).collect().await;
        let body = body.map_err(|error| ApiError::internal(&error))?.to_bytes();
        if status.is_success() {
            let read = serde_json::from_slice(&body).map_err(|error| ApiError::internal(&error))?;
            return Ok((status, read));
        }
        Err(error_of(status, &body))
    }

    pub(super) async fn get(&self, caller: &Caller, path: &str) -> Result<Value, ApiError> {
        Ok(self.call(caller, Method::GET, path, None).await?.1)
    }
}

/// The error of a response that refuses.
pub(super) async fn refusal(response: Response) -> ApiError {
    let status = response.status();
    let body = http_body_util::Limited::new(response.into_body(), MOST).collect().await;
    match body {
        Ok(body) => error_of(status, &body.to_bytes()),
        Err(error) => ApiError::internal(&error),
    }
}

fn error_of(status: StatusCode, body: &[u8]) -> ApiError {
    match serde_json::from_slice::<ErrorBody>(body) {
        Ok(ErrorBody { error }) => {
            let mut failed = ApiError::new(status, error.name, error.message);
            failed.detail.next = error.next;
            failed.problems(error.problems)
        }
        Err(error) => ApiError::internal(&error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_stays_one_segment() {
        for (segment, expected) in [
            ("incident.create", "/v1/x/incident.create"),
            ("a/b", "/v1/x/a%2Fb"),
            ("a?b#c", "/v1/x/a%3Fb%23c"),
            ("100%", "/v1/x/100%25"),
        ] {
            assert_eq!(path(["v1", "x", segment]), expected);
        }
        assert_eq!(with_query("/p", &[("a b", "c&d")]), "/p?a+b=c%26d");
    }
}
