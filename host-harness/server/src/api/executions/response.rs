//! Responses with the results of an execution: collected, or as lines.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use futures_util::StreamExt as _;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use tokio::sync::mpsc;
use workflow_node_host::Principal;

use super::{JSON, NDJSON, READ};
use crate::error::ApiError;
use crate::execution::{
    Attachment, ExecutionStatus, Executions, ItemElement, ItemLine, StatusLine, Stored,
    reason_of_missing,
};

pub(super) fn respond(media_type: &'static str, body: Body) -> Response {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    // A proxy that buffers the stream would defeat its purpose.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

/// The lines of a running execution. Dropping the body drops the attachment.
pub(super) fn stream(received: mpsc::Receiver<Bytes>, attachment: Attachment) -> Response {
    let lines = futures_util::stream::unfold(
        (received, attachment),
        |(mut received, attachment)| async move {
            let line = received.recv().await?;
            Some((Ok::<_, ApiError>(line), (received, attachment)))
        },
    );
    respond(NDJSON, Body::from_stream(lines.map(|line| line.map_err(|error| error.detail.message))))
}

/// The results of an execution from an item on, in the order of the items; items without a
/// stored result included.
pub(crate) async fn results(
    executions: &Executions,
    stored: &Stored,
    from: u64,
    limit: usize,
) -> Result<Vec<(u64, String)>, ApiError> {
    let found = executions.results(&stored.key, from, limit).await?;
    let mut found = found.into_iter().peekable();
    let end = stored.items.min(from.saturating_add(limit as u64));
    let mut all = Vec::new();
    for item in from..end {
        let body = match found.next_if(|(found, _)| *found == item) {
            Some((_, body)) => body,
            None => {
                let reason = reason_of_missing(stored, item);
                let element = ItemElement::missing(item, reason.as_ref());
                serde_json::to_string(&element).map_err(|error| ApiError::internal(&error))?
            }
        };
        all.push((item, body));
    }
    Ok(all)
}

/// The results of an execution, in portions, as they are written by `write`.
pub(super) fn written(
    executions: Arc<Executions>,
    stored: Stored,
    write: fn(u64, &str) -> Result<String, ApiError>,
) -> impl futures_util::Stream<Item = Result<Bytes, String>> {
    futures_util::stream::unfold(Some(0), move |next| {
        let (executions, stored) = (executions.clone(), stored.clone());
        async move {
            let from = next.filter(|from| *from < stored.items)?;
            let portion = async {
                let portion = results(&executions, &stored, from, READ).await?;
                let mut text = String::new();
                for (item, body) in &portion {
                    text.push_str(&write(*item, body)?);
                }
                Ok::<_, ApiError>(Bytes::from(text))
            };
            match portion.await {
                Ok(text) => Some((Ok(text), Some(from + READ as u64))),
                Err(error) => Some((Err(error.detail.message), None)),
            }
        }
    })
}

/// An execution that has ended, as one JSON document.
pub(super) fn collected(executions: Arc<Executions>, stored: Stored) -> Response {
    let status = ExecutionStatus::from(&stored);
    let Ok(mut head) = serde_json::to_string(&status) else {
        return ApiError::internal(&"a status cannot be written").into_response();
    };
    head.truncate(head.len() - 1);
    head.push_str(",\"items\":[");
    let write = |item: u64, body: &str| {
        Ok(match item {
            0 => body.to_owned(),
            _ => format!(",{body}"),
        })
    };
    let once = |text: String| {
        let text = Ok::<_, String>(Bytes::from(text));
        futures_util::stream::once(std::future::ready(text))
    };
    let body = once(head).chain(written(executions, stored, write)).chain(once("]}".to_owned()));
    respond(JSON, Body::from_stream(body))
}

/// The part of a stored result that lines need.
#[derive(Deserialize)]
struct StoredItem {
    status: String,
    #[serde(default)]
    error: Option<Box<RawValue>>,
    #[serde(default)]
    output: Vec<Box<RawValue>>,
    #[serde(default)]
    outputs: BTreeMap<String, Vec<Box<RawValue>>>,
    #[serde(default)]
    output_dropped: bool,
}

/// The lines of an execution that another client watches: its state while it runs, then its
/// results. Dropping the body drops the attachment.
pub(super) fn joined_lines(
    executions: Arc<Executions>,
    by: Principal,
    id: String,
    attachment: Attachment,
    heartbeat: Duration,
) -> Response {
    let (of, principal, name) = (executions.clone(), by.clone(), id.clone());
    let states = futures_util::stream::unfold((attachment, true), move |(attachment, is_first)| {
        let (executions, by, id) = (of.clone(), principal.clone(), name.clone());
        async move {
            if !is_first && tokio::time::timeout(heartbeat, attachment.ended()).await.is_ok() {
                return None;
            }
            let line = executions.get(&by, &id).await.map_err(|error| error.detail.message);
            Some((line.map(|stored| status_line(&stored)), (attachment, false)))
        }
    });
    let results = async move {
        let stored = executions.get(&by, &id).await.map_err(|error| error.detail.message);
        match stored {
            Ok(stored) => stored_lines(executions, stored).left_stream(),
            Err(error) => futures_util::stream::once(std::future::ready(Err(error))).right_stream(),
        }
    };
    let results = futures_util::stream::once(results).flatten();
    respond(NDJSON, Body::from_stream(states.chain(results)))
}

pub(super) fn status_line(stored: &Stored) -> Bytes {
    let status = ExecutionStatus::from(stored);
    let line = serde_json::to_string(&StatusLine { execution: &status }).unwrap_or_default();
    Bytes::from(line + "\n")
}

/// A finished execution, as the lines that it had while it ran.
pub(super) fn stored_lines(
    executions: Arc<Executions>,
    stored: Stored,
) -> impl futures_util::Stream<Item = Result<Bytes, String>> {
    let end = status_line(&stored);
    let write = |item: u64, body: &str| {
        let wrong = |error: serde_json::Error| ApiError::internal(&error);
        let stored: StoredItem = serde_json::from_str(body).map_err(wrong)?;
        let (mut text, mut records) = (String::new(), 0);
        let ports =
            stored.outputs.iter().flat_map(|(port, all)| all.iter().map(move |one| (port, one)));
        for record in &stored.output {
            records += 1;
            text.push_str(&format!("{{\"item\":{item},\"output\":{}}}\n", record.get()));
        }
        for (port, record) in ports {
            records += 1;
            let port = Value::from(port.as_str());
            let record = record.get();
            text.push_str(&format!("{{\"item\":{item},\"port\":{port},\"output\":{record}}}\n"));
        }
        let line = ItemLine { item, status: "ok", error: None, records };
        let mut line = serde_json::to_value(&line).map_err(wrong)?;
        line["status"] = stored.status.into();
        if let Some(error) = stored.error {
            line["error"] = serde_json::from_str(error.get()).map_err(wrong)?;
        }
        if stored.output_dropped {
            line["output_dropped"] = true.into();
        }
        text.push_str(&format!("{line}\n"));
        Ok(text)
    };
    let end = futures_util::stream::once(std::future::ready(Ok(end)));
    written(executions, stored, write).chain(end)
}
