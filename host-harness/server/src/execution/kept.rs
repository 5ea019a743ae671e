//! Data of executions outside their rows: the key that seals results, and the journals from which
//! interrupted executions resume.

use std::sync::Arc;

use workflow_node_host::journal::{
    AtLimit, FileJournals, JournalError, JournalName, JournalOptions, Journals, Recording,
};
use workflow_node_host::{Execution, JournalLimits, Plugin, chain};

use super::Job;
use crate::database::Database;
use crate::limits::ServerLimits;
use crate::seal::{Sealer, ServerKeys};

/// Directory of the journals, in the data directory.
pub(crate) const JOURNALS: &str = "executions";

/// Data of executions outside their rows.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    pub(super) sealer: Option<Sealer>,
    pub(super) journals: Option<Journals>,
}

/// How an interrupted execution can continue.
#[derive(Debug)]
pub(super) enum Resumption {
    /// It goes on from its journal.
    Journal(Box<Recording>),
    /// Its journal ends before it has begun.
    NotBegun,
    /// It has no journal, and cannot have sent anything if it has one before it sends.
    Missing,
    /// Its journal is of another call with the same ID.
    OtherCall,
    /// Its journal cannot be used.
    Lost(String),
}

impl Resumption {
    /// Why it cannot continue.
    pub(super) fn reason(&self) -> &str {
        match self {
            Self::Journal(_) => "it has a journal",
            Self::NotBegun => "it had not begun",
            Self::Missing => "its journal is missing",
            Self::OtherCall => "its journal is of another call",
            Self::Lost(reason) => reason,
        }
    }
}

impl Kept {
    /// Results and journals, sealed.
    pub(crate) fn sealed(keys: &ServerKeys, database: &Database, limits: &ServerLimits) -> Self {
        let store = FileJournals::in_directory(database.directory().join(JOURNALS));
        let of_journals = JournalLimits {
            bytes: limits.journal_bytes as u64,
            retention: ServerLimits::time(limits.retention_ms),
        };
        let mut options = JournalOptions::default();
        options.at_limit = AtLimit::Continue;
        let journals = Journals::new(Arc::new(store), keys.journals(), of_journals).with(options);
        Self { sealer: Some(keys.sealer()), journals: Some(journals) }
    }

    /// Outcomes only.
    pub(crate) fn outcomes() -> Self {
        Self { sealer: None, journals: None }
    }

    /// Whether an execution is recorded.
    pub(super) fn has_journal(&self, job: &Job) -> bool {
        self.journals.is_some() && job.execution.inline_credentials.is_empty()
    }

    /// How a repeated call continues an interrupted execution.
    pub(super) async fn find(&self, job: &Job) -> Resumption {
        if !job.execution.inline_credentials.is_empty() {
            return Resumption::Lost(
                "an execution with inline credentials has no journal".to_owned(),
            );
        }
        let Some(journals) = &self.journals else {
            return Resumption::Lost("the server keeps no journals".to_owned());
        };
        let Some(name) = name(&job.execution) else {
            return Resumption::Lost("the execution has no ID".to_owned());
        };
        match journals.read(&name).await {
            Ok(recording) if recording.matches(&job.execution).is_err() => Resumption::OtherCall,
            Ok(recording) => match problem(&recording, &job.plugin, &job.execution) {
                None => Resumption::Journal(Box::new(recording)),
                Some(problem) => Resumption::Lost(problem),
            },
            Err(JournalError::NotBegun) => Resumption::NotBegun,
            Err(JournalError::Missing(_)) => Resumption::Missing,
            Err(error) => Resumption::Lost(chain(&error)),
        }
    }

    /// Removes the journal of an execution.
    pub(super) async fn remove_journal(&self, execution: &Execution) {
        let (Some(journals), Some(name)) = (&self.journals, name(execution)) else { return };
        if let Err(error) = journals.remove(&name).await {
            tracing::warn!(error = chain(&error), "the journal of an execution was not removed");
        }
    }

    /// Removes expired journals.
    pub(super) async fn prune(&self) {
        let Some(journals) = &self.journals else { return };
        match journals.remove_expired().await {
            Ok(0) => {}
            Ok(removed) => tracing::info!(removed, "old journals were removed"),
            Err(error) => {
                tracing::warn!(error = chain(&error), "expired journals were not removed")
            }
        }
    }
}

/// The name of an execution's journal.
pub(super) fn name(execution: &Execution) -> Option<JournalName> {
    let id = execution.id.as_ref()?;
    Some(JournalName::of(&execution.context.actor.tenant, id))
}

/// Why a call must not continue from a journal. A journal contains the destinations that its
/// execution was allowed; a policy that was changed since then applies to requests that have not
/// been sent.
fn problem(recording: &Recording, plugin: &Plugin, execution: &Execution) -> Option<String> {
    if recording.plugin() != plugin.digest() {
        return Some("it was begun with another build of the plugin".to_owned());
    }
    let destinations = |execution: &Execution| -> Option<Vec<String>> {
        let allow = execution.context.allow.as_ref()?;
        let mut all: Vec<String> = allow.iter().map(ToString::to_string).collect();
        all.sort();
        Some(all)
    };
    if destinations(&recording.execution()) != destinations(execution) {
        return Some("the token's destinations were changed since it began".to_owned());
    }
    (!recording.keeps_contents()).then(|| "its journal keeps digests only".to_owned())
}
