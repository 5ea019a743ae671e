//! Validates parameters again, from the same declaration. The host has validated them against the
//! schema; a host that has not still gets a clear error.

use serde_json::{Map, Value};

use super::{Action, Kind, Param, Place};
use crate::error::{Error, FieldError};
use crate::{text, time};

/// Checks one item's parameters.
///
/// # Errors
///
/// Returns an error of kind `invalid-input` that lists every invalid field.
pub(crate) fn check(action: &Action, parameters: &Map<String, Value>) -> Result<(), Error> {
    let mut errors = Vec::new();
    let has_record = action
        .parameters
        .iter()
        .any(|param| param.place == Place::Record && parameters.contains_key(param.name));
    members(action.parameters, parameters, "", has_record, &mut errors);
    if errors.is_empty() { Ok(()) } else { Err(Error::invalid_fields(errors)) }
}

fn members(
    declared: &[&Param],
    given: &Map<String, Value>,
    at: &str,
    has_record: bool,
    errors: &mut Vec<FieldError>,
) {
    for name in given.keys() {
        if !declared.iter().any(|param| param.name == name && param.is_asked()) {
            wrong(errors, format!("{at}/{name}"), "there is no such parameter");
        }
    }
    for param in declared {
        let pointer = format!("{at}/{}", param.name);
        let Some(value) = given.get(param.name) else {
            let is_given = has_record && param.is_in_body();
            if param.is_required && param.applies(given) == Some(true) && !is_given {
                wrong(errors, pointer, "is required");
            }
            continue;
        };
        if param.applies(given) == Some(false) {
            let values = text::join(param.when_is, " or ");
            let when = param.when.unwrap_or_default();
            wrong(errors, pointer, ["belongs to the ", when, " ", &values, " only"].concat());
            continue;
        }
        if value.is_null() && param.is_nullable {
            continue;
        }
        if let Some(message) = mismatch(&param.kind, value) {
            wrong(errors, pointer, message);
            continue;
        }
        let length = match value {
            Value::String(text) => text::length(text),
            Value::Array(list) => list.len(),
            Value::Object(members) => members.len(),
            _ => 0,
        };
        if length < param.min as usize && !matches!(value, Value::Number(_) | Value::Bool(_)) {
            let message = match (value, param.min) {
                (Value::String(_), 1) => "must be a text".to_owned(),
                _ => format!("is shorter than {}", param.min),
            };
            wrong(errors, pointer, message);
            continue;
        }
        if let Some(max) = param.max.filter(|max| length > *max as usize) {
            wrong(errors, pointer.clone(), format!("is longer than {max}"));
        }
        match (&param.kind, value) {
            (Kind::Objects(inner), Value::Array(list)) => {
                for (index, element) in list.iter().enumerate() {
                    let pointer = format!("{pointer}/{index}");
                    match element {
                        Value::Object(element) => members(inner, element, &pointer, false, errors),
                        _ => wrong(errors, pointer, "must be an object"),
                    }
                }
            }
            (Kind::Object(inner), Value::Object(element)) => {
                members(inner, element, &pointer, false, errors);
            }
            _ => {}
        }
    }
}

fn wrong(errors: &mut Vec<FieldError>, pointer: String, message: impl Into<String>) {
    errors.push(FieldError { pointer, message: message.into() });
}

fn mismatch(kind: &Kind, value: &Value) -> Option<String> {
    match kind {
        Kind::Text | Kind::LongText | Kind::Email | Kind::Url => {
            (!value.is_string()).then(|| "must be a text".to_owned())
        }
        Kind::DateTime | Kind::UtcDateTime | Kind::Date => match value.as_str() {
            None | Some("") => Some("must be a text".to_owned()),
            Some(text) => time::parse(text).is_none().then(|| {
                "must be a date or a time in ISO 8601, e.g. 2026-01-31T09:30:00Z".to_owned()
            }),
        },
        Kind::IntegerOf(values) => {
            value.as_i64().is_none_or(|number| !values.contains(&number)).then(|| {
                let values: Vec<String> = values.iter().map(ToString::to_string).collect();
                format!("must be one of {}", text::join(&values, ", "))
            })
        }
        Kind::Integer(least, most) => value
            .as_i64()
            .is_none_or(|number| number < *least || number > *most)
            .then(|| format!("must be a whole number from {least} to {most}")),
        Kind::Number => (!value.is_number()).then(|| "must be a number".to_owned()),
        Kind::Boolean => (!value.is_boolean()).then(|| "must be true or false".to_owned()),
        Kind::OneOf(values) => value
            .as_str()
            .is_none_or(|text| !values.contains(&text))
            .then(|| format!("must be one of {}", text::join(values, ", "))),
        Kind::List(element) => match value.as_array() {
            None => Some("must be a list".to_owned()),
            Some(list) => list.iter().find_map(|one| mismatch(element, one)),
        },
        Kind::Map | Kind::Object(_) => (!value.is_object()).then(|| "must be an object".to_owned()),
        Kind::Objects(_) => (!value.is_array()).then(|| "must be a list of objects".to_owned()),
        Kind::Json | Kind::Constant(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::literal;

    static FORM: Action = Action::new("thing.make", "", "", "POST", "/things").parameters(&[
        &Param::text("text", "", "").required().max(3),
        &Param::new(Kind::LongText, "long_text", "", ""),
        &Param::new(Kind::Email, "email", "", ""),
        &Param::new(Kind::Url, "url", "", ""),
        &Param::new(Kind::DateTime, "time", "", ""),
        &Param::new(Kind::Integer(1, 100), "integer", "", "").nullable(),
        &Param::new(Kind::Boolean, "boolean", "", ""),
        &Param::new(Kind::OneOf(&["high", "low"]), "one_of", "", ""),
        &Param::new(Kind::List(&Kind::Integer(0, 9)), "list", "", "").max(2),
        &Param::new(Kind::Map, "map", "", "").max(1),
        &Param::new(Kind::Json, "json", "", ""),
        &Param::new(Kind::Objects(&[&Param::text("name", "", "").required()]), "objects", "", ""),
        &Param::new(
            Kind::Object(&[
                &Param::text("name", "", "").required(),
                &Param::constant("type", literal!(1)),
            ]),
            "object",
            "",
            "",
        ),
        &Param::new(Kind::Number, "number", "", ""),
    ]);

    /// Checks the parameters, and adds `text` to the problems.
    fn checked(mut parameters: Value) -> Result<(), Error> {
        let members = parameters.as_object_mut().unwrap();
        members.entry("text").or_insert("abc".into());
        check(&FORM, members)
    }

    #[test]
    fn each_type_accepts_its_values() {
        for parameters in [
            json!({}),
            json!({"text": "äöü"}),
            json!({"long_text": "a\nb"}),
            json!({"email": "ada@example.com"}),
            json!({"url": "https://example.com"}),
            json!({"time": "2026-01-01T00:00:00Z"}),
            json!({"integer": 1}),
            json!({"integer": 100}),
            json!({"integer": null}),
            json!({"boolean": false}),
            json!({"one_of": "low"}),
            json!({"list": []}),
            json!({"list": [0, 9]}),
            json!({"map": {"any": [1]}}),
            json!({"json": null}),
            json!({"json": [1]}),
            json!({"objects": []}),
            json!({"objects": [{"name": "x"}]}),
            json!({"object": {"name": "x"}}),
            json!({"number": 1.5}),
        ] {
            assert_eq!(checked(parameters.clone()), Ok(()), "{parameters}");
        }
    }

    #[test]
    fn each_type_refuses_other_values_with_their_position() {
        for (parameters, message) in [
            (json!({"text": "abcd"}), "text: is longer than 3"),
            (json!({"text": ""}), "text: must be a text"),
            (json!({"text": null}), "text: must be a text"),
            (json!({"long_text": 1}), "long_text: must be a text"),
            (json!({"email": []}), "email: must be a text"),
            (json!({"url": {}}), "url: must be a text"),
            (json!({"time": true}), "time: must be a text"),
            (json!({"integer": 0}), "integer: must be a whole number from 1 to 100"),
            (json!({"integer": 101}), "integer: must be a whole number from 1 to 100"),
            (json!({"integer": 1.5}), "integer: must be a whole number from 1 to 100"),
            (json!({"integer": "1"}), "integer: must be a whole number from 1 to 100"),
            (json!({"boolean": "true"}), "boolean: must be true or false"),
            (json!({"one_of": "medium"}), "one_of: must be one of high, low"),
            (json!({"list": 1}), "list: must be a list"),
            (json!({"list": [1, "2"]}), "list: must be a whole number from 0 to 9"),
            (json!({"list": [1, 2, 3]}), "list: is longer than 2"),
            (json!({"map": []}), "map: must be an object"),
            (json!({"map": {"a": 1, "b": 2}}), "map: is longer than 1"),
            (json!({"objects": {}}), "objects: must be a list of objects"),
            (json!({"objects": [1]}), "objects/0: must be an object"),
            (json!({"objects": [{"name": "x"}, {}]}), "objects/1/name: is required"),
            (
                json!({"objects": [{"name": "x", "y": 1}]}),
                "objects/0/y: there is no such parameter",
            ),
            (json!({"object": 1}), "object: must be an object"),
            (json!({"object": {}}), "object/name: is required"),
            (
                json!({"object": {"name": "x", "type": 1}}),
                "object/type: there is no such parameter",
            ),
            (json!({"number": "1"}), "number: must be a number"),
            (json!({"unknown": 1}), "unknown: there is no such parameter"),
        ] {
            let error = checked(parameters.clone()).unwrap_err();
            assert_eq!(error.message, message, "{parameters}");
            assert_eq!(error.kind, crate::ErrorKind::InvalidInput);
        }
    }

    #[test]
    fn every_invalid_field_is_reported_together() {
        let parameters = json!({"boolean": 1, "list": 1});
        let error = check(&FORM, parameters.as_object().unwrap()).unwrap_err();
        assert_eq!(
            error.message,
            "text: is required; boolean: must be true or false; list: must be a list"
        );
        let detail = crate::json::value(error.detail.unwrap()).unwrap();
        assert_eq!(detail["errors"][0], json!({"pointer": "/text", "message": "is required"}));
        assert_eq!(detail["errors"].as_array().unwrap().len(), 3);
    }
}
