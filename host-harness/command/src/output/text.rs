//! The text output of `run`: tables for lists, keys and values for one record, and a summary.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value};
use workflow_node_host::description::Action;
use workflow_node_host::{ItemErrorKind, ItemOutcome, Outcome};

use super::one_line;
use super::table::{columns_of, key_values, names_of, scalar, table_of};
use crate::tally::{Sent, Tally};
use crate::words::count;

/// More failed items are not read one by one.
const LISTED: usize = 20;

/// The records of all items, port by port.
pub(crate) fn results(outcome: &Outcome, action: &Action, shared: &Map<String, Value>) -> String {
    let mut ports: BTreeMap<&str, (Vec<Value>, Vec<usize>)> = BTreeMap::new();
    for (item, of_item) in outcome.items.iter().enumerate() {
        for record in &of_item.output {
            let (records, items) = ports.entry(&record.port).or_default();
            records.push(record.value());
            items.push(item);
        }
    }
    let headed = ports.keys().any(|port| *port != "main");
    let mut text = String::new();
    for (port, (records, items)) in ports {
        if headed {
            text.push_str(&format!("port {}\n", one_line(port)));
        }
        let schema = action.output.get(port).map_or(&Value::Null, |schema| schema.value());
        let several = outcome.items.len() > 1;
        text.push_str(&records_text(&records, several.then_some(&items[..]), schema, shared));
    }
    text
}

fn records_text(
    records: &[Value],
    items: Option<&[usize]>,
    schema: &Value,
    shared: &Map<String, Value>,
) -> String {
    match records {
        [Value::Object(record)] => {
            // Members that hold nothing are left out, and what is nested comes last.
            let holds = |name: &String| record.get(name).is_some_and(|value| !is_empty(value));
            let mut names = names_of(records, schema, shared);
            names.retain(holds);
            names.sort_by_key(|name| record[name].is_object() || record[name].is_array());
            let member = |name: String| (scalar(&record[&name]), name);
            let members: Vec<(String, String)> =
                names.into_iter().map(member).map(|(value, name)| (name, value)).collect();
            key_values(&members)
        }
        records if records.iter().all(Value::is_object) => {
            table_of(records, &columns_of(records, schema, shared), items)
        }
        records => {
            records.iter().map(|record| format!("{}\n", one_line(&scalar(record)))).collect()
        }
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(members) => members.is_empty(),
        _ => false,
    }
}

/// Summary on standard error after a run.
pub(crate) struct Summary<'a> {
    pub(crate) outcome: &'a Outcome,
    pub(crate) records: u64,
    pub(crate) interrupted: Option<Sent>,
}

impl Summary<'_> {
    /// Failed items, each on a line, then counts, time and requests.
    pub(crate) fn text(&self) -> String {
        let items = &self.outcome.items;
        let mut text = String::new();
        text.push_str(&failed_items(items));
        let failed = items.iter().filter(|item| !item.is_ok()).count();
        let of_items = match failed {
            0 => count(items.len(), "item"),
            failed if failed == items.len() => format!("{}, all failed", count(failed, "item")),
            failed => format!("{}, {failed} failed", count(items.len(), "item")),
        };
        text.push_str(&format!(
            "{of_items} · {} · {} · {}\n",
            count(self.records, "record"),
            count(self.outcome.requests, "request"),
            duration_in_words(self.outcome.duration)
        ));
        if let Some(sent) = &self.interrupted {
            text.push_str(&format!("{}\n", sent.in_words(Tally::of(self.outcome))));
        }
        let unknown = items.iter().filter_map(|item| item.error.as_ref());
        if unknown.into_iter().any(|error| error.kind == ItemErrorKind::OutcomeUnknown) {
            let id = one_line(&self.outcome.id);
            text.push_str(&format!(
                "The outcome of some items is unknown. If the action is keyed, you can safely \
                 repeat this command with --execution-id {id}.\n"
            ));
        }
        text
    }
}

/// Failed items, a line each; adjacent items that failed alike share one.
fn failed_items(items: &[ItemOutcome]) -> String {
    let mut groups: Vec<(usize, usize, String)> = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let Some(words) = failure_in_words(item) else { continue };
        match groups.last_mut() {
            Some((_, last, same)) if *last + 1 == index && *same == words => *last = index,
            _ => groups.push((index, index, words)),
        }
    }
    let mut text = String::new();
    for (first, last, words) in groups.iter().take(LISTED) {
        let items = if first == last {
            format!("item {first}")
        } else {
            format!("items {first} to {last}")
        };
        text.push_str(&one_line(&format!("{items}: {words}")));
        text.push('\n');
    }
    if groups.len() > LISTED {
        let rest = &groups[LISTED..];
        let more: usize = rest.iter().map(|(first, last, _)| last - first + 1).sum();
        text.push_str(&format!("… and {more} more failed; use --format json to list all\n"));
    }
    text
}

fn failure_in_words(item: &ItemOutcome) -> Option<String> {
    let error = item.error.as_ref()?;
    let mut words = format!("{}: {}", error.kind, error.message);
    if let Some(milliseconds) = error.retry_after_ms {
        let wait = duration_in_words(Duration::from_millis(milliseconds));
        words.push_str(&format!(" (retry after {wait})"));
    }
    if !item.output.is_empty() {
        let records = count(item.output.len(), "record");
        words.push_str(&format!(" (its first {records} were returned)"));
    }
    Some(words)
}

/// `340 ms`, `2.5 s`, `3 min 5 s`.
pub(crate) fn duration_in_words(duration: Duration) -> String {
    let milliseconds = duration.as_millis();
    match milliseconds {
        0..1_000 => format!("{milliseconds} ms"),
        1_000..60_000 => format!("{}.{} s", milliseconds / 1_000, milliseconds % 1_000 / 100),
        _ => format!("{} min {} s", milliseconds / 60_000, milliseconds % 60_000 / 1_000),
    }
}

#[cfg(test)]
mod tests {
    use workflow_node_host::ItemError;

    use super::*;

    #[test]
    fn adjacent_items_that_failed_alike_share_a_line() {
        let failed = |message: &str| ItemOutcome {
            output: Vec::new(),
            error: Some(ItemError::cancelled(message)),
        };
        let fine = ItemOutcome { output: Vec::new(), error: None };
        let items = [failed("a"), failed("b"), failed("b"), fine, failed("b")];
        let text = failed_items(&items);
        assert_eq!(
            text,
            "item 0: cancelled: a\nitems 1 to 2: cancelled: b\nitem 4: cancelled: b\n"
        );
        let many: Vec<ItemOutcome> = (0..30).map(|index| failed(&index.to_string())).collect();
        assert!(
            failed_items(&many).ends_with("… and 10 more failed; use --format json to list all\n")
        );
    }

    #[test]
    fn durations_read_well() {
        let words = |milliseconds| duration_in_words(Duration::from_millis(milliseconds));
        assert_eq!(words(340), "340 ms");
        assert_eq!(words(2_540), "2.5 s");
        assert_eq!(words(185_000), "3 min 5 s");
    }
}
