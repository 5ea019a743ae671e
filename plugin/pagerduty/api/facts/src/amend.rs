//! Corrections of the published schema. Each states where it applies, what it sets, and the reason.

use serde::Deserialize;
use serde_json::{Map, Value, json};

/// A correction of one or more operations.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Amendment {
    /// Names of the operations; `*` means all.
    pub operations: Vec<String>,
    /// The place that is corrected: `body`, or the path to a field, such as `body.incident.title`
    /// or `query.since`. `query.*[]` means every query parameter whose name ends in `[]`, and
    /// `body.*.*` means every member except `type` of the object in the body. `operation` means the
    /// operation itself.
    pub at: String,
    /// The attributes that are set; null removes one. If the whole value is null, the place is
    /// removed.
    pub set: Value,
    /// Reason for the correction.
    pub reason: String,
}

impl Amendment {
    /// Corrects a row, and returns whether that changed anything.
    pub(super) fn apply(&self, row: &mut Value) -> bool {
        let id = row["id"].as_str().unwrap_or_default();
        if !self.operations.iter().any(|name| name == "*" || name == id) {
            return false;
        }
        let before = row.clone();
        match self.at.split_once('.') {
            None if self.at == "operation" => set(row, &self.set),
            None if self.set.is_null() => {
                row.as_object_mut().map(|members| members.remove(&self.at));
            }
            None => set(&mut row[&self.at], &self.set),
            Some(("query", "*[]")) => {
                let query = row.get_mut("query").and_then(Value::as_array_mut);
                for parameter in query.into_iter().flatten() {
                    let repeats = parameter["name"].as_str().is_some_and(|n| n.ends_with("[]"));
                    if repeats && parameter["type"] == "string" {
                        set(parameter, &self.set);
                    }
                }
            }
            Some(("query", name)) => set(named(&mut row["query"], name), &self.set),
            Some(("body", "*.*")) => {
                let roots = row["body"]["fields"].as_array_mut();
                for root in roots.into_iter().flatten() {
                    let set_all = |fields: Option<&mut Value>| {
                        for member in fields.and_then(Value::as_array_mut).into_iter().flatten() {
                            if member["name"] != "type" {
                                set(member, &self.set);
                            }
                        }
                    };
                    set_all(root.get_mut("fields"));
                    let variants = root.get_mut("variants").and_then(Value::as_array_mut);
                    for variant in variants.into_iter().flatten() {
                        set_all(variant.get_mut("fields"));
                    }
                }
            }
            Some((_, path)) => {
                let names: Vec<&str> = path.split('.').collect();
                set_below(&mut row["body"], &names, &self.set);
            }
        }
        *row != before
    }
}

/// Corrects a field below a place: in its members, or in those of each variant that contains it.
fn set_below(place: &mut Value, names: &[&str], attributes: &Value) {
    let Some((name, rest)) = names.split_first() else {
        set(place, attributes);
        return;
    };
    if rest.is_empty() && attributes.is_null() {
        if let Some(fields) = place.get_mut("fields").and_then(Value::as_array_mut) {
            fields.retain(|field| field["name"] != *name);
        }
        return;
    }
    let has = |place: &Value| {
        let fields = place["fields"].as_array();
        fields.is_some_and(|fields| fields.iter().any(|field| field["name"] == *name))
    };
    if !has(place) {
        let mut found = false;
        for variant in place.get_mut("variants").and_then(Value::as_array_mut).into_iter().flatten()
        {
            if has(variant) {
                set_below(named(&mut variant["fields"], name), rest, attributes);
                found = true;
            }
        }
        if found {
            return;
        }
    }
    set_below(named(&mut place["fields"], name), rest, attributes);
}

/// The field with this name in a list; appended if there is none.
fn named<'a>(list: &'a mut Value, name: &str) -> &'a mut Value {
    if !list.is_array() {
        *list = json!([]);
    }
    let position = list.as_array().and_then(|fields| fields.iter().position(|f| f["name"] == name));
    let place = position.unwrap_or_else(|| {
        let fields = list.as_array_mut();
        fields.map_or(0, |fields| {
            fields.push(json!({"name": name}));
            fields.len() - 1
        })
    });
    &mut list[place]
}

fn set(target: &mut Value, attributes: &Value) {
    let empty = Map::new();
    for (name, value) in attributes.as_object().unwrap_or(&empty) {
        if value.is_null() {
            target.as_object_mut().map(|members| members.remove(name));
        } else {
            target[name] = value.clone();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{AMENDMENTS, EVENTS_API, OPERATIONS, read};
    use super::*;

    #[test]
    fn every_amendment_changes_every_operation_that_it_names() {
        let amendments: Vec<Amendment> = read("amendments.json", AMENDMENTS);
        let mut rows: Vec<Value> = read("operations.json", OPERATIONS);
        rows.extend(read::<Vec<Value>>("events.json", EVENTS_API));
        for amendment in &amendments {
            assert!(amendment.reason.len() > 20, "{amendment:?}");
            let mut changed = Vec::new();
            for row in &mut rows {
                if amendment.apply(row) {
                    changed.push(row["id"].as_str().unwrap().to_owned());
                }
            }
            if amendment.operations == ["*"] {
                assert!(!changed.is_empty(), "{amendment:?}");
            } else {
                let mut named = amendment.operations.clone();
                named.sort();
                changed.sort();
                assert_eq!(changed, named, "{amendment:?}");
            }
        }
    }

    #[test]
    fn a_place_can_be_corrected_added_and_removed() {
        let amendment = |at: &str, set: Value| Amendment {
            operations: vec!["one".to_owned()],
            at: at.to_owned(),
            set,
            reason: String::new(),
        };
        let mut row = json!({"id": "one", "body": {"fields": [{"name": "a", "type": "any"}]}});
        assert!(amendment("body.a", json!({"type": "string"})).apply(&mut row));
        assert!(!amendment("body.a", json!({"type": "string"})).apply(&mut row));
        assert!(amendment("body.a.b", json!({"type": "object"})).apply(&mut row));
        assert_eq!(row["body"]["fields"][0]["fields"][0]["name"], "b");
        row["body"]["fields"][0]["fields"] = json!([
            {"name": "type", "required": true}, {"name": "b", "required": true, "type": "string"},
        ]);
        assert!(amendment("body.*.*", json!({"required": null})).apply(&mut row));
        assert_eq!(
            row["body"]["fields"][0]["fields"],
            json!([{"name": "type", "required": true}, {"name": "b", "type": "string"}])
        );
        assert!(amendment("body", Value::Null).apply(&mut row));
        assert_eq!(row, json!({"id": "one"}));
        let mut other = json!({"id": "two"});
        assert!(!amendment("body", json!({"a": 1})).apply(&mut other));
    }
}
