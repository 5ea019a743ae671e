//! The effect of events on alerts and their incidents.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::State;
use super::changes::Opening;
use super::incident::{Alert, Status, Urgency};
use super::log::Agent;

impl State {
    /// A trigger event: updates the open alert with its key, or creates one with an incident.
    pub(crate) fn trigger_alert(
        &mut self,
        service_id: &str,
        key: &str,
        summary: &str,
        severity: &str,
        event: Value,
        at: Timestamp,
    ) {
        let agent = Agent::Service(service_id.to_owned());
        let channel = json!({
            "type": "api",
            "summary": summary,
            "incident_key": key,
            "description": summary,
            "details": event.get("payload").and_then(|payload| payload.get("custom_details")),
        });
        let open = (service_id.to_owned(), key.to_owned());
        if let Some(alert) = self.open_alerts.get(&open).copied() {
            let incident = self.alerts[alert].incident;
            self.alerts[alert].event = event;
            self.alerts[alert].severity = severity.to_owned();
            self.touch(incident, at);
            self.log(incident, "trigger", &agent, channel, json!({}), at);
            return;
        }
        let incident = match self.open_incident_with(service_id, key) {
            Some(incident) => {
                self.log(incident, "trigger", &agent, channel, json!({}), at);
                incident
            }
            None => {
                let mut opening = Opening::new(summary, service_id, at);
                opening.incident_key = Some(key.to_owned());
                opening.channel = channel;
                if matches!(severity, "warning" | "info") {
                    opening.urgency = Urgency::Low;
                }
                self.open_incident(opening, &agent)
            }
        };
        let alert = self.alerts.len();
        let id = self.ids.next('Q', "alert");
        let log_entry = self.incidents[incident]
            .log_entries
            .iter()
            .rev()
            .copied()
            .find(|entry| self.log_entries[*entry].kind == "trigger")
            .unwrap_or(self.incidents[incident].first_log_entry);
        self.alerts.push(Alert {
            id,
            key: key.to_owned(),
            summary: summary.to_owned(),
            severity: severity.to_owned(),
            resolved: false,
            incident,
            service_id: service_id.to_owned(),
            created_at: at,
            resolved_at: None,
            log_entry,
            event,
        });
        self.open_alerts.insert(open, alert);
        self.touch(incident, at).alerts.push(alert);
    }

    /// Acknowledges the incident of an open alert; an unknown key is ignored.
    pub(crate) fn acknowledge_alert(&mut self, service_id: &str, key: &str, at: Timestamp) {
        let open = (service_id.to_owned(), key.to_owned());
        if let Some(alert) = self.open_alerts.get(&open).copied() {
            let incident = self.alerts[alert].incident;
            if self.incidents[incident].status == Status::Triggered {
                self.acknowledge(incident, &Agent::Service(service_id.to_owned()), at);
            }
        }
    }

    /// Resolves an open alert, and its incident with the last of its alerts.
    pub(crate) fn resolve_alert(&mut self, service_id: &str, key: &str, at: Timestamp) {
        let open = (service_id.to_owned(), key.to_owned());
        if let Some(alert) = self.open_alerts.get(&open).copied() {
            self.resolve_one_alert(alert, &Agent::Service(service_id.to_owned()), at);
        }
    }

    /// Resolves one alert manually, and its incident with the last of its alerts.
    pub(crate) fn resolve_one_alert(&mut self, alert: usize, agent: &Agent, at: Timestamp) {
        let incident = self.alerts[alert].incident;
        self.close_alert(alert, at);
        self.touch(incident, at);
        let open = self.incidents[incident].alerts.iter().any(|one| !self.alerts[*one].resolved);
        if !open && self.incidents[incident].status != Status::Resolved {
            self.resolve(incident, agent, at);
        }
    }

    /// Moves an alert to another incident.
    pub(crate) fn move_alert(&mut self, alert: usize, incident: usize, at: Timestamp) {
        let from = self.alerts[alert].incident;
        self.touch(from, at).alerts.retain(|one| *one != alert);
        self.alerts[alert].incident = incident;
        self.touch(incident, at).alerts.push(alert);
    }
}
