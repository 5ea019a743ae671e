//! Results of items and lines of a stream as clients receive them. Their shapes are those of
//! `harness run --format json` and `jsonl`.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;
use workflow_node_host::{ItemError, ItemErrorKind, OutputRecord};

use super::record::{Status, Stored};
use crate::error::ErrorDetail;

const MAIN: &str = "main";

/// Result of one item.
#[derive(Serialize)]
pub(crate) struct ItemElement<'a> {
    pub(crate) item: u64,
    pub(crate) status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<&'a ItemError>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<Vec<&'a RawValue>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    outputs: BTreeMap<&'a str, Vec<&'a RawValue>>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    output_dropped: bool,
}

impl<'a> ItemElement<'a> {
    pub(crate) fn new(item: u32, output: &'a [OutputRecord], error: Option<&'a ItemError>) -> Self {
        let mut main = Vec::new();
        let mut outputs: BTreeMap<&str, Vec<&RawValue>> = BTreeMap::new();
        for record in output {
            match record.port.as_str() {
                MAIN => main.push(&*record.json),
                port => outputs.entry(port).or_default().push(&*record.json),
            }
        }
        let output = (error.is_none() || !main.is_empty()).then_some(main);
        let status = status_of(error);
        Self { item: item.into(), status, error, output, outputs, output_dropped: false }
    }

    /// Without its output, which is too large to be stored.
    pub(crate) fn without_output(mut self) -> Self {
        self.output = None;
        self.outputs.clear();
        self.output_dropped = true;
        self
    }

    /// For an item with a result whose output is not stored.
    pub(crate) fn not_kept(item: u64, error: Option<&'a ItemError>) -> Self {
        Self::missing(item, error).ended().without_output()
    }

    fn ended(mut self) -> Self {
        self.status = status_of(self.error);
        self
    }

    /// For an item without a stored result.
    pub(crate) fn missing(item: u64, error: Option<&'a ItemError>) -> Self {
        Self {
            item,
            status: if error.is_some() { "error" } else { "pending" },
            error,
            output: None,
            outputs: BTreeMap::new(),
            output_dropped: false,
        }
    }
}

pub(crate) fn status_of(error: Option<&ItemError>) -> &'static str {
    if error.is_none() { "ok" } else { "error" }
}

/// Why an item of an execution has no result; `None` while it may still get one.
pub(crate) fn reason_of_missing(stored: &Stored, item: u64) -> Option<ItemError> {
    let not_begun = |because: &str| ItemError::cancelled(format!("Not begun, because {because}."));
    Some(match stored.status {
        Status::Queued | Status::Running => return None,
        Status::Finished => not_begun("another item failed"),
        _ if !stored.started => not_begun("the execution ended before it began"),
        Status::Cancelled if item >= stored.told => not_begun("the execution was cancelled"),
        Status::Stopped if item >= stored.told => not_begun("the execution was stopped"),
        _ => ItemError::new(
            ItemErrorKind::OutcomeUnknown,
            "The server ended before the item had a result: its requests may or may not have reached \
             the service. Repeat the call with the same execution ID, which sends nothing twice. If \
             the item stays as it is, check at the service before you run it with another ID.",
        ),
    })
}

/// A line for a record.
#[derive(Serialize)]
pub(crate) struct RecordLine<'a> {
    item: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    port: Option<&'a str>,
    output: &'a RawValue,
}

impl<'a> RecordLine<'a> {
    pub(crate) fn new(item: u32, record: &'a OutputRecord) -> Self {
        let port = (record.port != MAIN).then_some(record.port.as_str());
        Self { item, port, output: &record.json }
    }
}

/// A line that ends an item.
#[derive(Serialize)]
pub(crate) struct ItemLine<'a> {
    pub(crate) item: u64,
    pub(crate) status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<&'a ItemError>,
    /// Number of its record lines.
    pub(crate) records: u64,
}

/// A line about the execution: the first, the last, and regular signs of life in between.
#[derive(Serialize)]
pub(crate) struct StatusLine<'a> {
    pub(crate) execution: &'a ExecutionStatus,
}

/// Status of an execution.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct ExecutionStatus {
    pub(crate) execution_id: String,
    pub(crate) plugin: String,
    pub(crate) action: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) workflow: Option<String>,
    pub(crate) status: Status,
    /// Items of the call.
    pub(crate) item_count: u64,
    /// Items that have a result.
    pub(crate) finished: u64,
    /// Items that failed.
    pub(crate) failed: u64,
    /// Why the execution was stopped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<ErrorDetail>,
    /// Milliseconds since 1970.
    pub(crate) created_at: u64,
    /// Milliseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ended_at: Option<u64>,
}

impl From<&Stored> for ExecutionStatus {
    fn from(stored: &Stored) -> Self {
        Self {
            execution_id: stored.key.id.clone(),
            plugin: stored.plugin.clone(),
            action: stored.action.clone(),
            workflow: stored.workflow.clone(),
            status: stored.status,
            item_count: stored.items,
            finished: stored.finished,
            failed: stored.failed,
            error: stored.error.clone(),
            created_at: stored.created_at,
            ended_at: stored.ended_at,
        }
    }
}
