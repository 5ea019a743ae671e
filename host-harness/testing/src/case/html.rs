//! The report as a standalone HTML page.

use maud::{DOCTYPE, Markup, PreEscaped, html};
use serde_json::Value;

use super::suite::{CaseResult, Report, Status};
use crate::page::{STYLE, bytes, milliseconds, pretty};

/// The page.
pub(super) fn page(report: &Report) -> String {
    let title = format!("{} · test report", report.node);
    let coverage = &report.coverage;
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                style { (PreEscaped(STYLE)) (PreEscaped(OWN_STYLE)) }
            }
            body {
                header {
                    h1 { (report.node) span.dim { " version " (report.version) } }
                    p.dim.mono { (report.digest) }
                    div.tiles {
                        (tile("passed", &report.passed.to_string(), "good"))
                        (tile("failed", &report.failed.to_string(), if report.failed > 0 { "bad" } else { "" }))
                        (covered("actions", coverage.actions_run()))
                        (covered("their parameters", coverage.parameters_set()))
                        (covered("credential types", coverage.types_used()))
                        (covered("kinds of errors", coverage.kinds_seen()))
                    }
                }
                main {
                    h2 { "Cases" }
                    @for case in &report.cases { (one(case)) }
                    h2 { "Coverage" }
                    (coverage_tables(report))
                }
            }
        }
    }
    .into_string()
}

fn tile(label: &str, number: &str, class: &str) -> Markup {
    html! { div.tile.(class) { div.number { (number) } div.dim { (label) } } }
}

fn covered(label: &str, (some, all): (usize, usize)) -> Markup {
    let part = (100 * some).checked_div(all).unwrap_or(100);
    html! {
        div.tile {
            div.number { (some) span.dim { " / " (all) } }
            div.dim { (label) }
            div.bar { div.fill style=(format!("width:{part}%")) {} }
        }
    }
}

fn one(case: &CaseResult) -> Markup {
    let (mark, class) = match case.status {
        Status::Failed => ("✗", "bad"),
        Status::Passed => ("✓", "good"),
        Status::Recorded => ("●", "good"),
        Status::Updated => ("✎", "good"),
    };
    html! {
        details.case open[case.status == Status::Failed] {
            summary {
                span.mark.(class) { (mark) }
                span.name { (case.name) }
                span.dim { (case.title.as_deref().unwrap_or(&case.action)) }
                span.right.dim.mono {
                    (case.requests) @if case.requests == 1 { " request · " } @else { " requests · " } (milliseconds(case.duration_ms))
                    @if case.memory > 0 { " · " (bytes(case.memory)) }
                }
            }
            div.inside {
                @for problem in &case.problems {
                    div.problem {
                        (problem.message)
                        @if let Some(next) = &problem.next { div.dim { (next) } }
                    }
                }
                @if let Some(ran) = &case.ran {
                    table {
                        @for exchange in &ran.exchanges {
                            tr {
                                td.mono { (exchange.method) }
                                td.mono.wide { (exchange.url) }
                                td.mono { (exchange.status.map_or("—".to_owned(), |status| status.to_string())) }
                                td.dim { @if exchange.attempts > 1 { (exchange.attempts) " attempts" } }
                            }
                        }
                    }
                }
                div.columns {
                    div { h3 { "Parameters" } pre { (pretty(&Value::Array(case.items.clone()))) } }
                    div { h3 { "Result" } pre { (pretty(&case.result["items"])) } }
                }
            }
        }
    }
}

fn coverage_tables(report: &Report) -> Markup {
    let coverage = &report.coverage;
    let tested = coverage.actions.iter().filter(|action| action.cases > 0);
    let untested: Vec<&str> = coverage
        .actions
        .iter()
        .filter(|action| action.cases == 0)
        .map(|action| action.action.as_str())
        .collect();
    html! {
        table {
            tr { th { "Action" } th { "Cases" } th { "Parameters set" } th { "Parameters not set" } }
            @for action in tested {
                tr {
                    td.mono { (action.action) }
                    td { (action.cases) }
                    td.mono { (action.set.join(", ")) }
                    td.mono.dim { (action.unset.join(", ")) }
                }
            }
        }
        @if !untested.is_empty() {
            details { summary { (untested.len()) " actions without a case" }
                p.mono.dim { (untested.join(", ")) } }
        }
        p {
            @for (name, used) in &coverage.credential_types {
                span.chip.(if *used { "good" } else { "dim" }) { (name) }
            }
        }
        p {
            @for (name, count) in &coverage.error_kinds {
                span.chip.(if *count > 0 { "good" } else { "dim" }) {
                    (name) @if *count > 0 { " × " (count) }
                }
            }
        }
    }
}

const OWN_STYLE: &str = "
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)); gap: .75rem; }
.tile { border: 1px solid var(--line); border-radius: 10px; padding: .75rem 1rem; background: var(--card); }
.tile .number { font-size: 1.7rem; font-weight: 650; }
.tile.good .number { color: var(--good); } .tile.bad .number { color: var(--bad); }
.bar { height: 4px; border-radius: 2px; background: var(--line); margin-top: .5rem; }
.fill { height: 4px; border-radius: 2px; background: var(--accent); }
.case { border-bottom: 1px solid var(--line); }
.case > summary { display: flex; gap: .75rem; align-items: baseline; padding: .55rem 0; cursor: pointer; }
.case .name { font-weight: 600; } .right { margin-left: auto; white-space: nowrap; }
.mark { width: 1rem; font-weight: 700; } .good { color: var(--good); } .bad { color: var(--bad); }
.inside { padding: 0 0 1rem 1.75rem; }
.problem { border-left: 3px solid var(--bad); background: var(--card); padding: .5rem .75rem; margin: .4rem 0; overflow-wrap: anywhere; }
.columns { display: grid; grid-template-columns: 1fr 1fr; gap: 1rem; }
@media (max-width: 60rem) { .columns { grid-template-columns: 1fr; } .right { display: none; } }
";
