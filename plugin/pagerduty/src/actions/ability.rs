//! Abilities: what the account's plan allows.

use workflow_node_sdk::declare::{Action, Answer, Example, Paging};

use super::rest;
use crate::parameters::{ALL, LIMIT};

pub(crate) static ACTIONS: &[Action] = &[Action {
    slot: "rest",
    scopes: &["abilities.read"],
    parameters: &[&LIMIT, &ALL],
    route: rest("GET", "/abilities", Answer::List("abilities", Paging::None)),
    output: r#"{"type":"string","title":"Ability","description":"Name of the ability."}"#,
    examples: &[Example { title: "All abilities", parameters: r#"{"all":true}"# }],
    ..Action::get(
        "ability.list",
        "List abilities",
        "Reads which features the account's plan includes, by name.",
        "",
    )
}];
