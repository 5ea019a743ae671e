//! Incident workflows: steps that PagerDuty carries out on an incident, and what starts them.

use workflow_node_sdk::declare::{Action, Effect, Example, Idempotency, Kind, Param, Place};

use super::rest;
use crate::flat::INCIDENT_WORKFLOW_FLAT;
use crate::paging::{DELETED, classic, cursor, one};
use crate::parameters::{
    ADDITIONAL_FIELDS, ADDITIONAL_QUERY, ALL, LIMIT, QUERY, SERVICE_ID, SIMPLIFY,
};
use crate::records::INCIDENT_WORKFLOW;

static NAME: Param = Param::text("name", "Name", "Its name.").body("/name");
static DESCRIPTION: Param =
    Param::new(Kind::LongText, "description", "Description", "What it is for.")
        .body("/description");
static TEAM_ID_VALUE: Param = Param::text("team_id", "Team", "The team that is meant.")
    .reference("team")
    .at(Place::BodyAs("/team", r#"{"id":$,"type":"team_reference"}"#));
static IS_ENABLED: Param =
    Param::new(Kind::Boolean, "is_enabled", "Enabled", "Whether it can be started.")
        .default(r#"true"#)
        .body("/is_enabled");
static STEPS: Param = Param::new(
    Kind::Objects(&[
        &Param::constant("type", r#""step""#),
        &Param::text("name", "Name", "Its name.").required(),
        &Param::new(
            Kind::Map,
            "action_configuration",
            "Step",
            "Which step it is, with its inputs.",
        )
        .required(),
    ]),
    "steps",
    "Steps",
    "What is carried out, in order.",
)
.body("/steps");
static INCIDENT_WORKFLOW_ID: Param = Param::text(
    "incident_workflow_id",
    "Incident workflow",
    "The incident workflow: its ID, its name, or its address.",
)
.reference("incident_workflow")
.at(Place::Path);
static CONDITION: Param = Param::text(
    "condition",
    "Condition",
    "When it starts, in PagerDuty's condition language, e.g. incident.priority matches 'P1'.",
)
.body("/condition");
static INCIDENT_TYPES: Param = Param::new(
    Kind::List(&Kind::Text),
    "incident_types",
    "Incident types",
    "The types of incidents for which it starts.",
)
.body("/incident_types");
static SERVICE_IDS: Param =
    Param::new(Kind::List(&Kind::Text), "service_ids", "Services", "The services that are meant.")
        .reference("service")
        .at(Place::BodyAs("/services", r#"{"id":$}"#));
static IS_SUBSCRIBED_TO_ALL_SERVICES: Param = Param::new(
    Kind::Boolean,
    "is_subscribed_to_all_services",
    "All services",
    "Whether it holds for every service.",
)
.body("/is_subscribed_to_all_services");
static PERMISSIONS: Param = Param::new(
    Kind::Object(&[
        &Param::new(Kind::Boolean, "restricted", "Restricted", "Whether only a team may start it."),
        &Param::text("team_id", "Team", "The team that is meant.").reference("team"),
    ]),
    "permissions",
    "Permissions",
    "Who may start it by hand.",
)
.body("/permissions");
static INCIDENT_WORKFLOW_TRIGGER_ID: Param = Param::text(
    "incident_workflow_trigger_id",
    "Incident workflow trigger",
    "ID of the incident workflow trigger.",
)
.reference("incident_workflow_trigger")
.at(Place::Path);

pub(super) static ACTIONS: &[Action] = &[
    rest(
        "incident_workflow.list",
        "List incident workflows",
        "Finds incident workflows by name.",
        "GET",
        "/incident_workflows",
    )
    .scopes(&["incident_workflows.read"])
    .takes(&[
        &QUERY,
        &Param::new(
            Kind::List(&Kind::OneOf(&["steps", "team"])),
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
    .answer(classic("incident_workflows"))
    .gives(INCIDENT_WORKFLOW)
    .simple(&INCIDENT_WORKFLOW_FLAT)
    .examples(&[Example::new("By name", r#"{"query":"bridge"}"#)]),
    rest(
        "incident_workflow.create",
        "Create an incident workflow",
        "Adds a workflow with its steps.",
        "POST",
        "/incident_workflows",
    )
    .scopes(&["incident_workflows.write"])
    .envelope("/incident_workflow")
    .constants(&[("/type", r#""incident_workflow""#)])
    .takes(&[&NAME, &DESCRIPTION, &TEAM_ID_VALUE, &IS_ENABLED, &STEPS, &ADDITIONAL_FIELDS])
    .answer(one("incident_workflow"))
    .gives(INCIDENT_WORKFLOW)
    .examples(&[
        Example::new(
            "Open a bridge",
            r#"{"name":"Open a bridge","description":"For major incidents.","steps":[{"name":"Add a conference bridge","action_configuration":{"action_id":"pagerduty.com:incident-workflows:add-conference-bridge:1","inputs":[]}}]}"#,
        ),
    ]),
    rest(
        "incident_workflow.get",
        "Get an incident workflow",
        "Looks up one workflow with its steps.",
        "GET",
        "/incident_workflows/{incident_workflow_id}",
    )
    .scopes(&["incident_workflows.read"])
    .takes(&[&INCIDENT_WORKFLOW_ID.required(), &SIMPLIFY, &ADDITIONAL_QUERY])
    .answer(one("incident_workflow"))
    .gives(INCIDENT_WORKFLOW)
    .simple(&INCIDENT_WORKFLOW_FLAT)
    .examples(&[Example::new("One", r#"{"incident_workflow_id":"PINCIDENTWORK1"}"#)]),
    rest(
        "incident_workflow.update",
        "Update an incident workflow",
        "Changes a workflow; what is not given stays as it is.",
        "PUT",
        "/incident_workflows/{incident_workflow_id}",
    )
    .scopes(&["incident_workflows.write"])
    .envelope("/incident_workflow")
    .constants(&[("/type", r#""incident_workflow""#)])
    .takes(&[
        &INCIDENT_WORKFLOW_ID.required(),
        &NAME,
        &DESCRIPTION,
        &TEAM_ID_VALUE,
        &IS_ENABLED,
        &STEPS,
        &ADDITIONAL_FIELDS,
    ])
    .answer(one("incident_workflow"))
    .gives(INCIDENT_WORKFLOW)
    .examples(&[
        Example::new(
            "Another name",
            r#"{"incident_workflow_id":"PINCIDENTWORK1","name":"Open a bridge for all"}"#,
        ),
    ]),
    rest(
        "incident_workflow.delete",
        "Delete an incident workflow",
        "Removes a workflow.",
        "DELETE",
        "/incident_workflows/{incident_workflow_id}",
    )
    .scopes(&["incident_workflows.write"])
    .takes(&[&INCIDENT_WORKFLOW_ID.required()])
    .answer(DELETED)
    .examples(&[Example::new("One", r#"{"incident_workflow_id":"PINCIDENTWORK1"}"#)]),
    rest(
        "incident_workflow.start",
        "Start an incident workflow",
        "Carries out a workflow on an incident.",
        "POST",
        "/incident_workflows/{incident_workflow_id}/instances",
    )
    .check("Look at the log of the incident with `log_entry.of_incident` before you run it again.")
    .scopes(&["incident_workflows:instances.write"])
    .effect(Effect::Execute, Idempotency::None)
    .envelope("/incident_workflow_instance")
    .takes(&[
        &INCIDENT_WORKFLOW_ID.required(),
        &Param::text("incident_id", "Incident", "The incident: its ID, its address, or its number.")
            .required()
            .reference("incident")
            .at(Place::BodyAs("/incident", r#"{"id":$,"type":"incident_reference"}"#)),
        &ADDITIONAL_FIELDS,
    ])
    .answer(one("incident_workflow_instance"))
    .examples(&[
        Example::new(
            "On an incident",
            r#"{"incident_workflow_id":"PINCIDENTWORK1","incident_id":"QINCIDENT00001"}"#,
        ),
    ]),
    rest(
        "incident_workflow_action.list",
        "List the steps that workflows can have",
        "Reads which steps a workflow can be built from.",
        "GET",
        "/incident_workflows/actions",
    )
    .scopes(&["incident_workflows.read"])
    .takes(&[
        &Param::text("keyword", "Search", "Only steps whose name or description contains this.")
            .query("keyword"),
        &LIMIT,
        &ALL,
        &ADDITIONAL_QUERY,
    ])
    .answer(cursor("actions"))
    .examples(&[Example::new("The first hundred", r#"{}"#)]),
    rest(
        "incident_workflow_action.get",
        "Get a step that workflows can have",
        "Looks up one kind of step with its inputs.",
        "GET",
        "/incident_workflows/actions/{incident_workflow_action_id}",
    )
    .scopes(&["incident_workflows.read"])
    .takes(&[
        &Param::text(
            "incident_workflow_action_id",
            "Incident workflow action",
            "ID of the incident workflow action.",
        )
        .required()
        .reference("incident_workflow_action")
        .at(Place::Path),
        &ADDITIONAL_QUERY,
    ])
    .answer(one("action"))
    .examples(&[Example::new("One", r#"{"incident_workflow_action_id":"PACTION0000001"}"#)]),
    rest(
        "incident_workflow_trigger.list",
        "List what starts incident workflows",
        "Reads by what, and for which services, workflows are started.",
        "GET",
        "/incident_workflows/triggers",
    )
    .scopes(&["incident_workflows.read"])
    .takes(&[
        &Param::text("workflow_id", "Workflow", "The workflow that is meant.")
            .reference("incident_workflow")
            .query("workflow_id"),
        &Param::text("incident_id", "Incident", "The incident: its ID, its address, or its number.")
            .reference("incident")
            .query("incident_id"),
        &Param::text("service_id", "Service", "The service that is meant.")
            .reference("service")
            .query("service_id"),
        &Param::new(
            Kind::OneOf(&["manual", "conditional", "incident_type"]),
            "trigger_type",
            "Kind of trigger",
            "By hand, on a condition, or by the incident's type.",
        )
        .query("trigger_type"),
        &Param::text(
            "workflow_name_contains",
            "Workflow name",
            "Only those of workflows whose name contains this.",
        )
        .query("workflow_name_contains"),
        &Param::new(
            Kind::Boolean,
            "is_disabled",
            "Disabled",
            "Only those that are switched off, or only others.",
        )
        .query("is_disabled"),
        &Param::new(
            Kind::OneOf(&[
                "workflow_id",
                "workflow_id asc",
                "workflow_id desc",
                "workflow_name",
                "workflow_name asc",
                "workflow_name desc",
            ]),
            "sort_by",
            "Sort by",
            "The order of the records.",
        )
        .query("sort_by"),
        &LIMIT,
        &ALL,
        &ADDITIONAL_QUERY,
    ])
    .answer(cursor("triggers"))
    .examples(&[Example::new("The first hundred", r#"{}"#)]),
    rest(
        "incident_workflow_trigger.create",
        "Create a trigger of an incident workflow",
        "Says what starts a workflow.",
        "POST",
        "/incident_workflows/triggers",
    )
    .scopes(&["incident_workflows.write"])
    .envelope("/trigger")
    .constants(&[("/type", r#""workflow_trigger""#)])
    .takes(&[
        &Param::new(
            Kind::OneOf(&["conditional", "manual", "incident_type"]),
            "trigger_type",
            "Kind of trigger",
            "By hand, on a condition, or by the incident's type.",
        )
        .body("/trigger_type"),
        &CONDITION,
        &Param::new(
            Kind::Url,
            "trigger_url",
            "Address",
            "The address by which it is started from outside.",
        )
        .body("/trigger_url"),
        &INCIDENT_TYPES,
        &Param::text("workflow_id", "Workflow", "The workflow that is meant.")
            .reference("incident_workflow")
            .at(Place::BodyAs("/workflow", r#"{"id":$}"#)),
        &SERVICE_IDS,
        &IS_SUBSCRIBED_TO_ALL_SERVICES,
        &PERMISSIONS,
        &ADDITIONAL_FIELDS,
    ])
    .answer(one("trigger"))
    .examples(&[
        Example::new(
            "By hand, on one service",
            r#"{"trigger_type":"manual","workflow_id":"PINCIDENTWORK1","service_ids":["PSERVICE000001"],"is_subscribed_to_all_services":false}"#,
        ),
    ]),
    rest(
        "incident_workflow_trigger.get",
        "Get a trigger of an incident workflow",
        "Looks up one trigger.",
        "GET",
        "/incident_workflows/triggers/{incident_workflow_trigger_id}",
    )
    .scopes(&["incident_workflows.read"])
    .takes(&[&INCIDENT_WORKFLOW_TRIGGER_ID.required(), &ADDITIONAL_QUERY])
    .answer(one("trigger"))
    .examples(&[Example::new("One", r#"{"incident_workflow_trigger_id":"PTRIGGER000001"}"#)]),
    rest(
        "incident_workflow_trigger.update",
        "Update a trigger of an incident workflow",
        "Changes what starts a workflow.",
        "PUT",
        "/incident_workflows/triggers/{incident_workflow_trigger_id}",
    )
    .scopes(&["incident_workflows.write"])
    .envelope("/trigger")
    .constants(&[("/type", r#""workflow_trigger""#)])
    .takes(&[
        &INCIDENT_WORKFLOW_TRIGGER_ID.required(),
        &CONDITION,
        &SERVICE_IDS,
        &IS_SUBSCRIBED_TO_ALL_SERVICES,
        &PERMISSIONS,
        &INCIDENT_TYPES,
        &ADDITIONAL_FIELDS,
    ])
    .answer(one("trigger"))
    .examples(&[
        Example::new(
            "For every service",
            r#"{"incident_workflow_trigger_id":"PTRIGGER000001","is_subscribed_to_all_services":true}"#,
        ),
    ]),
    rest(
        "incident_workflow_trigger.delete",
        "Delete a trigger of an incident workflow",
        "Removes a trigger.",
        "DELETE",
        "/incident_workflows/triggers/{incident_workflow_trigger_id}",
    )
    .scopes(&["incident_workflows.write"])
    .takes(&[&INCIDENT_WORKFLOW_TRIGGER_ID.required()])
    .answer(DELETED)
    .examples(&[Example::new("One", r#"{"incident_workflow_trigger_id":"PTRIGGER000001"}"#)]),
    rest(
        "incident_workflow_trigger.add_service",
        "Add a service to a trigger",
        "Lets a trigger hold for a service.",
        "POST",
        "/incident_workflows/triggers/{incident_workflow_trigger_id}/services",
    )
    .scopes(&["incident_workflows.write"])
    .effect(Effect::Update, Idempotency::None)
    .takes(&[
        &INCIDENT_WORKFLOW_TRIGGER_ID.required(),
        &Param::text("service_id", "Service", "The service that is meant.")
            .required()
            .reference("service")
            .at(Place::BodyAs("/service", r#"{"id":$}"#)),
        &ADDITIONAL_FIELDS,
    ])
    .answer(one("trigger"))
    .examples(&[
        Example::new(
            "One service",
            r#"{"incident_workflow_trigger_id":"PTRIGGER000001","service_id":"PSERVICE000001"}"#,
        ),
    ]),
    rest(
        "incident_workflow_trigger.remove_service",
        "Remove a service from a trigger",
        "Ends a trigger for a service.",
        "DELETE",
        "/incident_workflows/triggers/{incident_workflow_trigger_id}/services/{service_id}",
    )
    .scopes(&["incident_workflows.write"])
    .takes(&[&INCIDENT_WORKFLOW_TRIGGER_ID.required(), &SERVICE_ID])
    .answer(one("trigger"))
    .examples(&[
        Example::new(
            "One",
            r#"{"incident_workflow_trigger_id":"PTRIGGER000001","service_id":"PSERVICE000001"}"#,
        ),
    ]),
];
