//! Executions as journals record them.

use std::time::Duration;

use super::Execution;
use crate::journal::record::{Kind, Start};
use crate::journal::{JournalError, Recording};

impl Start {
    /// The execution, without its items.
    pub(crate) fn execution(&self) -> Execution {
        let mut execution = Execution::new(self.action.clone()).id(self.id.clone());
        execution.credentials = self.credentials.clone();
        execution.continue_on_fail = self.continue_on_fail;
        execution.concurrency = self.concurrency;
        execution.dry_run = self.dry_run;
        let context = &mut execution.context;
        context.actor = self.actor.clone();
        context.workflow = self.workflow.clone();
        // An entry that this version cannot read allows nothing, as no entry would.
        let allow = |allow: &Vec<String>| allow.iter().filter_map(|one| one.parse().ok()).collect();
        context.allow = self.allow.as_ref().map(allow);
        context.timeout = self.timeout_ms.map(Duration::from_millis);
        context.limits = Some(self.limits.clone());
        execution
    }
}

impl Recording {
    /// The execution that was run, without its items.
    pub fn execution(&self) -> Execution {
        self.start().execution()
    }

    /// Whether an execution is the one that was recorded: the same action, items, credentials, and
    /// principal. For an engine that repeats a call under the same execution ID.
    ///
    /// # Errors
    ///
    /// [`JournalError::OtherExecution`], which names the first difference.
    pub fn matches(&self, execution: &Execution) -> Result<(), JournalError> {
        let start = self.start();
        let other = |what: String| {
            let id = &start.id;
            Err(JournalError::OtherExecution(format!("execution `{id}` was run with {what}")))
        };
        if execution.action != start.action {
            return other(format!("the action `{}`", start.action));
        }
        if execution.context.actor != start.actor {
            return other("another principal".into());
        }
        if execution.credentials != start.credentials {
            return other("other credentials".into());
        }
        if start.kind != Kind::List {
            return Ok(());
        }
        self.matches_items(&execution.items)
    }
}
