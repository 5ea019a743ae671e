//! The life cycle of an incident.

use std::time::Duration;

use pagerduty_simulator::{NewIncident, Simulator, Status};
use serde_json::{Value, json};

use crate::client::{Answer, ask, get};
use crate::judgement::new_incident;

async fn simulator() -> Simulator {
    Simulator::builder().start().await.unwrap()
}

async fn change(simulator: &Simulator, id: &str, mut change: Value) -> Answer {
    change["type"] = json!("incident_reference");
    let path = format!("/incidents/{id}");
    ask(simulator, "PUT", &path).json(&json!({"incident": change})).send().await
}

/// The types of the log entries, oldest first and without their common suffix.
async fn log(simulator: &Simulator, id: &str) -> Vec<String> {
    let answer = get(simulator, &format!("/incidents/{id}/log_entries?limit=100")).send().await;
    let answer = answer.json();
    let entries = answer["log_entries"].as_array().unwrap().iter().rev();
    entries
        .map(|entry| entry["type"].as_str().unwrap().trim_end_matches("_log_entry").to_owned())
        .collect()
}

#[tokio::test]
async fn an_incident_is_created_acknowledged_and_resolved_with_log_entries() {
    let simulator = simulator().await;
    let mut body = new_incident(&simulator);
    let p2 = simulator.us().priorities()[1].id.clone();
    body["incident"]["body"] = json!({"type": "incident_body", "details": "since noon"});
    body["incident"]["urgency"] = json!("low");
    body["incident"]["priority"] = json!({"id": p2, "type": "priority_reference"});
    let answer = ask(&simulator, "POST", "/incidents").json(&body).send().await;
    assert_eq!(answer.status, 201);
    let incident = &answer.json()["incident"];
    assert_eq!(incident["status"], "triggered");
    assert_eq!(incident["urgency"], "low");
    assert_eq!(incident["priority"]["name"], "P2");
    assert_eq!(incident["body"]["details"], "since noon");
    assert_eq!(incident["incident_number"], 6);
    assert_eq!(incident["last_status_change_by"]["summary"], "Ada Moreno");
    let id = incident["id"].as_str().unwrap();
    assert!(id.len() == 14 && id.starts_with('Q'));

    let taken = change(&simulator, id, json!({"status": "acknowledged"})).await;
    assert_eq!(taken.status, 200);
    let taken = &taken.json()["incident"];
    assert_eq!(taken["status"], "acknowledged");
    assert_eq!(taken["acknowledgements"][0]["acknowledger"]["summary"], "Ada Moreno");
    assert_eq!(taken["assignments"][0]["assignee"]["summary"], "Ada Moreno");
    let again = change(&simulator, id, json!({"status": "acknowledged"})).await;
    assert_eq!(again.error(), (400, 1002));

    let back = change(&simulator, id, json!({"status": "triggered"})).await;
    assert_eq!(back.json()["incident"]["status"], "triggered");

    let done = json!({"status": "resolved", "resolution": "turned it off and on"});
    let closed = change(&simulator, id, done).await;
    assert_eq!(closed.json()["incident"]["status"], "resolved");
    assert!(closed.json()["incident"]["resolved_at"].is_string());
    for late in
        [json!({"status": "acknowledged"}), json!({"status": "resolved"}), json!({"title": "x"})]
    {
        assert_eq!(change(&simulator, id, late).await.error(), (400, 1001));
    }
    assert_eq!(
        log(&simulator, id).await,
        ["trigger", "assign", "acknowledge", "unacknowledge", "annotate", "resolve"]
    );
    let read = get(&simulator, &format!("/incidents/{id}")).send().await;
    assert_eq!(read.json(), closed.json());
}

#[tokio::test]
async fn a_change_may_touch_every_field() {
    let simulator = simulator().await;
    let us = simulator.us();
    let id = us.add_incident(NewIncident::default());
    let (ben, p1) = (us.users()[1].id.clone(), us.priorities()[0].id.clone());
    let policy = us.escalation_policies()[0].id.clone();

    let answer = change(
        &simulator,
        &id,
        json!({
            "title": "New title", "urgency": "low",
            "priority": {"id": p1, "type": "priority_reference"},
            "conference_bridge": {"conference_number": "+1 555 0100"},
        }),
    )
    .await;
    let incident = &answer.json()["incident"];
    assert_eq!(incident["title"], "New title");
    assert_eq!(incident["urgency"], "low");
    assert_eq!(incident["priority"]["name"], "P1");
    assert_eq!(incident["conference_bridge"]["conference_number"], "+1 555 0100");
    let cleared = change(&simulator, &id, json!({"priority": null})).await;
    assert_eq!(cleared.json()["incident"]["priority"], Value::Null);

    change(&simulator, &id, json!({"status": "acknowledged"})).await;
    let to_ben = json!({"assignments": [{"assignee": {"id": ben, "type": "user_reference"}}]});
    let given = change(&simulator, &id, to_ben).await;
    assert_eq!(given.json()["incident"]["assignments"][0]["assignee"]["id"], ben.as_str());
    assert_eq!(given.json()["incident"]["status"], "triggered");

    let escalated = change(
        &simulator,
        &id,
        json!({
            "escalation_policy": {"id": policy, "type": "escalation_policy_reference"},
            "escalation_level": 2,
        }),
    )
    .await;
    assert_eq!(escalated.json()["incident"]["escalation_policy"]["id"], policy.as_str());
    assert_eq!(us.incident(&id).unwrap().escalation_level, 2);

    let search = us.services()[2].id.clone();
    let moved = json!({"service": {"id": search, "type": "service_reference"}});
    let moved = change(&simulator, &id, moved).await;
    assert_eq!(moved.json()["incident"]["service"]["id"], search.as_str());
    assert_eq!(
        us.log_of(&id)[2..],
        [
            "field_value_change_log_entry",
            "field_value_change_log_entry",
            "field_value_change_log_entry",
            "urgency_change_log_entry",
            "field_value_change_log_entry",
            "acknowledge_log_entry",
            "assign_log_entry",
            "escalate_log_entry",
            "assign_log_entry",
            "field_value_change_log_entry",
        ]
    );
}

#[tokio::test]
async fn an_invalid_change_is_refused() {
    let simulator = simulator().await;
    let id = simulator.us().add_incident(NewIncident::default());
    let ben = simulator.us().users()[1].id.clone();
    let user = |id: &str| json!([{"assignee": {"id": id, "type": "user_reference"}}]);
    let policy = json!({"id": "PX", "type": "escalation_policy_reference"});
    for (body, code) in [
        (json!({"status": "closed"}), 2001),
        (json!({"resolution": "none"}), 2001),
        (json!({"escalation_level": 9}), 1006),
        (json!({"escalation_level": "2"}), 2001),
        (json!({"escalation_policy": policy}), 1014),
        (json!({"assignments": user("PX")}), 1007),
        (json!({"assignments": []}), 2001),
        (json!({"assignments": user(&ben), "escalation_policy": policy}), 2001),
        (json!({"priority": {"id": "PX", "type": "priority_reference"}}), 1020),
        (json!({"service": {"id": "PX", "type": "service_reference"}}), 5002),
        (json!({"urgency": "HIGH"}), 2001),
    ] {
        let answer = change(&simulator, &id, body.clone()).await;
        assert_eq!(answer.error(), (400, code), "{body}");
    }
    assert_eq!(change(&simulator, "QUNKNOWN", json!({})).await.error(), (404, 2100));
    let untyped = ask(&simulator, "PUT", &format!("/incidents/{id}"));
    let untyped = untyped.json(&json!({"incident": {"title": "x"}})).send().await;
    assert_eq!(untyped.error(), (400, 2001));
    assert_eq!(simulator.us().log_of(&id).len(), 2);
}

#[tokio::test]
async fn an_open_incident_reserves_its_key() {
    let simulator = simulator().await;
    let mut body = new_incident(&simulator);
    body["incident"]["incident_key"] = json!("disk-7");
    let create = |body: &Value| ask(&simulator, "POST", "/incidents").json(body).send();
    let first = create(&body).await;
    assert_eq!(first.status, 201);
    let second = create(&body).await;
    assert_eq!(second.status, 400);
    assert_eq!(
        second.json(),
        json!({"error": {
            "message": "Arguments Caused Error",
            "code": 2002,
            "errors": ["Open incident with matching dedup key already exists on this service"],
        }})
    );
    let found = get(&simulator, "/incidents?incident_key=disk-7").send().await;
    let id = first.json()["incident"]["id"].as_str().unwrap().to_owned();
    assert_eq!(found.ids("incidents"), [id.as_str()]);

    let mut elsewhere = body.clone();
    elsewhere["incident"]["service"]["id"] = json!(simulator.us().services()[1].id);
    assert_eq!(create(&elsewhere).await.status, 201);
    assert_eq!(change(&simulator, &id, json!({"status": "resolved"})).await.status, 200);
    assert_eq!(create(&body).await.status, 201);
}

#[tokio::test]
async fn assigning_an_incident_to_oneself_acknowledges_it() {
    let simulator = simulator().await;
    let users = simulator.us().users();
    for (user, status) in [(&users[0], "acknowledged"), (&users[1], "triggered")] {
        let mut body = new_incident(&simulator);
        body["incident"]["assignments"] =
            json!([{"assignee": {"id": user.id, "type": "user_reference"}}]);
        let answer = ask(&simulator, "POST", "/incidents").json(&body).send().await;
        assert_eq!(answer.json()["incident"]["status"], status);
    }
}

#[tokio::test]
async fn a_snooze_requires_an_acknowledged_incident_and_ends() {
    let simulator = simulator().await;
    let id = simulator.us().add_incident(NewIncident::default());
    let snooze = |duration: Value| {
        let path = format!("/incidents/{id}/snooze");
        ask(&simulator, "POST", &path).json(&json!({"duration": duration})).send()
    };
    assert_eq!(snooze(json!(60)).await.error(), (400, 1012));
    change(&simulator, &id, json!({"status": "acknowledged"})).await;
    assert_eq!(snooze(json!(0)).await.error(), (400, 1013));
    assert_eq!(snooze(json!(604_801)).await.error(), (400, 1013));
    assert_eq!(snooze(json!("60")).await.error(), (400, 2001));
    let snoozed = snooze(json!(3600)).await;
    assert_eq!(snoozed.status, 201);
    assert_eq!(snoozed.json()["incident"]["pending_actions"][0]["type"], "unacknowledge");

    simulator.advance_clock(Duration::from_secs(3500));
    assert_eq!(simulator.us().incident(&id).unwrap().status, Status::Acknowledged);
    simulator.advance_clock(Duration::from_secs(101));
    let woken = get(&simulator, &format!("/incidents/{id}")).send().await;
    assert_eq!(woken.json()["incident"]["status"], "triggered");
    assert_eq!(
        log(&simulator, &id).await,
        ["trigger", "assign", "acknowledge", "snooze", "unacknowledge"]
    );
    change(&simulator, &id, json!({"status": "resolved"})).await;
    assert_eq!(snooze(json!(60)).await.error(), (400, 1001));
}

#[tokio::test]
async fn merging_resolves_the_sources() {
    let simulator = simulator().await;
    let us = simulator.us();
    let [target, source, closed] = [Status::Triggered, Status::Triggered, Status::Resolved]
        .map(|status| us.add_incident(NewIncident { status, ..NewIncident::default() }));
    let merge = |into: &str, from: &str| {
        let body = json!({"source_incidents": [{"id": from, "type": "incident_reference"}]});
        ask(&simulator, "PUT", &format!("/incidents/{into}/merge")).json(&body).send()
    };
    assert_eq!(merge(&closed, &source).await.error(), (400, 1001));
    assert_eq!(merge(&target, &target).await.error(), (400, 2001));
    assert_eq!(merge(&target, "QX").await.error(), (404, 2100));
    let merged = merge(&target, &source).await;
    assert_eq!(merged.status, 200);
    assert_eq!(merged.json()["incident"]["type"], "incident_reference");
    assert_eq!(merged.json()["incident"]["id"], target.as_str());
    let gone = get(&simulator, &format!("/incidents/{source}")).send().await.json();
    assert_eq!(gone["incident"]["status"], "resolved");
    assert_eq!(gone["incident"]["resolve_reason"]["incident"]["id"], target.as_str());
    assert_eq!(merge(&target, &source).await.error(), (400, 1019));
}

#[tokio::test]
async fn many_incidents_are_changed_together_or_not_at_all() {
    let simulator = simulator().await;
    let ids = simulator.us().add_incidents(251);
    let manage = |ids: &[String]| {
        let changes: Vec<Value> = ids
            .iter()
            .map(|id| json!({"id": id, "type": "incident_reference", "status": "resolved"}))
            .collect();
        ask(&simulator, "PUT", "/incidents").json(&json!({"incidents": changes})).send()
    };
    assert_eq!(manage(&ids).await.status, 413);
    assert_eq!(manage(&[]).await.error(), (400, 2001));
    assert_eq!(manage(&[ids[0].clone(), "QX".to_owned()]).await.error(), (404, 2100));
    assert_eq!(simulator.us().incident(&ids[0]).unwrap().status, Status::Triggered);
    let done = manage(&ids[..250]).await;
    assert_eq!(done.ids("incidents"), ids[..250]);
    assert_eq!(simulator.us().incident(&ids[0]).unwrap().status, Status::Resolved);
    assert_eq!(manage(&[ids[250].clone(), ids[0].clone()]).await.error(), (400, 1001));
    assert_eq!(simulator.us().incident(&ids[250]).unwrap().status, Status::Triggered);
}

#[tokio::test]
async fn notes_are_written_and_read() {
    let simulator = simulator().await;
    let id = simulator.us().add_incident(NewIncident::default());
    let path = format!("/incidents/{id}/notes");
    let write = |content: Value| {
        ask(&simulator, "POST", &path).json(&json!({"note": {"content": content}})).send()
    };
    let written = write(json!("It was the disk.")).await;
    assert_eq!(written.status, 200);
    assert_eq!(written.json()["note"]["user"]["summary"], "Ada Moreno");
    for content in [json!(""), json!(3), Value::Null] {
        assert_eq!(write(content).await.error(), (400, 2001));
    }
    let read = get(&simulator, &path).send().await.json();
    assert_eq!(read["notes"][0], written.json()["note"]);
    assert_eq!(read["notes"].as_array().unwrap().len(), 1);
    assert_eq!(log(&simulator, &id).await, ["trigger", "assign", "annotate"]);
    assert_eq!(get(&simulator, "/incidents/QX/notes").send().await.status, 404);
}
