//! Webhooks v3: set up once, signed, repeated, late, switched off, taken down.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use end_to_end::World;
use end_to_end::engine::{Engine, eventually};
use pagerduty_simulator::{DeliveryState, Fault, Region, Simulator, WebhookSubject};
use serde_json::{Value, json};
use workflow_node_host::store::{SqliteStore, StoreKey};
use workflow_node_host::trigger::{
    Incoming, Reason, RunOptions, Status, SubscriptionActivity, Triggers,
};

/// An incident, newly made.
async fn incident(world: &World, title: &str) -> String {
    let service = world.us().services()[0].id.clone();
    let outcome =
        world.run("incident.create", &[json!({"title": title, "service_id": service})]).await;
    end_to_end::values(&outcome, 0)[0]["id"].as_str().unwrap().to_owned()
}

async fn subscriptions(world: &World) -> Vec<Value> {
    let outcome = world.run("webhook_subscription.list", &[json!({"all": true})]).await;
    end_to_end::values(&outcome, 0)
}

fn types(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["event_type"].as_str().unwrap()).collect()
}

/// Titles in the order of the alphabet: deliveries about different incidents may pass each other.
fn titles(events: &[Value]) -> Vec<&str> {
    let mut titles: Vec<&str> =
        events.iter().map(|event| event["data"]["title"].as_str().unwrap()).collect();
    titles.sort_unstable();
    titles
}

#[tokio::test(flavor = "multi_thread")]
async fn events_start_the_workflow_in_order() {
    let world = World::new().await;
    let events = ["incident.triggered", "incident.acknowledged", "incident.resolved"];
    let engine = Engine::hears(&world, &events).await;
    let id = incident(&world, "The pipe leaks").await;
    world.run("incident.acknowledge", &[json!({"incident_id": id})]).await;
    world.run("incident.resolve", &[json!({"incident_id": id})]).await;
    let told = engine.inbox.wait_for(3).await;
    assert_eq!(types(&told), events);
    assert_eq!(told[0]["data"]["title"], "The pipe leaks");
    assert_eq!(told[0]["data"]["id"], *id);
    assert!(engine.statuses().iter().all(|status| *status == 202), "{:?}", engine.statuses());
    let first = &engine.inbox.events()[0];
    assert!(first.occurred_at.is_some() && first.dedup_key.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn setting_up_twice_leaves_one_and_changes_what_is_new() {
    let world = World::new().await;
    let engine = Engine::new(&world).await;
    let first = engine.webhook("hook", json!({"events": ["incident.triggered"]}));
    engine.set_up(first.clone()).await;
    let made = subscriptions(&world).await;
    engine.set_up(first.clone()).await;
    assert_eq!(subscriptions(&world).await, made);
    let mut other = first;
    other.parameters = json!({"events": ["incident.resolved", "incident.reopened"]});
    engine.set_up(other.clone()).await;
    let changed = subscriptions(&world).await;
    assert_eq!(changed.len(), made.len());
    let ours = |all: &[Value]| {
        let url = other.callback_url.clone().unwrap();
        all.iter().find(|one| one["delivery_method"]["url"] == url.as_str()).cloned().unwrap()
    };
    assert_eq!(ours(&made)["id"], ours(&changed)["id"]);
    assert_eq!(ours(&changed)["events"].as_array().unwrap().len(), 2);
    // Another address: the old subscription would go on delivering to nobody.
    other.callback_url = Some(engine.callback("elsewhere"));
    engine.set_up(other.clone()).await;
    assert_eq!(subscriptions(&world).await.len(), made.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_forgot_leaves_one_subscription_all_the_same() {
    let world = World::new().await;
    let engine = Engine::new(&world).await;
    let new = engine.webhook("hook", json!({"events": ["incident.triggered"]}));
    engine.set_up(new.clone()).await;
    let before = subscriptions(&world).await.len();
    // Another store, the same address: the secret of the first one is lost forever.
    let other = Engine::new(&world).await;
    let mut new = new;
    new.callback_url = Some(other.callback("hook"));
    other.set_up(new.clone()).await;
    let forgetful = Engine::new(&world).await;
    forgetful.set_up(new.clone()).await;
    assert_eq!(subscriptions(&world).await.len(), before + 1);
    // One that PagerDuty has made, but whose making was not heard of, is found by its address.
    let interrupted = Engine::new(&world).await;
    world.simulator.fault(Fault::status(502).method("POST").after_apply());
    let new = interrupted.webhook("hook", json!({"events": ["incident.triggered"]}));
    let set_up = interrupted.triggers.set_up(&world.plugin, new, &interrupted.cancellation).await;
    assert_eq!(set_up.unwrap_err().item().unwrap().kind, "outcome-unknown");
    assert_eq!(subscriptions(&world).await.len(), before + 2);
    assert_eq!(interrupted.triggers.list().await.unwrap()[0].status, Status::Unfinished);
    interrupted.triggers.tear_down(&world.plugin, "hook", &interrupted.cancellation).await.unwrap();
    assert_eq!(subscriptions(&world).await.len(), before + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn tearing_down_is_idempotent() {
    let world = World::new().await;
    let engine = Engine::new(&world).await;
    let before = subscriptions(&world).await.len();
    engine.set_up(engine.webhook("hook", json!({"events": ["incident.triggered"]}))).await;
    assert_eq!(subscriptions(&world).await.len(), before + 1);
    for _ in 0..2 {
        engine.triggers.tear_down(&world.plugin, "hook", &engine.cancellation).await.unwrap();
        assert_eq!(subscriptions(&world).await.len(), before);
    }
    assert!(engine.triggers.list().await.unwrap().is_empty());
    // One that somebody has removed at PagerDuty is gone, and that is all that was wanted.
    engine.set_up(engine.webhook("hook", json!({"events": ["incident.triggered"]}))).await;
    for one in subscriptions(&world).await.iter().skip(before) {
        let id = one["id"].clone();
        world.run("webhook_subscription.delete", &[json!({"webhook_subscription_id": id})]).await;
    }
    engine.triggers.tear_down(&world.plugin, "hook", &engine.cancellation).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_is_signed_reaches_the_plugin() {
    let world = World::new().await;
    let engine = Engine::hears(&world, &["incident.triggered"]).await;
    world.simulator.spoil_webhook_signatures(true);
    incident(&world, "forged").await;
    eventually(|| engine.statuses().contains(&403), || format!("{:?}", engine.statuses())).await;
    world.simulator.spoil_webhook_signatures(false);
    incident(&world, "true").await;
    let told = engine.inbox.wait_for(1).await;
    assert_eq!(told[0]["data"]["title"], "true");
    assert_eq!(told.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_of_secrets_is_survived_on_both_sides() {
    let world = World::new().await;
    let engine = Engine::hears(&world, &["incident.triggered"]).await;
    let id = engine.triggers.list().await.unwrap()[0].state.clone().unwrap()["id"].clone();
    // PagerDuty signs with two secrets; ours is one of them.
    world.simulator.add_webhook_secret(Region::Us, id.as_str().unwrap()).unwrap();
    incident(&world, "signed twice").await;
    engine.inbox.wait_for(1).await;
    let early = world.simulator.webhook_deliveries()[0].clone();
    assert_eq!(early.attempts[0].signature.split(',').count(), 2);
    // Ours is replaced, because the subscription was lost; what was signed before still counts.
    world.run("webhook_subscription.delete", &[json!({"webhook_subscription_id": id})]).await;
    engine.set_up(engine.webhook("hook", json!({"events": ["incident.triggered"]}))).await;
    let mut request = repeated(&engine, early.body.clone(), "another id");
    sign(&mut request, &early.attempts[0].signature);
    let answer = engine.triggers.receive(&world.plugin, "hook", request).await;
    assert_eq!(answer.reason, Reason::Kept);
    incident(&world, "with the new one").await;
    let told = engine.inbox.wait_for(2).await;
    assert_eq!(told[1]["data"]["title"], "with the new one");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_that_comes_again_starts_nothing_again() {
    let world = World::new().await;
    world.simulator.duplicate_webhooks(3);
    let engine = Engine::hears(&world, &["incident.triggered"]).await;
    for title in ["a", "b", "c"] {
        incident(&world, title).await;
    }
    engine.inbox.wait_for(3).await;
    world.simulator.webhooks_rest().await;
    world.simulator.redeliver_webhooks(3);
    world.simulator.webhooks_rest().await;
    // The ID is in a header that is not signed: with another ID it is still the same event.
    let delivery = &world.simulator.webhook_deliveries()[0];
    let mut request = repeated(&engine, delivery.body.clone(), "another-id");
    sign(&mut request, &delivery.attempts[0].signature);
    let answer = engine.triggers.receive(&world.plugin, "hook", request).await;
    assert_eq!(answer.reason, Reason::Kept);
    incident(&world, "d").await;
    engine.inbox.wait_for(4).await;
    assert_eq!(engine.inbox.events().len(), 4);
}

fn sign(request: &mut Incoming, signature: &str) {
    request.headers.insert("x-pagerduty-signature", signature.parse().unwrap());
}

/// A delivery as somebody else would send it.
fn repeated(engine: &Engine, body: bytes::Bytes, id: &str) -> Incoming {
    let mut headers = http::HeaderMap::new();
    headers.insert("x-webhook-id", id.parse().unwrap());
    headers.insert("x-pagerduty-signature", format!("v1={}", "0".repeat(64)).parse().unwrap());
    Incoming { method: http::Method::POST, url: engine.callback("hook"), headers, body }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_is_answered_in_time_however_slow_the_workflow_is() {
    let simulator = Simulator::builder().webhook_answer_limit(Duration::from_millis(1_500));
    let world = World::with(simulator, |host| host).await;
    let engine = Engine::hears(&world, &["incident.triggered"]).await;
    engine.inbox.takes.store(4_000, Ordering::Relaxed);
    for title in ["a", "b", "c", "d"] {
        incident(&world, title).await;
    }
    world.simulator.webhooks_rest().await;
    let deliveries = world.simulator.webhook_deliveries();
    assert_eq!(deliveries.len(), 4);
    for delivery in &deliveries {
        assert_eq!(delivery.state, DeliveryState::Delivered, "{delivery:?}");
        assert_eq!(delivery.attempts.len(), 1);
    }
    engine.inbox.takes.store(0, Ordering::Relaxed);
    let told = engine.inbox.wait_for(4).await;
    assert_eq!(titles(&told), ["a", "b", "c", "d"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workflow_that_refuses_gets_the_same_event_again() {
    let world = World::new().await;
    let engine = Engine::hears(&world, &["incident.triggered"]).await;
    engine.inbox.refuses.store(true, Ordering::Relaxed);
    incident(&world, "a").await;
    let refused = |one: &SubscriptionActivity| {
        matches!(one, SubscriptionActivity::Failed { what: "deliver an event", .. })
    };
    eventually(|| engine.inbox.activities().iter().any(refused), String::new).await;
    engine.inbox.refuses.store(false, Ordering::Relaxed);
    engine.inbox.wait_for(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pings_start_nothing_and_unknown_types_pass() {
    let world = World::new().await;
    let engine = Engine::hears(&world, &["incident.triggered"]).await;
    let id = engine.triggers.list().await.unwrap()[0].state.clone().unwrap()["id"].clone();
    let pinged =
        world.run("webhook_subscription.ping", &[json!({"webhook_subscription_id": id})]).await;
    assert!(pinged.items[0].is_ok());
    let incident = world.us().incidents()[0].id.clone();
    let subject = WebhookSubject::Incident(&incident);
    let data = Some(json!({"type": "incident_oracle", "id": "X1"}));
    assert!(world.us().emit_webhook("incident.foretold", subject, data));
    let told = engine.inbox.wait_for(1).await;
    assert_eq!(types(&told), ["incident.foretold"]);
    assert_eq!(told[0]["data"]["type"], "incident_oracle");
    eventually(|| engine.statuses().len() == 2, || format!("{:?}", engine.statuses())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_filtered_by_service_and_come_in_the_shape_of_the_actions() {
    let world = World::new().await;
    let mut engine = Engine::new(&world).await;
    let services = world.us().services();
    let parameters = json!({
        "events": ["incident.triggered", "incident.annotated"],
        // By its name, as a person writes it.
        "service_id": services[1].name,
        "shape": "rest",
    });
    engine.set_up(engine.webhook("hook", parameters)).await;
    engine.run("hook", RunOptions::default());
    for service in &services[..2] {
        let item = json!({"title": service.name, "service_id": service.id});
        let outcome = world.run("incident.create", &[item]).await;
        let id = end_to_end::values(&outcome, 0)[0]["id"].clone();
        let item = json!({"incident_id": id, "content": "noted"});
        world.run("incident_note.create", &[item]).await;
    }
    let told = engine.inbox.wait_for(2).await;
    assert_eq!(types(&told), ["incident.triggered", "incident.annotated"]);
    let data = &told[0]["data"];
    assert_eq!(data["title"], services[1].name.as_str());
    assert!(data["incident_number"].is_number() && data["assignments"].is_array(), "{data}");
    assert!(data.get("number").is_none() && data.get("assignees").is_none(), "{data}");
    assert!(data["assignments"][0]["assignee"]["id"].is_string(), "{data}");
    assert!(told[1]["data"]["created_at"].is_string() && told[1]["data"]["user"].is_object());
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_by_the_workflow_start_nothing() {
    let world = World::new().await;
    let mut engine = Engine::new(&world).await;
    let me = world.run("user.me", &[json!({})]).await;
    let me = end_to_end::values(&me, 0)[0]["id"].clone();
    let parameters = json!({"events": ["incident.triggered"], "ignore_agents": [me.clone()]});
    engine.set_up(engine.webhook("hook", parameters)).await;
    engine.run("hook", RunOptions::default());
    incident(&world, "by me").await;
    let service = world.us().services()[0].id.clone();
    let users = end_to_end::values(&world.run("user.list", &[json!({})]).await, 0);
    let other = users.iter().find(|user| user["id"] != me).unwrap()["email"].clone();
    let item = json!({"title": "by another", "service_id": service, "from": other});
    world.run_with("account", "incident.create", &[item]).await;
    let told = engine.inbox.wait_for(1).await;
    assert_eq!(told[0]["data"]["title"], "by another");
    eventually(|| engine.statuses().len() == 2, || format!("{:?}", engine.statuses())).await;
    assert_eq!(engine.inbox.events().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_pagerduty_has_switched_off_is_switched_on_again() {
    let world = World::new().await;
    let engine = Engine::new(&world).await;
    engine.set_up(engine.webhook("hook", json!({"events": ["incident.triggered"]}))).await;
    // Three that are refused for good switch it off.
    world.simulator.spoil_webhook_signatures(true);
    for title in ["a", "b", "c"] {
        incident(&world, title).await;
    }
    world.simulator.webhooks_rest().await;
    world.simulator.spoil_webhook_signatures(false);
    let check =
        async || engine.triggers.check(&world.plugin, "hook", &engine.cancellation).await.unwrap();
    assert_eq!(check().await, Status::Disabled);
    let mut engine_of_before = engine;
    let options = RunOptions { check_every: Duration::from_millis(100), ..RunOptions::default() };
    engine_of_before.run("hook", options);
    let engine = &engine_of_before;
    let repaired = |one: &SubscriptionActivity| {
        *one == SubscriptionActivity::Repaired { was: Status::Disabled }
    };
    eventually(|| engine.inbox.activities().iter().any(repaired), String::new).await;
    incident(&world, "d").await;
    let told = engine.inbox.wait_for(1).await;
    assert_eq!(told[0]["data"]["title"], "d");
    // A deleted one is created again.
    let id = engine.triggers.list().await.unwrap()[0].state.clone().unwrap()["id"].clone();
    world.run("webhook_subscription.delete", &[json!({"webhook_subscription_id": id})]).await;
    let remade = |one: &SubscriptionActivity| {
        *one == SubscriptionActivity::Repaired { was: Status::Missing }
    };
    eventually(|| engine.inbox.activities().iter().any(remade), String::new).await;
    incident(&world, "e").await;
    engine.inbox.wait_for(2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_between_receipt_and_workflow_loses_nothing() {
    let world = World::new().await;
    let directory = tempfile::tempdir().unwrap();
    let open = || {
        let key = StoreKey::from_text(&"5a".repeat(32)).unwrap();
        Arc::new(SqliteStore::open(&directory.path().join("data/store.db"), key).unwrap())
    };
    let engine = Engine::with(&world, open()).await;
    engine.set_up(engine.webhook("hook", json!({"events": ["incident.triggered"]}))).await;
    // Nobody runs the subscription; deliveries are answered and kept.
    for title in ["a", "b"] {
        incident(&world, title).await;
    }
    world.simulator.webhooks_rest().await;
    assert_eq!(engine.statuses(), [202, 202]);
    let callback = engine.callback("hook");
    drop(engine);
    // The secret is in the file, sealed: neither it nor the handle is there in clear text.
    let file = std::fs::read(directory.path().join("data/store.db")).unwrap();
    assert!(!file.windows(7).any(|at| at == b"secret:"));
    let mut again = Engine::with(&world, open()).await;
    again.run("hook", RunOptions::default());
    let told = again.inbox.wait_for(2).await;
    assert_eq!(titles(&told), ["a", "b"]);
    // A delivery signed with the kept secret still counts after the restart, and only once.
    let delivery = &world.simulator.webhook_deliveries()[0];
    let mut request = repeated(&again, delivery.body.clone(), &delivery.webhook_id);
    request.url = callback;
    sign(&mut request, &delivery.attempts[0].signature);
    let answer = again.triggers.receive(&world.plugin, "hook", request).await;
    assert_eq!(answer.reason, Reason::Repeated);
    let taken = again.triggers.list().await.unwrap();
    assert_eq!(taken.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invalid_delivery_is_refused_before_anything_else() {
    let world = World::new().await;
    let engine = Engine::hears(&world, &["incident.triggered"]).await;
    let triggers: &Triggers = &engine.triggers;
    let receive = async |change: &dyn Fn(&mut Incoming)| {
        let mut request = repeated(&engine, "{}".into(), "one");
        change(&mut request);
        triggers.receive(&world.plugin, "hook", request).await.status.as_u16()
    };
    assert_eq!(receive(&|_| {}).await, 403);
    assert_eq!(receive(&|request| request.method = http::Method::GET).await, 405);
    assert_eq!(receive(&|request| request.headers.clear()).await, 400);
    let large = bytes::Bytes::from(vec![b' '; 2 * 1024 * 1024 + 1]);
    assert_eq!(receive(&|request| request.body = large.clone()).await, 413);
    let unknown = repeated(&engine, "{}".into(), "one");
    assert_eq!(triggers.receive(&world.plugin, "nobody", unknown).await.status.as_u16(), 404);
}
