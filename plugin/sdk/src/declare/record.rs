//! Turns a record as the service returned it into the parameters that would send it: the inverse of
//! [`request`](super::request).

use serde_json::{Map, Value};

use super::{Action, Kind, Literal, Param, Place};

/// The beginning of a handle, which a host inserts in place of a secret.
const HANDLE: &str = "secret:";
/// Number of hexadecimal digits in a handle.
const HANDLE_DIGITS: usize = 32;

/// The parameters of an item, completed from its record. `None` if the item has no record.
pub(super) fn parameters(
    action: &Action,
    given: &Map<String, Value>,
) -> Option<Map<String, Value>> {
    let param = action.parameters.iter().find(|param| param.place == Place::Record)?;
    let Value::Object(record) = given.get(param.name)? else {
        return None;
    };
    // The record may be inside its envelope.
    let envelope = action.route.envelope.trim_start_matches('/');
    let record = match record.get(envelope) {
        Some(Value::Object(inner)) if record.len() == 1 => inner,
        _ => record,
    };
    let mut parameters = taken(action.parameters, record, true);
    for (name, value) in given {
        parameters.insert(name.clone(), value.clone());
    }
    Some(parameters)
}

/// The members of a record that have a parameter. Read-only and unknown members are dropped.
fn taken(params: &[&Param], record: &Map<String, Value>, is_outermost: bool) -> Map<String, Value> {
    let mut parameters = Map::new();
    for param in params.iter().filter(|param| param.is_asked() && !param.is_step) {
        let pointer = match param.place {
            Place::Body(pointer) | Place::BodyAs(pointer, _) => pointer,
            Place::Control if !is_outermost => param.name,
            _ => continue,
        };
        let Some(value) = at(record, pointer) else {
            continue;
        };
        let value = match param.place {
            Place::BodyAs(_, template) => unfilled_each(template, value),
            _ => Some(unbuilt(&param.kind, value)),
        };
        let Some(value) = value else { continue };
        // A service shows an absent value as null; sending null may mean something else.
        if (value.is_null() && !param.is_nullable) || holds_handle(&value) {
            continue;
        }
        if param.applies(record) == Some(false) {
            continue;
        }
        parameters.insert(param.name.to_owned(), value);
    }
    parameters
}

fn at<'a>(record: &'a Map<String, Value>, pointer: &str) -> Option<&'a Value> {
    let mut segments = pointer.split('/').filter(|segment| !segment.is_empty());
    let mut value = record.get(segments.next()?)?;
    for segment in segments {
        value = value.get(segment)?;
    }
    Some(value)
}

fn unbuilt(kind: &Kind, value: &Value) -> Value {
    match (kind, value) {
        (Kind::Object(members), Value::Object(inner)) => {
            Value::Object(taken(members, inner, false))
        }
        (Kind::Objects(members), Value::Array(list)) => list
            .iter()
            .map(|one| match one {
                Value::Object(inner) => Value::Object(taken(members, inner, false)),
                other => other.clone(),
            })
            .collect(),
        _ => value.clone(),
    }
}

fn unfilled_each(template: Literal, value: &Value) -> Option<Value> {
    match value {
        Value::Array(list) => {
            let values: Vec<Value> =
                list.iter().filter_map(|one| template.given_in(one).cloned()).collect();
            Some(Value::Array(values))
        }
        Value::Null => Some(Value::Null),
        one => template.given_in(one).cloned(),
    }
}

fn holds_handle(value: &Value) -> bool {
    match value {
        Value::String(text) => text.strip_prefix(HANDLE).is_some_and(|digits| {
            digits.len() == HANDLE_DIGITS && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
        }),
        Value::Array(list) => list.iter().any(holds_handle),
        Value::Object(members) => members.values().any(holds_handle),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{json, literal};

    static UPDATE: Action = Action::new("thing.update", "", "", "PUT", "/things/{thing_id}")
        .envelope("/thing")
        .parameters(&[
            &Param::text("thing_id", "", "").at(Place::Path).required(),
            &Param::new(Kind::Map, "object", "", "").at(Place::Record),
            &Param::text("name", "", "").body("/name").required(),
            &Param::text("note", "", "").body("/note").nullable(),
            &Param::text("title", "", "").body("/title"),
            &Param::text("owner_id", "", "")
                .at(Place::BodyAs("/owner", literal!({ "id": given, "type": "user_reference" }))),
            &Param::new(
                Kind::Objects(&[
                    &Param::text("label", "", ""),
                    &Param::text("user_id", "", "").at(Place::BodyAs(
                        "/user",
                        literal!({ "id": given, "type": "user_reference" }),
                    )),
                ]),
                "parts",
                "",
                "",
            )
            .body("/parts"),
            &Param::text("key", "", "").body("/key"),
        ]);

    const RECORD: &str = r#"{"id":"P1","self":"x","name":"n","note":null,"title":null,
        "owner":{"id":"PU","type":"user_reference","summary":"Ada"},
        "parts":[{"id":"PP","label":"l","user":{"id":"PV","summary":"s"}}],
        "key":"secret:00112233445566778899aabbccddeeff"}"#;

    fn body(parameters: &str) -> Map<String, Value> {
        let parameters = json::object(parameters).unwrap();
        super::super::validate::check(&UPDATE, &parameters).unwrap();
        let request =
            super::super::request::build(&UPDATE, "https://api.test", &parameters, None).unwrap();
        json::object(request.body.unwrap()).unwrap()
    }

    #[test]
    fn a_record_provides_only_writable_members() {
        let expected = r#"{"thing":{"name":"n","note":null,
            "owner":{"id":"PU","type":"user_reference"},
            "parts":[{"label":"l","user":{"id":"PV","type":"user_reference"}}]}}"#;
        let whole = format!(r#"{{"thing_id":"P1","object":{RECORD}}}"#);
        assert_eq!(body(&whole), json::object(expected).unwrap());
        let wrapped = format!(r#"{{"thing_id":"P1","object":{{"thing":{RECORD}}}}}"#);
        assert_eq!(body(&wrapped), json::object(expected).unwrap());
    }

    #[test]
    fn form_fields_take_precedence_over_the_record() {
        let sent = body(&format!(r#"{{"thing_id":"P1","object":{RECORD},"name":"m"}}"#));
        assert_eq!(sent["thing"]["name"], "m");
    }
}
