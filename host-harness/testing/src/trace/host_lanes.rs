//! The calls of the host on the page of a trace: a lane for each function on the time axis of the
//! waterfall, the guest's memory and fuel between calls, and a table.

use maud::{Markup, html};

use super::HostCalls;
use super::host_calls::Call;
use crate::page::{bytes, count, microseconds};

/// So many calls are drawn and listed on a page. More would make a browser slow.
const MOST_SHOWN: usize = 1_000;

/// Size of the chart of fuel and memory, in units of the drawing.
const CHART: (f64, f64) = (1_000.0, 32.0);

/// The times of the lanes, in milliseconds.
pub(super) struct Axis {
    /// Start of the trace, since 1970.
    pub(super) begin: f64,
    /// End of the trace, after its start.
    pub(super) end: f64,
}

impl Axis {
    fn after(&self, microseconds: u64) -> f64 {
        microseconds as f64 / 1e3 - self.begin
    }

    /// Position of a moment, in percent.
    fn place(&self, at: f64) -> f64 {
        (100.0 * at / self.end).clamp(0.0, 100.0)
    }
}

/// The end of the last call, in milliseconds since 1970.
pub(super) fn end(calls: &HostCalls) -> f64 {
    let end = |call: &Call| (call.at_us.saturating_add(call.duration_us)) as f64 / 1e3;
    calls.calls.iter().map(end).fold(0.0, f64::max)
}

pub(super) fn host_calls(all: &HostCalls, axis: &Axis) -> Markup {
    if all.is_empty() {
        return html! {};
    }
    let shown = &all.calls[..all.calls.len().min(MOST_SHOWN)];
    html! {
        h2 { "Calls of the host" }
        p.dim {
            (count(all.count())) " calls · " (count(all.fuel)) " units of fuel · at most "
            (bytes(usize::try_from(all.peak_memory).unwrap_or(usize::MAX))) " of memory"
        }
        div.waterfall.host {
            (chart("fuel between calls", &count(all.fuel), fuel(shown, axis)))
            (chart("memory", &bytes(usize::try_from(all.peak_memory).unwrap_or(usize::MAX)), memory(shown, all.peak_memory, axis)))
            @for (function, total) in &all.functions {
                div.row.function {
                    span.what {
                        span.path { (function) }
                        span.dim { " " (count(total.fuel)) " fuel · " (microseconds(total.duration_us)) }
                    }
                    span.status { (count(total.calls)) "×" }
                    div.lane {
                        @for call in shown.iter().filter(|call| call.function == *function) {
                            span.bar.host title=(title(call)) style=(position(call, axis)) {}
                        }
                    }
                }
            }
        }
        details.calls {
            summary { "All calls, in order" }
            (table(shown, axis))
            (rest(all, shown.len()))
        }
    }
}

/// What is not in the table.
fn rest(all: &HostCalls, shown: usize) -> Markup {
    let in_file = all.calls.len() - shown;
    html! {
        @if in_file > 0 { p.dim { (count(in_file as u64)) " more calls are in the file and not on this page." } }
        @if all.dropped > 0 {
            p.dim {
                (count(all.dropped)) " more calls are only in the totals, because a trace lists "
                (count(all.limit as u64)) "."
            }
        }
    }
}

fn table(shown: &[Call], axis: &Axis) -> Markup {
    html! {
        table.mono {
            tr { th { "at" } th { "function" } th.right { "took" } th.right { "fuel before it" } th.right { "memory" } }
            @for call in shown {
                tr {
                    td.dim { "+" (format!("{:.3} ms", axis.after(call.at_us).max(0.0))) }
                    td { (call.function) }
                    td.right { (microseconds(call.duration_us)) }
                    td.right { (count(call.fuel)) }
                    td.right { (bytes(usize::try_from(call.memory).unwrap_or(usize::MAX))) }
                }
            }
        }
    }
}

fn title(call: &Call) -> String {
    let memory = bytes(usize::try_from(call.memory).unwrap_or(usize::MAX));
    format!(
        "{} took {} after {} units of fuel, with {memory} of memory",
        call.function,
        microseconds(call.duration_us),
        count(call.fuel)
    )
}

fn position(call: &Call, axis: &Axis) -> String {
    let from = axis.place(axis.after(call.at_us));
    let width = axis.place(call.duration_us as f64 / 1e3);
    format!("left:{from:.3}%;width:{width:.3}%")
}

fn chart(name: &str, most: &str, drawn: Markup) -> Markup {
    let (width, height) = CHART;
    html! {
        div.row.function {
            span.what { (name) }
            span.status { (most) }
            div.lane {
                svg viewBox=(format!("0 0 {width} {height}")) preserveAspectRatio="none" { (drawn) }
            }
        }
    }
}

/// From each call to the next: a bar as high as its share of the largest use of fuel.
fn fuel(shown: &[Call], axis: &Axis) -> Markup {
    let (width, height) = CHART;
    let most = shown.iter().map(|call| call.fuel).max().unwrap_or_default().max(1) as f64;
    let x = |at: f64| width * axis.place(at) / 100.0;
    // Since the answer of the call before it, or since the trace began.
    let ends = shown.iter().map(|call| axis.after(call.at_us.saturating_add(call.duration_us)));
    let from = std::iter::once(0.0).chain(ends);
    html! {
        @for (call, from) in shown.iter().zip(from) {
            @let left = x(from);
            @let wide = (x(axis.after(call.at_us)) - left).max(2.0);
            @let tall = (height * call.fuel as f64 / most).max(1.0);
            rect.fuel x=(format!("{left:.2}")) y=(format!("{:.2}", height - tall))
                width=(format!("{wide:.2}")) height=(format!("{tall:.2}")) {
                title { (count(call.fuel)) " units of fuel before " (call.function) }
            }
        }
    }
}

/// A line that rises when the guest asked for more.
fn memory(shown: &[Call], peak: u64, axis: &Axis) -> Markup {
    let (width, height) = CHART;
    let y = |memory: u64| height - (height - 2.0) * memory as f64 / peak.max(1) as f64;
    let mut path = format!("M0 {height}");
    let mut last = height;
    for call in shown {
        let x = width * axis.place(axis.after(call.at_us)) / 100.0;
        let next = y(call.memory);
        path.push_str(&format!(" L{x:.2} {last:.2} L{x:.2} {next:.2}"));
        last = next;
    }
    path.push_str(&format!(" L{width} {last:.2} L{width} {height} Z"));
    html! { path.memory d=(path) {} }
}

pub(super) const STYLE: &str = "
.host .function { border-top: 1px solid var(--line); background: var(--page); min-height: 1.8rem; }
.host .function:first-child { border-top: 0; }
.host svg { width: 100%; height: 1.6rem; margin-top: .2rem; display: block; }
.bar.host { background: var(--accent); opacity: .75; min-width: 2px; }
rect.fuel { fill: var(--accent); } path.memory { fill: var(--wait); }
.right { text-align: right; } .calls { margin: .5rem 0; } .calls > summary { cursor: pointer; }
";
