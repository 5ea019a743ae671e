//! Add-ons: pages of your own that PagerDuty shows inside its web app.

use workflow_node_sdk::declare::{Action, Example, Kind, Param, Place};

use super::rest;
use crate::paging::{DELETED, classic, one};
use crate::parameters::{ADDITIONAL_FIELDS, ADDITIONAL_QUERY, ALL, LIMIT};

static TYPE: Param = Param::new(
    Kind::OneOf(&["full_page_addon", "incident_show_addon"]),
    "type",
    "Kind",
    "A page in the menu, or a part of every incident.",
)
.body("/type");
static NAME: Param = Param::text("name", "Name", "Its name.").max(100).body("/name");
static SRC: Param =
    Param::new(Kind::Url, "src", "Address", "Where the page is; https.").body("/src");
static ADDON_ID: Param =
    Param::text("addon_id", "Add-on", "The add-on: its ID, its name, or its address.")
        .reference("addon")
        .at(Place::Path);

pub(super) static ACTIONS: &[Action] = &[
    rest(
        "addon.list",
        "List add-ons",
        "Reads the add-ons that are installed.",
        "GET",
        "/addons",
    )
    .scopes(&["addons.read"])
    .takes(&[
        &Param::new(
            Kind::List(&Kind::OneOf(&["services"])),
            "include",
            "Include",
            "What is returned in full instead of as a reference.",
        )
        .query("include[]"),
        &Param::new(
            Kind::List(&Kind::Text),
            "service_ids",
            "Services",
            "The services that are meant.",
        )
        .reference("service")
        .query("service_ids[]"),
        &Param::new(
            Kind::OneOf(&["full_page_addon", "incident_show_addon"]),
            "filter",
            "Filter",
            "Which ones.",
        )
        .query("filter"),
        &LIMIT,
        &ALL,
        &ADDITIONAL_QUERY,
    ])
    .answer(classic("addons"))
    .examples(&[Example::new("The first hundred", r#"{}"#)]),
    rest(
        "addon.create",
        "Install an add-on",
        "Adds a page of yours to PagerDuty's web app.",
        "POST",
        "/addons",
    )
    .scopes(&["addons.write"])
    .envelope("/addon")
    .takes(&[&TYPE.required(), &NAME.required(), &SRC.required(), &ADDITIONAL_FIELDS])
    .answer(one("addon"))
    .examples(&[
        Example::new(
            "A runbook on every incident",
            r#"{"type":"incident_show_addon","name":"Runbook","src":"https://example.com/runbook"}"#,
        ),
    ]),
    rest(
        "addon.get",
        "Get an add-on",
        "Looks up one add-on.",
        "GET",
        "/addons/{addon_id}",
    )
    .scopes(&["addons.read"])
    .takes(&[&ADDON_ID.required(), &ADDITIONAL_QUERY])
    .answer(one("addon"))
    .examples(&[Example::new("One", r#"{"addon_id":"PADDON00000001"}"#)]),
    rest(
        "addon.update",
        "Update an add-on",
        "Changes the name or the address of an add-on.",
        "PUT",
        "/addons/{addon_id}",
    )
    .scopes(&["addons.write"])
    .envelope("/addon")
    .takes(&[&ADDON_ID.required(), &TYPE, &NAME, &SRC, &ADDITIONAL_FIELDS])
    .answer(one("addon"))
    .examples(&[
        Example::new(
            "It moved",
            r#"{"addon_id":"PADDON00000001","type":"incident_show_addon","name":"Runbook","src":"https://example.com/runbooks"}"#,
        ),
    ]),
    rest(
        "addon.delete",
        "Remove an add-on",
        "Uninstalls an add-on.",
        "DELETE",
        "/addons/{addon_id}",
    )
    .scopes(&["addons.write"])
    .takes(&[&ADDON_ID.required()])
    .answer(DELETED)
    .examples(&[Example::new("One", r#"{"addon_id":"PADDON00000001"}"#)]),
];
