//! Status update templates.

use serde_json::{Map, Value, json};

use crate::errors::Refusal;
use crate::judge::Call;
use crate::reply::Reply;
use crate::routes::Handler;

pub(super) const HANDLERS: &[(&str, Handler)] =
    &[("getTemplateFields", fields), ("renderTemplate", render)];

const FIELDS: [&str; 6] = [
    "incident.title",
    "incident.status",
    "incident.urgency",
    "incident.incident_number",
    "incident.service.summary",
    "status_update.message",
];

fn fields(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    Ok(call.answer(&json!(FIELDS)))
}

/// The value of a field; none if it is unknown.
fn value(incident: &Value, message: &Value, field: &str) -> Option<String> {
    let mut place = json!({"incident": incident, "status_update": {"message": message}});
    for name in field.split('.') {
        place = place.get(name)?.clone();
    }
    match place {
        Value::String(text) => Some(text),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Replaces `{{ field }}` with values, and reports unknown fields.
fn filled(text: &str, incident: &Value, message: &Value, warnings: &mut Vec<String>) -> String {
    let mut done = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        done.push_str(before);
        let Some((field, after)) = after.split_once("}}") else {
            rest = after;
            break;
        };
        let field = field.trim();
        match value(incident, message, field) {
            Some(value) => done.push_str(&value),
            None => warnings.push(format!("{field} is not known")),
        }
        rest = after;
    }
    done.push_str(rest);
    done
}

fn render(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let template = call.state.store.get("/templates", call.capture(0)).cloned();
    let template = template.ok_or_else(Refusal::not_found)?;
    let incident = match call.body["incident_id"].as_str() {
        None => Value::Null,
        Some(id) => {
            let index = call.state.incident_at(id).ok_or_else(Refusal::not_found)?;
            call.state.incident_value(index)
        }
    };
    let message = &call.body["status_update"]["message"];
    let mut warnings = Vec::new();
    let fields: Map<String, Value> = template["templated_fields"]
        .as_object()
        .into_iter()
        .flatten()
        .filter_map(|(name, text)| {
            let text = text.as_str()?;
            Some((name.clone(), json!(filled(text, &incident, message, &mut warnings))))
        })
        .collect();
    let answer = json!({
        "templated_fields": fields,
        "warnings": {"undefined_variables": warnings},
        "errors": [],
    });
    Ok(Reply::json(call.status(), &answer))
}
