//! A journal that was read.

use std::ops::Range;

use serde_json::{Value, json};

use super::error::JournalError;
use super::frame::{self, JournalKey};
use super::name::JournalName;
use super::record::{ItemEnd, Kind, Portion, Record, Start};
use super::script::Script;
use crate::digest::{Digest, Parts, hex};
use crate::secret::Secret;

/// A journal that was read: the call, what the guest received, and its result.
#[derive(Debug)]
pub struct Recording {
    name: JournalName,
    start: Start,
    records: Vec<Record>,
    /// Digest of each item, and its JSON as the guest is given it.
    items: Vec<([u8; 32], Option<String>)>,
    portions: Vec<RecordedPortion>,
    /// Why the execution was stopped, and why the remaining items were not begun, where it ended.
    end: Option<(Option<String>, String)>,
    unjournaled: Option<String>,
}

/// One call of the guest.
#[derive(Clone, Debug)]
pub(crate) struct RecordedPortion {
    pub(crate) portion: Portion,
    /// Records of the call.
    records: Range<usize>,
    pub(crate) end: Option<RecordedEnd>,
}

/// Result of a call.
#[derive(Clone, Debug)]
pub(crate) struct RecordedEnd {
    pub(crate) items: Vec<ItemEnd>,
    pub(crate) stopped: Option<String>,
}

impl Recording {
    /// Reads a journal from bytes, e.g. those of a bug report.
    ///
    /// # Errors
    ///
    /// If the bytes are not a journal, another key sealed it, it was changed, or it ends before
    /// anything was run.
    pub fn open(bytes: &[u8], key: &JournalKey) -> Result<Self, JournalError> {
        let contents = frame::read(bytes, key)?;
        Self::new(contents.name, contents.records)
    }

    pub(super) fn new(name: JournalName, records: Vec<Record>) -> Result<Self, JournalError> {
        let unordered = || JournalError::OtherExecution("its records are out of order".into());
        let start = match records.first() {
            None => return Err(JournalError::NotBegun),
            Some(Record::Started(start)) => {
                serde_json::from_str::<Start>(start).map_err(JournalError::Call)?
            }
            Some(_) => return Err(unordered()),
        };
        let (mut items, mut portions) = (Vec::new(), Vec::<RecordedPortion>::new());
        let (mut end, mut unjournaled) = (None, None);
        for (at, record) in records.iter().enumerate().skip(1) {
            if let Some(open) = portions.last_mut().filter(|portion| portion.end.is_none()) {
                open.records.end = at;
            }
            match record {
                Record::Started(_) => return Err(unordered()),
                Record::Items { digests, texts } => {
                    if !texts.is_empty() && texts.len() != digests.len() {
                        return Err(unordered());
                    }
                    let mut texts = texts.iter().cloned();
                    items.extend(digests.iter().map(|digest| (*digest, texts.next())));
                }
                Record::Portion(portion) => {
                    // Where contents are not kept, an interrupted call is made again.
                    if portions.last().is_some_and(|last| last.end.is_none()) {
                        portions.pop();
                    }
                    let next = portions.last().map_or(0, |last| last.portion.end());
                    if portion.first != next || portion.end() as usize > items.len() {
                        return Err(unordered());
                    }
                    let portion = portion.clone();
                    portions.push(RecordedPortion { portion, records: at + 1..at + 1, end: None });
                }
                Record::PortionEnded { items, stopped } => match portions.last_mut() {
                    Some(portion) if portion.end.is_none() => {
                        let (items, stopped) = (items.clone(), stopped.clone());
                        portion.end = Some(RecordedEnd { items, stopped });
                    }
                    _ => return Err(unordered()),
                },
                Record::Unjournaled { reason } => unjournaled = Some(reason.clone()),
                Record::Ended { stopped, not_begun } => {
                    end = Some((stopped.clone(), not_begun.clone()));
                }
                _ => {}
            }
        }
        if let Some(open) = portions.last_mut().filter(|portion| portion.end.is_none()) {
            open.records.end = records.len();
        }
        let is_begun = match start.kind {
            Kind::List => start.total.is_some_and(|total| items.len() as u64 == total),
            Kind::Choices => items.len() == 1,
            Kind::Stream => true,
        };
        if !is_begun {
            return Err(JournalError::NotBegun);
        }
        Ok(Self { name, start, records, items, portions, end, unjournaled })
    }

    /// Name of the journal.
    pub fn name(&self) -> JournalName {
        self.name
    }

    /// Digest of the plugin that was run.
    pub fn plugin(&self) -> Digest {
        self.start.plugin
    }

    /// Number of items that the journal holds. A stream is resumed with the items after these.
    pub fn items(&self) -> usize {
        self.items.len()
    }

    /// Whether the execution ended. If it did not, it can be resumed.
    pub fn is_ended(&self) -> bool {
        self.end.is_some()
    }

    /// Whether items, requests, and answers are kept, or digests and outcomes only.
    pub fn keeps_contents(&self) -> bool {
        self.start.store_output
    }

    /// Whether it was run over a stream of items, so that
    /// [`Plugin::resume_stream`](crate::Plugin::resume_stream) continues it.
    pub fn is_stream(&self) -> bool {
        self.start.kind == Kind::Stream
    }

    /// Whether an item is the one that was recorded at this position. For the items of a stream, which
    /// [`matches`](Self::matches) does not see.
    ///
    /// # Errors
    ///
    /// [`JournalError::OtherExecution`] if it is another, or none was recorded there.
    pub fn matches_item(&self, index: usize, item: &Value) -> Result<(), JournalError> {
        match self.items.get(index) {
            Some((digest, _)) if item_digest(item) == *digest => Ok(()),
            _ => {
                let id = &self.start.id;
                let message = format!("execution `{id}` was run with another item {index}");
                Err(JournalError::OtherExecution(message))
            }
        }
    }

    pub(crate) fn matches_items(&self, items: &[Value]) -> Result<(), JournalError> {
        let id = &self.start.id;
        let other = |what: String| {
            Err(JournalError::OtherExecution(format!("execution `{id}` was run with {what}")))
        };
        if items.len() != self.items.len() {
            return other(format!("{} items, and now there are {}", self.items.len(), items.len()));
        }
        let differs = |(item, (digest, _)): (&Value, &([u8; 32], _))| item_digest(item) != *digest;
        match items.iter().zip(&self.items).position(differs) {
            Some(index) => other(format!("another item {index}")),
            None => Ok(()),
        }
    }

    pub(crate) fn start(&self) -> &Start {
        &self.start
    }

    pub(crate) fn portions(&self) -> &[RecordedPortion] {
        &self.portions
    }

    /// Items from a position on, as the guest is given them; `None` where contents are not kept.
    pub(crate) fn texts(&self, from: usize, to: usize) -> Option<Vec<String>> {
        self.items[from..to].iter().map(|(_, text)| text.clone()).collect()
    }

    /// Why the execution was stopped, and why the remaining items were not begun, where it ended.
    pub(crate) fn end(&self) -> Option<&(Option<String>, String)> {
        self.end.as_ref()
    }

    /// Why the journal ends although the execution went on.
    pub(crate) fn unjournaled(&self) -> Option<&str> {
        self.unjournaled.as_deref()
    }

    /// Handles, the names of their secrets, and these.
    pub(crate) fn handles(&self) -> impl Iterator<Item = (&str, &str, Secret)> {
        self.records.iter().filter_map(|record| match record {
            Record::Handle { handle, name, secret } => {
                Some((handle.as_str(), name.as_str(), Secret::new(secret.as_str())))
            }
            _ => None,
        })
    }

    /// Script that answers the guest during a call.
    pub(crate) fn script(&self, portion: &RecordedPortion, is_offline: bool) -> Script {
        let stopped = portion.end.as_ref().and_then(|end| end.stopped.clone());
        let mut script =
            Script::new(self.start.limits.requests, portion.end.is_some(), stopped, is_offline);
        self.records[portion.records.clone()].iter().for_each(|record| script.add(record));
        script
    }

    /// Whether a request of a call may have been sent that must not be sent again.
    pub(crate) fn has_unsafe_intent(&self, portion: &RecordedPortion) -> bool {
        let is_unsafe =
            |record: &Record| matches!(record, Record::Intent { repeatable: false, .. });
        self.records[portion.records.clone()].iter().any(is_unsafe)
    }

    /// Everything that the journal holds, for a person to read, except the secrets behind handles.
    pub fn to_json(&self) -> Value {
        let entries: Vec<Value> = self.records.iter().skip(1).map(entry).collect();
        json!({ "call": self.start, "entries": entries })
    }
}

impl Portion {
    /// Position after the last item.
    pub(crate) fn end(&self) -> u32 {
        self.first.saturating_add(self.count)
    }
}

/// Bytes as text, where they are text.
fn body(bytes: &[u8]) -> Value {
    match std::str::from_utf8(bytes) {
        Ok(text) => Value::from(text),
        Err(_) => json!({ "bytes": bytes.len(), "digest": Digest::of(bytes).to_string() }),
    }
}

fn entry(record: &Record) -> Value {
    match record {
        Record::Started(_) => Value::Null,
        Record::Items { digests, texts } => match texts.is_empty() {
            true => json!({ "items": digests.iter().map(|one| hex(one)).collect::<Vec<_>>() }),
            false => json!({ "items": texts }),
        },
        Record::Handle { handle, name, .. } => json!({ "handle": handle, "secret": name }),
        Record::Portion(portion) => json!({ "portion": portion }),
        Record::Request { ticket, request, .. } => json!({
            "request": ticket,
            "method": request.method,
            "url": request.url,
            "headers": request.headers,
            "body": request.body.as_deref().map(body),
            "credential": request.credential,
            "idempotency_key": request.idempotency_key,
        }),
        Record::RequestDigest { ticket, digest } => {
            json!({ "request": ticket, "digest": hex(digest) })
        }
        Record::Intent { ticket, repeatable } => {
            json!({ "intent": ticket, "repeatable": repeatable })
        }
        Record::Answer { ticket, answer: Ok(response) } => json!({
            "answer": ticket,
            "status": response.status,
            "headers": response.headers,
            "body": body(&response.body),
        }),
        Record::Answer { ticket, answer: Err(error) } => json!({
            "answer": ticket, "error": error.message, "maybe_sent": error.maybe_sent,
        }),
        Record::AnswerDigest { ticket, status, maybe_sent, digest } => json!({
            "answer": ticket, "status": status, "maybe_sent": maybe_sent, "digest": hex(digest),
        }),
        Record::Named { ticket, seen } => json!({ "named": ticket, "seen": seen }),
        Record::Sent { ticket, seen } => json!({ "sent": ticket, "seen": seen }),
        Record::Seen { emits, seen } => json!({ "emits": emits, "seen": seen }),
        Record::PortionEnded { items, stopped } => {
            let items: Vec<Value> = items
                .iter()
                .map(|item| {
                    json!({
                        "digest": hex(&item.digest),
                        "error": item.error,
                        "http_status": item.http_status,
                    })
                })
                .collect();
            json!({ "portion_ended": items, "stopped": stopped })
        }
        Record::Unjournaled { reason } => json!({ "unjournaled": reason }),
        Record::Ended { stopped, .. } => json!({ "ended": true, "stopped": stopped }),
        Record::Resumed { at } => json!({ "resumed": at }),
    }
}

/// Digest of an item, independent of the order of its members.
pub(crate) fn item_digest(item: &Value) -> [u8; 32] {
    fn write(value: &Value, text: &mut String) {
        match value {
            Value::Array(list) => {
                text.push('[');
                for one in list {
                    write(one, text);
                    text.push(',');
                }
                text.push(']');
            }
            Value::Object(members) => {
                let mut members: Vec<_> = members.iter().collect();
                members.sort_by_key(|(name, _)| *name);
                text.push('{');
                for (name, value) in members {
                    text.push_str(&Value::from(name.as_str()).to_string());
                    text.push(':');
                    write(value, text);
                    text.push(',');
                }
                text.push('}');
            }
            scalar => text.push_str(&scalar.to_string()),
        }
    }
    let mut text = String::new();
    write(item, &mut text);
    Parts::default().with(text).digest()
}
