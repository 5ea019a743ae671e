//! `--journal` and `--resume`: where a run is recorded, and what is recorded of it already.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use workflow_node_host::journal::{
    FileJournals, JournalError, JournalKey, JournalName, Journals, Recording,
};
use workflow_node_host::store::StoreKey;
use workflow_node_host::{Execution, JournalLimits, Principal};

use crate::exit::{Exit, Failure, shell};
use crate::setup::Setup;
use crate::store::LateStore;

/// Options of `run` that record an execution.
#[derive(Args, Default)]
#[command(next_help_heading = "Journal")]
pub(crate) struct JournalArgs {
    /// Record the execution in this file, or in a file of this directory (one that exists, or a path
    /// that ends with `/`), so that it can be resumed after a crash and replayed offline
    #[arg(long, value_name = "FILE|DIR", conflicts_with = "dry_run")]
    pub(crate) journal: Option<PathBuf>,
    /// Continue the execution where its journal ends. Requests that were answered are not repeated.
    /// An execution without a journal begins, and one that has ended prints its result again. A
    /// directory needs the --execution-id
    #[arg(long, requires = "journal")]
    pub(crate) resume: bool,
    #[command(flatten)]
    pub(crate) key: KeyArgs,
}

/// The key of a journal.
#[derive(Args, Default)]
pub(crate) struct KeyArgs {
    /// Key file of the journal, as `harness credential key-file` creates it [default: the journal key
    /// of the credential store]. For a journal that you give to someone else
    #[arg(long, value_name = "FILE")]
    pub(crate) journal_key: Option<PathBuf>,
}

impl KeyArgs {
    /// Reads the key, or derives it from the credential store.
    pub(crate) fn key(&self, setup: &Setup, store: &LateStore) -> Result<JournalKey, Failure> {
        let Some(file) = &self.journal_key else {
            let store = store.open(setup).map_err(|mut failure| {
                failure.next = Some(
                    "add --journal-key FILE; harness credential key-file FILE creates one".into(),
                );
                failure
            })?;
            return Ok(store.journal_key());
        };
        let key = StoreKey::from_key_file(file).map_err(|error| {
            let mut failure = Failure::from(error);
            failure.exit = Exit::Input;
            if !file.exists() {
                let file = shell(&file.display().to_string());
                failure.next = Some(format!("harness credential key-file {file}"));
            }
            failure
        })?;
        match key {
            StoreKey::Key(key) => Ok(JournalKey::new(*key)),
            StoreKey::Passphrase(_) => Err(Failure::internal("a key file holds a passphrase")),
        }
    }
}

/// Where the journal of an execution is.
pub(crate) struct JournalFile {
    pub(crate) journals: Journals,
    key: JournalKey,
    path: PathBuf,
    is_directory: bool,
}

/// An execution that has a journal already.
pub(crate) struct Recorded {
    pub(crate) name: JournalName,
    pub(crate) recording: Recording,
}

impl JournalFile {
    /// `None` if nothing is recorded.
    pub(super) fn of(
        args: &JournalArgs,
        setup: &Setup,
        store: &LateStore,
    ) -> Result<Option<Self>, Failure> {
        let Some(path) = &args.journal else { return Ok(None) };
        let journal = Self::at(path, args.key.key(setup, store)?);
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        if !journal.is_directory && parent.is_some_and(|parent| !parent.is_dir()) {
            let message =
                format!("Cannot write journal {}: its directory does not exist", path.display());
            return Err(Failure::input("journal", message).next("create the directory"));
        }
        Ok(Some(journal))
    }

    pub(crate) fn at(path: &Path, key: JournalKey) -> Self {
        let ends_with_separator =
            path.as_os_str().to_string_lossy().ends_with(std::path::is_separator);
        let is_directory = path.is_dir() || ends_with_separator;
        let files = match is_directory {
            true => FileJournals::in_directory(path),
            false => FileJournals::single(path),
        };
        let journals = Journals::new(Arc::new(files), key.clone(), JournalLimits::default());
        Self { journals, key, path: path.to_owned(), is_directory }
    }

    /// Reads what is recorded; `None` if nothing was begun.
    pub(crate) async fn recorded(
        &self,
        principal: &Principal,
        id: Option<&str>,
    ) -> Result<Option<Recorded>, Failure> {
        let named = id.map(|id| JournalName::of(&principal.tenant, id));
        let file = match (self.is_directory, named) {
            (false, _) => self.path.clone(),
            (true, Some(name)) => self.path.join(format!("{name}.journal")),
            (true, None) => {
                let path = self.path.display();
                let message = format!("{path} is a directory with a journal for each execution");
                return Err(Failure::input("journal", message).next("add --execution-id ID"));
            }
        };
        let bytes = match tokio::fs::read(&file).await {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => {
                let message = format!("Cannot read journal {}: {error}", file.display());
                return Err(Failure::input("journal", message));
            }
        };
        match Recording::open(&bytes, &self.key) {
            Ok(recording) => Ok(Some(Recorded { name: recording.name(), recording })),
            Err(JournalError::NotBegun) => Ok(None),
            Err(error) => Err(Failure::journal(&error)),
        }
    }

    /// Removes what is left of an execution that ended before it began.
    pub(super) async fn clear(&self, principal: &Principal, id: &str) -> Result<(), Failure> {
        let name = JournalName::of(&principal.tenant, id);
        self.journals.remove(&name).await.map_err(|error| Failure::journal(&error))
    }
}

impl Recorded {
    /// Refuses to go on with another execution than the one that was recorded.
    pub(super) fn check(&self, execution: &Execution, streams: bool) -> Result<(), Failure> {
        let recording = &self.recording;
        if recording.is_stream() != streams {
            let (with, next) = match streams {
                true => ("without", "use another --format"),
                false => ("with", "add --format jsonl"),
            };
            let message = format!("The execution was recorded {with} --format jsonl");
            return Err(Failure::input("journal", message).next(next));
        }
        recording.matches(execution).map_err(|error| Failure::journal(&error))
    }
}
