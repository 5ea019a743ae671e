//! Writes happen at most once, even if the response is lost. Covers every write action that cannot be
//! repeated, each with its own example, and those that can, because of a key or their effect.

use std::collections::BTreeSet;
use std::time::Duration;

use end_to_end::{World, error, values};
use pagerduty_simulator::{Fault, FaultAction, Hold, RecordedRequest, Simulator};
use serde_json::{Value, json};
use workflow_node_host::description::{Effect, Idempotency};
use workflow_node_host::{Limits, Outcome};

/// An account with examples, no rates, and a connection for each request.
async fn world() -> World {
    let simulator = Simulator::builder().examples(true).without_rate_limits().http1_only();
    World::with(simulator, |host| host.rate_limit(Vec::new())).await
}

/// The requests that were written, without what was read before.
fn writes(world: &World) -> Vec<RecordedRequest> {
    world.simulator.requests().into_iter().filter(|one| one.method != "GET").collect()
}

/// The actions of this kind that write, each with its first example that writes.
fn actions(world: &World, idempotency: Idempotency) -> Vec<(String, Value)> {
    let writes = |parameters: &Value| parameters["method"] != "GET";
    let node = &world.plugin.description().node;
    let of_kind = node
        .actions
        .iter()
        .filter(|action| action.idempotency == idempotency && action.effect != Effect::Read);
    of_kind
        .map(|action| {
            let mut examples = action.examples.iter().map(|example| example.parameters.value());
            let example = examples.find(|parameters| writes(parameters));
            (action.name.clone(), example.expect("an example that writes").clone())
        })
        .collect()
}

/// Faults after the write was carried out, and whether it can be told nevertheless that it was.
fn after_apply() -> Vec<(&'static str, Fault)> {
    vec![
        ("cut", Fault::new(FaultAction::ResetAfterApply)),
        ("502", Fault::status(502).after_apply()),
        ("408", Fault::status(408).after_apply()),
        ("half an answer", Fault::new(FaultAction::TruncatedBody)),
    ]
}

/// Faults before anything was carried out, of which the client cannot know that.
fn before_apply() -> Vec<(&'static str, Fault)> {
    vec![
        ("cut", Fault::new(FaultAction::ResetBeforeResponse)),
        ("closed", Fault::new(FaultAction::CloseBeforeResponse)),
        ("502", Fault::status(502)),
        ("503", Fault::status(503)),
        ("408", Fault::status(408)),
    ]
}

/// Runs an example against one fault that hits whatever writes.
async fn run_with(world: &World, action: &str, example: &Value, fault: Fault) -> Outcome {
    world.reset();
    for method in ["POST", "PUT", "PATCH", "DELETE"] {
        world.simulator.fault(fault.clone().method(method));
    }
    let outcome = world.run(action, std::slice::from_ref(example)).await;
    world.simulator.clear_faults();
    outcome
}

/// Problems of an outcome that must be unknown.
fn problems(world: &World, names: &BTreeSet<String>, outcome: &Outcome) -> Vec<String> {
    let mut problems = Vec::new();
    let sent = writes(world).len();
    if sent != 1 {
        problems.push(format!("{sent} writes were sent"));
    }
    let Some(error) = &outcome.items[0].error else {
        problems.push("it has succeeded".to_owned());
        return problems;
    };
    if error.kind != "outcome-unknown" || error.retry_after_ms.is_some() {
        problems.push(format!("{error:?}"));
    }
    // The message states how to check, and names an existing action.
    let named: Vec<&str> =
        error.message.split('`').skip(1).step_by(2).filter(|name| name.contains('.')).collect();
    let unknown: Vec<&&str> = named.iter().filter(|name| !names.contains(**name)).collect();
    let others = ["Read with a GET", "Look at the receiver"];
    if named.is_empty() && !others.iter().any(|words| error.message.contains(words)) {
        problems.push(format!("does not say how to check: {}", error.message));
    }
    if !unknown.is_empty() || !error.message.contains("before you run it again") {
        problems.push(format!("says wrongly how to check: {}", error.message));
    }
    problems
}

#[tokio::test(flavor = "multi_thread")]
async fn no_action_that_cannot_be_repeated_is_sent_twice_and_each_says_how_to_check() {
    let world = world().await;
    let node = &world.plugin.description().node;
    let names: BTreeSet<String> = node.actions.iter().map(|action| action.name.clone()).collect();
    let actions = actions(&world, Idempotency::None);
    assert!(actions.len() > 70, "{}", actions.len());
    let mut found = Vec::new();
    for (action, example) in &actions {
        for (name, fault) in after_apply() {
            // Nothing is lost of an answer that has no body.
            let outcome = run_with(&world, action, example, fault).await;
            if name == "half an answer" && outcome.items[0].is_ok() && writes(&world).len() == 1 {
                continue;
            }
            let problems = problems(&world, &names, &outcome);
            found.extend(problems.iter().map(|one| format!("{action}, {name}: {one}")));
        }
    }
    // Before anything was done, the client knows no better. The way is the same for all of them.
    for (action, example) in actions.iter().step_by(10) {
        for (name, fault) in before_apply() {
            let outcome = run_with(&world, action, example, fault).await;
            let problems = problems(&world, &names, &outcome);
            found.extend(problems.iter().map(|one| format!("{action}, {name}: {one}")));
        }
    }
    assert!(found.is_empty(), "{} problems:\n{}", found.len(), found.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_to_a_write_that_cannot_be_read_leaves_open_what_happened() {
    let world = world().await;
    let mut found = Vec::new();
    for (action, example) in actions(&world, Idempotency::None) {
        // Actions without a response need none.
        let outcome = run_with(&world, &action, &example, Fault::new(FaultAction::Garbage)).await;
        let sent = writes(&world).len();
        let kind = outcome.items[0].error.as_ref().map(|error| error.kind);
        if sent != 1 || kind.is_some_and(|kind| kind != "outcome-unknown") {
            found.push(format!("{action}: {sent} sent, {:?}", outcome.items[0].error));
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_keyed_create_creates_one_object_whatever_is_lost() {
    let world = world().await;
    let mut faults = after_apply();
    faults.extend(before_apply());
    for (name, fault) in faults {
        world.reset();
        let before = world.us().incident_count();
        world.simulator.fault(fault.method("POST").path("/incidents"));
        let service = world.us().services()[0].id.clone();
        let parameters = json!({"title": "Once", "service_id": service});
        let created = world.one("incident.create", parameters).await;
        world.simulator.clear_faults();
        let now = world.us().incidents();
        assert_eq!(now.len() - before, 1, "{name}");
        assert_eq!(created["id"], now.last().unwrap().id, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_with_a_key_opens_one_alert_whatever_is_lost() {
    let world = world().await;
    let mut faults = after_apply();
    faults.extend(before_apply());
    for (name, fault) in faults {
        world.reset();
        let before = world.us().incident_count();
        world.simulator.fault(fault.method("POST").path("/v2/enqueue"));
        let event = json!({"summary": "Disk full", "source": "db-1", "severity": "critical"});
        let accepted = world.one("event.trigger", event).await;
        world.simulator.clear_faults();
        assert_eq!(world.us().incident_count() - before, 1, "{name}");
        let opened = world.us().incidents().pop().unwrap();
        assert_eq!(accepted["dedup_key"], opened.incident_key, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_of_a_state_takes_effect_once() {
    let world = world().await;
    let mut faults = after_apply();
    faults.extend(before_apply());
    for (name, fault) in faults {
        let outcome = async |action: &str, parameters: Value, fault: &Fault| {
            run_with(&world, action, &parameters, fault.clone()).await
        };
        let incident = "QINCIDENT00001";
        let on = json!({ "incident_id": incident });
        let logged = |kind: &str| {
            let log = world.us().log_of(incident);
            log.into_iter().filter(|entry| *entry == format!("{kind}_log_entry")).count()
        };
        values(&outcome("incident.acknowledge", on.clone(), &fault).await, 0);
        assert_eq!(logged("acknowledge"), 1, "{name}");
        values(&outcome("incident.resolve", on.clone(), &fault).await, 0);
        assert_eq!(logged("resolve"), 1, "{name}");
        // With a note, the second request is refused because the first was carried out.
        let with_note = json!({"incident_id": incident, "resolution": "Done."});
        let resolved = outcome("incident.resolve", with_note, &fault).await;
        let notes = world.us().incident(incident).unwrap().notes;
        let notes = notes.iter().filter(|note| note.content == "Resolution Note: Done.").count();
        assert_eq!((logged("resolve"), notes), (1, 1), "{name}: {resolved:?}");
        if let Some(error) = &resolved.items[0].error {
            assert_eq!(
                (error.kind.as_str(), error.code.as_deref()),
                ("conflict", Some("1001")),
                "{name}"
            );
        }
        let user = json!({"user_id": "PUSER000000002", "job_title": "Baker"});
        values(&outcome("user.update", user, &fault).await, 0);
        let deleted = outcome("team.delete", json!({"team_id": "PTEAM000000002"}), &fault).await;
        assert!(world.us().teams().iter().all(|team| team.id != "PTEAM000000002"), "{name}");
        if let Some(error) = &deleted.items[0].error {
            assert_eq!(error.kind, "not-found", "{name}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_by_post_is_retried() {
    let world = world().await;
    let node = &world.plugin.description().node;
    let by_post = node.actions.iter().filter(|action| {
        action.idempotency == Idempotency::Safe && action.name.starts_with("analytics")
    });
    let mut asked = 0;
    for action in by_post {
        for (name, fault) in before_apply() {
            world.reset();
            world.simulator.fault(fault.method("POST"));
            let outcome =
                world.run(&action.name, &[action.examples[0].parameters.value().clone()]).await;
            world.simulator.clear_faults();
            assert!(outcome.items[0].is_ok(), "{}, {name}: {:?}", action.name, outcome.items[0]);
            asked += usize::from(writes(&world).len() == 2);
        }
    }
    assert!(asked >= 15, "{asked}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_outlives_the_time_allowed_is_unknown_and_happened_at_most_once() {
    let world = world().await;
    for applied in [true, false] {
        world.reset();
        let hold = Hold::new();
        world.simulator.fault(match applied {
            true => Fault::hold_after_apply(&hold).method("POST"),
            false => Fault::hold_before_apply(&hold).method("POST"),
        });
        let note = json!({"incident_id": "QINCIDENT00001", "content": "Once."});
        let mut execution = world.execution("user", "incident_note.create", &[note]);
        execution.context.limits =
            Some(Limits { total_time: Duration::from_millis(1_500), ..Limits::default() });
        let outcome = world.plugin.execute(execution).await.unwrap();
        let unknown = error(&outcome, 0);
        assert_eq!(unknown.kind, "outcome-unknown", "{unknown:?}");
        assert!(unknown.message.contains("`incident_note.list`"), "{}", unknown.message);
        hold.release();
        tokio::time::sleep(Duration::from_millis(200)).await;
        world.simulator.clear_faults();
        let notes = world.us().incident("QINCIDENT00001").unwrap().notes;
        let notes = notes.iter().filter(|note| note.content == "Once.").count();
        assert!(notes <= 1 && (!applied || notes == 1), "{notes}");
        assert_eq!(writes(&world).len(), 1);
    }
}
