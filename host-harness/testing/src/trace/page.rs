//! The page that shows a trace. It is standalone and loads no resources.

use maud::{DOCTYPE, Markup, PreEscaped, html};
use serde_json::Value;

use super::host_lanes::{self, Axis};
use super::{Attempt, HOST_CALLS, HostCalls, OWN, Run};
use crate::page::{STYLE, bytes, count, milliseconds, pretty, shortened};

/// Maximum number of rows on a page. More would make a browser slow.
const MOST_ROWS: usize = 2_000;

/// Marks on the time axis.
const MARKS: u32 = 5;

/// A request for the page.
struct Row<'a> {
    entry: &'a Value,
    method: &'a str,
    url: url::Url,
    /// Milliseconds after the start of the trace.
    at: f64,
    time: f64,
    status: u16,
    attempts: Vec<Attempt>,
    error: Option<&'a str>,
}

/// Shows an archive as a page.
///
/// # Errors
///
/// If it is not an HTTP Archive.
pub fn page(archive: &Value) -> Result<String, String> {
    let log = archive.get("log").ok_or("it has no `log`, so it is not an HTTP Archive")?;
    let entries = log["entries"].as_array().ok_or("its log has no `entries`")?;
    let run: Run = serde_json::from_value(log[OWN].clone()).unwrap_or_default();
    let calls: HostCalls = serde_json::from_value(log[HOST_CALLS].clone()).unwrap_or_default();
    let started = |entry: &Value| -> Option<i64> {
        let text = entry["startedDateTime"].as_str()?;
        Some(text.parse::<jiff::Timestamp>().ok()?.as_millisecond())
    };
    let first = entries.iter().filter_map(started).min();
    let begin = match i64::try_from(run.started) {
        Ok(at) if at > 0 => first.map_or(at, |first| at.min(first)),
        _ => first.unwrap_or_default(),
    };
    let mut rows: Vec<Row<'_>> = entries
        .iter()
        .filter_map(|entry| {
            Some(Row {
                entry,
                method: entry["request"]["method"].as_str()?,
                url: entry["request"]["url"].as_str()?.parse().ok()?,
                at: (started(entry)? - begin) as f64,
                time: entry["time"].as_f64().unwrap_or_default().max(0.0),
                status: entry["response"]["status"].as_u64().and_then(|it| it.try_into().ok())?,
                attempts: serde_json::from_value(entry["_attempts"].clone()).unwrap_or_default(),
                error: entry["_error"].as_str(),
            })
        })
        .collect();
    rows.sort_by(|one, other| one.at.total_cmp(&other.at));
    let end = rows.iter().map(|row| row.at + row.time).fold(run.duration_ms as f64, f64::max);
    // Without the time of the run, as for a replay, the calls of the host begin at zero.
    let host_begin = match (run.started, calls.calls.first()) {
        (0, Some(call)) => call.at_us as f64 / 1e3,
        _ => begin as f64,
    };
    let end = end.max(host_lanes::end(&calls) - host_begin).max(1.0);
    let title = if run.action.is_empty() { "HTTP archive".to_owned() } else { run.action.clone() };
    Ok(html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) " · trace" }
                style { (PreEscaped(STYLE)) (PreEscaped(OWN_STYLE)) (PreEscaped(host_lanes::STYLE)) }
            }
            body {
                header {
                    h1 { (title) }
                    p.dim {
                        (run.node)
                        @if !run.plugin.is_empty() { " · " span.mono { (run.plugin) } }
                        @if let Ok(time) = jiff::Timestamp::from_millisecond(begin) { " · " (format!("{time:.0}")) }
                    }
                    (numbers(&run, &rows, &calls, end))
                    @if let Some(stopped) = &run.stopped {
                        p.problem { "The plugin was stopped: " (stopped) }
                    }
                }
                main {
                    (waterfall(&rows, end))
                    (host_lanes::host_calls(&calls, &Axis { begin: host_begin, end }))
                    (items(&run))
                    (logs(&run, begin))
                }
            }
        }
    }
    .into_string())
}

fn numbers(run: &Run, rows: &[Row<'_>], calls: &HostCalls, end: f64) -> Markup {
    let sent =
        rows.iter().map(|row| row.attempts.len().max(usize::from(row.status > 0))).sum::<usize>();
    let repeated: usize = rows.iter().map(|row| row.attempts.len().saturating_sub(1)).sum();
    let waited: u64 = rows.iter().flat_map(|row| waits(row)).map(|(_, time)| time as u64).sum();
    let denied = rows.iter().filter(|row| row.is_denied()).count();
    let failed = run.results.iter().filter(|result| result.get("error").is_some()).count();
    let number = |label: &str, value: String, class: &str| {
        html! { div.number.(class) { strong { (value) } span.dim { (label) } } }
    };
    html! {
        div.numbers {
            (number("in all", milliseconds(end as u64), ""))
            (number("requests", rows.len().to_string(), ""))
            @if sent > rows.len() { (number("attempts", sent.to_string(), "")) }
            @if repeated > 0 { (number("retries", repeated.to_string(), "warn")) }
            @if waited > 0 { (number("waiting", milliseconds(waited), "warn")) }
            @if denied > 0 { (number("denied", denied.to_string(), "bad")) }
            @if !run.results.is_empty() {
                (number("items", run.results.len().to_string(), ""))
                @if failed > 0 { (number("failed", failed.to_string(), "bad")) }
            }
            @if !calls.is_empty() {
                (number("calls of the host", count(calls.count()), ""))
                (number("fuel", count(calls.fuel), ""))
            }
            @if run.memory > 0 {
                (number("memory of the node", bytes(usize::try_from(run.memory).unwrap_or_default()), ""))
            }
        }
    }
}

impl Row<'_> {
    /// Whether the host has refused to send it.
    fn is_denied(&self) -> bool {
        self.status == 0
            && self.attempts.is_empty()
            && self.entry["_maybeSent"] == Value::Bool(false)
    }

    fn class(&self) -> &'static str {
        match self.status {
            0 if self.is_denied() => "denied",
            0 | 500.. => "bad",
            400..500 => "warn",
            _ => "good",
        }
    }
}

/// Where a request waited between attempts, in milliseconds after it was made, and how long.
fn waits<'a>(row: &'a Row<'_>) -> impl Iterator<Item = (f64, f64)> + 'a {
    row.attempts.windows(2).map(|pair| {
        let from = (pair[0].at_ms + pair[0].duration_ms) as f64;
        (from, (pair[1].at_ms as f64 - from).max(0.0))
    })
}

fn waterfall(rows: &[Row<'_>], end: f64) -> Markup {
    let left = |at: f64| (100.0 * at / end).clamp(0.0, 100.0);
    let place = |at: f64, time: f64| format!("left:{:.3}%;width:{:.3}%", left(at), left(time));
    html! {
        div.waterfall {
            div.row.axis {
                span {}
                span {}
                div.lane {
                    @for mark in 0..=MARKS {
                        @let part = f64::from(mark) / f64::from(MARKS);
                        span.mark style=(format!("left:{:.1}%", 100.0 * part)) {
                            (milliseconds((end * part) as u64))
                        }
                    }
                }
            }
            @for row in rows.iter().take(MOST_ROWS) {
                details.request {
                    summary.row {
                        span.what {
                            span.method { (row.method) }
                            span.path title=(row.url.as_str()) { (row.url.path()) @if let Some(query) = row.url.query() { span.dim { "?" (query) } } }
                        }
                        span.status.(row.class()) {
                            @match row.status {
                                0 if row.is_denied() => "denied",
                                0 => "no answer",
                                status => (status),
                            }
                        }
                        div.lane {
                            @for mark in 1..MARKS {
                                span.line style=(format!("left:{}%", 100 * mark / MARKS)) {}
                            }
                            span.bar.whole style=(place(row.at, row.time)) {}
                            @for (from, time) in waits(row) {
                                span.bar.wait style=(place(row.at + from, time)) title=(format!("waited {}", milliseconds(time as u64))) {}
                            }
                            @if row.attempts.is_empty() {
                                span.bar.(row.class()) style=(format!("left:min({:.3}%, calc(100% - .9rem));width:{:.3}%", left(row.at), left(row.time))) {}
                            }
                            @for attempt in &row.attempts {
                                span.bar.(attempt_class(attempt)) title=(attempt_title(attempt))
                                    style=(place(row.at + attempt.at_ms as f64, attempt.duration_ms as f64)) {}
                            }
                            span.time.dim style=(time_place(left(row.at), left(row.at + row.time))) {
                                (milliseconds(row.time as u64))
                                @if row.attempts.len() > 1 { " · " (row.attempts.len()) " attempts" }
                            }
                        }
                    }
                    (inside(row))
                }
            }
            @if rows.len() > MOST_ROWS {
                p.dim { (rows.len() - MOST_ROWS) " more requests are in the file and not on this page." }
            }
            @if rows.is_empty() { p.dim { "Nothing was sent." } }
        }
        p.legend.dim {
            span.key.good {} "answered" span.key.warn {} "4xx" span.key.bad {} "5xx, or no answer"
            span.key.wait {} "waiting to send again" span.key.held {} "held by the host" span.key.denied {} "denied by the host"
        }
    }
}

/// The position of a label: after its bar, or before it if there is no room.
fn time_place(from: f64, to: f64) -> String {
    match to > 80.0 {
        true if from > 20.0 => format!("right:{:.3}%", 100.0 - from),
        true => "right:1.2rem".to_owned(),
        false => format!("left:{to:.3}%"),
    }
}

fn attempt_class(attempt: &Attempt) -> &'static str {
    match attempt.status {
        None | Some(500..) => "bad",
        Some(400..500) => "warn",
        Some(_) => "good",
    }
}

fn attempt_title(attempt: &Attempt) -> String {
    let status = attempt.status.map_or("no answer".to_owned(), |status| status.to_string());
    let fault = attempt.fault.as_ref().map(|fault| format!(" (injected: {fault})"));
    format!("{status} after {}{}", milliseconds(attempt.duration_ms), fault.unwrap_or_default())
}

fn inside(row: &Row<'_>) -> Markup {
    let headers = |of: &Value| -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let all = of["headers"].as_array();
        all.into_iter().flatten().map(|one| (text(&one["name"]), text(&one["value"]))).collect()
    };
    let body = |text: Option<&str>| {
        text.filter(|text| !text.is_empty()).map(|text| match serde_json::from_str::<Value>(text) {
            Ok(json) => pretty(&json),
            Err(_) => shortened(text.to_owned()),
        })
    };
    let (request, response) = (&row.entry["request"], &row.entry["response"]);
    let table = |headers: Vec<(String, String)>| {
        html! {
            table.headers {
                @for (name, value) in headers { tr { td.mono.dim { (name) } td.mono.wide { (value) } } }
            }
        }
    };
    html! {
        div.inside {
            @if let Some(error) = row.error { p.problem { (error) } }
            p.mono.url { (row.url.as_str()) }
            @if let Some(slot) = row.entry["_slot"].as_str() {
                p.dim { "The host added the credential of the slot " code { (slot) } ". It is not part of the trace." }
            }
            @if row.attempts.len() > 1 || row.attempts.iter().any(|attempt| attempt.fault.is_some()) {
                ol.attempts {
                    @for attempt in &row.attempts {
                        li { "at " (milliseconds(attempt.at_ms)) ": " span.(attempt_class(attempt)) { (attempt_title(attempt)) } }
                    }
                }
            }
            div.columns {
                div {
                    h3 { "Request" }
                    (table(headers(request)))
                    @if let Some(body) = body(request["postData"]["text"].as_str()) { pre { (body) } }
                }
                div {
                    h3 { "Response" }
                    (table(headers(response)))
                    @if let Some(body) = body(response["content"]["text"].as_str()) { pre { (body) } }
                }
            }
        }
    }
}

fn items(run: &Run) -> Markup {
    if run.items.is_empty() {
        return html! {};
    }
    html! {
        h2 { "Items" }
        @for (index, item) in run.items.iter().enumerate().take(MOST_ROWS) {
            @let result = run.results.get(index).unwrap_or(&Value::Null);
            @let error = result.get("error");
            details.item open[run.items.len() <= 3 || (error.is_some() && index < 20)] {
                summary {
                    span.status.(if error.is_some() { "bad" } else { "good" }) {
                        @if let Some(error) = error { (error["kind"].as_str().unwrap_or("error")) } @else { "ok" }
                    }
                    " item " (index)
                    @if let Some(message) = error.and_then(|error| error["message"].as_str()) {
                        span.dim { " · " (message) }
                    }
                }
                div.columns {
                    div { h3 { "Input" } pre { (pretty(item)) } }
                    div { h3 { "Output" } pre { (pretty(result)) } }
                }
            }
        }
    }
}

fn logs(run: &Run, begin: i64) -> Markup {
    if run.logs.is_empty() {
        return html! {};
    }
    html! {
        h2 { "Log of the node" }
        table {
            @for line in &run.logs {
                tr {
                    td.mono.dim { "+" (milliseconds(line.at.saturating_sub(u64::try_from(begin).unwrap_or_default()))) }
                    td.mono { (line.level) }
                    td.wide { (line.message) }
                }
            }
        }
    }
}

const OWN_STYLE: &str = "
header { padding-bottom: .25rem; }
.numbers { display: flex; flex-wrap: wrap; gap: 2rem; margin: 1rem 0 .25rem; }
.number strong { display: block; font-size: 1.5rem; line-height: 1.2; font-weight: 650; }
.number.warn strong { color: var(--warn); } .number.bad strong { color: var(--bad); }
.waterfall { border: 1px solid var(--line); border-radius: 10px; overflow: hidden; background: var(--card); }
.row { display: grid; grid-template-columns: minmax(14rem, 34%) 5.5rem 1fr; align-items: center; gap: .5rem;
  padding: 0 .75rem; min-height: 2rem; }
.request { border-top: 1px solid var(--line); background: var(--page); }
.request > summary { cursor: pointer; list-style: none; } .request > summary::-webkit-details-marker { display: none; }
.request > summary:hover, .request[open] > summary { background: var(--card); }
.what { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.method { font-weight: 650; font-size: .78rem; display: inline-block; min-width: 3.6rem; }
.path { font-family: ui-monospace, 'SF Mono', Menlo, Consolas, 'DejaVu Sans Mono', monospace; font-size: .82rem; }
.status { font-size: .78rem; font-weight: 600; white-space: nowrap; }
.status.good, .attempts .good { color: var(--good); } .status.warn, .attempts .warn { color: var(--warn); }
.status.bad, .status.denied, .attempts .bad { color: var(--bad); }
.lane { position: relative; height: 2rem; }
.axis .lane { height: 1.6rem; }
.mark { position: absolute; transform: translateX(-50%); font-size: .72rem; color: var(--dim); top: .3rem; white-space: nowrap; }
.mark:first-child { transform: none; } .mark:last-child { transform: translateX(-100%); }
.line { position: absolute; top: 0; bottom: 0; width: 1px; background: var(--line); }
.bar { position: absolute; top: .6rem; height: .8rem; min-width: 3px; border-radius: 3px; }
.bar.whole { background: var(--line); top: .9rem; height: .2rem; }
.bar.good, .key.good { background: var(--good); } .bar.warn, .key.warn { background: var(--warn); }
.bar.bad, .key.bad { background: var(--bad); }
.bar.denied, .key.denied { background: transparent; border: 2px solid var(--bad); min-width: .8rem; }
.bar.wait, .key.wait { background: repeating-linear-gradient(135deg, var(--wait) 0 4px, transparent 4px 8px); }
.time { position: absolute; top: .4rem; padding: .05rem .3rem; margin: 0 .15rem; font-size: .74rem; line-height: 1.1rem;
  white-space: nowrap; background: var(--page); border-radius: 4px; }
.request > summary:hover .time, .request[open] > summary .time { background: var(--card); }
.key.held { background: var(--line); height: .2rem !important; vertical-align: 3px !important; }
.legend { font-size: .8rem; margin: .5rem 0 0; } .key { display: inline-block; width: 1rem; height: .7rem; border-radius: 3px; margin: 0 .35rem 0 1rem; vertical-align: -1px; }
.key:first-child { margin-left: 0; }
.inside { padding: .5rem .75rem 1rem; border-top: 1px dashed var(--line); }
.columns { display: grid; grid-template-columns: 1fr 1fr; gap: 1rem; } .columns > div { min-width: 0; }
.headers td { border: 0; padding: .05rem .75rem .05rem 0; }
.url { overflow-wrap: anywhere; margin: .25rem 0; } .attempts { margin: .3rem 0; padding-left: 1.4rem; font-size: .88rem; }
.problem { border-left: 3px solid var(--bad); background: var(--card); padding: .5rem .75rem; margin: .4rem 0; overflow-wrap: anywhere; }
.item { border-top: 1px solid var(--line); padding: .4rem 0; } .item > summary { cursor: pointer; }
@media (max-width: 60rem) { .columns { grid-template-columns: 1fr; } .row { grid-template-columns: 45% 4.5rem 1fr; } }
";
