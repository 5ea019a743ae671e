//! Responses that a service might return, generated from the output schemas of a node.
//!
//! A description states what a record looks like and not how the service wraps it. A response
//! therefore contains the record under every name that services use, and several ways of wrapping
//! are tried.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use crate::loopback::{Received, Reply};
use crate::sample::{Fill, Sampler};

/// How a service wraps its records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// An object with the record's members, and the record or a list of records under every usual
    /// name.
    Wrapped,
    /// The record itself.
    Bare,
    /// An array of records.
    Array,
    /// As `Wrapped`, with a single record under the names of `data` and the like.
    WrappedOne,
    /// No body.
    Empty,
}

impl Shape {
    /// In the order in which they are tried.
    pub(super) const ALL: [Self; 5] =
        [Self::Wrapped, Self::Bare, Self::Array, Self::WrappedOne, Self::Empty];
}

/// How a response marks whether there are more pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pages {
    /// This is the last one.
    Last,
    /// There are more, and each has the same records.
    Repeated,
    /// There are more, and each is empty.
    Empty,
}

/// Members in which services return records, whatever the records are.
pub(super) const GENERIC: &[&str] =
    &["data", "items", "results", "records", "values", "entries", "nodes", "result", "list"];

/// Members by which nodes recognize a record.
const IDENTIFYING: &[&str] =
    &["id", "name", "summary", "email", "title", "label", "login", "key", "slug", "display_name"];

/// Responds to requests of one action.
#[derive(Clone, Debug)]
pub(super) struct Answering {
    pub(super) shape: Shape,
    /// Schema of a record.
    pub(super) record: Value,
    /// The node's shared schemas.
    pub(super) shared: Arc<Map<String, Value>>,
    /// Text parameters: IDs and names of records that must exist.
    pub(super) given: Vec<String>,
    /// Words for the action's records.
    pub(super) words: Vec<String>,
    /// Members that the node missed in a response, as paths.
    pub(super) named: Vec<String>,
    pub(super) pages: Pages,
    /// Whether the records are the same for every request, instead of bearing its fingerprint.
    pub(super) same: bool,
    /// How many records a list has that no parameter names.
    pub(super) others: u64,
}

/// Identifies a request: equal requests have the same fingerprint.
pub(super) fn fingerprint(request: &Received) -> String {
    let mut hash = Sha256::new();
    for part in [request.method.as_bytes(), request.target.as_bytes(), &request.body] {
        hash.update(part);
        hash.update([0]);
    }
    let digest = hash.finalize();
    let hex: String = digest.iter().take(5).map(|byte| format!("{byte:02x}")).collect();
    format!("t{hex}")
}

impl Answering {
    /// The response to a request.
    pub(super) fn reply(&self, request: &Received) -> Reply {
        if self.shape == Shape::Empty {
            return Reply::Response { status: 204, headers: Vec::new(), body: Default::default() };
        }
        let body = self.body(request);
        let mut reply = Reply::json(200, body.to_string());
        if let (Reply::Response { headers, .. }, true) = (&mut reply, self.pages != Pages::Last) {
            let url = format!("https://{}{}", request.host, request.target);
            headers.push(("link", format!("<{url}>; rel=\"next\"")));
        }
        reply
    }

    fn body(&self, request: &Received) -> Value {
        let token = match self.same {
            true => "check-event".to_owned(),
            false => fingerprint(request),
        };
        let in_path = |one: &&String| {
            let plain = |segment: &str| percent_decoded(segment) == **one;
            request.path().split('/').any(plain)
        };
        let named = self.given.iter().rfind(in_path);
        let record = self.record(&token, named.map(String::as_str));
        let list = match self.pages {
            Pages::Empty => Vec::new(),
            _ => self.list(&token),
        };
        match self.shape {
            Shape::Bare | Shape::Empty => record,
            Shape::Array => Value::Array(list),
            Shape::Wrapped | Shape::WrappedOne => self.wrapped(request, record, &list),
        }
    }

    /// A record for each text in the parameters, and the others.
    fn list(&self, token: &str) -> Vec<Value> {
        let given = self.given.iter().map(|text| self.record(token, Some(text)));
        let others = (1..=self.others).map(|place| self.record(&format!("{token}-{place}"), None));
        given.chain(others).collect()
    }

    /// A record whose text contains the request's fingerprint. `of`: its identity.
    fn record(&self, token: &str, of: Option<&str>) -> Value {
        let text = |name: &str| match of {
            Some(of) if IDENTIFYING.contains(&name) => of.to_owned(),
            _ if name == "id" => token.to_owned(),
            _ => format!("{token} {name}"),
        };
        let sampler = Sampler { shared: &self.shared, fill: Fill::All, text: &text };
        let mut record = sampler.value("", &self.record);
        let is_closed = self.record.get("additionalProperties") == Some(&Value::Bool(false));
        if let Some(id) = record.get_mut("id").filter(|id| id.is_number()) {
            // Records with the same ID are one record.
            *id = json!(of.and_then(|of| of.parse().ok()).unwrap_or_else(|| number(token, of)));
        }
        if let (Value::Object(members), false) = (&mut record, is_closed) {
            // A record of another kind, which the node looks up first, has these.
            for name in ["id", "name", "summary", "email"] {
                if !members.contains_key(name) {
                    members.insert(name.to_owned(), Value::String(text(name)));
                }
            }
        }
        record
    }

    fn wrapped(&self, request: &Received, record: Value, list: &[Value]) -> Value {
        let mut body = match &record {
            Value::Object(members) => members.clone(),
            _ => Map::new(),
        };
        for (name, value) in self.paging(request, list.len()) {
            body.entry(name).or_insert(value);
        }
        let list = Value::Array(list.to_vec());
        for name in GENERIC {
            let one = if self.shape == Shape::WrappedOne { &record } else { &list };
            body.insert((*name).to_owned(), one.clone());
        }
        let sent: Option<Map<String, Value>> = serde_json::from_slice(&request.body).ok();
        for (name, value) in sent.into_iter().flatten() {
            let one = if value.is_array() { &list } else { &record };
            if value.is_object() || value.is_array() {
                body.insert(name, one.clone());
            }
        }
        let is_word = |segment: &&str| {
            let mut letters = segment.chars();
            letters.clone().next().is_some()
                && letters.all(|one| one.is_ascii_alphabetic() || one == '_' || one == '-')
        };
        let path: Vec<&str> = request.path().split('/').filter(is_word).collect();
        let words = path.iter().rev().take(3).map(|word| (*word).to_owned());
        let words: Vec<String> = words.chain(self.words.iter().cloned()).collect();
        // `orchestrations` is short for `event_orchestrations`.
        let short =
            words.iter().filter_map(|word| Some(word.rsplit_once(['_', '-'])?.1.to_owned()));
        let short: Vec<String> = short.collect();
        for word in short.into_iter().chain(words) {
            let (one, many) = numbers(&word);
            body.insert(many, list.clone());
            body.insert(one, record.clone());
        }
        let mut body = Value::Object(body);
        for path in &self.named {
            let one = if self.shape == Shape::WrappedOne { &record } else { &list };
            insert(&mut body, path, one);
        }
        body
    }

    /// Members by which services mark whether there are more pages.
    fn paging(&self, request: &Received, count: usize) -> Vec<(String, Value)> {
        let more = self.pages != Pages::Last;
        let cursor = if more { json!("the-same-cursor") } else { Value::Null };
        let url = format!("https://{}{}", request.host, request.target);
        let url = if more { json!(url) } else { Value::Null };
        let total = if more { 1_000_000 } else { count };
        let whole = json!({
            "more": more, "has_more": more, "hasMore": more, "has_next_page": more,
            "hasNextPage": more, "is_last": !more, "isLast": !more, "last": !more,
            "cursor": cursor, "next_cursor": cursor, "nextCursor": cursor, "end_cursor": cursor,
            "endCursor": cursor, "next_page_token": cursor, "nextPageToken": cursor, "next": url,
            "next_url": url, "nextLink": url, "next_page": url, "total": total,
            "total_count": total, "totalCount": total, "limit": 100, "offset": 0,
        });
        let Value::Object(whole) = whole else { return Vec::new() };
        let nested = ["links", "_links", "meta", "pagination", "paging", "page_info", "pageInfo"];
        let nested = nested.iter().map(|name| ((*name).to_owned(), Value::Object(whole.clone())));
        whole.iter().map(|(name, value)| (name.clone(), value.clone())).chain(nested).collect()
    }
}

/// Sets the member at a path, and creates objects on the way.
fn insert(body: &mut Value, path: &str, value: &Value) {
    let mut at = body;
    for name in path.split('/').filter(|name| !name.is_empty()) {
        if !at.is_object() {
            *at = json!({});
        }
        at = &mut at[name];
    }
    *at = value.clone();
}

/// Names of members that an error quotes, because the node missed them.
pub(super) fn quoted(message: &str) -> Vec<String> {
    let mut names = Vec::new();
    for quote in ['`', '"', '\''] {
        // Between an opening and a closing quote.
        for name in message.split(quote).skip(1).step_by(2) {
            let is_name = name.starts_with(|first: char| first.is_ascii_alphabetic())
                && name.chars().all(|one| one.is_ascii_alphanumeric() || "_-/".contains(one));
            if is_name && name.len() <= 80 && !names.iter().any(|known| known == name) {
                names.push(name.to_owned());
            }
        }
    }
    names
}

/// A number derived from texts.
fn number(token: &str, of: Option<&str>) -> u64 {
    let digest = Sha256::digest([token, of.unwrap_or_default()].join("\0"));
    digest.iter().take(3).fold(1, |number, byte| (number << 8) | u64::from(*byte))
}

/// A word for one and for many.
pub(super) fn numbers(word: &str) -> (String, String) {
    if let Some(stem) = word.strip_suffix("ies") {
        return (format!("{stem}y"), word.to_owned());
    }
    for ending in ["sses", "xes", "ches", "shes", "uses"] {
        if let (true, Some(stem)) = (word.ends_with(ending), word.strip_suffix("es")) {
            return (stem.to_owned(), word.to_owned());
        }
    }
    match word.strip_suffix('s').filter(|stem| !stem.ends_with('s')) {
        Some(stem) => (stem.to_owned(), word.to_owned()),
        None => match word.strip_suffix('y') {
            Some(stem) => (word.to_owned(), format!("{stem}ies")),
            None => (word.to_owned(), format!("{word}s")),
        },
    }
}

fn percent_decoded(segment: &str) -> String {
    // A path is a query without `+`.
    let escaped = segment.replace('+', "%2B").replace('&', "%26").replace('=', "%3D");
    url::form_urlencoded::parse(escaped.as_bytes()).map(|(name, _)| name.into_owned()).collect()
}

/// Texts of parameters that may identify records.
pub(super) fn given(parameters: &Value) -> Vec<String> {
    /// Maximum number of texts that the service uses.
    const MOST: usize = 16;
    const LONGEST: usize = 100;
    fn collect(value: &Value, texts: &mut Vec<String>) {
        match value {
            Value::String(text)
                if !text.is_empty() && text.len() <= LONGEST && texts.len() < MOST =>
            {
                // `name:Ada` names Ada.
                let plain = text.split_once(':').map(|(_, rest)| rest.trim().to_owned());
                for text in plain.into_iter().chain([text.clone()]) {
                    if !text.is_empty() && !texts.contains(&text) {
                        texts.push(text);
                    }
                }
            }
            Value::Array(list) => list.iter().for_each(|one| collect(one, texts)),
            Value::Object(members) => members.values().for_each(|one| collect(one, texts)),
            _ => {}
        }
    }
    let mut texts = Vec::new();
    collect(parameters, &mut texts);
    texts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_has_a_singular_and_a_plural() {
        for (one, many) in [
            ("incident", "incidents"),
            ("policy", "policies"),
            ("status_page", "status_pages"),
            ("match", "matches"),
            ("class", "classes"),
        ] {
            assert_eq!(numbers(many), (one.to_owned(), many.to_owned()), "{many}");
        }
        assert_eq!(numbers("policy"), ("policy".into(), "policies".into()));
        assert_eq!(numbers("incident"), ("incident".into(), "incidents".into()));
    }

    #[test]
    fn names_are_read_from_the_quotes_of_an_error() {
        let message =
            "the service answered 200 with a body that has no list `service/things` ('x y')";
        assert_eq!(quoted(message), ["service/things"]);
        assert_eq!(quoted("missing key: \"data\", not 'items'"), ["data", "items"]);
        assert!(quoted("it doesn't work").is_empty());
    }

    #[test]
    fn records_of_a_list_have_different_ids() {
        let answering = Answering {
            shape: Shape::Array,
            record: json!({"type": "object", "properties": {"id": {"type": "integer"}}}),
            shared: Arc::default(),
            given: vec!["12".into(), "bug".into()],
            words: Vec::new(),
            named: Vec::new(),
            pages: Pages::Last,
            same: false,
            others: 2,
        };
        let list = answering.list("t0");
        let ids: std::collections::BTreeSet<u64> =
            list.iter().map(|record| record["id"].as_u64().unwrap()).collect();
        assert_eq!(ids.len(), 4, "{list:?}");
        assert!(ids.contains(&12));
    }

    #[test]
    fn a_response_contains_the_records_in_the_parameters() {
        let parameters = json!({"user": "ada@example.com", "teams": [{"id": "T1"}]});
        let answering = Answering {
            shape: Shape::Wrapped,
            record: json!({"type": "object", "properties": {"kind": {"enum": ["a"]}}}),
            shared: Arc::default(),
            given: given(&parameters),
            words: vec!["user".into()],
            named: vec!["data/people".into()],
            pages: Pages::Last,
            same: false,
            others: 2,
        };
        let request = Received {
            method: "GET".into(),
            host: "api.test".into(),
            target: "/users?query=ada%40example.com".into(),
            headers: Vec::new(),
            body: Default::default(),
        };
        let body = answering.body(&request);
        assert_eq!(body["users"][0]["email"], "ada@example.com");
        assert_eq!(body["users"][1]["id"], "T1");
        assert_eq!(body["user"]["kind"], "a");
        assert_eq!(body["has_more"], false);
        assert_eq!(body["data"]["people"][1]["id"], "T1");
        let one = Received { target: "/users/ada%40example.com".into(), ..request };
        assert_eq!(answering.body(&one)["user"]["id"], "ada@example.com");
    }
}
