//! Incident alerts: the alerts that incidents are made of.

use workflow_node_sdk::declare::{Action, Example, Kind, Param, Place};

use super::rest;
use crate::flat::ALERT_FLAT;
use crate::paging::{classic, one, whole_list};
use crate::parameters::{
    ADDITIONAL_FIELDS, ADDITIONAL_QUERY, ALL, FROM, INCIDENT_ID, LIMIT, SIMPLIFY,
};
use crate::records::ALERT;

static ALERT_ID: Param = Param::text("alert_id", "Alert", "ID of the alert.")
    .reference("incident_alert")
    .at(Place::Path);

pub(super) static ACTIONS: &[Action] = &[
    rest(
        "incident_alert.list",
        "List the alerts of an incident",
        "Reads the alerts that an incident is made of.",
        "GET",
        "/incidents/{incident_id}/alerts",
    )
    .scopes(&["incidents.read"])
    .takes(&[
        &INCIDENT_ID,
        &Param::text("alert_key", "Alert key", "Only alerts with this key.").query("alert_key"),
        &Param::new(
            Kind::List(&Kind::OneOf(&["triggered", "resolved"])),
            "statuses",
            "States",
            "Only those in one of these states.",
        )
        .query("statuses[]"),
        &Param::new(
            Kind::List(&Kind::OneOf(&[
                "created_at",
                "resolved_at",
                "created_at:asc",
                "created_at:desc",
                "resolved_at:asc",
                "resolved_at:desc",
            ])),
            "sort_by",
            "Sort by",
            "At most two fields.",
        )
        .max(2)
        .at(Place::QueryJoined("sort_by")),
        &Param::new(
            Kind::List(&Kind::OneOf(&["services", "first_trigger_log_entries", "incidents"])),
            "include",
            "Include",
            "What is returned in full instead of as a reference.",
        )
        .query("include[]"),
        &SIMPLIFY,
        &LIMIT,
        &ALL,
        &ADDITIONAL_QUERY,
    ])
    .answer(classic("alerts"))
    .gives(ALERT)
    .simple(&ALERT_FLAT)
    .examples(&[Example::new("The first hundred", r#"{"incident_id":"QINCIDENT00001"}"#)]),
    rest(
        "incident_alert.get",
        "Get an alert of an incident",
        "Looks up one alert.",
        "GET",
        "/incidents/{incident_id}/alerts/{alert_id}",
    )
    .scopes(&["incidents.read"])
    .takes(&[&INCIDENT_ID, &ALERT_ID.required(), &SIMPLIFY, &ADDITIONAL_QUERY])
    .answer(one("alert"))
    .gives(ALERT)
    .simple(&ALERT_FLAT)
    .examples(&[
        Example::new("One", r#"{"incident_id":"QINCIDENT00001","alert_id":"PALERT00000001"}"#),
    ]),
    rest(
        "incident_alert.update",
        "Update an alert of an incident",
        "Resolves an alert, or moves it to another incident.",
        "PUT",
        "/incidents/{incident_id}/alerts/{alert_id}",
    )
    .scopes(&["incidents.write"])
    .as_user()
    .ordered_by("incident_id")
    .envelope("/alert")
    .constants(&[("/type", r#""alert""#)])
    .takes(&[
        &INCIDENT_ID,
        &ALERT_ID.required(),
        &Param::new(
            Kind::OneOf(&["resolved", "triggered"]),
            "status",
            "State",
            "Resolved, or triggered.",
        )
        .body("/status"),
        &Param::text(
            "target_incident_id",
            "Move to",
            "Another incident that it is moved to: its ID, number or address.",
        )
        .reference("incident")
        .at(Place::BodyAs("/incident", r#"{"id":$,"type":"incident_reference"}"#)),
        &FROM,
        &ADDITIONAL_FIELDS,
    ])
    .answer(one("alert"))
    .gives(ALERT)
    .examples(&[
        Example::new(
            "Resolve it",
            r#"{"incident_id":"QINCIDENT00001","alert_id":"PALERT00000001","status":"resolved"}"#,
        ),
    ]),
    rest(
        "incident_alert.update_many",
        "Update many alerts of an incident",
        "Resolves alerts of an incident, or moves them to another one, up to 250 with one request.",
        "PUT",
        "/incidents/{incident_id}/alerts",
    )
    .scopes(&["incidents.write"])
    .as_user()
    .ordered_by("incident_id")
    .takes(&[
        &INCIDENT_ID,
        &Param::new(
            Kind::Objects(&[
                &Param::text("id", "Alert", "ID of the alert.")
                    .required()
                    .reference("incident_alert"),
                &Param::constant("type", r#""alert""#),
                &Param::new(
                    Kind::OneOf(&["resolved", "triggered"]),
                    "status",
                    "State",
                    "Resolved, or triggered.",
                ),
                &Param::text(
                    "target_incident_id",
                    "Move to",
                    "Another incident that it is moved to: its ID, number or address.",
                )
                .reference("incident")
                .at(Place::BodyAs("/incident", r#"{"id":$,"type":"incident_reference"}"#)),
            ]),
            "alerts",
            "Alerts",
            "The alerts, each with what shall change. More than 250 are sent in parts.",
        )
        .required()
        .body("/alerts"),
        &FROM,
        &LIMIT,
        &ALL,
        &ADDITIONAL_FIELDS,
    ])
    .answer(whole_list("alerts"))
    .gives(ALERT)
    .examples(&[
        Example::new(
            "Resolve one",
            r#"{"incident_id":"QINCIDENT00001","alerts":[{"id":"PALERT00000001","status":"resolved"}]}"#,
        ),
    ]),
];
