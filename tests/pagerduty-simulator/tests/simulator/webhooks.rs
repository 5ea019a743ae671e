//! Webhooks: what is delivered to whom, in which words, in which order, and how often.

use std::time::Duration;

use pagerduty_simulator::{
    CertificateKind, DeliveryState, NewIncident, Origin, Region, Simulator, WebhookSubject, facts,
};
use serde_json::{Value, json};

use crate::client::{ask, line};
use crate::receiver::{Answer, Receiver};
use crate::world::{World, id, reference};

const SOON: Duration = Duration::from_millis(5);
const HOUR: Duration = Duration::from_secs(3600);

/// A simulator with examples that retries at once.
async fn world() -> World {
    let builder = Simulator::builder()
        .without_rate_limits()
        .examples(true)
        .webhook_answer_limit(Duration::from_millis(300))
        .webhook_backoff(SOON, SOON);
    World::of(builder.start().await.unwrap()).await
}

fn every_event() -> Vec<&'static str> {
    let events = facts::webhook_events().iter().filter(|one| one.data_type != "ping");
    events.map(|one| one.event_type.as_str()).collect()
}

fn subscription(url: &str, events: &[&str], filter: Value) -> Value {
    json!({"webhook_subscription": {
        "type": "webhook_subscription", "events": events, "filter": filter,
        "delivery_method": {"type": "http_delivery_method", "url": url},
    }})
}

fn account() -> Value {
    json!({"type": "account_reference"})
}

/// Subscribes to all events of the account; gives the path and the secret.
async fn subscribe(world: &World, receiver: &Receiver) -> (String, String) {
    let body = subscription(&receiver.url("/hook"), &every_event(), account());
    let made = world.post("/webhook_subscriptions", body).await["webhook_subscription"].clone();
    let secret = made["delivery_method"]["secret"].as_str().unwrap().to_owned();
    (format!("/webhook_subscriptions/{}", made["id"].as_str().unwrap()), secret)
}

fn subscription_id(path: &str) -> &str {
    path.rsplit('/').next().unwrap()
}

/// Opens an incident on the example service and gives its path.
async fn incident(world: &World) -> String {
    let body = json!({"incident": {
        "type": "incident", "title": "It burns", "service": reference("service"),
    }});
    let made = world.post("/incidents", body).await["incident"]["id"].clone();
    format!("/incidents/{}", made.as_str().unwrap())
}

async fn change(world: &World, incident: &str, mut change: Value) {
    change["type"] = json!("incident");
    world.put(incident, json!({"incident": change})).await;
}

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
async fn every_change_of_an_incident_tells_its_event_in_order() {
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
async fn services_and_events_tell_theirs_too() {
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
async fn subscriptions_get_what_they_asked_for_and_nothing_else() {
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
    // The other region's account has subscribers of its own.
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
async fn failures_are_tried_again_and_what_comes_after_waits() {
    let world = world().await;
    let receiver = Receiver::start().await;
    subscribe(&world, &receiver).await;
    let late = Answer::Late(Duration::from_secs(1));
    receiver.answer(&[Answer::Status(503), Answer::Status(429), late, Answer::Status(500)]);
    let path = incident(&world).await;
    change(&world, &path, json!({"status": "acknowledged"})).await;
    receiver.has(6).await;
    world.simulator.webhooks_rest().await;
    let types = receiver.types();
    assert_eq!(types[..5], ["incident.triggered"; 5]);
    assert_eq!(types[5], "incident.acknowledged");
    let arrivals = receiver.arrivals();
    let ids: Vec<&str> = arrivals.iter().map(|one| one.header("x-webhook-id")).collect();
    assert!(ids[..5].iter().all(|id| *id == ids[0]) && ids[5] != ids[0]);
    let first = world.simulator.webhook_deliveries()[0].clone();
    let statuses: Vec<Option<u16>> = first.attempts.iter().map(|one| one.status).collect();
    assert_eq!(statuses, [Some(503), Some(429), None, Some(500), Some(202)]);
    assert!(first.attempts[2].error.as_deref().unwrap().contains("in time"));
}

#[tokio::test]
async fn a_receiver_that_is_not_there_is_tried_for_two_days() {
    let builder =
        Simulator::builder().examples(true).webhook_backoff(Duration::from_secs(60), HOUR * 12);
    let world = World::of(builder.start().await.unwrap()).await;
    let nobody = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    let url = format!("http://{nobody}/");
    let body = subscription(&url, &["incident.triggered"], account());
    world.post("/webhook_subscriptions", body).await;
    incident(&world).await;
    let attempts = || world.simulator.webhook_deliveries()[0].attempts.len();
    let mut last = 0;
    for hours in 0..60 {
        let tried = async {
            while world.simulator.webhook_deliveries()[0].state == DeliveryState::Waiting
                && attempts() == last
            {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        // In some hours nothing is due.
        let _due_or_not = tokio::time::timeout(Duration::from_millis(15), tried).await;
        last = attempts();
        if world.simulator.webhook_deliveries()[0].state == DeliveryState::Dropped {
            assert!((36..=50).contains(&hours), "dropped after {hours} hours");
            assert!(last > 8, "{last}");
            return;
        }
        world.simulator.advance_clock(HOUR);
    }
    panic!("never dropped after {last} attempts");
}

#[tokio::test]
async fn three_refusals_in_a_row_disable_a_subscription_until_it_is_enabled_or_a_day_is_over() {
    let world = world().await;
    let receiver = Receiver::start().await;
    let (path, _) = subscribe(&world, &receiver).await;
    let disabled = async || {
        let read = world.get(&path).await;
        read["webhook_subscription"]["delivery_method"]["temporarily_disabled"].clone()
    };
    // A success in between starts the count anew.
    let refused = Answer::Status(400);
    receiver.answer(&[refused, refused, Answer::Status(200), refused, refused]);
    for expected in 1..=5 {
        incident(&world).await;
        receiver.has(expected).await;
    }
    world.simulator.webhooks_rest().await;
    assert_eq!(disabled().await, false);
    world.simulator.hold_webhooks();
    let one = incident(&world).await;
    change(&world, &one, json!({"status": "acknowledged"})).await;
    change(&world, &one, json!({"status": "resolved"})).await;
    receiver.always(refused);
    world.simulator.release_webhooks();
    world.simulator.webhooks_rest().await;
    assert_eq!(receiver.arrivals().len(), 6);
    assert_eq!(disabled().await, true);
    let states: Vec<DeliveryState> =
        world.simulator.webhook_deliveries().iter().rev().take(3).map(|one| one.state).collect();
    assert_eq!(
        states,
        [DeliveryState::Discarded, DeliveryState::Discarded, DeliveryState::Dropped]
    );

    let count = world.simulator.webhook_deliveries().len();
    incident(&world).await;
    assert_eq!(world.simulator.webhook_deliveries().len(), count);
    let enabled = world.call("POST", &format!("{path}/enable")).await;
    let method = &enabled["webhook_subscription"]["delivery_method"];
    assert_eq!(method["temporarily_disabled"], false);
    for expected in 7..=9 {
        incident(&world).await;
        receiver.has(expected).await;
    }
    world.simulator.webhooks_rest().await;
    assert_eq!(disabled().await, true);
    world.simulator.advance_clock(HOUR * 23);
    assert_eq!(disabled().await, true);
    world.simulator.advance_clock(HOUR);
    assert_eq!(disabled().await, false);
    receiver.always(Answer::Status(202));
    incident(&world).await;
    receiver.has(10).await;
}

#[tokio::test]
async fn a_ping_arrives_even_at_a_subscription_that_is_switched_off() {
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
async fn secrets_rotate_and_signatures_can_be_wrong() {
    let world = world().await;
    let receiver = Receiver::start().await;
    let (path, first) = subscribe(&world, &receiver).await;
    let own = subscription_id(&path);
    let second = world.simulator.add_webhook_secret(Region::Us, own).unwrap();
    incident(&world).await;
    receiver.has(1).await;
    let both = receiver.arrivals()[0].clone();
    assert!(both.is_signed_with(&first) && both.is_signed_with(&second));
    assert_eq!(both.header("x-pagerduty-signature").split(',').count(), 2);
    let third = world.simulator.rotate_webhook_secret(Region::Us, own).unwrap();
    incident(&world).await;
    receiver.has(2).await;
    let one = receiver.arrivals()[1].clone();
    assert!(
        one.is_signed_with(&third) && !one.is_signed_with(&first) && !one.is_signed_with(&second)
    );
    world.simulator.spoil_webhook_signatures(true);
    incident(&world).await;
    receiver.has(3).await;
    assert!(!receiver.arrivals()[2].is_signed_with(&third));
    world.simulator.spoil_webhook_signatures(false);
    incident(&world).await;
    receiver.has(4).await;
    assert!(receiver.arrivals()[3].is_signed_with(&third));
    assert_eq!(world.simulator.add_webhook_secret(Region::Us, "PUNKNOWN"), None);
}

#[tokio::test]
async fn deliveries_are_held_reordered_repeated_and_doubled_on_request() {
    let world = world().await;
    let receiver = Receiver::start().await;
    subscribe(&world, &receiver).await;
    world.simulator.hold_webhooks();
    let path = incident(&world).await;
    change(&world, &path, json!({"status": "acknowledged"})).await;
    change(&world, &path, json!({"status": "resolved"})).await;
    world.simulator.webhooks_rest().await;
    assert_eq!(receiver.arrivals().len(), 0);
    world.simulator.release_webhooks_reversed();
    receiver.has(3).await;
    world.simulator.webhooks_rest().await;
    assert_eq!(
        receiver.types(),
        ["incident.resolved", "incident.acknowledged", "incident.triggered"]
    );
    let before = receiver.arrivals();
    world.simulator.redeliver_webhooks(2);
    receiver.has(5).await;
    world.simulator.webhooks_rest().await;
    let again = receiver.arrivals()[3..].to_vec();
    assert_eq!(again[0].header("x-webhook-id"), before[1].header("x-webhook-id"));
    assert_eq!(again[0].body, before[1].body);
    receiver.forget();
    world.simulator.duplicate_webhooks(1);
    incident(&world).await;
    receiver.has(2).await;
    let twice = receiver.arrivals();
    assert_eq!(twice[0].header("x-webhook-id"), twice[1].header("x-webhook-id"));
    world.simulator.webhooks_rest().await;
    assert_eq!(receiver.arrivals().len(), 2);
}

#[tokio::test]
async fn one_resource_that_fails_holds_up_no_other() {
    let world = world().await;
    let receiver = Receiver::start().await;
    subscribe(&world, &receiver).await;
    receiver.answer(&[Answer::Late(Duration::from_millis(250))]);
    let slow = incident(&world).await;
    receiver.has(1).await;
    change(&world, &slow, json!({"status": "acknowledged"})).await;
    let quick = incident(&world).await;
    receiver.has(2).await;
    let second = receiver.arrivals()[1].event()["data"]["id"].clone();
    assert_eq!(format!("/incidents/{}", second.as_str().unwrap()), quick);
    receiver.has(3).await;
}

#[tokio::test]
async fn every_type_of_event_can_be_made_up_also_unknown_ones() {
    let world = world().await;
    let receiver = Receiver::start().await;
    subscribe(&world, &receiver).await;
    let us = world.simulator.us();
    let (incident, service) = (id("incident"), id("service"));
    for event in facts::webhook_events().iter().filter(|event| event.data_type != "ping") {
        let subject = match event.event_type.starts_with("service.") {
            true => WebhookSubject::Service(&service),
            false => WebhookSubject::Incident(&incident),
        };
        receiver.forget();
        assert!(us.emit_webhook(&event.event_type, subject, None));
        receiver.has(1).await;
        let arrival = receiver.arrivals()[0].event();
        assert_eq!(arrival["event_type"], event.event_type.as_str());
        assert_eq!(arrival["data"]["type"], event.data_type.as_str(), "{}", event.event_type);
    }
    receiver.forget();
    let subject = WebhookSubject::Incident(&incident);
    assert!(us.emit_webhook("incident.teleported", subject, Some(json!({"type": "new", "x": 1}))));
    receiver.has(1).await;
    assert_eq!(receiver.arrivals()[0].event()["data"], json!({"type": "new", "x": 1}));
    assert!(!us.emit_webhook("incident.triggered", WebhookSubject::Incident("QUNKNOWN"), None));
}

#[tokio::test]
async fn large_webhooks_are_trimmed_and_huge_ones_never_sent() {
    let world = world().await;
    let receiver = Receiver::start().await;
    subscribe(&world, &receiver).await;
    let path = format!("/incidents/{}/notes", id("incident"));
    for length in [1_000, 60_000, 270_000] {
        let note = json!({"note": {"content": "a".repeat(length)}});
        world.post(&path, note).await;
    }
    receiver.has(2).await;
    world.simulator.webhooks_rest().await;
    let data: Vec<Value> =
        receiver.arrivals().iter().map(|one| one.event()["data"].clone()).collect();
    assert_eq!((data.len(), &data[0]["trimmed"]), (2, &json!(false)));
    assert_eq!((&data[1]["trimmed"], &data[1]["details_omitted"]), (&json!(true), &json!(true)));
    assert!(receiver.arrivals()[1].body.len() < 56_320);
    let last = world.simulator.webhook_deliveries().pop().unwrap();
    assert_eq!((last.state, last.attempts.len()), (DeliveryState::TooLarge, 0));
}

#[tokio::test]
async fn https_receivers_must_be_vouched_for() {
    let world = world().await;
    let issue = |kind| world.simulator.issue_certificate(&["127.0.0.1"], kind).unwrap();
    let good = Receiver::start_tls(&issue(CertificateKind::Good)).await;
    let stranger = Receiver::start_tls(&issue(CertificateKind::SelfSigned)).await;
    let expired = Receiver::start_tls(&issue(CertificateKind::Expired)).await;
    let triggered = ["incident.triggered"];
    for receiver in [&good, &stranger, &expired] {
        let body = subscription(&receiver.url("/"), &triggered, account());
        world.post("/webhook_subscriptions", body).await;
    }
    incident(&world).await;
    good.has(1).await;
    let settled = async {
        loop {
            let all = world.simulator.webhook_deliveries();
            if all[1].state == DeliveryState::Dropped && all[2].attempts.len() > 2 {
                return all;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    let all = tokio::time::timeout(Duration::from_secs(10), settled).await.unwrap();
    // A stranger stays one; a certificate whose time is over may be renewed.
    assert_eq!((all[1].attempts.len(), all[2].state), (1, DeliveryState::Waiting));
    assert_eq!((stranger.arrivals().len(), expired.arrivals().len()), (0, 0));

    // Another authority can be trusted as well.
    let other = Simulator::builder().start().await.unwrap();
    let certificate = other.issue_certificate(&["127.0.0.1"], CertificateKind::Good).unwrap();
    let receiver = Receiver::start_tls(&certificate).await;
    let builder = Simulator::builder().examples(true).webhook_ca(other.ca_pem());
    let world = World::of(builder.start().await.unwrap()).await;
    let body = subscription(&receiver.url("/"), &triggered, account());
    world.post("/webhook_subscriptions", body).await;
    incident(&world).await;
    receiver.has(1).await;
}

#[tokio::test]
async fn names_and_passwords_of_an_address_become_a_header() {
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
async fn subscriptions_are_judged_when_they_are_made_and_changed() {
    let world = world().await;
    let home = "/webhook_subscriptions";
    let url = "http://127.0.0.1:9/";
    let triggered = ["incident.triggered"];
    for (body, code) in [
        (subscription(url, &["incident.exploded"], account()), 2001),
        (subscription(url, &["pagey.ping"], account()), 2001),
        (subscription(url, &["incident.triggered", "incident.triggered"], account()), 2001),
        (subscription(url, &[], account()), 2001),
        (subscription("ftp://127.0.0.1/", &triggered, account()), 2001),
        (subscription("nowhere", &triggered, account()), 2001),
        (subscription(url, &triggered, json!({"type": "service_reference"})), 2001),
        (subscription(url, &triggered, json!({"type": "team_reference", "id": "PUNKNOWN"})), 2001),
    ] {
        assert_eq!(world.refused("POST", home, body.clone()).await, (400, code), "{body}");
    }
    let mut doubled = subscription(url, &triggered, account());
    doubled["webhook_subscription"]["delivery_method"]["custom_headers"] =
        json!([{"name": "X-A", "value": "1"}, {"name": "x-a", "value": "2"}]);
    assert_eq!(world.refused("POST", home, doubled).await, (400, 2001));
    let mut last = String::new();
    for _ in 0..10 {
        let made = world.post(home, subscription(url, &triggered, account())).await;
        last = made["webhook_subscription"]["id"].as_str().unwrap().to_owned();
    }
    let eleventh = subscription(url, &triggered, account());
    assert_eq!(world.refused("POST", home, eleventh.clone()).await, (400, 2001));
    let listed = world.get(&format!("{home}?filter_type=account&limit=100")).await;
    assert_eq!(listed["webhook_subscriptions"].as_array().unwrap().len(), 10);
    assert_eq!(world.delete(&format!("{home}/{last}")).await, 204);
    world.post(home, eleventh).await;
    world.nothing_noted();

    let path = format!("{home}/{}", id("webhook_subscription"));
    let moved = json!({"webhook_subscription": {
        "description": "Moved", "delivery_method": {"url": "http://127.0.0.1:10/"},
    }});
    let after = world.put(&path, moved).await["webhook_subscription"].clone();
    assert_eq!(after["description"], "Moved");
    assert_eq!(after["delivery_method"]["url"], url);
    assert!(world.simulator.violations()[0].contains("webhook_subscription.delivery_method"));
    let writer = ["webhook_subscriptions.write"];
    let token = world.simulator.us().mint_token(pagerduty_simulator::TokenKind::AppToken, &writer);
    let line = line(&world.simulator).await;
    let service = subscription(url, &triggered, reference("service"));
    let ask = ask(&world.simulator, "POST", home).bearer(&token).json(&service);
    let refused = ask.send_on(&line).await;
    assert_eq!(refused.json()["error"]["required_scopes"], "incidents.read");
}

#[tokio::test]
async fn a_deleted_subscription_and_a_reset_account_deliver_nothing() {
    let world = world().await;
    let receiver = Receiver::start().await;
    let (path, _) = subscribe(&world, &receiver).await;
    world.simulator.hold_webhooks();
    incident(&world).await;
    assert_eq!(world.delete(&path).await, 204);
    world.simulator.release_webhooks();
    world.simulator.webhooks_rest().await;
    assert_eq!(world.simulator.webhook_deliveries()[0].state, DeliveryState::Discarded);
    subscribe(&world, &receiver).await;
    world.simulator.hold_webhooks();
    incident(&world).await;
    world.simulator.reset();
    world.simulator.release_webhooks();
    world.simulator.webhooks_rest().await;
    assert_eq!(receiver.arrivals().len(), 0);
}

#[tokio::test]
async fn time_that_passes_tells_its_events() {
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
