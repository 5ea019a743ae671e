//! Incident communication: who else helps with an incident, and who is told how it goes.

use workflow_node_sdk::declare::{Action, Effect, Example, Idempotency, Kind, Param, Run};

use super::rest;
use crate::paging::{one, undocumented, whole_list};
use crate::parameters::{ADDITIONAL_FIELDS, ADDITIONAL_QUERY, ALL, FROM, INCIDENT_ID, LIMIT};

/// Whom a kind of responder means.
const RESPONDERS: &[(&str, &str)] =
    &[("user_reference", "user"), ("escalation_policy_reference", "escalation_policy")];

static REQUESTER_ID: Param = Param::text(
    "requester_id",
    "Requester",
    "The user who asks. By default the user of the credential.",
)
.reference("user")
.body("/requester_id");
static SUBSCRIBERS: Param = Param::new(
    Kind::Objects(&[
        &Param::text("subscriber_id", "Subscriber", "The user or team.")
            .reference_by("subscriber_type", &[("user", "user"), ("team", "team")]),
        &Param::new(Kind::OneOf(&["user", "team"]), "subscriber_type", "Kind", "A user or a team."),
    ]),
    "subscribers",
    "Subscribers",
    "Users and teams.",
)
.body("/subscribers");

pub(super) static ACTIONS: &[Action] = &[
    rest(
        "incident_responder.request",
        "Add responders to an incident",
        "Asks users, and whoever is on call for escalation policies, to help with an incident. \
         Needs the ability coordinated_responding.",
        "POST",
        "/incidents/{incident_id}/responder_requests",
    )
    .check("Look at the incident's responders with `incident.get` before you run it again.")
    .scopes(&["incidents.write"])
    .effect(Effect::Execute, Idempotency::None)
    .ordered_by("incident_id")
    .takes(&[
        &INCIDENT_ID,
        &Param::new(Kind::LongText, "message", "Message", "What is told.")
            .required()
            .body("/message"),
        &Param::new(
            Kind::Objects(&[
                &Param::new(
                    Kind::OneOf(&["user_reference", "escalation_policy_reference"]),
                    "type",
                    "Kind",
                    "A user or an escalation policy.",
                )
                .required()
                .body("/responder_request_target/type"),
                &Param::text("id", "Who", "The user or escalation policy.")
                    .required()
                    .reference_by("type", RESPONDERS)
                    .body("/responder_request_target/id"),
            ]),
            "responder_request_targets",
            "Whom",
            "Users, and escalation policies whose people on call are asked.",
        )
        .required()
        .body("/responder_request_targets"),
        &REQUESTER_ID,
        &ADDITIONAL_FIELDS,
    ])
    .answer(one("responder_request"))
    .runs(Run::Custom)
    .examples(&[
        Example::new(
            "One user",
            r#"{"incident_id":"QINCIDENT00001","requester_id":"PUSER000000001","message":"Please help with the database.","responder_request_targets":[{"id":"PUSER000000002","type":"user_reference"}]}"#,
        ),
    ]),
    rest(
        "incident_responder.cancel",
        "Cancel requests to responders",
        "Takes back requests that have not been answered.",
        "PUT",
        "/incidents/{incident_id}/responder_requests/cancel",
    )
    .scopes(&["incidents.write"])
    .ordered_by("incident_id")
    .takes(&[
        &INCIDENT_ID,
        &Param::new(
            Kind::Objects(&[
                &Param::new(
                    Kind::OneOf(&["user_reference", "escalation_policy_reference"]),
                    "type",
                    "Kind",
                    "A user or an escalation policy.",
                )
                .required(),
                &Param::text("id", "Who", "The user or escalation policy.")
                    .required()
                    .reference_by("type", RESPONDERS),
            ]),
            "responder_request_targets",
            "Whom",
            "Users, and escalation policies whose people on call are asked.",
        )
        .required()
        .body("/responder_request_targets"),
        &REQUESTER_ID,
        &LIMIT,
        &ALL,
        &ADDITIONAL_FIELDS,
    ])
    .answer(whole_list("responder_request_targets"))
    .runs(Run::Custom)
    .examples(&[
        Example::new(
            "One user",
            r#"{"incident_id":"QINCIDENT00001","requester_id":"PUSER000000001","responder_request_targets":[{"id":"PUSER000000002","type":"user_reference"}]}"#,
        ),
    ]),
    rest(
        "incident_status_update.create",
        "Post a status update",
        "Tells the subscribers of an incident how it goes.",
        "POST",
        "/incidents/{incident_id}/status_updates",
    )
    .check("Look at the log of the incident with `log_entry.of_incident` before you run it again.")
    .scopes(&["incidents.write"])
    .as_user()
    .ordered_by("incident_id")
    .takes(&[
        &INCIDENT_ID,
        &Param::new(Kind::LongText, "message", "Message", "What the subscribers are told.")
            .required()
            .body("/message"),
        &Param::text("subject", "Subject", "Subject of the e-mails.").body("/subject"),
        &Param::new(
            Kind::LongText,
            "html_message",
            "Message in HTML",
            "What e-mails say instead of the message.",
        )
        .body("/html_message"),
        &FROM,
        &ADDITIONAL_FIELDS,
    ])
    .answer(one("status_update"))
    .examples(&[
        Example::new(
            "Good news",
            r#"{"incident_id":"QINCIDENT00001","message":"The cause is found; a fix is on its way."}"#,
        ),
    ]),
    rest(
        "incident_subscriber.list",
        "List the subscribers of an incident",
        "Reads who gets the status updates of an incident.",
        "GET",
        "/incidents/{incident_id}/status_updates/subscribers",
    )
    .scopes(&["subscribers.read"])
    .takes(&[&INCIDENT_ID, &LIMIT, &ALL, &ADDITIONAL_QUERY])
    .answer(undocumented("subscribers"))
    .examples(&[Example::new("The first hundred", r#"{"incident_id":"QINCIDENT00001"}"#)]),
    rest(
        "incident_subscriber.create",
        "Subscribe people to an incident",
        "Lets users and teams get the status updates of an incident.",
        "POST",
        "/incidents/{incident_id}/status_updates/subscribers",
    )
    .scopes(&["subscribers.write"])
    .effect(Effect::Update, Idempotency::Idempotent)
    .ordered_by("incident_id")
    .takes(&[&INCIDENT_ID, &SUBSCRIBERS.required(), &LIMIT, &ALL, &ADDITIONAL_FIELDS])
    .answer(whole_list("subscriptions"))
    .examples(&[
        Example::new(
            "A user",
            r#"{"incident_id":"QINCIDENT00001","subscribers":[{"subscriber_id":"PUSER000000002","subscriber_type":"user"}]}"#,
        ),
    ]),
    rest(
        "incident_subscriber.delete",
        "Unsubscribe people from an incident",
        "Ends the status updates of an incident for users and teams.",
        "POST",
        "/incidents/{incident_id}/status_updates/unsubscribe",
    )
    .scopes(&["subscribers.write"])
    .effect(Effect::Update, Idempotency::Idempotent)
    .ordered_by("incident_id")
    .takes(&[&INCIDENT_ID, &SUBSCRIBERS.required(), &ADDITIONAL_FIELDS])
    .examples(&[
        Example::new(
            "A user",
            r#"{"incident_id":"QINCIDENT00001","subscribers":[{"subscriber_id":"PUSER000000002","subscriber_type":"user"}]}"#,
        ),
    ]),
];
