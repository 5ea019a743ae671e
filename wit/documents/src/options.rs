//! The documents about choices of a form field: `schemas/options-query.json` and
//! `schemas/options.json`.

use crate::Json;
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
        map {
            /// What the form holds so far.
            parameters: Json,
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

    /// Name of the action or trigger that the form belongs to; empty if the query names none.
    pub fn form(&self) -> &str {
        self.action.as_deref().or(self.trigger.as_deref()).unwrap_or_default()
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
            stale: Json,
        }
    }
}

document! {
    /// One choice.
    open struct Choice {
        required {
            /// The value that the parameter is set to.
            value: Json,
            /// What a form shows.
            label: String,
        }
        optional {
            /// Second line in a form.
            description: String,
        }
    }
}
