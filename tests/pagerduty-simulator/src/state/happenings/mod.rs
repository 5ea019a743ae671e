//! Events in an account, delivered to its subscriptions.

mod data;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::State;
use super::log::Agent;
use crate::facts;
use crate::ids::uuid;
use crate::webhooks::{Outgoing, Target};

pub(crate) const SUBSCRIPTIONS: &str = "/webhook_subscriptions";

/// The subject of an event, for filters and for the order of deliveries.
struct Subject {
    kind: &'static str,
    id: String,
    service_id: String,
    team_ids: Vec<String>,
}

impl State {
    /// Updates a subscription in the dispatcher.
    pub(crate) fn register(&self, id: &str) {
        let (Some(hooks), Some(one)) = (&self.hooks, self.store.get(SUBSCRIPTIONS, id)) else {
            return;
        };
        let method = &one["delivery_method"];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let headers = method["custom_headers"].as_array().into_iter().flatten();
        let target = Target {
            url: text(&method["url"]),
            headers: headers.map(|one| (text(&one["name"]), text(&one["value"]))).collect(),
            secret: text(&method["secret"]),
            active: one["active"] != false,
        };
        hooks.register(self.region, id, target);
    }

    /// Updates every subscription in the dispatcher.
    pub(crate) fn register_all(&self) {
        for (_, one) in self.store.all(SUBSCRIPTIONS) {
            self.register(one["id"].as_str().unwrap_or_default());
        }
    }

    /// Whether there are subscriptions; events are created only then.
    fn is_heard(&self) -> bool {
        self.hooks.is_some() && self.store.all(SUBSCRIPTIONS).next().is_some()
    }

    /// An event of an incident. Default data follows from the type.
    pub(crate) fn incident_event(
        &self,
        index: usize,
        event_type: &str,
        agent: &Agent,
        at: Timestamp,
        data: Option<Value>,
    ) {
        if !self.is_heard() {
            return;
        }
        let incident = &self.incidents[index];
        let mut team_ids = self
            .service(&incident.service_id)
            .map(|service| service.team_ids.clone())
            .unwrap_or_default();
        let policy = self.policy(&incident.escalation_policy_id);
        team_ids.extend(policy.iter().flat_map(|policy| policy.team_ids.clone()));
        let subject = Subject {
            kind: "incident",
            id: incident.id.clone(),
            service_id: incident.service_id.clone(),
            team_ids,
        };
        let data = data.unwrap_or_else(|| self.data_about_incident(index, event_type));
        self.tell(&subject, event_type, agent, at, data);
    }

    /// An event of a service.
    pub(crate) fn service_event(
        &self,
        id: &str,
        event_type: &str,
        agent: &Agent,
        at: Timestamp,
        data: Option<Value>,
    ) {
        if !self.is_heard() {
            return;
        }
        let Some(service) = self.service(id) else { return };
        let subject = Subject {
            kind: "service",
            id: id.to_owned(),
            service_id: id.to_owned(),
            team_ids: service.team_ids.clone(),
        };
        let data = data.unwrap_or_else(|| self.data_about_service(id, event_type));
        self.tell(&subject, event_type, agent, at, data);
    }

    /// Delivers a ping to one subscription, regardless of its events.
    pub(crate) fn ping(&self, subscription: &str, at: Timestamp) {
        let Some(hooks) = &self.hooks else { return };
        let data = json!({"message": "Hello from your friend Pagey!", "type": "ping"});
        let event = event("pagey.ping", "pagey", Value::Null, at, data);
        hooks.push(self.region, subscription, outgoing(event, "pagey"));
    }

    fn tell(&self, subject: &Subject, event_type: &str, agent: &Agent, at: Timestamp, data: Value) {
        let Some(hooks) = &self.hooks else { return };
        let agent = match agent {
            Agent::Key(_) => Value::Null,
            agent => self.agent_json(agent, false),
        };
        let event = event(event_type, subject.kind, agent, at, data);
        let known = facts::webhook_events().iter().any(|one| one.event_type == event_type);
        for (_, one) in self.store.all(SUBSCRIPTIONS) {
            let mut events = one["events"].as_array().into_iter().flatten();
            // Unknown events cannot be subscribed to, so every subscription receives them.
            let wanted = !known || events.any(|name| name == event_type);
            if wanted && one["active"] != false && covers(&one["filter"], subject) {
                let id = one["id"].as_str().unwrap_or_default();
                hooks.push(self.region, id, outgoing(event.clone(), &subject.id));
            }
        }
    }
}

fn covers(filter: &Value, subject: &Subject) -> bool {
    let id = filter["id"].as_str().unwrap_or_default();
    match filter["type"].as_str() {
        Some("service_reference") => subject.service_id == id,
        Some("team_reference") => subject.team_ids.iter().any(|team| team == id),
        _ => true,
    }
}

fn event(event_type: &str, resource: &str, agent: Value, at: Timestamp, data: Value) -> Value {
    let at = Timestamp::from_millisecond(at.as_millisecond()).unwrap_or(at);
    let client = if agent.is_null() { Value::Null } else { json!({"name": "PagerDuty"}) };
    json!({
        "id": uuid(),
        "event_type": event_type,
        "resource_type": resource,
        "occurred_at": at.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string(),
        "agent": agent,
        "client": client,
        "data": data,
    })
}

fn outgoing(event: Value, resource_id: &str) -> Outgoing {
    let text = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
    Outgoing {
        event_id: text("id"),
        event_type: text("event_type"),
        resource_id: resource_id.to_owned(),
        payload: json!({"event": event}),
    }
}
