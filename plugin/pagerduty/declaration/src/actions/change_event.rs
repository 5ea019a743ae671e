//! Change events: deploys and other changes, shown beside incidents. They are sent with an events credential.

use workflow_node_sdk::declare::{Action, Answer, Example, Kind, Paging, Param, Place};

use super::rest;
use crate::flat::CHANGE_EVENT_FLAT;
use crate::paging::{CHANGE_EVENTS, one};
use crate::parameters::{
    ADDITIONAL_FIELDS, ADDITIONAL_QUERY, ALL, INCIDENT_ID, LIMIT, SERVICE_ID, SIMPLIFY, SINCE,
    TEAM_IDS, UNTIL,
};
use crate::records::CHANGE_EVENT;

static INTEGRATION_IDS: Param = Param::new(
    Kind::List(&Kind::Text),
    "integration_ids",
    "Integrations",
    "Only what came by these integrations.",
)
.query("integration_ids[]");
static CHANGE_EVENT_ID: Param =
    Param::text("change_event_id", "Change event", "ID of the change event.")
        .reference("change_event")
        .at(Place::Path);

pub(super) static ACTIONS: &[Action] = &[
    rest(
        "change_event.list",
        "List change events",
        "Reads what was changed, latest first. Kept for 90 days.",
        "GET",
        "/change_events",
    )
    .scopes(&["change_events.read"])
    .takes(&[
        &TEAM_IDS,
        &INTEGRATION_IDS,
        &SINCE,
        &UNTIL,
        &SIMPLIFY,
        &LIMIT,
        &ALL,
        &ADDITIONAL_QUERY,
    ])
    .answer(Answer::List("change_events", &CHANGE_EVENTS))
    .gives(CHANGE_EVENT)
    .simple(&CHANGE_EVENT_FLAT)
    .examples(&[Example::new(
        "Of one day",
        r#"{"since":"2026-01-01T00:00:00Z","until":"2026-01-02T00:00:00Z"}"#,
    )]),
    rest(
        "change_event.get",
        "Get a change event",
        "Looks up one change event.",
        "GET",
        "/change_events/{change_event_id}",
    )
    .scopes(&["change_events.read"])
    .takes(&[&CHANGE_EVENT_ID.required(), &SIMPLIFY, &ADDITIONAL_QUERY])
    .answer(one("change_event"))
    .gives(CHANGE_EVENT)
    .simple(&CHANGE_EVENT_FLAT)
    .examples(&[Example::new("One", r#"{"change_event_id":"PCHANGEEVENT01"}"#)]),
    rest(
        "change_event.update",
        "Update a change event",
        "Changes the summary or the details of a change event.",
        "PUT",
        "/change_events/{change_event_id}",
    )
    .scopes(&["change_events.write"])
    .envelope("/change_event")
    .constants(&[("/type", r#""change_event""#)])
    .takes(&[
        &CHANGE_EVENT_ID.required(),
        &Param::text("summary", "Summary", "What it says, in one line.").body("/summary"),
        &Param::new(
            Kind::OneOf(&[
                "aws_cloudwatch_inbound_integration_reference",
                "cloudkick_inbound_integration_reference",
                "event_transformer_api_inbound_integration_reference",
                "generic_email_inbound_integration_reference",
                "generic_events_api_inbound_integration_reference",
                "keynote_inbound_integration_reference",
                "nagios_inbound_integration_reference",
                "pingdom_inbound_integration_reference",
                "sql_monitor_inbound_integration_reference",
                "events_api_v2_inbound_integration_reference",
                "inbound_integration_reference",
            ]),
            "integration_type",
            "Kind of integration",
            "By which kind of integration it came.",
        )
        .body("/integration/type"),
        &Param::text("integration_id", "Integration", "By which integration it came.")
            .body("/integration/id"),
        &Param::new(Kind::Map, "custom_details", "Details", "Anything else, by name.")
            .body("/custom_details"),
        &ADDITIONAL_FIELDS,
    ])
    .answer(one("change_event"))
    .gives(CHANGE_EVENT)
    .examples(&[Example::new(
        "A better summary",
        r#"{"change_event_id":"PCHANGEEVENT01","summary":"Deployed build 4711 to the EU"}"#,
    )]),
    rest(
        "change_event.of_incident",
        "List change events that may have caused an incident",
        "Reads the changes that PagerDuty relates to an incident.",
        "GET",
        "/incidents/{incident_id}/related_change_events",
    )
    .scopes(&["incidents.read"])
    .takes(&[&INCIDENT_ID, &SIMPLIFY, &LIMIT, &ALL, &ADDITIONAL_QUERY])
    .answer(Answer::List("change_events", &Paging::Limit("limit", 100)))
    .gives(CHANGE_EVENT)
    .simple(&CHANGE_EVENT_FLAT)
    .examples(&[Example::new("The first hundred", r#"{"incident_id":"QINCIDENT00001"}"#)]),
    rest(
        "change_event.of_service",
        "List the change events of a service",
        "Reads what was changed on one service, latest first.",
        "GET",
        "/services/{service_id}/change_events",
    )
    .scopes(&["services.read"])
    .takes(&[
        &SERVICE_ID,
        &SINCE,
        &UNTIL,
        &TEAM_IDS,
        &INTEGRATION_IDS,
        &SIMPLIFY,
        &LIMIT,
        &ALL,
        &ADDITIONAL_QUERY,
    ])
    .answer(Answer::List("change_events", &CHANGE_EVENTS))
    .gives(CHANGE_EVENT)
    .simple(&CHANGE_EVENT_FLAT)
    .examples(&[Example::new("The first hundred", r#"{"service_id":"PSERVICE000001"}"#)]),
];
