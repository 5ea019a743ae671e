//! Partial updates; the guide documents them, the schema does not.

use pagerduty_simulator::facts::{self, Operation};
use pagerduty_simulator::{Simulator, examples};
use serde_json::{Value, json};

use crate::client::{Answer, Line, ask, line};
use crate::operations::simulator;

/// The operations that accept partial updates, each with the one that reads the object.
fn partial() -> Vec<(&'static Operation, &'static Operation)> {
    let relaxed = facts::amendments().iter().filter(|one| one.at == "body.*.*");
    let updates = relaxed.flat_map(|one| &one.operations).map(|id| facts::operation(id).unwrap());
    let reads = |operation: &Operation| {
        facts::operations()
            .iter()
            .find(|one| one.method == "GET" && one.path == operation.path && !one.deprecated)
    };
    updates.filter_map(|update| Some((update, reads(update)?))).collect()
}

async fn send(
    simulator: &Simulator,
    line: &Line,
    update: &Operation,
    method: &str,
    body: Option<&Value>,
) -> Answer {
    let mut ask = ask(simulator, method, &examples::path(update));
    if let Some(feature) = &update.early_access {
        ask = ask.header("x-early-access", feature);
    }
    match body {
        Some(body) => ask.json(body).send_on(line).await,
        None => ask.send_on(line).await,
    }
}

/// The parts of a value that remain the same if nothing is changed, without times and details of
/// references.
fn lasting(value: Value) -> Value {
    match value {
        Value::Object(members) => members
            .into_iter()
            .filter(|(name, _)| !["updated_at", "self", "html_url"].contains(&name.as_str()))
            .map(|(name, value)| (name, lasting(value)))
            .collect(),
        Value::Array(items) => items.into_iter().map(lasting).collect(),
        other => other,
    }
}

#[tokio::test]
async fn a_partial_update_keeps_all_other_members() {
    let simulator = simulator().await;
    let line = line(&simulator).await;
    let mut changed = 0;
    let mut problems = Vec::new();
    let all = partial();
    for (update, _) in &all {
        simulator.reset();
        let read = async || {
            let answer = send(&simulator, &line, update, "GET", None).await;
            assert!(answer.status < 300, "{}", update.id);
            let root = update.root().unwrap();
            lasting(answer.json()[root].clone())
        };
        let before = read().await;
        let declared = &update.body.as_ref().unwrap().fields[0];
        for field in declared.fields.iter().filter(|field| !field.read_only) {
            let old = &before[&field.name];
            if old.is_null() || field.name == "type" {
                continue;
            }
            let mut object = json!({});
            if declared.field("type").is_some_and(|kind| kind.must_be_sent()) {
                object["type"] = before["type"].clone();
            }
            object[&field.name] = old.clone();
            let body = json!({ &declared.name: object });
            let answer = send(&simulator, &line, update, "PUT", Some(&body)).await;
            if answer.status >= 300 {
                let said = String::from_utf8_lossy(&answer.body).into_owned();
                problems.push(format!("{} {body}: {said}", update.id));
            }
            let after = read().await;
            if after != before {
                problems.push(format!("{} {body}: was {before} and is {after}", update.id));
            }
            changed += 1;
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    assert!(all.len() >= 12 && changed >= 40, "{} {changed}", all.len());
}

#[tokio::test]
async fn a_partial_update_still_validates_the_type() {
    let simulator = simulator().await;
    let line = line(&simulator).await;
    let mut refused = 0;
    for (update, _) in partial() {
        let declared = &update.body.as_ref().unwrap().fields[0];
        if !declared.field("type").is_some_and(|kind| kind.must_be_sent()) {
            continue;
        }
        for object in [json!({"name": "Other"}), json!({"type": 7})] {
            let body = json!({ &declared.name: object });
            let answer = send(&simulator, &line, update, "PUT", Some(&body)).await;
            assert_eq!(answer.status, 400, "{} {body}", update.id);
            refused += 1;
        }
    }
    assert!(refused >= 20, "{refused}");
}
