//! The changes of an import, in lines for a reviewer.

use std::collections::BTreeMap;

use serde_json::Value;

/// The differences between two lists of rows: operations and fields added, removed, changed.
pub(crate) fn lines(before: &[Value], after: &[Value]) -> Vec<String> {
    let mut lines = Vec::new();
    let (old, new) = (by_id(before), by_id(after));
    for (id, row) in &new {
        match old.get(id) {
            None => lines.push(format!(
                "operation added: {id} ({} {})",
                text(row, "method"),
                text(row, "path")
            )),
            Some(earlier) => operation(id, earlier, row, &mut lines),
        }
    }
    for id in old.keys().filter(|id| !new.contains_key(*id)) {
        lines.push(format!("operation removed: {id}"));
    }
    lines
}

fn by_id(rows: &[Value]) -> BTreeMap<String, &Value> {
    rows.iter().map(|row| (text(row, "id"), row)).collect()
}

fn text(row: &Value, name: &str) -> String {
    row[name].as_str().unwrap_or_default().to_owned()
}

fn operation(id: &str, before: &Value, after: &Value, lines: &mut Vec<String>) {
    attributes(id, "", before, after, lines);
    for part in ["path_parameters", "query"] {
        fields(id, part, &before[part], &after[part], lines);
    }
    match (&before["body"], &after["body"]) {
        (Value::Null, Value::Null) => {}
        (Value::Null, _) => lines.push(format!("{id}: body added")),
        (_, Value::Null) => lines.push(format!("{id}: body removed")),
        (before, after) => shape(id, "body", before, after, lines),
    }
}

/// Compares attributes that are not lists of fields.
fn attributes(id: &str, at: &str, before: &Value, after: &Value, lines: &mut Vec<String>) {
    const PARTS: [&str; 6] = ["path_parameters", "query", "body", "fields", "variants", "values"];
    let (Some(old), Some(new)) = (before.as_object(), after.as_object()) else { return };
    let names: Vec<&String> =
        old.keys().chain(new.keys().filter(|name| !old.contains_key(*name))).collect();
    for name in names {
        if PARTS.contains(&name.as_str()) || old.get(name) == new.get(name) {
            continue;
        }
        let shown = |value: Option<&Value>| value.map_or("nothing".to_owned(), Value::to_string);
        let place = if at.is_empty() { String::new() } else { format!("{at}: ") };
        lines.push(format!(
            "{id}: {place}{name} changed from {} to {}",
            shown(old.get(name)),
            shown(new.get(name))
        ));
    }
}

fn shape(id: &str, at: &str, before: &Value, after: &Value, lines: &mut Vec<String>) {
    attributes(id, at, before, after, lines);
    fields(id, at, &before["fields"], &after["fields"], lines);
    let variant = |one: &Value| one["is"].to_string();
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let (old, new) = (list(&before["variants"]), list(&after["variants"]));
    for one in &new {
        match old.iter().find(|earlier| variant(earlier) == variant(one)) {
            Some(earlier) => {
                let at = format!("{at}{}", variant(one));
                fields(id, &at, &earlier["fields"], &one["fields"], lines);
            }
            None => lines.push(format!("{id}: variant added: {at}{}", variant(one))),
        }
    }
    for one in old.iter().filter(|one| !new.iter().any(|other| variant(other) == variant(one))) {
        lines.push(format!("{id}: variant removed: {at}{}", variant(one)));
    }
    match (&before["values"], &after["values"]) {
        (Value::Null, Value::Null) => {}
        (Value::Null, _) | (_, Value::Null) => {
            lines.push(format!("{id}: {at}.*: values of the map changed"));
        }
        (before, after) => shape(id, &format!("{at}.*"), before, after, lines),
    }
}

fn fields(id: &str, at: &str, before: &Value, after: &Value, lines: &mut Vec<String>) {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let (old, new) = (list(before), list(after));
    for field in &new {
        let name = text(field, "name");
        match old.iter().find(|one| one["name"] == field["name"]) {
            None => lines.push(format!("{id}: field added: {at}.{name} ({})", text(field, "type"))),
            Some(earlier) => shape(id, &format!("{at}.{name}"), earlier, field, lines),
        }
    }
    for field in old.iter().filter(|field| !new.iter().any(|one| one["name"] == field["name"])) {
        lines.push(format!("{id}: field removed: {at}.{}", text(field, "name")));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::lines;

    #[test]
    fn each_changed_field_is_reported_on_one_line() {
        let before = [json!({"id": "one", "method": "PUT", "path": "/x", "body": {"fields": [
            {"name": "thing", "type": "object", "fields": [
                {"name": "a", "type": "string"}, {"name": "b", "type": "string"}]}]}})];
        let after = [json!({"id": "one", "method": "PUT", "path": "/x", "body": {"fields": [
            {"name": "thing", "type": "object", "fields": [
                {"name": "a", "type": "string", "nullable": true}, {"name": "c", "type": "any"}]}]}})];
        assert_eq!(
            lines(&before, &after),
            [
                "one: body.thing.a: nullable changed from nothing to true",
                "one: field added: body.thing.c (any)",
                "one: field removed: body.thing.b",
            ]
        );
        assert!(lines(&before, &before).is_empty());
    }

    #[test]
    fn each_changed_operation_is_reported_on_one_line() {
        let one = [json!({"id": "one", "method": "GET", "path": "/x"})];
        let two = [json!({"id": "two", "method": "GET", "path": "/x"})];
        assert_eq!(lines(&one, &two), ["operation added: two (GET /x)", "operation removed: one"]);
    }
}
