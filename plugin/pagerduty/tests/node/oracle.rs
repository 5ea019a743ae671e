//! Every action sends only what PagerDuty's API accepts, and all of it can be entered. The oracle
//! is the simulator's table of facts; nothing of it is derived from the declaration.

use std::collections::{BTreeMap, BTreeSet};

use pagerduty::PagerDuty;
use pagerduty_declaration::node as declared;
use pagerduty_simulator::facts::{self, Basic, Field, FromHeader, Operation, Paging, Variant};
use serde_json::{Map, Value, json};
use workflow_node_sdk::declare::{Action, Effect, Kind, Param, Place, Run};
use workflow_node_sdk::http::Request;
use workflow_node_sdk::node::{self, Call};
use workflow_node_sdk::testing::{Host, answer};

use crate::support::{header, host_with};

/// Operations without an action, with the reason.
pub(crate) const EXCLUDED: &[(&str, &str)] = &[(
    "createChangeEvent",
    "a pointer in the REST schema: change events are sent to the Events API, by `event.change`",
)];

/// Fields without a parameter, with the reason; `additional_fields` accepts them.
const LEFT_OUT: &[(&str, &str, &str)] = &[
    ("*", "id", "the path names it"),
    ("*", "parent", "follows from the path"),
    ("updateIncident", "name", "a priority goes by its ID; a name is looked up"),
    ("updateIncidents", "name", "a priority goes by its ID; a name is looked up"),
    ("createUserContactMethod", "created_at", "PagerDuty writes it"),
    ("updateUserContactMethod", "created_at", "PagerDuty writes it"),
    ("createWebhookSubscription", "temporarily_disabled", "PagerDuty writes it"),
    ("createWebhookSubscription", "secret", "PagerDuty writes it"),
    ("createServiceIntegration", "service", "the path names it"),
    ("updateServiceIntegration", "service", "the path names it"),
    ("createMaintenanceWindow", "created_by", "PagerDuty writes it: the user who acts"),
    ("updateMaintenanceWindow", "created_by", "PagerDuty writes it: the user who acts"),
    ("createSchedule", "final_schedule", "PagerDuty computes it"),
    ("updateSchedule", "final_schedule", "PagerDuty computes it"),
    ("createSchedulePreview", "final_schedule", "PagerDuty computes it"),
    ("createSchedule", "overrides_subschedule", "PagerDuty computes it"),
    ("updateSchedule", "overrides_subschedule", "PagerDuty computes it"),
    ("createSchedulePreview", "overrides_subschedule", "PagerDuty computes it"),
    ("createSchedule", "next_oncall_for_user", "PagerDuty computes it"),
    ("updateSchedule", "next_oncall_for_user", "PagerDuty computes it"),
    ("createSchedulePreview", "next_oncall_for_user", "PagerDuty computes it"),
    ("getAnalyticsIncidentResponsesById", "*", "a body of a GET, which has defaults for all"),
];

/// The action that sends an operation's request and is not a shortcut for another one.
fn actions_of(operation: &Operation) -> Vec<&'static Action> {
    declared()
        .actions()
        .filter(|action| {
            action.slot == Some("rest")
                && action.name != "api.request"
                && action.route.method == operation.method
                && same_path(action.route.path, &operation.path)
        })
        .collect()
}

/// Compares paths regardless of the names of their parameters.
pub(crate) fn same_path(one: &str, other: &str) -> bool {
    let plain = |path: &str| -> Vec<String> {
        path.split('/')
            .map(|segment| if segment.starts_with('{') { "{}" } else { segment }.to_owned())
            .collect()
    };
    plain(one) == plain(other)
}

/// The action that covers an operation in full: the one with most parameters.
fn main_action(operation: &Operation) -> Option<&'static Action> {
    let takes_more = |action: &Action| {
        let is_sent = |param: &&&Param| {
            param.is_in_body() || matches!(param.place, Place::Query(_) | Place::QueryJoined(_))
        };
        let sent = action.parameters.iter().filter(is_sent).count();
        let takes = action.parameters.iter().any(|param| passes_through(param));
        (sent, takes, action.run == Run::Declared)
    };
    actions_of(operation).into_iter().max_by_key(|action| takes_more(action))
}

fn current() -> impl Iterator<Item = &'static Operation> {
    let excluded = |id: &str| EXCLUDED.iter().any(|(name, _)| *name == id);
    facts::operations().iter().filter(move |one| !one.deprecated && !excluded(&one.id))
}

/// A value for a parameter; references get IDs.
fn value_of(kind: &Kind) -> Value {
    match kind {
        Kind::Text | Kind::LongText => json!("PABC123"),
        Kind::Email => json!("ada@example.com"),
        Kind::Url => json!("https://example.com/x"),
        Kind::DateTime | Kind::UtcDateTime => json!("2026-01-02T03:04:05Z"),
        Kind::Date => json!("2026-01-02"),
        Kind::Integer(least, most) => json!((*least).max(1).min(*most)),
        Kind::IntegerOf(values) => json!(values[0]),
        Kind::Number => json!(1.5),
        Kind::Boolean => json!(true),
        Kind::OneOf(values) => json!(values[0]),
        Kind::List(kind) => json!([value_of(kind)]),
        Kind::Map => json!({"x": "y"}),
        Kind::Json => json!("PABC123"),
        Kind::Object(members) => Value::Object(values(members, |_| true)),
        Kind::Objects(members) => json!([values(members, |_| true)]),
        Kind::Constant(_) => Value::Null,
        other => panic!("there is no value of {other:?} here"),
    }
}

/// A value for a parameter with as many elements as it requires.
fn least(param: &Param) -> Value {
    match value_of(&param.kind) {
        Value::Array(list) => {
            let count = list.len().max(param.min as usize);
            Value::Array(list.into_iter().cycle().take(count).collect())
        }
        value => value,
    }
}

fn values(params: &[&Param], wanted: impl Fn(&Param) -> bool) -> Map<String, Value> {
    let asked = params.iter().filter(|param| param.is_asked() && !passes_through(param));
    let mut given: Map<String, Value> = asked
        .filter(|param| wanted(param))
        .map(|param| (param.name.to_owned(), least(param)))
        .collect();
    // Only members of the selected variant.
    for param in params.iter().filter(|param| param.when.is_some()) {
        if param.applies(&given) != Some(true) {
            given.remove(param.name);
        }
    }
    given
}

/// The minimum that the form of an action requires.
pub(crate) fn least_parameters(action: &Action) -> Value {
    Value::Object(values(action.parameters, |param| param.is_required))
}

/// Whether a parameter takes fields that the form does not declare.
fn passes_through(param: &Param) -> bool {
    matches!(param.place, Place::BodyMembers(_) | Place::QueryMembers | Place::Record)
}

/// The one request of an action with these parameters.
fn request(action: &Action, parameters: &Map<String, Value>) -> Request {
    let host = answering();
    let call = Call {
        node: "pagerduty".into(),
        version: 1,
        action: action.name.into(),
        items: vec![Value::Object(parameters.clone()).to_string()],
        options: "{}".into(),
    };
    // Another test covers the result of the response.
    let outcome = host.run(|| node::execute::<PagerDuty>(call)).expect("the call makes sense");
    let requests = host.requests();
    let request = requests.iter().find(|request| {
        let path = request.url.trim_start_matches("https://api.pagerduty.com");
        request.method == action.route.method
            && same_path(&filled(action), path.split('?').next().unwrap_or_default())
    });
    request
        .unwrap_or_else(|| panic!("{} sends its request: {requests:?} {outcome:?}", action.name))
        .clone()
}

/// The path of an action with the values of `value_of`.
fn filled(action: &Action) -> String {
    let segments = action.route.path.split('/').map(|segment| {
        let name = segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
        match name.and_then(|name| action.parameters.iter().find(|param| param.name == name)) {
            Some(param) => value_of(&param.kind).as_str().unwrap_or_default().to_owned(),
            None => segment.to_owned(),
        }
    });
    segments.collect::<Vec<_>>().join("/")
}

fn answering() -> Host {
    let host = Host::answering(|_| Ok(answer(200, "{}")));
    crate::support::connected(host, json!({"region": "us"}))
}

fn query(request: &Request) -> Vec<(String, String)> {
    let (_, query) = request.url.split_once('?').unwrap_or_default();
    let plain = |text: &str| {
        text.replace("%5B", "[").replace("%5D", "]").replace("%3A", ":").replace("%2C", ",")
    };
    query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (plain(name), plain(value)))
        .collect()
}

fn body(request: &Request) -> Value {
    request.body.as_deref().map_or(Value::Null, |body| {
        serde_json::from_slice(body).unwrap_or_else(|_| json!("not JSON"))
    })
}

/// Problems of a body, judged by the fields of an operation.
fn judge(at: &str, value: &Value, fields: &[Field], findings: &mut Vec<String>) {
    let Value::Object(members) = value else {
        findings.push(format!("{at}: is no object"));
        return;
    };
    for (name, value) in members {
        let at = format!("{at}/{name}");
        match fields.iter().find(|field| field.name == *name) {
            Some(field) => judge_field(&at, value, field, findings),
            // An object without declared members accepts anything.
            None if fields.is_empty() => {}
            None => findings.push(format!("{at}: PagerDuty does not know it")),
        }
    }
}

fn judge_field(at: &str, value: &Value, field: &Field, findings: &mut Vec<String>) {
    if field.is_list() {
        match value {
            Value::Array(list) => {
                for one in list {
                    judge_one(at, one, field, findings);
                }
            }
            _ => findings.push(format!("{at}: must be a list")),
        }
        return;
    }
    judge_one(at, value, field, findings);
}

fn judge_one(at: &str, value: &Value, field: &Field, findings: &mut Vec<String>) {
    let fits = match field.kind() {
        Basic::Text => value.is_string(),
        Basic::Whole => value.is_i64(),
        Basic::Number => value.is_number(),
        Basic::Flag => value.is_boolean(),
        Basic::Record => value.is_object(),
        Basic::Any => true,
    };
    if !fits {
        findings.push(format!("{at}: {value} is not {:?}", field.kind()));
        return;
    }
    if let (Some(text), false) = (value.as_str(), field.values.is_empty())
        && !field.values.iter().any(|one| one == text)
    {
        findings.push(format!("{at}: {text} is none of {:?}", field.values));
    }
    if field.kind() == Basic::Record {
        judge(at, value, &field.fields, findings);
    }
}

/// Whether a field belongs to another variant than the value.
fn is_of_another(field: &Field, value: &Value, (by, variants): Variants<'_>) -> bool {
    let chosen = by.and_then(|by| value.get(by)).and_then(Value::as_str);
    let with = |variant: &&Variant| variant.fields.iter().any(|one| one.name == field.name);
    let mut with = variants.iter().filter(with).peekable();
    with.peek().is_some()
        && !with.any(|variant| variant.is.iter().any(|one| Some(one.as_str()) == chosen))
}

/// The discriminator and its variants.
type Variants<'a> = (Option<&'a str>, &'a [Variant]);

/// The fields that are missing in a request with everything.
#[allow(clippy::too_many_arguments, reason = "a walk over a body and its fields")]
fn missing(
    operation: &Operation,
    at: &str,
    value: &Value,
    fields: &[Field],
    variants: Variants<'_>,
    only_required: bool,
    findings: &mut Vec<String>,
) {
    for field in fields.iter().filter(|field| !is_of_another(field, value, variants)) {
        let left_out = LEFT_OUT.iter().any(|(id, name, _)| {
            (*id == "*" || *id == operation.id) && (*name == "*" || *name == field.name)
        });
        let is_written = field.must_be_sent() || (!field.read_only && !field.deprecated);
        let wanted = if only_required { field.must_be_sent() } else { is_written };
        if !wanted || (left_out && !only_required) {
            continue;
        }
        let inner = match value.get(&field.name) {
            None => {
                findings.push(format!("{at}/{} cannot be given", field.name));
                continue;
            }
            Some(Value::Array(list)) => list.first().cloned().unwrap_or(Value::Null),
            Some(value) => value.clone(),
        };
        if inner.is_object() {
            let at = format!("{at}/{}", field.name);
            let variants = (field.by.as_deref(), field.variants.as_slice());
            missing(operation, &at, &inner, &field.fields, variants, only_required, findings);
        }
    }
}

pub(crate) fn assert_none(findings: &[String]) {
    assert!(findings.is_empty(), "{} findings:\n{}", findings.len(), findings.join("\n"));
}

#[test]
fn every_operation_that_is_not_deprecated_has_an_action() {
    let without: Vec<_> = current()
        .filter(|operation| main_action(operation).is_none())
        .map(|operation| format!("{} {} {}", operation.id, operation.method, operation.path))
        .collect();
    assert_none(&without);
    for (id, _) in EXCLUDED {
        assert!(facts::operation(id).is_some_and(|one| main_action(one).is_none()), "{id}");
    }
}

#[test]
fn every_action_is_an_existing_operation() {
    let mut unknown = Vec::new();
    for action in
        declared().actions().filter(|one| one.slot == Some("rest") && one.name != "api.request")
    {
        let known = current().any(|operation| {
            operation.method == action.route.method && same_path(action.route.path, &operation.path)
        });
        if !known {
            unknown.push(format!("{} {}", action.name, action.route.path));
        }
    }
    assert_none(&unknown);
}

#[test]
fn scopes_and_names_match_the_operation() {
    let mut findings = Vec::new();
    for operation in current() {
        for action in actions_of(operation) {
            let scopes: Vec<&str> = operation.scope.as_deref().into_iter().collect();
            // Finding who is on call for a service needs more than one request.
            if action.scopes != scopes {
                findings.push(format!("{}: {:?}, not {scopes:?}", action.name, action.scopes));
            }
            let has_from = action.parameters.iter().any(|param| param.name == "from");
            let wants_from = operation.from != FromHeader::None;
            if has_from != wants_from {
                findings.push(format!("{}: takes From: {has_from}", action.name));
            }
            if action.acts_as_user != wants_from {
                findings.push(format!("{}: acts as a user: {}", action.name, action.acts_as_user));
            }
            if (action.effect == Effect::Read) != (operation.method == "GET")
                && !operation.path.contains("/analytics/")
                && !["queryEnrichmentData", "renderTemplate", "createSchedulePreview"]
                    .contains(&operation.id.as_str())
            {
                findings.push(format!("{}: {:?}", action.name, action.effect));
            }
        }
    }
    assert_none(&findings);
}

#[test]
fn a_complete_request_contains_exactly_the_fields_that_pagerduty_accepts() {
    let mut findings = Vec::new();
    for operation in current() {
        let action = main_action(operation).expect("it has an action");
        let name = action.name;
        let mut parameters = values(action.parameters, |_| true);
        for control in ["limit", "all", "simplify", "from"] {
            parameters.remove(control);
        }
        let request = request(action, &parameters);
        // The query.
        let sent = query(&request);
        let paging = ["limit", "offset", "total", "cursor", "after", "before"];
        for (given, value) in &sent {
            match operation.query.iter().find(|field| field.name == *given) {
                None => findings.push(format!("{name}?{given}: PagerDuty does not know it")),
                Some(field) if !field.values.is_empty() => {
                    for one in value.split(',') {
                        let one = one.split(':').next().unwrap_or_default();
                        let known = field
                            .values
                            .iter()
                            .any(|known| known.split(':').next().unwrap_or_default() == one);
                        if !known {
                            findings.push(format!("{name}?{given}: {one}"));
                        }
                    }
                }
                Some(_) => {}
            }
        }
        for field in operation.query.iter().filter(|field| !paging.contains(&field.name.as_str())) {
            if !sent.iter().any(|(given, _)| *given == field.name) {
                findings.push(format!("{name}?{} cannot be given", field.name));
            }
        }
        // The headers.
        if header(&request, "accept") != Some("application/vnd.pagerduty+json;version=2") {
            findings.push(format!("{name}: has no Accept"));
        }
        let early = header(&request, "x-early-access").map(str::to_owned);
        if early != operation.early_access {
            findings.push(format!("{name}: X-EARLY-ACCESS is {early:?}"));
        }
        let content_type = header(&request, "content-type").unwrap_or_default();
        // The body.
        match &operation.body {
            None if request.body.is_some() => findings.push(format!("{name}: has a body")),
            None => {}
            Some(expected)
                if expected.content_type != "application/json"
                    && !content_type.starts_with(&expected.content_type) =>
            {
                findings.push(format!("{name}: is of the type {content_type}"));
            }
            Some(expected) if expected.content_type != "application/json" => {}
            Some(_) if operation.method == "GET" => {}
            Some(expected) => {
                let body = body(&request);
                if body.is_null() {
                    if expected.must_be_sent() {
                        findings.push(format!("{name}: has no body"));
                    }
                    continue;
                }
                if content_type != "application/json" {
                    findings.push(format!("{name}: is of the type {content_type}"));
                }
                let mut body = body;
                // The SDK pages through these itself.
                if operation.paging == Paging::StartingAfter
                    && let Value::Object(members) = &mut body
                {
                    for paging in ["limit", "starting_after", "ending_before"] {
                        members.entry(paging).or_insert_with(|| {
                            if paging == "limit" { json!(1) } else { json!("x") }
                        });
                    }
                }
                judge(name, &body, &expected.fields, &mut findings);
                let variants = (expected.by.as_deref(), expected.variants.as_slice());
                missing(operation, name, &body, &expected.fields, variants, false, &mut findings);
            }
        }
    }
    assert_none(&findings);
}

#[test]
fn a_form_requires_what_pagerduty_requires() {
    let mut findings = Vec::new();
    for operation in current() {
        let action = main_action(operation).expect("it has an action");
        let name = action.name;
        // The requester is the credential's user unless another one is given.
        let least =
            values(action.parameters, |param| param.is_required || param.name == "requester_id");
        let request = request(action, &least);
        let sent = query(&request);
        for field in operation.query.iter().filter(|field| field.must_be_sent()) {
            if !sent.iter().any(|(given, _)| *given == field.name) {
                findings.push(format!("{name}: requires ?{}", field.name));
            }
        }
        for param in action.parameters.iter().filter(|param| param.is_required) {
            let Place::Query(given) = param.place else { continue };
            let field = operation.query.iter().find(|field| field.name == given);
            if !field.is_some_and(Field::must_be_sent) {
                findings.push(format!("{name}: asks for ?{given} in vain"));
            }
        }
        // Updates may contain changed fields only; see the section "Conventions" of the facts.
        let is_update = matches!(operation.method.as_str(), "PUT" | "PATCH");
        if let Some(expected) = operation.body.as_ref().filter(|_| !is_update)
            && expected.content_type == "application/json"
            && operation.method != "GET"
        {
            let variants = (expected.by.as_deref(), expected.variants.as_slice());
            let body = body(&request);
            missing(operation, name, &body, &expected.fields, variants, true, &mut findings);
        }
    }
    assert_none(&findings);
}

#[test]
fn a_response_becomes_one_record_per_element() {
    let mut findings = Vec::new();
    for operation in current() {
        let Some(expected) = operation.answer.as_ref().filter(|one| !one.keys.is_empty()) else {
            continue;
        };
        let action = main_action(operation).expect("it has an action");
        if action.run != Run::Declared {
            continue;
        }
        let members: Map<String, Value> = expected
            .keys
            .iter()
            .map(|(name, kind)| {
                let counts_failures = action.failures.is_some_and(|one| {
                    one.result.is_none() && one.at.trim_start_matches('/') == name
                });
                let value = match kind.as_str() {
                    "array<string>" if counts_failures => json!([]),
                    _ if counts_failures => json!(0),
                    "string" => json!("text"),
                    "integer" | "number" => json!(7),
                    "boolean" => json!(true),
                    "object" => json!({"id": "P1", "kind": name}),
                    "array<string>" => json!(["one", "two"]),
                    _ => json!([{"id": "P1", "kind": name}, {"id": "P2", "kind": name}]),
                };
                (name.clone(), value)
            })
            .collect();
        let body = Value::Object(members).to_string();
        let host = Host::answering(move |_| Ok(answer(200, &body)));
        let host = crate::support::connected(host, json!({}));
        let mut parameters = values(action.parameters, |param| param.is_required);
        parameters.remove("from");
        let records = crate::support::call(&host, action.name, &Value::Object(parameters));
        let records = match records {
            Ok(records) => records,
            Err(error) => {
                findings.push(format!("{}: {}", action.name, error.message));
                continue;
            }
        };
        let kinds: BTreeSet<_> = records.iter().map(|record| record["kind"].to_string()).collect();
        let root = operation.root().unwrap_or_default();
        // A score and its components are one parameter.
        let is_one = operation.id == "listResourceStandards";
        let is_list = !is_one
            && expected.keys.iter().any(|(name, kind)| name == root && kind.starts_with("array"));
        match (is_list, records.len()) {
            (true, 2) | (false, 1) => {}
            (_, count) => findings.push(format!("{}: {count} records", action.name)),
        }
        if kinds.len() > 1 {
            findings.push(format!("{}: mixes {kinds:?}", action.name));
        }
    }
    assert_none(&findings);
}

#[test]
fn every_reference_has_a_list_that_exists_and_every_parameter_a_reference_that_exists() {
    let references: BTreeMap<_, _> =
        declared().references.iter().map(|one| (one.name, one)).collect();
    assert_eq!(references.len(), declared().references.len());
    for reference in declared().references {
        let list =
            declared().action(reference.list).unwrap_or_else(|| panic!("{}", reference.list));
        assert!(list.is_list(), "{}", reference.list);
        assert!(reference.get.is_none_or(|get| declared().action(get).is_some()));
        let searches = |search| list.parameters.iter().any(|param| param.name == search);
        assert!(reference.search.is_none_or(searches), "{}", reference.name);
    }
    let mut used = BTreeSet::new();
    fn visit(params: &[&Param], used: &mut BTreeSet<&'static str>) {
        for param in params {
            used.extend(param.reference);
            used.extend(param.reference_by.iter().map(|(_, reference)| reference));
            visit(param.members(), used);
        }
    }
    for action in declared().actions() {
        visit(action.parameters, &mut used);
    }
    used.remove("");
    let known: BTreeSet<_> = references.keys().copied().collect();
    assert_eq!(used.difference(&known).collect::<Vec<_>>(), [&""; 0], "unknown references");
    assert_eq!(known.difference(&used).collect::<Vec<_>>(), [&""; 0], "unused references");
}

/// References without choices, because PagerDuty has no list of the objects.
const WITHOUT_CHOICES: &[&str] = &[
    "actor_id",
    "app_id",
    "client_id",
    "credentials_id",
    "entity_id",
    "external_id",
    "filter_id",
    // For events: integrations are listed per service only.
    "integration_id",
    "integration_ids",
    // An object of a system outside PagerDuty.
    "process_automation_job_id",
    "role_ids",
    "rule_id",
    "source_id",
    "subscribable_id",
    "subscribable_object_id",
];

#[test]
fn every_reference_parameter_has_choices() {
    fn visit(action: &str, params: &[&Param], findings: &mut Vec<String>) {
        for param in params {
            let names = param.name.ends_with("_id") || param.name.ends_with("_ids");
            if names && !param.refers() && !WITHOUT_CHOICES.contains(&param.name) {
                findings.push(format!("{action}: {}", param.name));
            }
            visit(action, param.members(), findings);
        }
    }
    let mut findings = Vec::new();
    for action in declared().actions() {
        visit(action.name, action.parameters, &mut findings);
    }
    assert_none(&findings);
}

#[test]
fn every_action_with_custom_code_has_its_code() {
    for action in declared().actions().filter(|action| action.run != Run::Declared) {
        let host = host_with(&json!({"region": "us"}), &[(400, "{}"), (400, "{}"), (400, "{}")]);
        let mut parameters = values(action.parameters, |param| param.is_required);
        if action.name == "api.request" {
            parameters.insert("path".to_owned(), json!("/x"));
        }
        let error = crate::support::call(&host, action.name, &Value::Object(parameters));
        let error = error.expect_err(action.name);
        assert!(!error.message.contains("not written"), "{}: {}", action.name, error.message);
    }
}
