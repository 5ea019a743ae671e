//! `harness options`: the choices of a form field.

use serde_json::Value;
use workflow_node_host::{Options, OptionsQuery, OptionsRequest};

use crate::cli::OptionsArgs;
use crate::exit::{Exit, Failure, shell};
use crate::flags::Report;
use crate::interrupt::Interrupt;
use crate::output::{self, simple_table};
use crate::setup::Setup;
use crate::store::LateStore;
use crate::{input, slots};

pub(crate) async fn run(setup: &Setup, args: OptionsArgs) -> Result<Exit, Failure> {
    let parameters = input::parameters(args.parameters.as_deref())?;
    let store = LateStore::default();
    let host = setup.host(&args.network, Some(&store))?;
    let plugin = setup.load_with(&host, &args.plugin).await?;
    let path = args.plugin.display().to_string();
    let of_plugin = |error| Failure::of(&error, &path);
    let parameter = &args.parameter;
    let (mut query, name) = match plugin.trigger(&args.of) {
        Ok(trigger) => (OptionsQuery::for_trigger(&trigger.name, parameter), &trigger.name),
        Err(_) => {
            let action = plugin.action(&args.of).map_err(|error| {
                of_plugin(error).next(format!("harness inspect {}", shell(&path)))
            })?;
            (OptionsQuery::for_action(&action.name, parameter), &action.name)
        }
    };
    plugin.check_approval().await.map_err(of_plugin)?;
    let interrupt = Interrupt::listen();
    let uses = plugin.description().slots_of(name);
    let uses = slots::Uses { name, slots: uses.expect("Matched by this name") };
    query.parameters = parameters;
    query.search.clone_from(&args.search);
    query.cursor.clone_from(&args.cursor);
    let mut request = OptionsRequest::new(query)
        .context(setup.context(&args.network).cancellation(interrupt.token()));
    request.credentials = slots::fill(setup, &plugin, uses, &args.credential, &store)?;
    let loaded = plugin.load_options(request).await;
    if let Ok(credentials) = host.credentials() {
        credentials.settle().await;
    }
    let options = loaded.map_err(|error| match error.item() {
        Some(item) => Failure::answered(Exit::Failed, item.clone()),
        None => of_plugin(error),
    })?;
    match args.format {
        Report::Json => output::stdout_report(&options)?,
        Report::Text => print(&options)?,
    }
    Ok(Exit::Success)
}

fn print(options: &Options) -> Result<(), Failure> {
    let mut members = vec!["value", "label"];
    let has_descriptions = options.choices.iter().any(|choice| choice.description.is_some());
    if has_descriptions {
        members.push("description");
    }
    let rows: Vec<Vec<String>> = options
        .choices
        .iter()
        .map(|choice| {
            let mut row = vec![plain(&choice.value), choice.label.clone()];
            if has_descriptions {
                row.push(choice.description.clone().unwrap_or_default());
            }
            row
        })
        .collect();
    if !rows.is_empty() {
        output::stdout(&simple_table(&members, &rows))?;
    }
    let more = options.next_cursor.as_ref().map_or(String::new(), |cursor| {
        format!(", more available: add --cursor {}", shell(&output::one_line(cursor)))
    });
    output::stderr(&format!("{}{more}\n", output::count(rows.len(), "choice")));
    for value in &options.stale {
        output::stderr(&format!("No longer available: {}\n", output::one_line(&plain(value))));
    }
    Ok(())
}

/// A value as a person reads it.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}
