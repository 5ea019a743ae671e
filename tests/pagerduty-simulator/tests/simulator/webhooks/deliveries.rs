//! The content and the recipients of deliveries.

use std::time::Duration;

use pagerduty_simulator::{DeliveryState, NewIncident, Origin};
use serde_json::{Value, json};

use super::{account, change, incident, subscribe, subscription, subscription_id, world};
use crate::client::ask;
use crate::receiver::Receiver;
use crate::world::{id, reference};

#[tokio::test]
async fn a_delivery_has_its_headers_its_signature_and_one_event() {
    let world = world().await;
    let receiver = Receiver::start().await;
    let mut body = subscription(&receiver.url("/hook?x=1"), &["incident.triggered"], account());
    body["webhook_subscription"]["delivery_method"]["custom_headers"] =
        json!([{"name": "X-Team", "value": "night shift"}]);
    let made = world.post("/webhook_subscriptions", body).await["webhook_subscription"].clone();
    let secret = made["delivery_method"]["secret"].as_str().unwrap();
    assert_eq!(secret.len(), 64);
    assert!(world.simulator.issued_webhook_secrets().iter().any(|one| one == secret));
    assert_eq!(made["delivery_method"]["custom_headers"][0]["value"], "<redacted>");
    let path = format!("/webhook_subscriptions/{}", made["id"].as_str().unwrap());
    let read = world.get(&path).await["webhook_subscription"].clone();
    assert_eq!(read["delivery_method"]["secret"], Value::Null);
    assert_eq!(read["filter"]["id"], world.simulator.us().id());

    let opened = incident(&world).await;
    receiver.has(1).await;
    let arrival = receiver.arrivals()[0].clone();
    assert_eq!(arrival.target, "/hook?x=1");
    assert_eq!(arrival.header("x-team"), "night shift");
    assert_eq!(arrival.header("user-agent"), "PagerDuty-Webhook/V3.0");
    assert_eq!(arrival.header("content-type"), "application/json");
    assert_eq!(arrival.header("x-webhook-subscription"), subscription_id(&path));
    assert!(arrival.is_signed_with(secret) && !arrival.is_signed_with("another"));
    let event = arrival.event();
    assert_eq!(event["event_type"], "incident.triggered");
    assert_eq!(event["resource_type"], "incident");
    assert_eq!(event["agent"]["summary"], "Ada Moreno");
    assert_eq!(event["client"]["name"], "PagerDuty");
    let at = event["occurred_at"].as_str().unwrap();
    assert!(at.len() == 24 && at.ends_with('Z'), "{at}");
    let data = &event["data"];
    assert_eq!(format!("/incidents/{}", data["id"].as_str().unwrap()), opened);
    for (name, value) in [
        ("type", json!("incident")),
        ("title", json!("It burns")),
        ("status", json!("triggered")),
        ("urgency", json!("high")),
        ("priority", Value::Null),
        ("conference_bridge", Value::Null),
        ("resolve_reason", Value::Null),
        ("incident_type", json!({"name": "incident_default"})),
    ] {
        assert_eq!(data[name], value, "{name}");
    }
    assert_eq!(data["assignees"][0]["type"], "user_reference");
    assert_eq!(data["service"]["id"], id("service").as_str());
    assert!(data.get("incident_number").is_none() && data["number"].is_number());
    world.simulator.webhooks_rest().await;
    let delivery = world.simulator.webhook_deliveries()[0].clone();
    assert_eq!(delivery.state, DeliveryState::Delivered);
    assert_eq!(delivery.webhook_id, arrival.header("x-webhook-id"));
    assert_eq!((delivery.body, delivery.attempts[0].status), (arrival.body, Some(202)));
    world.nothing_noted();
}

#[tokio::test]
async fn every_change_of_an_incident_sends_its_event_in_order() {
    let world = world().await;
    let receiver = Receiver::start().await;
    subscribe(&world, &receiver).await;
    let path = incident(&world).await;
    let user = json!([{"assignee": {"id": "PUSER000000002", "type": "user_reference"}}]);
    change(&world, &path, json!({"assignments": user})).await;
    change(&world, &path, json!({"escalation_level": 2})).await;
    let policy = json!({"id": "PESCALATIONPO2", "type": "escalation_policy_reference"});
    change(&world, &path, json!({"escalation_policy": policy})).await;
    let priority = json!({"id": id("priority"), "type": "priority_reference"});
    change(&world, &path, json!({"priority": priority})).await;
    let bridge =
        json!({"conference_number": "+1 555 0100", "conference_url": "https://example.com/"});
    change(&world, &path, json!({"conference_bridge": bridge})).await;
    change(&world, &path, json!({"incident_type": {"name": "example_incident"}})).await;
    let service = json!({"id": "PSERVICE000002", "type": "service_reference"});
    change(&world, &path, json!({"service": service})).await;
    change(&world, &path, json!({"status": "acknowledged"})).await;
    change(&world, &path, json!({"status": "triggered"})).await;
    world.post(&format!("{path}/notes"), json!({"note": {"content": "Smoke"}})).await;
    world.post(&format!("{path}/status_updates"), json!({"message": "Looking"})).await;
    let values = json!({"custom_fields": [{"name": "environment", "value": "staging"}]});
    world.put(&format!("{path}/custom_fields/values"), values).await;
    let target = json!({"id": "PUSER000000003", "type": "user_reference"});
    let request = json!({
        "requester_id": id("user"), "message": "Come",
        "responder_request_targets": [{"responder_request_target": target}],
    });
    world.post(&format!("{path}/responder_requests"), request).await;
    let number = path.rsplit('/').next().unwrap().to_owned();
    assert!(world.simulator.us().reply_as_responder(&number, "PUSER000000003", true));
    let start = json!({"incident_workflow_instance": {
        "incident": {"id": number, "type": "incident_reference"},
    }});
    let workflow = format!("/incident_workflows/{}/instances", id("incident_workflow"));
    world.post(&workflow, start).await;
    let run = json!({"invocation": {"metadata": {"incident_id": number}}});
    let action = format!("/automation_actions/actions/{}/invocations", id("action"));
    world.post(&action, run).await;
    change(&world, &path, json!({"status": "resolved"})).await;
    assert!(world.simulator.us().reopen_incident(&number));
    let expected = [
        ("incident.triggered", "incident"),
        ("incident.reassigned", "incident"),
        ("incident.escalated", "incident"),
        ("incident.delegated", "incident"),
        ("incident.priority_updated", "incident"),
        ("incident.conference_bridge.updated", "incident_conference_bridge"),
        ("incident.incident_type.changed", "incident"),
        ("incident.service_updated", "incident"),
        ("incident.acknowledged", "incident"),
        ("incident.unacknowledged", "incident"),
        ("incident.annotated", "incident_note"),
        ("incident.status_update_published", "incident_status_update"),
        ("incident.custom_field_values.updated", "incident_field_values"),
        ("incident.responder.added", "incident_responder"),
        ("incident.responder.replied", "incident_responder"),
        ("incident.workflow.started", "incident_workflow_instance"),
        ("incident.workflow.completed", "incident_workflow_instance"),
        ("incident.action_invocation.created", "incident_action_invocation"),
        ("incident.resolved", "incident"),
        ("incident.reopened", "incident"),
    ];
    receiver.has(expected.len()).await;
    let arrivals = receiver.arrivals();
    let seen: Vec<(String, String)> = arrivals
        .iter()
        .map(|one| (one.event_type(), one.event()["data"]["type"].as_str().unwrap().to_owned()))
        .collect();
    let wanted: Vec<(String, String)> =
        expected.iter().map(|(event, data)| ((*event).to_owned(), (*data).to_owned())).collect();
    assert_eq!(seen, wanted);
    let data = |place: usize| arrivals[place].event()["data"].clone();
    assert_eq!(data(5)["conference_numbers"][0]["number"], "+1 555 0100");
    assert_eq!(data(10)["content"], "Smoke");
    assert_eq!(data(11)["message"], "Looking");
    assert_eq!(data(12)["custom_fields"][0]["value"], "staging");
    assert_eq!(data(12)["changed_custom_fields"][0]["value"], Value::Null);
    assert_eq!((&data(13)["state"], &data(14)["state"]), (&json!("pending"), &json!("joined")));
    assert_eq!(data(15)["incident_workflow"]["summary"], "Example workflow");
    assert_eq!(data(17)["action"]["summary"], "Example action");
    assert_eq!(data(18)["status"], "resolved");
    assert!(data(19)["reopened_at"].is_string());
}

#[tokio::test]
async fn services_and_alerts_send_events_too() {
    let world = world().await;
    let receiver = Receiver::start().await;
    subscribe(&world, &receiver).await;
    let service = |name: &str| {
        json!({"service": {
            "type": "service", "name": name, "escalation_policy": reference("escalation_policy"),
        }})
    };
    let made = world.post("/services", service("Bank")).await["service"]["id"].clone();
    let path = format!("/services/{}", made.as_str().unwrap());
    world.put(&path, service("Bank 2")).await;
    let value = json!({"custom_fields": [{"name": "environment", "value": "staging"}]});
    world.put(&format!("{path}/custom_fields/values"), value).await;
    assert_eq!(world.delete(&path).await, 204);
    receiver.has(4).await;
    let seen = receiver.types();
    assert_eq!(
        seen,
        [
            "service.created",
            "service.updated",
            "service.custom_field_values.updated",
            "service.deleted"
        ]
    );
    let last = receiver.arrivals()[3].event();
    assert_eq!(
        (&last["resource_type"], &last["data"]["summary"]),
        (&json!("service"), &json!("Bank 2"))
    );
    receiver.forget();
    let key = world.simulator.us().services().into_iter().find(|one| one.id == id("service"));
    let key = key.unwrap().routing_key;
    for action in ["trigger", "acknowledge", "resolve"] {
        let event = json!({
            "routing_key": key, "event_action": action, "dedup_key": "fire",
            "payload": {"summary": "Fire", "source": "s", "severity": "critical"},
        });
        let ask = ask(&world.simulator, "POST", "/v2/enqueue").origin(Origin::EventsUs);
        assert_eq!(ask.header("authorization", "").json(&event).send().await.status, 202);
    }
    receiver.has(3).await;
    assert_eq!(
        receiver.types(),
        ["incident.triggered", "incident.acknowledged", "incident.resolved"]
    );
    assert_eq!(receiver.arrivals()[0].event()["agent"]["type"], "service_reference");
}

#[tokio::test]
async fn subscriptions_receive_only_their_events() {
    let world = world().await;
    let [by_service, by_team, by_type, off] = [
        Receiver::start().await,
        Receiver::start().await,
        Receiver::start().await,
        Receiver::start().await,
    ];
    let triggered = ["incident.triggered"];
    let home = "/webhook_subscriptions";
    let second = json!({"id": "PSERVICE000002", "type": "service_reference"});
    world.post(home, subscription(&by_service.url("/"), &triggered, second)).await;
    world.post(home, subscription(&by_team.url("/"), &triggered, reference("team"))).await;
    world.post(home, subscription(&by_type.url("/"), &["incident.resolved"], account())).await;
    let mut inactive = subscription(&off.url("/"), &triggered, account());
    inactive["webhook_subscription"]["active"] = json!(false);
    world.post(home, inactive).await;
    let elsewhere = world.simulator.us().services()[0].id.clone();
    for service in [id("service"), "PSERVICE000002".to_owned(), elsewhere] {
        let body = json!({"incident": {
            "type": "incident", "title": service,
            "service": {"id": service, "type": "service_reference"},
        }});
        world.post("/incidents", body).await;
    }
    // The account of the other region has separate subscribers.
    world.simulator.eu().add_incident(NewIncident::default());
    by_team.has(2).await;
    by_service.has(1).await;
    world.simulator.webhooks_rest().await;
    let titles = |receiver: &Receiver| -> Vec<String> {
        let mut titles: Vec<String> = receiver
            .arrivals()
            .iter()
            .map(|one| one.event()["data"]["title"].as_str().unwrap().to_owned())
            .collect();
        titles.sort();
        titles
    };
    assert_eq!(titles(&by_service), ["PSERVICE000002"]);
    assert_eq!(titles(&by_team), ["PSERVICE000001", "PSERVICE000002"]);
    assert_eq!((by_type.arrivals().len(), off.arrivals().len()), (0, 0));
}

#[tokio::test]
async fn a_ping_is_sent_even_to_a_disabled_subscription() {
    let world = world().await;
    let receiver = Receiver::start().await;
    let mut body = subscription(&receiver.url("/"), &["incident.triggered"], account());
    body["webhook_subscription"]["active"] = json!(false);
    let made = world.post("/webhook_subscriptions", body).await["webhook_subscription"].clone();
    let path = format!("/webhook_subscriptions/{}", made["id"].as_str().unwrap());
    assert_eq!(world.send("POST", &format!("{path}/ping"), None).await.status, 202);
    receiver.has(1).await;
    let event = receiver.arrivals()[0].event();
    assert_eq!(
        (&event["event_type"], &event["resource_type"]),
        (&json!("pagey.ping"), &json!("pagey"))
    );
    assert_eq!(event["data"], json!({"message": "Hello from your friend Pagey!", "type": "ping"}));
    assert_eq!(event["agent"], Value::Null);
}

#[tokio::test]
async fn user_and_password_of_a_url_become_a_header() {
    let world = world().await;
    let receiver = Receiver::start().await;
    let url = format!("http://pager:long%20word@{}/", receiver.address());
    let body = subscription(&url, &["incident.triggered"], account());
    world.post("/webhook_subscriptions", body).await;
    incident(&world).await;
    receiver.has(1).await;
    assert_eq!(receiver.arrivals()[0].header("authorization"), "Basic cGFnZXI6bG9uZyB3b3Jk");
}

#[tokio::test]
async fn the_passage_of_time_sends_events() {
    let world = world().await;
    let receiver = Receiver::start().await;
    let body = subscription(&receiver.url("/"), &["incident.unacknowledged"], account());
    world.post("/webhook_subscriptions", body).await;
    let snooze = json!({"duration": 600});
    world.post("/incidents/QINCIDENT00003/snooze", snooze).await;
    world.simulator.advance_clock(Duration::from_secs(601));
    receiver.has(1).await;
    assert_eq!(receiver.arrivals()[0].event()["data"]["id"], "QINCIDENT00003");
}
