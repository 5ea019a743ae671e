//! PagerDuty's API as data: every operation with its query, body, and response.
//!
//! `operations.json` restates the published document, one operation per line; `pagerduty-api
//! import` writes it. `amendments.json` states where that document is wrong or incomplete, each
//! with a reason. [`operations`] returns amended operations. The forms of the node are derived from
//! them, and the simulator judges requests by them. This crate must not depend on either.

mod amend;
mod fields;
mod ranges;

use std::collections::{BTreeSet, HashMap};
use std::sync::OnceLock;

use serde::Deserialize;
use serde_json::Value;

pub use amend::Amendment;
pub use fields::{Basic, Field, FieldValue, Variant};
pub use ranges::{Range, Span};

const OPERATIONS: &str = include_str!("../../operations.json");
const EVENTS_API: &str = include_str!("../../events.json");
const AMENDMENTS: &str = include_str!("../../amendments.json");
const WEBHOOK_EVENTS: &str = include_str!("../../webhook-events.json");

/// One operation of the REST API.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Operation {
    /// Its unique name in the schema, such as `createIncident`.
    pub id: String,
    /// `GET`, `POST`, `PUT`, `PATCH` or `DELETE`.
    pub method: String,
    /// Its path, with parameters in braces.
    pub path: String,
    /// The group under which it is documented.
    pub tag: String,
    /// Whether it is deprecated.
    #[serde(default)]
    pub deprecated: bool,
    /// The scope that OAuth tokens need; none if the schema states none.
    #[serde(default)]
    pub scope: Option<String>,
    /// Whether it only reads, although its method suggests a write.
    #[serde(default)]
    pub reads: bool,
    /// Whether it has a separate rate limit in addition to the key's.
    #[serde(default)]
    pub operation_limit: bool,
    /// Whether the header `From` is required.
    #[serde(default)]
    pub from: FromHeader,
    /// Required value of the header `X-EARLY-ACCESS`.
    #[serde(default)]
    pub early_access: Option<String>,
    /// The path parameters, in order.
    #[serde(default)]
    pub path_parameters: Vec<Field>,
    /// The query parameters.
    #[serde(default)]
    pub query: Vec<Field>,
    /// The request body, if there is one.
    #[serde(default)]
    pub body: Option<Body>,
    /// The status of success in the schema.
    #[serde(default)]
    pub status: Option<u16>,
    /// The response body on success; none if there is none.
    #[serde(default)]
    pub answer: Option<Answer>,
    /// How its list is paged.
    #[serde(default)]
    pub paging: Paging,
    /// The members of the response that belong to paging.
    #[serde(default)]
    pub page_fields: Vec<String>,
    /// The time ranges that it takes, if PagerDuty has defaults or limits for them. A list is read
    /// along the first one.
    #[serde(default)]
    pub ranges: Vec<Range>,
}

/// Whether an operation takes the header `From`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FromHeader {
    /// It does not.
    #[default]
    None,
    /// It is optional, and only records who changed an object.
    Optional,
    /// It is required, unless the key belongs to a user.
    Required,
}

/// How a list is paged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
pub enum Paging {
    /// All at once.
    #[default]
    None,
    /// `limit` and `offset` in the query; `more` in the response.
    #[serde(rename = "classic")]
    Classic,
    /// The response has the members of [`Paging::Classic`]; the query has no parameters for them.
    #[serde(rename = "classic(response only)")]
    ResponseOnly,
    /// `limit` and `cursor`; `next_cursor` in the response.
    #[serde(rename = "cursor")]
    Cursor,
    /// `limit`, `after` and `before`.
    #[serde(rename = "after/before")]
    AfterBefore,
    /// `starting_after`, `ending_before` and `limit` in the request body.
    #[serde(rename = "starting_after(body)")]
    StartingAfter,
    /// At most `limit` records; the rest cannot be read.
    #[serde(rename = "limit-only")]
    LimitOnly,
}

/// A request body.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Body {
    /// `application/json`, with one exception.
    #[serde(default = "json_type")]
    pub content_type: String,
    /// Schema of the body as a whole, if it has one.
    #[serde(default)]
    pub required: Option<bool>,
    /// The discriminator: the member whose value determines which of the
    /// [`variants`](Body::variants) applies.
    #[serde(default)]
    pub by: Option<String>,
    /// The members of each variant in addition to those that all variants have.
    #[serde(default)]
    pub variants: Vec<Variant>,
    /// The members of the outermost object, including those of all variants.
    pub fields: Vec<Field>,
}

fn json_type() -> String {
    "application/json".to_owned()
}

impl Body {
    /// Whether a request without a body is incomplete.
    #[must_use]
    pub fn must_be_sent(&self) -> bool {
        self.required == Some(true) || self.fields.iter().any(Field::must_be_sent)
    }
}

/// The response body on success.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Answer {
    /// Whether it is a bare list.
    #[serde(default)]
    pub bare_array: bool,
    /// The members of the outermost object and their types, without those for paging.
    #[serde(default)]
    pub keys: Vec<(String, String)>,
    /// The members that are always present.
    #[serde(default)]
    pub required: Vec<String>,
    /// The members of the published example, which may differ.
    #[serde(default)]
    pub example_keys: Vec<String>,
    /// Where a successful write reports failures.
    #[serde(default)]
    pub reports: Vec<Report>,
}

/// Where a successful write reports failures.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Report {
    /// Position in the body of a list, or of a number (RFC 6901).
    pub at: String,
    /// The member of each element that holds its result or a list of errors. None if each element
    /// is a failure.
    #[serde(default)]
    pub member: Option<String>,
    /// The results that the schema documents; for a number, the result that is counted.
    #[serde(default)]
    pub results: Vec<String>,
}

/// A webhook event.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct WebhookEvent {
    /// Its type, such as `incident.triggered`.
    pub event_type: String,
    /// The `type` of its `data`.
    pub data_type: String,
    /// The scope that is needed to read its data.
    pub scope: Option<String>,
    /// Description of the event.
    #[serde(default)]
    pub note: Option<String>,
}

struct Facts {
    operations: Vec<Operation>,
    by_id: HashMap<String, usize>,
    events: Vec<Operation>,
    amendments: Vec<Amendment>,
}

fn facts() -> &'static Facts {
    static FACTS: OnceLock<Facts> = OnceLock::new();
    FACTS.get_or_init(|| {
        let amendments: Vec<Amendment> = read("amendments.json", AMENDMENTS);
        let operations = amended("operations.json", OPERATIONS, &amendments);
        let events = amended("events.json", EVENTS_API, &amendments);
        let places = operations.iter().enumerate();
        let by_id = places.map(|(place, operation)| (operation.id.clone(), place)).collect();
        Facts { operations, by_id, events, amendments }
    })
}

fn amended(file: &str, text: &str, amendments: &[Amendment]) -> Vec<Operation> {
    let mut rows: Vec<Value> = read(file, text);
    for row in &mut rows {
        for amendment in amendments {
            amendment.apply(row);
        }
    }
    let mut operations: Vec<Operation> = read(file, &Value::from(rows).to_string());
    for operation in &mut operations {
        let is_update = matches!(operation.method.as_str(), "PUT" | "PATCH");
        operation.body.iter_mut().for_each(|body| {
            if is_update {
                fields::mark_cleared(&mut body.fields);
            }
            fields::join_all(&mut body.fields);
            fields::join_variants(&mut body.fields, &body.variants);
            fields::mark_references(&mut body.fields);
        });
    }
    operations
}

/// The files are part of the program, so an error in them is a defect of the program.
fn read<T: serde::de::DeserializeOwned>(file: &str, text: &str) -> T {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("facts/{file}: {error}"))
}

/// Every operation of the REST API, by path and method, deprecated ones included.
#[must_use]
pub fn operations() -> &'static [Operation] {
    &facts().operations
}

/// The operation of this name.
#[must_use]
pub fn operation(id: &str) -> Option<&'static Operation> {
    let facts = facts();
    facts.by_id.get(id).map(|place| &facts.operations[*place])
}

/// The operations of the Events API: `triggerEvent`, `followUpEvent`, `changeEvent`.
#[must_use]
pub fn events_api() -> &'static [Operation] {
    &facts().events
}

/// The amendments of the published schema, with their reasons.
#[must_use]
pub fn amendments() -> &'static [Amendment] {
    &facts().amendments
}

/// Every webhook event. The last one is the ping, which cannot be subscribed to.
#[must_use]
pub fn webhook_events() -> &'static [WebhookEvent] {
    static EVENTS: OnceLock<Vec<WebhookEvent>> = OnceLock::new();
    EVENTS.get_or_init(|| read("webhook-events.json", WEBHOOK_EVENTS))
}

/// Every scope that an operation needs, excluding deprecated operations.
#[must_use]
pub fn scopes() -> BTreeSet<&'static str> {
    let current = operations().iter().filter(|operation| !operation.deprecated);
    current.filter_map(|operation| operation.scope.as_deref()).collect()
}

impl Operation {
    /// The member of the response that holds the object or the list; none if the response has no
    /// envelope.
    #[must_use]
    pub fn root(&self) -> Option<&str> {
        let keys = &self.answer.as_ref()?.keys;
        let whole = |wanted: &str| {
            keys.iter().find(|(_, kind)| kind.starts_with(wanted)).map(|(name, _)| name.as_str())
        };
        if keys.iter().any(|(name, _)| name == "id") {
            return None;
        }
        // Lists come with additional objects, such as `privileges`; objects with additional lists,
        // such as `warnings`.
        match keys.first() {
            Some((name, kind)) if kind == "object" || kind.starts_with("array") => Some(name),
            _ => whole("array").or_else(|| whole("object")),
        }
    }

    /// Whether the response is a list of objects.
    #[must_use]
    pub fn is_list(&self) -> bool {
        let first = self.answer.as_ref().and_then(|answer| answer.keys.first());
        self.method == "GET"
            && (self.paging != Paging::None
                || first.is_some_and(|(_, kind)| kind.starts_with("array")))
    }

    /// The names in the braces of the path.
    #[must_use]
    pub fn captures(&self) -> Vec<&str> {
        let segments = self.path.split('/');
        segments
            .filter_map(|segment| segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_has_one_complete_row() {
        let all = operations();
        assert_eq!(all.len(), 465);
        assert_eq!(all.iter().filter(|operation| !operation.deprecated).count(), 436);
        let ids: BTreeSet<&str> = all.iter().map(|operation| operation.id.as_str()).collect();
        assert_eq!(ids.len(), all.len());
        for operation in all {
            let named: Vec<&str> =
                operation.path_parameters.iter().map(|field| field.name.as_str()).collect();
            assert_eq!(operation.captures(), named, "{}", operation.id);
            assert!(operation.status.is_some() || operation.deprecated, "{}", operation.id);
        }
        assert_eq!(all.iter().filter(|one| one.from == FromHeader::Required).count(), 13);
        assert_eq!(all.iter().filter(|one| one.scope.is_none()).count(), 68);
    }

    #[test]
    fn amendments_are_applied() {
        let create = operation("createIncident").unwrap();
        let incident = &create.body.as_ref().unwrap().fields[0];
        let details = incident.field("body").and_then(|body| body.field("details")).unwrap();
        assert_eq!(details.kind(), Basic::Text);
        let service = incident.field("service").unwrap();
        assert!(service.is_reference() && service.field("id").unwrap().must_be_sent());
        assert!(!service.field("summary").unwrap().must_be_sent());
        let list = operation("listIncidents").unwrap();
        let include = list.query.iter().find(|field| field.name == "include[]").unwrap();
        assert!(include.is_list() && include.values.contains(&"services".to_owned()));
        assert_eq!(webhook_events().len(), 31);
    }
}
