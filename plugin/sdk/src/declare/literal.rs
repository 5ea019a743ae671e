//! JSON values that a declaration holds.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::leak;
use crate::json;

/// A JSON value in a declaration: a default, an example, a schema, a part of a body. Written with
/// [`literal!`](crate::literal!).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Literal {
    /// Null.
    Null,
    /// True or false.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// Any other number, as JSON writes it: `"21.5"`.
    Number(&'static str),
    /// Text.
    Text(&'static str),
    /// An array.
    List(#[serde(deserialize_with = "leak::slice")] &'static [Literal]),
    /// An object: names and values.
    Object(#[serde(deserialize_with = "leak::slice")] &'static [(&'static str, Literal)]),
    /// In the template of a [`Place`](super::Place): the value of the parameter.
    Given,
}

impl Literal {
    /// The value as `serde_json` represents it. [`Literal::Given`] becomes null.
    pub fn value(&self) -> Value {
        self.filled(&Value::Null)
    }

    /// The value with another one in place of each [`Literal::Given`].
    pub fn filled(&self, given: &Value) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Boolean(value) => Value::Bool(*value),
            Self::Integer(value) => Value::from(*value),
            Self::Number(text) => json::constant(text),
            Self::Text(text) => Value::from(*text),
            Self::List(elements) => {
                let mut list = Vec::with_capacity(elements.len());
                for element in *elements {
                    list.push(element.filled(given));
                }
                Value::Array(list)
            }
            Self::Object(members) => {
                let mut object = Map::new();
                for (name, member) in *members {
                    object.insert((*name).to_owned(), member.filled(given));
                }
                Value::Object(object)
            }
            Self::Given => given.clone(),
        }
    }

    /// The part of `filled` that is in place of [`Literal::Given`].
    pub(crate) fn given_in<'a>(&self, filled: &'a Value) -> Option<&'a Value> {
        match self {
            Self::Given => Some(filled),
            Self::Object(members) => {
                members.iter().find_map(|(name, member)| member.given_in(filled.get(*name)?))
            }
            _ => None,
        }
    }

    /// The literal of a value that a build script computed. Its memory is never freed.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn leaked(value: &Value) -> Self {
        Self::leaked_with(value, &|_| None)
    }

    /// As [`Literal::leaked`]; every text equal to `given` becomes [`Literal::Given`].
    #[cfg(not(target_arch = "wasm32"))]
    pub fn leaked_template(value: &Value, given: &str) -> Self {
        Self::leaked_with(value, &|text| (text == given).then_some(Self::Given))
    }

    #[cfg(not(target_arch = "wasm32"))]
    fn leaked_with(value: &Value, special: &dyn Fn(&str) -> Option<Self>) -> Self {
        fn keep(text: &str) -> &'static str {
            text.to_owned().leak()
        }
        match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Boolean(*value),
            Value::Number(number) => match number.as_i64() {
                Some(value) => Self::Integer(value),
                None => Self::Number(keep(number.as_str())),
            },
            Value::String(text) => special(text).unwrap_or_else(|| Self::Text(keep(text))),
            Value::Array(list) => {
                let elements: Vec<Self> =
                    list.iter().map(|element| Self::leaked_with(element, special)).collect();
                Self::List(elements.leak())
            }
            Value::Object(members) => {
                let members: Vec<(&'static str, Self)> = members
                    .iter()
                    .map(|(name, member)| (keep(name), Self::leaked_with(member, special)))
                    .collect();
                Self::Object(members.leak())
            }
        }
    }
}

/// A Rust value that [`literal!`](crate::literal!) converts, including in constants.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct Convert<T>(pub T);

impl Convert<bool> {
    #[doc(hidden)]
    pub const fn literal(self) -> Literal {
        Literal::Boolean(self.0)
    }
}

impl Convert<i64> {
    #[doc(hidden)]
    pub const fn literal(self) -> Literal {
        Literal::Integer(self.0)
    }
}

impl Convert<&'static str> {
    #[doc(hidden)]
    pub const fn literal(self) -> Literal {
        Literal::Text(self.0)
    }
}

impl Convert<Literal> {
    #[doc(hidden)]
    pub const fn literal(self) -> Literal {
        self.0
    }
}

/// A [`Literal`](crate::declare::Literal) in JSON syntax, checked by the compiler. It extends JSON
/// in two ways: in a template, `given` is the value of the parameter, and a constant or an
/// expression in parentheses can be a value (text, a whole number, a Boolean, or another literal).
///
/// ```
/// use workflow_node_sdk::declare::Literal;
/// use workflow_node_sdk::literal;
///
/// const DEFAULT_LIMIT: i64 = 100;
/// static EXAMPLE: Literal = literal!({ "city": "Berlin", "limit": DEFAULT_LIMIT, "days": [1, 2] });
/// static TEMPLATE: Literal = literal!({ "id": given, "type": "city" });
///
/// assert_eq!(EXAMPLE.value()["limit"], 100);
/// assert_eq!(TEMPLATE.filled(&"C1".into())["id"], "C1");
/// ```
#[macro_export]
macro_rules! literal {
    (null) => { $crate::declare::Literal::Null };
    (given) => { $crate::declare::Literal::Given };
    ([ $($element:tt),* $(,)? ]) => {
        $crate::declare::Literal::List(const { &[$($crate::literal!($element)),*] })
    };
    ({ $($name:literal : $value:tt),* $(,)? }) => {
        $crate::declare::Literal::Object(const { &[$(($name, $crate::literal!($value))),*] })
    };
    ($value:expr) => { $crate::declare::Convert($value).literal() };
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const SHARED: Literal = literal!({ "shared": true });

    static ALL: Literal = literal!({
        "null": null, "true": true, "number": 7, "negative": (-7), "text": "a\"b",
        "list": [1, [2], {"three": 3}, null], "empty": {}, "none": [], "shared": SHARED,
        "float": (Literal::Number("21.50")),
    });

    #[test]
    fn a_literal_has_the_same_value_as_its_json() {
        let expected = json!({
            "null": null, "true": true, "number": 7, "negative": -7, "text": "a\"b",
            "list": [1, [2], {"three": 3}, null], "empty": {}, "none": [],
            "shared": {"shared": true},
        });
        let mut value = ALL.value();
        assert_eq!(value.as_object_mut().unwrap().remove("float").unwrap().to_string(), "21.50");
        assert_eq!(value, expected);
    }

    #[test]
    fn a_value_becomes_its_literal_again() {
        assert_eq!(Literal::leaked(&ALL.value()).value(), ALL.value());
        let template = literal!({ "id": given, "type": "user" });
        let written = json!({"id": "$", "type": "user"});
        assert_eq!(
            Literal::leaked_template(&written, "$").filled(&json!(1)),
            template.filled(&json!(1))
        );
    }

    #[test]
    fn the_given_value_is_found_again() {
        let template = literal!({ "type": "user", "of": { "id": given } });
        let value = json!("P1");
        assert_eq!(template.given_in(&template.filled(&value)), Some(&value));
        assert_eq!(literal!({ "id": 1 }).given_in(&json!({"id": 1})), None);
    }
}
