//! The additional objects of an account with examples, under documented IDs.

mod automation;
mod events;
mod people;
mod publishing;
mod settings;

use serde_json::{Value, json};

use super::State;
use super::changes::Opening;
use super::incident::Urgency;
use super::log::Agent;
use super::{ChangeEvent, Subscription};
use crate::examples::id;

impl State {
    /// Adds the examples to the account after its other objects.
    pub(crate) fn seed_examples(&mut self) {
        self.seed_people();
        self.seed_services();
        self.seed_incidents();
        self.seed_settings();
        self.seed_publishing();
        self.seed_automation();
        self.seed_event_handling();
    }

    /// One object of a collection that is stored as in the API.
    fn example(&mut self, collection: &str, resource: &str, number: u8, own: Value) {
        self.keep(collection, &id(resource, number), resource, own);
    }

    fn seed_services(&mut self) {
        for (number, name) in [(1, "Example service"), (2, "Second example service")] {
            self.ids.want("service", &id("service", number));
            self.ids.want("integration", &id("integration", number));
            let teams = [id("team", 1)];
            let policy = id("escalation_policy", 1);
            self.add_service(name, "Made for examples.", &policy, &teams);
        }
        let service = id("service", 1);
        self.ids.want("change event", &id("change_event", 1));
        let change = self.ids.next('Q', "change event");
        let payload = json!({
            "summary": "Version 2 is out", "source": "deploy", "timestamp": "2025-06-01T12:00:00Z",
            "custom_details": {"version": "2"},
        });
        self.change_events.push(ChangeEvent {
            id: change,
            at: self.now(),
            service_id: service,
            integration_id: id("integration", 1),
            event: json!({"payload": payload, "links": [], "images": []}),
        });
    }

    /// Four incidents: two triggered, one acknowledged, one resolved.
    fn seed_incidents(&mut self) {
        let service = id("service", 1);
        let eve = Agent::User(id("user", 1));
        let now = self.now();
        self.ids.want("log entry", &id("log_entry", 1));
        let mut places = Vec::new();
        for (number, title) in [
            (1, "Checkout answers slowly"),
            (2, "Checkout answers slowly in one region"),
            (3, "Queue grows"),
            (4, "Disk was full"),
        ] {
            self.ids.want("incident", &id("incident", number));
            let mut opening = Opening::new(title, &service, now);
            opening.incident_key = Some(format!("example-{number}"));
            opening.urgency = if number == 3 { Urgency::Low } else { Urgency::High };
            places.push(self.open_incident(opening, &eve));
        }
        let event = json!({"payload": {
            "summary": "Checkout answers slowly", "source": "web-1", "severity": "critical",
            "custom_details": {"p95": "4s"},
        }});
        for number in [1, 2] {
            self.ids.want("alert", &id("alert", number));
        }
        let summary = "Checkout answers slowly";
        self.trigger_alert(&service, "example-1", summary, "critical", event.clone(), now);
        // A second alert belongs to the first incident, as with grouping.
        let second = "example-1-second";
        let keys = self.open_keys.entry(service.clone()).or_default();
        keys.insert(second.to_owned(), places[0]);
        self.trigger_alert(&service, second, "Checkout times out", "warning", event, now);
        self.open_keys.entry(service).or_default().remove(second);
        // A type with a custom field.
        self.incidents[places[0]].incident_type = "example_incident".to_owned();
        self.ids.want("note", &id("note", 1));
        self.annotate(places[0], "Looking into it.", &id("user", 1), now);
        self.acknowledge(places[2], &eve, now);
        self.resolve(places[3], &eve, now);
        let target = json!({
            "id": id("user", 2), "type": "user_reference", "incidents_responders": [],
        });
        let request = json!({
            "message": "Please help", "requester": self.user_reference(&id("user", 1)),
            "incident": self.incident_reference(places[0]),
            "responder_request_targets": [{"responder_request_target": target}],
        });
        self.touch(places[0], now).responder_requests.push(request);
        for (kind, what) in
            [("incident", id("incident", 1)), ("business_service", id("business_service", 1))]
        {
            for (who, number) in [("user", 1), ("team", 1)] {
                self.subscriptions.push(Subscription {
                    subscriber: (who.to_owned(), id(who, number)),
                    subscribable: (kind.to_owned(), what.clone()),
                });
            }
        }
    }
}
