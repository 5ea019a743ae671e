//! Size limits of webhooks: up to 55 kB in full, up to 256 kB without their longest parts.

use serde_json::{Value, json};

/// Size up to which nothing is removed, in bytes.
pub(super) const WHOLE: usize = 55 * 1024;
/// Size above which nothing is sent, in bytes.
pub(super) const LARGEST: usize = 256 * 1024;
/// Length to which a long text is cut, in characters.
const LEFT: usize = 1_000;

/// The text of a payload, trimmed if necessary; none if it is too large in any case.
pub(super) fn text(mut payload: Value) -> Option<String> {
    let whole = payload.to_string();
    if whole.len() > LARGEST {
        return None;
    }
    if whole.len() <= WHOLE {
        return Some(whole);
    }
    let data = &mut payload["event"]["data"];
    shorten(data);
    data["details_omitted"] = json!(true);
    if data.get("trimmed").is_some() {
        data["trimmed"] = json!(true);
    }
    Some(payload.to_string())
}

/// Truncates every long text.
fn shorten(value: &mut Value) {
    match value {
        Value::String(text) if text.chars().count() > LEFT => {
            *text = text.chars().take(LEFT).collect();
        }
        Value::Array(items) => items.iter_mut().for_each(shorten),
        Value::Object(members) => members.values_mut().for_each(shorten),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(length: usize) -> Value {
        json!({"event": {"data": {"content": "a".repeat(length), "trimmed": false}}})
    }

    #[test]
    fn large_webhooks_are_trimmed_and_huge_ones_are_not_sent() {
        let small = text(note(50_000)).unwrap();
        assert!(small.contains("\"trimmed\":false") && !small.contains("details_omitted"));
        let large = text(note(60_000)).unwrap();
        assert!(large.len() < WHOLE, "{}", large.len());
        assert!(large.contains("\"trimmed\":true") && large.contains("\"details_omitted\":true"));
        assert_eq!(text(note(270_000)), None);
    }
}
