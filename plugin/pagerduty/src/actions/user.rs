//! Users.

use workflow_node_sdk::declare::{Action, Answer, Example, Kind, Param, Place};

use super::rest;
use crate::parameters::{ALL, CLASSIC, LIMIT, TEAM_IDS};

const OUTPUT: &str = r##"{"$ref":"#/$defs/user"}"##;

static INCLUDE: Param = Param::new(
    Kind::List(&Kind::OneOf(&["contact_methods", "notification_rules", "teams", "subdomains"])),
    "include",
    "Include",
    "What is returned in full instead of as a reference.",
)
.at(Place::Query("include[]"));

pub(crate) static ACTIONS: &[Action] = &[
    Action {
        slot: "rest",
        scopes: &["users.read"],
        parameters: &[
            &Param::text("user_id", "User", "ID of the user.").required().options().at(Place::Path),
            &INCLUDE,
        ],
        route: rest("GET", "/users/{user_id}", Answer::Object("user")),
        output: OUTPUT,
        examples: &[Example {
            title: "One user with the ways to reach them",
            parameters: r#"{"user_id":"PUSER000000001","include":["contact_methods"]}"#,
        }],
        ..Action::get("user.get", "Get a user", "Looks up one user.", "")
    },
    Action {
        slot: "rest",
        scopes: &["users.read"],
        parameters: &[
            &Param::text("query", "Search", "Only users whose name or e-mail contains this.")
                .at(Place::Query("query")),
            &TEAM_IDS,
            &INCLUDE,
            &LIMIT,
            &ALL,
        ],
        route: rest("GET", "/users", Answer::List("users", CLASSIC)),
        output: OUTPUT,
        examples: &[Example { title: "By e-mail", parameters: r#"{"query":"ada@example.com"}"# }],
        ..Action::get("user.list", "List users", "Finds users by name, e-mail and team.", "")
    },
    Action {
        slot: "rest",
        parameters: &[&INCLUDE],
        route: rest("GET", "/users/me", Answer::Object("user")),
        output: OUTPUT,
        examples: &[Example { title: "Who am I", parameters: "{}" }],
        ..Action::get(
            "user.me",
            "Get the current user",
            "Looks up the user to whom the credential belongs. An account's API key and an app's \
             token belong to nobody.",
            "",
        )
    },
];
