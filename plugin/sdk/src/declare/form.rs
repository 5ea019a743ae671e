//! Bodies as forms: `application/x-www-form-urlencoded`.

use std::borrow::Cow;

use serde_json::Value;

use super::{Action, Encoding, FormLists, Kind, Param, Place};
use crate::error::Error;
use crate::{json, percent};

/// The type of the body.
pub(super) const CONTENT_TYPE: &str = "application/x-www-form-urlencoded";

/// Checks that a form can hold the parameters that an action places in its body.
///
/// # Errors
///
/// The parameter that a form cannot hold.
pub(crate) fn check(action: &Action) -> Result<(), String> {
    let Encoding::Form(lists) = action.route.encoding else { return Ok(()) };
    let holds = |param: &&&Param| match param.place {
        Place::Body(_) | Place::BodyAs(..) | Place::PathAndBody(..) => can_hold(&param.kind, lists),
        Place::FormFile(..) => false,
        _ => true,
    };
    match action.parameters.iter().find(|param| !holds(param)) {
        None => Ok(()),
        Some(param) => Err(format!(
            "the action `{}` sends a form, which cannot hold the parameter `{}`",
            action.name, param.name
        )),
    }
}

fn can_hold(kind: &Kind, lists: FormLists) -> bool {
    let is_indexed = lists == FormLists::Indexed;
    match kind {
        Kind::Objects(members) => {
            is_indexed && members.iter().all(|one| can_hold(&one.kind, lists))
        }
        Kind::Object(members) => members.iter().all(|one| can_hold(&one.kind, lists)),
        Kind::List(element) => {
            is_indexed || !matches!(element, Kind::List(_) | Kind::Map | Kind::Json)
        }
        _ => true,
    }
}

/// The form of a body.
///
/// # Errors
///
/// Returns an error of kind `invalid-input` if a list contains a value that its notation cannot
/// express.
pub(super) fn encoded(body: &Value, lists: FormLists) -> Result<String, Error> {
    let mut form = String::new();
    match body {
        Value::Object(members) => {
            for (name, value) in members {
                add(&mut form, name, value, lists)?;
            }
        }
        Value::Null => {}
        _ => return Err(Error::invalid("", "the body of a form must have members")),
    }
    Ok(form)
}

fn add(form: &mut String, name: &str, value: &Value, lists: FormLists) -> Result<(), Error> {
    match value {
        Value::Object(members) => {
            for (member, value) in members {
                add(form, &[name, "[", member, "]"].concat(), value, lists)?;
            }
        }
        Value::Array(list) => {
            for (index, element) in list.iter().enumerate() {
                let is_plain = !matches!(element, Value::Object(_) | Value::Array(_));
                let field = match lists {
                    FormLists::Indexed => Cow::Owned([name, "[", &index.to_string(), "]"].concat()),
                    FormLists::Brackets if is_plain => Cow::Owned([name, "[]"].concat()),
                    FormLists::Repeated if is_plain => Cow::Borrowed(name),
                    _ => {
                        let message = "must be a list of texts, numbers, or true and false";
                        return Err(Error::invalid(["/", name].concat(), message));
                    }
                };
                add(form, &field, element, lists)?;
            }
        }
        Value::Null => pair(form, name, ""),
        Value::String(text) => pair(form, name, text),
        other => pair(form, name, &json::text(other)),
    }
    Ok(())
}

fn pair(form: &mut String, name: &str, value: &str) {
    if !form.is_empty() {
        form.push('&');
    }
    percent::encode_into(form, name);
    form.push('=');
    percent::encode_into(form, value);
}

#[cfg(test)]
mod tests {
    use super::*;

    const LISTS: Kind = Kind::Objects(&[]);

    fn of(body: &str, lists: FormLists) -> Result<String, Error> {
        encoded(&json::value(body).unwrap(), lists)
    }

    #[test]
    fn members_of_every_type_become_fields() {
        let body = r#"{"a b":"x&y=\u00e9+","n":12345678901234567890123,"t":true,"z":null,"o":{"p":{"q":1.50}}}"#;
        let form = of(body, FormLists::Repeated).unwrap();
        let mut pairs: Vec<&str> = form.split('&').collect();
        pairs.sort_unstable();
        assert_eq!(
            pairs,
            [
                "a%20b=x%26y%3D%C3%A9%2B",
                "n=12345678901234567890123",
                "o%5Bp%5D%5Bq%5D=1.50",
                "t=true",
                "z="
            ]
        );
    }

    #[test]
    fn a_list_is_encoded_in_the_declared_notation() {
        let body = r#"{"a":["x","y"]}"#;
        assert_eq!(of(body, FormLists::Repeated).unwrap(), "a=x&a=y");
        assert_eq!(of(body, FormLists::Brackets).unwrap(), "a%5B%5D=x&a%5B%5D=y");
        assert_eq!(of(body, FormLists::Indexed).unwrap(), "a%5B0%5D=x&a%5B1%5D=y");
        let objects = r#"{"a":[{"b":1}]}"#;
        assert_eq!(of(objects, FormLists::Indexed).unwrap(), "a%5B0%5D%5Bb%5D=1");
        for lists in [FormLists::Repeated, FormLists::Brackets] {
            assert!(of(objects, lists).unwrap_err().message.starts_with("a: must be a list"));
        }
        assert_eq!(of("null", FormLists::Repeated).unwrap(), "");
        assert!(of("[1]", FormLists::Repeated).is_err());
    }

    #[test]
    fn a_form_that_cannot_hold_a_parameter_is_refused() {
        static OBJECTS: &[&Param] = &[&Param::new(LISTS, "parts", "", "").body("/parts")];
        static FILE: &[&Param] =
            &[&Param::text("file", "", "").at(Place::FormFile("file", "text/csv"))];
        let action = |params| Action::new("a.b", "", "", "POST", "/a").parameters(params);
        assert_eq!(check(&action(OBJECTS)), Ok(()), "as JSON");
        assert_eq!(check(&action(OBJECTS).form(FormLists::Indexed)), Ok(()));
        let problem = check(&action(OBJECTS).form(FormLists::Repeated)).unwrap_err();
        assert!(problem.contains("`a.b`") && problem.contains("`parts`"), "{problem}");
        assert!(check(&action(FILE).form(FormLists::Indexed)).is_err());
    }
}
