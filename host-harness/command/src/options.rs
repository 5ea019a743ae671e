//! `harness options`: the choices of a form field.

use std::sync::Arc;

use serde_json::Value;
use workflow_node_host::{FormOf, OptionsQuery};

use crate::cli::{OptionsArgs, Report};
use crate::exit::{Exit, Failure, shell};
use crate::interrupt::Interrupt;
use crate::output::{self, simple_table};
use crate::setup::{Setup, load};
use crate::store::LateStore;
use crate::{input, slots};

pub(crate) async fn run(setup: &Setup, args: OptionsArgs) -> Result<Exit, Failure> {
    let parameters = input::parameters(args.parameters.as_deref())?;
    let store = Arc::new(LateStore::default());
    let host = setup.host(&args.network, Some(store.clone()))?;
    let plugin = load(&host, &args.plugin).await?;
    let path = args.plugin.display().to_string();
    let of_plugin = |error| Failure::of(&error, &path);
    let (of, name) = match plugin.trigger(&args.of) {
        Ok(trigger) => (FormOf::Trigger(trigger.name.clone()), &trigger.name),
        Err(_) => {
            let action = plugin.action(&args.of).map_err(|error| {
                of_plugin(error).next(format!("harness inspect {}", shell(&path)))
            })?;
            (FormOf::Action(action.name.clone()), &action.name)
        }
    };
    plugin.check_approval().map_err(of_plugin)?;
    let interrupt = Interrupt::listen();
    let mut context = setup.execution(name, &args.network);
    let uses = plugin.description().slots_of(name);
    let uses = slots::Uses { name, slots: uses.expect("Matched by this name") };
    context.credentials = slots::fill(setup, &plugin, uses, &args.credential, &store)?;
    context.cancellation = interrupt.token();
    let query = OptionsQuery {
        of,
        parameter: args.parameter.clone(),
        parameters,
        search: args.search.clone(),
        cursor: args.cursor.clone(),
        limit: None,
    };
    let answer = plugin.load_options(&query, &context).await;
    if let Some(credentials) = host.credentials() {
        credentials.settle().await;
    }
    let answer = answer.map_err(of_plugin)?;
    let document = answer.map_err(|error| Failure::answered(Exit::Failed, error))?;
    match args.format {
        Report::Json => output::stdout_report(&document)?,
        Report::Text => print(&document)?,
    }
    Ok(Exit::Success)
}

fn print(document: &Value) -> Result<(), Failure> {
    let text = |choice: &Value, member: &str| match choice.get(member) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    let choices = document.get("choices").and_then(Value::as_array).cloned().unwrap_or_default();
    let mut members = vec!["value", "label"];
    if choices.iter().any(|choice| !text(choice, "description").is_empty()) {
        members.push("description");
    }
    let rows: Vec<Vec<String>> = choices
        .iter()
        .map(|choice| members.iter().map(|member| text(choice, member)).collect())
        .collect();
    if !rows.is_empty() {
        output::stdout(&simple_table(&members, &rows))?;
    }
    let more = document.get("next_cursor").and_then(Value::as_str);
    let more = more.map_or(String::new(), |cursor| {
        format!(", more available: add --cursor {}", shell(&output::one_line(cursor)))
    });
    output::stderr(&format!("{}{more}\n", output::count(rows.len(), "choice")));
    let stale = document.get("stale").and_then(Value::as_array).cloned().unwrap_or_default();
    for value in &stale {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        output::stderr(&format!("No longer available: {}\n", output::one_line(&value)));
    }
    Ok(())
}
