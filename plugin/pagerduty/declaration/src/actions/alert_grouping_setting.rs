//! Alert grouping settings: which alerts of a service become one incident.

use workflow_node_sdk::declare::{Action, Answer, Cursor, Example, Kind, Paging, Param, Place};

use super::rest;
use crate::paging::{CURSOR, DELETED, one};
use crate::parameters::{ADDITIONAL_FIELDS, ADDITIONAL_QUERY, ALL, LIMIT};

static NAME: Param = Param::text("name", "Name", "Its name.").nullable().body("/name");
static DESCRIPTION: Param =
    Param::new(Kind::LongText, "description", "Description", "What it is for.")
        .nullable()
        .body("/description");
static TYPE: Param = Param::new(
    Kind::OneOf(&["content_based", "content_based_intelligent", "intelligent", "time"]),
    "type",
    "Kind",
    "By time, by content, or by PagerDuty's own judgement.",
)
.body("/type");
static CONFIG: Param = Param::new(
    Kind::Object(&[
        &Param::new(
            Kind::OneOf(&["all", "any"]),
            "aggregate",
            "Match",
            "Whether all of the fields must be equal, or any (content_based).",
        ),
        &Param::new(
            Kind::List(&Kind::Text),
            "fields",
            "Fields",
            "Which fields must be equal (content_based).",
        ),
        &Param::new(
            Kind::Integer(300, 86400),
            "time_window",
            "Time window",
            "How long an incident takes alerts in, in seconds.",
        ),
        &Param::new(
            Kind::Integer(60, 86400),
            "timeout",
            "Timeout",
            "How long alerts are grouped together, in seconds (time).",
        ),
        &Param::new(
            Kind::List(&Kind::Text),
            "iag_fields",
            "Fields",
            "Which fields are compared (intelligent).",
        )
        .default(r#"["summary"]"#),
    ]),
    "config",
    "Settings",
    "How alerts are grouped: which settings apply depends on the type.",
)
.body("/config");
static SERVICE_IDS: Param =
    Param::new(Kind::List(&Kind::Text), "service_ids", "Services", "The services that are meant.")
        .reference("service")
        .at(Place::BodyAs("/services", r#"{"id":$,"type":"service_reference"}"#));
static ALERT_GROUPING_SETTING_ID: Param = Param::text(
    "alert_grouping_setting_id",
    "Setting",
    "The alert grouping setting that is meant.",
)
.reference("alert_grouping_setting")
.at(Place::Path);

pub(super) static ACTIONS: &[Action] = &[
    rest(
        "alert_grouping_setting.list",
        "List alert grouping settings",
        "Reads how alerts are grouped, of all services or of some.",
        "GET",
        "/alert_grouping_settings",
    )
    .scopes(&["services.read"])
    .takes(&[
        &Param::new(
            Kind::List(&Kind::Text),
            "service_ids",
            "Services",
            "The services that are meant.",
        )
        .reference("service")
        .query("service_ids[]"),
        &LIMIT,
        &ALL,
        &ADDITIONAL_QUERY,
    ])
    .answer(Answer::List("alert_grouping_settings", &Paging::Cursor(Cursor { cursor: "after", next: "after", ..CURSOR })))
    .examples(&[Example::new("The first hundred", r#"{}"#)]),
    rest(
        "alert_grouping_setting.create",
        "Create an alert grouping setting",
        "Says which alerts of some services become one incident.",
        "POST",
        "/alert_grouping_settings",
    )
    .scopes(&["services.write"])
    .envelope("/alert_grouping_setting")
    .takes(&[&NAME, &DESCRIPTION, &TYPE, &CONFIG, &SERVICE_IDS, &ADDITIONAL_FIELDS])
    .answer(one("alert_grouping_setting"))
    .examples(&[
        Example::new(
            "By time, five minutes",
            r#"{"type":"time","name":"Five minutes","config":{"timeout":300},"service_ids":["PSERVICE000001"]}"#,
        ),
    ]),
    rest(
        "alert_grouping_setting.get",
        "Get an alert grouping setting",
        "Looks up one setting.",
        "GET",
        "/alert_grouping_settings/{alert_grouping_setting_id}",
    )
    .scopes(&["services.read"])
    .takes(&[&ALERT_GROUPING_SETTING_ID.required(), &ADDITIONAL_QUERY])
    .answer(one("alert_grouping_setting"))
    .examples(&[Example::new("One", r#"{"alert_grouping_setting_id":"PALERTGROUPIN1"}"#)]),
    rest(
        "alert_grouping_setting.update",
        "Update an alert grouping setting",
        "Changes how alerts are grouped, or for which services.",
        "PUT",
        "/alert_grouping_settings/{alert_grouping_setting_id}",
    )
    .scopes(&["services.write"])
    .envelope("/alert_grouping_setting")
    .takes(&[
        &ALERT_GROUPING_SETTING_ID.required(),
        &NAME,
        &DESCRIPTION,
        &TYPE,
        &CONFIG,
        &SERVICE_IDS,
        &ADDITIONAL_FIELDS,
    ])
    .answer(one("alert_grouping_setting"))
    .examples(&[
        Example::new(
            "Ten minutes",
            r#"{"alert_grouping_setting_id":"PALERTGROUPIN1","config":{"timeout":600}}"#,
        ),
    ]),
    rest(
        "alert_grouping_setting.delete",
        "Delete an alert grouping setting",
        "Ends a way of grouping: its services make an incident of each alert again.",
        "DELETE",
        "/alert_grouping_settings/{alert_grouping_setting_id}",
    )
    .scopes(&["services.write"])
    .takes(&[&ALERT_GROUPING_SETTING_ID.required()])
    .answer(DELETED)
    .examples(&[Example::new("One", r#"{"alert_grouping_setting_id":"PALERTGROUPIN1"}"#)]),
];
