//! Licenses: which licences the account has, and who uses them.

use workflow_node_sdk::declare::{Action, Example};

use super::rest;
use crate::paging::{classic, whole_list};
use crate::parameters::{ADDITIONAL_QUERY, ALL, LIMIT};

pub(super) static ACTIONS: &[Action] = &[
    rest(
        "license.list",
        "List licences",
        "Reads the licences of the account, and how many are free.",
        "GET",
        "/licenses",
    )
    .scopes(&["licenses.read"])
    .takes(&[&LIMIT, &ALL, &ADDITIONAL_QUERY])
    .answer(whole_list("licenses"))
    .examples(&[Example::new("The first hundred", r#"{}"#)]),
    rest(
        "license.allocations",
        "List who has which licence",
        "Reads the licence of every user.",
        "GET",
        "/license_allocations",
    )
    .scopes(&["licenses.read"])
    .takes(&[&LIMIT, &ALL, &ADDITIONAL_QUERY])
    .answer(classic("license_allocations"))
    .examples(&[Example::new("The first hundred", r#"{}"#)]),
];
