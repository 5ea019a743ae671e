//! Priorities: the priorities that incidents can have.

use workflow_node_sdk::declare::{Action, Example};

use super::rest;
use crate::flat::PRIORITY_FLAT;
use crate::paging::classic;
use crate::parameters::{ADDITIONAL_QUERY, ALL, LIMIT, SIMPLIFY};
use crate::records::PRIORITY;

pub(super) static ACTIONS: &[Action] = &[rest(
    "priority.list",
    "List priorities",
    "Reads the priorities of the account, the gravest first.",
    "GET",
    "/priorities",
)
.scopes(&["priorities.read"])
.takes(&[&SIMPLIFY, &LIMIT, &ALL, &ADDITIONAL_QUERY])
.answer(classic("priorities"))
.gives(PRIORITY)
.simple(&PRIORITY_FLAT)
.examples(&[Example::new("All", r#"{"all":true}"#)])];
