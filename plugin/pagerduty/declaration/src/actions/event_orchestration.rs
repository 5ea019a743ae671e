//! Event orchestrations: rules that route events to services, and change them on the way.

use workflow_node_sdk::declare::{Action, Effect, Example, Idempotency, Kind, Param, Place};

use super::rest;
use crate::paging::{DELETED, classic, one, whole_list};
use crate::parameters::{ADDITIONAL_FIELDS, ADDITIONAL_QUERY, ALL, LIMIT, SERVICE_ID};
use crate::records::EVENT_ORCHESTRATION;

static NAME: Param = Param::text("name", "Name", "Its name.").body("/name");
static DESCRIPTION: Param =
    Param::new(Kind::LongText, "description", "Description", "What it is for.")
        .body("/description");
static TEAM_ID_VALUE: Param = Param::text("team_id", "Team", "The team that is meant.")
    .reference("team")
    .at(Place::BodyAs("/team", r#"{"id":$,"type":"team_reference"}"#));
static EVENT_ORCHESTRATION_ID: Param = Param::text(
    "event_orchestration_id",
    "Event orchestration",
    "The event orchestration: its ID, its name, or its address.",
)
.reference("event_orchestration")
.at(Place::Path);
static SETS: Param = Param::new(
    Kind::Objects(&[
        &Param::text("id", "ID", "Name of the set: start, or one that a rule leads to."),
        &Param::new(
            Kind::Objects(&[
                &Param::text("id", "ID", "Name of the set: start, or one that a rule leads to."),
                &Param::text("label", "Label", "What people see."),
                &Param::new(
                    Kind::Objects(&[&Param::text(
                        "expression",
                        "Expression",
                        "A condition in PagerDuty's condition language, e.g. event.severity \
                             matches 'critical'.",
                    )
                    .required()]),
                    "conditions",
                    "Conditions",
                    "Only for events that match one of these.",
                ),
                &Param::new(Kind::Map, "actions", "Actions", "What is done with the event."),
                &Param::new(Kind::Boolean, "disabled", "Disabled", "Whether it is switched off."),
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
.body("/sets");
static CATCH_ALL: Param = Param::new(
    Kind::Object(&[&Param::new(Kind::Map, "actions", "Actions", "What is done with the event.")]),
    "catch_all",
    "Otherwise",
    "What is done with events that no rule matches.",
)
.body("/catch_all");
static LABEL: Param = Param::text("label", "Label", "What people see.").body("/label");
static INTEGRATION_ID: Param =
    Param::text("integration_id", "Integration", "The integration that is meant.")
        .reference("event_orchestration_integration")
        .at(Place::Path);
static CONFIGURATION: Param = Param::new(
    Kind::Object(&[
        &Param::constant("type", r#""recent_value""#),
        &Param::text("source", "Field", "The field of the event, e.g. event.source."),
        &Param::text("regex", "Pattern", "The part that matches this regular expression."),
    ]),
    "configuration",
    "Settings",
    "What is remembered.",
)
.body("/configuration");
static DISABLED: Param =
    Param::new(Kind::Boolean, "disabled", "Disabled", "Whether it is switched off.")
        .body("/disabled");
static CONDITIONS: Param = Param::new(
    Kind::Objects(&[&Param::text(
        "expression",
        "Expression",
        "A condition in PagerDuty's condition language, e.g. event.severity matches \
             'critical'.",
    )]),
    "conditions",
    "Conditions",
    "Only for events that match one of these.",
)
.body("/conditions");
static CACHE_VARIABLE_ID: Param =
    Param::text("cache_variable_id", "Cache variable", "ID of the cache variable.")
        .reference("event_orchestration_cache_variable")
        .at(Place::Path);
static CACHE_VARIABLE_DATA: Param = Param::new(
    Kind::Json,
    "cache_variable_data",
    "Data",
    "What stands in the variable: a text, a number, or true or false.",
)
.body("/cache_variable_data");
static CACHE_VARIABLE_ID_VALUE: Param =
    Param::text("cache_variable_id", "Cache variable", "ID of the cache variable.")
        .reference("service_cache_variable")
        .at(Place::Path);

pub(super) static ACTIONS: &[Action] = &[
    rest(
        "event_orchestration.list",
        "List event orchestrations",
        "Reads all event orchestrations.",
        "GET",
        "/event_orchestrations",
    )
    .scopes(&["event_orchestrations.read"])
    .takes(&[
        &Param::new(
            Kind::OneOf(&[
                "name:asc",
                "name:desc",
                "routes:asc",
                "routes:desc",
                "created_at:asc",
                "created_at:desc",
            ]),
            "sort_by",
            "Sort by",
            "The order of the records.",
        )
        .default(r#""name:asc""#)
        .query("sort_by"),
        &LIMIT,
        &ALL,
        &ADDITIONAL_QUERY,
    ])
    .answer(classic("orchestrations"))
    .gives(EVENT_ORCHESTRATION)
    .examples(&[Example::new("The first hundred", r#"{}"#)]),
    rest(
        "event_orchestration.create",
        "Create an event orchestration",
        "Adds an event orchestration, to which events can be sent.",
        "POST",
        "/event_orchestrations",
    )
    .scopes(&["event_orchestrations.write"])
    .envelope("/orchestration")
    .takes(&[&NAME, &DESCRIPTION, &TEAM_ID_VALUE, &ADDITIONAL_FIELDS])
    .answer(one("orchestration"))
    .gives(EVENT_ORCHESTRATION)
    .examples(&[
        Example::new(
            "For a team",
            r#"{"name":"Shop events","description":"All that the shop sends.","team_id":"PTEAM000000001"}"#,
        ),
    ]),
    rest(
        "event_orchestration.get",
        "Get an event orchestration",
        "Looks up one event orchestration.",
        "GET",
        "/event_orchestrations/{event_orchestration_id}",
    )
    .scopes(&["event_orchestrations.read"])
    .takes(&[&EVENT_ORCHESTRATION_ID.required(), &ADDITIONAL_QUERY])
    .answer(one("orchestration"))
    .gives(EVENT_ORCHESTRATION)
    .examples(&[Example::new("One", r#"{"event_orchestration_id":"PEVENTORCHEST1"}"#)]),
    rest(
        "event_orchestration.update",
        "Update an event orchestration",
        "Changes the name, description or team of an event orchestration.",
        "PUT",
        "/event_orchestrations/{event_orchestration_id}",
    )
    .scopes(&["event_orchestrations.write"])
    .envelope("/orchestration")
    .takes(&[
        &EVENT_ORCHESTRATION_ID.required(),
        &NAME,
        &DESCRIPTION,
        &TEAM_ID_VALUE,
        &ADDITIONAL_FIELDS,
    ])
    .answer(one("orchestration"))
    .gives(EVENT_ORCHESTRATION)
    .examples(&[
        Example::new(
            "Another name",
            r#"{"event_orchestration_id":"PEVENTORCHEST1","name":"Shop and billing events"}"#,
        ),
    ]),
    rest(
        "event_orchestration.delete",
        "Delete an event orchestration",
        "Removes an event orchestration with its rules.",
        "DELETE",
        "/event_orchestrations/{event_orchestration_id}",
    )
    .scopes(&["event_orchestrations.write"])
    .takes(&[&EVENT_ORCHESTRATION_ID.required()])
    .answer(DELETED)
    .examples(&[Example::new("One", r#"{"event_orchestration_id":"PEVENTORCHEST1"}"#)]),
    rest(
        "event_orchestration.get_router",
        "Get the router of an event orchestration",
        "Reads the rules that decide to which service an event goes.",
        "GET",
        "/event_orchestrations/{event_orchestration_id}/router",
    )
    .scopes(&["event_orchestrations.read"])
    .takes(&[&EVENT_ORCHESTRATION_ID.required(), &ADDITIONAL_QUERY])
    .answer(one("orchestration_path"))
    .examples(&[Example::new("One", r#"{"event_orchestration_id":"PEVENTORCHEST1"}"#)]),
    rest(
        "event_orchestration.set_router",
        "Set the router of an event orchestration",
        "Replaces the rules that decide to which service an event goes.",
        "PUT",
        "/event_orchestrations/{event_orchestration_id}/router",
    )
    .scopes(&["event_orchestrations.write"])
    .envelope("/orchestration_path")
    .constants(&[("/type", r#""router""#)])
    .takes(&[&EVENT_ORCHESTRATION_ID.required(), &SETS, &CATCH_ALL, &ADDITIONAL_FIELDS])
    .answer(one("orchestration_path"))
    .examples(&[
        Example::new(
            "All to one service",
            r#"{"event_orchestration_id":"PEVENTORCHEST1","sets":[{"id":"start","rules":[{"label":"Everything","conditions":[],"actions":{"route_to":"PSERVICE000001"}}]}],"catch_all":{"actions":{"route_to":"unrouted"}}}"#,
        ),
    ]),
    rest(
        "event_orchestration.get_global_rules",
        "Get the global rules of an event orchestration",
        "Reads the rules that every event passes first.",
        "GET",
        "/event_orchestrations/{event_orchestration_id}/global",
    )
    .scopes(&["event_orchestrations.read"])
    .takes(&[&EVENT_ORCHESTRATION_ID.required(), &ADDITIONAL_QUERY])
    .answer(one("orchestration_path"))
    .examples(&[Example::new("One", r#"{"event_orchestration_id":"PEVENTORCHEST1"}"#)]),
    rest(
        "event_orchestration.set_global_rules",
        "Set the global rules of an event orchestration",
        "Replaces the rules that every event passes first.",
        "PUT",
        "/event_orchestrations/{event_orchestration_id}/global",
    )
    .scopes(&["event_orchestrations.write"])
    .envelope("/orchestration_path")
    .constants(&[("/type", r#""global""#)])
    .takes(&[&EVENT_ORCHESTRATION_ID.required(), &SETS, &CATCH_ALL, &ADDITIONAL_FIELDS])
    .answer(one("orchestration_path"))
    .examples(&[
        Example::new(
            "No rules",
            r#"{"event_orchestration_id":"PEVENTORCHEST1","sets":[{"id":"start","rules":[]}],"catch_all":{"actions":{}}}"#,
        ),
    ]),
    rest(
        "event_orchestration.get_unrouted_rules",
        "Get the rules for unrouted events",
        "Reads what happens with events that no rule routes.",
        "GET",
        "/event_orchestrations/{event_orchestration_id}/unrouted",
    )
    .scopes(&["event_orchestrations.read"])
    .takes(&[&EVENT_ORCHESTRATION_ID.required(), &ADDITIONAL_QUERY])
    .answer(one("orchestration_path"))
    .examples(&[Example::new("One", r#"{"event_orchestration_id":"PEVENTORCHEST1"}"#)]),
    rest(
        "event_orchestration.set_unrouted_rules",
        "Set the rules for unrouted events",
        "Replaces what happens with events that no rule routes.",
        "PUT",
        "/event_orchestrations/{event_orchestration_id}/unrouted",
    )
    .scopes(&["event_orchestrations.write"])
    .envelope("/orchestration_path")
    .constants(&[("/type", r#""unrouted""#)])
    .takes(&[&EVENT_ORCHESTRATION_ID.required(), &SETS, &CATCH_ALL, &ADDITIONAL_FIELDS])
    .answer(one("orchestration_path"))
    .examples(&[
        Example::new(
            "No rules",
            r#"{"event_orchestration_id":"PEVENTORCHEST1","sets":[{"id":"start","rules":[]}],"catch_all":{"actions":{"suppress":true}}}"#,
        ),
    ]),
    rest(
        "event_orchestration.get_service_rules",
        "Get the rules of a service",
        "Reads the rules that events of one service pass.",
        "GET",
        "/event_orchestrations/services/{service_id}",
    )
    .scopes(&["services.read"])
    .takes(&[
        &SERVICE_ID,
        &Param::new(
            Kind::List(&Kind::OneOf(&["migrated_metadata"])),
            "include",
            "Include",
            "What is returned in full instead of as a reference.",
        )
        .query("include[]"),
        &ADDITIONAL_QUERY,
    ])
    .answer(one("orchestration_path"))
    .examples(&[Example::new("One", r#"{"service_id":"PSERVICE000001"}"#)]),
    rest(
        "event_orchestration.set_service_rules",
        "Set the rules of a service",
        "Replaces the rules that events of one service pass.",
        "PUT",
        "/event_orchestrations/services/{service_id}",
    )
    .scopes(&["services.write"])
    .envelope("/orchestration_path")
    .constants(&[("/type", r#""service""#)])
    .takes(&[&SERVICE_ID, &SETS, &CATCH_ALL, &ADDITIONAL_FIELDS])
    .answer(one("orchestration_path"))
    .examples(&[
        Example::new(
            "No rules",
            r#"{"service_id":"PSERVICE000001","sets":[{"id":"start","rules":[]}],"catch_all":{"actions":{}}}"#,
        ),
    ]),
    rest(
        "event_orchestration.get_service_active",
        "Get whether the rules of a service hold",
        "Reads whether a service uses its own rules.",
        "GET",
        "/event_orchestrations/services/{service_id}/active",
    )
    .scopes(&["services.read"])
    .takes(&[&SERVICE_ID, &ADDITIONAL_QUERY])
    .examples(&[Example::new("One", r#"{"service_id":"PSERVICE000001"}"#)]),
    rest(
        "event_orchestration.set_service_active",
        "Set whether the rules of a service hold",
        "Switches the own rules of a service on or off.",
        "PUT",
        "/event_orchestrations/services/{service_id}/active",
    )
    .scopes(&["services.write"])
    .takes(&[
        &SERVICE_ID,
        &Param::new(Kind::Boolean, "active", "Active", "Whether it is in force.").body("/active"),
        &ADDITIONAL_FIELDS,
    ])
    .examples(&[Example::new("On", r#"{"service_id":"PSERVICE000001","active":true}"#)]),
    rest(
        "event_orchestration.list_features",
        "List the features of an event orchestration",
        "Reads which features are switched on.",
        "GET",
        "/event_orchestrations/{event_orchestration_id}/enablements",
    )
    .scopes(&["event_orchestrations.read"])
    .takes(&[&EVENT_ORCHESTRATION_ID.required(), &LIMIT, &ALL, &ADDITIONAL_QUERY])
    .answer(whole_list("enablements"))
    .examples(&[
        Example::new("The first hundred", r#"{"event_orchestration_id":"PEVENTORCHEST1"}"#),
    ]),
    rest(
        "event_orchestration.set_feature",
        "Switch a feature of an event orchestration",
        "Switches one feature on or off.",
        "PUT",
        "/event_orchestrations/{event_orchestration_id}/enablements/{feature_name}",
    )
    .scopes(&["event_orchestrations.write"])
    .envelope("/enablement")
    .takes(&[
        &EVENT_ORCHESTRATION_ID.required(),
        &Param::text("feature_name", "Feature", "Name of the feature, e.g. aiops.")
            .required()
            .at(Place::Path),
        &Param::new(Kind::Boolean, "enabled", "Enabled", "Whether it is switched on.")
            .required()
            .body("/enabled"),
        &ADDITIONAL_FIELDS,
    ])
    .answer(one("enablement"))
    .examples(&[
        Example::new(
            "On",
            r#"{"event_orchestration_id":"PEVENTORCHEST1","feature_name":"aiops","enabled":true}"#,
        ),
    ]),
    rest(
        "event_orchestration_integration.list",
        "List the integrations of an event orchestration",
        "Reads the keys by which events reach an orchestration. The node sees handles in place of \
         the keys.",
        "GET",
        "/event_orchestrations/{event_orchestration_id}/integrations",
    )
    .scopes(&["event_orchestrations.read"])
    .takes(&[&EVENT_ORCHESTRATION_ID.required(), &LIMIT, &ALL, &ADDITIONAL_QUERY])
    .answer(whole_list("integrations"))
    .examples(&[
        Example::new("The first hundred", r#"{"event_orchestration_id":"PEVENTORCHEST1"}"#),
    ]),
    rest(
        "event_orchestration_integration.create",
        "Create an integration of an event orchestration",
        "Makes another key by which events reach an orchestration. The node sees a handle in place \
         of the key.",
        "POST",
        "/event_orchestrations/{event_orchestration_id}/integrations",
    )
    .scopes(&["event_orchestrations.write"])
    .envelope("/integration")
    .takes(&[&EVENT_ORCHESTRATION_ID.required(), &LABEL.required(), &ADDITIONAL_FIELDS])
    .answer(one("integration"))
    .examples(&[
        Example::new("For the CI", r#"{"event_orchestration_id":"PEVENTORCHEST1","label":"CI"}"#),
    ]),
    rest(
        "event_orchestration_integration.get",
        "Get an integration of an event orchestration",
        "Looks up one integration. The node sees a handle in place of the key.",
        "GET",
        "/event_orchestrations/{event_orchestration_id}/integrations/{integration_id}",
    )
    .scopes(&["event_orchestrations.read"])
    .takes(&[&EVENT_ORCHESTRATION_ID.required(), &INTEGRATION_ID.required(), &ADDITIONAL_QUERY])
    .answer(one("integration"))
    .examples(&[
        Example::new(
            "One",
            r#"{"event_orchestration_id":"PEVENTORCHEST1","integration_id":"PINTEGRATION01"}"#,
        ),
    ]),
    rest(
        "event_orchestration_integration.update",
        "Update an integration of an event orchestration",
        "Renames an integration.",
        "PUT",
        "/event_orchestrations/{event_orchestration_id}/integrations/{integration_id}",
    )
    .scopes(&["event_orchestrations.write"])
    .envelope("/integration")
    .takes(&[
        &EVENT_ORCHESTRATION_ID.required(),
        &INTEGRATION_ID.required(),
        &LABEL.required(),
        &ADDITIONAL_FIELDS,
    ])
    .answer(one("integration"))
    .examples(&[
        Example::new(
            "Another name",
            r#"{"event_orchestration_id":"PEVENTORCHEST1","integration_id":"PINTEGRATION01","label":"CI and CD"}"#,
        ),
    ]),
    rest(
        "event_orchestration_integration.delete",
        "Delete an integration of an event orchestration",
        "Removes a key; events sent with it are refused from then on.",
        "DELETE",
        "/event_orchestrations/{event_orchestration_id}/integrations/{integration_id}",
    )
    .scopes(&["event_orchestrations.write"])
    .takes(&[&EVENT_ORCHESTRATION_ID.required(), &INTEGRATION_ID.required()])
    .answer(DELETED)
    .examples(&[
        Example::new(
            "One",
            r#"{"event_orchestration_id":"PEVENTORCHEST1","integration_id":"PINTEGRATION01"}"#,
        ),
    ]),
    rest(
        "event_orchestration_integration.migrate",
        "Move an integration to another event orchestration",
        "Takes an integration with its key from another orchestration.",
        "POST",
        "/event_orchestrations/{event_orchestration_id}/integrations/migration",
    )
    .scopes(&["event_orchestrations.write"])
    .effect(Effect::Execute, Idempotency::None)
    .takes(&[
        &EVENT_ORCHESTRATION_ID.required(),
        &Param::text("source_id", "From", "The event orchestration from which it is taken.")
            .required()
            .body("/source_id"),
        &Param::new(
            Kind::OneOf(&["orchestration"]),
            "source_type",
            "Kind of source",
            "From what it is taken.",
        )
        .required()
        .body("/source_type"),
        &Param::text("integration_id", "Integration", "The integration that is meant.")
            .required()
            .reference("event_orchestration_integration")
            .body("/integration_id"),
        &LIMIT,
        &ALL,
        &ADDITIONAL_FIELDS,
    ])
    .answer(whole_list("integrations"))
    .examples(&[
        Example::new(
            "From another",
            r#"{"event_orchestration_id":"PEVENTORCHEST1","source_id":"PEVENTORCHEST2","source_type":"orchestration","integration_id":"PINTEGRATION02"}"#,
        ),
    ]),
    rest(
        "event_orchestration_cache_variable.list",
        "List the cache variables of an event orchestration",
        "Reads what the rules of an orchestration remember.",
        "GET",
        "/event_orchestrations/{event_orchestration_id}/cache_variables",
    )
    .scopes(&["event_orchestrations.read"])
    .takes(&[&EVENT_ORCHESTRATION_ID.required(), &LIMIT, &ALL, &ADDITIONAL_QUERY])
    .answer(whole_list("cache_variables"))
    .examples(&[
        Example::new("The first hundred", r#"{"event_orchestration_id":"PEVENTORCHEST1"}"#),
    ]),
    rest(
        "event_orchestration_cache_variable.create",
        "Create a cache variable of an event orchestration",
        "Lets the rules of an orchestration remember something of the events they saw.",
        "POST",
        "/event_orchestrations/{event_orchestration_id}/cache_variables",
    )
    .scopes(&["event_orchestrations.write"])
    .envelope("/cache_variable")
    .takes(&[
        &EVENT_ORCHESTRATION_ID.required(),
        &NAME.required(),
        &CONFIGURATION.required(),
        &DISABLED,
        &CONDITIONS,
        &ADDITIONAL_FIELDS,
    ])
    .answer(one("cache_variable"))
    .examples(&[
        Example::new(
            "The last host",
            r#"{"event_orchestration_id":"PEVENTORCHEST1","name":"last_host","configuration":{"source":"event.source","regex":".*"}}"#,
        ),
    ]),
    rest(
        "event_orchestration_cache_variable.get",
        "Get a cache variable of an event orchestration",
        "Looks up one variable.",
        "GET",
        "/event_orchestrations/{event_orchestration_id}/cache_variables/{cache_variable_id}",
    )
    .scopes(&["event_orchestrations.read"])
    .takes(&[&EVENT_ORCHESTRATION_ID.required(), &CACHE_VARIABLE_ID.required(), &ADDITIONAL_QUERY])
    .answer(one("cache_variable"))
    .examples(&[
        Example::new(
            "One",
            r#"{"event_orchestration_id":"PEVENTORCHEST1","cache_variable_id":"PCACHEVARIABL1"}"#,
        ),
    ]),
    rest(
        "event_orchestration_cache_variable.update",
        "Update a cache variable of an event orchestration",
        "Changes what a variable remembers.",
        "PUT",
        "/event_orchestrations/{event_orchestration_id}/cache_variables/{cache_variable_id}",
    )
    .scopes(&["event_orchestrations.write"])
    .envelope("/cache_variable")
    .takes(&[
        &EVENT_ORCHESTRATION_ID.required(),
        &CACHE_VARIABLE_ID.required(),
        &NAME,
        &DISABLED,
        &CONFIGURATION,
        &CONDITIONS,
        &ADDITIONAL_FIELDS,
    ])
    .answer(one("cache_variable"))
    .examples(&[
        Example::new(
            "Switched off",
            r#"{"event_orchestration_id":"PEVENTORCHEST1","cache_variable_id":"PCACHEVARIABL1","name":"last_host","configuration":{"source":"event.source","regex":".*"},"disabled":true}"#,
        ),
    ]),
    rest(
        "event_orchestration_cache_variable.delete",
        "Delete a cache variable of an event orchestration",
        "Makes the rules of an orchestration forget something.",
        "DELETE",
        "/event_orchestrations/{event_orchestration_id}/cache_variables/{cache_variable_id}",
    )
    .scopes(&["event_orchestrations.write"])
    .takes(&[&EVENT_ORCHESTRATION_ID.required(), &CACHE_VARIABLE_ID.required()])
    .answer(DELETED)
    .examples(&[
        Example::new(
            "One",
            r#"{"event_orchestration_id":"PEVENTORCHEST1","cache_variable_id":"PCACHEVARIABL1"}"#,
        ),
    ]),
    rest(
        "event_orchestration_cache_variable.get_data",
        "Get the data of a cache variable",
        "Reads what stands in a variable that is filled from outside.",
        "GET",
        "/event_orchestrations/{event_orchestration_id}/cache_variables/{cache_variable_id}/data",
    )
    .scopes(&["event_orchestrations.read"])
    .takes(&[&EVENT_ORCHESTRATION_ID.required(), &CACHE_VARIABLE_ID.required(), &ADDITIONAL_QUERY])
    .examples(&[
        Example::new(
            "One",
            r#"{"event_orchestration_id":"PEVENTORCHEST1","cache_variable_id":"PCACHEVARIABL1"}"#,
        ),
    ]),
    rest(
        "event_orchestration_cache_variable.set_data",
        "Set the data of a cache variable",
        "Writes into a variable that is filled from outside.",
        "PUT",
        "/event_orchestrations/{event_orchestration_id}/cache_variables/{cache_variable_id}/data",
    )
    .scopes(&["event_orchestrations.write"])
    .takes(&[
        &EVENT_ORCHESTRATION_ID.required(),
        &CACHE_VARIABLE_ID.required(),
        &CACHE_VARIABLE_DATA.required(),
        &ADDITIONAL_FIELDS,
    ])
    .examples(&[
        Example::new(
            "A text",
            r#"{"event_orchestration_id":"PEVENTORCHEST1","cache_variable_id":"PCACHEVARIABL1","cache_variable_data":"maintenance"}"#,
        ),
    ]),
    rest(
        "event_orchestration_cache_variable.delete_data",
        "Delete the data of a cache variable",
        "Empties a variable that is filled from outside.",
        "DELETE",
        "/event_orchestrations/{event_orchestration_id}/cache_variables/{cache_variable_id}/data",
    )
    .scopes(&["event_orchestrations.write"])
    .takes(&[&EVENT_ORCHESTRATION_ID.required(), &CACHE_VARIABLE_ID.required()])
    .answer(DELETED)
    .examples(&[
        Example::new(
            "One",
            r#"{"event_orchestration_id":"PEVENTORCHEST1","cache_variable_id":"PCACHEVARIABL1"}"#,
        ),
    ]),
    rest(
        "service_cache_variable.list",
        "List the cache variables of a service",
        "Reads what the rules of a service remember.",
        "GET",
        "/event_orchestrations/services/{service_id}/cache_variables",
    )
    .scopes(&["services.read"])
    .takes(&[&SERVICE_ID, &LIMIT, &ALL, &ADDITIONAL_QUERY])
    .answer(whole_list("cache_variables"))
    .examples(&[Example::new("The first hundred", r#"{"service_id":"PSERVICE000001"}"#)]),
    rest(
        "service_cache_variable.create",
        "Create a cache variable of a service",
        "Lets the rules of a service remember something of the events they saw.",
        "POST",
        "/event_orchestrations/services/{service_id}/cache_variables",
    )
    .scopes(&["services.write"])
    .envelope("/cache_variable")
    .takes(&[
        &SERVICE_ID,
        &NAME.required(),
        &CONFIGURATION.required(),
        &DISABLED,
        &CONDITIONS,
        &ADDITIONAL_FIELDS,
    ])
    .answer(one("cache_variable"))
    .examples(&[
        Example::new(
            "The last host",
            r#"{"service_id":"PSERVICE000001","name":"last_host","configuration":{"source":"event.source","regex":".*"}}"#,
        ),
    ]),
    rest(
        "service_cache_variable.get",
        "Get a cache variable of a service",
        "Looks up one variable.",
        "GET",
        "/event_orchestrations/services/{service_id}/cache_variables/{cache_variable_id}",
    )
    .scopes(&["services.read"])
    .takes(&[&SERVICE_ID, &CACHE_VARIABLE_ID_VALUE.required(), &ADDITIONAL_QUERY])
    .answer(one("cache_variable"))
    .examples(&[
        Example::new(
            "One",
            r#"{"service_id":"PSERVICE000001","cache_variable_id":"PCACHEVARIABL1"}"#,
        ),
    ]),
    rest(
        "service_cache_variable.update",
        "Update a cache variable of a service",
        "Changes what a variable remembers.",
        "PUT",
        "/event_orchestrations/services/{service_id}/cache_variables/{cache_variable_id}",
    )
    .scopes(&["services.write"])
    .envelope("/cache_variable")
    .takes(&[
        &SERVICE_ID,
        &CACHE_VARIABLE_ID_VALUE.required(),
        &NAME,
        &DISABLED,
        &CONFIGURATION,
        &CONDITIONS,
        &ADDITIONAL_FIELDS,
    ])
    .answer(one("cache_variable"))
    .examples(&[
        Example::new(
            "Switched off",
            r#"{"service_id":"PSERVICE000001","cache_variable_id":"PCACHEVARIABL1","name":"last_host","configuration":{"source":"event.source","regex":".*"},"disabled":true}"#,
        ),
    ]),
    rest(
        "service_cache_variable.delete",
        "Delete a cache variable of a service",
        "Makes the rules of a service forget something.",
        "DELETE",
        "/event_orchestrations/services/{service_id}/cache_variables/{cache_variable_id}",
    )
    .scopes(&["services.write"])
    .takes(&[&SERVICE_ID, &CACHE_VARIABLE_ID_VALUE.required()])
    .answer(DELETED)
    .examples(&[
        Example::new(
            "One",
            r#"{"service_id":"PSERVICE000001","cache_variable_id":"PCACHEVARIABL1"}"#,
        ),
    ]),
    rest(
        "service_cache_variable.get_data",
        "Get the data of a service's cache variable",
        "Reads what stands in a variable that is filled from outside.",
        "GET",
        "/event_orchestrations/services/{service_id}/cache_variables/{cache_variable_id}/data",
    )
    .scopes(&["services.read"])
    .takes(&[&SERVICE_ID, &CACHE_VARIABLE_ID_VALUE.required(), &ADDITIONAL_QUERY])
    .examples(&[
        Example::new(
            "One",
            r#"{"service_id":"PSERVICE000001","cache_variable_id":"PCACHEVARIABL1"}"#,
        ),
    ]),
    rest(
        "service_cache_variable.set_data",
        "Set the data of a service's cache variable",
        "Writes into a variable that is filled from outside.",
        "PUT",
        "/event_orchestrations/services/{service_id}/cache_variables/{cache_variable_id}/data",
    )
    .scopes(&["services.write"])
    .takes(&[
        &SERVICE_ID,
        &CACHE_VARIABLE_ID_VALUE.required(),
        &CACHE_VARIABLE_DATA.required(),
        &ADDITIONAL_FIELDS,
    ])
    .examples(&[
        Example::new(
            "A text",
            r#"{"service_id":"PSERVICE000001","cache_variable_id":"PCACHEVARIABL1","cache_variable_data":"maintenance"}"#,
        ),
    ]),
    rest(
        "service_cache_variable.delete_data",
        "Delete the data of a service's cache variable",
        "Empties a variable that is filled from outside.",
        "DELETE",
        "/event_orchestrations/services/{service_id}/cache_variables/{cache_variable_id}/data",
    )
    .scopes(&["services.write"])
    .takes(&[&SERVICE_ID, &CACHE_VARIABLE_ID_VALUE.required()])
    .answer(DELETED)
    .examples(&[
        Example::new(
            "One",
            r#"{"service_id":"PSERVICE000001","cache_variable_id":"PCACHEVARIABL1"}"#,
        ),
    ]),
];
