//! Maintenance windows: times in which services open no incidents.

use workflow_node_sdk::declare::{Action, Example, Kind, Param, Place};

use super::rest;
use crate::flat::MAINTENANCE_WINDOW_FLAT;
use crate::paging::{DELETED, classic, one};
use crate::parameters::{
    ADDITIONAL_FIELDS, ADDITIONAL_QUERY, ALL, FROM, LIMIT, QUERY, SIMPLIFY, TEAM_IDS,
};
use crate::records::MAINTENANCE_WINDOW;

static INCLUDE: Param = Param::new(
    Kind::List(&Kind::OneOf(&["teams", "services", "users"])),
    "include",
    "Include",
    "What is returned in full instead of as a reference.",
)
.query("include[]");
static START_TIME: Param =
    Param::new(Kind::DateTime, "start_time", "Start", "When it begins, with an offset.")
        .body("/start_time");
static END_TIME: Param =
    Param::new(Kind::DateTime, "end_time", "End", "When it ends, with an offset.")
        .body("/end_time");
static SERVICE_IDS: Param =
    Param::new(Kind::List(&Kind::Text), "service_ids", "Services", "The services that are meant.")
        .reference("service")
        .at(Place::BodyAs("/services", r#"{"id":$,"type":"service_reference"}"#));
static DESCRIPTION: Param =
    Param::new(Kind::LongText, "description", "Description", "What it is for.")
        .body("/description");
static MAINTENANCE_WINDOW_ID: Param =
    Param::text("maintenance_window_id", "Maintenance window", "ID of the maintenance window.")
        .reference("maintenance_window")
        .at(Place::Path);

pub(super) static ACTIONS: &[Action] = &[
    rest(
        "maintenance_window.list",
        "List maintenance windows",
        "Finds maintenance windows by service, team and time.",
        "GET",
        "/maintenance_windows",
    )
    .scopes(&["services.read"])
    .takes(&[
        &QUERY,
        &TEAM_IDS,
        &Param::new(
            Kind::List(&Kind::Text),
            "service_ids",
            "Services",
            "The services that are meant.",
        )
        .reference("service")
        .query("service_ids[]"),
        &INCLUDE,
        &Param::new(
            Kind::OneOf(&["past", "future", "ongoing", "open", "all"]),
            "filter",
            "Filter",
            "Which ones.",
        )
        .query("filter"),
        &SIMPLIFY,
        &LIMIT,
        &ALL,
        &ADDITIONAL_QUERY,
    ])
    .answer(classic("maintenance_windows"))
    .gives(MAINTENANCE_WINDOW)
    .simple(&MAINTENANCE_WINDOW_FLAT)
    .examples(&[Example::new("What is under way", r#"{"filter":"ongoing"}"#)]),
    rest(
        "maintenance_window.create",
        "Create a maintenance window",
        "Lets services open no incidents for a time.",
        "POST",
        "/maintenance_windows",
    )
    .scopes(&["services.write"])
    .as_user()
    .envelope("/maintenance_window")
    .constants(&[("/type", r#""maintenance_window""#)])
    .takes(&[
        &START_TIME.required(),
        &END_TIME.required(),
        &SERVICE_IDS.required(),
        &DESCRIPTION,
        &FROM,
        &ADDITIONAL_FIELDS,
    ])
    .answer(one("maintenance_window"))
    .gives(MAINTENANCE_WINDOW)
    .examples(&[
        Example::new(
            "Two hours",
            r#"{"start_time":"2027-01-01T20:00:00Z","end_time":"2027-01-01T22:00:00Z","description":"New disks","service_ids":["PSERVICE000001"]}"#,
        ),
    ]),
    rest(
        "maintenance_window.get",
        "Get a maintenance window",
        "Looks up one maintenance window.",
        "GET",
        "/maintenance_windows/{maintenance_window_id}",
    )
    .scopes(&["services.read"])
    .takes(&[&MAINTENANCE_WINDOW_ID.required(), &INCLUDE, &SIMPLIFY, &ADDITIONAL_QUERY])
    .answer(one("maintenance_window"))
    .gives(MAINTENANCE_WINDOW)
    .simple(&MAINTENANCE_WINDOW_FLAT)
    .examples(&[Example::new("One", r#"{"maintenance_window_id":"PMAINTENANCEW1"}"#)]),
    rest(
        "maintenance_window.update",
        "Update a maintenance window",
        "Changes a maintenance window that is not over.",
        "PUT",
        "/maintenance_windows/{maintenance_window_id}",
    )
    .scopes(&["services.write"])
    .envelope("/maintenance_window")
    .constants(&[("/type", r#""maintenance_window""#)])
    .takes(&[
        &MAINTENANCE_WINDOW_ID.required(),
        &START_TIME,
        &END_TIME,
        &DESCRIPTION,
        &SERVICE_IDS,
        &ADDITIONAL_FIELDS,
    ])
    .answer(one("maintenance_window"))
    .gives(MAINTENANCE_WINDOW)
    .examples(&[
        Example::new(
            "An hour longer",
            r#"{"maintenance_window_id":"PMAINTENANCEW1","start_time":"2027-01-01T20:00:00Z","end_time":"2027-01-01T23:00:00Z","service_ids":["PSERVICE000001"]}"#,
        ),
    ]),
    rest(
        "maintenance_window.delete",
        "End or delete a maintenance window",
        "Removes a maintenance window that has not begun; ends one that is under way.",
        "DELETE",
        "/maintenance_windows/{maintenance_window_id}",
    )
    .scopes(&["services.write"])
    .takes(&[&MAINTENANCE_WINDOW_ID.required()])
    .answer(DELETED)
    .examples(&[Example::new("One", r#"{"maintenance_window_id":"PMAINTENANCEW1"}"#)]),
];
