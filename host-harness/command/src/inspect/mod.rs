//! `harness inspect`: what a plugin is, asks for and can do. Runs nothing but its description.

mod document;
mod limits;
mod overview;
mod single;

use serde_json::Map;
use workflow_node_host::description::{Action, CredentialType, Form, Trigger};
use workflow_node_host::{Plugin, near};

use crate::cli::InspectArgs;
use crate::exit::{Exit, Failure, shell};
use crate::flags::Report;
use crate::groups::{Group, group, groups};
use crate::output;
use crate::setup::Setup;

pub(crate) async fn run(setup: &Setup, args: &InspectArgs) -> Result<Exit, Failure> {
    let Some(path) = &args.plugin else { return limits::print(args.format) };
    let plugin = setup.load(path).await?;
    let path = path.display().to_string();
    let Some(name) = &args.name else {
        match args.format {
            Report::Text => output::stdout(&overview::text(&plugin, &path).await)?,
            Report::Json => output::stdout_report(&document::plugin(&plugin).await)?,
        }
        return Ok(Exit::Success);
    };
    let named = Named::find(&plugin, name);
    if named.is_nothing() {
        return Err(unknown(&plugin, name, &path));
    }
    match args.format {
        Report::Text => output::stdout(&single::text(&plugin, &named, &path))?,
        Report::Json => output::stdout_report(&document::named(&plugin, &named, &path))?,
    }
    Ok(Exit::Success)
}

/// Objects with a name. A trigger and a resource may have the same name.
pub(crate) struct Named<'a> {
    group: Option<Group<'a>>,
    action: Option<&'a Action>,
    trigger: Option<&'a Trigger>,
    credential_type: Option<&'a CredentialType>,
}

impl<'a> Named<'a> {
    fn find(plugin: &'a Plugin, name: &str) -> Self {
        let description = plugin.description();
        Self {
            group: group(description, name),
            action: description.node.action(name),
            trigger: description.trigger(name),
            credential_type: description.credential_types.get(name),
        }
    }

    fn is_nothing(&self) -> bool {
        self.group.is_none()
            && self.action.is_none()
            && self.trigger.is_none()
            && self.credential_type.is_none()
    }
}

fn unknown(plugin: &Plugin, name: &str, path: &str) -> Failure {
    let description = plugin.description();
    let groups = groups(description);
    let known = groups
        .iter()
        .map(|group| group.name)
        .chain(description.node.actions.iter().map(|action| action.name.as_str()))
        .chain(description.triggers.iter().map(|trigger| trigger.name.as_str()))
        .chain(description.credential_types.keys().map(String::as_str));
    let near = near(name, known);
    let mut message = format!("No resource, action, trigger, or credential type is named `{name}`");
    if !near.is_empty() {
        message.push_str(&format!(". Similar names: {}", near.join(", ")));
    }
    Failure::input("unknown", message).next(format!("harness inspect {}", shell(path)))
}

/// Ready to be pasted; the credential's name is the reader's.
pub(crate) fn example_command(
    action: &Action,
    parameters: &serde_json::Value,
    path: &str,
) -> String {
    let credential =
        if action.slots.values().any(|slot| slot.required) { " --credential NAME" } else { "" };
    let parameters = match parameters.as_object() {
        Some(members) if members.is_empty() => String::new(),
        _ => {
            let parameters = Form::of_action(action, &Map::new()).in_order(parameters);
            format!(" --parameters {}", shell(&parameters.to_string()))
        }
    };
    format!("harness run {} {}{credential}{parameters}", shell(path), action.name)
}
