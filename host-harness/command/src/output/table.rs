//! Tables and lists of keys and values.

use std::collections::BTreeSet;

use comfy_table::{Cell, ColumnConstraint, ContentArrangement, Table, presets};
use serde_json::{Map, Value};
use workflow_node_host::description::Form;

use super::one_line;

/// Wider cells are cut.
const CELL: usize = 48;
/// Wider values of a record are cut.
const VALUE: usize = 100;
/// Where the width of the terminal is not known.
const WIDTH: usize = 120;
/// Longer lines of text are not read with pleasure.
pub(crate) const READING: usize = 100;
/// More columns are not read.
const COLUMNS: usize = 8;

/// A table with these headers.
pub(crate) fn simple_table(headers: &[&str], rows: &[Vec<String>]) -> String {
    table(headers, rows, None)
}

/// A table whose cells go on below, where the terminal is not wide enough. The first column, which
/// holds what is typed, and those of single words never do.
pub(crate) fn wide_table(headers: &[&str], rows: &[Vec<String>]) -> String {
    table(headers, rows, Table::new().width())
}

/// Whether a table fits the terminal when its second column, which holds text, is cut down to so
/// many characters.
pub(crate) fn fits(headers: &[&str], rows: &[Vec<String>], text: usize) -> bool {
    let Some(terminal) = Table::new().width() else {
        return true;
    };
    let widest = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain([headers[column].len()]).max().unwrap_or(0)
    };
    let widths = (0..headers.len()).map(|column| match column {
        1 => widest(1).min(text),
        other => widest(other),
    });
    widths.map(|width| width + 2).sum::<usize>() <= usize::from(terminal)
}

fn table(headers: &[&str], rows: &[Vec<String>], width: Option<u16>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_content_arrangement(ContentArrangement::Disabled);
    if let Some(width) = width {
        table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    }
    table.set_header(headers.iter().map(|header| Cell::new(one_line(header).to_uppercase())));
    for row in rows {
        table.add_row(row.iter().map(|cell| Cell::new(one_line(cell))));
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    for (number, column) in table.column_iter_mut().enumerate() {
        // Never wrap names to type (the first column) or single words.
        let is_words =
            rows.iter().any(|row| row.get(number).is_some_and(|cell| cell.contains(' ')));
        if number == 0 || !is_words {
            column.set_constraint(ColumnConstraint::ContentWidth);
        }
    }
    let mut text = String::new();
    for line in table.lines() {
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// A table of objects. `items` are the numbers of the items that they belong to, where that is to
/// be shown.
pub(crate) fn table_of(records: &[Value], columns: &[String], items: Option<&[usize]>) -> String {
    let width = Table::new().width().map_or(WIDTH, usize::from);
    let cell = |record: &Value, column: &String| {
        record.get(column).map_or(String::new(), |value| cut(&one_line(&scalar(value)), CELL))
    };
    let mut shown: Vec<&String> = Vec::new();
    let mut used = if items.is_some() { 6 } else { 0 };
    for column in columns {
        let widest = records.iter().map(|record| cell(record, column).chars().count());
        let needed = widest.max().unwrap_or(0).max(column.chars().count()) + 2;
        if shown.len() < 2 || (shown.len() < COLUMNS && used + needed <= width) {
            used += needed;
            shown.push(column);
        }
    }
    let mut headers: Vec<&str> = shown.iter().map(|column| column.as_str()).collect();
    if items.is_some() {
        headers.insert(0, "item");
    }
    let rows: Vec<Vec<String>> = records
        .iter()
        .enumerate()
        .map(|(index, record)| {
            let item = items.map(|items| items[index].to_string());
            item.into_iter().chain(shown.iter().map(|column| cell(record, column))).collect()
        })
        .collect();
    simple_table(&headers, &rows)
}

/// Members that identify a record are first, regardless of the order in the schema.
const FIRST: &[&str] = &["id", "name", "title", "status", "state"];

/// Names of members: those that identify a record first, then in the order of the schema, then
/// those that it does not describe.
pub(super) fn names_of(
    records: &[Value],
    schema: &Value,
    shared: &Map<String, Value>,
) -> Vec<String> {
    let mut names = described(records, schema, shared);
    let mut known: BTreeSet<String> = names.iter().cloned().collect();
    for name in records.iter().filter_map(Value::as_object).flat_map(Map::keys) {
        if known.insert(name.clone()) {
            names.push(name.clone());
        }
    }
    names.sort_by_key(|name| FIRST.iter().position(|first| first == name).unwrap_or(FIRST.len()));
    names
}

/// Names of the members that the schema describes. Where it has several shapes, those of the shape
/// that has most of the members that are there.
fn described(records: &[Value], schema: &Value, shared: &Map<String, Value>) -> Vec<String> {
    let shapes = Form::alternatives(schema, shared).into_iter();
    let names =
        |shape: Form| -> Vec<String> { shape.fields.into_iter().map(|field| field.name).collect() };
    let are_there = |names: &Vec<String>| {
        names.iter().filter(|name| records.iter().any(|record| record.get(name).is_some())).count()
    };
    // The first of those that fit equally well, hence from the last on.
    shapes.map(names).rev().max_by_key(are_there).unwrap_or_default()
}

/// Members that make good columns: scalars that hold something. What is the same in every record
/// comes late, addresses of pages last, and what another column says already not at all.
pub(super) fn columns_of(
    records: &[Value],
    schema: &Value,
    shared: &Map<String, Value>,
) -> Vec<String> {
    let values = |name: &String| -> Vec<&Value> {
        records.iter().map(|record| record.get(name).unwrap_or(&Value::Null)).collect()
    };
    let is_nested = |value: &&Value| value.is_object() || value.is_array();
    let mut columns: Vec<String> = Vec::new();
    for name in names_of(records, schema, shared) {
        let own = values(&name);
        let says_something = own.iter().any(|value| !scalar(value).is_empty());
        let is_said = columns.iter().any(|column| values(column) == own);
        if says_something && !own.iter().any(is_nested) && !is_said {
            columns.push(name);
        }
    }
    columns.sort_by_key(|name| {
        let own = values(name);
        if own.iter().any(|value| value.as_str().is_some_and(|text| text.contains("://"))) {
            2
        } else {
            let is_same = own.len() > 1 && own.iter().all(|value| *value == own[0]);
            u8::from(is_same && !FIRST.contains(&name.as_str()))
        }
    });
    columns
}

/// One object, a member a line; long values are cut.
pub(crate) fn key_values(members: &[(String, String)]) -> String {
    let cut = |value: &str| vec![cut(&one_line(value), VALUE)];
    lines(members, cut)
}

/// Keys and values that are to be read whole; long values go on below.
pub(crate) fn key_texts(members: &[(String, String)]) -> String {
    let width = members.iter().map(|(key, _)| key.chars().count()).max().unwrap_or(0);
    let left = Table::new().width().map_or(READING, usize::from).min(READING);
    lines(members, |value| wrapped(value, left.saturating_sub(width + 2).max(30)))
}

fn lines(members: &[(String, String)], value_lines: impl Fn(&str) -> Vec<String>) -> String {
    let width = members.iter().map(|(key, _)| key.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for (key, value) in members {
        let indentation: String = key.chars().take_while(|character| *character == ' ').collect();
        let mut key = format!("{indentation}{}", one_line(key.trim_start()));
        for line in value_lines(value) {
            text.push_str(format!("{key:<width$}  {line}").trim_end());
            text.push('\n');
            key.clear();
        }
    }
    text
}

/// An item of a list: its first line is prefixed with `first`, the others with `below`. No line is
/// longer than `most` or than the width of the terminal.
pub(crate) fn points(words: &str, first: &str, below: &str, most: usize) -> String {
    let left = Table::new().width().map_or(most, usize::from).min(most);
    let lines = wrapped(words, left.saturating_sub(below.chars().count()).max(30));
    let mut text = String::new();
    for (number, line) in lines.iter().enumerate() {
        text.push_str(if number == 0 { first } else { below });
        text.push_str(line);
        text.push('\n');
    }
    text
}

/// Text in lines of so many characters, broken between words.
pub(crate) fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in one_line(text).split(' ').filter(|word| !word.is_empty()) {
        let line = lines.last_mut().expect("there is a line");
        if line.is_empty() {
            line.push_str(word);
        } else if line.chars().count() + 1 + word.chars().count() <= width {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

/// A value in few characters.
pub(super) fn scalar(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some(_) => {
            let end = text.char_indices().nth(most - 1).map_or(0, |(index, _)| index);
            format!("{}…", &text[..end])
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn columns_are_scalars_in_the_order_of_the_schema() {
        let records = [
            json!({"url": "https://a.test", "b": 1, "a": "x", "nested": {}, "extra": true}),
            json!({"url": null, "b": null, "a": "y", "empty": null}),
        ];
        let schema = json!({"$ref": "#/$defs/thing"});
        let shared = json!({"thing": {"properties": {"a": {}, "b": {}, "nested": {}, "url": {}}}});
        let columns = columns_of(&records, &schema, shared.as_object().unwrap());
        assert_eq!(columns, ["a", "b", "extra", "url"]);
    }

    #[test]
    fn of_several_shapes_the_one_counts_that_the_records_have() {
        let schema =
            json!({"anyOf": [{"$ref": "#/$defs/thing"}, {"properties": {"c": {}, "a": {}}}]});
        let shared = json!({"thing": {"properties": {"b": {}, "a": {}}}});
        let names = |record: Value| names_of(&[record], &schema, shared.as_object().unwrap());
        assert_eq!(names(json!({"a": 1, "b": 1})), ["b", "a"]);
        assert_eq!(names(json!({"a": 1, "c": 1})), ["c", "a"]);
    }

    #[test]
    fn columns_that_say_most_come_first() {
        let records = [
            json!({"kind": "x", "label": "One", "name": "One", "id": "1"}),
            json!({"kind": "x", "label": "Two", "name": "Two", "id": "2"}),
        ];
        assert_eq!(columns_of(&records, &json!({}), &Map::new()), ["id", "name", "kind"]);
    }

    #[test]
    fn a_cell_shows_no_control_sequence_and_no_second_line() {
        let text = simple_table(&["name"], &[vec!["a\u{1b}[2J\nb".into()]]);
        assert_eq!(text, "NAME\na\\u{1b}[2J b\n");
    }

    #[test]
    fn wide_text_is_cut_at_a_character() {
        assert_eq!(cut("äöü", 3), "äöü");
        assert_eq!(cut("äöüß", 3), "äö…");
    }
}
