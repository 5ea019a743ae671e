//! Polling triggers: no event is missed or repeated, across restarts and page boundaries.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use end_to_end::World;
use end_to_end::engine::Engine;
use pagerduty_simulator::{Fault, NewIncident, Simulator};
use serde_json::{Value, json};
use workflow_node_host::ErrorKind;
use workflow_node_host::store::{SqliteStore, StoreKey};
use workflow_node_host::trigger::{NewSubscription, RunOptions};

/// Takes all that was found by polling.
async fn taken(engine: &mut Engine, name: &str, count: usize) -> Vec<Value> {
    engine.run(
        name,
        RunOptions { interval: Some(Duration::from_secs(3_600)), ..RunOptions::default() },
    );
    engine.inbox.wait_for(count).await
}

async fn create(world: &World, titles: &[String]) {
    let service = world.us().services()[0].id.clone();
    let items: Vec<Value> =
        titles.iter().map(|title| json!({"title": title, "service_id": service})).collect();
    let outcome = world.run("incident.create", &items).await;
    assert!(outcome.items.iter().all(|item| item.is_ok()), "{outcome:?}");
}

fn titles(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|number| format!("incident {number}")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn new_incidents_are_found_once_whatever_their_time() {
    let world = World::with(Simulator::builder().without_rate_limits(), |host| host).await;
    let mut engine = Engine::new(&world).await;
    let parameters = json!({"changes": "new"});
    engine.set_up(engine.poller("new", "incident.changed", parameters)).await;
    // Existing records are not new.
    assert_eq!(engine.poll("new").await, 0);
    let mut found = 0;
    // 130 in the same seconds: more than a page, and each poll begins where the last one ended.
    for batch in [0..3, 3..110, 110..110, 110..130] {
        let expected = batch.len();
        create(&world, &titles(batch)).await;
        found += engine.poll("new").await;
        assert_eq!(engine.poll("new").await, 0, "polling again finds nothing again");
        assert!(expected == 0 || found > 0);
    }
    let told = taken(&mut engine, "new", 130).await;
    let distinct: BTreeSet<&str> =
        told.iter().map(|event| event["incident"]["title"].as_str().unwrap()).collect();
    assert_eq!((told.len(), distinct.len(), found), (130, 130, 130));
    assert!(told.iter().all(|event| event["change"] == "new"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_is_served_only_by_the_version_that_it_was_set_up_with() {
    let world = World::with(Simulator::builder().without_rate_limits(), |host| host).await;
    let engine = Engine::new(&world).await;
    let new = || engine.poller("new", "incident.changed", json!({"changes": "new"}));
    let of = |version: u32| NewSubscription { version: Some(version), ..new() };
    let before = world.simulator.requests().len();
    let refused = engine.triggers.set_up(&world.plugin, of(99), &engine.cancellation).await;
    let error = refused.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Version, "{error}");
    assert!(error.to_string().contains("version 99 of the trigger `incident.changed`"), "{error}");
    assert_eq!(world.simulator.requests().len(), before);

    let has = world.plugin.trigger("incident.changed").unwrap().version;
    engine.set_up(of(has)).await;
    engine.poll("new").await;
    // As a later build finds it that has another version.
    let store = engine.triggers.store();
    let mut stored = store.open("new").await.unwrap();
    let revision = stored.subscription.revision;
    stored.subscription.version = has + 1;
    store.keep(stored, Some(revision)).await.unwrap();
    let before = world.simulator.requests().len();
    let polled = engine.triggers.poll(&world.plugin, "new", &engine.cancellation).await;
    let error = polled.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Version, "{error}");
    assert!(error.to_string().contains("set the subscription up again"), "{error}");
    assert_eq!(world.simulator.requests().len(), before);
    // It can still be removed.
    engine.triggers.tear_down(&world.plugin, "new", &engine.cancellation).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn records_that_arrive_while_pages_are_read_are_neither_missed_nor_doubled() {
    let world = World::with(Simulator::builder().without_rate_limits(), |host| host).await;
    let mut engine = Engine::new(&world).await;
    engine
        .set_up(engine.poller("log", "log_entry.created", json!({"types": ["trigger_log_entry"]})))
        .await;
    engine.poll("log").await;
    create(&world, &titles(0..250)).await;
    // The second page is slow; meanwhile more happens, which moves all later pages.
    world.simulator.fault(
        Fault::delay(Duration::from_millis(400)).method("GET").path("/log_entries").after(1),
    );
    let more = titles(250..300);
    let ((), first) = tokio::join!(
        async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            create(&world, &more).await;
        },
        engine.poll("log"),
    );
    let second = engine.poll("log").await;
    assert_eq!(first + second, 300);
    let told = taken(&mut engine, "log", 300).await;
    let distinct: BTreeSet<&str> = told.iter().map(|entry| entry["id"].as_str().unwrap()).collect();
    assert_eq!((told.len(), distinct.len()), (300, 300));
    // Oldest first.
    let times: Vec<&str> =
        told.iter().take(250).map(|entry| entry["created_at"].as_str().unwrap()).collect();
    assert!(times.is_sorted());
}

#[tokio::test(flavor = "multi_thread")]
async fn updates_come_as_one_event_for_each_incident() {
    let world = World::with(Simulator::builder().without_rate_limits(), |host| host).await;
    let mut engine = Engine::new(&world).await;
    let id = world.us().add_incident(NewIncident {
        title: "old".into(),
        age: Duration::from_secs(3_600),
        ..NewIncident::default()
    });
    engine
        .set_up(engine.poller(
            "upd",
            "incident.changed",
            json!({"changes": "updated", "simplify": true}),
        ))
        .await;
    engine.poll("upd").await;
    create(&world, &titles(0..3)).await;
    world.run("incident.acknowledge", &[json!({"incident_id": id})]).await;
    world.run("incident_note.create", &[json!({"incident_id": id, "content": "a note"})]).await;
    world.run("incident.resolve", &[json!({"incident_id": id})]).await;
    assert_eq!(engine.poll("upd").await, 1);
    let told = taken(&mut engine, "upd", 1).await;
    assert_eq!(told[0]["change"], "updated");
    assert_eq!(told[0]["incident"]["status"], "resolved", "{told:?}");
    assert_eq!(told[0]["incident"]["id"], *id);
    assert_eq!(told[0]["log_entry"]["incident_id"], *id);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_survives_a_restart_and_a_failed_poll() {
    let world = World::with(Simulator::builder().without_rate_limits(), |host| host).await;
    let directory = tempfile::tempdir().unwrap();
    let open = || {
        let key = StoreKey::from_text(&"5a".repeat(32)).unwrap();
        Arc::new(SqliteStore::open(&directory.path().join("data/store.db"), key).unwrap())
    };
    let engine = Engine::with(&world, open()).await;
    engine.set_up(engine.poller("new", "incident.changed", json!({"changes": "new"}))).await;
    engine.poll("new").await;
    create(&world, &titles(0..5)).await;
    assert_eq!(engine.poll("new").await, 5);
    create(&world, &titles(5..8)).await;
    // The service is down: nothing is lost, the cursor stays.
    world.simulator.fault(Fault::status(503).path("/log_entries").always());
    let polled = engine.triggers.poll(&world.plugin, "new", &engine.cancellation).await;
    assert_eq!(polled.unwrap_err().item().unwrap().kind, "unavailable");
    world.simulator.clear_faults();
    drop(engine);
    let mut again = Engine::with(&world, open()).await;
    assert_eq!(again.poll("new").await, 3);
    assert_eq!(taken(&mut again, "new", 8).await.len(), 8);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_that_poll_at_once_tell_nothing_twice() {
    let world = World::with(Simulator::builder().without_rate_limits(), |host| host).await;
    let mut engine = Engine::new(&world).await;
    engine.set_up(engine.poller("new", "incident.changed", json!({"changes": "new"}))).await;
    engine.poll("new").await;
    create(&world, &titles(0..20)).await;
    let poll = || engine.triggers.poll(&world.plugin, "new", &engine.cancellation);
    let (one, other) = tokio::join!(poll(), poll());
    let new = |polled: Result<(usize, bool), _>| polled.map_or(0, |(new, _)| new);
    assert_eq!(new(one) + new(other), 20);
    assert_eq!(engine.poll("new").await, 0);
    assert_eq!(taken(&mut engine, "new", 20).await.len(), 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn going_on_and_off_call_is_an_event() {
    let world =
        World::with(Simulator::builder().examples(true).without_rate_limits(), |host| host).await;
    let mut engine = Engine::new(&world).await;
    let on_calls = end_to_end::values(&world.run("on_call.list", &[json!({})]).await, 0);
    let scheduled = on_calls.iter().find(|one| one["schedule"]["id"].is_string()).unwrap();
    let (schedule, before) = (&scheduled["schedule"]["id"], scheduled["user"]["id"].clone());
    engine
        .set_up(engine.poller(
            "calls",
            "on_call.changed",
            json!({"schedule_ids": [schedule], "level": scheduled["escalation_level"]}),
        ))
        .await;
    assert_eq!(engine.poll("calls").await, 0);
    assert_eq!(engine.poll("calls").await, 0);
    let users = world.run("user.list", &[json!({})]).await;
    let users = end_to_end::values(&users, 0);
    let stand_in = users.iter().map(|user| &user["id"]).find(|id| **id != before).unwrap();
    let from = jiff::Timestamp::now() - jiff::SignedDuration::from_secs(60);
    let until = from + jiff::SignedDuration::from_hours(2);
    let item = json!({
        "schedule_id": schedule, "user_id": stand_in,
        "start": from.to_string(), "end": until.to_string(),
    });
    let made = world.run("schedule_override.create", &[item]).await;
    assert!(made.items[0].is_ok(), "{made:?}");
    assert_eq!(engine.poll("calls").await, 2);
    assert_eq!(engine.poll("calls").await, 0);
    let told = taken(&mut engine, "calls", 2).await;
    let who = |change: &str| {
        let event = told.iter().find(|event| event["change"] == change).unwrap();
        event["on_call"]["user"]["id"].clone()
    };
    assert_eq!((who("ended"), who("started")), (before, stand_in.clone()));
}
