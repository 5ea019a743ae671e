//! How the command ends: exit codes, and the one type of everything that ends it early.

use workflow_node_host::description::FieldProblem;
use workflow_node_host::store::StoreError;
use workflow_node_host::{Error, ItemError};

/// The documented exit codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// All that was asked for has happened.
    Success,
    /// An item failed, or the service refused.
    Failed,
    /// Bad input; nothing was sent.
    Input,
    /// A credential is missing or cannot be used; nothing was sent.
    Credential,
    /// The plugin was refused or stopped.
    Plugin,
    /// Anything else.
    Internal,
}

impl Exit {
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Failed => 1,
            Self::Input => 2,
            Self::Credential => 3,
            Self::Plugin => 4,
            Self::Internal => 5,
        }
    }
}

/// Why the command ends with another code than 0: what went wrong, and what to do next.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    /// A short name for machines, stable over versions.
    pub(crate) name: String,
    pub(crate) message: String,
    pub(crate) problems: Vec<FieldProblem>,
    /// A command to type, or a sentence.
    pub(crate) next: Option<String>,
    /// What the service answered.
    pub(crate) cause: Option<Box<ItemError>>,
    /// Nobody is there to read it.
    pub(crate) silent: bool,
}

impl Failure {
    pub(crate) fn new(exit: Exit, name: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            exit,
            name: name.into(),
            message: message.into(),
            problems: Vec::new(),
            next: None,
            cause: None,
            silent: false,
        }
    }

    /// Bad input; nothing was sent.
    pub(crate) fn input(name: &str, message: impl Into<String>) -> Self {
        Self::new(Exit::Input, name, message)
    }

    pub(crate) fn internal(message: impl ToString) -> Self {
        Self::new(Exit::Internal, "internal", message.to_string())
    }

    pub(crate) fn next(mut self, next: impl Into<String>) -> Self {
        self.next = Some(next.into());
        self
    }

    /// An error of the library about this plugin.
    pub(crate) fn of(error: &Error, plugin: &str) -> Self {
        let exit = if error.is_refused() || error.is_stopped() || error.is_not_approved() {
            Exit::Plugin
        } else if error.is_credential() {
            Exit::Credential
        } else if error.is_invalid_input() || error.name() == "approvals" {
            Exit::Input
        } else {
            Exit::Internal
        };
        let mut failure = Self::new(exit, error.name(), error.to_string());
        failure.problems = error.problems().to_vec();
        if error.is_not_approved() {
            failure.next = Some(format!("harness approve {}", shell(plugin)));
        }
        failure
    }

    /// What a service answered to a question that is no item.
    pub(crate) fn answered(exit: Exit, error: ItemError) -> Self {
        let mut failure = Self::new(exit, error.kind, error.message.clone());
        failure.cause = Some(Box::new(error));
        failure
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let exit = match error {
            StoreError::InvalidName { .. }
            | StoreError::Exists { .. }
            | StoreError::ShortPassphrase { .. } => Exit::Input,
            _ => Exit::Credential,
        };
        Self::new(exit, "credential", error.to_string())
    }
}

/// A word as a shell takes it.
pub(crate) fn shell(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+,:@=".contains(&byte);
    if !word.is_empty() && word.bytes().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}
