//! Automation actions: scripts and jobs that people start from an incident, and the runners that run them.

use workflow_node_sdk::declare::{Action, Effect, Example, Idempotency, Kind, Param, Place};

use super::rest;
use crate::paging::{DELETED, cursor, one, whole_list};
use crate::parameters::{ADDITIONAL_FIELDS, ADDITIONAL_QUERY, ALL, LIMIT, SERVICE_ID, TEAM_ID};

static NAME: Param = Param::text("name", "Name", "Its name.").query("name");
static NAME_VALUE: Param = Param::text("name", "Name", "Its name.").max(255).body("/name");
static DESCRIPTION: Param =
    Param::new(Kind::LongText, "description", "Description", "What it is for.")
        .max(1024)
        .body("/description");
static ACTION_TYPE: Param = Param::new(
    Kind::OneOf(&["script", "process_automation"]),
    "action_type",
    "Kind of action",
    "A script, or a job of Process Automation.",
)
.body("/action_type");
static ACTION_DATA_REFERENCE: Param = Param::new(
    Kind::Object(&[
        &Param::new(Kind::LongText, "script", "Script", "The text of the script.")
            .required()
            .max(16777215),
        &Param::text(
            "invocation_command",
            "Command",
            "What the script is started with, e.g. /usr/bin/python3.",
        )
        .max(65535),
    ]),
    "action_data_reference",
    "What is run",
    "The script, or the job.",
)
.body("/action_data_reference");
static ACTION_CLASSIFICATION: Param = Param::new(
    Kind::OneOf(&["diagnostic", "remediation"]),
    "action_classification",
    "Purpose",
    "Whether it looks (diagnostic) or changes something (remediation).",
)
.nullable()
.body("/action_classification");
static RUNNER: Param = Param::text("runner", "Runner", "The runner that runs it.")
    .reference("automation_runner")
    .max(36)
    .body("/runner");
static TEAM_IDS_VALUE: Param = Param::new(
    Kind::List(&Kind::Text),
    "team_ids",
    "Teams",
    "Only what belongs to one of these teams (needs the ability teams).",
)
.reference("team")
.at(Place::BodyAs("/teams", r#"{"id":$,"type":"team_reference"}"#));
static ONLY_INVOCABLE_ON_UNRESOLVED_INCIDENTS: Param = Param::new(
    Kind::Boolean,
    "only_invocable_on_unresolved_incidents",
    "Open incidents only",
    "Whether it can be started only while the incident is open.",
)
.default(r#"false"#)
.body("/only_invocable_on_unresolved_incidents");
static ALLOW_INVOCATION_MANUALLY: Param = Param::new(
    Kind::Boolean,
    "allow_invocation_manually",
    "By hand",
    "Whether people can start it.",
)
.default(r#"true"#)
.body("/allow_invocation_manually");
static ALLOW_INVOCATION_FROM_EVENT_ORCHESTRATION: Param = Param::new(
    Kind::Boolean,
    "allow_invocation_from_event_orchestration",
    "By rules",
    "Whether rules of an event orchestration can start it.",
)
.default(r#"true"#)
.body("/allow_invocation_from_event_orchestration");
static MAP_TO_ALL_SERVICES: Param = Param::new(
    Kind::Boolean,
    "map_to_all_services",
    "All services",
    "Whether it is offered for every service.",
)
.default(r#"false"#)
.body("/map_to_all_services");
static AUTOMATION_ACTION_ID: Param =
    Param::text("automation_action_id", "Action", "The automation action that is meant.")
        .reference("automation_action")
        .at(Place::Path);
static TEAM_ID_VALUE: Param = Param::text("team_id", "Team", "The team that is meant.")
    .reference("team")
    .at(Place::BodyAs("/team", r#"{"id":$,"type":"team_reference"}"#));
static RUNBOOK_BASE_URI: Param =
    Param::text("runbook_base_uri", "Server", "Where the Runbook Automation server is.")
        .max(255)
        .body("/runbook_base_uri");
static RUNBOOK_API_KEY: Param = Param::text(
    "runbook_api_key",
    "API key",
    "Key of the Runbook Automation server. The node sees a handle in its place.",
)
.max(64)
.secret("runbook-api-key")
.body("/runbook_api_key");
static AUTOMATION_RUNNER_ID: Param =
    Param::text("automation_runner_id", "Runner", "The automation runner that is meant.")
        .reference("automation_runner")
        .at(Place::Path);

pub(super) static ACTIONS: &[Action] = &[
    rest(
        "automation_action.list",
        "List automation actions",
        "Reads the scripts and jobs that can be started from incidents.",
        "GET",
        "/automation_actions/actions",
    )
    .takes(&[
        &NAME,
        &Param::text("runner_id", "Runner", "Only actions that run on this runner; `any` for any.")
            .reference("automation_runner")
            .query("runner_id"),
        &Param::new(
            Kind::OneOf(&["diagnostic", "remediation"]),
            "classification",
            "Kind",
            "Only actions that look (diagnostic), or only those that change something \
             (remediation).",
        )
        .query("classification"),
        &Param::text("team_id", "Team", "The team that is meant.")
            .reference("team")
            .query("team_id"),
        &Param::text("service_id", "Service", "The service that is meant.")
            .reference("service")
            .query("service_id"),
        &Param::new(
            Kind::OneOf(&["script", "process_automation"]),
            "action_type",
            "Kind of action",
            "A script, or a job of Process Automation.",
        )
        .query("action_type"),
        &LIMIT,
        &ALL,
        &ADDITIONAL_QUERY,
    ])
    .answer(cursor("actions"))
    .examples(&[Example::new("The first hundred", r#"{}"#)]),
    rest(
        "automation_action.create",
        "Create an automation action",
        "Adds a script or a job that people can start from incidents.",
        "POST",
        "/automation_actions/actions",
    )
    .envelope("/action")
    .takes(&[
        &NAME_VALUE.required(),
        &DESCRIPTION.required(),
        &ACTION_TYPE.required(),
        &ACTION_DATA_REFERENCE.required(),
        &ACTION_CLASSIFICATION,
        &RUNNER,
        &Param::new(
            Kind::List(&Kind::Text),
            "service_ids",
            "Services",
            "The services that are meant.",
        )
        .reference("service")
        .at(Place::BodyAs("/services", r#"{"id":$,"type":"service_reference"}"#)),
        &TEAM_IDS_VALUE,
        &ONLY_INVOCABLE_ON_UNRESOLVED_INCIDENTS,
        &ALLOW_INVOCATION_MANUALLY,
        &ALLOW_INVOCATION_FROM_EVENT_ORCHESTRATION,
        &MAP_TO_ALL_SERVICES,
        &ADDITIONAL_FIELDS,
    ])
    .answer(one("action"))
    .examples(&[
        Example::new(
            "Restart a service",
            r#"{"name":"Restart the shop","description":"Restarts all pods of the shop.","action_type":"script","action_data_reference":{"script":"kubectl rollout restart deployment/shop"}}"#,
        ),
    ]),
    rest(
        "automation_action.get",
        "Get an automation action",
        "Looks up one action.",
        "GET",
        "/automation_actions/actions/{automation_action_id}",
    )
    .takes(&[&AUTOMATION_ACTION_ID.required(), &ADDITIONAL_QUERY])
    .answer(one("action"))
    .examples(&[Example::new("One", r#"{"automation_action_id":"PACTION0000001"}"#)]),
    rest(
        "automation_action.update",
        "Update an automation action",
        "Changes a script or job, or how it may be started.",
        "PUT",
        "/automation_actions/actions/{automation_action_id}",
    )
    .envelope("/action")
    .takes(&[
        &AUTOMATION_ACTION_ID.required(),
        &NAME_VALUE,
        &DESCRIPTION,
        &ACTION_CLASSIFICATION,
        &ACTION_TYPE,
        &RUNNER,
        &ONLY_INVOCABLE_ON_UNRESOLVED_INCIDENTS,
        &ALLOW_INVOCATION_MANUALLY,
        &ALLOW_INVOCATION_FROM_EVENT_ORCHESTRATION,
        &MAP_TO_ALL_SERVICES,
        &ACTION_DATA_REFERENCE,
        &ADDITIONAL_FIELDS,
    ])
    .answer(one("action"))
    .examples(&[
        Example::new(
            "Another name",
            r#"{"automation_action_id":"PACTION0000001","name":"Restart the shop, all of it"}"#,
        ),
    ]),
    rest(
        "automation_action.delete",
        "Delete an automation action",
        "Removes a script or job.",
        "DELETE",
        "/automation_actions/actions/{automation_action_id}",
    )
    .takes(&[&AUTOMATION_ACTION_ID.required()])
    .answer(DELETED)
    .examples(&[Example::new("One", r#"{"automation_action_id":"PACTION0000001"}"#)]),
    rest(
        "automation_action.invoke",
        "Start an automation action",
        "Runs a script or job for an incident.",
        "POST",
        "/automation_actions/actions/{automation_action_id}/invocations",
    )
    .check("Look with `automation_invocation.list` whether it has begun before you run it again.")
    .effect(Effect::Execute, Idempotency::None)
    .envelope("/invocation")
    .takes(&[
        &AUTOMATION_ACTION_ID.required(),
        &Param::text("incident_id", "Incident", "The incident: its ID, its address, or its number.")
            .required()
            .reference("incident")
            .body("/metadata/incident_id"),
        &Param::text("alert_id", "Alert", "ID of the alert.")
            .reference("incident_alert")
            .body("/metadata/alert_id"),
        &ADDITIONAL_FIELDS,
    ])
    .answer(one("invocation"))
    .examples(&[
        Example::new(
            "For an incident",
            r#"{"automation_action_id":"PACTION0000001","incident_id":"QINCIDENT00001"}"#,
        ),
    ]),
    rest(
        "automation_action_service.list",
        "List the services of an automation action",
        "Reads for which services an action is offered.",
        "GET",
        "/automation_actions/actions/{automation_action_id}/services",
    )
    .takes(&[&AUTOMATION_ACTION_ID.required(), &LIMIT, &ALL, &ADDITIONAL_QUERY])
    .answer(whole_list("services"))
    .examples(&[Example::new("The first hundred", r#"{"automation_action_id":"PACTION0000001"}"#)]),
    rest(
        "automation_action_service.create",
        "Offer an automation action for a service",
        "Makes an action available on the incidents of a service.",
        "POST",
        "/automation_actions/actions/{automation_action_id}/services",
    )
    .takes(&[
        &AUTOMATION_ACTION_ID.required(),
        &Param::text("service_id", "Service", "The service that is meant.")
            .required()
            .reference("service")
            .at(Place::BodyAs("/service", r#"{"id":$,"type":"service_reference"}"#)),
        &ADDITIONAL_FIELDS,
    ])
    .answer(one("service"))
    .examples(&[
        Example::new(
            "For a service",
            r#"{"automation_action_id":"PACTION0000001","service_id":"PSERVICE000001"}"#,
        ),
    ]),
    rest(
        "automation_action_service.get",
        "Get a service of an automation action",
        "Looks up whether an action is offered for a service.",
        "GET",
        "/automation_actions/actions/{automation_action_id}/services/{service_id}",
    )
    .takes(&[&AUTOMATION_ACTION_ID.required(), &SERVICE_ID, &ADDITIONAL_QUERY])
    .answer(one("service"))
    .examples(&[
        Example::new(
            "One",
            r#"{"automation_action_id":"PACTION0000001","service_id":"PSERVICE000001"}"#,
        ),
    ]),
    rest(
        "automation_action_service.delete",
        "Withdraw an automation action from a service",
        "Ends the offer of an action for a service.",
        "DELETE",
        "/automation_actions/actions/{automation_action_id}/services/{service_id}",
    )
    .takes(&[&AUTOMATION_ACTION_ID.required(), &SERVICE_ID])
    .answer(DELETED)
    .examples(&[
        Example::new(
            "One",
            r#"{"automation_action_id":"PACTION0000001","service_id":"PSERVICE000001"}"#,
        ),
    ]),
    rest(
        "automation_action_team.list",
        "List the teams of an automation action",
        "Reads which teams may start an action.",
        "GET",
        "/automation_actions/actions/{automation_action_id}/teams",
    )
    .takes(&[&AUTOMATION_ACTION_ID.required(), &LIMIT, &ALL, &ADDITIONAL_QUERY])
    .answer(whole_list("teams"))
    .examples(&[Example::new("The first hundred", r#"{"automation_action_id":"PACTION0000001"}"#)]),
    rest(
        "automation_action_team.create",
        "Give an automation action to a team",
        "Lets a team start an action.",
        "POST",
        "/automation_actions/actions/{automation_action_id}/teams",
    )
    .takes(&[&AUTOMATION_ACTION_ID.required(), &TEAM_ID_VALUE.required(), &ADDITIONAL_FIELDS])
    .answer(one("team"))
    .examples(&[
        Example::new(
            "To a team",
            r#"{"automation_action_id":"PACTION0000001","team_id":"PTEAM000000001"}"#,
        ),
    ]),
    rest(
        "automation_action_team.get",
        "Get a team of an automation action",
        "Looks up whether a team may start an action.",
        "GET",
        "/automation_actions/actions/{automation_action_id}/teams/{team_id}",
    )
    .takes(&[&AUTOMATION_ACTION_ID.required(), &TEAM_ID, &ADDITIONAL_QUERY])
    .answer(one("team"))
    .examples(&[
        Example::new(
            "One",
            r#"{"automation_action_id":"PACTION0000001","team_id":"PTEAM000000001"}"#,
        ),
    ]),
    rest(
        "automation_action_team.delete",
        "Take an automation action from a team",
        "Ends a team's right to start an action.",
        "DELETE",
        "/automation_actions/actions/{automation_action_id}/teams/{team_id}",
    )
    .takes(&[&AUTOMATION_ACTION_ID.required(), &TEAM_ID])
    .answer(DELETED)
    .examples(&[
        Example::new(
            "One",
            r#"{"automation_action_id":"PACTION0000001","team_id":"PTEAM000000001"}"#,
        ),
    ]),
    rest(
        "automation_invocation.list",
        "List runs of automation actions",
        "Reads when actions were run, and how each ended.",
        "GET",
        "/automation_actions/invocations",
    )
    .takes(&[
        &Param::new(
            Kind::OneOf(&[
                "prepared",
                "created",
                "sent",
                "queued",
                "running",
                "aborted",
                "completed",
                "error",
                "unknown",
            ]),
            "invocation_state",
            "State",
            "Only runs in this state.",
        )
        .query("invocation_state"),
        &Param::new(
            Kind::OneOf(&[
                "prepared",
                "created",
                "sent",
                "queued",
                "running",
                "aborted",
                "completed",
                "error",
                "unknown",
            ]),
            "not_invocation_state",
            "Not in state",
            "Only runs that are not in this state.",
        )
        .query("not_invocation_state"),
        &Param::text("incident_id", "Incident", "The incident: its ID, its address, or its number.")
            .reference("incident")
            .query("incident_id"),
        &Param::text("action_id", "Action", "Only runs of this action.")
            .reference("automation_action")
            .query("action_id"),
        &LIMIT,
        &ALL,
        &ADDITIONAL_QUERY,
    ])
    .answer(whole_list("invocations"))
    .examples(&[Example::new("The first hundred", r#"{}"#)]),
    rest(
        "automation_invocation.get",
        "Get a run of an automation action",
        "Looks up one run with its state.",
        "GET",
        "/automation_actions/invocations/{invocation_id}",
    )
    .takes(&[
        &Param::text("invocation_id", "Invocation", "ID of the invocation.")
            .required()
            .reference("automation_invocation")
            .at(Place::Path),
        &ADDITIONAL_QUERY,
    ])
    .answer(one("invocation"))
    .examples(&[Example::new("One", r#"{"invocation_id":"PINVOCATION001"}"#)]),
    rest(
        "automation_runner.list",
        "List automation runners",
        "Reads the runners, the programs in your network that carry actions out.",
        "GET",
        "/automation_actions/runners",
    )
    .takes(&[
        &NAME,
        &Param::new(
            Kind::List(&Kind::OneOf(&["associated_actions"])),
            "include",
            "Include",
            "What is returned in full instead of as a reference.",
        )
        .query("include[]"),
        &LIMIT,
        &ALL,
        &ADDITIONAL_QUERY,
    ])
    .answer(cursor("runners"))
    .examples(&[Example::new("The first hundred", r#"{}"#)]),
    rest(
        "automation_runner.create",
        "Create an automation runner",
        "Registers a runner.",
        "POST",
        "/automation_actions/runners",
    )
    .envelope("/runner")
    .takes(&[
        &Param::new(
            Kind::OneOf(&["sidecar", "runbook"]),
            "runner_type",
            "Kind of runner",
            "A side car in your cluster, or a Runbook Automation server.",
        )
        .required()
        .body("/runner_type"),
        &NAME_VALUE.required(),
        &DESCRIPTION.required(),
        &TEAM_IDS_VALUE,
        &RUNBOOK_BASE_URI,
        &RUNBOOK_API_KEY,
        &ADDITIONAL_FIELDS,
    ])
    .answer(one("runner"))
    .examples(&[
        Example::new(
            "A side car",
            r#"{"runner_type":"sidecar","name":"Shop cluster","description":"Runs beside the shop."}"#,
        ),
    ]),
    rest(
        "automation_runner.get",
        "Get an automation runner",
        "Looks up one runner.",
        "GET",
        "/automation_actions/runners/{automation_runner_id}",
    )
    .takes(&[&AUTOMATION_RUNNER_ID.required(), &ADDITIONAL_QUERY])
    .answer(one("runner"))
    .examples(&[Example::new("One", r#"{"automation_runner_id":"PRUNNER0000001"}"#)]),
    rest(
        "automation_runner.update",
        "Update an automation runner",
        "Changes a runner's name, description or way to its server.",
        "PUT",
        "/automation_actions/runners/{automation_runner_id}",
    )
    .envelope("/runner")
    .takes(&[
        &AUTOMATION_RUNNER_ID.required(),
        &NAME_VALUE,
        &DESCRIPTION,
        &RUNBOOK_BASE_URI,
        &RUNBOOK_API_KEY,
        &ADDITIONAL_FIELDS,
    ])
    .answer(one("runner"))
    .examples(&[
        Example::new(
            "Another name",
            r#"{"automation_runner_id":"PRUNNER0000001","name":"Shop cluster, EU"}"#,
        ),
    ]),
    rest(
        "automation_runner.delete",
        "Delete an automation runner",
        "Unregisters a runner.",
        "DELETE",
        "/automation_actions/runners/{automation_runner_id}",
    )
    .takes(&[&AUTOMATION_RUNNER_ID.required()])
    .answer(DELETED)
    .examples(&[Example::new("One", r#"{"automation_runner_id":"PRUNNER0000001"}"#)]),
    rest(
        "automation_runner_team.list",
        "List the teams of an automation runner",
        "Reads which teams may use a runner.",
        "GET",
        "/automation_actions/runners/{automation_runner_id}/teams",
    )
    .takes(&[&AUTOMATION_RUNNER_ID.required(), &LIMIT, &ALL, &ADDITIONAL_QUERY])
    .answer(whole_list("teams"))
    .examples(&[Example::new("The first hundred", r#"{"automation_runner_id":"PRUNNER0000001"}"#)]),
    rest(
        "automation_runner_team.create",
        "Give an automation runner to a team",
        "Lets a team use a runner.",
        "POST",
        "/automation_actions/runners/{automation_runner_id}/teams",
    )
    .takes(&[&AUTOMATION_RUNNER_ID.required(), &TEAM_ID_VALUE.required(), &ADDITIONAL_FIELDS])
    .answer(one("team"))
    .examples(&[
        Example::new(
            "To a team",
            r#"{"automation_runner_id":"PRUNNER0000001","team_id":"PTEAM000000001"}"#,
        ),
    ]),
    rest(
        "automation_runner_team.get",
        "Get a team of an automation runner",
        "Looks up whether a team may use a runner.",
        "GET",
        "/automation_actions/runners/{automation_runner_id}/teams/{team_id}",
    )
    .takes(&[&AUTOMATION_RUNNER_ID.required(), &TEAM_ID, &ADDITIONAL_QUERY])
    .answer(one("team"))
    .examples(&[
        Example::new(
            "One",
            r#"{"automation_runner_id":"PRUNNER0000001","team_id":"PTEAM000000001"}"#,
        ),
    ]),
    rest(
        "automation_runner_team.delete",
        "Take an automation runner from a team",
        "Ends a team's right to use a runner.",
        "DELETE",
        "/automation_actions/runners/{automation_runner_id}/teams/{team_id}",
    )
    .takes(&[&AUTOMATION_RUNNER_ID.required(), &TEAM_ID])
    .answer(DELETED)
    .examples(&[
        Example::new(
            "One",
            r#"{"automation_runner_id":"PRUNNER0000001","team_id":"PTEAM000000001"}"#,
        ),
    ]),
];
