//! Log entries: what happened to incidents.

use workflow_node_sdk::declare::{Action, Answer, Example, Kind, Param, Place};

use super::rest;
use crate::flat::LOG_ENTRY_FLAT;
use crate::paging::{DONE, LOG, one};
use crate::parameters::{
    ADDITIONAL_FIELDS, ADDITIONAL_QUERY, ALL, FROM, INCIDENT_ID, LIMIT, SIMPLIFY, SINCE, TEAM_IDS,
    TIME_ZONE, UNTIL,
};
use crate::records::LOG_ENTRY;

static IS_OVERVIEW: Param = Param::new(
    Kind::Boolean,
    "is_overview",
    "Overview",
    "Only the most important changes of each incident.",
)
.default("false")
.query("is_overview");
static INCLUDE: Param = Param::new(
    Kind::List(&Kind::OneOf(&["incidents", "services", "channels", "teams"])),
    "include",
    "Include",
    "What is returned in full instead of as a reference.",
)
.query("include[]");
static LOG_ENTRY_ID: Param = Param::text("log_entry_id", "Log entry", "ID of the log entry.")
    .required()
    .reference("log_entry")
    .at(Place::Path);

pub(super) static ACTIONS: &[Action] = &[
    rest(
        "log_entry.list",
        "List log entries",
        "Reads what happened to the incidents of the account, latest first. Beyond 10,000 it goes \
         back in time.",
        "GET",
        "/log_entries",
    )
    .scopes(&["incidents.read"])
    .takes(&[
        &SINCE,
        &UNTIL,
        &IS_OVERVIEW,
        &TEAM_IDS,
        &TIME_ZONE,
        &INCLUDE,
        &SIMPLIFY,
        &LIMIT,
        &ALL,
        &ADDITIONAL_QUERY,
    ])
    .answer(Answer::List("log_entries", &LOG))
    .gives(LOG_ENTRY)
    .simple(&LOG_ENTRY_FLAT)
    .examples(&[Example::new("The latest twenty", r#"{"limit":20}"#)]),
    rest(
        "log_entry.get",
        "Get a log entry",
        "Looks up one log entry.",
        "GET",
        "/log_entries/{log_entry_id}",
    )
    .scopes(&["incidents.read"])
    .takes(&[&LOG_ENTRY_ID, &TIME_ZONE, &INCLUDE, &SIMPLIFY, &ADDITIONAL_QUERY])
    .answer(one("log_entry"))
    .gives(LOG_ENTRY)
    .simple(&LOG_ENTRY_FLAT)
    .examples(&[Example::new(
        "One entry with its channel",
        r#"{"log_entry_id":"RLOGENTRY00001","include":["channels"]}"#,
    )]),
    rest(
        "log_entry.of_incident",
        "List the log entries of an incident",
        "Reads what happened to one incident, latest first.",
        "GET",
        "/incidents/{incident_id}/log_entries",
    )
    .scopes(&["incidents.read"])
    .takes(&[
        &INCIDENT_ID,
        &TIME_ZONE,
        &SINCE,
        &UNTIL,
        &IS_OVERVIEW,
        &INCLUDE,
        &SIMPLIFY,
        &LIMIT,
        &ALL,
        &ADDITIONAL_QUERY,
    ])
    .answer(Answer::List("log_entries", &LOG))
    .gives(LOG_ENTRY)
    .simple(&LOG_ENTRY_FLAT)
    .examples(&[Example::new("The first hundred", r#"{"incident_id":"QINCIDENT00001"}"#)]),
    rest(
        "log_entry.update_channel",
        "Update the details of a log entry",
        "Changes the details that a trigger from the web or the app stands with.",
        "PUT",
        "/log_entries/{log_entry_id}/channel",
    )
    .scopes(&["incidents.write"])
    .as_user()
    .envelope("/channel")
    .takes(&[
        &Param::text("log_entry_id", "Log entry", "ID of the log entry.")
            .required()
            .reference("log_entry")
            .at(Place::Path),
        &Param::new(Kind::LongText, "details", "Details", "All that is known.").body("/details"),
        &Param::new(
            Kind::OneOf(&["web_trigger", "mobile"]),
            "type",
            "Kind",
            "Triggered on the web or in the app.",
        )
        .body("/type"),
        &FROM,
        &ADDITIONAL_FIELDS,
    ])
    .answer(DONE)
    .examples(&[
        Example::new(
            "Another text",
            r#"{"log_entry_id":"RLOGENTRY00001","details":"Triggered by a customer's call.","type":"web_trigger"}"#,
        ),
    ]),
];
