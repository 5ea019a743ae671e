//! Output of `get` is valid input of `update`: for every pair of them, through the real component.

use end_to_end::World;
use pagerduty_simulator::Simulator;
use serde_json::{Map, Value, json};
use workflow_node_host::Plugin;

/// An update with the `get` of the same path.
struct Pair {
    update: String,
    get: String,
    /// Path parameters that identify the object.
    path: Map<String, Value>,
    /// Changes in the example of the update.
    change: Map<String, Value>,
}

/// Path parameters and the rest of the first example of an action.
fn example(plugin: &Plugin, name: &str) -> Map<String, Value> {
    let actions = &plugin.description().node.actions;
    let action = actions.iter().find(|one| one.name == name).expect("it is described");
    action.examples[0].parameters.value().as_object().cloned().unwrap_or_default()
}

fn pairs(plugin: &Plugin) -> Vec<Pair> {
    let actions = &plugin.description().node.actions;
    let mut pairs = Vec::new();
    for action in actions {
        if action.parameters["properties"].get("object").is_none() {
            continue;
        }
        let all = example(plugin, &action.name);
        let required = action.parameters["required"].as_array().cloned().unwrap_or_default();
        let is_path = |name: &String| required.contains(&json!(name));
        let (path, change): (Map<_, _>, Map<_, _>) =
            all.into_iter().partition(|(name, _)| is_path(name));
        let (resource, verb) = action.name.split_once('.').expect("names have a resource");
        let get = match verb.strip_prefix("set_") {
            Some(what) => format!("{resource}.get_{what}"),
            None => format!("{resource}.get"),
        };
        assert!(actions.iter().any(|one| one.name == get), "{} has no {get}", action.name);
        pairs.push(Pair { update: action.name.clone(), get, path, change });
    }
    pairs
}

/// A record without what an update changes by itself, and references by their ID alone.
fn comparable(record: Value) -> Value {
    match record {
        Value::Object(members) => {
            let volatile = [
                "version",
                "updated_at",
                "updated_by",
                "self",
                "html_url",
                "summary",
                "type",
                "parent",
            ];
            let kept = members
                .into_iter()
                .filter(|(name, value)| !volatile.contains(&name.as_str()) && !value.is_null());
            kept.map(|(name, value)| (name, comparable(value))).collect()
        }
        Value::Array(list) => list.into_iter().map(comparable).collect(),
        other => other,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_record_that_get_returns_is_taken_by_update_and_stays_as_it_is() {
    let simulator = Simulator::builder().examples(true).without_rate_limits();
    let world = World::with(simulator, |host| host.rate_limit(Vec::new())).await;
    let pairs = pairs(&world.plugin);
    assert!(pairs.len() > 30, "{}", pairs.len());
    let mut problems = Vec::new();
    for pair in pairs {
        world.reset();
        let before = world.run(&pair.get, &[Value::Object(pair.path.clone())]).await;
        if let Some(error) = &before.items[0].error {
            problems.push(format!("{}: {error:?}", pair.get));
            continue;
        }
        let record = before.items[0].output[0].value();
        // Unchanged, and with the change of the example.
        for change in [Map::new(), pair.change.clone()] {
            let is_unchanged = change.is_empty();
            let mut parameters = pair.path.clone();
            parameters.insert("object".to_owned(), record.clone());
            parameters.extend(change);
            let outcome = world.run(&pair.update, &[Value::Object(parameters)]).await;
            if let Some(error) = &outcome.items[0].error {
                problems.push(format!("{}: {error:?}", pair.update));
                continue;
            }
            if is_unchanged {
                let after = world.run(&pair.get, &[Value::Object(pair.path.clone())]).await;
                let after = comparable(after.items[0].output[0].value());
                let before = comparable(record.clone());
                if after != before {
                    problems.push(format!("{}: {before} became {after}", pair.update));
                }
            }
        }
        let violations = world.simulator.violations();
        problems.extend(violations.iter().map(|one| format!("{}: {one}", pair.update)));
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}
