//! Log entries: what happened to incidents.

use workflow_node_sdk::declare::{Action, Answer, Example, Kind, Param, Place};

use super::rest;
use crate::parameters::{ALL, CLASSIC, LIMIT, SINCE, TEAM_IDS, TIME_ZONE, UNTIL};

const OUTPUT: &str = r##"{"$ref":"#/$defs/log_entry"}"##;

static INCLUDE: Param = Param::new(
    Kind::List(&Kind::OneOf(&["incidents", "services", "channels", "teams"])),
    "include",
    "Include",
    "What is returned in full instead of as a reference.",
)
.at(Place::Query("include[]"));

pub(crate) static ACTIONS: &[Action] = &[
    Action {
        slot: "rest",
        scopes: &["incidents.read"],
        parameters: &[
            &Param::text("log_entry_id", "Log entry", "ID of the log entry.")
                .required()
                .at(Place::Path),
            &TIME_ZONE,
            &INCLUDE,
        ],
        route: rest("GET", "/log_entries/{log_entry_id}", Answer::Object("log_entry")),
        output: OUTPUT,
        examples: &[Example {
            title: "One entry with its channel",
            parameters: r#"{"log_entry_id":"RLOGENTRY00001","include":["channels"]}"#,
        }],
        ..Action::get("log_entry.get", "Get a log entry", "Looks up one log entry.", "")
    },
    Action {
        slot: "rest",
        scopes: &["incidents.read"],
        parameters: &[
            &SINCE,
            &UNTIL,
            &Param::new(
                Kind::Boolean,
                "is_overview",
                "Overview",
                "Only the most important changes of each incident.",
            )
            .at(Place::Query("is_overview")),
            &TEAM_IDS,
            &TIME_ZONE,
            &INCLUDE,
            &LIMIT,
            &ALL,
        ],
        route: rest("GET", "/log_entries", Answer::List("log_entries", CLASSIC)),
        output: OUTPUT,
        examples: &[Example { title: "The latest twenty", parameters: r#"{"limit":20}"# }],
        ..Action::get(
            "log_entry.list",
            "List log entries",
            "Reads what happened to the incidents of the account, latest first.",
            "",
        )
    },
];
