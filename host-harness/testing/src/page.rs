//! Shared parts of the pages of reports and traces. They load no resources.

use serde_json::Value;

/// Maximum length of a document on a page.
const LONGEST: usize = 20_000;

/// A document for a page.
pub(crate) fn pretty(value: &Value) -> String {
    shortened(serde_json::to_string_pretty(value).unwrap_or_default())
}

/// Text for a page.
pub(crate) fn shortened(mut text: String) -> String {
    if text.len() > LONGEST {
        let end = (0..=LONGEST).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default();
        let left = text.len() - end;
        text.truncate(end);
        text.push_str(&format!("\n… {left} more bytes"));
    }
    text
}

/// A duration in words.
pub(crate) fn milliseconds(milliseconds: u64) -> String {
    match milliseconds {
        0..1_000 => format!("{milliseconds} ms"),
        1_000..60_000 => format!("{:.1} s", milliseconds as f64 / 1_000.0),
        _ => format!("{} min {} s", milliseconds / 60_000, milliseconds % 60_000 / 1_000),
    }
}

/// A short duration in words.
pub(crate) fn microseconds(microseconds: u64) -> String {
    match microseconds {
        0..1_000 => format!("{microseconds} µs"),
        1_000..10_000 => format!("{:.1} ms", microseconds as f64 / 1e3),
        _ => milliseconds(microseconds / 1_000),
    }
}

/// A number with separators.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A size in words.
pub(crate) fn bytes(bytes: usize) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        _ => format!("{:.1} MB", bytes as f64 / 1e6),
    }
}

/// Colors and fonts of all pages.
pub(crate) const STYLE: &str = "
:root { color-scheme: light dark; --text: #1b2330; --dim: #667085; --line: #e2e6ec; --card: #f7f8fa;
  --page: #ffffff; --good: #18794e; --bad: #c62a2f; --warn: #ad5700; --accent: #3358d4; --wait: #b9c2d0; }
@media (prefers-color-scheme: dark) { :root { --text: #e6e9ef; --dim: #98a2b3; --line: #2b3340;
  --card: #171c24; --page: #0f131a; --good: #3dd68c; --bad: #ff6369; --warn: #ffb224; --accent: #7c9dff;
  --wait: #465063; } }
* { box-sizing: border-box; }
body { margin: 0; font: 15px/1.5 system-ui, 'Segoe UI', Roboto, sans-serif; color: var(--text); background: var(--page); }
header, main { max-width: 78rem; margin: 0 auto; padding: 1.25rem 1.5rem; }
h1 { font-size: 1.6rem; margin: .25rem 0; } h2 { font-size: 1.1rem; margin: 1.5rem 0 .5rem; }
h3 { font-size: .8rem; text-transform: uppercase; letter-spacing: .04em; color: var(--dim); margin: .75rem 0 .25rem; }
.dim { color: var(--dim); font-weight: 400; }
.mono, pre, code { font-family: ui-monospace, 'SF Mono', Menlo, Consolas, 'DejaVu Sans Mono', monospace; font-size: .82rem; }
pre { margin: 0; padding: .6rem .75rem; background: var(--card); border: 1px solid var(--line); border-radius: 8px;
  overflow: auto; max-height: 24rem; white-space: pre-wrap; overflow-wrap: anywhere; }
table { border-collapse: collapse; width: 100%; margin: .4rem 0; }
td, th { text-align: left; padding: .25rem .6rem .25rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
td.wide { overflow-wrap: anywhere; width: 70%; }
.chip { display: inline-block; border: 1px solid var(--line); border-radius: 999px; padding: .05rem .6rem; margin: .15rem .3rem .15rem 0; font-size: .82rem; }
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_a_separator_after_each_three_digits() {
        let texts = [0, 999, 1_000, 12_345, 1_234_567].map(count);
        assert_eq!(texts, ["0", "999", "1,000", "12,345", "1,234,567"]);
    }
}
