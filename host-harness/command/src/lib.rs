//! Inspects, approves, runs and tests any workflow node from the command line.
//!
//! [`run()`] is the whole command; the binary only calls it. It contains no code for specific services:
//! forms and prompts come from the plugin's own description. `workflow-node-host`, never this crate,
//! decides about the permissions of a plugin.

#![deny(missing_docs)]

mod approve;
mod archive;
mod check;
mod cli;
mod completions;
mod config;
mod credential;
mod data;
mod diff;
mod docs;
mod exit;
mod fake;
mod flags;
mod groups;
mod har;
mod hosts;
mod input;
mod inspect;
mod installed;
mod interrupt;
mod keyring;
mod logging;
mod mcp;
mod members;
mod new;
mod options;
mod output;
mod package;
mod plugin;
mod progress;
mod prompt;
mod replay;
mod run;
mod secret;
mod serve;
mod setup;
mod slots;
mod store;
mod tally;
mod test;
mod token;
mod trace;
mod trigger;
mod values;
mod webhook;
mod words;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser as _;
use workflow_node_host::WorkerCommand;

use cli::{Cli, Command};
use exit::{Exit, Failure};
use flags::Format;
pub use interrupt::Signals;

/// The argument with which the command starts itself as a worker.
const WORKER: &str = "__worker";

/// Runs a worker, if this process was started as one by [`own_worker`]. A program that uses
/// [`own_worker`] calls this first in `main`, before it starts a thread or opens a file.
pub fn run_as_worker() -> Option<ExitCode> {
    #[cfg(target_os = "linux")]
    if std::env::args_os().nth(1).is_some_and(|argument| argument == WORKER) {
        return Some(workflow_node_host::worker::run());
    }
    None
}

/// Starts workers with the executable of this process; `None` where workers are not available.
pub fn own_worker() -> Option<WorkerCommand> {
    let worker = WorkerCommand::current().ok()?.argument(WORKER);
    cfg!(target_os = "linux").then_some(worker)
}

/// Runs the command: `args` begin with the program's name. Writes to standard output and standard
/// error, runs guests in processes of `worker`, and returns the exit code: 0 success, 1 an item failed, 2 bad input, 3 no usable
/// credential, 4 the plugin was refused or stopped, 5 anything else.
pub async fn run(args: impl IntoIterator<Item = OsString>, worker: Option<WorkerCommand>) -> u8 {
    let args: Vec<OsString> = args.into_iter().collect();
    let cli = match Cli::try_parse_from(&args) {
        Ok(cli) => cli,
        Err(error) => return usage(&error, asks_for_json(&args)).code(),
    };
    let format = cli.command.format();
    let telemetry = match &cli.command {
        Command::Serve(args) => logging::serve(cli.common.verbose, args.log_format),
        _ => {
            logging::start(cli.common.verbose, format);
            Ok(None)
        }
    };
    let ended = match telemetry {
        Ok(telemetry) => {
            let ended = execute(cli, format, worker).await;
            if let Some(telemetry) = telemetry {
                telemetry.shut_down().await;
            }
            ended
        }
        Err(failure) => Err(failure),
    };
    match ended {
        Ok(exit) => exit.code(),
        Err(failure) => {
            output::failure(&failure, format);
            failure.exit.code()
        }
    }
}

async fn execute(cli: Cli, format: Format, worker: Option<WorkerCommand>) -> Result<Exit, Failure> {
    let setup = setup::Setup::new(cli.common, worker)?;
    // Of the other commands, none runs what was approved.
    let runs = matches!(
        cli.command,
        Command::Run(_) | Command::Options(_) | Command::Credential(_) | Command::Trigger(_)
    );
    if setup.development && runs {
        output::warning(
            "development",
            "Development mode: a rebuild of an approved plugin that requests no new permissions is \
             approved without a review",
            format,
        );
    }
    match cli.command {
        Command::Inspect(args) => inspect::run(&setup, &args).await,
        Command::Docs(args) => docs::run(&setup, &args).await,
        Command::Approve(args) => approve::run(&setup, &args).await,
        Command::Diff(args) => diff::run(&setup, &args).await,
        Command::Package(args) => package::run(&setup, *args).await,
        Command::Verify(args) => package::verify::run(&setup, &args).await,
        Command::New(args) => new::run(&args),
        Command::Check(args) => check::run(&setup, args).await,
        Command::Plugin(command) => plugin::run(&setup, &command).await,
        Command::Run(args) => run::run(&setup, *args).await,
        Command::Replay(args) => replay::run(&setup, *args).await,
        Command::Options(args) => options::run(&setup, *args).await,
        Command::Credential(command) => credential::run(&setup, command).await,
        Command::Trigger(command) => trigger::run(&setup, command).await,
        Command::Webhook(command) => webhook::run(&setup, command).await,
        Command::Serve(args) => serve::run(&setup, *args).await,
        Command::Mcp(args) => mcp::run(&setup, *args).await,
        Command::Token(command) => token::run(&setup, command),
        Command::Secret(command) => secret::run(&setup, command),
        Command::Config(command) => config::run(&setup, command).await,
        Command::Data(command) => data::run(&setup, command),
        Command::Test(args) => test::run(&setup, *args).await,
        Command::Trace(args) => trace::run(&args),
        Command::Fake(args) => fake::run(*args).await,
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

/// Whether arguments that could not be parsed contain `--format json` or `jsonl`.
fn asks_for_json(args: &[OsString]) -> bool {
    let args: Vec<&str> = args.iter().filter_map(|arg| arg.to_str()).collect();
    args.iter().any(|arg| arg.starts_with("--format=json"))
        || args.windows(2).any(|pair| pair[0] == "--format" && pair[1].starts_with("json"))
}
