//! Objects of every account with examples, under documented IDs; and, for each operation, a request
//! that succeeds there.
//!
//! An ID consists of `P`, the first 12 letters of the resource's name in capitals, padded with
//! zeros, and a digit: the first team is `PTEAM000000001`, the second escalation policy
//! `PESCALATIONPO2`. IDs of incidents begin with `Q`, of log entries with `R`; enrichment schemas
//! have UUIDs.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use crate::clock::written;
use crate::engine::documents::singular;
use crate::facts::{Basic, Field, Operation};

/// The ID of the first, second, or third object of a resource, by its singular name.
#[must_use]
pub fn id(resource: &str, number: u8) -> String {
    match resource {
        "incident" => return format!("QINCIDENT0000{number}"),
        "log_entry" => return format!("RLOGENTRY0000{number}"),
        "schema" => return format!("00000000-0000-4000-8000-00000000000{number}"),
        _ => {}
    }
    let letters = resource.chars().filter(char::is_ascii_alphabetic).take(12);
    let letters: String = letters.map(|letter| letter.to_ascii_uppercase()).collect();
    format!("P{letters:0<12}{number}")
}

/// Operations for which the first object is not suitable, and the number of the one that is.
const OTHER_NUMBERS: [(&str, u8); 9] = [
    // The first user has an open incident.
    ("deleteUser", 3),
    // Services and policies use the first ones.
    ("deleteEscalationPolicy", 3),
    ("deleteSchedule", 2),
    ("deleteTeam", 2),
    // Only an acknowledged incident can be snoozed.
    ("createIncidentSnooze", 3),
    // The first contact method is the login email address, which cannot be changed.
    ("updateUserContactMethod", 2),
    ("deleteUserContactMethod", 3),
    ("deleteService", 2),
    // The first one is there to be accepted.
    ("dismissRecommendedRule", 2),
];

/// The path parameters of an operation in an account with examples, in order.
#[must_use]
pub fn path_parameters(operation: &Operation) -> Vec<(String, String)> {
    let other = OTHER_NUMBERS.iter().find(|(id, _)| *id == operation.id);
    let last = operation.path_parameters.len().saturating_sub(1);
    let mut literal = "";
    let mut values = Vec::new();
    for segment in operation.path.split('/') {
        let Some(name) = segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) else {
            literal = segment;
            continue;
        };
        let number = other.filter(|_| values.len() == last).map_or(1, |(_, number)| *number);
        let value = match (name, literal) {
            ("entity_type", _) => "users".to_owned(),
            ("feature_name", _) => "aiops".to_owned(),
            ("resource_type", _) => "technical_services".to_owned(),
            ("url_slug", _) => "example".to_owned(),
            ("type_id_or_name", _) => id("incident_type", 1),
            ("responder_id", _) => id("user", 1),
            (_, "abilities") => "teams".to_owned(),
            (_, "servicenow") => id("integration", number),
            (_, "scores") => id("service", number),
            (_, "technical_services") => id("service", number),
            // `/{entity_type}/{id}`: the type is that of a user.
            (_, "") => id("user", number),
            _ => id(&singular(literal), number),
        };
        values.push((name.to_owned(), value));
    }
    values
}

/// The path of an operation in an account with examples.
#[must_use]
pub fn path(operation: &Operation) -> String {
    let values = path_parameters(operation);
    values.iter().fold(operation.path.clone(), |path, (name, value)| {
        path.replacen(&format!("{{{name}}}"), value, 1)
    })
}

fn hours_from_now(hours: i64) -> Timestamp {
    let now = Timestamp::now();
    now.checked_add(SignedDuration::from_hours(hours)).unwrap_or(now)
}

/// The query parameters that an operation requires. Lists with a time range are requested for
/// yesterday, today, and tomorrow.
#[must_use]
pub fn query(operation: &Operation) -> Vec<(String, String)> {
    let needed = operation.query.iter().filter(|field| field.required);
    needed
        .map(|field| {
            let value = match (field.name.as_str(), field.values.first()) {
                ("since", _) => written(hours_from_now(-24)),
                ("until", _) => written(hours_from_now(48)),
                ("user_id", _) => id("user", 1),
                ("ids", _) => id("service", 1),
                (_, Some(value)) => value.clone(),
                ("type", None) => "mobile".to_owned(),
                (name, None) => format!("an example of {name}"),
            };
            (field.name.clone(), value)
        })
        .collect()
}

/// The minimal body that an operation accepts; none if it takes none. For the one operation that
/// takes a form, an object with the fields of the form.
#[must_use]
pub fn body(operation: &Operation) -> Option<Value> {
    let declared = operation.body.as_ref()?;
    let mut body = Value::from(record(&operation.id, "", &declared.fields));
    for (wanted, pointer, value) in special(&operation.id) {
        debug_assert_eq!(wanted, operation.id);
        if let Some(place) = body.pointer_mut(pointer) {
            *place = value;
        }
    }
    Some(body)
}

/// Values that cannot be derived from the facts.
fn special(operation: &str) -> Vec<(&'static str, &'static str, Value)> {
    let all = [
        ("createIncidentType", "/incident_type/parent_type", json!("incident_default")),
        ("createIncidentResponderRequest", "/requester_id", json!(id("user", 1))),
        ("cancelIncidentResponderRequest", "/requester_id", json!(id("user", 1))),
        ("cancelIncidentResponderRequest", "/responder_request_targets/0/id", json!(id("user", 2))),
        ("mergeIncidents", "/source_incidents/0/id", json!(id("incident", 2))),
        (
            "createWebhookSubscription",
            "/webhook_subscription/events",
            json!(["incident.triggered"]),
        ),
        ("migrateOrchestrationIntegration", "/source_id", json!(id("event_orchestration", 2))),
        ("migrateOrchestrationIntegration", "/integration_id", json!(id("integration", 2))),
        ("queryEnrichmentData", "/schema_id", json!(id("schema", 1))),
        ("uploadEnrichmentCsv", "/file", json!("host,owner\nweb-1,ada\nweb-2,ben\n")),
        ("updateIncidents", "/incidents/0/id", json!(id("incident", 1))),
        ("updateIncidentAlerts", "/alerts/0/id", json!(id("alert", 1))),
        (
            "createAutomationActionInvocation",
            "/invocation/metadata/incident_id",
            json!(id("incident", 1)),
        ),
        ("putBusinessServicePriorityThresholds", "/global_threshold/id", json!(id("priority", 1))),
    ];
    all.into_iter().filter(|(id, _, _)| *id == operation).collect()
}

fn record(operation: &str, parent: &str, fields: &[Field]) -> Map<String, Value> {
    let needed = fields.iter().filter(|field| field.must_be_sent());
    needed.map(|field| (field.name.clone(), value(operation, parent, field, fields))).collect()
}

fn value(operation: &str, parent: &str, field: &Field, siblings: &[Field]) -> Value {
    if !field.is_list() {
        return one(operation, parent, field, siblings);
    }
    let items = (0..field.min_items.unwrap_or(0)).map(|_| one(operation, parent, field, siblings));
    Value::from(items.collect::<Vec<_>>())
}

fn one(operation: &str, parent: &str, field: &Field, siblings: &[Field]) -> Value {
    match field.kind() {
        Basic::Record => {
            let name = if field.is_list() { singular(&field.name) } else { field.name.clone() };
            Value::from(record(operation, &name, &field.fields))
        }
        Basic::Whole => json!(field.minimum.unwrap_or(1).max(1)),
        Basic::Number => json!(1),
        Basic::Flag => json!(true),
        Basic::Any => json!("anything"),
        Basic::Text => {
            if let Some(value) = field.values.first() {
                return json!(value);
            }
            if field.name == "id" {
                let kind = siblings.iter().find(|field| field.name == "type");
                let kind = kind.and_then(|field| field.values.first());
                return json!(id(kind.map_or(parent, |kind| named(kind)), 1));
            }
            json!(text(operation, field))
        }
    }
}

/// The resource of a reference type.
fn named(kind: &str) -> &str {
    let kind = kind.strip_suffix("_reference").unwrap_or(kind);
    if kind.ends_with("_contact_method") { "contact_method" } else { kind }
}

fn text(operation: &str, field: &Field) -> String {
    let later = field.name.contains("end") || field.name.contains("until");
    match field.format.as_deref() {
        Some("date-time" | "utc-date-time") if later => "2031-01-01T08:00:00Z".to_owned(),
        Some("date-time" | "utc-date-time") => "2031-01-01T00:00:00Z".to_owned(),
        Some("url" | "uri") => "https://example.com/".to_owned(),
        Some("email") => "new.person@example.com".to_owned(),
        Some("time") => "09:00:00".to_owned(),
        Some("tzinfo" | "activesupport-time-zone") => "Europe/Berlin".to_owned(),
        Some("ipv4-network") => "192.0.2.0/24".to_owned(),
        _ if field.name == "time_zone" => "Europe/Berlin".to_owned(),
        _ => {
            let words = format!("An example for {operation}");
            let most = field.max_length.unwrap_or(usize::MAX);
            words.chars().take(most).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts;
    use crate::judge::body::Findings;

    #[test]
    fn example_ids_follow_their_rule() {
        for (resource, number, expected) in [
            ("team", 1, "PTEAM000000001"),
            ("escalation_policy", 1, "PESCALATIONPO1"),
            ("escalation_policy", 2, "PESCALATIONPO2"),
            ("service", 1, "PSERVICE000001"),
            ("user", 3, "PUSER000000003"),
            ("schedule", 1, "PSCHEDULE00001"),
            ("integration", 1, "PINTEGRATION01"),
            ("contact_method", 1, "PCONTACTMETHO1"),
            ("incident", 4, "QINCIDENT00004"),
            ("alert", 1, "PALERT00000001"),
            ("note", 1, "PNOTE000000001"),
            ("log_entry", 1, "RLOGENTRY00001"),
        ] {
            assert_eq!(id(resource, number), expected);
            assert!(id(resource, number).len() == 14);
        }
    }

    #[test]
    fn every_example_body_is_valid_and_minimal() {
        for operation in facts::operations() {
            let Some(declared) = &operation.body else { continue };
            let body = body(operation).unwrap();
            let mut findings = Findings::default();
            findings.record("", &body, &declared.fields);
            assert_eq!(findings.errors, Vec::<String>::new(), "{} {body}", operation.id);
            assert_eq!(findings.ignored, Vec::<String>::new(), "{} {body}", operation.id);
            for name in body.as_object().unwrap().keys() {
                let mut smaller = body.clone();
                smaller.as_object_mut().unwrap().remove(name);
                let mut findings = Findings::default();
                findings.record("", &smaller, &declared.fields);
                assert!(!findings.errors.is_empty(), "{} without {name}", operation.id);
            }
        }
    }
}
