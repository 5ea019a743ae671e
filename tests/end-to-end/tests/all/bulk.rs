//! Many incidents changed with few requests: how many, what each item gets, and what a failure of
//! one request means for the items of the others.

use std::collections::BTreeSet;

use end_to_end::{World, error, values};
use pagerduty_simulator::{Fault, FaultAction, NewIncident, RecordedRequest, Simulator, Status};
use serde_json::{Value, json};
use workflow_node_host::Outcome;

/// Maximum number of incidents that PagerDuty accepts in one request.
const AT_ONCE: usize = 250;
const MANY: usize = 600;

/// A world without rate limits and with one connection per request, so that a broken connection affects
/// no other request.
async fn world() -> World {
    let simulator = Simulator::builder().without_rate_limits().http1_only();
    World::with(simulator, |host| host.rate_limit(Vec::new())).await
}

fn items(ids: &[String], change: &Value) -> Vec<Value> {
    let item = |id: &String| {
        let mut item = change.clone();
        item["incident_id"] = json!(id);
        item
    };
    ids.iter().map(item).collect()
}

/// The requests that write, and the incidents that each of them names.
fn writes(world: &World) -> Vec<(RecordedRequest, Vec<String>)> {
    let named = |request: RecordedRequest| {
        let body = request.json();
        let ids = body["incidents"].as_array().into_iter().flatten();
        let ids = ids.map(|one| one["id"].as_str().unwrap().to_owned()).collect();
        (request, ids)
    };
    world.simulator.requests().into_iter().filter(|one| one.method == "PUT").map(named).collect()
}

fn log_count(world: &World, incident: &str, kind: &str) -> usize {
    let kind = format!("{kind}_log_entry");
    world.us().log_of(incident).iter().filter(|entry| **entry == kind).count()
}

fn failed(outcome: &Outcome, ids: &[String]) -> BTreeSet<String> {
    let with_ids = outcome.items.iter().zip(ids);
    with_ids.filter(|(item, _)| item.error.is_some()).map(|(_, id)| id.clone()).collect()
}

/// Whether these are exactly the incidents of one of the requests. They come at once, so it is not
/// said of which.
fn is_one_of(writes: &[(RecordedRequest, Vec<String>)], incidents: &BTreeSet<String>) -> bool {
    writes.iter().any(|(_, ids)| ids.iter().cloned().collect::<BTreeSet<_>>() == *incidents)
}

#[tokio::test(flavor = "multi_thread")]
async fn six_hundred_items_of_every_bulk_action_are_three_requests_and_keep_their_order() {
    let world = world().await;
    let ids: Vec<String> = world.us().add_incidents(MANY).into_iter().rev().collect();
    let ben = world.us().users()[1].id.clone();
    let p1 = world.us().priorities()[0].id.clone();
    let of = |id: &String| world.us().incident(id).unwrap();
    type Holds<'a> = Box<dyn Fn(&String) -> bool + 'a>;
    let (ben, p1) = (&ben, &p1);
    let cases: Vec<(&str, Value, Holds<'_>)> = vec![
        ("incident.update", json!({"title": "Changed"}), Box::new(|id| of(id).title == "Changed")),
        (
            "incident.change_urgency",
            json!({"urgency": "low"}),
            Box::new(|id| of(id).urgency.to_string() == "low"),
        ),
        (
            "incident.change_priority",
            json!({ "priority_id": p1 }),
            Box::new(move |id| of(id).priority_id.as_ref() == Some(p1)),
        ),
        ("incident.acknowledge", json!({}), Box::new(|id| of(id).status == Status::Acknowledged)),
        ("incident.reopen", json!({}), Box::new(|id| of(id).status == Status::Triggered)),
        (
            "incident.reassign",
            json!({"assignee_ids": [ben]}),
            Box::new(move |id| of(id).assignee_ids == [ben.clone()]),
        ),
        (
            "incident.escalate",
            json!({"escalation_level": 2}),
            Box::new(|id| of(id).escalation_level == 2),
        ),
        (
            "incident.resolve",
            json!({"resolution": "Done."}),
            Box::new(|id| of(id).status == Status::Resolved && of(id).notes.len() == 1),
        ),
    ];
    for (action, change, holds) in cases {
        world.simulator.clear_requests();
        let outcome = world.run(action, &items(&ids, &change)).await;
        for (place, id) in ids.iter().enumerate() {
            assert_eq!(values(&outcome, place)[0]["id"], *id, "{action}");
            assert!(holds(id), "{action}: {id}");
        }
        let mut sizes: Vec<usize> = writes(&world).iter().map(|(_, ids)| ids.len()).collect();
        sizes.sort_unstable();
        assert_eq!(sizes, [MANY - 2 * AT_ONCE, AT_ONCE, AT_ONCE], "{action}");
        assert_eq!(outcome.requests, 3, "{action}");
    }
    assert_eq!(world.simulator.violations(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_change_fails_alone_and_the_others_are_made() {
    let world = world().await;
    let mut ids = world.us().add_incidents(300);
    let resolved = NewIncident { status: Status::Resolved, ..NewIncident::default() };
    ids[17] = "QNOSUCHINCIDENT".to_owned();
    ids[280] = world.us().add_incident(resolved);
    let outcome =
        world.run("incident.change_urgency", &items(&ids, &json!({"urgency": "low"}))).await;
    for (place, id) in ids.iter().enumerate() {
        match place {
            17 => assert_eq!(error(&outcome, place).kind, "not-found"),
            280 => {
                let refused = error(&outcome, place);
                assert_eq!(
                    (refused.kind.as_str(), refused.code.as_deref()),
                    ("conflict", Some("1001"))
                );
            }
            _ => {
                assert_eq!(values(&outcome, place)[0]["id"], *id);
                assert_eq!(world.us().incident(id).unwrap().urgency.to_string(), "low");
                assert_eq!(log_count(&world, id, "urgency_change"), 1, "changed once");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_sets_no_state_and_loses_its_response_is_unknown_and_sent_once() {
    let world = world().await;
    let status = |code| FaultAction::Status { code, headers: Vec::new(), body: Vec::new() };
    for (fault, happened) in [
        (Fault::new(status(500)), false),
        (Fault::new(status(502)).after_apply(), true),
        (Fault::new(FaultAction::ResetAfterApply), true),
        (Fault::new(FaultAction::CloseBeforeResponse), false),
        (Fault::new(FaultAction::TruncatedBody), true),
        (Fault::new(FaultAction::Garbage), true),
    ] {
        let ids = world.us().add_incidents(MANY);
        world.simulator.clear_requests();
        let named = format!("{fault:?}");
        world.simulator.fault(fault.method("PUT").path("/incidents").after(1));
        let outcome =
            world.run("incident.escalate", &items(&ids, &json!({"escalation_level": 2}))).await;
        world.simulator.clear_faults();
        let writes = writes(&world);
        assert_eq!(writes.len(), 3, "{named}: nothing is sent twice");
        let hit = failed(&outcome, &ids);
        assert!(is_one_of(&writes, &hit), "{named}: {hit:?}");
        for (place, id) in ids.iter().enumerate() {
            let times = log_count(&world, id, "escalate");
            if hit.contains(id) {
                let unknown = error(&outcome, place);
                assert_eq!(unknown.kind, "outcome-unknown", "{named}: {}", unknown.message);
                assert!(unknown.message.contains("`incident.get`"), "{}", unknown.message);
                assert_eq!(times, usize::from(happened), "{named}");
            } else {
                assert_eq!(values(&outcome, place)[0]["id"], *id, "{named}");
                assert_eq!(times, 1, "{named}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_is_brought_about_once_though_the_service_stumbles() {
    let world = world().await;
    for fault in [
        Fault::status(500),
        Fault::status(502).after_apply(),
        Fault::new(FaultAction::ResetAfterApply),
        Fault::new(FaultAction::ResetBeforeResponse),
    ] {
        let ids = world.us().add_incidents(MANY);
        let named = format!("{fault:?}");
        world.simulator.fault(fault.method("PUT").path("/incidents").after(1));
        let outcome = world.run("incident.acknowledge", &items(&ids, &json!({}))).await;
        world.simulator.clear_faults();
        for (place, id) in ids.iter().enumerate() {
            let record = &values(&outcome, place)[0];
            assert_eq!((&record["id"], &record["status"]), (&json!(id), &json!("acknowledged")));
            assert_eq!(log_count(&world, id, "acknowledge"), 1, "{named}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_stays_down_for_one_request_fails_exactly_its_items() {
    let world = world().await;
    let ids = world.us().add_incidents(MANY);
    world.simulator.clear_requests();
    world.simulator.fault(Fault::status(503).method("PUT").path("/incidents").after(1));
    let mut execution = world.execution("user", "incident.acknowledge", &items(&ids, &json!({})));
    if let Some(limits) = &mut execution.context.limits {
        limits.attempts = 1;
    }
    let outcome = world.plugin.execute(execution).await.unwrap();
    let writes = writes(&world);
    assert_eq!(writes.len(), 3, "nobody tries them one by one after that");
    assert!(is_one_of(&writes, &failed(&outcome, &ids)));
    for item in outcome.items.iter().filter_map(|item| item.error.as_ref()) {
        assert_eq!((item.kind.as_str(), item.http_status), ("unavailable", Some(503)));
        assert!(item.message.contains("Simulated fault"), "{}", item.message);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn several_changes_of_one_incident_come_in_the_order_of_the_items() {
    let world = world().await;
    let ids = world.us().add_incidents(3);
    let changes: Vec<Value> = (0..30)
        .map(|n| json!({"incident_id": ids[n % 3], "title": format!("Title {n}")}))
        .collect();
    let outcome = world.run("incident.update", &changes).await;
    for (place, change) in changes.iter().enumerate() {
        let record = &values(&outcome, place)[0];
        assert_eq!((&record["id"], &record["title"]), (&change["incident_id"], &change["title"]));
    }
    for (n, id) in ids.iter().enumerate() {
        assert_eq!(world.us().incident(id).unwrap().title, format!("Title {}", 27 + n));
    }
    assert_eq!(outcome.requests, 10, "a round names each of them once");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_incidents_of_one_item_are_changed_in_parts_and_failures_have_their_position() {
    let world = world().await;
    let mut ids = world.us().add_incidents(MANY);
    let change = |ids: &[String]| -> Vec<Value> {
        let change = |(n, id)| json!({"id": id, "title": format!("Title {n}")});
        ids.iter().enumerate().map(change).collect()
    };
    world.simulator.clear_requests();
    let outcome = world.run("incident.update_many", &[json!({"incidents": change(&ids)})]).await;
    let found: Vec<Value> = values(&outcome, 0).into_iter().map(|one| one["id"].clone()).collect();
    assert_eq!(found, ids.iter().map(|id| json!(id)).collect::<Vec<_>>());
    assert_eq!(outcome.requests, 3);
    ids[300] = "QNOSUCHINCIDENT".to_owned();
    let outcome = world.run("incident.update_many", &[json!({"incidents": change(&ids)})]).await;
    assert_eq!(outcome.items[0].output.len(), MANY - 1, "what was changed is handed over");
    let told = error(&outcome, 0);
    assert_eq!(told.kind, "not-found");
    assert!(told.message.starts_with("1 of 600 incidents were not changed"), "{}", told.message);
    let errors = &told.detail.as_ref().unwrap()["errors"];
    assert_eq!(errors.as_array().unwrap().len(), 1);
    assert_eq!(errors[0]["pointer"], "/incidents/300");
}
