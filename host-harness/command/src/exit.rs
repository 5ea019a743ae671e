//! How the command ends: exit codes, and the one type of everything that ends it early.

use workflow_node_host::credential::CredentialError;
use workflow_node_host::description::FieldProblem;
use workflow_node_host::journal::JournalError;
use workflow_node_host::oauth::ConnectError;
use workflow_node_host::store::StoreError;
use workflow_node_host::{Crash, Error, ErrorKind, ItemError, chain};
use workflow_node_testing::file::FileError;

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

/// Why the command exits with a code other than 0: the error, and the next step.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    /// A short name for machines, stable over versions.
    pub(crate) name: String,
    pub(crate) message: String,
    pub(crate) problems: Vec<FieldProblem>,
    /// A command to type, or a sentence.
    pub(crate) next: Option<String>,
    /// Error response of the service.
    pub(crate) cause: Option<Box<ItemError>>,
    /// Crash report of a plugin that was stopped.
    pub(crate) crash: Option<Box<Crash>>,
    /// Whether to print nothing, because standard output is closed.
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
            crash: None,
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
        let exit = if error.is_refused()
            || error.is_stopped()
            || error.is_not_approved()
            || error.is_disabled()
            || error.is_withheld()
        {
            Exit::Plugin
        } else if error.is_credential() {
            Exit::Credential
        } else if error.is_invalid_input() || error.kind() == ErrorKind::Approvals {
            Exit::Input
        } else {
            Exit::Internal
        };
        let needed = error.needed_time();
        if let Some(error) = error.journal() {
            return Self::journal(error);
        }
        let failed = error.item().is_some() || error.is_timeout() || needed.is_some();
        let exit = if failed { Exit::Failed } else { exit };
        let mut failure = Self::new(exit, error.kind().as_str(), format!("{error:#}"));
        failure.cause = error.item().cloned().map(Box::new);
        failure.crash = error.crash().cloned().map(Box::new);
        failure.problems = error.problems().to_vec();
        if error.is_not_approved() {
            failure.next = Some(format!("harness approve {}", shell(plugin)));
        }
        if let Some(needed) = needed {
            failure.next = Some(format!("add --timeout {}s", needed.as_secs()));
        }
        if let Some(error) = error.credential() {
            failure.next = next_of_credential(error, plugin);
        }
        failure
    }

    /// Why a file that an author has written cannot be used.
    pub(crate) fn file(error: &FileError) -> Self {
        let mut failure = Self::input("file", chain(error));
        failure.next.clone_from(&error.next);
        failure
    }

    /// Why a journal cannot be used.
    pub(crate) fn journal(error: &JournalError) -> Self {
        let exit = match error {
            JournalError::Diverged(_) => Exit::Failed,
            JournalError::Io(_) => Exit::Internal,
            _ => Exit::Input,
        };
        let name = match error {
            JournalError::Diverged(_) => "diverged",
            _ => ErrorKind::Journal.as_str(),
        };
        let mut failure = Self::new(exit, name, chain(error));
        failure.next = next_of_journal(error).map(str::to_owned);
        failure
    }

    /// Why something cannot be connected.
    pub(crate) fn connecting(error: &ConnectError, plugin: &str) -> Self {
        match error {
            ConnectError::Plugin(error) => Self::of(error, plugin),
            ConnectError::Credential(error) => Self::of_credential(error, plugin),
            ConnectError::Service { denied, .. } => {
                let name = if *denied { "declined" } else { "service-refused" };
                Self::new(Exit::Failed, name, error.to_string())
            }
            ConnectError::State | ConnectError::Callback(_) | ConnectError::IdToken(_) => {
                Self::new(Exit::Failed, "callback-refused", error.to_string())
            }
            ConnectError::OtherAccount(_) => {
                Self::new(Exit::Failed, "other-account", error.to_string())
                    .next("to accept the change, add --other-account; nothing was changed")
            }
            _ => Self::input("credential", chain(error)),
        }
    }

    /// Failure of the credential store, or of a permission check on a credential.
    pub(crate) fn of_credential(error: &CredentialError, plugin: &str) -> Self {
        let exit = match error {
            CredentialError::Exists(_) | CredentialError::Invalid(_) => Exit::Input,
            _ => Exit::Credential,
        };
        let mut failure = Self::new(exit, "credential", chain(error));
        failure.next = next_of_credential(error, plugin);
        failure
    }

    /// Error response of a service outside an item.
    pub(crate) fn answered(exit: Exit, error: ItemError) -> Self {
        let mut failure = Self::new(exit, error.kind.as_str(), error.message.clone());
        failure.cause = Some(Box::new(error));
        failure
    }
}

/// Suggests how to fix a credential that cannot be used.
fn next_of_credential(error: &CredentialError, plugin: &str) -> Option<String> {
    let plugin = if plugin.is_empty() { "PLUGIN".to_owned() } else { shell(plugin) };
    let command = match error {
        CredentialError::Reconnect { name, .. } => {
            format!("harness credential reconnect {} --plugin {plugin}", shell(name))
        }
        CredentialError::NotConnected { name, user } => {
            let user = user.as_ref().filter(|user| !user.is_default());
            let user = user.map_or("USER", |user| user.as_str());
            let (user, name) = (shell(user), shell(name));
            format!(
                "harness --as {user} credential connect {name} --plugin {plugin} --type TYPE \
                 --mode per-user"
            )
        }
        CredentialError::InsufficientScope { name, action, .. } => format!(
            "harness credential extend {} --plugin {plugin} --for {}",
            shell(name),
            shell(action)
        ),
        _ => return None,
    };
    Some(command)
}

fn next_of_journal(error: &JournalError) -> Option<&'static str> {
    Some(match error {
        JournalError::Exists(_) => {
            "add --resume to continue the execution, or use another --execution-id or --journal"
        }
        JournalError::Key => "name the key that the journal was written with: --journal-key FILE",
        JournalError::InUse(_) => "wait until its run has ended",
        JournalError::Diverged(_) => {
            "harness replay JOURNAL --show prints what was recorded. A plugin that reads anything but \
             its call, its responses, and the host's clock does not replay"
        }
        _ => return None,
    })
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let exit = match error {
            StoreError::InvalidName { .. }
            | StoreError::Exists { .. }
            | StoreError::OtherKind { .. }
            | StoreError::UserOfMode { .. }
            | StoreError::Import { .. }
            | StoreError::ShortPassphrase { .. } => Exit::Input,
            _ => Exit::Credential,
        };
        Self::new(exit, "credential", chain(&error))
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
