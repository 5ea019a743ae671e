//! Sessions of users: sessions of users in PagerDuty's web app and mobile app.

use workflow_node_sdk::declare::{Action, Example, Kind, Param};

use super::rest;
use crate::paging::{DELETED, whole_list};
use crate::parameters::{ADDITIONAL_FIELDS, ADDITIONAL_QUERY, ALL, LIMIT};

static TYPE: Param =
    Param::new(Kind::OneOf(&["mobile", "web"]), "type", "Type", "Which kind.").query("type");

pub(super) static ACTIONS: &[Action] = &[
    rest(
        "oauth_delegation.delete",
        "Log a user out",
        "Ends the sessions of a user in the web app or the mobile app.",
        "DELETE",
        "/oauth_delegations",
    )
    .scopes(&["oauth_delegations.write"])
    .takes(&[
        &Param::text("user_id", "User", "The user that is meant.")
            .required()
            .reference("user")
            .query("user_id"),
        &TYPE.required(),
    ])
    .examples(&[Example::new("On the mobile", r#"{"user_id":"PUSER000000001","type":"mobile"}"#)]),
    rest(
        "session_configuration.get",
        "Get how long sessions last",
        "Reads after how long users must log in again.",
        "GET",
        "/session_configurations",
    )
    .scopes(&["session_configurations.read"])
    .takes(&[&TYPE, &LIMIT, &ALL, &ADDITIONAL_QUERY])
    .answer(whole_list("session_configurations"))
    .examples(&[Example::new("The first hundred", r#"{}"#)]),
    rest(
        "session_configuration.set",
        "Set how long sessions last",
        "Says after how long users must log in again.",
        "PUT",
        "/session_configurations",
    )
    .scopes(&["session_configurations.write"])
    .envelope("/session_configuration")
    .takes(&[
        &Param::new(
            Kind::Integer(600, 18144000),
            "absolute_session_ttl",
            "Longest session",
            "After how many seconds a user must log in again; 600 to 18144000.",
        )
        .required()
        .body("/absolute_session_ttl"),
        &Param::new(
            Kind::Integer(60, 15552000),
            "idle_session_ttl",
            "Longest pause",
            "After how many seconds without a request a user must log in again; 60 to 15552000.",
        )
        .required()
        .body("/idle_session_ttl"),
        &TYPE.required(),
        &LIMIT,
        &ALL,
        &ADDITIONAL_FIELDS,
    ])
    .answer(whole_list("session_configurations"))
    .examples(&[Example::new(
        "A day",
        r#"{"type":"web","absolute_session_ttl":86400,"idle_session_ttl":3600}"#,
    )]),
    rest(
        "session_configuration.delete",
        "Let sessions last as by default",
        "Removes the account's own times.",
        "DELETE",
        "/session_configurations",
    )
    .scopes(&["session_configurations.write"])
    .takes(&[&TYPE.required()])
    .answer(DELETED)
    .examples(&[Example::new("On the web", r#"{"type":"web"}"#)]),
];
