//! Incidents.

use serde_json::Value;
use workflow_node_sdk::declare::{
    Action, Answer, Effect, Example, Idempotency, Kind, Param, Place, Route,
};
use workflow_node_sdk::error::{Error, ErrorKind};
use workflow_node_sdk::http::Request;
use workflow_node_sdk::node::{Run, Task, Work, main};
use workflow_node_sdk::{context, json, percent};

use super::rest;
use crate::answers;
use crate::parameters::{
    ALL, CLASSIC, FROM, INCIDENT_ID, LIMIT, SINCE, TEAM_IDS, TIME_ZONE, UNTIL,
};

const OUTPUT: &str = r##"{"$ref":"#/$defs/incident"}"##;
const READ: &[&str] = &["incidents.read"];
const WRITE: &[&str] = &["incidents.write"];
const URGENCIES: Kind = Kind::OneOf(&["high", "low"]);
const STATUSES: Kind = Kind::OneOf(&["triggered", "acknowledged", "resolved"]);

static TITLE: Param =
    Param::text("title", "Title", "What is wrong, in one line.").at(Place::Body("/incident/title"));
static SERVICE_ID: Param = Param::text("service_id", "Service", "The service that is affected.")
    .options()
    .at(Place::BodyAs("/incident/service", r#"{"id":$,"type":"service_reference"}"#));
static PRIORITY_ID: Param = Param::text("priority_id", "Priority", "How grave it is.")
    .options()
    .nullable()
    .at(Place::BodyAs("/incident/priority", r#"{"id":$,"type":"priority_reference"}"#));
static URGENCY: Param = Param::new(
    URGENCIES,
    "urgency",
    "Urgency",
    "How loudly people are notified. The service decides when it is not given.",
)
.at(Place::Body("/incident/urgency"));
static ASSIGNEE_IDS: Param = Param::new(
    Kind::List(&Kind::Text),
    "assignee_ids",
    "Assignees",
    "The users to assign, instead of those that an escalation policy names. Cannot be combined \
     with an escalation policy.",
)
.options()
.at(Place::BodyAs("/incident/assignments", r#"{"assignee":{"id":$,"type":"user_reference"}}"#));
static ESCALATION_POLICY_ID: Param = Param::text(
    "escalation_policy_id",
    "Escalation policy",
    "Who is notified, and who next. The service's own when it is not given.",
)
.options()
.at(Place::BodyAs(
    "/incident/escalation_policy",
    r#"{"id":$,"type":"escalation_policy_reference"}"#,
));
static INCIDENT_TYPE_NAME: Param =
    Param::text("incident_type_name", "Incident type", "Name of the incident's type.")
        .at(Place::Body("/incident/incident_type/name"));
static CONFERENCE_NUMBER: Param = Param::text(
    "conference_number",
    "Conference number",
    "Phone number of the conference bridge; commas are pauses, what follows is dialled.",
)
.at(Place::Body("/incident/conference_bridge/conference_number"));
static CONFERENCE_URL: Param =
    Param::new(Kind::Url, "conference_url", "Conference URL", "Address of the conference bridge.")
        .at(Place::Body("/incident/conference_bridge/conference_url"));
static RESOLUTION: Param = Param::new(
    Kind::LongText,
    "resolution",
    "Resolution",
    "How it was resolved; written into the log. Used only when the incident is resolved.",
)
.at(Place::Body("/incident/resolution"));
static INCLUDE: Param = Param::new(
    Kind::List(&Kind::OneOf(&[
        "acknowledgers",
        "agents",
        "assignees",
        "conference_bridge",
        "escalation_policies",
        "first_trigger_log_entries",
        "priorities",
        "services",
        "teams",
        "users",
    ])),
    "include",
    "Include",
    "What is returned in full instead of as a reference.",
)
.at(Place::Query("include[]"));

/// A change of one incident.
const fn change(
    name: &'static str,
    title: &'static str,
    description: &'static str,
    constants: &'static [(&'static str, &'static str)],
) -> Action {
    const PATH: &str = "/incidents/{incident_id}";
    Action {
        slot: "rest",
        scopes: WRITE,
        acts_as_user: true,
        route: Route { constants, ..rest("PUT", PATH, Answer::Object("incident")) },
        output: OUTPUT,
        ..Action::write(Effect::Update, name, title, description, "PUT", PATH)
    }
}

pub(crate) static ACTIONS: &[Action] = &[
    Action {
        slot: "rest",
        scopes: WRITE,
        idempotency: Idempotency::Keyed,
        acts_as_user: true,
        parameters: &[
            &TITLE_REQUIRED,
            &SERVICE_ID_REQUIRED,
            &URGENCY,
            &Param::new(
                Kind::LongText,
                "details",
                "Details",
                "Everything that helps the people who respond.",
            )
            .at(Place::BodyAs("/incident/body", r#"{"type":"incident_body","details":$}"#)),
            &PRIORITY_ID,
            &ESCALATION_POLICY_ID,
            &ASSIGNEE_IDS,
            &Param::text(
                "incident_key",
                "Incident key",
                "Names this incident: while one with the same key is open on the service, \
                 PagerDuty refuses another. By default a key of this execution's item, so that \
                 a repeated execution finds its incident instead of opening a second one.",
            )
            .max(255)
            .at(Place::Body("/incident/incident_key")),
            &INCIDENT_TYPE_NAME,
            &CONFERENCE_NUMBER,
            &CONFERENCE_URL,
            &FROM,
        ],
        route: Route {
            constants: &[("/incident/type", r#""incident""#)],
            key: Some("incident_key"),
            ..rest("POST", "/incidents", Answer::Object("incident"))
        },
        run: Run::Custom(create),
        output: OUTPUT,
        examples: &[
            Example {
                title: "A checkout that fails",
                parameters: r#"{"title":"Checkout answers 500","service_id":"PSERVICE000001"}"#,
            },
            Example {
                title: "Urgent, with details",
                parameters: r#"{"title":"Database is full","service_id":"PSERVICE000001","urgency":"high","details":"/var/lib is at 100 %.","incident_key":"disk-db-1"}"#,
            },
        ],
        ..Action::write(
            Effect::Create,
            "incident.create",
            "Create an incident",
            "Opens an incident on a service and notifies the people on call.",
            "POST",
            "/incidents",
        )
    },
    Action {
        slot: "rest",
        scopes: READ,
        parameters: &[&INCIDENT_ID, &INCLUDE],
        route: rest("GET", "/incidents/{incident_id}", Answer::Object("incident")),
        output: OUTPUT,
        examples: &[Example {
            title: "One incident with its notes' authors in full",
            parameters: r#"{"incident_id":"QINCIDENT00001","include":["users"]}"#,
        }],
        ..Action::get("incident.get", "Get an incident", "Looks up one incident.", "")
    },
    Action {
        slot: "rest",
        scopes: READ,
        parameters: &[
            &Param::new(
                Kind::List(&STATUSES),
                "statuses",
                "Statuses",
                "Only incidents in one of these states.",
            )
            .at(Place::Query("statuses[]")),
            &Param::new(
                Kind::List(&URGENCIES),
                "urgencies",
                "Urgencies",
                "Only incidents of one of these urgencies.",
            )
            .at(Place::Query("urgencies[]")),
            &Param::new(
                Kind::List(&Kind::Text),
                "service_ids",
                "Services",
                "Only incidents on one of these services.",
            )
            .options()
            .at(Place::Query("service_ids[]")),
            &TEAM_IDS,
            &Param::new(
                Kind::List(&Kind::Text),
                "user_ids",
                "Users",
                "Only incidents that are assigned to one of these users; such are open ones.",
            )
            .options()
            .at(Place::Query("user_ids[]")),
            &SINCE,
            &UNTIL,
            &Param::new(
                Kind::OneOf(&["all"]),
                "date_range",
                "Date range",
                "`all` ignores Since and Until. Without any of the three PagerDuty looks back one \
                 month; Since and Until may lie six months apart.",
            )
            .at(Place::Query("date_range")),
            &Param::text("incident_key", "Incident key", "Only incidents with this key.")
                .at(Place::Query("incident_key")),
            &TIME_ZONE,
            &Param::new(
                Kind::List(&Kind::OneOf(&[
                    "incident_number:asc",
                    "incident_number:desc",
                    "created_at:asc",
                    "created_at:desc",
                    "resolved_at:asc",
                    "resolved_at:desc",
                    "urgency:asc",
                    "urgency:desc",
                ])),
                "sort_by",
                "Sort by",
                "At most two fields.",
            )
            .max(2)
            .at(Place::QueryJoined("sort_by")),
            &INCLUDE,
            &LIMIT,
            &ALL,
        ],
        route: rest("GET", "/incidents", Answer::List("incidents", CLASSIC)),
        output: OUTPUT,
        examples: &[
            Example {
                title: "What is open",
                parameters: r#"{"statuses":["triggered","acknowledged"]}"#,
            },
            Example {
                title: "The ten latest, ever",
                parameters: r#"{"date_range":"all","sort_by":["created_at:desc"],"limit":10}"#,
            },
        ],
        ..Action::get(
            "incident.list",
            "List incidents",
            "Finds incidents by state, service, person and time.",
            "",
        )
    },
    Action {
        parameters: &[
            &INCIDENT_ID,
            &Param::new(STATUSES, "status", "Status", "The state to bring it into.")
                .at(Place::Body("/incident/status")),
            &TITLE,
            &URGENCY,
            &PRIORITY_ID,
            &SERVICE_ID,
            &ESCALATION_POLICY_ID,
            &ASSIGNEE_IDS,
            &Param::new(
                Kind::Integer(1, 100),
                "escalation_level",
                "Escalation level",
                "The level of the escalation policy to escalate to.",
            )
            .at(Place::Body("/incident/escalation_level")),
            &RESOLUTION,
            &INCIDENT_TYPE_NAME,
            &CONFERENCE_NUMBER,
            &CONFERENCE_URL,
            &FROM,
        ],
        examples: &[Example {
            title: "A better title",
            parameters: r#"{"incident_id":"QINCIDENT00001","title":"Checkout answers 500 in the EU"}"#,
        }],
        ..change(
            "incident.update",
            "Update an incident",
            "Changes an incident; what is not given stays as it is.",
            &[("/incident/type", r#""incident""#)],
        )
    },
    Action {
        parameters: &[&INCIDENT_ID, &FROM],
        examples: &[Example {
            title: "I am on it",
            parameters: r#"{"incident_id":"QINCIDENT00001"}"#,
        }],
        ..change(
            "incident.acknowledge",
            "Acknowledge an incident",
            "Says that somebody works on it, which stops its escalation for a while.",
            &[("/incident/type", r#""incident""#), ("/incident/status", r#""acknowledged""#)],
        )
    },
    Action {
        parameters: &[&INCIDENT_ID, &RESOLUTION, &FROM],
        examples: &[Example {
            title: "Done, and how",
            parameters: r#"{"incident_id":"QINCIDENT00002","resolution":"The certificate was renewed."}"#,
        }],
        ..change(
            "incident.resolve",
            "Resolve an incident",
            "Closes an incident. It cannot be changed afterwards.",
            &[("/incident/type", r#""incident""#), ("/incident/status", r#""resolved""#)],
        )
    },
];

static TITLE_REQUIRED: Param = TITLE.required();
static SERVICE_ID_REQUIRED: Param = SERVICE_ID.required();

/// Creates an incident. Where PagerDuty refuses it because the execution's own key is taken, this
/// execution has been here before: the incident that exists is the result.
fn create(task: Task) -> Work {
    Box::pin(async move {
        let error = match task.run_declared().await {
            Err(error) if answers::is_key_conflict(&error) => error,
            result => return result,
        };
        if task.text("incident_key").is_some() {
            return Err(error);
        }
        let mut url = format!("{}/incidents", task.credential.base_url("rest")?);
        percent::append_query(&mut url, "incident_key", &context::idempotency_key(task.item));
        percent::append_query(&mut url, "date_range", "all");
        for status in ["triggered", "acknowledged"] {
            percent::append_query(&mut url, "statuses[]", status);
        }
        if let Some(service) = task.text("service_id") {
            percent::append_query(&mut url, "service_ids[]", service);
        }
        let response = task.send(Request::new("GET", url)).await?;
        let members = response.members()?;
        let incidents = members.get("incidents").and_then(json::elements);
        let incidents = incidents.unwrap_or_default();
        let Some(existing) = incidents.first() else {
            // It was closed between the two requests. Opening another would be the second write.
            return Err(Error {
                kind: ErrorKind::Conflict,
                message: "this execution has opened the incident before, and it has been closed \
                          since: nothing was opened now"
                    .into(),
                ..error
                    .with_detail("incident_key", Value::from(context::idempotency_key(task.item)))
            });
        };
        Ok(vec![main((*existing).to_owned())])
    })
}
