//! Enrichment: data of your own (CSV files, ServiceNow tables) that is added to events.

use workflow_node_sdk::declare::{Action, Effect, Example, Idempotency, Kind, Param, Place};

use super::rest;
use crate::paging::{DELETED, classic, cursor, one, whole_list};
use crate::parameters::{ADDITIONAL_FIELDS, ADDITIONAL_QUERY, ALL, LIMIT};

static INTEGRATION_ID: Param =
    Param::text("integration_id", "Integration", "The integration that is meant.")
        .reference("servicenow_integration")
        .at(Place::Path);
static INSTANCE_ENDPOINT: Param = Param::text(
    "instance_endpoint",
    "Address",
    "Address of your ServiceNow, e.g. https://example.service-now.com.",
)
.body("/instance_endpoint");
static USER_VALUE: Param =
    Param::text("user", "User", "Name of the user in ServiceNow.").body("/user");
static PASSWORD: Param = Param::text(
    "password",
    "Password",
    "Password of that user. The node sees a handle in its place.",
)
.secret("servicenow-password")
.body("/password");
static CREDENTIALS_ID: Param =
    Param::text("credentials_id", "Credentials", "ID of the credentials.").at(Place::Path);
static DISPLAY_NAME: Param =
    Param::text("display_name", "Title", "What people see.").body("/display_name");
static CI_TABLE_NAME: Param =
    Param::text("ci_table_name", "Table", "Name of the table in ServiceNow, e.g. cmdb_ci_server.")
        .body("/ci_table_name");
static FIELD_MAPPINGS: Param = Param::new(
    Kind::Objects(&[
        &Param::text("servicenow_field", "Column", "Name of the column in ServiceNow.").required(),
        &Param::text("event_field", "Field", "Name of the field in events.").required(),
        &Param::constant("type", r#""query""#),
    ]),
    "field_mappings",
    "Columns",
    "Which column is called what in events.",
)
.max(20)
.body("/field_mappings");
static QUERY_FILTER: Param =
    Param::text("query_filter", "Filter", "Which rows are read, as ServiceNow writes it.")
        .nullable()
        .body("/query_filter");
static TABLE_ID: Param = Param::text("table_id", "Table", "ID of the table.")
    .reference("servicenow_table")
    .at(Place::Path);
static NAME: Param = Param::text("name", "Name", "Its name.").max(50).body("/name");
static DESCRIPTION: Param =
    Param::new(Kind::LongText, "description", "Description", "What it is for.")
        .max(2048)
        .body("/description");
static SCHEMA_ID: Param = Param::text("schema_id", "Schema", "The schema that is meant.")
    .reference("enrichment_schema")
    .at(Place::Path);
static INCLUDE: Param = Param::new(
    Kind::List(&Kind::OneOf(&["privileges"])),
    "include",
    "Include",
    "What is returned in full instead of as a reference.",
)
.query("include[]");
static NAME_VALUE: Param = Param::text("name", "Name", "Its name.").body("/name");
static DESCRIPTION_VALUE: Param =
    Param::new(Kind::LongText, "description", "Description", "What it is for.")
        .nullable()
        .body("/description");
static TEAM_ID_VALUE: Param = Param::text("team_id", "Team", "The team that is meant.")
    .nullable()
    .reference("team")
    .at(Place::BodyAs("/team", r#"{"id":$,"type":"team_reference"}"#));
static EVENT_ENRICHMENT_ID: Param = Param::text(
    "event_enrichment_id",
    "Event enrichment",
    "The event enrichment: its ID, its name, or its address.",
)
.reference("event_enrichment")
.at(Place::Path);
static ASSOCIATIONS: Param = Param::new(
    Kind::Objects(&[
        &Param::new(
            Kind::OneOf(&["service_reference", "event_orchestration_reference"]),
            "type",
            "Kind",
            "A service or an event orchestration.",
        )
        .required(),
        &Param::text("id", "Which", "The service or event orchestration.").required().reference_by(
            "type",
            &[
                ("service_reference", "service"),
                ("event_orchestration_reference", "event_orchestration"),
            ],
        ),
    ]),
    "associations",
    "Where",
    "Services and event orchestrations.",
)
.body("/associations");

pub(super) static ACTIONS: &[Action] = &[
    rest(
        "servicenow_integration.list",
        "List ServiceNow integrations",
        "Reads the connections to ServiceNow's configuration database.",
        "GET",
        "/enrichment/integrations/servicenow",
    )
    .scopes(&["contextual_data.read"])
    .takes(&[&LIMIT, &ALL, &ADDITIONAL_QUERY])
    .answer(whole_list("integrations"))
    .examples(&[Example::new("The first hundred", r#"{}"#)]),
    rest(
        "servicenow_integration.create",
        "Create a ServiceNow integration",
        "Connects tables of ServiceNow's configuration database.",
        "POST",
        "/enrichment/integrations/servicenow",
    )
    .scopes(&["contextual_data.write"])
    .takes(&[
        &Param::text("name", "Name", "What people see.").required().max(100).body("/name"),
        &Param::new(
            Kind::Objects(&[
                &Param::text("display_name", "Title", "What people see.").required(),
                &Param::text(
                    "ci_table_name",
                    "Table",
                    "Name of the table in ServiceNow, e.g. cmdb_ci_server.",
                )
                .required(),
                &Param::text(
                    "query_filter",
                    "Filter",
                    "Which rows are read, as ServiceNow writes it.",
                )
                .nullable(),
                &Param::new(
                    Kind::Objects(&[
                        &Param::text(
                            "servicenow_field",
                            "Column",
                            "Name of the column in ServiceNow.",
                        )
                        .required(),
                        &Param::text("event_field", "Field", "Name of the field in events.")
                            .required(),
                        &Param::constant("type", r#""query""#),
                    ]),
                    "field_mappings",
                    "Columns",
                    "Which column is called what in events.",
                )
                .required()
                .max(20),
            ]),
            "cmdb_tables",
            "Tables",
            "Which tables are read, and how their columns are called in events.",
        )
        .required()
        .max(8)
        .body("/cmdb_tables"),
        &Param::new(Kind::LongText, "description", "Description", "What it is for.")
            .max(500)
            .body("/description"),
        &ADDITIONAL_FIELDS,
    ])
    .answer(one("integration"))
    .examples(&[
        Example::new(
            "Servers",
            r#"{"name":"CMDB","cmdb_tables":[{"display_name":"Servers","ci_table_name":"cmdb_ci_server","field_mappings":[{"servicenow_field":"name","event_field":"source"},{"servicenow_field":"u_owner","event_field":"owner"}]}]}"#,
        ),
    ]),
    rest(
        "servicenow_integration.get",
        "Get a ServiceNow integration",
        "Looks up one connection.",
        "GET",
        "/enrichment/integrations/servicenow/{integration_id}",
    )
    .scopes(&["contextual_data.read"])
    .takes(&[&INTEGRATION_ID.required(), &ADDITIONAL_QUERY])
    .answer(one("integration"))
    .examples(&[Example::new("One", r#"{"integration_id":"PINTEGRATION01"}"#)]),
    rest(
        "servicenow_integration.delete",
        "Delete a ServiceNow integration",
        "Removes a connection to ServiceNow.",
        "DELETE",
        "/enrichment/integrations/servicenow/{integration_id}",
    )
    .scopes(&["contextual_data.write"])
    .takes(&[&INTEGRATION_ID.required()])
    .answer(DELETED)
    .examples(&[Example::new("One", r#"{"integration_id":"PINTEGRATION01"}"#)]),
    rest(
        "servicenow_credentials.create",
        "Create ServiceNow credentials",
        "Stores in PagerDuty how to log in to ServiceNow. The password is not shown to the node.",
        "POST",
        "/enrichment/integrations/servicenow/credentials",
    )
    .check("Nothing lists them. Look with `servicenow_integration.list` what uses which before you run it again; a second one beside it does no harm.")
    .scopes(&["contextual_data.write"])
    .envelope("/credentials")
    .takes(&[
        &INSTANCE_ENDPOINT.required(),
        &USER_VALUE.required(),
        &PASSWORD.required(),
        &ADDITIONAL_FIELDS,
    ])
    .answer(one("credentials"))
    .examples(&[
        Example::new(
            "A technical user",
            r#"{"instance_endpoint":"https://example.service-now.com","user":"pagerduty","password":"example-password"}"#,
        ),
    ]),
    rest(
        "servicenow_credentials.get",
        "Get ServiceNow credentials",
        "Looks up how PagerDuty logs in to ServiceNow, without the password.",
        "GET",
        "/enrichment/integrations/servicenow/credentials/{credentials_id}",
    )
    .scopes(&["contextual_data.read"])
    .takes(&[&CREDENTIALS_ID.required(), &ADDITIONAL_QUERY])
    .answer(one("credentials"))
    .examples(&[Example::new("One", r#"{"credentials_id":"PCREDENTIAL001"}"#)]),
    rest(
        "servicenow_credentials.update",
        "Update ServiceNow credentials",
        "Changes how PagerDuty logs in to ServiceNow.",
        "PUT",
        "/enrichment/integrations/servicenow/credentials/{credentials_id}",
    )
    .scopes(&["contextual_data.write"])
    .envelope("/credentials")
    .takes(&[
        &CREDENTIALS_ID.required(),
        &INSTANCE_ENDPOINT,
        &USER_VALUE,
        &PASSWORD,
        &ADDITIONAL_FIELDS,
    ])
    .answer(one("credentials"))
    .examples(&[
        Example::new("Another user", r#"{"credentials_id":"PCREDENTIAL001","user":"pagerduty-2"}"#),
    ]),
    rest(
        "servicenow_credentials.delete",
        "Delete ServiceNow credentials",
        "Makes PagerDuty forget how to log in to ServiceNow.",
        "DELETE",
        "/enrichment/integrations/servicenow/credentials/{credentials_id}",
    )
    .scopes(&["contextual_data.write"])
    .takes(&[&CREDENTIALS_ID.required()])
    .answer(DELETED)
    .examples(&[Example::new("One", r#"{"credentials_id":"PCREDENTIAL001"}"#)]),
    rest(
        "servicenow_table.create",
        "Add a ServiceNow table",
        "Adds a table to a connection with ServiceNow.",
        "POST",
        "/enrichment/integrations/servicenow/{integration_id}/tables",
    )
    .scopes(&["contextual_data.write"])
    .envelope("/cmdb_table")
    .takes(&[
        &INTEGRATION_ID.required(),
        &DISPLAY_NAME.required(),
        &CI_TABLE_NAME.required(),
        &FIELD_MAPPINGS.required(),
        &QUERY_FILTER,
        &ADDITIONAL_FIELDS,
    ])
    .answer(one("cmdb_table"))
    .examples(&[
        Example::new(
            "Databases",
            r#"{"integration_id":"PINTEGRATION01","display_name":"Databases","ci_table_name":"cmdb_ci_database","field_mappings":[{"servicenow_field":"name","event_field":"source"},{"servicenow_field":"u_owner","event_field":"owner"}]}"#,
        ),
    ]),
    rest(
        "servicenow_table.update",
        "Update a ServiceNow table",
        "Changes which rows and columns of a table are read.",
        "PUT",
        "/enrichment/integrations/servicenow/{integration_id}/tables/{table_id}",
    )
    .scopes(&["contextual_data.write"])
    .envelope("/cmdb_table")
    .takes(&[
        &INTEGRATION_ID.required(),
        &TABLE_ID.required(),
        &DISPLAY_NAME,
        &CI_TABLE_NAME,
        &QUERY_FILTER,
        &FIELD_MAPPINGS,
        &ADDITIONAL_FIELDS,
    ])
    .answer(one("cmdb_table"))
    .examples(&[
        Example::new(
            "Another name",
            r#"{"integration_id":"PINTEGRATION01","table_id":"PTABLE00000001","display_name":"All databases"}"#,
        ),
    ]),
    rest(
        "servicenow_table.delete",
        "Remove a ServiceNow table",
        "Takes a table from a connection with ServiceNow.",
        "DELETE",
        "/enrichment/integrations/servicenow/{integration_id}/tables/{table_id}",
    )
    .scopes(&["contextual_data.write"])
    .takes(&[&INTEGRATION_ID.required(), &TABLE_ID.required()])
    .answer(DELETED)
    .examples(&[
        Example::new("One", r#"{"integration_id":"PINTEGRATION01","table_id":"PTABLE00000001"}"#),
    ]),
    rest(
        "servicenow_table.enable",
        "Start reading a ServiceNow table",
        "Starts the regular reading of a table.",
        "POST",
        "/enrichment/integrations/servicenow/{integration_id}/tables/{table_id}/enable",
    )
    .scopes(&["contextual_data.write"])
    .effect(Effect::Execute, Idempotency::None)
    .takes(&[&INTEGRATION_ID.required(), &TABLE_ID.required()])
    .examples(&[
        Example::new("One", r#"{"integration_id":"PINTEGRATION01","table_id":"PTABLE00000001"}"#),
    ]),
    rest(
        "servicenow_table.test",
        "Test a ServiceNow table",
        "Reads some rows to see whether the connection works.",
        "GET",
        "/enrichment/integrations/servicenow/{integration_id}/tables/{table_id}/test",
    )
    .scopes(&["contextual_data.read"])
    .takes(&[&INTEGRATION_ID.required(), &TABLE_ID.required(), &LIMIT, &ALL, &ADDITIONAL_QUERY])
    .answer(whole_list("enrichment_data"))
    .examples(&[
        Example::new(
            "The first hundred",
            r#"{"integration_id":"PINTEGRATION01","table_id":"PTABLE00000001"}"#,
        ),
    ]),
    rest(
        "enrichment.query",
        "Look something up in enrichment data",
        "Finds the rows that match, as an event would.",
        "POST",
        "/enrichment/query",
    )
    .scopes(&["contextual_data.read"])
    .effect(Effect::Read, Idempotency::Safe)
    .takes(&[
        &Param::text("schema_id", "Schema", "The schema that is meant.")
            .required()
            .reference("enrichment_schema")
            .body("/schema_id"),
        &Param::new(
            Kind::Objects(&[
                &Param::text("field", "Column", "Name of the column.").required(),
                &Param::text("value", "Value", "The value.").required(),
            ]),
            "query",
            "Columns",
            "What the columns must hold.",
        )
        .required()
        .max(3)
        .body("/query"),
        &LIMIT,
        &ALL,
        &ADDITIONAL_FIELDS,
    ])
    .answer(whole_list("records"))
    .examples(&[
        Example::new(
            "A host",
            r#"{"schema_id":"00000000-0000-4000-8000-000000000001","query":[{"field":"host","value":"db-1"}]}"#,
        ),
    ]),
    rest(
        "enrichment_schema.list",
        "List enrichment schemas",
        "Reads which data there is, with its columns.",
        "GET",
        "/enrichment/schemas",
    )
    .scopes(&["contextual_data.read"])
    .takes(&[&LIMIT, &ALL, &ADDITIONAL_QUERY])
    .answer(whole_list("schemas"))
    .examples(&[Example::new("The first hundred", r#"{}"#)]),
    rest(
        "enrichment_schema.create",
        "Create an enrichment schema",
        "Describes the columns of data that will be uploaded.",
        "POST",
        "/enrichment/schemas",
    )
    .scopes(&["contextual_data.write"])
    .takes(&[
        &NAME.required(),
        &Param::new(
            Kind::Objects(&[
                &Param::text("name", "Name", "Its name.").required().max(256),
                &Param::new(Kind::OneOf(&["query", "enriched"]), "type", "Type", "Which kind.")
                    .required(),
            ]),
            "fields",
            "Columns",
            "The columns: those that are looked up, and those that are added.",
        )
        .required()
        .max(25)
        .body("/fields"),
        &Param::new(
            Kind::OneOf(&["CSV"]),
            "integration_type",
            "Source",
            "Where the data comes from.",
        )
        .body("/integration_type"),
        &DESCRIPTION,
        &Param::text("filename", "File name", "Name of the file that the data comes from.")
            .query("filename"),
        &ADDITIONAL_FIELDS,
    ])
    .answer(one("schema"))
    .examples(&[
        Example::new(
            "Hosts and owners",
            r#"{"name":"Hosts","fields":[{"name":"host","type":"query"},{"name":"owner","type":"enriched"}]}"#,
        ),
    ]),
    rest(
        "enrichment_schema.get",
        "Get an enrichment schema",
        "Looks up one schema.",
        "GET",
        "/enrichment/schemas/{schema_id}",
    )
    .scopes(&["contextual_data.read"])
    .takes(&[&SCHEMA_ID.required(), &ADDITIONAL_QUERY])
    .answer(one("schema"))
    .examples(&[Example::new("One", r#"{"schema_id":"00000000-0000-4000-8000-000000000001"}"#)]),
    rest(
        "enrichment_schema.update",
        "Update an enrichment schema",
        "Changes a schema's name or description.",
        "PUT",
        "/enrichment/schemas/{schema_id}",
    )
    .scopes(&["contextual_data.write"])
    .envelope("/schema")
    .takes(&[&SCHEMA_ID.required(), &NAME, &DESCRIPTION, &ADDITIONAL_FIELDS])
    .answer(one("schema"))
    .examples(&[
        Example::new("Another name", r#"{"schema_id":"00000000-0000-4000-8000-000000000001","name":"All hosts"}"#),
    ]),
    rest(
        "enrichment_schema.delete",
        "Delete an enrichment schema",
        "Removes a schema with its data.",
        "DELETE",
        "/enrichment/schemas/{schema_id}",
    )
    .scopes(&["contextual_data.write"])
    .takes(&[&SCHEMA_ID.required()])
    .answer(one("schema"))
    .examples(&[Example::new("One", r#"{"schema_id":"00000000-0000-4000-8000-000000000001"}"#)]),
    rest(
        "enrichment_record.list",
        "List enrichment records",
        "Reads the rows of some data.",
        "GET",
        "/enrichment/schemas/{schema_id}/records",
    )
    .scopes(&["contextual_data.read"])
    .takes(&[&SCHEMA_ID.required(), &LIMIT, &ALL, &ADDITIONAL_QUERY])
    .answer(cursor("records"))
    .examples(&[Example::new("The first hundred", r#"{"schema_id":"00000000-0000-4000-8000-000000000001"}"#)]),
    rest(
        "enrichment_record.upload",
        "Upload enrichment records",
        "Replaces the rows of some data by those of a CSV text.",
        "POST",
        "/enrichment/schemas/{schema_id}/records",
    )
    .scopes(&["contextual_data.write"])
    .effect(Effect::Update, Idempotency::None)
    .takes(&[
        &SCHEMA_ID.required(),
        &Param::new(
            Kind::LongText,
            "csv",
            "CSV",
            "The data: a line of column names, then a line for each row.",
        )
        .required()
        .at(Place::FormFile("file", "text/csv")),
        &Param::text("filename", "File name", "Name under which the data is uploaded.")
            .query("filename"),
    ])
    .examples(&[
        Example::new(
            "Two hosts",
            r#"{"schema_id":"00000000-0000-4000-8000-000000000001","filename":"hosts.csv","csv":"host,owner\ndb-1,ada\ndb-2,ben\n"}"#,
        ),
    ]),
    rest(
        "enrichment_record.delete",
        "Delete an enrichment record",
        "Removes one row.",
        "DELETE",
        "/enrichment/schemas/{schema_id}/records/{record_id}",
    )
    .scopes(&["contextual_data.write"])
    .takes(&[
        &SCHEMA_ID.required(),
        &Param::text("record_id", "Record", "ID of the record.")
            .required()
            .reference("enrichment_record")
            .at(Place::Path),
    ])
    .answer(one("record"))
    .examples(&[
        Example::new("One", r#"{"schema_id":"00000000-0000-4000-8000-000000000001","record_id":"PRECORD0000001"}"#),
    ]),
    rest(
        "event_enrichment.list",
        "List event enrichments",
        "Reads the rules that add data to events.",
        "GET",
        "/enrichment/event_enrichments",
    )
    .takes(&[&INCLUDE, &LIMIT, &ALL, &ADDITIONAL_QUERY])
    .answer(classic("event_enrichments"))
    .examples(&[Example::new("The first hundred", r#"{}"#)]),
    rest(
        "event_enrichment.create",
        "Create an event enrichment",
        "Adds a set of rules that add data to events.",
        "POST",
        "/enrichment/event_enrichments",
    )
    .envelope("/event_enrichment")
    .takes(&[&NAME_VALUE, &DESCRIPTION_VALUE, &TEAM_ID_VALUE, &ADDITIONAL_FIELDS])
    .answer(one("event_enrichment"))
    .examples(&[
        Example::new(
            "Owners",
            r#"{"name":"Owners of hosts","description":"Adds the owner.","team_id":"PTEAM000000001"}"#,
        ),
    ]),
    rest(
        "event_enrichment.get",
        "Get an event enrichment",
        "Looks up one set of rules.",
        "GET",
        "/enrichment/event_enrichments/{event_enrichment_id}",
    )
    .takes(&[&EVENT_ENRICHMENT_ID.required(), &INCLUDE, &ADDITIONAL_QUERY])
    .answer(one("event_enrichment"))
    .examples(&[Example::new("One", r#"{"event_enrichment_id":"PEVENTENRICHM1"}"#)]),
    rest(
        "event_enrichment.update",
        "Update an event enrichment",
        "Changes the name, description or team of a set of rules.",
        "PUT",
        "/enrichment/event_enrichments/{event_enrichment_id}",
    )
    .envelope("/event_enrichment")
    .takes(&[
        &EVENT_ENRICHMENT_ID.required(),
        &NAME_VALUE,
        &DESCRIPTION_VALUE,
        &TEAM_ID_VALUE,
        &ADDITIONAL_FIELDS,
    ])
    .answer(one("event_enrichment"))
    .examples(&[
        Example::new("Another name", r#"{"event_enrichment_id":"PEVENTENRICHM1","name":"Owners"}"#),
    ]),
    rest(
        "event_enrichment.delete",
        "Delete an event enrichment",
        "Removes a set of rules.",
        "DELETE",
        "/enrichment/event_enrichments/{event_enrichment_id}",
    )
    .takes(&[&EVENT_ENRICHMENT_ID.required()])
    .answer(DELETED)
    .examples(&[Example::new("One", r#"{"event_enrichment_id":"PEVENTENRICHM1"}"#)]),
    rest(
        "event_enrichment.get_default",
        "Get the default event enrichment",
        "Reads which set of rules holds where no other does.",
        "GET",
        "/enrichment/event_enrichments/default",
    )
    .takes(&[&ADDITIONAL_QUERY])
    .examples(&[Example::new("One", r#"{}"#)]),
    rest(
        "event_enrichment.set_default",
        "Set the default event enrichment",
        "Says which set of rules holds where no other does.",
        "PUT",
        "/enrichment/event_enrichments/default",
    )
    .takes(&[
        &Param::text("default_id", "Event enrichment", "The set of rules that is meant.")
            .required()
            .nullable()
            .reference("event_enrichment")
            .at(Place::BodyAs("/default", r#"{"id":$,"type":"event_enrichment_reference"}"#)),
        &ADDITIONAL_FIELDS,
    ])
    .examples(&[Example::new("This one", r#"{"default_id":"PEVENTENRICHM1"}"#)]),
    rest(
        "event_enrichment_association.list",
        "List where an event enrichment holds",
        "Reads for which services and orchestrations a set of rules holds.",
        "GET",
        "/enrichment/event_enrichments/{event_enrichment_id}/associations",
    )
    .takes(&[
        &EVENT_ENRICHMENT_ID.required(),
        &Param::new(
            Kind::OneOf(&["service", "event_orchestration"]),
            "association_type",
            "Kind",
            "Only services, or only event orchestrations.",
        )
        .query("association_type"),
        &LIMIT,
        &ALL,
        &ADDITIONAL_QUERY,
    ])
    .answer(classic("associations"))
    .examples(&[Example::new("The first hundred", r#"{"event_enrichment_id":"PEVENTENRICHM1"}"#)]),
    rest(
        "event_enrichment_association.create",
        "Let an event enrichment hold",
        "Makes a set of rules hold for services and orchestrations.",
        "POST",
        "/enrichment/event_enrichments/{event_enrichment_id}/associations",
    )
    .takes(&[&EVENT_ENRICHMENT_ID.required(), &ASSOCIATIONS.required(), &ADDITIONAL_FIELDS])
    .examples(&[
        Example::new(
            "For a service",
            r#"{"event_enrichment_id":"PEVENTENRICHM1","associations":[{"id":"PSERVICE000001","type":"service_reference"}]}"#,
        ),
    ]),
    rest(
        "event_enrichment_association.delete",
        "Let an event enrichment hold no more",
        "Ends a set of rules for services and orchestrations.",
        "DELETE",
        "/enrichment/event_enrichments/{event_enrichment_id}/associations",
    )
    .takes(&[&EVENT_ENRICHMENT_ID.required(), &ASSOCIATIONS.required()])
    .examples(&[
        Example::new(
            "For a service",
            r#"{"event_enrichment_id":"PEVENTENRICHM1","associations":[{"id":"PSERVICE000001","type":"service_reference"}]}"#,
        ),
    ]),
    rest(
        "event_enrichment.get_rules",
        "Get the rules of an event enrichment",
        "Reads the rules of one set.",
        "GET",
        "/enrichment/event_enrichments/{event_enrichment_id}/rules",
    )
    .takes(&[&EVENT_ENRICHMENT_ID.required(), &ADDITIONAL_QUERY])
    .answer(one("orchestration_path"))
    .examples(&[Example::new("One", r#"{"event_enrichment_id":"PEVENTENRICHM1"}"#)]),
    rest(
        "event_enrichment.set_rules",
        "Set the rules of an event enrichment",
        "Replaces the rules of one set.",
        "PUT",
        "/enrichment/event_enrichments/{event_enrichment_id}/rules",
    )
    .envelope("/orchestration_path")
    .constants(&[("/type", r#""event_enrichment""#)])
    .takes(&[
        &EVENT_ENRICHMENT_ID.required(),
        &Param::new(
            Kind::Objects(&[
                &Param::text("id", "ID", "Its ID."),
                &Param::new(
                    Kind::Objects(&[
                        &Param::text("id", "ID", "Its ID."),
                        &Param::text("label", "Label", "What people see."),
                        &Param::new(
                            Kind::Objects(&[
                                &Param::text(
                                    "expression",
                                    "Expression",
                                    "A condition in PagerDuty's condition language, e.g. \
                                     event.severity matches 'critical'.",
                                )
                                .required(),
                            ]),
                            "conditions",
                            "Conditions",
                            "Only for events that match one of these.",
                        ),
                        &Param::new(
                            Kind::Map,
                            "actions",
                            "Changes",
                            "Only creations, updates or deletions.",
                        ),
                        &Param::new(
                            Kind::Boolean,
                            "disabled",
                            "Disabled",
                            "Whether it is switched off.",
                        ),
                    ]),
                    "rules",
                    "Rules",
                    "The rules, in the order in which they are tried.",
                ),
            ]),
            "sets",
            "Rules",
            "Sets of rules; the first one is called start.",
        )
        .body("/sets"),
        &ADDITIONAL_FIELDS,
    ])
    .answer(one("orchestration_path"))
    .examples(&[
        Example::new(
            "No rules",
            r#"{"event_enrichment_id":"PEVENTENRICHM1","sets":[{"id":"start","rules":[]}]}"#,
        ),
    ]),
];
