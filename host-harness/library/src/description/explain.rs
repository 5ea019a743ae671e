//! Explains the problems of a value in plain words: for a choice between several schemas, it
//! reports the problems of the one that was probably intended.

use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::{JsonType, ValidationError};
use serde_json::Value;

use super::FieldProblem;

/// Choices within choices are followed so deep.
const DEPTH: u8 = 8;

/// More values are not listed.
const LISTED: usize = 20;

/// The problems behind an error, at most one of which is about the same place. `is_secret`: the
/// value at this pointer is not shown.
pub(super) fn problems(
    error: &ValidationError<'_>,
    is_secret: &dyn Fn(&str) -> bool,
) -> Vec<FieldProblem> {
    let mut problems = Vec::new();
    explain(error, is_secret, DEPTH, &mut problems);
    problems
}

fn explain(
    error: &ValidationError<'_>,
    is_secret: &dyn Fn(&str) -> bool,
    depth: u8,
    problems: &mut Vec<FieldProblem>,
) {
    let pointer = error.instance_path().to_string();
    let branches = match error.kind() {
        ValidationErrorKind::AnyOf { context } | ValidationErrorKind::OneOfNotValid { context } => {
            context
        }
        kind => {
            let message = in_words(kind).unwrap_or_else(|| match is_secret(&pointer) {
                true => error.masked().to_string(),
                false => error.to_string(),
            });
            problems.push(FieldProblem { pointer, message });
            return;
        }
    };
    match Meant::among(branches, &pointer) {
        Meant::Branch(errors) if depth > 0 => {
            for error in errors {
                explain(error, is_secret, depth - 1, problems);
            }
        }
        Meant::Value { pointer, values } => {
            problems.push(FieldProblem { pointer, message: one_of(&values) });
        }
        Meant::Type(types) => {
            let message = format!("must be {}", listed(&types));
            problems.push(FieldProblem { pointer, message });
        }
        Meant::Branch(_) | Meant::Nothing => {
            let message = "fits none of the forms that it can have".to_owned();
            problems.push(FieldProblem { pointer, message });
        }
    }
}

/// Likely intent of a value that matches no branch.
enum Meant<'a> {
    /// This branch, with its validation errors.
    Branch(&'a [ValidationError<'static>]),
    /// Any of the branches, which this member distinguishes; its value matches none of them.
    Value {
        pointer: String,
        values: Vec<Value>,
    },
    /// None: the value has another type.
    Type(Vec<String>),
    Nothing,
}

impl<'a> Meant<'a> {
    fn among(branches: &'a [Vec<ValidationError<'static>>], pointer: &str) -> Self {
        let of_value =
            |error: &&ValidationError<'static>| error.instance_path().to_string() == pointer;
        let wrong_type = |errors: &[ValidationError<'static>]| {
            errors.iter().filter(of_value).find_map(|error| types(error.kind()))
        };
        let fitting: Vec<&Vec<ValidationError<'static>>> =
            branches.iter().filter(|errors| wrong_type(errors).is_none()).collect();
        if fitting.is_empty() {
            let mut types: Vec<String> =
                branches.iter().filter_map(|errors| wrong_type(errors)).flatten().collect();
            types.sort();
            types.dedup();
            return if types.is_empty() { Self::Nothing } else { Self::Type(types) };
        }
        // A member with a fixed value (or the value itself) distinguishes the branches.
        let fixed = |errors: &[ValidationError<'static>]| {
            errors.iter().find_map(|error| {
                let place = error.instance_path().to_string();
                let below = place.strip_prefix(pointer)?;
                let is_near = below.is_empty() || below.matches('/').count() == 1;
                is_near.then(|| Some((place, values(error.kind())?)))?
            })
        };
        let chosen = fitting.iter().filter(|errors| fixed(errors).is_none());
        if let Some(errors) = chosen.min_by_key(|errors| errors.len()) {
            return Self::Branch(errors);
        }
        let mut all = fitting.iter().filter_map(|errors| fixed(errors));
        let Some((place, mut values)) = all.next() else { return Self::Nothing };
        for (other, more) in all {
            if other != place {
                // Several members tell them apart: the branch with the fewest problems is nearest.
                let nearest = fitting.iter().min_by_key(|errors| errors.len());
                return nearest.map_or(Self::Nothing, |errors| Self::Branch(errors));
            }
            values.extend(more.into_iter().filter(|one| !values.contains(one)).collect::<Vec<_>>());
        }
        Self::Value { pointer: place, values }
    }
}

/// The values that an error says are possible.
fn values(kind: &ValidationErrorKind) -> Option<Vec<Value>> {
    match kind {
        ValidationErrorKind::Constant { expected_value } => Some(vec![(**expected_value).clone()]),
        ValidationErrorKind::Enum { options } => options.as_array().cloned(),
        _ => None,
    }
}

/// The types that an error says are possible, in words.
fn types(kind: &ValidationErrorKind) -> Option<Vec<String>> {
    let word = |one: JsonType| match one {
        JsonType::Array => "a list",
        JsonType::Boolean => "true or false",
        JsonType::Integer => "an integer",
        JsonType::Null => "null",
        JsonType::Number => "a number",
        JsonType::Object => "an object",
        JsonType::String => "a string",
    };
    match kind {
        ValidationErrorKind::Type { kind: TypeKind::Single(one) } => Some(vec![word(*one).into()]),
        ValidationErrorKind::Type { kind: TypeKind::Multiple(all) } => {
            Some(all.iter().map(|one| word(one).to_owned()).collect())
        }
        _ => None,
    }
}

/// Better words than the validator's own, where there are some.
fn in_words(kind: &ValidationErrorKind) -> Option<String> {
    match kind {
        ValidationErrorKind::OneOfMultipleValid { .. } => {
            Some("fits several of the forms that it can have, and must fit exactly one".into())
        }
        ValidationErrorKind::FalseSchema => Some("is not allowed here".into()),
        _ => None,
    }
}

fn one_of(values: &[Value]) -> String {
    let mut words: Vec<String> = values.iter().take(LISTED).map(ToString::to_string).collect();
    if values.len() > LISTED {
        words.push(format!("{} more", values.len() - LISTED));
    }
    format!("must be {}", listed(&words))
}

fn listed(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [one] => one.clone(),
        [one, other] => format!("{one} or {other}"),
        [first @ .., last] => format!("{}, or {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(schema: &Value, value: &Value) -> Vec<String> {
        let validator = jsonschema::draft202012::new(schema).unwrap();
        let all = validator.iter_errors(value).flat_map(|error| problems(&error, &|_| false));
        all.map(|problem| problem.to_string()).collect()
    }

    #[test]
    fn a_wrong_value_of_a_variant_is_reported_for_the_variant_that_was_meant() {
        let schema = json!({"properties": {"channel": {"oneOf": [
            {"type": "object", "required": ["kind", "to"], "properties": {
                "kind": {"const": "email"}, "to": {"type": "string"}}},
            {"type": "object", "required": ["kind", "number"], "properties": {
                "kind": {"enum": ["sms", "phone"]}, "number": {"type": "integer"}}},
            {"type": "null"},
        ]}}});
        for (channel, problem) in [
            (json!({"kind": "email"}), r#"channel: "to" is a required property"#),
            (
                json!({"kind": "sms", "number": "x"}),
                r#"channel/number: "x" is not of type "integer""#,
            ),
            (json!({"kind": "fax"}), r#"channel/kind: must be "email", "sms", or "phone""#),
            (json!(7), "channel: must be an object or null"),
        ] {
            assert_eq!(told(&schema, &json!({ "channel": channel })), [problem]);
        }
    }

    #[test]
    fn choices_within_choices_are_followed() {
        let schema = json!({"anyOf": [
            {"type": "string"},
            {"type": "array", "items": {"anyOf": [{"type": "integer"}, {"const": "all"}]}},
        ]});
        assert_eq!(told(&schema, &json!([1, "some"])), [r#"1: must be "all""#]);
        assert_eq!(told(&schema, &json!({})), ["must be a list or a string"]);
    }

    #[test]
    fn an_unknown_grant_is_answered_with_those_that_there_are() {
        let (_, text) = workflow_node_documents::SCHEMAS
            .iter()
            .find(|(name, _)| *name == "credential-type.json")
            .unwrap();
        let schema: Value = serde_json::from_str(text).unwrap();
        let document = json!({"credential_types": [{
            "name": "token", "version": 1, "display_name": "Token", "description": "A token.",
            "fields": {"type": "object"}, "grant": {"kind": "magic"},
            "origins": ["https://example.com"], "placements": [],
        }]});
        let problems = told(&schema, &document);
        assert!(
            problems
                .iter()
                .any(|problem| problem.contains("grant/kind: must be")
                    && problem.contains("\"fixed\"")),
            "{problems:?}"
        );
    }
}
