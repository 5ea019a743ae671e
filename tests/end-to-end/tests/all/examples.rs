//! Every example of every action, through the real component, host and sockets, each in an account
//! that has just begun.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};

use end_to_end::World;
use pagerduty_simulator::Simulator;
use pagerduty_simulator::facts::{self, Operation};
use serde_json::{Value, json};
use workflow_node_host::Plugin;

/// So many accounts are used at once.
const WORLDS: usize = 3;

/// The operation of the REST schema that no action is for: it only points to the Events API, where
/// change events are sent by `event.change`.
const A_POINTER: &str = "createChangeEvent";

/// One example of one action.
struct Example {
    action: String,
    title: String,
    parameters: Value,
}

/// Results of the examples.
#[derive(Default)]
struct Found {
    run: usize,
    failures: Vec<String>,
    operations: BTreeSet<&'static str>,
}

fn examples(plugin: &Plugin, found: &mut Found) -> VecDeque<Example> {
    let mut all = VecDeque::new();
    for action in &plugin.description().node.actions {
        if action.examples.is_empty() {
            found.failures.push(format!("{} has no example", action.name));
        }
        all.extend(action.examples.iter().map(|example| Example {
            action: action.name.clone(),
            title: example.title.clone(),
            parameters: example.parameters.value().clone(),
        }));
    }
    all
}

/// The schema of the records of an action.
fn validator(plugin: &Plugin, action: &str) -> jsonschema::Validator {
    let node = &plugin.description().node;
    let action = node.actions.iter().find(|one| one.name == action).expect("it is described");
    let mut schema = action.output["main"].value().clone();
    schema["$defs"] = json!(node.schemas);
    jsonschema::validator_for(&schema).expect("its output is a schema")
}

/// Whether an action lists something, of which there may be nothing.
fn lists(plugin: &Plugin, action: &str) -> bool {
    let actions = &plugin.description().node.actions;
    let action = actions.iter().find(|one| one.name == action).expect("it is described");
    action.parameters["properties"].get("limit").is_some()
}

/// Runs an example in a fresh account; what is wrong with it, in words.
async fn run(world: &World, example: &Example, found: &Mutex<Found>) -> Vec<String> {
    world.reset();
    let parameters = std::slice::from_ref(&example.parameters);
    let outcome = world.run(&example.action, parameters).await;
    let mut problems = world.simulator.violations();
    for request in world.simulator.requests() {
        match operation(&request.method, &request.path) {
            Some(operation) if request.response_status.is_some_and(|status| status < 300) => {
                found.lock().unwrap().operations.insert(&operation.id);
            }
            _ if request.origin.host().starts_with("events.") => {}
            _ => problems.push(format!("{} {}", request.method, request.path)),
        }
    }
    let item = &outcome.items[0];
    if let Some(error) = &item.error {
        problems.push(format!("{error:?}"));
    } else if item.output.is_empty() && !lists(&world.plugin, &example.action) {
        problems.push("no record came".to_owned());
    }
    let validator = validator(&world.plugin, &example.action);
    for record in &item.output {
        if let Err(error) = validator.validate(&record.value()) {
            problems.push(format!("a record does not fit its schema: {error}: {}", record.json));
            break;
        }
    }
    problems
}

/// Which operation of the facts a request was for.
fn operation(method: &str, path: &str) -> Option<&'static Operation> {
    let segments: Vec<&str> = path.split('/').collect();
    let fits = |operation: &&Operation| {
        let template: Vec<&str> = operation.path.split('/').collect();
        operation.method == method
            && template.len() == segments.len()
            && template.iter().zip(&segments).all(|(one, own)| one.starts_with('{') || one == own)
    };
    // Where several fit, that which says more literally.
    let literal = |operation: &&Operation| !operation.path.matches('{').count();
    facts::operations().iter().filter(fits).max_by_key(literal)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_example_of_every_action_really_runs_and_reaches_every_operation() {
    let mut worlds = Vec::new();
    for _ in 0..WORLDS {
        let simulator = Simulator::builder().examples(true).without_rate_limits();
        worlds.push(World::with(simulator, |host| host.rate_limit(Vec::new())).await);
    }
    let mut found = Found::default();
    let examples = Mutex::new(examples(&worlds[0].plugin, &mut found));
    let total = examples.lock().unwrap().len();
    let (examples, found) = (Arc::new(examples), Arc::new(Mutex::new(found)));
    let mut tasks = Vec::new();
    for world in worlds {
        let (examples, found) = (examples.clone(), found.clone());
        tasks.push(tokio::spawn(async move {
            loop {
                let Some(example) = examples.lock().unwrap().pop_front() else { break };
                let problems = run(&world, &example, &found).await;
                let mut found = found.lock().unwrap();
                found.run += 1;
                let of = format!("{} ({}) {}", example.action, example.title, example.parameters);
                found.failures.extend(problems.iter().map(|problem| format!("{of}: {problem}")));
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    let found = found.lock().unwrap();
    assert!(found.failures.is_empty(), "{}", found.failures.join("\n"));
    assert_eq!(found.run, total);
    let missing: Vec<&str> = facts::operations()
        .iter()
        .filter(|operation| !operation.deprecated && operation.id != A_POINTER)
        .map(|operation| operation.id.as_str())
        .filter(|id| !found.operations.contains(id))
        .collect();
    assert_eq!(missing, [""; 0], "operations that no example has reached");
    assert_eq!(found.operations.len(), 435);
}
