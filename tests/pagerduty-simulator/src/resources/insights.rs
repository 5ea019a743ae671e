//! Insights about an incident from other incidents, and about alerts that were held back.

use serde_json::{Value, json};

use crate::clock::written;
use crate::errors::Refusal;
use crate::judge::Call;
use crate::paging;
use crate::reply::Reply;
use crate::routes::Handler;
use crate::state::State;
use crate::state::incident::Status;

pub(super) const HANDLERS: &[(&str, Handler)] = &[
    ("getPastIncidents", past),
    ("getRelatedIncidents", related),
    ("getOutlierIncident", outlier),
    ("getPausedIncidentReportAlerts", paused_alerts),
    ("getPausedIncidentReportCounts", paused_counts),
];

fn brief(state: &State, index: usize) -> Value {
    let incident = &state.incidents[index];
    json!({
        "id": incident.id,
        "type": "incident_reference",
        "title": incident.title,
        "self": format!("https://{}/incidents/{}", state.api_host(), incident.id),
        "created_at": written(incident.created_at),
    })
}

/// Similarity of two titles, in percent of common words.
fn likeness(one: &str, other: &str) -> usize {
    let words =
        |text: &str| -> Vec<String> { text.split_whitespace().map(str::to_lowercase).collect() };
    let (one, other) = (words(one), words(other));
    let common = one.iter().filter(|word| other.contains(word)).count();
    common * 100 / one.len().max(other.len()).max(1)
}

/// Resolved incidents of the same service, the most similar first.
fn past(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let index = call.incident()?;
    let state = &*call.state;
    let own = &state.incidents[index];
    let mut found: Vec<(usize, usize)> = state
        .incidents
        .iter()
        .enumerate()
        .filter(|(other, incident)| {
            *other != index
                && incident.status == Status::Resolved
                && incident.service_id == own.service_id
        })
        .map(|(other, incident)| (likeness(&own.title, &incident.title), other))
        .collect();
    found.sort_by(|one, other| other.cmp(one));
    Ok(paging::reply(call.operation, &call.page(), found, |(score, other)| {
        json!({"incident": brief(state, *other), "score": *score}).to_string()
    }))
}

/// Open incidents of other services that began within the same hour.
fn related(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let index = call.incident()?;
    let state = &*call.state;
    let own = &state.incidents[index];
    let whole = call.query.all("additional_details[]").contains(&"incident");
    let found: Vec<Value> = state
        .incidents
        .iter()
        .enumerate()
        .filter(|(other, incident)| {
            let apart = incident.created_at.as_second() - own.created_at.as_second();
            *other != index
                && incident.status != Status::Resolved
                && incident.service_id != own.service_id
                && apart.abs() <= 3600
        })
        .map(|(other, _)| {
            let incident = if whole { state.incident_value(other) } else { brief(state, other) };
            json!({
                "incident": incident,
                "relationships": [{
                    "type": "machine_learning_inferred",
                    "metadata": {
                        "grouping_classification": "similar_contents",
                        "user_feedback": {"positive_feedback_count": 0, "negative_feedback_count": 0},
                    },
                }],
            })
        })
        .collect();
    Ok(call.answer(&json!(found)))
}

fn outlier(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let index = call.incident()?;
    let state = &*call.state;
    let own = &state.incidents[index];
    let since = call.query.moment("since").unwrap_or(own.created_at);
    let alike = state
        .incidents
        .iter()
        .filter(|other| other.service_id == own.service_id && other.title == own.title)
        .count();
    let mut incident = match call.query.all("additional_details[]").contains(&"incident") {
        true => state.incident_value(index),
        false => brief(state, index),
    };
    incident["occurrence"] = json!({
        "count": alike,
        "frequency": null,
        "category": if alike > 1 { "frequent" } else { "rare" },
        "since": written(since),
        "until": written(call.now),
    });
    let answer = json!({
        "incident": incident,
        "incident_template": {"id": own.service_id, "cluster_id": own.service_id, "mined_text": own.title},
    });
    Ok(call.answer(&answer))
}

/// Nothing is held back here, so every report is empty; it states its range.
fn report(call: &Call<'_>, more: Value) -> Result<Value, Refusal> {
    let (since, until) = call.range()?;
    let mut report = json!({
        "since": since.map(written),
        "until": until.map(written),
        "service_id": call.query.one("service_id"),
        "suspended_by": call.query.one("suspended_by"),
    });
    if let (Some(members), Value::Object(more)) = (report.as_object_mut(), more) {
        members.extend(more);
    }
    Ok(report)
}

fn paused_alerts(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let empty = json!({
        "triggered_after_pause_alerts": [], "resolved_after_pause_alerts": [],
    });
    Ok(call.answer(&report(call, empty)?))
}

fn paused_counts(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let empty = json!({
        "paused_count": 0, "triggered_after_pause_count": 0, "resolved_during_pause_count": 0,
        "non_paused_alerts_count": call.state.alerts.len(),
    });
    Ok(call.answer(&report(call, empty)?))
}
