//! Extractors for parts of requests. Unreadable parts become errors of the API.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt;
use std::marker::PhantomData;

use axum::body::Body;
use axum::extract::{FromRequestParts, Path, Query};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use workflow_node_host::Secret;

use crate::error::ApiError;
use crate::limits::ServerLimits;
use crate::token::{Caller, Role};

/// Segments of the path.
pub(crate) struct Segments<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Segments<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let read = Path::<T>::from_request_parts(parts, state).await;
        let Path(segments) = read.map_err(|error| {
            ApiError::invalid(format!("The path cannot be read: {}.", error.body_text()))
        })?;
        Ok(Self(segments))
    }
}

/// Parameters of the query.
pub(crate) struct Params<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Params<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let read = Query::<T>::try_from_uri(&parts.uri);
        let Query(parameters) = read.map_err(|error| {
            ApiError::invalid(format!("The query cannot be read: {}.", error.body_text()))
        })?;
        Ok(Self(parameters))
    }
}

/// The token of a request, as found by the guard.
#[derive(Clone)]
pub(crate) struct Found(pub(crate) Option<Caller>);

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let found = parts.extensions.get::<Found>().and_then(|found| found.0.clone());
        found.ok_or_else(|| {
            let message = "The request has no valid token.";
            ApiError::new(StatusCode::UNAUTHORIZED, "unauthenticated", message)
                .next("Send `Authorization: Bearer TOKEN`. Create a token: harness token create")
        })
    }
}

impl Caller {
    /// Checks that the token has a role.
    pub(crate) fn require(&self, role: Role) -> Result<(), ApiError> {
        if self.policy.roles.contains(&role) {
            return Ok(());
        }
        let name = role.name();
        Err(ApiError::not_permitted(format!("The token does not have the role `{name}`.")))
    }
}

/// Whether a request's body has a media type.
pub(crate) fn is_media_type(headers: &HeaderMap, expected: &str) -> bool {
    let Some(value) = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok())
    else {
        return false;
    };
    let essence = value.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case(expected)
}

/// Whether a client asks for a media type by name.
pub(crate) fn accepts(headers: &HeaderMap, wanted: &str) -> bool {
    let all = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    all.flat_map(|value| value.split(',')).any(|part| {
        let mut parameters = part.split(';').map(str::trim);
        let is_wanted =
            parameters.next().is_some_and(|essence| essence.eq_ignore_ascii_case(wanted));
        is_wanted && !parameters.any(|parameter| matches!(parameter, "q=0" | "q=0.0"))
    })
}

pub(crate) fn unsupported(accepted: &str) -> ApiError {
    let message = format!("The body must be {accepted}; set the header Content-Type.");
    ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type", message)
}

/// The next part of a body; `None` after the last.
pub(crate) async fn next_part(
    body: &mut Body,
    limits: &ServerLimits,
) -> Result<Option<Bytes>, ApiError> {
    loop {
        let time = ServerLimits::time(limits.body_idle_ms);
        let Ok(frame) = tokio::time::timeout(time, body.frame()).await else {
            let message = "The body of the request stopped arriving (limit `body_idle_ms`).";
            return Err(ApiError::new(StatusCode::REQUEST_TIMEOUT, "body-timeout", message));
        };
        match frame {
            None => return Ok(None),
            Some(Err(error)) => {
                let message = format!("The body of the request cannot be read: {error}.");
                return Err(ApiError::invalid(message));
            }
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    return Ok(Some(data));
                }
            }
        }
    }
}

/// A whole body of at most `most` bytes.
pub(crate) async fn whole(
    mut body: Body,
    limits: &ServerLimits,
    limit: &str,
    most: usize,
) -> Result<Bytes, ApiError> {
    let mut all = BytesMut::new();
    while let Some(part) = next_part(&mut body, limits).await? {
        if all.len() + part.len() > most {
            return Err(ApiError::too_large("The body", limit, most));
        }
        all.extend_from_slice(&part);
    }
    Ok(all.freeze())
}

/// A small JSON body.
pub(crate) async fn json<T: DeserializeOwned>(
    headers: &HeaderMap,
    body: Body,
    limits: &ServerLimits,
) -> Result<T, ApiError> {
    if !is_media_type(headers, "application/json") {
        return Err(unsupported("`application/json`"));
    }
    let bytes = whole(body, limits, "small_body", limits.small_body).await?;
    parse(&bytes)
}

/// Parses a JSON object from a client.
pub(crate) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    parse_object(bytes)
        .map_err(|error| ApiError::invalid(format!("The body cannot be read: {error}.")))
}

/// Parses text that contains one JSON object.
pub(crate) fn parse_object<T: DeserializeOwned>(bytes: &[u8]) -> serde_json::Result<T> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let read = object(&mut deserializer)?;
    deserializer.end()?;
    Ok(read)
}

/// Reads a struct from an object only. Code derived by serde also accepts an array of the members'
/// values.
pub(crate) fn object<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    struct Members<T>(PhantomData<T>);

    impl<'de, T: Deserialize<'de>> Visitor<'de> for Members<T> {
        type Value = T;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<T, A::Error> {
            T::deserialize(MapAccessDeserializer::new(members))
        }
    }

    deserializer.deserialize_map(Members(PhantomData))
}

/// Reads a secret. What is not one is not quoted, because it may have been meant as one.
pub(crate) fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Secret, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::String(text) => Ok(Secret::new(text)),
        _ => Err(D::Error::custom("a secret is not a string")),
    }
}

/// Reads secrets by name, as [`secret`] does.
pub(crate) fn secrets<'de, D: Deserializer<'de>, T: From<String>>(
    deserializer: D,
) -> Result<BTreeMap<String, T>, D::Error> {
    let wrong = || D::Error::custom("`secrets` is not an object of strings");
    let Value::Object(all) = Value::deserialize(deserializer)? else { return Err(wrong()) };
    let all = all.into_iter().map(|(name, value)| match value {
        Value::String(text) => Ok((name, text.into())),
        _ => Err(wrong()),
    });
    all.collect()
}

/// Reading from memory cannot fail.
impl From<Infallible> for ApiError {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn structs_are_read_from_objects_only() {
        #[derive(Debug, PartialEq, Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Outer {
            #[serde(default, deserialize_with = "object")]
            inner: Inner,
        }
        #[derive(Debug, Default, PartialEq, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        struct Inner {
            number: u32,
        }
        let read = |text: &str| parse_object::<Outer>(text.as_bytes()).ok();
        let outer = |number| Some(Outer { inner: Inner { number } });
        assert_eq!(read(" {}\n"), outer(0));
        assert_eq!(read(r#"{"inner": {"number": 7}}"#), outer(7));
        for other in
            ["[]", "[{}]", "null", "7", "", r#"{"inner": [7]}"#, r#"{"inner": []}"#, "{} {}"]
        {
            assert_eq!(read(other), None, "{other}");
        }
    }

    #[test]
    fn media_types_are_compared_without_parameters_and_case() {
        let headers = |name: &'static str, value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, value.parse().unwrap());
            headers
        };
        let json = "application/json";
        assert!(is_media_type(&headers("content-type", "Application/JSON; charset=utf-8"), json));
        assert!(!is_media_type(&headers("content-type", "text/plain"), json));
        assert!(!is_media_type(&HeaderMap::new(), json));
        let lines = "application/x-ndjson";
        assert!(accepts(&headers("accept", "application/json;q=0.5, application/x-ndjson"), lines));
        assert!(!accepts(&headers("accept", "*/*"), lines));
        assert!(!accepts(&headers("accept", "application/x-ndjson;q=0"), lines));
    }
}
