//! Workflow integrations: tools that incident workflows can use, and the connections to them.

use workflow_node_sdk::declare::{Action, Example, Kind, Param, Place};

use super::rest;
use crate::paging::{DELETED, cursor};
use crate::parameters::{ADDITIONAL_FIELDS, ADDITIONAL_QUERY, ALL, LIMIT};

static INTEGRATION_ID: Param =
    Param::text("integration_id", "Integration", "The integration that is meant.")
        .reference("workflow_integration")
        .at(Place::Path);
static NAME: Param = Param::text("name", "Name", "Its name.").query("name");
static NAME_VALUE: Param = Param::text("name", "Name", "Its name.").body("/name");
static SECRETS: Param = Param::new(
    Kind::Map,
    "secrets",
    "Secrets",
    "What is needed to log in there, by name. The node sees handles in place of the values.",
)
.secret("workflow-connection-secret")
.body("/secrets");
static SERVICE_URL: Param =
    Param::text("service_url", "Address", "Where the tool is.").body("/service_url");
static EXTERNAL_ID: Param =
    Param::text("external_id", "ID there", "ID of the account at the tool.").body("/external_id");
static EXTERNAL_ID_LABEL: Param =
    Param::text("external_id_label", "Label of that ID", "What that ID is called.")
        .body("/external_id_label");
static SCOPES: Param =
    Param::new(Kind::List(&Kind::Text), "scopes", "Scopes", "What PagerDuty may do there.")
        .body("/scopes");
static IS_DEFAULT: Param = Param::new(
    Kind::Boolean,
    "is_default",
    "Default",
    "Whether it is used where no other is named.",
)
.body("/is_default");
static CONFIGURATION: Param = Param::new(
    Kind::Map,
    "configuration",
    "Settings",
    "How the tool is reached, as its integration describes.",
)
.body("/configuration");
static TEAMS: Param = Param::new(
    Kind::Objects(&[
        &Param::text("team_id", "Team", "The team that is meant.").reference("team"),
        &Param::constant("type", r#""team_reference""#),
    ]),
    "teams",
    "Teams",
    "The teams that may use it.",
)
.body("/teams");
static APPS: Param = Param::new(
    Kind::Objects(&[
        &Param::text("app_id", "App", "ID of the app."),
        &Param::constant("type", r#""pd_app_reference""#),
    ]),
    "apps",
    "Apps",
    "The apps that may use it.",
)
.body("/apps");
static CONNECTION_ID: Param = Param::text("connection_id", "Connection", "ID of the connection.")
    .reference("workflow_connection")
    .at(Place::Path);

pub(super) static ACTIONS: &[Action] = &[
    rest(
        "workflow_integration.list",
        "List workflow integrations",
        "Reads which tools incident workflows can use.",
        "GET",
        "/workflows/integrations",
    )
    .scopes(&["workflow_integrations.read"])
    .takes(&[
        &Param::new(
            Kind::Boolean,
            "include_deprecated",
            "Deprecated too",
            "Whether deprecated integrations are listed.",
        )
        .default(r#"false"#)
        .query("include_deprecated"),
        &LIMIT,
        &ALL,
        &ADDITIONAL_QUERY,
    ])
    .answer(cursor("integrations"))
    .examples(&[Example::new("The first hundred", r#"{}"#)]),
    rest(
        "workflow_integration.get",
        "Get a workflow integration",
        "Looks up one tool.",
        "GET",
        "/workflows/integrations/{integration_id}",
    )
    .scopes(&["workflow_integrations.read"])
    .takes(&[&INTEGRATION_ID.required(), &ADDITIONAL_QUERY])
    .examples(&[Example::new("One", r#"{"integration_id":"PINTEGRATION01"}"#)]),
    rest(
        "workflow_connection.list_all",
        "List all workflow connections",
        "Reads the connections to all tools.",
        "GET",
        "/workflows/integrations/connections",
    )
    .scopes(&["workflow_integrations:connections.read"])
    .takes(&[&NAME, &LIMIT, &ALL, &ADDITIONAL_QUERY])
    .answer(cursor("connections"))
    .examples(&[Example::new("The first hundred", r#"{}"#)]),
    rest(
        "workflow_connection.list",
        "List the workflow connections of an integration",
        "Reads the connections to one tool.",
        "GET",
        "/workflows/integrations/{integration_id}/connections",
    )
    .scopes(&["workflow_integrations:connections.read"])
    .takes(&[&INTEGRATION_ID.required(), &NAME, &LIMIT, &ALL, &ADDITIONAL_QUERY])
    .answer(cursor("connections"))
    .examples(&[Example::new("The first hundred", r#"{"integration_id":"PINTEGRATION01"}"#)]),
    rest(
        "workflow_connection.create",
        "Create a workflow connection",
        "Connects a tool. The secrets are not shown to the node.",
        "POST",
        "/workflows/integrations/{integration_id}/connections",
    )
    .scopes(&["workflow_integrations:connections.write"])
    .takes(&[
        &INTEGRATION_ID.required(),
        &NAME_VALUE.required(),
        &SECRETS.required(),
        &SERVICE_URL,
        &EXTERNAL_ID,
        &EXTERNAL_ID_LABEL,
        &SCOPES,
        &IS_DEFAULT,
        &CONFIGURATION,
        &TEAMS,
        &APPS,
        &ADDITIONAL_FIELDS,
    ])
    .examples(&[
        Example::new(
            "A chat",
            r#"{"integration_id":"PINTEGRATION01","name":"Our chat","secrets":{"token":"example-token"}}"#,
        ),
    ]),
    rest(
        "workflow_connection.get",
        "Get a workflow connection",
        "Looks up one connection.",
        "GET",
        "/workflows/integrations/{integration_id}/connections/{connection_id}",
    )
    .scopes(&["workflow_integrations:connections.read"])
    .takes(&[&INTEGRATION_ID.required(), &CONNECTION_ID.required(), &ADDITIONAL_QUERY])
    .examples(&[
        Example::new(
            "One",
            r#"{"integration_id":"PINTEGRATION01","connection_id":"PCONNECTION001"}"#,
        ),
    ]),
    rest(
        "workflow_connection.update",
        "Update a workflow connection",
        "Changes one connection.",
        "PATCH",
        "/workflows/integrations/{integration_id}/connections/{connection_id}",
    )
    .scopes(&["workflow_integrations:connections.write"])
    .takes(&[
        &INTEGRATION_ID.required(),
        &CONNECTION_ID.required(),
        &NAME_VALUE.required(),
        &SECRETS.required(),
        &SERVICE_URL,
        &EXTERNAL_ID,
        &EXTERNAL_ID_LABEL,
        &SCOPES,
        &IS_DEFAULT,
        &CONFIGURATION,
        &TEAMS,
        &APPS,
        &ADDITIONAL_FIELDS,
    ])
    .examples(&[
        Example::new(
            "Another name",
            r#"{"integration_id":"PINTEGRATION01","connection_id":"PCONNECTION001","name":"The chat","secrets":{"token":"example-token"}}"#,
        ),
    ]),
    rest(
        "workflow_connection.delete",
        "Delete a workflow connection",
        "Removes one connection.",
        "DELETE",
        "/workflows/integrations/{integration_id}/connections/{connection_id}",
    )
    .scopes(&["workflow_integrations:connections.write"])
    .takes(&[&INTEGRATION_ID.required(), &CONNECTION_ID.required()])
    .answer(DELETED)
    .examples(&[
        Example::new(
            "One",
            r#"{"integration_id":"PINTEGRATION01","connection_id":"PCONNECTION001"}"#,
        ),
    ]),
];
