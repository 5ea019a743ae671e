//! Abilities: what the plan of the account includes.

use workflow_node_sdk::declare::{Action, Example, Param, Place};

use super::rest;
use crate::paging::{DONE, whole_list};
use crate::parameters::{ADDITIONAL_QUERY, ALL, LIMIT};

pub(super) static ACTIONS: &[Action] = &[
    rest(
        "ability.list",
        "List abilities",
        "Reads which features the plan of the account includes, by name.",
        "GET",
        "/abilities",
    )
    .scopes(&["abilities.read"])
    .takes(&[&LIMIT, &ALL, &ADDITIONAL_QUERY])
    .answer(whole_list("abilities"))
    .gives(r#"{"type":"string"}"#)
    .examples(&[Example::new("All abilities", r#"{"all":true}"#)]),
    rest(
        "ability.check",
        "Check an ability",
        "Finds out whether the plan of the account includes one feature. It fails as forbidden \
         where it does not.",
        "GET",
        "/abilities/{ability}",
    )
    .scopes(&["abilities.read"])
    .takes(&[
        &Param::text("ability", "Ability", "Name of the feature, e.g. coordinated_responding.")
            .required()
            .at(Place::Path),
        &ADDITIONAL_QUERY,
    ])
    .answer(DONE)
    .examples(&[Example::new("Can responders be added?", r#"{"ability":"teams"}"#)]),
];
