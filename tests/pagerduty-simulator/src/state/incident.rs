//! Incidents, alerts, and notes: their data and PagerDuty's representation.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::State;
use super::log::Agent;
use crate::clock::written;

/// Status of an incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    /// Open and not acknowledged.
    Triggered,
    /// Open and acknowledged.
    Acknowledged,
    /// Resolved.
    Resolved,
}

impl Status {
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Triggered => "triggered",
            Self::Acknowledged => "acknowledged",
            Self::Resolved => "resolved",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.text())
    }
}

/// Urgency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Urgency {
    /// High: uses the rules for high urgency.
    High,
    /// Low: uses the rules for low urgency.
    Low,
}

impl Urgency {
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::High => "high",
            Self::Low => "low",
        }
    }

    pub(crate) fn read(text: &str) -> Self {
        if text == "low" { Self::Low } else { Self::High }
    }
}

impl fmt::Display for Urgency {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.text())
    }
}

/// A note on an incident.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Note {
    /// Opaque id.
    pub id: String,
    /// Its text.
    pub content: String,
    /// Its author.
    pub user_id: String,
    /// Its time.
    pub created_at: Timestamp,
}

/// An incident.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Incident {
    /// Opaque id.
    pub id: String,
    /// Counts from 1 in each account.
    pub number: u64,
    /// One line.
    pub title: String,
    /// The text of its body, if any.
    pub details: Option<String>,
    /// Its deduplication key.
    pub incident_key: String,
    /// Its status.
    pub status: Status,
    /// Its urgency.
    pub urgency: Urgency,
    /// The service that it belongs to.
    pub service_id: String,
    /// Its escalation policy.
    pub escalation_policy_id: String,
    /// The current level of the policy, from 1.
    pub escalation_level: usize,
    /// Its priority, if it has one.
    pub priority_id: Option<String>,
    /// The users that it is assigned to.
    pub assignee_ids: Vec<String>,
    /// The users that have acknowledged it, and when.
    pub acknowledgements: Vec<(String, Timestamp)>,
    /// When it was created.
    pub created_at: Timestamp,
    /// When anything was last changed.
    pub updated_at: Timestamp,
    /// When it was resolved.
    pub resolved_at: Option<Timestamp>,
    /// When a snooze ends and it is triggered again.
    pub snoozed_until: Option<Timestamp>,
    /// The incident into which it was merged.
    pub merged_into: Option<String>,
    /// Its notes, oldest first.
    pub notes: Vec<Note>,
    /// When it was last reopened.
    pub(crate) reopened_at: Option<Timestamp>,
    pub(crate) incident_type: String,
    pub(crate) conference_bridge: Option<Value>,
    pub(crate) assigned_via: &'static str,
    pub(crate) assigned_at: Timestamp,
    pub(crate) last_status_change_at: Timestamp,
    pub(crate) last_status_change_by: Agent,
    pub(crate) first_log_entry: usize,
    pub(crate) log_entries: Vec<usize>,
    pub(crate) alerts: Vec<usize>,
    /// Responder requests and replies.
    pub(crate) responders: Vec<Value>,
    pub(crate) responder_requests: Vec<Value>,
    pub(crate) status_updates: Vec<Value>,
    /// Values of custom fields, by the id of the field.
    pub(crate) field_values: BTreeMap<String, Value>,
    /// Manually set impacts on business services, by their IDs.
    pub(crate) impacts: BTreeMap<String, String>,
    /// Its text without any `include[]`; cleared by every change.
    pub(crate) rendered: Option<String>,
}

/// An alert that an event opened.
#[derive(Clone, Debug)]
pub(crate) struct Alert {
    pub(crate) id: String,
    pub(crate) key: String,
    pub(crate) summary: String,
    pub(crate) severity: String,
    pub(crate) resolved: bool,
    pub(crate) incident: usize,
    pub(crate) service_id: String,
    pub(crate) created_at: Timestamp,
    pub(crate) resolved_at: Option<Timestamp>,
    pub(crate) log_entry: usize,
    pub(crate) event: Value,
}

impl State {
    pub(crate) fn incident_reference(&self, index: usize) -> Value {
        let incident = &self.incidents[index];
        let summary = summary(incident);
        self.stub("incident_reference", "incidents", &incident.id, &summary)
    }

    /// The text of an incident without includes, cached until it changes.
    pub(crate) fn incident_text(&mut self, index: usize, include: &[&str]) -> String {
        if !include.is_empty() {
            return self.incident_json(index, include).to_string();
        }
        if self.incidents[index].rendered.is_none() {
            self.incidents[index].rendered = Some(self.incident_json(index, &[]).to_string());
        }
        self.incidents[index].rendered.clone().unwrap_or_default()
    }

    fn person(&self, id: &str, whole: bool) -> Value {
        match self.user(id) {
            Some(user) if whole => self.user_json(user, &[]),
            _ => self.user_reference(id),
        }
    }

    /// A full incident without includes, for use inside other objects.
    pub(crate) fn incident_value(&self, index: usize) -> Value {
        self.incident_json(index, &[])
    }

    fn incident_json(&self, index: usize, include: &[&str]) -> Value {
        let incident = &self.incidents[index];
        let has = |name: &str| include.contains(&name);
        let users = has("users");
        let service = match self.service(&incident.service_id) {
            Some(service) if has("services") => self.service_json(service, &[]),
            _ => self.service_reference(&incident.service_id),
        };
        let policy = match self.policy(&incident.escalation_policy_id) {
            Some(policy) if has("escalation_policies") => self.policy_json(policy, &[]),
            _ => self.policy_reference(&incident.escalation_policy_id),
        };
        let teams = self
            .service(&incident.service_id)
            .map(|service| self.teams_json(&service.team_ids, has("teams")))
            .unwrap_or_default();
        let assignments: Vec<Value> = incident
            .assignee_ids
            .iter()
            .map(|id| {
                json!({
                    "at": written(incident.assigned_at),
                    "assignee": self.person(id, users || has("assignees")),
                })
            })
            .collect();
        let acknowledgements: Vec<Value> = incident
            .acknowledgements
            .iter()
            .map(|(id, at)| {
                json!({
                    "at": written(*at),
                    "acknowledger": self.person(id, users || has("acknowledgers")),
                })
            })
            .collect();
        let first = if has("first_trigger_log_entries") {
            self.log_entry_json(incident.first_log_entry, &[])
        } else {
            self.log_entry_reference(incident.first_log_entry)
        };
        let resolved = incident.alerts.iter().filter(|alert| self.alerts[**alert].resolved).count();
        let pending: Vec<Value> = incident
            .snoozed_until
            .iter()
            .map(|at| json!({"type": "unacknowledge", "at": written(*at)}))
            .collect();
        let mut object = self.object(
            "incident",
            "incidents",
            &incident.id,
            &summary(incident),
            json!({
                "incident_number": incident.number,
                "title": incident.title,
                "description": incident.title,
                "created_at": written(incident.created_at),
                "updated_at": written(incident.updated_at),
                "status": incident.status.text(),
                "incident_key": incident.incident_key,
                "service": service,
                "assignments": assignments,
                "assigned_via": incident.assigned_via,
                "last_status_change_at": written(incident.last_status_change_at),
                "last_status_change_by": self.agent_json(&incident.last_status_change_by, has("agents")),
                "resolved_at": incident.resolved_at.map(written),
                "first_trigger_log_entry": first,
                "alert_counts": {
                    "all": incident.alerts.len(),
                    "triggered": incident.alerts.len() - resolved,
                    "resolved": resolved,
                },
                "is_mergeable": incident.status != Status::Resolved,
                "incident_type": {"name": incident.incident_type},
                "escalation_policy": policy,
                "teams": teams,
                "pending_actions": pending,
                "acknowledgements": acknowledgements,
                "alert_grouping": null,
                "incidents_responders": incident.responders,
                "responder_requests": incident.responder_requests,
                "subscriber_requests": [],
                "priority": incident
                    .priority_id
                    .as_ref()
                    .and_then(|id| self.priority(id))
                    .map(|priority| self.priority_json(priority)),
                "resolve_reason": incident.merged_into.as_ref().map(|id| json!({
                    "type": "merge_resolve_reason",
                    "incident": self.incident_at(id).map(|into| self.incident_reference(into)),
                })),
                "urgency": incident.urgency.text(),
            }),
        );
        if let Some(members) = object.as_object_mut() {
            if let Some(bridge) = &incident.conference_bridge {
                members.insert("conference_bridge".to_owned(), bridge.clone());
            }
            if let Some(details) = &incident.details {
                let body = json!({"type": "incident_body", "details": details});
                members.insert("body".to_owned(), body);
            }
            if has("custom_fields") {
                let values = json!(self.incident_field_values(index));
                members.insert("custom_fields".to_owned(), values);
            }
        }
        object
    }

    pub(crate) fn note_json(&self, note: &Note) -> Value {
        json!({
            "id": note.id,
            "user": self.user_reference(&note.user_id),
            "content": note.content,
            "created_at": written(note.created_at),
            "channel": {"type": "api", "summary": "The PagerDuty website or APIs"},
        })
    }

    pub(crate) fn alert_json(&self, index: usize, include: &[&str]) -> Value {
        let alert = &self.alerts[index];
        let has = |name: &str| include.contains(&name);
        let service = match self.service(&alert.service_id) {
            Some(service) if has("services") => self.service_json(service, &[]),
            _ => self.service_reference(&alert.service_id),
        };
        let first = if has("first_trigger_log_entries") {
            self.log_entry_json(alert.log_entry, &[])
        } else {
            self.log_entry_reference(alert.log_entry)
        };
        let incident = if has("incidents") {
            self.incident_json(alert.incident, &[])
        } else {
            self.incident_reference(alert.incident)
        };
        self.object(
            "alert",
            "alerts",
            &alert.id,
            &alert.summary,
            json!({
                "created_at": written(alert.created_at),
                "resolved_at": alert.resolved_at.map(written),
                "status": if alert.resolved { "resolved" } else { "triggered" },
                "alert_key": alert.key,
                "suppressed": false,
                "severity": alert.severity,
                "service": service,
                "incident": incident,
                "first_trigger_log_entry": first,
                "body": {
                    "type": "alert_body",
                    "contexts": [],
                    "cef_details": alert.event,
                    "details": alert.event.get("payload").and_then(|p| p.get("custom_details")),
                },
                "integration": null,
            }),
        )
    }
}

fn summary(incident: &Incident) -> String {
    format!("[#{}] {}", incident.number, incident.title)
}
