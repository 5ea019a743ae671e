//! The records of a journal, and their encoding. Knows neither files nor keys.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::bindings::workflow::node::context::CredentialView;
use crate::bindings::workflow::node::http::{Request, Response, SendError};
use crate::digest::{Digest, Parts};
use crate::limits::Limits;
use crate::principal::Principal;

/// Time as a guest sees it. It changes only while the guest waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, Serialize)]
pub(crate) struct Seen {
    pub(crate) now: u64,
    pub(crate) cancelled: bool,
    pub(crate) deadline: Option<u64>,
}

/// One record. New kinds go at the end: the encoding counts them.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub(crate) enum Record {
    /// The call: a [`Start`] as JSON, so that it can grow.
    Started(String),
    /// Further items: digests of what the engine passed, and the JSON that the guest is given, with
    /// handles instead of secrets. Without the JSON where contents are not kept.
    Items { digests: Vec<[u8; 32]>, texts: Vec<String> },
    /// A secret behind a handle of this execution.
    Handle { handle: String, name: String, secret: String },
    /// The guest is called.
    Portion(Portion),
    /// The guest made a request. Its body follows the record. `is_whole`: false where it was too
    /// large and only its beginning is kept.
    Request { ticket: u64, is_whole: bool, request: Request },
    /// The same where contents are not kept.
    RequestDigest { ticket: u64, digest: [u8; 32] },
    /// A request is about to leave.
    Intent { ticket: u64, repeatable: bool },
    /// Response to a request. Its body follows the record.
    Answer { ticket: u64, answer: Result<Response, SendError> },
    /// The same where contents are not kept.
    AnswerDigest { ticket: u64, status: Option<u16>, maybe_sent: bool, digest: [u8; 32] },
    /// `completions.next` returned this.
    Named { ticket: Option<u64>, seen: Seen },
    /// `http.send` returned.
    Sent { ticket: u64, seen: Seen },
    /// The guest saw a new time after so many calls of `emit`.
    Seen { emits: u64, seen: Seen },
    /// The call returned, or was stopped.
    PortionEnded { items: Vec<ItemEnd>, stopped: Option<String> },
    /// Nothing is recorded from here on, although the execution goes on.
    Unjournaled { reason: String },
    /// The execution ended. `not_begun`: why the remaining items were not begun.
    Ended { stopped: Option<String>, not_begun: String },
    /// A host continues the execution.
    Resumed { at: u64 },
}

/// One call of the guest.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
pub(crate) struct Portion {
    /// Position of the first item.
    pub(crate) first: u32,
    /// Number of items.
    pub(crate) count: u32,
    /// Items that do not fit the action, by position, with pointers and messages.
    pub(crate) invalid: Vec<(u32, Vec<(String, String)>)>,
    /// Whether the guest was called: not where no item could be begun.
    pub(crate) called: bool,
    /// Whether a new instance was made for it.
    pub(crate) fresh: bool,
    /// Seed of `context.random`.
    pub(crate) seed: u64,
    /// Time as the guest sees it when it starts.
    pub(crate) seen: Seen,
    /// Credentials in the slots, as the guest sees them.
    pub(crate) credentials: Vec<(String, CredentialView)>,
}

/// Result of an item.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub(crate) struct ItemEnd {
    /// Digest of all output and of the error.
    pub(crate) digest: [u8; 32],
    /// Kind of the error.
    pub(crate) error: Option<String>,
    /// Status of the answer that led to it.
    pub(crate) http_status: Option<u16>,
}

/// Kind of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    /// An action over a list of items.
    List,
    /// An action over a stream of items.
    Stream,
    /// The choices of a form field. The one item is the query.
    Choices,
}

/// The call. Members may be added; a reader takes what it does not find for the default.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Start {
    pub(crate) kind: Kind,
    /// Whether `action` is the name of a trigger: choices of its form.
    #[serde(default)]
    pub(crate) is_trigger: bool,
    /// Version of the host that wrote it.
    pub(crate) host: String,
    pub(crate) plugin: Digest,
    pub(crate) node: String,
    pub(crate) action: String,
    pub(crate) id: String,
    pub(crate) actor: Principal,
    pub(crate) workflow: Option<String>,
    pub(crate) credentials: BTreeMap<String, String>,
    pub(crate) continue_on_fail: bool,
    pub(crate) concurrency: Option<usize>,
    pub(crate) allow: Option<Vec<String>>,
    pub(crate) timeout_ms: Option<u64>,
    pub(crate) limits: Limits,
    pub(crate) dry_run: bool,
    /// Number of items, of a list.
    pub(crate) total: Option<u64>,
    /// Whether contents are kept, or digests and outcomes only.
    pub(crate) store_output: bool,
    /// Milliseconds since 1970.
    pub(crate) started: u64,
}

impl Record {
    /// The record as bytes. They are wiped: they may hold a secret.
    pub(crate) fn encode(mut self) -> Result<Zeroizing<Vec<u8>>, postcard::Error> {
        let body = match &mut self {
            Self::Request { request, .. } => request.body.as_mut().map(std::mem::take),
            Self::Answer { answer: Ok(response), .. } => Some(std::mem::take(&mut response.body)),
            _ => None,
        };
        let body = body.unwrap_or_default();
        let mut bytes = postcard::to_allocvec(&self)?;
        bytes.extend_from_slice(&body);
        Ok(Zeroizing::new(bytes))
    }

    /// Reads a record.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, postcard::Error> {
        let (mut record, body) = postcard::take_from_bytes::<Self>(bytes)?;
        match &mut record {
            Self::Request { request: Request { body: Some(own), .. }, .. }
            | Self::Answer { answer: Ok(Response { body: own, .. }), .. }
                if own.is_empty() =>
            {
                own.extend_from_slice(body);
            }
            _ if body.is_empty() => {}
            _ => return Err(postcard::Error::DeserializeBadEncoding),
        }
        Ok(record)
    }

    /// Whether it ends something that was started. Such a record is written even beyond the limit.
    pub(crate) fn closes(&self) -> bool {
        matches!(
            self,
            Self::Answer { .. }
                | Self::AnswerDigest { .. }
                | Self::Handle { .. }
                | Self::PortionEnded { .. }
                | Self::Unjournaled { .. }
                | Self::Ended { .. }
                | Self::Resumed { .. }
        )
    }
}

/// Digest of a request as the guest made it.
pub(crate) fn request_digest(request: &Request) -> [u8; 32] {
    let mut parts = Parts::default().with(&request.method).with(&request.url);
    for (name, value) in &request.headers {
        parts.add(name);
        parts.add(value);
    }
    parts.add("body");
    parts.add(request.body.as_deref().unwrap_or_default());
    parts.add(request.credential.as_deref().unwrap_or_default());
    parts.add(request.idempotency_key.as_deref().unwrap_or_default());
    parts.digest()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn response() -> impl Strategy<Value = Response> {
        let headers = proptest::collection::vec((".{0,8}", ".{0,8}"), 0..3);
        let body = proptest::collection::vec(any::<u8>(), 0..64);
        (any::<u16>(), headers, body, any::<Option<u64>>()).prop_map(
            |(status, headers, body, retry_after)| Response { status, headers, body, retry_after },
        )
    }

    fn request() -> impl Strategy<Value = Request> {
        let body = proptest::option::of(proptest::collection::vec(any::<u8>(), 0..64));
        (".{0,8}", ".{0,16}", body, proptest::option::of(".{0,8}")).prop_map(
            |(method, url, body, key)| Request {
                method,
                url,
                headers: vec![("a".into(), "b".into())],
                body,
                credential: key.clone(),
                timeout: None,
                idempotency_key: key,
            },
        )
    }

    proptest! {
        #[test]
        fn a_record_is_read_unchanged(
            response in response(), request in request(), ticket in any::<u64>(), text in ".{0,32}",
        ) {
            let seen = Seen { now: ticket, cancelled: true, deadline: Some(ticket) };
            for record in [
                Record::Answer { ticket, answer: Ok(response) },
                Record::Request { ticket, is_whole: true, request },
                Record::Items { digests: vec![[7; 32]], texts: vec![text.clone()] },
                Record::Named { ticket: Some(ticket), seen },
                Record::Ended { stopped: Some(text.clone()), not_begun: text },
            ] {
                let bytes = record.clone().encode().unwrap();
                prop_assert_eq!(Record::decode(&bytes).unwrap(), record);
            }
        }

        #[test]
        fn any_bytes_are_a_record_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..256)) {
            drop(Record::decode(&bytes));
        }
    }

    #[test]
    fn lists_of_parts_that_read_the_same_together_have_other_digests() {
        let digest = |parts: &[&str]| {
            parts.iter().fold(Parts::default(), |all, part| all.with(part)).digest()
        };
        assert_ne!(digest(&["ab", "c"]), digest(&["a", "bc"]));
        assert_ne!(digest(&["a"]), digest(&["a", ""]));
    }
}
