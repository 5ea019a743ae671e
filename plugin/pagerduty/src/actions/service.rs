//! Services.

use workflow_node_sdk::declare::{Action, Answer, Example, Kind, Param, Place};

use super::rest;
use crate::parameters::{ALL, CLASSIC, LIMIT, QUERY, TEAM_IDS, TIME_ZONE};

const OUTPUT: &str = r##"{"$ref":"#/$defs/service"}"##;

static INCLUDE: Param = Param::new(
    Kind::List(&Kind::OneOf(&[
        "escalation_policies",
        "teams",
        "integrations",
        "auto_pause_notifications_parameters",
    ])),
    "include",
    "Include",
    "What is returned in full instead of as a reference.",
)
.at(Place::Query("include[]"));

pub(crate) static ACTIONS: &[Action] = &[
    Action {
        slot: "rest",
        scopes: &["services.read"],
        parameters: &[
            &Param::text("service_id", "Service", "ID of the service.")
                .required()
                .options()
                .at(Place::Path),
            &INCLUDE,
        ],
        route: rest("GET", "/services/{service_id}", Answer::Object("service")),
        output: OUTPUT,
        examples: &[Example {
            title: "One service with its integrations",
            parameters: r#"{"service_id":"PSERVICE000001","include":["integrations"]}"#,
        }],
        ..Action::get("service.get", "Get a service", "Looks up one service.", "")
    },
    Action {
        slot: "rest",
        scopes: &["services.read"],
        parameters: &[
            &QUERY,
            &Param::text("name", "Name", "Only the service with exactly this name.")
                .at(Place::Query("name")),
            &TEAM_IDS,
            &Param::new(
                Kind::OneOf(&["name", "name:asc", "name:desc"]),
                "sort_by",
                "Sort by",
                "The order of the services.",
            )
            .default(r#""name""#)
            .at(Place::Query("sort_by")),
            &TIME_ZONE,
            &INCLUDE,
            &LIMIT,
            &ALL,
        ],
        route: rest("GET", "/services", Answer::List("services", CLASSIC)),
        output: OUTPUT,
        examples: &[
            Example { title: "All services", parameters: r#"{"all":true}"# },
            Example { title: "By name", parameters: r#"{"query":"checkout"}"# },
        ],
        ..Action::get("service.list", "List services", "Finds services by name and team.", "")
    },
];
