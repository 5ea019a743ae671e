//! `harness inspect --limits`: what plugins and the host may use.

use serde_json::{Value, json};
use workflow_node_host::{
    ConnectionLimits, LimitDescription, Limits, ProcessLimits, ReferenceLimits, TriggerLimits,
    WorkerLimits,
};

use crate::exit::{Exit, Failure};
use crate::flags::Report;
use crate::output;

/// The limits in force, in groups by the type that sets them.
fn groups() -> [(&'static str, &'static str, Vec<LimitDescription>); 6] {
    [
        ("Limits", "Per call of a plugin", Limits::default().describe()),
        (
            "ProcessLimits",
            "Per host, for all plugins together",
            ProcessLimits::default().describe(),
        ),
        ("WorkerLimits", "Worker processes", WorkerLimits::default().describe()),
        ("ConnectionLimits", "Connections", ConnectionLimits::default().describe()),
        ("TriggerLimits", "Triggers", TriggerLimits::default().describe()),
        ("ReferenceLimits", "Secrets by reference", ReferenceLimits::default().describe()),
    ]
}

pub(super) fn print(format: Report) -> Result<Exit, Failure> {
    match format {
        Report::Text => output::stdout(&text())?,
        Report::Json => output::stdout_report(&document())?,
    }
    Ok(Exit::Success)
}

fn text() -> String {
    let mut text = String::new();
    for (name, title, limits) in groups() {
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(&format!("{title} ({name})\n"));
        for limit in limits {
            let units: Vec<&str> = limit.unit.split(", ").collect();
            let numbers: Vec<String> = limit
                .value
                .iter()
                .zip(units)
                .map(|(value, unit)| format!("{value} {unit}"))
                .collect();
            text.push_str(&format!("  {}: {}\n", limit.name, numbers.join(", ")));
            text.push_str(&format!("    {} {}\n", limit.what, limit.reason));
        }
    }
    text
}

fn document() -> Value {
    let groups = groups()
        .map(|(name, title, limits)| json!({ "name": name, "title": title, "limits": limits }));
    json!({ "limits": groups })
}
