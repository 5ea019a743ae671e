//! Forms and records as lists of fields, read from their JSON Schemas: for terminals and for
//! reference pages alike. How they are shown is not decided here.

use serde_json::{Map, Value};

use crate::schema::{properties, required, resolved, text, type_in_words};

/// Objects inside of objects, up to so many levels; a schema may refer to itself.
const DEPTH: u8 = 8;

/// A larger bound of a number bounds nothing.
const UNBOUNDED: i64 = 1_000_000_000;

/// One field of a form, or one member of a record.
#[derive(Debug, Default)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) title: String,
    pub(crate) description: String,
    /// The type in words, without its values.
    pub(crate) kind: String,
    pub(crate) is_required: bool,
    /// As JSON.
    pub(crate) default: Option<String>,
    /// What it, or each of its elements, can be.
    pub(crate) values: Vec<String>,
    /// Values that are known, where others are possible, too.
    pub(crate) known: Vec<String>,
    /// Least and most, in words; empty where there is none.
    pub(crate) bounds: String,
    /// Whether `load-options` knows choices of it.
    pub(crate) has_choices: bool,
    /// What stands for the thing that it names: its ID, its name, its address.
    pub(crate) accepts: Vec<String>,
    pub(crate) is_secret: bool,
    /// Whether its fields are those of each element of a list.
    pub(crate) is_list: bool,
    /// The fields of the object that it is.
    pub(crate) fields: Vec<Field>,
}

impl Field {
    /// What has to be known to fill it in, besides what it means.
    pub(crate) fn facts(&self) -> Vec<String> {
        let mut facts = Vec::new();
        if self.is_required {
            facts.push("required".to_owned());
        }
        if self.is_secret {
            facts.push("secret".to_owned());
        }
        facts.extend((!self.bounds.is_empty()).then(|| self.bounds.clone()));
        facts.extend(self.default.iter().map(|default| format!("default {default}")));
        facts
    }
}

/// One form that a record may have.
pub(crate) struct Record<'a> {
    /// What it is called; may be empty.
    pub(crate) title: &'a str,
    pub(crate) description: &'a str,
    /// The type in words.
    pub(crate) kind: String,
    pub(crate) fields: Vec<Field>,
}

/// The fields of a form, in its order.
pub(crate) fn fields(schema: &Value, shared: &Map<String, Value>) -> Vec<Field> {
    let mut shared = shared.clone();
    shared.extend(own(schema));
    members(schema, &shared, DEPTH)
}

/// The forms that a record may have: one, or the alternatives of its schema.
pub(crate) fn records<'a>(schema: &'a Value, shared: &'a Map<String, Value>) -> Vec<Record<'a>> {
    alternatives(schema).into_iter().map(|one| record(one, shared)).collect()
}

/// Parameters in the order of the form; what it does not know comes last.
pub(crate) fn in_order(parameters: &Value, schema: &Value) -> Value {
    let Some(members) = parameters.as_object() else {
        return parameters.clone();
    };
    let order = schema.pointer("/x-ui/order").map(texts).unwrap_or_default();
    let place = |name: &str| order.iter().position(|one| one == name).unwrap_or(order.len());
    let mut list: Vec<(&String, &Value)> = members.iter().collect();
    list.sort_by_key(|(name, _)| place(name));
    list.into_iter().map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// Schemas that a schema brings along.
pub(crate) fn own(schema: &Value) -> Map<String, Value> {
    schema.get("$defs").and_then(Value::as_object).cloned().unwrap_or_default()
}

/// The alternatives of a schema; itself where it has none.
pub(crate) fn alternatives(schema: &Value) -> Vec<&Value> {
    let list = schema.get("anyOf").or_else(|| schema.get("oneOf")).and_then(Value::as_array);
    list.map_or_else(|| vec![schema], |list| list.iter().collect())
}

fn record<'a>(schema: &'a Value, shared: &'a Map<String, Value>) -> Record<'a> {
    let target = resolved(schema, shared);
    Record {
        title: text(target, "title"),
        description: text(target, "description"),
        kind: type_in_words(schema, shared),
        fields: members(schema, shared, DEPTH),
    }
}

fn members(schema: &Value, shared: &Map<String, Value>, left: u8) -> Vec<Field> {
    if left == 0 {
        return Vec::new();
    }
    let required = required(resolved(schema, shared));
    properties(schema, shared)
        .into_iter()
        .map(|(name, property)| {
            let is_required = required.contains(&name.as_str());
            field(name, is_required, &property, shared, left)
        })
        .collect()
}

fn field(
    name: String,
    is_required: bool,
    property: &Value,
    shared: &Map<String, Value>,
    left: u8,
) -> Field {
    let items = property.get("items").map(|items| resolved(items, shared));
    let inner = items.unwrap_or(property);
    let hint = |name: &str| {
        property
            .pointer(&format!("/x-ui/{name}"))
            .or_else(|| inner.pointer(&format!("/x-ui/{name}")))
    };
    Field {
        title: text(property, "title").to_owned(),
        description: text(property, "description").to_owned(),
        kind: kind(property, shared),
        is_required,
        default: property.get("default").map(Value::to_string),
        values: values(inner, "enum"),
        known: values(inner, "examples"),
        bounds: bounds(property),
        has_choices: hint("options") == Some(&Value::Bool(true)),
        accepts: hint("accepts").map(accepts).unwrap_or_default(),
        is_secret: is_secret(property),
        is_list: items.is_some(),
        fields: members(inner, shared, left - 1),
        name,
    }
}

/// Whether it is a secret, or a list or map of them.
fn is_secret(property: &Value) -> bool {
    let parts = ["items", "additionalProperties"].iter().filter_map(|part| property.get(part));
    let is = |schema: &Value| schema.get("writeOnly") == Some(&Value::Bool(true));
    std::iter::once(property).chain(parts).any(is)
}

/// The type, where values are listed beside it.
fn kind(property: &Value, shared: &Map<String, Value>) -> String {
    let mut plain = property.clone();
    let mut items = property.get("items").map(|items| resolved(items, shared).clone());
    for schema in [Some(&mut plain), items.as_mut()].into_iter().flatten() {
        if let Some(members) = schema.as_object_mut()
            && members.contains_key("type")
        {
            members.remove("enum");
        }
    }
    if let (Some(members), Some(items)) = (plain.as_object_mut(), items) {
        members.insert("items".to_owned(), items);
    }
    type_in_words(&plain, shared)
}

fn values(schema: &Value, member: &str) -> Vec<String> {
    schema.get(member).map(texts).unwrap_or_default()
}

fn texts(list: &Value) -> Vec<String> {
    let text = |one: &Value| one.as_str().map_or_else(|| one.to_string(), str::to_owned);
    list.as_array().into_iter().flatten().map(text).collect()
}

/// In words, whatever else a node may accept.
fn accepts(list: &Value) -> Vec<String> {
    let word = |word: String| if word == "id" { "ID".to_owned() } else { word };
    texts(list).into_iter().map(word).collect()
}

fn bounds(schema: &Value) -> String {
    let number = |name: &str| schema.get(name).and_then(Value::as_i64);
    let least = number("minimum").filter(|least| *least > -UNBOUNDED);
    let most = number("maximum").filter(|most| *most < UNBOUNDED);
    match (least, most) {
        (Some(least), Some(most)) => return format!("{least} to {most}"),
        (Some(least), None) => return format!("{least} or more"),
        (None, Some(most)) => return format!("at most {most}"),
        (None, None) => {}
    }
    let words =
        [("maxItems", "elements"), ("maxLength", "characters"), ("maxProperties", "members")];
    let most = words.iter().find_map(|(name, what)| Some((number(name)?, *what)));
    most.map_or_else(String::new, |(most, what)| format!("at most {most} {what}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_field_says_all_that_is_needed_to_fill_it_in() {
        let schema = json!({
            "required": ["level"],
            "properties": {
                "level": {"type": "integer", "minimum": 1, "maximum": 9, "title": "Level"},
                "urgencies": {"type": "array", "items": {"type": "string", "enum": ["high", "low"]}},
                "service": {"type": "string", "x-ui": {"options": true, "accepts": ["id", "name"]}},
                "key": {"type": "string", "writeOnly": true, "default": "x", "maxLength": 10},
                "kinds": {"type": "array", "items": {"type": "string", "examples": ["a"]}},
                "logins": {"type": "object",
                    "additionalProperties": {"type": "string", "writeOnly": true}},
            },
        });
        let fields = fields(&schema, &Map::new());
        let field = |name: &str| fields.iter().find(|field| field.name == name).unwrap();
        assert_eq!(field("level").facts(), ["required", "1 to 9"]);
        assert_eq!(field("urgencies").kind, "list of string");
        assert_eq!(field("urgencies").values, ["high", "low"]);
        assert!(field("service").has_choices);
        assert_eq!(field("service").accepts, ["ID", "name"]);
        assert_eq!(field("key").facts(), ["secret", "at most 10 characters", "default \"x\""]);
        assert_eq!(field("kinds").known, ["a"]);
        assert_eq!(field("logins").facts(), ["secret"]);
    }

    #[test]
    fn objects_have_their_fields_however_deep_and_a_schema_may_refer_to_itself() {
        let shared = json!({"node": {"type": "object", "properties": {
            "children": {"type": "array", "items": {"$ref": "#/$defs/node"}},
        }}});
        let schema = json!({"properties": {"root": {"$ref": "#/$defs/node"}}});
        let fields = fields(&schema, shared.as_object().unwrap());
        assert_eq!(fields[0].kind, "object");
        assert!(!fields[0].is_list);
        assert_eq!(fields[0].fields[0].name, "children");
        assert!(fields[0].fields[0].is_list);
        assert_eq!(fields[0].fields[0].fields[0].name, "children");
    }

    #[test]
    fn a_record_may_have_several_forms() {
        let shared = json!({"user": {"type": "object", "title": "User", "properties": {"id": {}}}});
        let shared = shared.as_object().unwrap();
        let schema = json!({"anyOf": [
            {"$ref": "#/$defs/user"},
            {"type": "object", "properties": {"flat": {"type": "string"}}},
        ]});
        let records = records(&schema, shared);
        assert_eq!(records[0].title, "User");
        assert_eq!(records[1].fields[0].name, "flat");
    }
}
