//! The documents about choices of a form field: `schemas/options-query.json` and
//! `schemas/options.json`.

use serde_json::Value;

use crate::members::document;

document! {
    /// A query for the choices of a form field.
    open struct OptionsQuery {
        required {
            /// Name of the parameter. For one inside objects, the names on the way to it, joined by
            /// `/`.
            parameter: String,
        }
        optional {
            /// The action that the form belongs to; this or `trigger`.
            action: String,
            /// The trigger that the form belongs to; this or `action`.
            trigger: String,
            /// Text that the choices have to contain.
            search: String,
            /// Where the last response ended.
            cursor: String,
        }
        number {
            /// Version of the action or trigger.
            version: u32,
            /// Maximum number of choices.
            limit: u64,
        }
        object {
            /// Current contents of the form.
            parameters,
        }
    }
}

impl OptionsQuery {
    /// Queries the choices of a parameter of an action.
    pub fn for_action(action: impl Into<String>, parameter: impl Into<String>) -> Self {
        Self::new(parameter).action(action)
    }

    /// Queries the choices of a parameter of a trigger.
    pub fn for_trigger(trigger: impl Into<String>, parameter: impl Into<String>) -> Self {
        Self::new(parameter).trigger(trigger)
    }

    /// Reads a query that was parsed before. For components: serde's readers of typed members, with
    /// their messages, take 40 kB.
    pub fn from_value(value: Value) -> Option<Self> {
        let Value::Object(members) = value else { return None };
        let mut query = Self::new("");
        let mut is_complete = false;
        for (name, value) in members {
            match (name.as_str(), value) {
                ("parameter", Value::String(text)) => {
                    query.parameter = text;
                    is_complete = true;
                }
                ("action", value) => query.action = text(value)?,
                ("trigger", value) => query.trigger = text(value)?,
                ("search", value) => query.search = text(value)?,
                ("cursor", value) => query.cursor = text(value)?,
                ("version", Value::Null) | ("limit", Value::Null) => {}
                ("version", value) => query.version = Some(value.as_u64()?.try_into().ok()?),
                ("limit", value) => query.limit = Some(value.as_u64()?),
                ("parameters", Value::Object(parameters)) => query.parameters = parameters,
                ("parameter" | "parameters", _) => return None,
                (_, value) => {
                    query.extra.insert(name, value.into());
                }
            }
        }
        is_complete.then_some(query)
    }

    /// Name of the action or trigger that the form belongs to; empty if the query names none.
    pub fn form(&self) -> &str {
        self.action.as_deref().or(self.trigger.as_deref()).unwrap_or_default()
    }
}

/// A text or nothing; `None` for anything else.
fn text(value: Value) -> Option<Option<String>> {
    match value {
        Value::Null => Some(None),
        Value::String(text) => Some(Some(text)),
        _ => None,
    }
}

document! {
    /// Choices of a form field.
    #[derive(Default)]
    open struct Options {
        preset {
            /// The choices, in the order in which a form shows them.
            choices: Vec<Choice> = Vec::new(),
        }
        optional {
            /// Where the next query continues; `None` after the last choice.
            next_cursor: String,
        }
        list {
            /// Values of the form that are not choices anymore.
            stale: Value,
        }
    }
}

document! {
    /// One choice.
    open struct Choice {
        required {
            /// The value that the parameter is set to.
            value: Value,
            /// Label to display in a form.
            label: String,
        }
        optional {
            /// Second line in a form.
            description: String,
        }
    }
}
