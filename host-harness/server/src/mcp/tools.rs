//! Which tools there are for a token, and what is reported to clients about them.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use rmcp::model::{Tool, ToolAnnotations};
use sha2::{Digest as _, Sha256};
use workflow_node_host::description::{Action, Effect, Idempotency};

use super::schema;
use crate::permitted::permitted_action;
use crate::state::State;
use crate::token::{Caller, Role};

pub(super) const SEARCH: &str = "search_actions";
pub(super) const DESCRIBE: &str = "describe_action";
pub(super) const RUN: &str = "run_action";

/// Length of a name that all clients accept.
const NAME: usize = 64;

/// The tools that a token may use.
pub(super) fn all(state: &State, caller: &Caller) -> Vec<Tool> {
    let reading = |title: &str| {
        ToolAnnotations::with_title(title).read_only(true).idempotent(true).open_world(false)
    };
    let mut tools = vec![
        Tool::new(
            SEARCH,
            "Finds actions by words, such as \"create incident\". Returns names and what the actions \
             do. Without words, lists all.",
            schema::search(),
        )
        .with_title("Find actions")
        .with_raw_output_schema(schema::found())
        .with_annotations(reading("Find actions")),
        Tool::new(
            DESCRIBE,
            "Returns the parameters of an action as a JSON Schema, its output, examples, and the \
             accounts that it can use. Call it before run_action.",
            schema::describe(),
        )
        .with_title("Describe an action")
        .with_raw_output_schema(schema::described())
        .with_annotations(reading("Describe an action")),
    ];
    if !caller.policy.roles.contains(&Role::Run) {
        return tools;
    }
    let effects = caller.policy.effects.iter().flatten();
    let changing: Vec<Effect> = effects.copied().filter(|one| *one != Effect::Read).collect();
    let annotations = ToolAnnotations::with_title("Run an action")
        .read_only(changing.is_empty())
        .destructive(changing.iter().any(|effect| is_destructive(*effect)))
        .idempotent(changing.is_empty())
        .open_world(true);
    let description = match changing.is_empty() {
        true => "Runs an action that reads, and returns its records.",
        false => {
            "Runs an action, and returns its records. Actions whose effect is not \"read\" change \
             the service."
        }
    };
    tools.push(
        Tool::new(RUN, description, schema::run())
            .with_title("Run an action")
            .with_raw_output_schema(schema::ran())
            .with_annotations(annotations),
    );
    for (name, (plugin, action)) in pinned(state, caller) {
        let found = state.plugin(caller, &plugin).ok();
        let node = found.map(|plugin| &plugin.description().node);
        if let Some((node, action)) = node.and_then(|node| Some((node, node.action(&action)?))) {
            let form = crate::api::inlined(&node.schemas, action.parameters.value());
            tools.push(
                Tool::new(name, action.description.clone(), schema::pinned(form))
                    .with_title(action.title.clone())
                    .with_raw_output_schema(schema::ran())
                    .with_annotations(annotations_of(action)),
            );
        }
    }
    tools
}

/// Maps an action's effect and idempotency to tool annotations. `keyed` does not count as idempotent:
/// only calls with the same execution ID are.
fn annotations_of(action: &Action) -> ToolAnnotations {
    let is_idempotent = matches!(action.idempotency, Idempotency::Safe | Idempotency::Idempotent);
    ToolAnnotations::with_title(action.title.clone())
        .read_only(action.effect == Effect::Read)
        .destructive(is_destructive(action.effect))
        .idempotent(is_idempotent)
        .open_world(true)
}

/// Whether an effect may do more than to add something.
fn is_destructive(effect: Effect) -> bool {
    !matches!(effect, Effect::Read | Effect::Create)
}

/// The actions that are separate tools, by the name of the tool: those that the token's policy pins
/// and allows.
pub(super) fn pinned(
    state: &State,
    caller: &Caller,
) -> BTreeMap<Cow<'static, str>, (String, String)> {
    let mut tools = BTreeMap::new();
    if !caller.policy.roles.contains(&Role::Run) {
        return tools;
    }
    for pin in &caller.policy.pinned {
        let Some((plugin, action)) = pin.split_once('/') else { continue };
        let Ok(found) = state.plugin(caller, plugin) else { continue };
        if permitted_action(caller, found, action).is_err() {
            continue;
        }
        let mut name = tool_name(pin);
        if tools.contains_key(name.as_str()) || name.len() > NAME {
            name = unique_name(pin, &name);
        }
        tools.insert(Cow::from(name), (plugin.to_owned(), action.to_owned()));
    }
    tools
}

/// The name of a pinned tool. Clients accept letters, digits, `_`, and `-`.
fn tool_name(pin: &str) -> String {
    let accepted = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-');
    pin.chars().map(|letter| if accepted(letter) { letter } else { '_' }).collect()
}

/// A name for an action whose own is too long, or looks like another one's.
fn unique_name(pin: &str, name: &str) -> String {
    let digest = Sha256::digest(pin.as_bytes());
    let end: String = digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    let beginning: String = name.chars().take(NAME - end.len() - 1).collect();
    format!("{beginning}_{end}")
}

/// A schema for a tool.
pub(super) type Schema = Arc<rmcp::model::JsonObject>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_pinned_tools_fit_all_clients() {
        assert_eq!(tool_name("pagerduty/incident.create"), "pagerduty_incident_create");
        let long = format!("pagerduty/{}", "a.".repeat(80));
        let short = unique_name(&long, &tool_name(&long));
        assert_eq!(short.len(), NAME);
        assert_ne!(short, unique_name(&format!("{long}b"), &tool_name(&long)));
    }
}
