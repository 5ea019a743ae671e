//! What people want that takes more than one request, or the time of day.

use workflow_node_sdk::declare::{Action, Effect, Example, Idempotency, Kind, Param, Place, Run};

use super::rest;
use crate::flat::{ON_CALL_FLAT, USER_FLAT};
use crate::paging::{one, whole_list};
use crate::parameters::{ALL, FROM, LIMIT, SCHEDULE_ID, SERVICE_ID, SIMPLIFY};
use crate::records::{MAINTENANCE_WINDOW, ON_CALL, OVERRIDE, USER};

const MINUTES: Kind = Kind::Integer(1, 525_600);

pub(super) static ON_CALL_ACTIONS: &[Action] = &[rest(
    "on_call.now",
    "Find who is on call",
    "Tells who is on call for a service, an escalation policy, a schedule or a team, now or at a \
     time. The first level first.",
    "GET",
    "/oncalls",
)
.scopes(&["oncalls.read"])
.takes(&[
    &Param::text("service_id", "Service", "Who is on call for this service: ID, name or address.")
        .reference("service"),
    &Param::text(
        "escalation_policy_id",
        "Escalation policy",
        "Who is on call by this escalation policy: ID, name or address.",
    )
    .reference("escalation_policy"),
    &Param::text(
        "schedule_id",
        "Schedule",
        "Who is on call by this schedule: ID, name or address.",
    )
    .reference("schedule"),
    &Param::text(
        "team_id",
        "Team",
        "Who is on call by the escalation policies of this team: ID, name or address.",
    )
    .reference("team"),
    &Param::new(Kind::DateTime, "at", "When", "A time, with an offset; now when it is not given."),
    &Param::new(
        Kind::Integer(1, 100),
        "level",
        "Level",
        "Only this level of the escalation policies; all levels when it is not given.",
    ),
    &SIMPLIFY,
])
.gives(ON_CALL)
.simple(&ON_CALL_FLAT)
.runs(Run::Custom)
.examples(&[
    Example::new("For a service, now", r#"{"service_id":"PSERVICE000001","simplify":true}"#),
    Example::new(
        "By a policy, the first level",
        r#"{"escalation_policy_id":"PESCALATIONPO1","level":1}"#,
    ),
])];

pub(super) static USER_ACTIONS: &[Action] = &[rest(
    "user.find",
    "Find a user by e-mail address",
    "Looks up the one user with this e-mail address.",
    "GET",
    "/users",
)
.scopes(&["users.read"])
.takes(&[
    &Param::new(Kind::Email, "email", "E-mail", "The e-mail address, in full.").required(),
    &SIMPLIFY,
])
.gives(USER)
.simple(&USER_FLAT)
.runs(Run::Custom)
.examples(&[Example::new("By e-mail", r#"{"email":"ada@example.com"}"#)])];

pub(super) static SCHEDULE_ACTIONS: &[Action] = &[rest(
    "schedule_override.create",
    "Create an override",
    "Lets somebody be on call instead of those whose turn it is, from a time to another.",
    "POST",
    "/schedules/{schedule_id}/overrides",
)
.scopes(&["schedules.write"])
.takes(&[
    &SCHEDULE_ID,
    &Param::text("user_id", "User", "Who stands in: ID, name or e-mail address.")
        .required()
        .reference("user"),
    &Param::new(
        Kind::DateTime,
        "start",
        "Start",
        "When it begins, with an offset; now when it is not given.",
    ),
    &Param::new(Kind::DateTime, "end", "End", "When it ends, with an offset."),
    &Param::new(MINUTES, "minutes", "Minutes", "How long, instead of when it ends."),
])
.gives(OVERRIDE)
.check("Look with `schedule_override.list` whether it is there before you run it again.")
.runs(Run::Custom)
.examples(&[
    Example::new(
        "One night",
        r#"{"schedule_id":"PSCHEDULE00001","user_id":"PUSER000000002","start":"2027-01-01T18:00:00Z","end":"2027-01-02T06:00:00Z"}"#,
    ),
    Example::new(
        "The next two hours",
        r#"{"schedule_id":"PSCHEDULE00001","user_id":"PUSER000000002","minutes":120}"#,
    ),
])];

pub(super) static MAINTENANCE_ACTIONS: &[Action] = &[rest(
    "maintenance_window.start",
    "Put services under maintenance",
    "Lets services open no incidents, from now on for a while.",
    "POST",
    "/maintenance_windows",
)
.scopes(&["services.write"])
.as_user()
.envelope("/maintenance_window")
.constants(&[("/type", r#""maintenance_window""#)])
.takes(&[
    &Param::new(
        Kind::List(&Kind::Text),
        "service_ids",
        "Services",
        "The services: IDs, names or addresses.",
    )
    .required()
    .reference("service")
    .at(Place::BodyAs("/services", r#"{"id":$,"type":"service_reference"}"#)),
    &Param::new(MINUTES, "minutes", "Minutes", "How long.").required(),
    &Param::new(Kind::LongText, "description", "Description", "What is done.").body("/description"),
    &FROM,
])
.answer(one("maintenance_window"))
.gives(MAINTENANCE_WINDOW)
.runs(Run::Custom)
.examples(&[Example::new(
    "An hour",
    r#"{"service_ids":["PSERVICE000001"],"minutes":60,"description":"New disks"}"#,
)])];

pub(super) static SERVICE_ACTIONS: &[Action] = &[rest(
    "service_integration.list",
    "List the integrations of a service",
    "Reads by which ways events reach a service. The node sees handles in place of the keys.",
    "GET",
    "/services/{service_id}",
)
.scopes(&["services.read"])
.takes(&[
    &SERVICE_ID,
    &Param::constant("include", r#"["integrations"]"#).query("include[]"),
    &LIMIT,
    &ALL,
])
.answer(whole_list("service/integrations"))
.examples(&[Example::new("Of one service", r#"{"service_id":"PSERVICE000001"}"#)])];

pub(super) static ENRICHMENT_ACTIONS: &[Action] = &[rest(
    "servicenow_table.list",
    "List the tables of a ServiceNow integration",
    "Reads which tables a connection with ServiceNow reads.",
    "GET",
    "/enrichment/integrations/servicenow/{integration_id}",
)
.scopes(&["contextual_data.read"])
.takes(&[
    &Param::text("integration_id", "Integration", "The integration that is meant.")
        .required()
        .reference("servicenow_integration")
        .at(Place::Path),
    &LIMIT,
    &ALL,
])
.answer(whole_list("integration/cmdb_tables"))
.examples(&[Example::new("Of one integration", r#"{"integration_id":"PINTEGRATION01"}"#)])];

/// Any request of the REST API.
pub(super) static API_ACTIONS: &[Action] = &[rest(
    "api.request",
    "Make an API request",
    "Sends any request to the REST API, for what no other action covers. A write is never repeated \
     by itself.",
    "GET",
    "/",
)
.check("Read with a GET whether it has happened before you run it again.")
.effect(Effect::Execute, Idempotency::None)
.as_user()
.takes(&[
    &Param::new(
        Kind::OneOf(&["GET", "POST", "PUT", "PATCH", "DELETE"]),
        "method",
        "Method",
        "The method of the request.",
    )
    .required(),
    &Param::text(
        "path",
        "Path",
        "The path on the REST API, e.g. /incidents/P1/notes; percent-encode what an id may hold \
         besides letters and digits.",
    )
    .required()
    .max(2000),
    &Param::new(
        Kind::Map,
        "query",
        "Query",
        "Query parameters by name. A list is repeated; write its name with [], as the API does.",
    ),
    &Param::new(Kind::Json, "body", "Body", "The JSON body; none for GET and DELETE."),
    &FROM,
])
.runs(Run::Custom)
.gives(
    r#"{"description":"The answer's body; for an answer without one an object with its status."}"#,
)
.examples(&[
    Example::new(
        "Who is on call",
        r#"{"method":"GET","path":"/oncalls","query":{"limit":5,"include[]":["users"]}}"#,
    ),
    Example::new(
        "Snooze for an hour",
        r#"{"method":"POST","path":"/incidents/QINCIDENT00003/snooze","body":{"duration":3600}}"#,
    ),
])];
