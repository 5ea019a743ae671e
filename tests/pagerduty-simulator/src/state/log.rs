//! The log: one entry for every change of an incident.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::State;
use crate::clock::written;

/// The agent of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Agent {
    User(String),
    Service(String),
    /// A key without a user, by its name.
    Key(String),
}

/// A change of an incident.
#[derive(Clone, Debug)]
pub(crate) struct LogEntry {
    pub(crate) id: String,
    /// Without the suffix `_log_entry`.
    pub(crate) kind: &'static str,
    pub(crate) at: Timestamp,
    pub(crate) incident: usize,
    pub(crate) agent: Agent,
    pub(crate) channel: Value,
    /// Members of this kind only.
    pub(crate) more: Value,
}

/// The kinds that `is_overview=true` shows.
const OVERVIEW: [&str; 7] =
    ["trigger", "acknowledge", "unacknowledge", "resolve", "annotate", "assign", "escalate"];

impl LogEntry {
    pub(crate) fn in_overview(&self) -> bool {
        OVERVIEW.contains(&self.kind)
    }

    fn summary(&self, agent: &Value) -> String {
        let by = agent.get("summary").and_then(Value::as_str).unwrap_or("PagerDuty");
        match self.kind {
            "trigger" => format!("Triggered by {by}."),
            "acknowledge" => format!("Acknowledged by {by}."),
            "unacknowledge" => "Unacknowledged.".to_owned(),
            "resolve" => format!("Resolved by {by}."),
            "annotate" => format!("Note added by {by}."),
            "assign" => format!("Assigned by {by}."),
            "escalate" => format!("Escalated by {by}."),
            "snooze" => format!("Snoozed by {by}."),
            "urgency_change" => format!("Urgency changed by {by}."),
            kind => format!("{} by {by}.", kind.replace('_', " ")),
        }
    }
}

impl State {
    /// Adds an entry and updates the incident's last entry.
    pub(crate) fn log(
        &mut self,
        incident: usize,
        kind: &'static str,
        agent: &Agent,
        channel: Value,
        more: Value,
        at: Timestamp,
    ) -> usize {
        let index = self.log_entries.len();
        let id = self.ids.next('R', "log entry");
        self.log_index.insert(id.clone(), index);
        self.log_entries.push(LogEntry {
            id,
            kind,
            at,
            incident,
            agent: agent.clone(),
            channel,
            more,
        });
        if let Some(incident) = self.incidents.get_mut(incident) {
            incident.log_entries.push(index);
        }
        index
    }

    pub(crate) fn agent_json(&self, agent: &Agent, whole: bool) -> Value {
        match agent {
            Agent::User(id) => match self.user(id) {
                Some(user) if whole => self.user_json(user, &[]),
                _ => self.user_reference(id),
            },
            Agent::Service(id) => self.service_reference(id),
            Agent::Key(name) => json!({
                "id": null, "type": "api_key_reference", "summary": name, "self": null,
                "html_url": null,
            }),
        }
    }

    pub(crate) fn log_entry_reference(&self, index: usize) -> Value {
        let entry = &self.log_entries[index];
        let kind = format!("{}_log_entry_reference", entry.kind);
        let summary = entry.summary(&self.agent_json(&entry.agent, false));
        self.stub(&kind, "log_entries", &entry.id, &summary)
    }

    pub(crate) fn log_entry_json(&self, index: usize, include: &[&str]) -> Value {
        let entry = &self.log_entries[index];
        let incident = &self.incidents[entry.incident];
        let agent = self.agent_json(&entry.agent, false);
        let has = |name: &str| include.contains(&name);
        let service = match self.service(&incident.service_id) {
            Some(service) if has("services") => self.service_json(service, &[]),
            _ => self.service_reference(&incident.service_id),
        };
        let teams = self
            .service(&incident.service_id)
            .map(|service| self.teams_json(&service.team_ids, has("teams")))
            .unwrap_or_default();
        let shown_incident = if has("incidents") {
            // Its first log entry stays a reference, so the recursion ends.
            self.incident_value(entry.incident)
        } else {
            self.incident_reference(entry.incident)
        };
        // Without `include[]=channels`, a channel contains only its type.
        let channel = match has("channels") {
            true => entry.channel.clone(),
            false => json!({"type": entry.channel["type"]}),
        };
        let kind = format!("{}_log_entry", entry.kind);
        let mut object = self.object(
            &kind,
            "log_entries",
            &entry.id,
            &entry.summary(&agent),
            json!({
                "created_at": written(entry.at),
                "agent": agent,
                "channel": channel,
                "service": service,
                "incident": shown_incident,
                "teams": teams,
                "contexts": [],
                "event_details": {},
            }),
        );
        if let (Some(members), Value::Object(more)) = (object.as_object_mut(), &entry.more) {
            members.extend(more.clone());
        }
        object
    }
}
