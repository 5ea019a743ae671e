//! Triggers: webhooks, and polling.

use workflow_node_sdk::declare::{Example, Literal, Output, Param, Trigger};
use workflow_node_sdk::documents::{Signature, SignatureEncoding, SignatureScheme, Webhook};
use workflow_node_sdk::literal;

use crate::derive::{keep, keep_texts, trigger_parameters};
use crate::parameters::SIMPLIFY;

/// PagerDuty delivers up to 55 kB in full and drops deliveries above 256 kB; one of its clients
/// refuses bodies above 2 MB.
const BODY_LIMIT: usize = 2 * 1024 * 1024;

/// PagerDuty retries a delivery for 48 hours, and may have signed it at the beginning.
const PREVIOUS: u64 = 48 * 3_600 * 1_000;

fn webhook() -> Webhook {
    let (scheme, encoding) = (SignatureScheme::HmacSha256, SignatureEncoding::Hex);
    let header = "X-PagerDuty-Signature";
    let signature = Signature::new(scheme, header, encoding, "webhook-secret", "/secret")
        .prefix("v1=")
        .separator(",")
        .previous_ms(PREVIOUS);
    Webhook::default()
        .signature(signature)
        .id_header("X-Webhook-Id")
        .body_limit_bytes(BODY_LIMIT)
        .answer_within_ms(5_000)
}

const EVENT: Literal = literal!({"type":"object","properties":{
"id":{"type":"string"},
"event_type":{"type":"string","description":"E.g. incident.triggered. PagerDuty may send types that are not documented."},
"resource_type":{"type":"string"},
"occurred_at":{"type":"string"},
"agent":{"type":["object","null"],"description":"User or integration that caused the event."},
"client":{"type":["object","null"]},
"data":{"type":["object","null"],"description":"Object that the event is about."}}});

const CHANGE: Literal = literal!({"type":"object","properties":{
"change":{"enum":["new","updated"]},
"incident":{"$ref":"#/$defs/incident"},
"log_entry":{"$ref":"#/$defs/log_entry"}}});

const SHIFT: Literal = literal!({"type":"object","properties":{
"change":{"enum":["started","ended"]},
"on_call":{"$ref":"#/$defs/on_call"}}});

/// All of them.
pub(crate) fn all() -> &'static [Trigger] {
    std::iter::once(event()).chain(polls()).collect::<Vec<_>>().leak()
}

/// The webhook. PagerDuty may send event types that it does not document.
fn event() -> Trigger {
    const EXAMPLES: &[Example] = &[
        Example::new(
            "New and resolved incidents of a service",
            literal!({"events":["incident.triggered","incident.resolved"],"service_id":"PSERVICE000001"}),
        )
        .output(literal!({"id":"01EVENT000000000000000001","event_type":"incident.triggered","resource_type":"incident","occurred_at":"2026-11-24T09:30:00.000Z","agent":{"id":"PUSER000000001","type":"user_reference","summary":"Ada Lovelace"},"client":null,"data":{"id":"PINCIDENT00001","type":"incident","number":42,"status":"triggered","incident_key":"checkout","title":"Checkout answers 500","urgency":"high","created_at":"2026-11-24T09:30:00Z","service":{"id":"PSERVICE000001","type":"service_reference","summary":"Checkout"},"assignees":[{"id":"PUSER000000001","type":"user_reference","summary":"Ada Lovelace"}]}})),
        Example::new(
            "Notes, in the format of the REST API",
            literal!({"events":["incident.annotated"],"shape":"rest"}),
        ),
    ];
    let types = pagerduty_facts::webhook_events().iter().filter(|one| one.scope.is_some());
    let types: Vec<String> = types.map(|one| one.event_type.clone()).collect();
    let mut parameters = trigger_parameters("event");
    parameters[0].suggestions = keep_texts(&types);
    Trigger::webhook(
        "event",
        "When an event occurs",
        "Starts a workflow as soon as an event occurs in PagerDuty. The host creates a signed webhook subscription and deletes it when the workflow is disabled. PagerDuty retries failed deliveries for 48 hours and allows up to ten webhook subscriptions per service, per team, and for the account.",
        webhook,
    )
    .with("rest")
    .scopes(&["webhook_subscriptions.read", "webhook_subscriptions.write", "incidents.read"])
    .parameters(form(parameters))
    .output(Output::Schema(EVENT))
    .documentation_url("https://developer.pagerduty.com/docs/webhooks-overview")
    .examples(EXAMPLES)
}

fn polls() -> [Trigger; 3] {
    [
    Trigger::poll(
        "incident.changed",
        "When an incident is new or updated",
        "Polls for incidents that are new or have changed since the last poll. Works without an address that PagerDuty can reach.",
        60,
    )
    .with("rest")
    .scopes(&["incidents.read"])
    .parameters(poll_form("incident.changed"))
    .output(Output::Schema(CHANGE))
    .examples(keep([Example::new("New incidents of high urgency", literal!({"changes":"new","urgencies":["high"]}))
        .output(literal!({"change":"new","incident":{"id":"PINCIDENT00001","type":"incident","incident_number":42,"title":"Checkout answers 500","status":"triggered","urgency":"high","created_at":"2026-11-24T09:30:00Z"}}))])),
    Trigger::poll(
        "log_entry.created",
        "When a log entry is created",
        "Polls for new log entries of incidents and returns them in order.",
        60,
    )
    .with("rest")
    .scopes(&["incidents.read"])
    .parameters(poll_form("log_entry.created"))
    .output(Output::Shared("log_entry"))
    .examples(keep([Example::new("Notes", literal!({"types":["annotate_log_entry"]}))
        .output(literal!({"id":"RLOGENTRY00001","type":"annotate_log_entry","summary":"Annotated by Ada Lovelace.","created_at":"2026-11-24T09:35:00Z"}))])),
    Trigger::poll(
        "on_call.changed",
        "When someone goes on or off call",
        "Polls for changes of on-call users and returns who went on or off call since the last poll. Shifts that start and end between two polls are not seen.",
        60,
    )
    .with("rest")
    .scopes(&["oncalls.read"])
    .parameters(poll_form("on_call.changed"))
    .output(Output::Schema(SHIFT))
    .examples(keep([Example::new("The first level of a policy", literal!({"escalation_policy_ids":["PESCALATIONPO1"],"level":1}))
        .output(literal!({"change":"started","on_call":{"escalation_level":1,"start":"2026-11-24T09:00:00Z","end":"2026-12-01T09:00:00Z"}}))])),
    ]
}

/// The form of a poll; it can return flat records.
fn poll_form(name: &str) -> &'static [&'static Param] {
    let mut parameters = trigger_parameters(name);
    parameters.push(SIMPLIFY);
    form(parameters)
}

fn form(parameters: Vec<Param>) -> &'static [&'static Param] {
    parameters.into_iter().map(keep).collect::<Vec<_>>().leak()
}
