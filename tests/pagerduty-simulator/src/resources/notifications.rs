//! Notifications: one for every contact method of every assigned user.

use serde_json::{Value, json};

use crate::clock::written;
use crate::errors::Refusal;
use crate::judge::Call;
use crate::paging;
use crate::reply::Reply;
use crate::routes::Handler;

pub(super) const HANDLERS: &[(&str, Handler)] = &[("listNotifications", list)];

fn list(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let (Some(since), Some(until)) = call.range()? else {
        return Err(Refusal::coded(400, 2004, "Invalid since/until parameter"));
    };
    let state = &*call.state;
    let filter = call.query.one("filter");
    let whole = call.query.includes().contains(&"users");
    let mut found: Vec<Value> = Vec::new();
    for entry in &state.log_entries {
        if entry.kind != "assign" || entry.at < since || entry.at >= until {
            continue;
        }
        for assignee in entry.more["assignees"].as_array().into_iter().flatten() {
            let id = assignee["id"].as_str().unwrap_or_default();
            for (_, contact) in state.store.all(&format!("/users/{id}/contact_methods")) {
                let kind = contact["type"].as_str().unwrap_or_default();
                let kind = kind.replace("_contact_method", "_notification");
                if filter.is_some_and(|wanted| wanted != kind) {
                    continue;
                }
                let user = match state.user(id) {
                    Some(user) if whole => state.user_json(user, &[]),
                    _ => state.user_reference(id),
                };
                found.push(json!({
                    "id": format!("{}{}", entry.id, &contact["id"].as_str().unwrap_or_default()),
                    "type": kind,
                    "started_at": written(entry.at),
                    "address": contact["address"],
                    "status": "success",
                    "user": user,
                }));
            }
        }
    }
    Ok(paging::reply(call.operation, &call.page(), found, Value::to_string))
}
