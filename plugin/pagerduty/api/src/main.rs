//! Maintains the facts about PagerDuty's API.
//!
//! ```text
//! cargo run -p pagerduty-api -- import rest-openapiv3.json     rewrites the facts, prints what changed
//! cargo run -p pagerduty-api -- check rest-openapiv3.json      compares the node with the document
//! ```
//!
//! PagerDuty publishes its OpenAPI documents without a license; do not commit them.

#![allow(clippy::print_stdout)] // A command.

mod check;
mod difference;
mod import;
mod schema;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use serde_json::Value;

use crate::import::Api;
use crate::schema::Document;

#[derive(Parser)]
#[command(about = "Keeps the facts about PagerDuty's API")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Update the facts from an OpenAPI document, and print what changed.
    Import {
        /// The OpenAPI document of the REST API or of the Events API (JSON).
        file: PathBuf,
        /// Directory of the facts. Default: next to this tool's sources.
        #[arg(long)]
        facts: Option<PathBuf>,
        /// Print what would change, and write nothing.
        #[arg(long)]
        dry_run: bool,
    },
    /// Compare the node's examples and forms with an OpenAPI document. Fails on any difference that
    /// no amendment explains.
    Check {
        /// The OpenAPI document of the REST API (JSON).
        file: PathBuf,
    },
    /// List the fields without a description.
    Words,
}

fn main() -> Result<()> {
    match Arguments::parse().command {
        Command::Import { file, facts, dry_run } => {
            let facts = facts.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).to_owned());
            import(&file, &facts, dry_run)
        }
        Command::Check { file } => {
            let lines = check::differences(&document(&file)?);
            for line in &lines {
                println!("{line}");
            }
            anyhow::ensure!(lines.is_empty(), "{} differences", lines.len());
            println!("no differences");
            Ok(())
        }
        Command::Words => {
            let derived =
                pagerduty_declaration::derive::derive(&pagerduty_declaration::derive::overlay());
            for line in &derived.wordless {
                println!("{line}");
            }
            println!("{} fields without their own description", derived.wordless.len());
            Ok(())
        }
    }
}

/// Reads an OpenAPI document.
fn document(file: &Path) -> Result<Document> {
    let text = std::fs::read_to_string(file)
        .with_context(|| format!("Cannot read `{}`", file.display()))?;
    let value =
        serde_json::from_str(&text).with_context(|| format!("`{}` is not JSON", file.display()))?;
    Ok(Document(value))
}

fn import(file: &Path, facts: &Path, dry_run: bool) -> Result<()> {
    let document = document(file)?;
    let after = import::rows(&document);
    let name = match Api::of(&document) {
        Api::Rest => "operations.json",
        Api::Events => "events.json",
    };
    let path = facts.join(name);
    let before: Vec<Value> = match std::fs::read_to_string(&path) {
        Ok(text) => serde_json::from_str(&text)
            .with_context(|| format!("`{}` does not hold facts", path.display()))?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(error).context(format!("Cannot read `{}`", path.display())),
    };
    let lines = difference::lines(&before, &after);
    for line in &lines {
        println!("{line}");
    }
    println!("{} operations, {} changes in {name}", after.len(), lines.len());
    if dry_run {
        return Ok(());
    }
    let rows: Vec<String> = after.iter().map(Value::to_string).collect();
    let text = format!("[\n{}\n]\n", rows.join(",\n"));
    std::fs::write(&path, text).with_context(|| format!("Cannot write `{}`", path.display()))
}
