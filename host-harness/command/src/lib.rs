//! Inspects, approves, runs and tests any workflow node from the command line.
//!
//! [`run()`] is the whole command; the binary only calls it. It knows no service by name: what it
//! shows and asks for comes from the plugin's own description. What a plugin may do is decided in
//! `workflow-node-host`, never here.

#![deny(missing_docs)]

mod approve;
mod cli;
mod completions;
mod credential;
mod docs;
mod exit;
mod form;
mod groups;
mod har;
mod input;
mod inspect;
mod interrupt;
mod keyring;
mod logging;
mod options;
mod output;
mod plugin;
mod progress;
mod run;
mod schema;
mod setup;
mod slots;
mod store;
mod trigger;
mod values;
mod webhook;
mod words;

use std::ffi::OsString;

use clap::Parser as _;

use cli::{Cli, Command, Format};
use exit::{Exit, Failure};

/// Runs the command: `args` begin with the program's name. Writes to standard output and standard
/// error, and returns the exit code: 0 success, 1 an item failed, 2 bad input, 3 no usable
/// credential, 4 the plugin was refused or stopped, 5 anything else.
pub async fn run(args: impl IntoIterator<Item = OsString>) -> u8 {
    let args: Vec<OsString> = args.into_iter().collect();
    let cli = match Cli::try_parse_from(&args) {
        Ok(cli) => cli,
        Err(error) => return usage(&error, asks_for_json(&args)).code(),
    };
    let format = cli.command.format();
    logging::start(cli.common.verbose, format);
    match execute(cli, format).await {
        Ok(exit) => exit.code(),
        Err(failure) => {
            output::failure(&failure, format);
            failure.exit.code()
        }
    }
}

async fn execute(cli: Cli, format: Format) -> Result<Exit, Failure> {
    let setup = setup::Setup::new(cli.common)?;
    if setup.development && !matches!(cli.command, Command::Completions { .. }) {
        output::warning(
            "development",
            "development mode: a rebuild of an approved plugin that asks for nothing new is \
             approved without anybody having looked at it",
            format,
        );
    }
    match cli.command {
        Command::Inspect(args) => inspect::run(&setup, &args).await,
        Command::Docs(args) => docs::run(&setup, &args).await,
        Command::Approve(args) => approve::run(&setup, &args).await,
        Command::Plugin(command) => plugin::run(&setup, &command),
        Command::Run(args) => run::run(&setup, *args).await,
        Command::Options(args) => options::run(&setup, *args).await,
        Command::Credential(command) => credential::run(&setup, command).await,
        Command::Trigger(command) => trigger::run(&setup, command).await,
        Command::Webhook(command) => webhook::run(&setup, command).await,
        Command::Completions { shell } => completions::run(shell),
    }
}

/// A command line that cannot be read, or a question for help.
fn usage(error: &clap::Error, json: bool) -> Exit {
    let text = error.render().to_string();
    if !error.use_stderr() {
        return match output::stdout(&text) {
            Ok(()) => Exit::Success,
            Err(failure) => failure.exit,
        };
    }
    if json {
        let text = text.trim().trim_start_matches("error: ");
        output::failure(&Failure::input("usage", text), Format::Json);
    } else {
        output::stderr(&text);
    }
    Exit::Input
}

/// Whether `--format json` or `jsonl` stands in arguments that could not be read.
fn asks_for_json(args: &[OsString]) -> bool {
    let args: Vec<&str> = args.iter().filter_map(|arg| arg.to_str()).collect();
    args.iter().any(|arg| arg.starts_with("--format=json"))
        || args.windows(2).any(|pair| pair[0] == "--format" && pair[1].starts_with("json"))
}
