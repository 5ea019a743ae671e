//! The error shapes that PagerDuty is known to return, for faults.

use serde_json::json;

/// A shape of an error body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorShape {
    /// `error` with message, code and a list `errors`.
    Full,
    /// `error` with message and code.
    WithoutErrors,
    /// `error` with a message only.
    WithoutCode,
    /// `errors` is one string.
    ErrorsAsString,
    /// `errors` is an object from field names to lists.
    ErrorsAsObject,
    /// The whole `error` is a string.
    ErrorAsString,
    /// The whole `error` is a list of strings.
    ErrorAsList,
    /// The Events API's `status`, `message` and `errors`, with nothing around them.
    Events,
    /// A page of HTML, as a proxy returns it.
    Html,
    /// No bytes.
    Empty,
}

impl ErrorShape {
    /// Every shape.
    pub const ALL: [Self; 10] = [
        Self::Full,
        Self::WithoutErrors,
        Self::WithoutCode,
        Self::ErrorsAsString,
        Self::ErrorsAsObject,
        Self::ErrorAsString,
        Self::ErrorAsList,
        Self::Events,
        Self::Html,
        Self::Empty,
    ];

    /// The content type and the body; every shape with text contains `detail`.
    pub(crate) fn body(self, detail: &str) -> (&'static str, Vec<u8>) {
        let message = "Invalid Input Provided";
        let body = match self {
            Self::Full => json!({"error": {"message": message, "code": 2001, "errors": [detail]}}),
            Self::WithoutErrors => json!({"error": {"message": detail, "code": 2001}}),
            Self::WithoutCode => json!({"error": {"message": detail}}),
            Self::ErrorsAsString => {
                json!({"error": {"message": message, "code": 2001, "errors": detail}})
            }
            Self::ErrorsAsObject => {
                json!({"error": {"message": message, "code": 2001, "errors": {"name": [detail]}}})
            }
            Self::ErrorAsString => json!({"error": detail}),
            Self::ErrorAsList => json!({"error": [detail]}),
            Self::Events => {
                json!({"status": "invalid event", "message": message, "errors": [detail]})
            }
            Self::Html => {
                let page = format!("<html><body><h1>{detail}</h1></body></html>");
                return ("text/html", page.into_bytes());
            }
            Self::Empty => return ("application/json", Vec::new()),
        };
        ("application/json; charset=utf-8", body.to_string().into_bytes())
    }
}
