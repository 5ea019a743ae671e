//! Incidents: merging, snoozing, and what belongs to them.

use workflow_node_sdk::declare::{
    Action, Answer, Cursor, Effect, Example, Idempotency, Kind, Paging, Param, Place,
};

use super::rest;
use crate::paging::{CURSOR, one, whole_list};
use crate::parameters::{
    ADDITIONAL_FIELDS, ADDITIONAL_QUERY, ALL, BUSINESS_SERVICE_ID, FROM, INCIDENT_ID, LIMIT,
    SIMPLIFY, SINCE,
};
use crate::records::INCIDENT;

static ADDITIONAL_DETAILS: Param = Param::new(
    Kind::List(&Kind::OneOf(&["incident"])),
    "additional_details",
    "More",
    "What is told besides.",
)
.query("additional_details[]");

pub(super) static ACTIONS: &[Action] = &[
    rest(
        "incident.merge",
        "Merge incidents",
        "Makes one incident of several: the alerts of the others move to it, and the others are \
         resolved.",
        "PUT",
        "/incidents/{incident_id}/merge",
    )
    .scopes(&["incidents.write"])
    .as_user()
    .ordered_by("incident_id")
    .takes(&[
        &INCIDENT_ID,
        &Param::new(
            Kind::List(&Kind::Text),
            "source_incident_ids",
            "Incidents",
            "The incidents that become part of it.",
        )
        .required()
        .reference("incident")
        .at(Place::BodyAs("/source_incidents", r#"{"id":$,"type":"incident_reference"}"#)),
        &FROM,
        &ADDITIONAL_FIELDS,
    ])
    .answer(one("incident"))
    .gives(INCIDENT)
    .examples(&[
        Example::new(
            "Two into one",
            r#"{"incident_id":"QINCIDENT00001","source_incident_ids":["QINCIDENT00002"]}"#,
        ),
    ]),
    rest(
        "incident.snooze",
        "Snooze an incident",
        "Lets an acknowledged incident rest for a while; then it is triggered again.",
        "POST",
        "/incidents/{incident_id}/snooze",
    )
    .scopes(&["incidents.write"])
    // The time counts from when it is asked for.
    .effect(Effect::Update, Idempotency::None)
    .as_user()
    .ordered_by("incident_id")
    .check("Look at the `pending_actions` of the incident with `incident.get` before you run it again.")
    .takes(&[
        &INCIDENT_ID,
        &Param::new(
            Kind::Integer(1, 604800),
            "duration",
            "Duration",
            "How long, in seconds; seven days (604800) at most.",
        )
        .required()
        .body("/duration"),
        &FROM,
        &ADDITIONAL_FIELDS,
    ])
    .answer(one("incident"))
    .gives(INCIDENT)
    .examples(&[Example::new("For an hour", r#"{"incident_id":"QINCIDENT00003","duration":3600}"#)]),
    rest(
        "incident.outlier",
        "Get how unusual an incident is",
        "Tells whether such an incident is frequent, rare or new on its service.",
        "GET",
        "/incidents/{incident_id}/outlier_incident",
    )
    .scopes(&["incidents.read"])
    .takes(&[&INCIDENT_ID, &SINCE, &ADDITIONAL_DETAILS, &ADDITIONAL_QUERY])
    .answer(one("outlier_incident"))
    .examples(&[Example::new("One", r#"{"incident_id":"QINCIDENT00001"}"#)]),
    rest(
        "incident.past",
        "List similar incidents of the past",
        "Reads resolved incidents of the same service that resemble one.",
        "GET",
        "/incidents/{incident_id}/past_incidents",
    )
    .scopes(&["incidents.read"])
    .takes(&[&INCIDENT_ID, &LIMIT, &ALL, &ADDITIONAL_QUERY])
    .answer(Answer::List("past_incidents", &Paging::Limit("limit", 999)))
    .examples(&[Example::new("The first hundred", r#"{"incident_id":"QINCIDENT00001"}"#)]),
    rest(
        "incident.related",
        "List related incidents",
        "Reads open incidents of other services that may belong together with one.",
        "GET",
        "/incidents/{incident_id}/related_incidents",
    )
    .scopes(&["incidents.read"])
    .takes(&[&INCIDENT_ID, &ADDITIONAL_DETAILS, &LIMIT, &ALL, &ADDITIONAL_QUERY])
    .answer(whole_list("related_incidents"))
    .examples(&[Example::new("The first hundred", r#"{"incident_id":"QINCIDENT00001"}"#)]),
    rest(
        "incident.business_impacts",
        "List the business services that an incident affects",
        "Reads which business services suffer from an incident.",
        "GET",
        "/incidents/{incident_id}/business_services/impacts",
    )
    .scopes(&["incidents.read"])
    .takes(&[&INCIDENT_ID, &SIMPLIFY, &LIMIT, &ALL, &ADDITIONAL_QUERY])
    .answer(Answer::List("services", &Paging::Cursor(Cursor { limit: "", ..CURSOR })))
    .examples(&[Example::new("The first hundred", r#"{"incident_id":"QINCIDENT00001"}"#)]),
    rest(
        "incident.set_business_impact",
        "Set whether an incident affects a business service",
        "Says by hand that a business service suffers from an incident, or does not.",
        "PUT",
        "/incidents/{incident_id}/business_services/{business_service_id}/impacts",
    )
    .scopes(&["incidents.write"])
    .ordered_by("incident_id")
    .takes(&[
        &INCIDENT_ID,
        &BUSINESS_SERVICE_ID,
        &Param::new(
            Kind::OneOf(&["impacted", "not_impacted"]),
            "relation",
            "Relation",
            "Whether it is affected.",
        )
        .required()
        .body("/relation"),
        &ADDITIONAL_FIELDS,
    ])
    .examples(&[
        Example::new(
            "It does",
            r#"{"incident_id":"QINCIDENT00001","business_service_id":"PBUSINESSSERV1","relation":"impacted"}"#,
        ),
    ]),
];
