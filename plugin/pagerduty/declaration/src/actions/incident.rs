//! Incidents: opening, finding and changing them.

use workflow_node_sdk::declare::{
    Action, Answer, Effect, Example, Idempotency, Kind, Param, Place, Run,
};

use super::rest;
use crate::flat::INCIDENT_FLAT;
use crate::paging::{INCIDENTS, one};
use crate::parameters::{
    ADDITIONAL_FIELDS, ADDITIONAL_QUERY, ALL, FROM, INCIDENT_ID, LIMIT, SIMPLIFY, SINCE, TEAM_IDS,
    TIME_ZONE, UNTIL,
};
use crate::records::INCIDENT;

const READ: &[&str] = &["incidents.read"];
const WRITE: &[&str] = &["incidents.write"];
const URGENCIES: Kind = Kind::OneOf(&["high", "low"]);
const STATUSES: Kind = Kind::OneOf(&["triggered", "acknowledged", "resolved"]);
const IS_INCIDENT: (&str, &str) = ("/type", r#""incident""#);

static TITLE: Param = Param::text("title", "Title", "What is wrong, in one line.").body("/title");
static SERVICE_ID: Param =
    Param::text("service_id", "Service", "The service that is affected: its ID, name or address.")
        .reference("service")
        .at(Place::BodyAs("/service", r#"{"id":$,"type":"service_reference"}"#));
static PRIORITY_ID: Param =
    Param::text("priority_id", "Priority", "How grave it is: ID or name, e.g. P1.")
        .reference("priority")
        .nullable()
        .at(Place::BodyAs("/priority", r#"{"id":$,"type":"priority_reference"}"#));
static URGENCY: Param = Param::new(
    URGENCIES,
    "urgency",
    "Urgency",
    "How loudly people are notified. The service decides when it is not given.",
)
.body("/urgency");
static ASSIGNEE_IDS: Param = Param::new(
    Kind::List(&Kind::Text),
    "assignee_ids",
    "Assignees",
    "The users to assign, instead of those that an escalation policy names: IDs, names or e-mail \
     addresses. Cannot be combined with an escalation policy.",
)
.reference("user")
.at(Place::BodyAs("/assignments", r#"{"assignee":{"id":$,"type":"user_reference"}}"#));
static ESCALATION_POLICY_ID: Param = Param::text(
    "escalation_policy_id",
    "Escalation policy",
    "Who is notified, and who next. The service's own when it is not given.",
)
.reference("escalation_policy")
.at(Place::BodyAs("/escalation_policy", r#"{"id":$,"type":"escalation_policy_reference"}"#));
static ESCALATION_LEVEL: Param = Param::new(
    Kind::Integer(1, 100),
    "escalation_level",
    "Escalation level",
    "The level of the escalation policy to escalate to.",
)
.body("/escalation_level");
static STATUS: Param =
    Param::new(STATUSES, "status", "Status", "The state to bring it into.").body("/status");
static INCIDENT_TYPE_NAME: Param =
    Param::text("incident_type_name", "Incident type", "Name of the incident's type.")
        .body("/incident_type/name");
static CONFERENCE_NUMBER: Param = Param::text(
    "conference_number",
    "Conference number",
    "Phone number of the conference bridge; commas are pauses, what follows is dialled.",
)
.body("/conference_bridge/conference_number");
static CONFERENCE_URL: Param =
    Param::new(Kind::Url, "conference_url", "Conference URL", "Address of the conference bridge.")
        .body("/conference_bridge/conference_url");
static RESOLUTION: Param = Param::new(
    Kind::LongText,
    "resolution",
    "Resolution",
    "How it was resolved; written into the log. Used only when the incident is resolved.",
)
.body("/resolution");
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
.query("include[]");
static INCLUDE_ONE: Param = Param {
    kind: Kind::List(&Kind::OneOf(&[
        "acknowledgers",
        "agents",
        "assignees",
        "conference_bridge",
        "custom_fields",
        "escalation_policies",
        "first_trigger_log_entries",
        "priorities",
        "services",
        "teams",
        "users",
    ])),
    ..INCLUDE
};

/// How to find out whether a change was made.
const CHECK: &str = "Look at the incident with `incident.get` before you run it again.";

/// A change of one incident. Many items are changed with few requests.
const fn change(name: &'static str, title: &'static str, description: &'static str) -> Action {
    rest(name, title, description, "PUT", "/incidents/{incident_id}")
        .scopes(WRITE)
        .as_user()
        .ordered_by("incident_id")
        .envelope("/incident")
        .constants(&[IS_INCIDENT])
        .answer(one("incident"))
        .gives(INCIDENT)
        .check(CHECK)
        .runs(Run::Batch)
}

/// A change that notifies people anew, as often as it is made.
const fn notifying(name: &'static str, title: &'static str, description: &'static str) -> Action {
    change(name, title, description).effect(Effect::Update, Idempotency::None)
}

pub(super) static ACTIONS: &[Action] = &[
    rest(
        "incident.create",
        "Create an incident",
        "Opens an incident on a service and notifies the people on call.",
        "POST",
        "/incidents",
    )
    .scopes(WRITE)
    .as_user()
    .envelope("/incident")
    .constants(&[IS_INCIDENT])
    .takes(&[
        &TITLE.required(),
        &SERVICE_ID.required(),
        &URGENCY,
        &Param::new(
            Kind::LongText,
            "details",
            "Details",
            "Everything that helps the people who respond.",
        )
        .at(Place::BodyAs("/body", r#"{"type":"incident_body","details":$}"#)),
        &PRIORITY_ID,
        &ESCALATION_POLICY_ID,
        &ASSIGNEE_IDS,
        &Param::text(
            "incident_key",
            "Incident key",
            "Names this incident: while one with the same key is open on the service, PagerDuty \
             refuses another. By default a key of this execution's item, so that a repeated \
             execution finds its incident instead of opening a second one.",
        )
        .max(255)
        .body("/incident_key"),
        &INCIDENT_TYPE_NAME,
        &CONFERENCE_NUMBER,
        &CONFERENCE_URL,
        &FROM,
        &ADDITIONAL_FIELDS,
    ])
    .keyed("incident_key")
    .runs(Run::Custom)
    .answer(one("incident"))
    .gives(INCIDENT)
    .examples(&[
        Example::new(
            "A checkout that fails",
            r#"{"title":"Checkout answers 500","service_id":"PSERVICE000001"}"#,
        ),
        Example::new(
            "Urgent, with details",
            r#"{"title":"Database is full","service_id":"PSERVICE000001","urgency":"high","details":"/var/lib is at 100 %.","incident_key":"disk-db-1"}"#,
        ),
    ]),
    rest(
        "incident.list",
        "List incidents",
        "Finds incidents by state, service, person and time. Beyond 10,000 it goes on by the time of \
         creation.",
        "GET",
        "/incidents",
    )
    .scopes(READ)
    .takes(&[
        &Param::new(Kind::List(&STATUSES), "statuses", "States", "Only incidents in these states.")
            .query("statuses[]"),
        &Param::new(
            Kind::List(&URGENCIES),
            "urgencies",
            "Urgencies",
            "Only incidents of these urgencies.",
        )
        .query("urgencies[]"),
        &Param::new(
            Kind::List(&Kind::Text),
            "service_ids",
            "Services",
            "Only incidents of these services.",
        )
        .reference("service")
        .query("service_ids[]"),
        &Param::new(
            Kind::List(&Kind::Text),
            "user_ids",
            "Users",
            "Only incidents that are assigned to these users. PagerDuty then returns open incidents \
             only.",
        )
        .reference("user")
        .query("user_ids[]"),
        &TEAM_IDS,
        &SINCE,
        &UNTIL,
        &Param::new(
            Kind::OneOf(&["all"]),
            "date_range",
            "All times",
            "Ignores Since and Until and looks at all times. Without all three PagerDuty looks back \
             one month; with All, this is what is meant.",
        )
        .query("date_range"),
        &Param::text("incident_key", "Incident key", "Only incidents with this key.")
            .query("incident_key"),
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
            "At most two fields. Only by the time of creation, more than 10,000 can be had.",
        )
        .max(2)
        .at(Place::QueryJoined("sort_by")),
        &INCLUDE,
        &SIMPLIFY,
        &LIMIT,
        &ALL,
        &ADDITIONAL_QUERY,
    ])
    .answer(Answer::List("incidents", &INCIDENTS))
    .gives(INCIDENT)
    .simple(&INCIDENT_FLAT)
    .examples(&[
        Example::new("What is open", r#"{"statuses":["triggered","acknowledged"]}"#),
        Example::new(
            "The ten latest, ever",
            r#"{"date_range":"all","sort_by":["created_at:desc"],"limit":10,"simplify":true}"#,
        ),
    ]),
    rest("incident.get", "Get an incident", "Looks up one incident.", "GET", "/incidents/{incident_id}")
        .scopes(READ)
        .takes(&[&INCIDENT_ID, &INCLUDE_ONE, &SIMPLIFY, &ADDITIONAL_QUERY])
        .answer(one("incident"))
        .gives(INCIDENT)
        .simple(&INCIDENT_FLAT)
        .examples(&[Example::new(
            "One incident with its notes' authors in full",
            r#"{"incident_id":"QINCIDENT00001","include":["users"]}"#,
        )]),
    rest(
        "incident.find",
        "Find an incident",
        "Finds an incident by its number, its key or its address. By key, the open one first, else \
         the latest.",
        "GET",
        "/incidents",
    )
    .scopes(READ)
    .takes(&[
        &Param::new(Kind::Integer(1, 2_000_000_000), "number", "Number", "As people see it."),
        &Param::text("incident_key", "Incident key", "The key that it was created with."),
        &Param::new(Kind::Url, "url", "Address", "The address of its page."),
        &Param::text("service_id", "Service", "With a key: only on this service.")
            .reference("service"),
        &SIMPLIFY,
    ])
    .gives(INCIDENT)
    .simple(&INCIDENT_FLAT)
    .runs(Run::Custom)
    .examples(&[
        Example::new("By number", r#"{"number":1}"#),
        Example::new(
            "By address",
            r#"{"url":"https://example.pagerduty.com/incidents/QINCIDENT00001"}"#,
        ),
    ]),
    change(
        "incident.update",
        "Update an incident",
        "Changes an incident; what is not given stays as it is.",
    )
    .takes(&[
        &INCIDENT_ID,
        &STATUS,
        &TITLE,
        &URGENCY,
        &PRIORITY_ID,
        &SERVICE_ID,
        &ESCALATION_POLICY_ID,
        &ASSIGNEE_IDS,
        &ESCALATION_LEVEL,
        &RESOLUTION,
        &INCIDENT_TYPE_NAME,
        &CONFERENCE_NUMBER,
        &CONFERENCE_URL,
        &FROM,
        &ADDITIONAL_FIELDS,
    ])
    .examples(&[Example::new(
        "A better title",
        r#"{"incident_id":"QINCIDENT00001","title":"Checkout answers 500 in the EU"}"#,
    )]),
    rest(
        "incident.update_many",
        "Update many incidents",
        "Changes many incidents, each in its own way, up to 250 with one request. What PagerDuty \
         refuses as a whole is changed one by one, so that each is told alone.",
        "PUT",
        "/incidents",
    )
    .scopes(WRITE)
    .as_user()
    .takes(&[
        &Param::new(
            Kind::Objects(&[
                &Param::text("id", "Incident", "ID, number or address of the incident.")
                    .required()
                    .reference("incident"),
                &Param::constant("type", r#""incident""#),
                &STATUS,
                &TITLE,
                &URGENCY,
                &PRIORITY_ID,
                &ESCALATION_POLICY_ID,
                &ASSIGNEE_IDS,
                &ESCALATION_LEVEL,
                &RESOLUTION,
                &INCIDENT_TYPE_NAME,
                &CONFERENCE_NUMBER,
                &CONFERENCE_URL,
                &ADDITIONAL_FIELDS,
            ]),
            "incidents",
            "Incidents",
            "The incidents, each with what shall change. More than 250 are sent in parts.",
        )
        .required()
        .body("/incidents"),
        &FROM,
    ])
    .check(CHECK)
    .runs(Run::Custom)
    .answer(Answer::List("incidents", &workflow_node_sdk::declare::Paging::None))
    .gives(INCIDENT)
    .examples(&[Example::new(
        "Resolve one, retitle another",
        r#"{"incidents":[{"id":"QINCIDENT00001","status":"resolved"},{"id":"QINCIDENT00002","title":"Still slow"}]}"#,
    )]),
    change(
        "incident.acknowledge",
        "Acknowledge an incident",
        "Says that somebody works on it, which stops its escalation for a while. One that is \
         acknowledged already stays so.",
    )
    .constants(&[IS_INCIDENT, ("/status", r#""acknowledged""#)])
    .takes(&[&INCIDENT_ID, &FROM])
    .examples(&[Example::new("I am on it", r#"{"incident_id":"QINCIDENT00001"}"#)]),
    change(
        "incident.resolve",
        "Resolve an incident",
        "Closes an incident. It cannot be changed afterwards. One that is resolved already stays so.",
    )
    .constants(&[IS_INCIDENT, ("/status", r#""resolved""#)])
    .takes(&[&INCIDENT_ID, &RESOLUTION, &FROM])
    .examples(&[Example::new(
        "Done, and how",
        r#"{"incident_id":"QINCIDENT00002","resolution":"The certificate was renewed."}"#,
    )]),
    change(
        "incident.reopen",
        "Reopen an incident",
        "Brings an acknowledged incident back to triggered, so that it notifies and escalates again. \
         PagerDuty refuses it for one that was resolved.",
    )
    .constants(&[IS_INCIDENT, ("/status", r#""triggered""#)])
    .takes(&[&INCIDENT_ID, &FROM])
    .examples(&[Example::new("It is not over", r#"{"incident_id":"QINCIDENT00003"}"#)]),
    notifying(
        "incident.reassign",
        "Reassign an incident",
        "Gives an incident to other users, or to another escalation policy.",
    )
    .takes(&[&INCIDENT_ID, &ASSIGNEE_IDS, &ESCALATION_POLICY_ID, &FROM])
    .examples(&[Example::new(
        "To one user",
        r#"{"incident_id":"QINCIDENT00001","assignee_ids":["PUSER000000002"]}"#,
    )]),
    notifying(
        "incident.escalate",
        "Escalate an incident",
        "Notifies another level of the escalation policy at once, without waiting.",
    )
    .takes(&[&INCIDENT_ID, &ESCALATION_LEVEL.required(), &ESCALATION_POLICY_ID, &FROM])
    .examples(&[Example::new(
        "To the second level",
        r#"{"incident_id":"QINCIDENT00001","escalation_level":2}"#,
    )]),
    change(
        "incident.change_urgency",
        "Change the urgency of an incident",
        "Makes an incident notify loudly, or quietly.",
    )
    .takes(&[&INCIDENT_ID, &URGENCY.required(), &FROM])
    .examples(&[Example::new(
        "It can wait",
        r#"{"incident_id":"QINCIDENT00001","urgency":"low"}"#,
    )]),
    change(
        "incident.change_priority",
        "Change the priority of an incident",
        "Says how grave an incident is; null for no priority.",
    )
    .takes(&[&INCIDENT_ID, &PRIORITY_ID.required(), &FROM])
    .examples(&[Example::new(
        "The gravest, by name",
        r#"{"incident_id":"QINCIDENT00001","priority_id":"name:P1"}"#,
    )]),
    rest(
        "incident.set_custom_fields",
        "Set custom fields of an incident, by name",
        "Writes into custom fields of an incident, by their names; the others stay as they are.",
        "PUT",
        "/incidents/{incident_id}/custom_fields/values",
    )
    .scopes(WRITE)
    .ordered_by("incident_id")
    .takes(&[
        &INCIDENT_ID,
        &Param::new(
            Kind::Map,
            "fields",
            "Fields",
            "Values by name of the field: a text, a number, true or false, or a list of them; null \
             clears the field.",
        )
        .required(),
    ])
    .runs(Run::Custom)
    .examples(&[Example::new(
        "Where it is",
        r#"{"incident_id":"QINCIDENT00001","fields":{"environment":"production"}}"#,
    )]),
    rest(
        "incident.add_responders",
        "Add responders to an incident, by name",
        "Asks users, and whoever is on call for escalation policies, to help with an incident. Needs \
         the ability coordinated_responding.",
        "POST",
        "/incidents/{incident_id}/responder_requests",
    )
    .scopes(WRITE)
    .effect(Effect::Execute, Idempotency::None)
    .ordered_by("incident_id")
    .check("Look at the incident's responders with `incident.get` before you run it again.")
    .takes(&[
        &INCIDENT_ID,
        &Param::new(Kind::LongText, "message", "Message", "What they are asked.")
            .required()
            .body("/message"),
        &Param::new(
            Kind::List(&Kind::Text),
            "user_ids",
            "Users",
            "Users to ask: IDs, names or e-mail addresses.",
        )
        .reference("user"),
        &Param::new(
            Kind::List(&Kind::Text),
            "escalation_policy_ids",
            "Escalation policies",
            "Escalation policies whose people on call are asked: IDs or names.",
        )
        .reference("escalation_policy"),
        &Param::text(
            "requester_id",
            "Requester",
            "The user who asks. By default the user of the credential.",
        )
        .reference("user")
        .body("/requester_id"),
    ])
    .runs(Run::Custom)
    .answer(one("responder_request"))
    .examples(&[Example::new(
        "A user and a policy",
        r#"{"incident_id":"QINCIDENT00001","message":"Please help with the database.","user_ids":["PUSER000000002"],"escalation_policy_ids":["PESCALATIONPO1"],"requester_id":"PUSER000000001"}"#,
    )]),
];
