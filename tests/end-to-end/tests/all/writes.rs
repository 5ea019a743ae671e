//! The PagerDuty node through the real component, host and sockets: writing, and never twice.

use end_to_end::{World, error, values};
use pagerduty_simulator::{Fault, FaultAction, Simulator, TokenKind};
use serde_json::{Value, json};

fn incident(world: &World) -> Value {
    json!({"title": "Checkout fails", "service_id": world.us().services()[0].id})
}

#[tokio::test(flavor = "multi_thread")]
async fn an_incident_lives_its_life() {
    let world = World::new().await;
    let mut parameters = incident(&world);
    parameters["urgency"] = json!("low");
    parameters["details"] = json!("Since 14:02.");
    let created = world.one("incident.create", parameters).await;
    assert_eq!(created["status"], "triggered");
    let id = json!({"incident_id": created["id"]});
    assert_eq!(world.one("incident.acknowledge", id.clone()).await["status"], "acknowledged");
    let note = json!({"incident_id": created["id"], "content": "On it."});
    assert_eq!(world.one("incident_note.create", note).await["content"], "On it.");
    let changed = json!({"incident_id": created["id"], "title": "Checkout fails in the EU"});
    assert_eq!(world.one("incident.update", changed).await["title"], "Checkout fails in the EU");
    let resolve = json!({"incident_id": created["id"], "resolution": "Rolled back."});
    assert_eq!(world.one("incident.resolve", resolve.clone()).await["status"], "resolved");
    let outcome = world.run("incident.resolve", &[resolve]).await;
    let error = error(&outcome, 0);
    assert_eq!((error.kind.as_str(), error.code.as_deref()), ("conflict", Some("1001")));
    assert_eq!(world.simulator.violations(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_execution_that_is_repeated_opens_no_second_incident() {
    let world = World::new().await;
    let before = world.us().incident_count();
    let mut ids = Vec::new();
    for _ in 0..3 {
        let mut execution =
            world.execution("user", "incident.create", &[incident(&world), incident(&world)]);
        execution.id = Some("nightly-2026-11-22".into());
        let outcome = world.plugin.execute(execution).await.unwrap();
        ids.push([values(&outcome, 0)[0]["id"].clone(), values(&outcome, 1)[0]["id"].clone()]);
    }
    assert_eq!(world.us().incident_count() - before, 2);
    assert_eq!(ids[0], ids[1]);
    assert_eq!(ids[1], ids[2]);
    assert_ne!(ids[0][0], ids[0][1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_to_a_keyed_write_is_found_again() {
    let world = World::new().await;
    let before = world.us().incident_count();
    // PagerDuty opens the incident, and the answer is lost.
    world.simulator.fault(Fault::new(FaultAction::ResetAfterApply).method("POST"));
    let created = world.one("incident.create", incident(&world)).await;
    assert_eq!(created["status"], "triggered");
    assert_eq!(world.us().incident_count() - before, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_the_users_own_is_a_conflict_and_no_other_incident() {
    let world = World::new().await;
    let mut parameters = incident(&world);
    parameters["incident_key"] = json!("mine");
    world.one("incident.create", parameters.clone()).await;
    let outcome = world.run("incident.create", &[parameters]).await;
    assert_eq!(error(&outcome, 0).kind, "conflict");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_without_a_key_is_never_repeated() {
    let world = World::new().await;
    let id = world.one("incident.create", incident(&world)).await["id"].clone();
    let note = json!({"incident_id": id, "content": "Once."});
    for action in [
        FaultAction::ResetAfterApply,
        FaultAction::ResetBeforeResponse,
        FaultAction::EmptyResponse,
        FaultAction::Status { code: 504, headers: Vec::new(), body: Vec::new() },
        FaultAction::Status { code: 500, headers: Vec::new(), body: Vec::new() },
    ] {
        world.simulator.clear_requests();
        world.simulator.fault(Fault::new(action.clone()).method("POST"));
        let outcome = world.run("incident_note.create", std::slice::from_ref(&note)).await;
        assert_eq!(error(&outcome, 0).kind, "outcome-unknown", "{action:?}");
        assert_eq!(world.simulator.requests().len(), 1, "{action:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_is_repeated_when_the_service_stumbles() {
    let world = World::new().await;
    for fault in
        [Fault::status(500), Fault::status(503), Fault::new(FaultAction::ResetBeforeResponse)]
    {
        world.simulator.clear_requests();
        world.simulator.fault(fault);
        let outcome = world.run("ability.list", &[json!({})]).await;
        values(&outcome, 0);
        assert_eq!(world.simulator.requests().len(), 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rate_limit_is_waited_for_also_by_writes() {
    let world = World::new().await;
    world.simulator.fault(Fault::rate_limited(1));
    let created = world.one("incident.create", incident(&world)).await;
    assert_eq!(created["status"], "triggered");
    let times: Vec<_> = world.simulator.requests().iter().map(|one| one.received_at).collect();
    assert_eq!(times.len(), 2);
    let waited = times[1].duration_since(times[0]).unwrap();
    assert!(waited >= std::time::Duration::from_secs(1), "{waited:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_beyond_the_deadline_is_handed_to_the_engine() {
    let world = World::new().await;
    world.simulator.fault(Fault::rate_limited(3_000));
    let outcome = world.run("ability.list", &[json!({})]).await;
    let error = error(&outcome, 0);
    assert_eq!(error.kind, "rate-limited");
    assert_eq!(error.retry_after_ms, Some(3_000_000));
    assert_eq!(error.code.as_deref(), Some("2020"));
}

#[tokio::test(flavor = "multi_thread")]
async fn executions_that_share_a_key_stay_within_its_limit_together() {
    use workflow_node_host::description::RateWindow;
    let window = RateWindow::new(30, 60_000);
    let world =
        World::with(Simulator::builder().rate_limit(30), |host| host.rate_limit(vec![window]))
            .await;
    let items = vec![json!({"limit": 1}); 20];
    let run = || async {
        let mut execution = world.execution("user", "ability.list", &items);
        if let Some(limits) = &mut execution.context.limits {
            limits.total_time = std::time::Duration::from_secs(5);
        }
        world.plugin.execute(execution).await.unwrap()
    };
    let outcomes: [_; 3] = tokio::join!(run(), run(), run()).into();
    let items = outcomes.iter().flat_map(|outcome| &outcome.items);
    let (done, late): (Vec<_>, Vec<_>) = items.partition(|item| item.is_ok());
    assert_eq!((done.len(), late.len()), (30, 30));
    for item in late {
        let error = item.error.as_ref().unwrap();
        assert_eq!(error.kind, "rate-limited");
        assert!(error.retry_after_ms.is_some());
    }
    let statuses = world.simulator.requests().into_iter().map(|one| one.response_status);
    assert!(statuses.eq([Some(200); 30]), "the service never had to refuse");
}

#[tokio::test(flavor = "multi_thread")]
async fn executions_of_different_actions_that_share_a_key_are_paced_together_and_never_refused() {
    use workflow_node_host::description::RateWindow;
    let window = RateWindow::new(40, 2_000);
    let world =
        World::with(Simulator::builder().rate_limit(1_200), |host| host.rate_limit(vec![window]))
            .await;
    let run = |action: &'static str, item: Value| {
        let world = &world;
        async move { world.run(action, &vec![item; 40]).await }
    };
    let incident = incident(&world);
    let outcomes: [_; 3] = tokio::join!(
        run("service.list", json!({"limit": 1})),
        run("incident.create", incident),
        run("user.find", json!({"email": "ada@example.com"})),
    )
    .into();
    for outcome in &outcomes {
        (0..40).for_each(|item| drop(values(outcome, item)));
    }
    let requests = world.simulator.requests();
    assert_eq!(requests.len(), 120);
    assert!(requests.iter().all(|one| one.response_status.is_some_and(|status| status < 300)));
    let mut times: Vec<_> = requests.iter().map(|one| one.received_at).collect();
    times.sort();
    for (first, beyond) in times.iter().zip(&times[40..]) {
        // The host counts when it sends; on the way, a request may gain a little on another.
        let apart = beyond.duration_since(*first).unwrap();
        assert!(apart > std::time::Duration::from_millis(1_900), "{apart:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_acting_user_is_sent() {
    let world = World::new().await;
    let from = |credential: &'static str, extra: Value| {
        let world = &world;
        async move {
            world.simulator.clear_requests();
            let mut parameters = incident(world);
            for (name, value) in end_to_end::object(extra) {
                parameters[name] = value;
            }
            let outcome = world.run_with(credential, "incident.create", &[parameters]).await;
            let sent = world.simulator.requests().remove(0);
            (outcome, sent.header("from").map(str::to_owned))
        }
    };
    let (outcome, header) = from("account", json!({})).await;
    assert_eq!((outcome.items[0].is_ok(), header.as_deref()), (true, Some("ada@example.com")));
    let (outcome, header) = from("user", json!({})).await;
    assert_eq!((outcome.items[0].is_ok(), header), (true, None));
    let other = world.us().users()[1].email.clone();
    let (outcome, header) = from("account", json!({ "from": other })).await;
    assert_eq!((outcome.items[0].is_ok(), header), (true, Some(other)));
    let (outcome, header) = from("nobody", json!({})).await;
    assert_eq!(header, None);
    let message = &error(&outcome, 0).message;
    assert!(message.contains("`from_email`"), "{message}");
    // Reading is done in nobody's name.
    world.simulator.clear_requests();
    world.run_with("account", "incident.list", &[json!({})]).await;
    assert_eq!(world.simulator.requests()[0].header("from"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn rights_that_are_missing_are_named() {
    let world = World::new().await;
    let outcome = world.run_with("read-only", "incident.create", &[incident(&world)]).await;
    assert_eq!(error(&outcome, 0).kind, "forbidden");
    // A token without the scope, as if it had been granted so.
    let token = world.us().mint_token(TokenKind::UserToken, &["services.read"]);
    world
        .connect(
            "narrow",
            "oauth2",
            &json!({"region": "us", "client_id": "c", "redirect_url": "https://x.test/"}),
            &[("access_token", token)],
        )
        .await;
    let outcome = world.run_with("narrow", "service.list", &[json!({})]).await;
    values(&outcome, 0);
    let outcome = world.run_with("narrow", "incident.list", &[json!({})]).await;
    let error = error(&outcome, 0);
    assert_eq!(error.kind, "forbidden");
    assert!(error.to_string().contains("scope"), "{error}");
    assert_eq!(error.detail.as_ref().unwrap()["required_scopes"], json!(["incidents.read"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_is_opened_acknowledged_and_resolved_by_events() {
    let world = World::new().await;
    let before = world.us().incident_count();
    let event = json!({"summary": "Disk full", "source": "db-1", "severity": "critical",
        "dedup_key": "db-1/disk", "custom_details": {"free": 0}, "links": [{"href": "https://x.test/"}]});
    let accepted = world.one("event.trigger", event.clone()).await;
    assert_eq!(accepted["dedup_key"], "db-1/disk");
    world.one("event.trigger", event).await;
    assert_eq!(world.us().incident_count() - before, 1);
    world.one("event.acknowledge", json!({"dedup_key": "db-1/disk"})).await;
    world.one("event.resolve", json!({"dedup_key": "db-1/disk"})).await;
    world.one("event.change", json!({"summary": "Deployed 4711", "source": "ci"})).await;
    for request in world.simulator.requests() {
        assert_eq!(request.header("authorization"), None);
    }
    assert_eq!(world.simulator.violations(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_failing_item_stops_those_that_have_not_begun() {
    let world = World::new().await;
    let mut items = vec![json!({"incident_id": "QNONE"})];
    items.extend((0..20).map(|_| json!({"incident_id": world.us().incidents()[0].id})));
    let mut execution = world.execution("user", "incident.get", &items);
    execution.continue_on_fail = false;
    execution.concurrency = Some(1);
    let outcome = world.plugin.execute(execution).await.unwrap();
    assert_eq!(error(&outcome, 0).kind, "not-found");
    assert!((1..21).all(|item| error(&outcome, item).kind == "cancelled"));
    assert_eq!(world.simulator.requests().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invalid_item_does_not_shift_the_keys_of_others() {
    let world = World::new().await;
    let before = world.us().incident_count();
    let run = async |items: &[Value]| {
        let mut execution = world.execution("user", "incident.create", items);
        execution.id = Some("corrected".into());
        world.plugin.execute(execution).await.unwrap()
    };
    let mut wrong = incident(&world);
    wrong["urgency"] = json!("hight");
    let first = run(&[wrong, incident(&world)]).await;
    assert_eq!(error(&first, 0).kind, "invalid-input");
    // Corrected and repeated: the second item finds its incident, the first opens its own.
    let second = run(&[incident(&world), incident(&world)]).await;
    assert_eq!(values(&second, 1)[0]["id"], values(&first, 1)[0]["id"]);
    assert_ne!(values(&second, 0)[0]["id"], values(&second, 1)[0]["id"]);
    assert_eq!(world.us().incident_count() - before, 2);
}
