//! Executions: those that are begun on the page, with their results as they arrive, and the result of any
//! other. Results and requests are shown as text.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, Method, header};
use axum::response::Response;
use bytes::{Buf as _, Bytes, BytesMut};
use futures_util::StreamExt as _;
use maud::{Markup, html};
use serde_json::{Value, json};
use tokio::sync::watch;
use workflow_node_host::Principal;

use super::Page;
use super::client::{path, with_query};
use super::enter::{Posted, button};
use super::layout::{Part, bounded, chip, failed, page, problem, redirect};
use super::titles;
use super::words::{count, when};
use crate::database::now;
use crate::error::ApiError;
use crate::execution::{ExecutionStatus, RequestMade, RequestsMade};
use crate::limits::ServerLimits;
use crate::session::Session;
use crate::token::Role;

/// Executions on the list.
const LISTED: usize = 50;
/// Records of an execution that a page shows.
const RECORDS: usize = 200;
/// How often a page looks for requests that were made.
const LOOK: Duration = Duration::from_millis(300);

/// The status of an execution that was begun on the page.
#[derive(Clone, Debug, Default)]
struct Seen {
    /// Records and ends of items, in the order in which they came.
    lines: Vec<Value>,
    bytes: usize,
    records: u64,
    /// Records that were too many or too large to be kept.
    dropped: u64,
    is_ended: bool,
}

#[derive(Debug)]
struct Run {
    /// Milliseconds since 1970.
    begun: u64,
    seen: Mutex<Seen>,
    changed: watch::Sender<u64>,
}

impl Run {
    fn update(&self, change: impl FnOnce(&mut Seen)) {
        change(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner));
        self.changed.send_modify(|number| *number += 1);
    }

    fn seen(&self) -> Seen {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

type Key = (Principal, String);

/// The executions that were begun on the page, as long as they are kept in memory.
#[derive(Clone, Debug, Default)]
pub(crate) struct Runs(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    runs: HashMap<Key, Arc<Run>>,
    /// From the oldest to the newest.
    order: VecDeque<Key>,
}

impl Runs {
    fn begin(&self, key: Key, limits: &ServerLimits) -> Arc<Run> {
        let (seen, changed) = (Mutex::default(), watch::Sender::new(0));
        let run = Arc::new(Run { begun: now(), seen, changed });
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.runs.insert(key.clone(), run.clone()).is_none() {
            kept.order.push_back(key);
        }
        while kept.order.len() > limits.page_runs.max(1) {
            if let Some(oldest) = kept.order.pop_front() {
                kept.runs.remove(&oldest);
            }
        }
        run
    }

    /// Removes what ended, and was begun before a time in milliseconds since 1970.
    pub(crate) fn prune(&self, before: u64) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.runs.retain(|_, run| run.begun >= before || !run.seen().is_ended);
        let Kept { runs, order } = &mut *kept;
        order.retain(|key| runs.contains_key(key));
    }

    fn get(&self, key: &Key) -> Option<Arc<Run>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).runs.get(key).cloned()
    }
}

/// Begins an execution that goes on when the browser is gone.
///
/// # Errors
///
/// When the API refuses the call.
pub(super) async fn begin(
    of: &Page,
    session: &Session,
    plugin: &str,
    action: &str,
    id: &str,
    call: &Value,
) -> Result<(), ApiError> {
    let at = path(["v1", "plugins", plugin, "actions", action, "execute"]);
    let accept = "application/x-ndjson";
    let response = of.client.send(&session.caller, Method::POST, &at, accept, Some(call)).await?;
    if !response.status().is_success() {
        return Err(super::client::refusal(response).await);
    }
    let run = of.runs.begin((session.caller.policy.principal(), id.to_owned()), &of.state.limits);
    let limits = of.state.limits.clone();
    // Reading the lines keeps the execution running.
    tokio::spawn(async move { follow(&run, response.into_body(), &limits).await });
    Ok(())
}

/// Keeps what an execution emits, up to the limit.
async fn follow(run: &Run, body: Body, limits: &ServerLimits) {
    let mut parts = body.into_data_stream();
    let mut buffer = BytesMut::new();
    while let Some(Ok(part)) = parts.next().await {
        buffer.extend_from_slice(&part);
        while let Some(end) = buffer.iter().position(|byte| *byte == b'\n') {
            let line = buffer.split_to(end);
            buffer.advance(1);
            take(run, &line, limits);
        }
    }
    run.update(|seen| seen.is_ended = true);
}

fn take(run: &Run, line: &[u8], limits: &ServerLimits) {
    let Ok(value) = serde_json::from_slice::<Value>(line) else { return };
    let is_record = value.get("output").is_some();
    run.update(|seen| {
        seen.records += u64::from(is_record);
        let is_kept = seen.bytes + line.len() <= limits.page_run_bytes
            && (!is_record || seen.records <= RECORDS as u64);
        match (is_record, is_kept) {
            (_, true) if value.get("execution").is_none() => {
                seen.bytes += line.len();
                seen.lines.push(value);
            }
            (true, false) => seen.dropped += 1,
            _ => {}
        }
    });
}

/// A status in words, and how it is marked.
fn words(status: &str, failed: u64) -> (&'static str, &'static str) {
    match (status, failed) {
        ("queued", _) => ("", "Waiting"),
        ("running", _) => ("", "Running"),
        ("finished", 0) => ("good", "Finished"),
        ("finished", _) => ("bad", "Failed"),
        ("cancelled", _) => ("warn", "Cancelled"),
        ("interrupted", _) => ("warn", "Interrupted"),
        _ => ("bad", "Stopped"),
    }
}

fn is_over(status: &Value) -> bool {
    !matches!(status["status"].as_str(), Some("queued" | "running"))
}

fn number(value: &Value, name: &str) -> u64 {
    value[name].as_u64().unwrap_or_default()
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}

/// A table of the latest executions.
pub(super) async fn list(of: &Page, session: &Session, most: usize) -> Markup {
    if let Err(error) = session.caller.require(Role::Run) {
        return html! { p.dim { (error.detail.message) } };
    }
    let latest = of.state.executions.latest(&session.caller.policy.principal(), most).await;
    let latest = match latest {
        Ok(latest) => latest,
        Err(error) => return problem(&error),
    };
    let rows: Vec<Value> = latest
        .iter()
        .filter_map(|one| serde_json::to_value(ExecutionStatus::from(one)).ok())
        .collect();
    html! {
        @if rows.is_empty() { p.dim { "Nothing was run yet." } } @else {
            div.scroll tabindex="0" role="region" aria-label="Runs" {
                table {
                    thead { tr {
                        th scope="col" { "Action" } th scope="col" { "Begun" } th scope="col" { "State" }
                        th scope="col" { "Items" } th scope="col" { "Begun by" }
                    } }
                    tbody {
                        @for one in &rows {
                            @let (kind, state) = words(text(one, "status"), number(one, "failed"));
                            tr {
                                th scope="row" { a href=(path(["page", "executions", text(one, "execution_id")])) { (bounded(titles::action(of, text(one, "plugin"), text(one, "action")))) } }
                                td.dim { (when(number(one, "created_at"))) }
                                td { (chip(kind, state)) }
                                td.dim { (items(one)) }
                                td.dim { (bounded(one["workflow"].as_str().unwrap_or("a program"))) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn items(status: &Value) -> String {
    let (all, failed) = (number(status, "item_count"), number(status, "failed"));
    match failed {
        0 => count(all, "item"),
        failed => format!("{}, {failed} failed", count(all, "item")),
    }
}

pub(super) async fn index(State(of): State<Page>, session: Session) -> Response {
    let content = html! {
        p.dim { "The latest executions that you or a program with your rights have begun." }
        section { (list(&of, &session, LISTED).await) }
    };
    page(&session, Part::Runs, "Runs", &content)
}

async fn status_of(of: &Page, session: &Session, id: &str) -> Result<Value, ApiError> {
    of.client.get(&session.caller, &path(["v1", "executions", id])).await
}

/// The output that the store holds, as lines.
async fn stored(of: &Page, session: &Session, id: &str) -> Result<Seen, ApiError> {
    let at = with_query(&path(["v1", "executions", id, "items"]), &[("limit", "100")]);
    let answer = of.client.get(&session.caller, &at).await?;
    let mut seen = Seen { is_ended: true, ..Seen::default() };
    for item in answer["items"].as_array().into_iter().flatten() {
        let ports = item["outputs"].as_object().into_iter().flatten();
        let main = item.get("output").map(|list| (None, list));
        let all = main.into_iter().chain(ports.map(|(port, list)| (Some(port), list)));
        for (port, list) in all {
            for record in list.as_array().into_iter().flatten() {
                seen.records += 1;
                match seen.records <= RECORDS as u64 {
                    true => seen
                        .lines
                        .push(json!({"item": item["item"], "port": port, "output": record})),
                    false => seen.dropped += 1,
                }
            }
        }
        if item["status"] != "pending" {
            seen.lines.push(json!({
                "item": item["item"], "status": item["status"], "error": item["error"],
                "output_dropped": item["output_dropped"],
            }));
        }
    }
    Ok(seen)
}

/// State of an execution, from the page's own record if it watched the execution, or from the store.
async fn known(of: &Page, session: &Session, id: &str) -> Result<Seen, ApiError> {
    let key = (session.caller.policy.principal(), id.to_owned());
    match of.runs.get(&key) {
        Some(run) => Ok(run.seen()),
        None => stored(of, session, id).await,
    }
}

pub(super) async fn show(
    State(of): State<Page>,
    session: Session,
    Path(id): Path<String>,
) -> Response {
    let loaded = async {
        let status = status_of(&of, &session, &id).await?;
        Ok::<_, ApiError>((status, known(&of, &session, &id).await?))
    };
    let (status, seen) = match loaded.await {
        Ok(loaded) => loaded,
        Err(error) => return failed(&session, Part::Runs, &error),
    };
    let requests = of.state.executions.requests(&session.caller.policy.principal(), &id);
    let at = path(["page", "executions", &id]);
    let (plugin, action) = (text(&status, "plugin"), text(&status, "action"));
    let title = bounded(titles::action(&of, plugin, action));
    let is_over = is_over(&status);
    let stream = (!is_over).then(|| path(["page", "executions", &id, "stream"]));
    let content = html! {
        p.dim {
            a href=(path(["page", "plugins", plugin, "actions", action])) { "Run this action again" }
            " · " code { (bounded(action)) } " · " code { (id) }
        }
        div data-stream=[stream] {
            section aria-labelledby="state" {
                div.head {
                    h2 id="state" { "State" }
                    @if !is_over { (button(&session, &format!("{at}/cancel"), "Cancel", "quiet")) }
                }
                div id="status" aria-live="polite" { (state(&status, &seen)) }
                @if !is_over {
                    noscript { p.dim { "Reload the page to see how it goes on. It goes on without this page." } }
                }
            }
            section aria-labelledby="results" {
                div.head { h2 id="results" { "Results" } }
                div id="records" { @for line in &seen.lines { (line_of(line)) } }
                div id="left" { (left(&seen, is_over)) }
            }
            section aria-labelledby="requests" {
                div.head { h2 id="requests" { "Requests made" } }
                div id="made" { (made(&requests, is_over)) }
            }
        }
    };
    page(&session, Part::Runs, &title, &content)
}

fn state(status: &Value, seen: &Seen) -> Markup {
    let (kind, state) = words(text(status, "status"), number(status, "failed"));
    html! {
        p { (chip(kind, state)) " " span.dim { "begun " (when(number(status, "created_at")))
            @if let Some(workflow) = status["workflow"].as_str() { " by " (bounded(workflow)) } } }
        div.numbers {
            div { b { (number(status, "finished")) " of " (number(status, "item_count")) } span.dim { "items" } }
            div { b { (number(status, "failed")) } span.dim { "failed" } }
            div { b { (seen.records) } span.dim { "records" } }
        }
        @if let Some(message) = status["error"]["message"].as_str() {
            div.notice.bad { p { (bounded(message)) } }
        }
    }
}

/// Text by which a person recognizes a record.
fn label(record: &Value) -> String {
    let names = ["title", "name", "summary", "display_name", "label", "email", "id"];
    let found = names.iter().find_map(|name| record[*name].as_str());
    let text = found.map_or_else(|| record.to_string(), str::to_owned);
    let mut short: String = text.chars().take(120).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

fn line_of(line: &Value) -> Markup {
    let item = number(line, "item") + 1;
    if let Some(record) = line.get("output") {
        let pretty = serde_json::to_string_pretty(record).unwrap_or_default();
        return html! {
            details.record {
                summary {
                    (label(record)) " " span.dim { "Item " (item) }
                    @if let Some(port) = line["port"].as_str() { " " (chip("", port)) }
                }
                pre { (bounded(&pretty)) }
            }
        };
    }
    let error = &line["error"];
    html! {
        @if line["status"] == "error" {
            div.notice.bad {
                p { b { "Item " (item) " failed: " } (bounded(error["message"].as_str().unwrap_or("unknown"))) }
                @if let Some(kind) = error["kind"].as_str() {
                    p.dim {
                        (kind)
                        @if let Some(status) = error["http_status"].as_u64() { " · HTTP " (status) }
                    }
                }
                @if !error.is_null() {
                    details { summary { "Details" } pre { (bounded(&serde_json::to_string_pretty(error).unwrap_or_default())) } }
                }
            }
        } @else if line["output_dropped"] == true {
            p.dim { "The output of item " (item) " was not kept." }
        }
    }
}

fn left(seen: &Seen, is_over: bool) -> Markup {
    html! {
        @if seen.dropped > 0 {
            p.dim { (count(seen.dropped, "further record")) " not shown. The API returns all of them." }
        }
        @if seen.lines.is_empty() && !is_over { p.dim { "None yet." } }
        @if seen.records == 0 && is_over && !seen.lines.iter().any(|line| line["status"] == "error") {
            p.dim { "No records." }
        }
    }
}

fn made(requests: &RequestsMade, is_over: bool) -> Markup {
    let hidden = requests.count - requests.list.len() as u64;
    html! {
        @if requests.list.is_empty() {
            p.dim { @if is_over { "No request is known. Requests are kept until the server restarts." } @else { "None yet." } }
        } @else {
            div.scroll tabindex="0" role="region" aria-label="Requests made" {
                table {
                    thead { tr {
                        th scope="col" { "Request" } th scope="col" { "Response" } th scope="col" { "Time" }
                    } }
                    tbody { @for one in &requests.list { (request(one)) } }
                }
            }
            @if hidden > 0 { p.dim { (count(hidden, "further request")) " not shown." } }
        }
    }
}

fn request(one: &RequestMade) -> Markup {
    html! {
        tr {
            td { b { (one.method) } " " code { (one.url) }
                @if let Some(error) = &one.error { div.error { (bounded(error)) } } }
            td {
                @match one.status {
                    Some(status) => (chip(if status < 400 { "good" } else { "bad" }, &status.to_string())),
                    None => (chip("bad", "none")),
                }
                @if one.attempts > 1 { div.dim { (one.attempts) " attempts" } }
            }
            td.dim { (one.duration_ms) " ms" }
        }
    }
}

/// Streams changes since the page was rendered, as lines of JSON. Each names the target element and the
/// HTML to append to it or to replace it with.
pub(super) async fn stream(
    State(of): State<Page>,
    session: Session,
    Path(id): Path<String>,
) -> Response {
    if let Err(error) = status_of(&of, &session, &id).await {
        return failed(&session, Part::Runs, &error);
    }
    let key = (session.caller.policy.principal(), id.clone());
    let watched = Watched { run: of.runs.get(&key), of, session, id, sent: None };
    let lines = futures_util::stream::unfold(Some(watched), |watched| async move {
        let mut watched = watched?;
        let (lines, is_over) = watched.next().await;
        Some((Ok::<_, std::convert::Infallible>(lines), (!is_over).then_some(watched)))
    });
    let mut response = Response::new(Body::from_stream(lines));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

/// An execution that a page watches.
struct Watched {
    of: Page,
    session: Session,
    id: String,
    run: Option<Arc<Run>>,
    /// How many lines were sent, if any.
    sent: Option<usize>,
}

impl Watched {
    /// The next changes, and whether they are the last.
    async fn next(&mut self) -> (Bytes, bool) {
        if self.sent.is_some() {
            match &self.run {
                Some(run) => {
                    let mut changed = run.changed.subscribe();
                    // Looks again soon even if nothing changed: requests are sent in the meantime.
                    let _has_changed = tokio::time::timeout(LOOK, changed.changed()).await.is_ok();
                    // Records that come at once are sent together.
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                None => tokio::time::sleep(LOOK).await,
            }
        }
        // The session may have ended meanwhile.
        let shared = &self.of.state;
        let is_open = shared.sessions.is_open(&shared.tokens, &shared.policies, &self.session);
        let is_open = is_open.unwrap_or(false);
        let Ok(status) = status_of(&self.of, &self.session, &self.id).await else {
            return (Bytes::from_static(b"{\"reload\":true}\n"), true);
        };
        let is_over = is_over(&status);
        let seen = match &self.run {
            // Its last line comes a moment after its end.
            Some(run) if is_over => {
                let mut changed = run.changed.subscribe();
                let ended =
                    async { while !run.seen().is_ended && changed.changed().await.is_ok() {} };
                let _has_ended = tokio::time::timeout(Duration::from_secs(5), ended).await.is_ok();
                Some(run.seen())
            }
            Some(run) => Some(run.seen()),
            None => None,
        };
        if !is_open || (is_over && seen.is_none()) {
            return (Bytes::from_static(b"{\"reload\":true}\n"), true);
        }
        let seen = seen.unwrap_or_default();
        let mut text = String::new();
        let mut put = |how: &str, into: &str, html: Markup| {
            text.push_str(&json!({how: into, "html": html.into_string()}).to_string());
            text.push('\n');
        };
        match self.sent {
            // The page may be older than the stream.
            None => {
                put("replace", "records", html! { @for line in &seen.lines { (line_of(line)) } })
            }
            Some(sent) if sent < seen.lines.len() => {
                put(
                    "append",
                    "records",
                    html! { @for line in &seen.lines[sent..] { (line_of(line)) } },
                );
            }
            Some(_) => {}
        }
        let principal = self.session.caller.policy.principal();
        let requests = self.of.state.executions.requests(&principal, &self.id);
        put("replace", "status", state(&status, &seen));
        put("replace", "left", left(&seen, is_over));
        put("replace", "made", made(&requests, is_over));
        if is_over {
            text.push_str("{\"end\":true}\n");
        }
        self.sent = Some(seen.lines.len());
        (Bytes::from(text), is_over)
    }
}

pub(super) async fn cancel(
    State(of): State<Page>,
    Path(id): Path<String>,
    posted: Posted,
) -> Response {
    let session = &posted.session;
    let at = path(["v1", "executions", &id]);
    match of.client.call(&session.caller, Method::DELETE, &at, None).await {
        Ok(_) => redirect(&path(["page", "executions", &id])),
        Err(error) => failed(session, Part::Runs, &error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stored_part_of_an_execution_is_bounded() {
        let limits = ServerLimits { page_run_bytes: 100, page_runs: 2, ..ServerLimits::default() };
        let runs = Runs::default();
        let key = |id: &str| (Principal::of("acme", "ada"), id.to_owned());
        let run = runs.begin(key("1"), &limits);
        take(&run, br#"{"execution": {}}"#, &limits);
        take(&run, br#"{"item": 0, "output": {"name": "small"}}"#, &limits);
        let large = json!({"item": 0, "output": "x".repeat(200)}).to_string();
        take(&run, large.as_bytes(), &limits);
        let seen = run.seen();
        assert_eq!((seen.lines.len(), seen.records, seen.dropped), (1, 2, 1));
        runs.begin(key("2"), &limits);
        runs.begin(key("3"), &limits);
        assert!(runs.get(&key("1")).is_none() && runs.get(&key("3")).is_some());
        assert!(runs.get(&(Principal::of("other", "ada"), "3".to_owned())).is_none());
        runs.get(&key("2")).unwrap().update(|seen| seen.is_ended = true);
        runs.prune(now() - 1_000);
        assert!(runs.get(&key("2")).is_some());
        runs.prune(now() + 1_000);
        assert!(runs.get(&key("2")).is_none(), "it has expired");
        assert!(runs.get(&key("3")).is_some(), "it runs");
        for id in ["4", "5", "6"] {
            runs.begin(key(id), &limits);
        }
        assert!(runs.get(&key("3")).is_none() && runs.get(&key("6")).is_some());
    }

    #[test]
    fn records_of_a_service_are_text() {
        let line = json!({"item": 0, "output": {"name": "<img src=x onerror=alert(1)>"}});
        let html = line_of(&line).into_string();
        assert!(!html.contains("<img") && html.contains("&lt;img"), "{html}");
        let failed =
            json!({"item": 2, "status": "error", "error": {"kind": "x", "message": "<b>"}});
        let html = line_of(&failed).into_string();
        assert!(html.contains("Item 3 failed") && html.contains("&lt;b&gt;"), "{html}");
    }
}
