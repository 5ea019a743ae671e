//! The Events API v2 and the effect of its events on incidents.

use pagerduty_simulator::{Origin, Simulator, Status};
use serde_json::{Value, json};

use crate::client::{Answer, ask, get};

async fn simulator() -> Simulator {
    Simulator::builder().start().await.unwrap()
}

async fn enqueue(simulator: &Simulator, event: &Value) -> Answer {
    let ask = ask(simulator, "POST", "/v2/enqueue").origin(Origin::EventsUs);
    ask.header("authorization", "").json(event).send().await
}

fn trigger(simulator: &Simulator, key: &str) -> Value {
    json!({
        "routing_key": simulator.us().keys().routing,
        "event_action": "trigger",
        "dedup_key": key,
        "payload": {"summary": "Disk is full", "source": "db-1", "severity": "critical"},
    })
}

fn follow_up(simulator: &Simulator, action: &str, key: &str) -> Value {
    json!({
        "routing_key": simulator.us().keys().routing,
        "event_action": action,
        "dedup_key": key,
    })
}

#[tokio::test]
async fn an_alert_is_triggered_acknowledged_and_resolved() {
    let simulator = simulator().await;
    let before = simulator.us().incident_count();
    let accepted = enqueue(&simulator, &trigger(&simulator, "disk")).await;
    assert_eq!(accepted.status, 202);
    assert_eq!(
        accepted.json(),
        json!({"status": "success", "message": "Event processed", "dedup_key": "disk"})
    );
    enqueue(&simulator, &trigger(&simulator, "disk")).await;
    let incidents = simulator.us().incidents();
    assert_eq!(incidents.len(), before + 1);
    let id = incidents[before].id.clone();
    assert_eq!(incidents[before].incident_key, "disk");

    enqueue(&simulator, &follow_up(&simulator, "acknowledge", "disk")).await;
    assert_eq!(simulator.us().incident(&id).unwrap().status, Status::Acknowledged);
    let alerts = get(&simulator, &format!("/incidents/{id}/alerts")).send().await.json();
    let alert = &alerts["alerts"][0];
    assert_eq!(alert["alert_key"], "disk");
    assert_eq!(alert["status"], "triggered");
    assert_eq!(alert["severity"], "critical");
    assert_eq!(alert["incident"]["id"], id.as_str());
    assert!(!alerts.to_string().contains(&simulator.us().keys().routing));
    let one = format!("/incidents/{id}/alerts/{}", alert["id"].as_str().unwrap());
    assert_eq!(get(&simulator, &one).send().await.json()["alert"]["id"], alert["id"]);

    enqueue(&simulator, &follow_up(&simulator, "resolve", "disk")).await;
    assert_eq!(simulator.us().incident(&id).unwrap().status, Status::Resolved);
    let path = format!("/incidents/{id}/alerts?statuses[]=resolved");
    assert_eq!(get(&simulator, &path).send().await.ids("alerts").len(), 1);
    assert_eq!(
        simulator.us().log_of(&id),
        [
            "trigger_log_entry",
            "assign_log_entry",
            "trigger_log_entry",
            "acknowledge_log_entry",
            "resolve_log_entry",
        ]
    );
    enqueue(&simulator, &trigger(&simulator, "disk")).await;
    assert_eq!(simulator.us().incident_count(), before + 2);
}

#[tokio::test]
async fn resolving_an_incident_resolves_its_alerts() {
    let simulator = simulator().await;
    enqueue(&simulator, &trigger(&simulator, "disk")).await;
    let id = simulator.us().incidents().last().unwrap().id.clone();
    let body = json!({"incident": {"type": "incident", "status": "resolved"}});
    let answer = ask(&simulator, "PUT", &format!("/incidents/{id}")).json(&body).send().await;
    let counts = &answer.json()["incident"]["alert_counts"];
    assert_eq!(*counts, json!({"all": 1, "triggered": 0, "resolved": 1}));
}

#[tokio::test]
async fn a_missing_dedup_key_is_generated_and_an_unknown_one_ignored() {
    let simulator = simulator().await;
    let mut event = trigger(&simulator, "x");
    event.as_object_mut().unwrap().remove("dedup_key");
    let made_up = enqueue(&simulator, &event).await.json()["dedup_key"].clone();
    assert!(made_up.as_str().unwrap().len() >= 16);
    let count = simulator.us().incident_count();
    for action in ["acknowledge", "resolve"] {
        let answer = enqueue(&simulator, &follow_up(&simulator, action, "never seen")).await;
        assert_eq!(answer.status, 202);
    }
    // The key of another service does not reach the alert.
    let mut stranger = follow_up(&simulator, "resolve", made_up.as_str().unwrap());
    stranger["routing_key"] = json!(simulator.us().keys().routing_keys[1]);
    assert_eq!(enqueue(&simulator, &stranger).await.status, 202);
    let last = simulator.us().incidents().pop().unwrap();
    assert_eq!((simulator.us().incident_count(), last.status), (count, Status::Triggered));
}

#[tokio::test]
async fn events_are_validated() {
    let simulator = simulator().await;
    let count = simulator.us().incident_count();
    for (pointer, value) in [
        ("/routing_key", json!("0123456789abcdef0123456789abcdef")),
        ("/routing_key", json!(simulator.eu().keys().routing)),
        ("/event_action", json!("open")),
        ("/dedup_key", json!("k".repeat(256))),
        ("/payload/severity", json!("fatal")),
        ("/payload/summary", json!("s".repeat(1025))),
        ("/payload/summary", json!("")),
        ("/payload/source", Value::Null),
        ("/payload/custom_details", json!("text")),
        ("/links", json!([{"text": "no href"}])),
    ] {
        let mut event = trigger(&simulator, "disk");
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        event.pointer_mut(parent).unwrap()[name] = value;
        let answer = enqueue(&simulator, &event).await;
        assert_eq!(answer.status, 400, "{pointer}");
        assert_eq!(answer.json()["status"], "invalid event");
        assert_eq!(answer.json()["message"], "Event object is invalid");
        assert!(answer.json()["errors"].is_array());
    }
    let mut keyless = follow_up(&simulator, "resolve", "x");
    keyless.as_object_mut().unwrap().remove("dedup_key");
    assert_eq!(enqueue(&simulator, &keyless).await.status, 400);
    let mut large = trigger(&simulator, "disk");
    large["payload"]["custom_details"] = json!({"dump": "d".repeat(512 * 1024)});
    assert_eq!(enqueue(&simulator, &large).await.status, 413);
    assert_eq!(simulator.us().incident_count(), count);
    let mut longest = trigger(&simulator, &"k".repeat(255));
    longest["payload"]["summary"] = json!("s".repeat(1024));
    assert_eq!(enqueue(&simulator, &longest).await.status, 202);
}

#[tokio::test]
async fn change_events_can_be_read_back() {
    let simulator = simulator().await;
    let event = json!({
        "routing_key": simulator.us().keys().routing,
        "payload": {"summary": "Deployed 1.2.3", "source": "pipeline", "custom_details": {"n": 1}},
        "links": [{"href": "https://ci.example.com/1", "text": "build"}],
    });
    let send = ask(&simulator, "POST", "/v2/change/enqueue").origin(Origin::EventsUs);
    assert_eq!(send.header("authorization", "").json(&event).send().await.status, 202);
    let list = get(&simulator, "/change_events").send().await;
    let id = list.ids("change_events")[0].clone();
    assert_eq!(list.json()["change_events"][0]["summary"], "Deployed 1.2.3");
    let one = get(&simulator, &format!("/change_events/{id}")).send().await.json();
    assert_eq!(one["change_event"]["custom_details"]["n"], 1);
    let local = get(&simulator, "/change_events?since=2026-01-01T00:00:00%2B02:00").send().await;
    assert_eq!(local.error(), (400, 2001));
}

#[tokio::test]
async fn events_have_a_separate_rate_limit_and_region() {
    let simulator = Simulator::builder().events_rate_limit(1).start().await.unwrap();
    let event = trigger(&simulator, "disk");
    assert_eq!(enqueue(&simulator, &event).await.status, 202);
    assert_eq!(enqueue(&simulator, &event).await.status, 429);
    simulator.set_events_rate_limit(100);
    let eu = ask(&simulator, "POST", "/v2/enqueue").origin(Origin::EventsEu).json(&event);
    assert_eq!(eu.send().await.status, 400);
    assert!(simulator.violations()[0].contains("REST credential"));
}
