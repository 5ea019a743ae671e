//! Vendors: tools that can send events to services.

use workflow_node_sdk::declare::{Action, Example, Param, Place};

use super::rest;
use crate::paging::{classic, one};
use crate::parameters::{ADDITIONAL_QUERY, ALL, LIMIT};

pub(super) static ACTIONS: &[Action] = &[
    rest(
        "vendor.list",
        "List vendors",
        "Reads which tools PagerDuty knows by name.",
        "GET",
        "/vendors",
    )
    .scopes(&["vendors.read"])
    .takes(&[&LIMIT, &ALL, &ADDITIONAL_QUERY])
    .answer(classic("vendors"))
    .examples(&[Example::new("The first hundred", r#"{}"#)]),
    rest("vendor.get", "Get a vendor", "Looks up one tool.", "GET", "/vendors/{vendor_id}")
        .scopes(&["vendors.read"])
        .takes(&[
            &Param::text("vendor_id", "Vendor", "The tool that sends the events.")
                .required()
                .reference("vendor")
                .at(Place::Path),
            &ADDITIONAL_QUERY,
        ])
        .answer(one("vendor"))
        .examples(&[Example::new("One", r#"{"vendor_id":"PVENDOR0000001"}"#)]),
];
