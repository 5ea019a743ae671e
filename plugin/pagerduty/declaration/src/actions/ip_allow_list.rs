//! IP allow lists: from which addresses the account can be reached.

use workflow_node_sdk::declare::{Action, Example, Kind, Param, Place};

use super::rest;
use crate::paging::{DELETED, one, whole_list};
use crate::parameters::{ADDITIONAL_FIELDS, ADDITIONAL_QUERY, ALL, LIMIT};

static STATE: Param = Param::new(
    Kind::OneOf(&["enabled", "disabled"]),
    "state",
    "State",
    "Whether the list is in force.",
)
.body("/state");
static CIDR_ENTRIES: Param = Param::new(
    Kind::Objects(&[
        &Param::text("cidr", "Network", "A network in IPv4, e.g. 192.0.2.0/24.").required(),
        &Param::new(Kind::LongText, "description", "Description", "What it is for.")
            .nullable()
            .max(64),
    ]),
    "cidr_entries",
    "Networks",
    "The networks from which the account can be reached.",
)
.max(100)
.body("/cidr_entries");
static IP_ALLOW_LIST_ID: Param =
    Param::text("ip_allow_list_id", "IP allow list", "ID of the IP allow list.")
        .reference("ip_allow_list")
        .at(Place::Path);

pub(super) static ACTIONS: &[Action] = &[
    rest(
        "ip_allow_list.list",
        "List IP allow lists",
        "Reads from where the account can be reached.",
        "GET",
        "/ip_allow_lists",
    )
    .scopes(&["ip_allow_lists.read"])
    .takes(&[&LIMIT, &ALL, &ADDITIONAL_QUERY])
    .answer(whole_list("ip_allow_lists"))
    .early_access()
    .headers(&[("x-early-access", "ip-allow-lists")])
    .examples(&[Example::new("The first hundred", r#"{}"#)]),
    rest(
        "ip_allow_list.create",
        "Create an IP allow list",
        "Says from where the account can be reached. Mind that you can lock yourself out.",
        "POST",
        "/ip_allow_lists",
    )
    .scopes(&["ip_allow_lists.write"])
    .envelope("/ip_allow_list")
    .constants(&[("/type", r#""ip_allow_list""#)])
    .takes(&[&STATE.required(), &CIDR_ENTRIES.required(), &ADDITIONAL_FIELDS])
    .answer(one("ip_allow_list"))
    .early_access()
    .headers(&[("x-early-access", "ip-allow-lists")])
    .examples(&[
        Example::new(
            "Not in force yet",
            r#"{"state":"disabled","cidr_entries":[{"cidr":"192.0.2.0/24","description":"Office"}]}"#,
        ),
    ]),
    rest(
        "ip_allow_list.get",
        "Get an IP allow list",
        "Looks up one list.",
        "GET",
        "/ip_allow_lists/{ip_allow_list_id}",
    )
    .scopes(&["ip_allow_lists.read"])
    .takes(&[&IP_ALLOW_LIST_ID.required(), &ADDITIONAL_QUERY])
    .answer(one("ip_allow_list"))
    .early_access()
    .headers(&[("x-early-access", "ip-allow-lists")])
    .examples(&[Example::new("One", r#"{"ip_allow_list_id":"PIPALLOWLIST01"}"#)]),
    rest(
        "ip_allow_list.update",
        "Update an IP allow list",
        "Changes a list, or puts it in force.",
        "PUT",
        "/ip_allow_lists/{ip_allow_list_id}",
    )
    .scopes(&["ip_allow_lists.write"])
    .envelope("/ip_allow_list")
    .constants(&[("/type", r#""ip_allow_list""#)])
    .takes(&[
        &IP_ALLOW_LIST_ID.required(),
        &STATE.required(),
        &CIDR_ENTRIES.required(),
        &ADDITIONAL_FIELDS,
    ])
    .answer(one("ip_allow_list"))
    .early_access()
    .headers(&[("x-early-access", "ip-allow-lists")])
    .examples(&[
        Example::new(
            "Another network",
            r#"{"ip_allow_list_id":"PIPALLOWLIST01","state":"disabled","cidr_entries":[{"cidr":"198.51.100.0/24"}]}"#,
        ),
    ]),
    rest(
        "ip_allow_list.delete",
        "Delete an IP allow list",
        "Removes a list.",
        "DELETE",
        "/ip_allow_lists/{ip_allow_list_id}",
    )
    .scopes(&["ip_allow_lists.write"])
    .takes(&[&IP_ALLOW_LIST_ID.required()])
    .answer(DELETED)
    .early_access()
    .headers(&[("x-early-access", "ip-allow-lists")])
    .examples(&[Example::new("One", r#"{"ip_allow_list_id":"PIPALLOWLIST01"}"#)]),
];
