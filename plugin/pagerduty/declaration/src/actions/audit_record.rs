//! Audit records: who changed what in the account, and by which way.

use workflow_node_sdk::declare::{Action, Example, Kind, Param, Place};

use super::rest;
use crate::paging::cursor;
use crate::parameters::{
    ADDITIONAL_QUERY, ALL, ESCALATION_POLICY_ID, LIMIT, SCHEDULE_ID, SCHEDULE_V3_ID, SERVICE_ID,
    SINCE, TEAM_ID, UNTIL, USER_ID,
};

pub(super) static ACTIONS: &[Action] = &[
    rest(
        "audit_record.list",
        "List audit records",
        "Reads the changes of the account, latest first. Without times those of the last 24 hours; \
         at most 31 days at once.",
        "GET",
        "/audit/records",
    )
    .scopes(&["audit_records.read"])
    .takes(&[
        &SINCE,
        &UNTIL,
        &Param::new(
            Kind::List(&Kind::OneOf(&[
                "users",
                "teams",
                "schedules",
                "escalation_policies",
                "services",
                "ip_allow_lists",
            ])),
            "root_resource_types",
            "Kinds",
            "Only changes of these kinds of things.",
        )
        .query("root_resource_types[]"),
        &Param::new(
            Kind::OneOf(&["user_reference", "api_key_reference", "app_reference"]),
            "actor_type",
            "Kind of actor",
            "Only changes by such: a user, an API key, an app. Needs the actor's ID.",
        )
        .query("actor_type"),
        &Param::text(
            "actor_id",
            "Actor",
            "ID of the one who made the changes. Needs the kind of actor.",
        )
        .query("actor_id"),
        &Param::new(
            Kind::OneOf(&["browser", "oauth", "api_token", "identity_provider", "other"]),
            "method_type",
            "Way",
            "Only changes made in this way.",
        )
        .query("method_type"),
        &Param::text(
            "method_truncated_token",
            "End of the token",
            "The last characters of the API key with which the changes were made.",
        )
        .query("method_truncated_token"),
        &Param::new(
            Kind::List(&Kind::OneOf(&["create", "update", "delete"])),
            "actions",
            "Changes",
            "Only creations, updates or deletions.",
        )
        .query("actions[]"),
        &LIMIT,
        &ALL,
        &ADDITIONAL_QUERY,
    ])
    .answer(cursor("records"))
    .examples(&[Example::new("What was deleted", r#"{"actions":["delete"],"limit":20}"#)]),
    rest(
        "audit_record.of_service",
        "List the audit records of a service",
        "Reads the changes of one service, latest first.",
        "GET",
        "/services/{service_id}/audit/records",
    )
    .scopes(&["audit_records.read"])
    .takes(&[&SERVICE_ID, &SINCE, &UNTIL, &LIMIT, &ALL, &ADDITIONAL_QUERY])
    .answer(cursor("records"))
    .examples(&[Example::new("The first hundred", r#"{"service_id":"PSERVICE000001"}"#)]),
    rest(
        "audit_record.of_team",
        "List the audit records of a team",
        "Reads the changes of one team, latest first.",
        "GET",
        "/teams/{team_id}/audit/records",
    )
    .scopes(&["audit_records.read"])
    .takes(&[&TEAM_ID, &SINCE, &UNTIL, &LIMIT, &ALL, &ADDITIONAL_QUERY])
    .answer(cursor("records"))
    .examples(&[Example::new("The first hundred", r#"{"team_id":"PTEAM000000001"}"#)]),
    rest(
        "audit_record.of_user",
        "List the audit records of a user",
        "Reads the changes of one user, latest first.",
        "GET",
        "/users/{user_id}/audit/records",
    )
    .scopes(&["audit_records.read"])
    .takes(&[&USER_ID, &SINCE, &UNTIL, &LIMIT, &ALL, &ADDITIONAL_QUERY])
    .answer(cursor("records"))
    .examples(&[Example::new("The first hundred", r#"{"user_id":"PUSER000000001"}"#)]),
    rest(
        "audit_record.of_schedule",
        "List the audit records of a schedule",
        "Reads the changes of one schedule, latest first.",
        "GET",
        "/schedules/{schedule_id}/audit/records",
    )
    .scopes(&["audit_records.read"])
    .takes(&[&SCHEDULE_ID, &SINCE, &UNTIL, &LIMIT, &ALL, &ADDITIONAL_QUERY])
    .answer(cursor("records"))
    .examples(&[Example::new("The first hundred", r#"{"schedule_id":"PSCHEDULE00001"}"#)]),
    rest(
        "audit_record.of_schedule_v3",
        "List the audit records of a shift-based schedule",
        "Reads the changes of one shift-based schedule, latest first.",
        "GET",
        "/v3/schedules/{schedule_v3_id}/audit/records",
    )
    .scopes(&["audit_records.read"])
    .takes(&[&SCHEDULE_V3_ID, &SINCE, &UNTIL, &LIMIT, &ALL, &ADDITIONAL_QUERY])
    .answer(cursor("records"))
    .early_access()
    .examples(&[Example::new("The first hundred", r#"{"schedule_v3_id":"PSCHEDULE00001"}"#)]),
    rest(
        "audit_record.of_escalation_policy",
        "List the audit records of an escalation policy",
        "Reads the changes of one escalation policy, latest first.",
        "GET",
        "/escalation_policies/{escalation_policy_id}/audit/records",
    )
    .scopes(&["audit_records.read"])
    .takes(&[&ESCALATION_POLICY_ID, &SINCE, &UNTIL, &LIMIT, &ALL, &ADDITIONAL_QUERY])
    .answer(cursor("records"))
    .examples(&[Example::new("The first hundred", r#"{"escalation_policy_id":"PESCALATIONPO1"}"#)]),
    rest(
        "audit_record.of_ip_allow_list",
        "List the audit records of an IP allow list",
        "Reads the changes of one IP allow list, latest first.",
        "GET",
        "/ip_allow_lists/{ip_allow_list_id}/audit/records",
    )
    .scopes(&["audit_records.read"])
    .takes(&[
        &Param::text("ip_allow_list_id", "IP allow list", "ID of the IP allow list.")
            .required()
            .reference("ip_allow_list")
            .at(Place::Path),
        &SINCE,
        &UNTIL,
        &LIMIT,
        &ALL,
        &ADDITIONAL_QUERY,
    ])
    .answer(cursor("records"))
    .early_access()
    .headers(&[("x-early-access", "ip-allow-lists")])
    .examples(&[Example::new("The first hundred", r#"{"ip_allow_list_id":"PIPALLOWLIST01"}"#)]),
];
