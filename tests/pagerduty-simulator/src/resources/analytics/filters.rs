//! Which incidents analytics include.

use jiff::Timestamp;
use serde_json::Value;

use crate::clock;
use crate::errors::Refusal;
use crate::judge::Call;
use crate::keys::TokenKind;
use crate::resources::within;
use crate::state::State;
use crate::state::incident::Incident;

/// The incidents that pass the filters of the body.
pub(super) fn incidents<'a>(call: &'a Call<'_>) -> Result<Vec<(usize, &'a Incident)>, Refusal> {
    let filters = &call.body["filters"];
    let names = |name: &str| filters[name].as_array().is_some_and(|list| !list.is_empty());
    let free = matches!(call.key.kind, TokenKind::AccountKey | TokenKind::ReadOnlyAccountKey);
    if !free && !names("team_ids") && !names("service_ids") {
        return Err(Refusal::invalid(["this key needs the filter team_ids or service_ids"]));
    }
    let from = moment(filters, "created_at_start")?;
    let to = moment(filters, "created_at_end")?;
    let updated = moment(filters, "updated_after")?;
    for range in &call.operation.ranges {
        let end = |field: &str| moment(filters, field.trim_start_matches("filters."));
        within(range, end(&range.from)?, end(&range.to)?)?;
    }
    let state = &*call.state;
    let all = state.incidents.iter().enumerate();
    Ok(all
        .filter(|(_, one)| {
            from.is_none_or(|from| one.created_at >= from)
                && to.is_none_or(|to| one.created_at < to)
                && updated.is_none_or(|updated| one.updated_at > updated)
                && fits(state, filters, one)
        })
        .collect())
}

pub(super) fn moment(filters: &Value, name: &str) -> Result<Option<Timestamp>, Refusal> {
    match filters[name].as_str() {
        None => Ok(None),
        Some(text) => clock::read(text)
            .map(Some)
            .ok_or_else(|| Refusal::invalid([format!("{name} must be an ISO 8601 date and time")])),
    }
}

/// Whether a list in the filters matches any of the values.
pub(super) fn lets(filters: &Value, name: &str, values: &[&str]) -> bool {
    filters[name].as_array().is_none_or(|wanted| {
        wanted.is_empty() || wanted.iter().any(|one| values.iter().any(|value| one == value))
    })
}

/// A major incident is one of the two highest priorities.
pub(super) fn is_major(state: &State, incident: &Incident) -> bool {
    let highest = state.priorities.iter().take(2);
    highest.map(|priority| &priority.id).any(|id| incident.priority_id.as_ref() == Some(id))
}

/// How often users acknowledged an incident, and how often it was escalated manually.
pub(super) fn count(state: &State, incident: &Incident, kind: &str) -> usize {
    incident.log_entries.iter().filter(|entry| state.log_entries[**entry].kind == kind).count()
}

fn fits(state: &State, filters: &Value, one: &Incident) -> bool {
    let teams: Vec<&str> = state
        .service(&one.service_id)
        .map(|service| service.team_ids.iter().map(String::as_str).collect())
        .unwrap_or_default();
    let priority = one.priority_id.as_deref().unwrap_or_default();
    let name = state.priority(priority).map_or("", |priority| priority.name.as_str());
    let least = |name: &str, kind: &str| {
        let least = filters[name].as_u64().and_then(|n| usize::try_from(n).ok());
        least.is_none_or(|least| count(state, one, kind) >= least)
    };
    filters["urgency"].as_str().is_none_or(|urgency| urgency == one.urgency.text())
        && filters["major"].as_bool().is_none_or(|major| major == is_major(state, one))
        && lets(filters, "team_ids", &teams)
        && lets(filters, "service_ids", &[&one.service_id])
        && lets(filters, "escalation_policy_ids", &[&one.escalation_policy_id])
        && lets(filters, "priority_ids", &[priority])
        && lets(filters, "priority_names", &[name])
        && lets(filters, "incident_type_ids", &[&one.incident_type])
        && least("min_ackowledgements", "acknowledge")
        && least("min_manual_escalations", "escalate")
        && filters["min_timeout_escalations"].as_u64().is_none_or(|least| least == 0)
        && filters["pd_advance_used"].as_bool() != Some(true)
}
