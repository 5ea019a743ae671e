//! The state machine of incidents and alerts. Every change writes its log entries.
//!
//! Nothing is refused here: callers have judged the change before.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::State;
use super::incident::{Incident, Note, Status, Urgency};
use super::log::Agent;

/// Initial values of an incident.
#[derive(Clone, Debug)]
pub(crate) struct Opening {
    pub(crate) title: String,
    pub(crate) details: Option<String>,
    pub(crate) service_id: String,
    pub(crate) incident_key: Option<String>,
    pub(crate) urgency: Urgency,
    pub(crate) priority_id: Option<String>,
    pub(crate) escalation_policy_id: Option<String>,
    pub(crate) assignee_id: Option<String>,
    pub(crate) incident_type: Option<String>,
    pub(crate) conference_bridge: Option<Value>,
    pub(crate) channel: Value,
    pub(crate) at: Timestamp,
}

impl Opening {
    pub(crate) fn new(title: &str, service_id: &str, at: Timestamp) -> Self {
        Self {
            title: title.to_owned(),
            details: None,
            service_id: service_id.to_owned(),
            incident_key: None,
            urgency: Urgency::High,
            priority_id: None,
            escalation_policy_id: None,
            assignee_id: None,
            incident_type: None,
            conference_bridge: None,
            channel: json!({"type": "web_trigger", "summary": title, "subject": title}),
            at,
        }
    }
}

impl State {
    /// Marks a change: the cached text is stale.
    pub(crate) fn touch(&mut self, index: usize, at: Timestamp) -> &mut Incident {
        let incident = &mut self.incidents[index];
        incident.updated_at = at;
        incident.rendered = None;
        incident
    }

    /// Marks a change of an object that any incident may refer to.
    pub(crate) fn stale(&mut self) {
        self.incidents.iter_mut().for_each(|incident| incident.rendered = None);
    }

    /// Reserves the incident's key on its service.
    fn hold_key(&mut self, index: usize) {
        let incident = &self.incidents[index];
        let keys = self.open_keys.entry(incident.service_id.clone()).or_default();
        keys.insert(incident.incident_key.clone(), index);
    }

    /// Releases the incident's key.
    fn free_key(&mut self, index: usize) {
        let incident = &self.incidents[index];
        if let Some(keys) = self.open_keys.get_mut(&incident.service_id)
            && keys.get(&incident.incident_key) == Some(&index)
        {
            keys.remove(&incident.incident_key);
        }
    }

    pub(crate) fn open_incident(&mut self, opening: Opening, agent: &Agent) -> usize {
        let index = self.incidents.len();
        let id = self.ids.next('Q', "incident");
        let policy_id = opening.escalation_policy_id.unwrap_or_else(|| {
            let service = self.service(&opening.service_id);
            service.map(|service| service.escalation_policy_id.clone()).unwrap_or_default()
        });
        let (assignees, assigned_via) = match opening.assignee_id {
            Some(user) => (vec![user], "direct_assignment"),
            None => (self.level_users(&policy_id, 1), "escalation_policy"),
        };
        let key = opening.incident_key.unwrap_or_else(|| {
            // Only uniqueness matters, so the ID replaces PagerDuty's hash.
            format!("{:0>32}", id.to_lowercase())
        });
        self.incidents.push(Incident {
            id: id.clone(),
            number: index as u64 + 1,
            title: opening.title,
            details: opening.details,
            incident_key: key,
            status: Status::Triggered,
            urgency: opening.urgency,
            service_id: opening.service_id,
            escalation_policy_id: policy_id,
            escalation_level: 1,
            priority_id: opening.priority_id,
            assignee_ids: assignees.clone(),
            acknowledgements: Vec::new(),
            created_at: opening.at,
            updated_at: opening.at,
            resolved_at: None,
            snoozed_until: None,
            merged_into: None,
            reopened_at: None,
            notes: Vec::new(),
            incident_type: opening.incident_type.unwrap_or_else(|| "incident_default".to_owned()),
            conference_bridge: opening.conference_bridge,
            assigned_via,
            assigned_at: opening.at,
            last_status_change_at: opening.at,
            last_status_change_by: agent.clone(),
            first_log_entry: self.log_entries.len(),
            log_entries: Vec::new(),
            alerts: Vec::new(),
            responders: Vec::new(),
            responder_requests: Vec::new(),
            status_updates: Vec::new(),
            field_values: BTreeMap::new(),
            impacts: BTreeMap::new(),
            rendered: None,
        });
        self.incident_index.insert(id, index);
        self.hold_key(index);
        self.log(index, "trigger", agent, opening.channel, json!({}), opening.at);
        self.log_assignment(index, agent, opening.at);
        self.incident_event(index, "incident.triggered", agent, opening.at, None);
        // A user who assigns a new incident to themselves has acknowledged it.
        if let (Agent::User(user), "direct_assignment") = (agent, assigned_via)
            && assignees.contains(user)
        {
            self.acknowledge(index, agent, opening.at);
        }
        index
    }

    /// The users of a level of a policy, from 1.
    pub(crate) fn level_users(&self, policy_id: &str, level: usize) -> Vec<String> {
        let Some(policy) = self.policy(policy_id) else {
            return Vec::new();
        };
        let place = level.wrapping_sub(1);
        let mut users = policy.levels.get(place).cloned().unwrap_or_default();
        let now = self.now();
        for schedule in policy.schedules.get(place).into_iter().flatten() {
            let on_call = self.schedule(schedule).and_then(|schedule| schedule.on_call(now));
            users.extend(on_call.filter(|user| !users.contains(user)));
        }
        users
    }

    fn log_assignment(&mut self, index: usize, agent: &Agent, at: Timestamp) {
        let ids = self.incidents[index].assignee_ids.clone();
        let assignees: Vec<Value> = ids.iter().map(|id| self.user_reference(id)).collect();
        let channel = json!({"type": "api"});
        self.log(index, "assign", agent, channel, json!({"assignees": assignees}), at);
    }

    fn set_status(&mut self, index: usize, status: Status, agent: &Agent, at: Timestamp) {
        let incident = self.touch(index, at);
        incident.status = status;
        incident.last_status_change_at = at;
        incident.last_status_change_by = agent.clone();
        if status != Status::Acknowledged {
            incident.acknowledgements.clear();
            incident.snoozed_until = None;
        }
    }

    pub(crate) fn acknowledge(&mut self, index: usize, agent: &Agent, at: Timestamp) {
        self.set_status(index, Status::Acknowledged, agent, at);
        if let Agent::User(user) = agent {
            let incident = &mut self.incidents[index];
            incident.acknowledgements.retain(|(by, _)| by != user);
            incident.acknowledgements.push((user.clone(), at));
            if incident.assignee_ids != [user.clone()] {
                incident.assignee_ids = vec![user.clone()];
                incident.assigned_at = at;
            }
        }
        self.log(index, "acknowledge", agent, json!({"type": "api"}), json!({}), at);
        self.incident_event(index, "incident.acknowledged", agent, at, None);
    }

    pub(crate) fn unacknowledge(&mut self, index: usize, at: Timestamp) {
        let agent = Agent::Service(self.incidents[index].service_id.clone());
        self.set_status(index, Status::Triggered, &agent, at);
        self.log(index, "unacknowledge", &agent, json!({"type": "timeout"}), json!({}), at);
        self.incident_event(index, "incident.unacknowledged", &agent, at, None);
    }

    /// Resolves an incident and all its alerts.
    pub(crate) fn resolve(&mut self, index: usize, agent: &Agent, at: Timestamp) {
        self.free_key(index);
        self.set_status(index, Status::Resolved, agent, at);
        let incident = &mut self.incidents[index];
        incident.resolved_at = Some(at);
        incident.assignee_ids.clear();
        for alert in incident.alerts.clone() {
            self.close_alert(alert, at);
        }
        self.log(index, "resolve", agent, json!({"type": "api"}), json!({}), at);
        self.incident_event(index, "incident.resolved", agent, at, None);
    }

    /// Reopens a resolved incident; its alerts stay resolved.
    pub(crate) fn reopen(&mut self, index: usize, agent: &Agent, at: Timestamp) {
        self.set_status(index, Status::Triggered, agent, at);
        let policy = self.incidents[index].escalation_policy_id.clone();
        let users = self.level_users(&policy, 1);
        let incident = &mut self.incidents[index];
        incident.resolved_at = None;
        incident.reopened_at = Some(at);
        incident.assignee_ids = users;
        self.hold_key(index);
        self.log(index, "trigger", agent, json!({"type": "web_trigger"}), json!({}), at);
        self.incident_event(index, "incident.reopened", agent, at, None);
    }

    pub(crate) fn close_alert(&mut self, index: usize, at: Timestamp) {
        let alert = &mut self.alerts[index];
        if !alert.resolved {
            alert.resolved = true;
            alert.resolved_at = Some(at);
            self.open_alerts.remove(&(alert.service_id.clone(), alert.key.clone()));
        }
    }

    /// Assigns an incident to other users, which removes the acknowledgement.
    pub(crate) fn assign(
        &mut self,
        index: usize,
        users: Vec<String>,
        via: &'static str,
        agent: &Agent,
        at: Timestamp,
    ) {
        if self.incidents[index].status == Status::Acknowledged {
            self.set_status(index, Status::Triggered, agent, at);
        }
        let incident = self.touch(index, at);
        incident.assignee_ids = users;
        incident.assigned_via = via;
        incident.assigned_at = at;
        self.log_assignment(index, agent, at);
        if via == "direct_assignment" {
            self.incident_event(index, "incident.reassigned", agent, at, None);
        }
    }

    /// Escalates an incident to a level of its policy; a new policy counts as delegation.
    pub(crate) fn escalate(
        &mut self,
        index: usize,
        level: usize,
        new_policy: bool,
        agent: &Agent,
        at: Timestamp,
    ) {
        let policy = self.incidents[index].escalation_policy_id.clone();
        let users = self.level_users(&policy, level);
        self.incidents[index].escalation_level = level;
        self.log(index, "escalate", agent, json!({"type": "api"}), json!({}), at);
        self.assign(index, users, "escalation_policy", agent, at);
        let event = if new_policy { "incident.delegated" } else { "incident.escalated" };
        self.incident_event(index, event, agent, at, None);
    }

    pub(crate) fn set_urgency(&mut self, index: usize, to: Urgency, agent: &Agent, at: Timestamp) {
        if self.incidents[index].urgency != to {
            self.touch(index, at).urgency = to;
            let more = json!({"urgency": to.text()});
            self.log(index, "urgency_change", agent, json!({"type": "api"}), more, at);
        }
    }

    /// Sets a simple field; all simple fields share a kind of log entry.
    pub(crate) fn set_field(
        &mut self,
        index: usize,
        name: &str,
        agent: &Agent,
        at: Timestamp,
        set: impl FnOnce(&mut Incident),
    ) {
        set(self.touch(index, at));
        let more = json!({"changed_fields": [name]});
        self.log(index, "field_value_change", agent, json!({"type": "api"}), more, at);
        let event = match name {
            "priority" => "incident.priority_updated",
            "incident_type" => "incident.incident_type.changed",
            "conference_bridge" => "incident.conference_bridge.updated",
            "service" => "incident.service_updated",
            _ => return,
        };
        self.incident_event(index, event, agent, at, None);
    }

    /// Sets values of custom fields, by the IDs of the fields.
    pub(crate) fn set_field_values(
        &mut self,
        index: usize,
        values: Vec<(String, Value)>,
        agent: &Agent,
        at: Timestamp,
    ) {
        let names: Vec<String> = values.iter().map(|(id, _)| id.clone()).collect();
        let mut old = self.incident_field_values(index);
        old.retain(|field| names.iter().any(|id| field["id"] == id.as_str()));
        self.touch(index, at).field_values.extend(values);
        let (channel, more) = (json!({"type": "api"}), json!({"changed_fields": names}));
        self.log(index, "custom_field_value_change", agent, channel, more, at);
        let event = "incident.custom_field_values.updated";
        let mut data = self.incident_field_event(index);
        data["changed_custom_fields"] = json!(old);
        self.incident_event(index, event, agent, at, Some(data));
    }

    /// Sets values of custom fields of a service, by the IDs of the fields.
    pub(crate) fn set_service_field_values(
        &mut self,
        service: &str,
        values: Vec<(String, Value)>,
        agent: &Agent,
        at: Timestamp,
    ) {
        let names: Vec<String> = values.iter().map(|(id, _)| id.clone()).collect();
        let mut old = self.service_field_values(service);
        old.retain(|field| names.iter().any(|id| field["id"] == id.as_str()));
        let path = format!("/services/{service}/custom_fields/values");
        let mut kept = self.store.single(&path).cloned().unwrap_or_else(|| json!({}));
        for (id, value) in values {
            kept[id.as_str()] = value;
        }
        self.store.set_single(&path, kept);
        let event = "service.custom_field_values.updated";
        let mut data = self.data_about_service(service, event);
        data["changed_custom_fields"] = json!(old);
        self.service_event(service, event, agent, at, Some(data));
    }

    /// Moves an incident to another service; its alerts stay on the service of their events.
    pub(crate) fn move_incident(
        &mut self,
        index: usize,
        service_id: &str,
        agent: &Agent,
        at: Timestamp,
    ) {
        self.free_key(index);
        self.set_field(index, "service", agent, at, |one| one.service_id = service_id.to_owned());
        self.hold_key(index);
    }

    pub(crate) fn snooze(&mut self, index: usize, until: Timestamp, agent: &Agent, at: Timestamp) {
        self.touch(index, at).snoozed_until = Some(until);
        self.snoozed.retain(|other| *other != index);
        self.snoozed.push(index);
        let seconds = until.as_second() - at.as_second();
        let more = json!({"changed_actions": [{
            "type": "unacknowledge", "at": crate::clock::written(until),
        }], "duration": seconds});
        self.log(index, "snooze", agent, json!({"type": "api"}), more, at);
    }

    pub(crate) fn annotate(
        &mut self,
        index: usize,
        content: &str,
        user_id: &str,
        at: Timestamp,
    ) -> Note {
        let note = Note {
            id: self.ids.next('P', "note"),
            content: content.to_owned(),
            user_id: user_id.to_owned(),
            created_at: at,
        };
        self.touch(index, at).notes.push(note.clone());
        let channel = json!({"type": "note", "summary": content, "id": note.id});
        let agent = Agent::User(user_id.to_owned());
        self.log(index, "annotate", &agent, channel, json!({}), at);
        self.incident_event(index, "incident.annotated", &agent, at, None);
        note
    }

    /// Moves the alerts of `source` to `target` and resolves `source`.
    pub(crate) fn merge(&mut self, source: usize, target: usize, agent: &Agent, at: Timestamp) {
        let moved = std::mem::take(&mut self.incidents[source].alerts);
        for alert in &moved {
            self.alerts[*alert].incident = target;
        }
        let into = self.incidents[target].id.clone();
        self.touch(source, at).merged_into = Some(into);
        if self.incidents[source].status != Status::Resolved {
            self.resolve(source, agent, at);
        }
        self.touch(target, at).alerts.extend(moved);
    }
}
