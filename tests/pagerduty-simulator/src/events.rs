//! The Events API v2: alert events and change events. The routing key in the body is the credential.

use serde_json::{Value, json};

use crate::errors::Refusal;
use crate::facts;
use crate::ids::secret_hex;
use crate::judge::Verdict;
use crate::judge::body::Findings;
use crate::recording::RecordedRequest;
use crate::reply::Reply;
use crate::state::routing::Route;
use crate::state::{ChangeEvent, State};

/// The largest event, in bytes.
const LARGEST_EVENT: usize = 512 * 1024;

/// Validates an event and processes it.
pub(crate) fn judge(state: &mut State, request: &RecordedRequest) -> Verdict {
    state.tick();
    let mut violations = Vec::new();
    crate::judge::host(request, &mut violations);
    if request.header("authorization").is_some() {
        violations.push("an event carries a REST credential".to_owned());
    }
    let mut key_name = None;
    let reply = receive(state, request, &mut violations, &mut key_name);
    Verdict { reply: reply.unwrap_or_else(Reply::from), key_name, violations }
}

fn receive(
    state: &mut State,
    request: &RecordedRequest,
    violations: &mut Vec<String>,
    key_name: &mut Option<String>,
) -> Result<Reply, Refusal> {
    let change = match request.path.as_str() {
        "/v2/enqueue" => false,
        "/v2/change/enqueue" => true,
        _ => return Err(Refusal::not_found()),
    };
    if request.method != "POST" {
        return Err(Refusal::method_not_allowed("POST"));
    }
    if request.body.len() > LARGEST_EVENT {
        let errors = json!(["Event size exceeds the limit of 512 KB"]);
        let body = json!({
            "status": "invalid event", "message": "Event object is invalid", "errors": errors,
        });
        return Err(Refusal::bare(413, body));
    }
    let content_type = request.header("content-type").unwrap_or_default();
    if !content_type.to_ascii_lowercase().starts_with("application/json") {
        violations.push("header Content-Type is not application/json".to_owned());
    }
    let Ok(event) = serde_json::from_slice::<Value>(&request.body) else {
        return Err(Refusal::bare(
            400,
            json!({
                "status": "Unrecognized object",
                "message": "Event object is invalid",
                "errors": ["The body is not valid JSON"],
            }),
        ));
    };
    let shape = match (change, event["event_action"].as_str()) {
        (true, _) => "changeEvent",
        (false, Some("acknowledge" | "resolve")) => "followUpEvent",
        (false, _) => "triggerEvent",
    };
    let operation = facts::events_api().iter().find(|operation| operation.id == shape);
    let body = operation.and_then(|operation| operation.body.as_ref());
    let mut findings = Findings::default();
    findings.record("", &event, body.map_or(&[], |body| &body.fields));
    violations.append(&mut findings.ignored);
    if !findings.errors.is_empty() {
        return Err(Refusal::event(findings.errors));
    }
    let routing_key = event["routing_key"].as_str().unwrap_or_default();
    let Some(Route { service_id, integration_id }) = state.route(routing_key) else {
        return Err(Refusal::event(vec!["Invalid routing key".to_owned()]));
    };
    let service = service_id.as_deref().and_then(|id| state.service(id));
    let service = service.map_or("an orchestration", |service| service.name.as_str());
    *key_name = Some(format!("routing key of {service}"));
    let now = state.clock.instant();
    if state.events_limiter.spend(routing_key, now).is_some_and(|budget| budget.exceeded) {
        return Err(Refusal::bare(
            429,
            json!({
                "status": "throttle exceeded",
                "message": "Events for this service arrive too quickly",
                "errors": ["Try again later"],
            }),
        ));
    }
    // An event without a destination is accepted as well.
    let service_id = service_id.unwrap_or_default();
    Ok(if change {
        accept_change(state, service_id, integration_id, event)
    } else {
        accept(state, &service_id, event)
    })
}

fn accept_change(
    state: &mut State,
    service_id: String,
    integration_id: String,
    mut event: Value,
) -> Reply {
    forget_routing_key(&mut event);
    let (id, at) = (state.ids.next('Q', "change event"), state.now());
    state.change_events.push(ChangeEvent { id, at, service_id, integration_id, event });
    let body = json!({"status": "success", "message": "Change event processed"});
    Reply::json(202, &body)
}

fn accept(state: &mut State, service_id: &str, mut event: Value) -> Reply {
    forget_routing_key(&mut event);
    let key = event["dedup_key"].as_str().map_or_else(|| secret_hex(32), str::to_owned);
    let at = state.now();
    match event["event_action"].as_str() {
        Some("acknowledge") => state.acknowledge_alert(service_id, &key, at),
        Some("resolve") => state.resolve_alert(service_id, &key, at),
        // A disabled service accepts events and ignores them, as does a service in maintenance.
        _ if state.service(service_id).is_none_or(|service| service.status == "disabled")
            || state.in_maintenance(service_id) => {}
        _ => {
            let payload = &event["payload"];
            let summary = payload["summary"].as_str().unwrap_or_default().to_owned();
            let severity = payload["severity"].as_str().unwrap_or_default().to_owned();
            state.trigger_alert(service_id, &key, &summary, &severity, event, at);
        }
    }
    Reply::json(202, &json!({"status": "success", "message": "Event processed", "dedup_key": key}))
}

/// An alert shows its event to every user who may read it, without the routing key.
fn forget_routing_key(event: &mut Value) {
    if let Some(members) = event.as_object_mut() {
        members.remove("routing_key");
    }
}
