//! Audit records: who changed what and how, written after every write to an audited object.

use serde_json::{Value, json};

use crate::clock::written;
use crate::judge::Call;
use crate::keys::TokenKind;
use crate::reply::Reply;
use crate::state::AuditRecord;

/// The collections whose changes are recorded, and the type of their objects.
const AUDITED: [(&str, &str); 7] = [
    ("/users", "user"),
    ("/teams", "team"),
    ("/schedules", "schedule"),
    ("/v3/schedules", "schedule"),
    ("/escalation_policies", "escalation_policy"),
    ("/services", "service"),
    ("/ip_allow_lists", "ip_allow_list"),
];

/// Records a successful write.
pub(crate) fn record(call: &mut Call<'_>, reply: &Reply) {
    let operation = call.operation;
    if operation.method == "GET" || operation.path == "/schedules/preview" {
        return;
    }
    let audited = AUDITED.iter().find(|(path, _)| {
        operation
            .path
            .strip_prefix(path)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with("/{"))
    });
    let Some((collection, kind)) = audited else { return };
    let answer: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    let id = match call.captures.first() {
        Some(id) => id.clone(),
        None => answer[*kind]["id"].as_str().unwrap_or_default().to_owned(),
    };
    // A change below an object is a change of the object.
    let own = operation.path == *collection || operation.path == format!("{collection}/{{id}}");
    let action = match operation.method.as_str() {
        "POST" if own => "create",
        "DELETE" if own => "delete",
        _ => "update",
    };
    let resource = json!({
        "id": id, "type": format!("{kind}_reference"),
        "summary": answer[*kind]["summary"],
        "self": format!("https://{}{collection}/{id}", call.state.api_host()),
    });
    let names = call.body.as_object().and_then(|body| body.values().next()?.as_object());
    let fields: Vec<Value> = names
        .into_iter()
        .flatten()
        .filter(|(name, _)| *name != "type" && *name != "id")
        .map(|(name, value)| json!({"name": name, "value": text(value)}))
        .collect();
    let (actor, method) = who(call);
    let number = call.state.audit.len() + 1;
    call.state.audit.push(AuditRecord {
        at: call.now,
        collection: (*collection).to_owned(),
        root_id: id,
        record: json!({
            "id": format!("PDRECORDID{number}"),
            "self": null,
            "execution_time": written(call.now),
            "execution_context": {"request_id": format!("request-{number}"), "remote_address": "127.0.0.1"},
            "actors": [actor],
            "method": method,
            "root_resource": resource,
            "action": action,
            "details": {"resource": resource, "fields": fields, "references": []},
        }),
    });
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The actor, and the authentication method.
fn who(call: &Call<'_>) -> (Value, Value) {
    let name = &call.key.name;
    let kind = match call.key.kind {
        TokenKind::UserToken | TokenKind::AppToken => "oauth",
        _ => "api_token",
    };
    let method = json!({"type": kind, "description": name, "truncated_token": call.key.truncated});
    let actor = match (&call.user, call.key.kind) {
        (Some(user), _) => call.state.user_reference(user),
        (None, TokenKind::AppToken) => {
            json!({"id": name, "type": "app_reference", "summary": name, "self": null, "html_url": null})
        }
        (None, _) => {
            json!({"id": name, "type": "api_key_reference", "summary": name, "self": null, "html_url": null})
        }
    };
    (actor, method)
}
