//! Why a component could not be built, and what to do about it.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;

/// Why a component could not be built.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The workspace was not found.
    NoWorkspace {
        /// Where the search started: names, and paths where known.
        searched: Vec<(&'static str, Option<PathBuf>)>,
    },
    /// There is no crate of this name among the guests.
    NoSuchGuest {
        /// Requested name.
        name: String,
        /// Directory of the guests.
        guests: PathBuf,
    },
    /// A program could not be started.
    Start {
        /// Name of the program.
        program: String,
        /// Cause of the failure.
        source: io::Error,
    },
    /// rustc did not report the requested information.
    Rustc {
        /// The arguments.
        arguments: String,
        /// Error output of rustc.
        stderr: String,
    },
    /// The target is missing and could not be added.
    TargetMissing {
        /// Command to run.
        command: String,
        /// Why the build could not add it.
        reason: String,
    },
    /// A directory or lock file of the build could not be made.
    Directory {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The build failed.
    Failed {
        /// The command.
        command: String,
        /// Where it ran.
        directory: PathBuf,
        /// How it ended.
        status: ExitStatus,
        /// Error output of cargo.
        stderr: String,
    },
    /// The build succeeded, but there is no component.
    NoComponent {
        /// Where it should be.
        path: PathBuf,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoWorkspace { searched } => {
                let searched: Vec<String> = searched
                    .iter()
                    .map(|(name, path)| match path {
                        Some(path) => format!("{name} ({})", path.display()),
                        None => format!("{name} (not set)"),
                    })
                    .collect();
                write!(
                    formatter,
                    "cannot find the workspace with plugin/pagerduty above {}. Start the program \
                     with cargo, or in a directory of the checkout.",
                    searched.join(", ")
                )
            }
            Self::NoSuchGuest { name, guests } => {
                write!(formatter, "there is no guest `{name}` in {}", guests.display())
            }
            Self::Start { program, source } => {
                write!(formatter, "`{program}` could not be started: {source}")
            }
            Self::Rustc { arguments, stderr } => {
                write!(formatter, "`rustc {arguments}` failed:\n{stderr}")
            }
            Self::TargetMissing { command, reason } => write!(
                formatter,
                "the target {} is not installed, and could not be added: {reason}\n\
                 To add it, type: {command}",
                super::TARGET
            ),
            Self::Directory { path, source } => {
                write!(formatter, "{} could not be made: {source}", path.display())
            }
            Self::Failed { command, directory, status, stderr } => write!(
                formatter,
                "a component could not be built\ncommand:   {command}\ndirectory: {}\n\
                 status:    {status}\n{stderr}",
                directory.display()
            ),
            Self::NoComponent { path } => {
                write!(formatter, "cargo succeeded, but there is no {}", path.display())
            }
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Start { source, .. } | Self::Directory { source, .. } => Some(source),
            _ => None,
        }
    }
}
