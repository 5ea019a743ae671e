//! Services: what can break: the things that incidents are about.

use workflow_node_sdk::declare::{Action, Effect, Example, Idempotency, Kind, Param, Place};

use super::rest;
use crate::flat::SERVICE_FLAT;
use crate::paging::{DELETED, classic, one, whole_list};
use crate::parameters::{
    ADDITIONAL_FIELDS, ADDITIONAL_QUERY, ALL, BUSINESS_SERVICE_ID, LIMIT, QUERY, SERVICE_ID,
    SIMPLIFY, TEAM_IDS, TIME_ZONE,
};
use crate::records::SERVICE;

static ESCALATION_POLICY_ID_VALUE: Param = Param::text(
    "escalation_policy_id",
    "Escalation policy",
    "The escalation policy that is meant.",
)
.reference("escalation_policy")
.at(Place::BodyAs("/escalation_policy", r#"{"id":$,"type":"escalation_policy_reference"}"#));
static NAME: Param = Param::text("name", "Name", "Its name.").body("/name");
static DESCRIPTION: Param =
    Param::new(Kind::LongText, "description", "Description", "What it is for.")
        .body("/description");
static AUTO_RESOLVE_TIMEOUT: Param = Param::new(
    Kind::Integer(0, 2147483647),
    "auto_resolve_timeout",
    "Resolve after",
    "After how many seconds an open incident is resolved by itself; null for never.",
)
.default(r#"14400"#)
.body("/auto_resolve_timeout");
static ACKNOWLEDGEMENT_TIMEOUT: Param = Param::new(
    Kind::Integer(0, 2147483647),
    "acknowledgement_timeout",
    "Trigger again after",
    "After how many seconds an acknowledged incident is triggered again; null for never.",
)
.default(r#"1800"#)
.body("/acknowledgement_timeout");
static STATUS: Param = Param::new(
    Kind::OneOf(&["active", "warning", "critical", "maintenance", "disabled"]),
    "status",
    "State",
    "Whether it takes events: active or disabled.",
)
.default(r#""active""#)
.body("/status");
static INCIDENT_URGENCY_RULE: Param = Param::new(
    Kind::Object(&[
        &Param::new(
            Kind::OneOf(&["constant", "use_support_hours"]),
            "type",
            "Kind",
            "Always the same, or by support hours.",
        )
        .default(r#""constant""#),
        &Param::new(
            Kind::OneOf(&["low", "high", "severity_based"]),
            "urgency",
            "Urgency",
            "How loudly people are notified.",
        )
        .default(r#""high""#),
        &Param::new(
            Kind::Map,
            "during_support_hours",
            "Within support hours",
            "How urgent incidents are then.",
        ),
        &Param::new(
            Kind::Map,
            "outside_support_hours",
            "Outside support hours",
            "How urgent incidents are then.",
        ),
    ]),
    "incident_urgency_rule",
    "Urgency",
    "How urgent its incidents are.",
)
.body("/incident_urgency_rule");
static SUPPORT_HOURS: Param = Param::new(
    Kind::Object(&[
        &Param::constant("type", r#""fixed_time_per_day""#),
        &Param::text("time_zone", "Time zone", "IANA name of the time zone, e.g. Europe/Berlin."),
        &Param::text("start_time", "From", "When they begin, e.g. 09:00:00."),
        &Param::text("end_time", "To", "When they end, e.g. 17:00:00."),
    ]),
    "support_hours",
    "Support hours",
    "When somebody is there.",
)
.body("/support_hours");
static SCHEDULED_ACTIONS: Param = Param::new(
    Kind::Objects(&[
        &Param::constant("type", r#""urgency_change""#),
        &Param::new(Kind::Map, "at", "When", "The beginning or the end of the support hours.")
            .required(),
        &Param::new(Kind::OneOf(&["high"]), "to_urgency", "Urgency", "What the urgency becomes.")
            .required(),
    ]),
    "scheduled_actions",
    "Scheduled changes",
    "What happens at the beginning or end of the support hours.",
)
.body("/scheduled_actions");
static AUTO_PAUSE_NOTIFICATIONS_PARAMETERS: Param = Param::new(
    Kind::Object(&[
        &Param::new(Kind::Boolean, "enabled", "Enabled", "Whether it is switched on.")
            .default(r#"false"#),
        &Param::new(Kind::Integer(0, 900), "timeout", "Pause", "For how many seconds."),
        &Param::new(
            Kind::Integer(120, 900),
            "recommended_timeout",
            "Recommended pause",
            "For how many seconds PagerDuty recommends.",
        ),
    ]),
    "auto_pause_notifications_parameters",
    "Pause at first",
    "Whether alerts that may go away by themselves are held back.",
)
.body("/auto_pause_notifications_parameters");
static ENABLED: Param =
    Param::new(Kind::Boolean, "enabled", "Enabled", "Whether it is switched on.").body("/enabled");
static TYPE: Param = Param::new(
    Kind::OneOf(&[
        "aws_cloudwatch_inbound_integration",
        "cloudkick_inbound_integration",
        "event_transformer_api_inbound_integration",
        "generic_email_inbound_integration",
        "generic_events_api_inbound_integration",
        "keynote_inbound_integration",
        "nagios_inbound_integration",
        "pingdom_inbound_integration",
        "sql_monitor_inbound_integration",
        "events_api_v2_inbound_integration",
    ]),
    "type",
    "Kind",
    "By which way events come; events_api_v2_inbound_integration for the Events API.",
)
.body("/type");
static VENDOR_ID: Param = Param::text("vendor_id", "Vendor", "The tool that sends the events.")
    .reference("vendor")
    .at(Place::BodyAs("/vendor", r#"{"id":$,"type":"vendor_reference"}"#));
static INTEGRATION_EMAIL: Param = Param::text(
    "integration_email",
    "E-mail address",
    "The address to which e-mails are sent (e-mail integrations).",
)
.body("/integration_email");
static EMAIL_INCIDENT_CREATION: Param = Param::new(
    Kind::OneOf(&[
        "on_new_email",
        "on_new_email_subject",
        "only_if_no_open_incidents",
        "use_rules",
    ]),
    "email_incident_creation",
    "Incidents from e-mails",
    "When an e-mail opens an incident.",
)
.body("/email_incident_creation");
static EMAIL_FILTER_MODE: Param = Param::new(
    Kind::OneOf(&["all-email", "or-rules-email", "and-rules-email"]),
    "email_filter_mode",
    "Filter e-mails",
    "Which e-mails are taken.",
)
.body("/email_filter_mode");
static EMAIL_PARSERS: Param = Param::new(
    Kind::Objects(&[
        &Param::new(
            Kind::OneOf(&["trigger", "resolve"]),
            "action",
            "What to do",
            "What an e-mail that matches does.",
        )
        .required(),
        &Param::new(Kind::Map, "match_predicate", "Match", "Which e-mails.").required(),
        &Param::new(
            Kind::List(&Kind::Map),
            "value_extractors",
            "Extract",
            "What is taken out of the e-mail.",
        ),
    ]),
    "email_parsers",
    "Parsers",
    "How e-mails are read.",
)
.body("/email_parsers");
static EMAIL_PARSING_FALLBACK: Param = Param::new(
    Kind::OneOf(&["open_new_incident", "discard"]),
    "email_parsing_fallback",
    "Otherwise",
    "What happens with e-mails that no parser matches.",
)
.body("/email_parsing_fallback");
static EMAIL_FILTERS: Param = Param::new(
    Kind::Objects(&[
        &Param::new(
            Kind::OneOf(&["match", "no-match", "always"]),
            "subject_mode",
            "Subject",
            "Whether the subject must match.",
        )
        .required(),
        &Param::text("subject_regex", "Pattern of the subject", "A regular expression."),
        &Param::new(
            Kind::OneOf(&["match", "no-match", "always"]),
            "body_mode",
            "Body",
            "Whether the body must match.",
        )
        .required(),
        &Param::text("body_regex", "Pattern of the body", "A regular expression."),
        &Param::new(
            Kind::OneOf(&["match", "no-match", "always"]),
            "from_email_mode",
            "Sender",
            "Whether the sender must match.",
        )
        .required(),
        &Param::text("from_email_regex", "Pattern of the sender", "A regular expression."),
    ]),
    "email_filters",
    "Filters",
    "Which e-mails are taken.",
)
.body("/email_filters");
static INTEGRATION_ID: Param =
    Param::text("integration_id", "Integration", "The integration that is meant.")
        .reference("service_integration")
        .at(Place::Path);
static INCLUDE: Param = Param::new(
    Kind::List(&Kind::OneOf(&["field_options"])),
    "include",
    "Include",
    "What is returned in full instead of as a reference.",
)
.query("include[]");
static DISPLAY_NAME: Param =
    Param::text("display_name", "Title", "What people see.").max(50).body("/display_name");
static DESCRIPTION_VALUE: Param =
    Param::new(Kind::LongText, "description", "Description", "What it is for.")
        .nullable()
        .max(1000)
        .body("/description");
static FIELD_ID: Param = Param::text("field_id", "Field", "The field that is meant.")
    .reference("service_field")
    .at(Place::Path);
static DATA_TYPE: Param =
    Param::new(Kind::OneOf(&["string"]), "data_type", "Kind of value", "What the field holds.")
        .body("/data/data_type");
static VALUE: Param = Param::text("value", "Value", "The value.").max(200).body("/data/value");
static FIELD_OPTION_ID: Param = Param::text("field_option_id", "Value", "The value that is meant.")
    .reference("service_field_option")
    .at(Place::Path);
/// What a kind of service in a dependency means.
const SERVICE_KINDS: &[(&str, &str)] = &[
    ("service", "service"),
    ("service_reference", "service"),
    ("technical_service", "service"),
    ("technical_service_reference", "service"),
    ("business_service", "business_service"),
    ("business_service_reference", "business_service"),
];
static RELATIONSHIPS: Param = Param::new(
    Kind::Objects(&[
        &Param::new(
            Kind::Object(&[
                &Param::text("id", "Which", "The service.")
                    .required()
                    .reference_by("type", SERVICE_KINDS),
                &Param::text("type", "Kind", "E.g. service or business_service.").required(),
            ]),
            "supporting_service",
            "Supporting service",
            "The one that is built on.",
        )
        .required(),
        &Param::new(
            Kind::Object(&[
                &Param::text("id", "Which", "The service.")
                    .required()
                    .reference_by("type", SERVICE_KINDS),
                &Param::text("type", "Kind", "E.g. service or business_service.").required(),
            ]),
            "dependent_service",
            "Dependent service",
            "The one that is built on it.",
        )
        .required(),
    ]),
    "relationships",
    "Dependencies",
    "Which service supports which.",
)
.body("/relationships");

pub(super) static ACTIONS: &[Action] = &[
    rest(
        "service.list",
        "List services",
        "Finds services by name and team.",
        "GET",
        "/services",
    )
    .scopes(&["services.read"])
    .takes(&[
        &QUERY,
        &TEAM_IDS,
        &TIME_ZONE,
        &Param::new(
            Kind::OneOf(&["name", "name:asc", "name:desc"]),
            "sort_by",
            "Sort by",
            "The order of the records.",
        )
        .default(r#""name""#)
        .query("sort_by"),
        &Param::new(
            Kind::List(&Kind::OneOf(&[
                "escalation_policies",
                "teams",
                "integrations",
                "auto_pause_notifications_parameters",
            ])),
            "include",
            "Include",
            "What is returned in full instead of as a reference.",
        )
        .query("include[]"),
        &Param::text("name", "Name", "Only the service with exactly this name.").query("name"),
        &SIMPLIFY,
        &LIMIT,
        &ALL,
        &ADDITIONAL_QUERY,
    ])
    .answer(classic("services"))
    .gives(SERVICE)
    .simple(&SERVICE_FLAT)
    .examples(&[
        Example::new("All services", r#"{"all":true}"#),
        Example::new("By name", r#"{"query":"checkout"}"#),
    ]),
    rest(
        "service.create",
        "Create a service",
        "Adds a service; its escalation policy says who is notified.",
        "POST",
        "/services",
    )
    .scopes(&["services.write"])
    .envelope("/service")
    .constants(&[("/type", r#""service""#)])
    .takes(&[
        &ESCALATION_POLICY_ID_VALUE.required(),
        &NAME.required(),
        &DESCRIPTION,
        &AUTO_RESOLVE_TIMEOUT,
        &ACKNOWLEDGEMENT_TIMEOUT,
        &STATUS,
        &INCIDENT_URGENCY_RULE,
        &SUPPORT_HOURS,
        &SCHEDULED_ACTIONS,
        &AUTO_PAUSE_NOTIFICATIONS_PARAMETERS,
        &ADDITIONAL_FIELDS,
    ])
    .answer(one("service"))
    .gives(SERVICE)
    .examples(&[
        Example::new(
            "The shop",
            r#"{"name":"Online shop","description":"What customers buy with.","escalation_policy_id":"PESCALATIONPO1"}"#,
        ),
    ]),
    rest(
        "service.get",
        "Get a service",
        "Looks up one service.",
        "GET",
        "/services/{service_id}",
    )
    .scopes(&["services.read"])
    .takes(&[
        &SERVICE_ID,
        &Param::new(
            Kind::List(&Kind::OneOf(&[
                "escalation_policies",
                "teams",
                "auto_pause_notifications_parameters",
                "integrations",
            ])),
            "include",
            "Include",
            "What is returned in full instead of as a reference.",
        )
        .query("include[]"),
        &SIMPLIFY,
        &ADDITIONAL_QUERY,
    ])
    .answer(one("service"))
    .gives(SERVICE)
    .simple(&SERVICE_FLAT)
    .examples(&[
        Example::new(
            "One service with its integrations",
            r#"{"service_id":"PSERVICE000001","include":["integrations"]}"#,
        ),
    ]),
    rest(
        "service.update",
        "Update a service",
        "Changes a service; what is not given stays as it is.",
        "PUT",
        "/services/{service_id}",
    )
    .scopes(&["services.write"])
    .envelope("/service")
    .constants(&[("/type", r#""service""#)])
    .takes(&[
        &SERVICE_ID,
        &NAME,
        &DESCRIPTION,
        &AUTO_RESOLVE_TIMEOUT,
        &ACKNOWLEDGEMENT_TIMEOUT,
        &STATUS,
        &ESCALATION_POLICY_ID_VALUE,
        &INCIDENT_URGENCY_RULE,
        &SUPPORT_HOURS,
        &SCHEDULED_ACTIONS,
        &AUTO_PAUSE_NOTIFICATIONS_PARAMETERS,
        &ADDITIONAL_FIELDS,
    ])
    .answer(one("service"))
    .gives(SERVICE)
    .examples(&[
        Example::new(
            "Another description",
            r#"{"service_id":"PSERVICE000001","description":"What customers pay with."}"#,
        ),
    ]),
    rest(
        "service.delete",
        "Delete a service",
        "Removes a service for good, with its integrations.",
        "DELETE",
        "/services/{service_id}",
    )
    .scopes(&["services.write"])
    .takes(&[&SERVICE_ID])
    .answer(DELETED)
    .examples(&[Example::new("One", r#"{"service_id":"PSERVICE000002"}"#)]),
    rest(
        "service.list_features",
        "List the features of a service",
        "Reads which features are switched on for a service.",
        "GET",
        "/services/{service_id}/enablements",
    )
    .scopes(&["services.read"])
    .takes(&[&SERVICE_ID, &LIMIT, &ALL, &ADDITIONAL_QUERY])
    .answer(whole_list("enablements"))
    .examples(&[Example::new("The first hundred", r#"{"service_id":"PSERVICE000001"}"#)]),
    rest(
        "service.set_feature",
        "Switch a feature of a service",
        "Switches one feature of a service on or off.",
        "PUT",
        "/services/{service_id}/enablements/{feature_name}",
    )
    .scopes(&["services.write"])
    .envelope("/enablement")
    .takes(&[
        &SERVICE_ID,
        &Param::text("feature_name", "Feature", "Name of the feature, e.g. aiops.")
            .required()
            .at(Place::Path),
        &ENABLED.required(),
        &ADDITIONAL_FIELDS,
    ])
    .answer(one("enablement"))
    .examples(&[
        Example::new(
            "On",
            r#"{"service_id":"PSERVICE000001","feature_name":"aiops","enabled":true}"#,
        ),
    ]),
    rest(
        "service.convert_rules",
        "Convert the event rules of a service",
        "Turns the old event rules of a service into rules of an event orchestration. It cannot be \
         taken back.",
        "POST",
        "/services/{service_id}/rules/convert",
    )
    .check(
        "Look with `event_orchestration.get_service_rules` whether they are there before you run it \
         again.",
    )
    .scopes(&["services.write"])
    .effect(Effect::Execute, Idempotency::None)
    .takes(&[&SERVICE_ID])
    .examples(&[Example::new("One", r#"{"service_id":"PSERVICE000001"}"#)]),
    rest(
        "service_integration.create",
        "Create an integration of a service",
        "Opens another way for events to reach a service. The node sees a handle in place of its \
         key.",
        "POST",
        "/services/{service_id}/integrations",
    )
    .scopes(&["services.write"])
    .envelope("/integration")
    .takes(&[
        &SERVICE_ID,
        &TYPE,
        &NAME,
        &VENDOR_ID,
        &INTEGRATION_EMAIL,
        &EMAIL_INCIDENT_CREATION,
        &EMAIL_FILTER_MODE,
        &EMAIL_PARSERS,
        &EMAIL_PARSING_FALLBACK,
        &EMAIL_FILTERS,
        &ADDITIONAL_FIELDS,
    ])
    .answer(one("integration"))
    .examples(&[
        Example::new(
            "Events API v2",
            r#"{"service_id":"PSERVICE000001","type":"events_api_v2_inbound_integration","name":"CI"}"#,
        ),
    ]),
    rest(
        "service_integration.get",
        "Get an integration of a service",
        "Looks up one integration. The node sees a handle in place of its key.",
        "GET",
        "/services/{service_id}/integrations/{integration_id}",
    )
    .scopes(&["services.read"])
    .takes(&[
        &SERVICE_ID,
        &INTEGRATION_ID.required(),
        &Param::new(
            Kind::List(&Kind::OneOf(&["services", "vendors"])),
            "include",
            "Include",
            "What is returned in full instead of as a reference.",
        )
        .query("include[]"),
        &ADDITIONAL_QUERY,
    ])
    .answer(one("integration"))
    .examples(&[
        Example::new(
            "One",
            r#"{"service_id":"PSERVICE000001","integration_id":"PINTEGRATION01"}"#,
        ),
    ]),
    rest(
        "service_integration.update",
        "Update an integration of a service",
        "Changes an integration; what is not given stays as it is.",
        "PUT",
        "/services/{service_id}/integrations/{integration_id}",
    )
    .scopes(&["services.write"])
    .envelope("/integration")
    .takes(&[
        &SERVICE_ID,
        &INTEGRATION_ID.required(),
        &TYPE,
        &NAME,
        &VENDOR_ID,
        &INTEGRATION_EMAIL,
        &EMAIL_INCIDENT_CREATION,
        &EMAIL_FILTER_MODE,
        &EMAIL_PARSERS,
        &EMAIL_PARSING_FALLBACK,
        &EMAIL_FILTERS,
        &ADDITIONAL_FIELDS,
    ])
    .answer(one("integration"))
    .examples(&[
        Example::new(
            "Another name",
            r#"{"service_id":"PSERVICE000001","integration_id":"PINTEGRATION01","name":"CI and CD"}"#,
        ),
    ]),
    rest(
        "service_field_value.list",
        "List the custom fields of a service",
        "Reads what stands in the custom fields of a service.",
        "GET",
        "/services/{service_id}/custom_fields/values",
    )
    .scopes(&["services.read"])
    .takes(&[&SERVICE_ID, &LIMIT, &ALL, &ADDITIONAL_QUERY])
    .answer(whole_list("custom_fields"))
    .examples(&[Example::new("The first hundred", r#"{"service_id":"PSERVICE000001"}"#)]),
    rest(
        "service_field_value.set",
        "Set custom fields of a service",
        "Writes into custom fields of a service; the others stay as they are.",
        "PUT",
        "/services/{service_id}/custom_fields/values",
    )
    .scopes(&["services.write"])
    .takes(&[
        &SERVICE_ID,
        &Param::new(
            Kind::Objects(&[
                &Param::text("name", "Field by name", "Name of the field.").max(50),
                &Param::text("id", "Field", "ID of the field."),
                &Param::new(
                    Kind::Json,
                    "value",
                    "Value",
                    "A text, a number, true or false, or a list of them; null clears the field.",
                )
                .required(),
            ]),
            "custom_fields",
            "Fields",
            "The fields, by name or ID, with their values.",
        )
        .required()
        .body("/custom_fields"),
        &LIMIT,
        &ALL,
        &ADDITIONAL_FIELDS,
    ])
    .answer(whole_list("custom_fields"))
    .examples(&[
        Example::new(
            "Where it runs",
            r#"{"service_id":"PSERVICE000001","custom_fields":[{"name":"environment","value":"production"}]}"#,
        ),
    ]),
    rest(
        "service_field.list",
        "List custom fields of services",
        "Reads which custom fields services have.",
        "GET",
        "/services/custom_fields",
    )
    .scopes(&["custom_fields.read"])
    .takes(&[&INCLUDE, &LIMIT, &ALL, &ADDITIONAL_QUERY])
    .answer(whole_list("fields"))
    .examples(&[Example::new("The first hundred", r#"{}"#)]),
    rest(
        "service_field.create",
        "Create a custom field of services",
        "Gives services another field.",
        "POST",
        "/services/custom_fields",
    )
    .scopes(&["custom_fields.write"])
    .envelope("/field")
    .takes(&[
        &Param::new(
            Kind::OneOf(&["boolean", "integer", "float", "string", "datetime", "url"]),
            "data_type",
            "Kind of value",
            "What the field holds.",
        )
        .required()
        .body("/data_type"),
        &DISPLAY_NAME.required(),
        &Param::new(
            Kind::OneOf(&[
                "single_value",
                "single_value_fixed",
                "multi_value",
                "multi_value_fixed",
            ]),
            "field_type",
            "Kind of field",
            "One value or several; any values or fixed ones.",
        )
        .required()
        .body("/field_type"),
        &Param::text("name", "Name", "Its name.").required().max(50).body("/name"),
        &DESCRIPTION_VALUE,
        &ENABLED,
        &Param::new(
            Kind::Objects(&[&Param::new(Kind::Map, "data", "Value", "The value.").required()]),
            "field_options",
            "Values",
            "The values that a field with fixed values can have.",
        )
        .body("/field_options"),
        &ADDITIONAL_FIELDS,
    ])
    .answer(one("field"))
    .examples(&[
        Example::new(
            "The region",
            r#"{"name":"region","display_name":"Region","data_type":"string","field_type":"single_value"}"#,
        ),
    ]),
    rest(
        "service_field.get",
        "Get a custom field of services",
        "Looks up one field.",
        "GET",
        "/services/custom_fields/{field_id}",
    )
    .scopes(&["custom_fields.read"])
    .takes(&[&FIELD_ID.required(), &INCLUDE, &ADDITIONAL_QUERY])
    .answer(one("field"))
    .examples(&[Example::new("One", r#"{"field_id":"PCUSTOMFIELD01"}"#)]),
    rest(
        "service_field.update",
        "Update a custom field of services",
        "Changes how a field is shown, or whether it is used.",
        "PUT",
        "/services/custom_fields/{field_id}",
    )
    .scopes(&["custom_fields.write"])
    .envelope("/field")
    .takes(&[
        &FIELD_ID.required(),
        &DESCRIPTION_VALUE,
        &DISPLAY_NAME,
        &ENABLED,
        &Param::new(
            Kind::Objects(&[
                &Param::new(Kind::Map, "data", "Value", "The value.").required(),
                &Param::text("id", "ID", "Its ID."),
            ]),
            "field_options",
            "Values",
            "The values that a field with fixed values can have.",
        )
        .body("/field_options"),
        &ADDITIONAL_FIELDS,
    ])
    .answer(one("field"))
    .examples(&[
        Example::new(
            "Another title",
            r#"{"field_id":"PCUSTOMFIELD01","display_name":"Hosting region"}"#,
        ),
    ]),
    rest(
        "service_field.delete",
        "Delete a custom field of services",
        "Removes a field with what stands in it.",
        "DELETE",
        "/services/custom_fields/{field_id}",
    )
    .scopes(&["custom_fields.write"])
    .takes(&[&FIELD_ID.required()])
    .answer(DELETED)
    .examples(&[Example::new("One", r#"{"field_id":"PCUSTOMFIELD01"}"#)]),
    rest(
        "service_field_option.list",
        "List the values of a service field",
        "Reads which values a field with fixed values can have.",
        "GET",
        "/services/custom_fields/{field_id}/field_options",
    )
    .scopes(&["custom_fields.read"])
    .takes(&[&FIELD_ID.required(), &LIMIT, &ALL, &ADDITIONAL_QUERY])
    .answer(whole_list("field_options"))
    .examples(&[Example::new("The first hundred", r#"{"field_id":"PCUSTOMFIELD01"}"#)]),
    rest(
        "service_field_option.create",
        "Create a value of a service field",
        "Adds a value to a field with fixed values.",
        "POST",
        "/services/custom_fields/{field_id}/field_options",
    )
    .scopes(&["custom_fields.write"])
    .envelope("/field_option")
    .takes(&[&FIELD_ID.required(), &DATA_TYPE.required(), &VALUE.required(), &ADDITIONAL_FIELDS])
    .answer(one("field_option"))
    .examples(&[
        Example::new(
            "A region",
            r#"{"field_id":"PCUSTOMFIELD01","data_type":"string","value":"eu"}"#,
        ),
    ]),
    rest(
        "service_field_option.get",
        "Get a value of a service field",
        "Looks up one value.",
        "GET",
        "/services/custom_fields/{field_id}/field_options/{field_option_id}",
    )
    .scopes(&["custom_fields.read"])
    .takes(&[&FIELD_ID.required(), &FIELD_OPTION_ID.required(), &ADDITIONAL_QUERY])
    .answer(one("field_option"))
    .examples(&[
        Example::new(
            "One",
            r#"{"field_id":"PCUSTOMFIELD01","field_option_id":"PFIELDOPTION01"}"#,
        ),
    ]),
    rest(
        "service_field_option.update",
        "Update a value of a service field",
        "Changes a value.",
        "PUT",
        "/services/custom_fields/{field_id}/field_options/{field_option_id}",
    )
    .scopes(&["custom_fields.write"])
    .envelope("/field_option")
    .takes(&[
        &FIELD_ID.required(),
        &FIELD_OPTION_ID.required(),
        &DATA_TYPE.required(),
        &VALUE.required(),
        &ADDITIONAL_FIELDS,
    ])
    .answer(one("field_option"))
    .examples(&[
        Example::new(
            "Another value",
            r#"{"field_id":"PCUSTOMFIELD01","field_option_id":"PFIELDOPTION01","data_type":"string","value":"us"}"#,
        ),
    ]),
    rest(
        "service_field_option.delete",
        "Delete a value of a service field",
        "Removes a value.",
        "DELETE",
        "/services/custom_fields/{field_id}/field_options/{field_option_id}",
    )
    .scopes(&["custom_fields.write"])
    .takes(&[&FIELD_ID.required(), &FIELD_OPTION_ID.required()])
    .answer(DELETED)
    .examples(&[
        Example::new(
            "One",
            r#"{"field_id":"PCUSTOMFIELD01","field_option_id":"PFIELDOPTION01"}"#,
        ),
    ]),
    rest(
        "service_dependency.create",
        "Create service dependencies",
        "Says which services are built on which others.",
        "POST",
        "/service_dependencies/associate",
    )
    .check("Look with `service_dependency.of_service` or `service_dependency.of_business_service` before you run it again.")
    .scopes(&["services.write"])
    .effect(Effect::Update, Idempotency::None)
    .takes(&[&RELATIONSHIPS.required(), &LIMIT, &ALL, &ADDITIONAL_FIELDS])
    .answer(whole_list("relationships"))
    .examples(&[
        Example::new(
            "The shop needs a database",
            r#"{"relationships":[{"supporting_service":{"id":"PSERVICE000001","type":"service"},"dependent_service":{"id":"PBUSINESSSERV1","type":"business_service"}}]}"#,
        ),
    ]),
    rest(
        "service_dependency.delete",
        "Delete service dependencies",
        "Says that services are not built on others any more.",
        "POST",
        "/service_dependencies/disassociate",
    )
    .check("Look with `service_dependency.of_service` or `service_dependency.of_business_service` before you run it again.")
    .scopes(&["services.write"])
    .effect(Effect::Update, Idempotency::None)
    .takes(&[&RELATIONSHIPS.required(), &LIMIT, &ALL, &ADDITIONAL_FIELDS])
    .answer(whole_list("relationships"))
    .examples(&[
        Example::new(
            "One",
            r#"{"relationships":[{"supporting_service":{"id":"PSERVICE000001","type":"service"},"dependent_service":{"id":"PBUSINESSSERV1","type":"business_service"}}]}"#,
        ),
    ]),
    rest(
        "service_dependency.of_business_service",
        "List the dependencies of a business service",
        "Reads on what a business service is built, and what is built on it.",
        "GET",
        "/service_dependencies/business_services/{business_service_id}",
    )
    .scopes(&["services.read"])
    .takes(&[&BUSINESS_SERVICE_ID, &LIMIT, &ALL, &ADDITIONAL_QUERY])
    .answer(whole_list("relationships"))
    .examples(&[Example::new("The first hundred", r#"{"business_service_id":"PBUSINESSSERV1"}"#)]),
    rest(
        "service_dependency.of_service",
        "List the dependencies of a service",
        "Reads on what a service is built, and what is built on it.",
        "GET",
        "/service_dependencies/technical_services/{service_id}",
    )
    .scopes(&["services.read"])
    .takes(&[&SERVICE_ID, &LIMIT, &ALL, &ADDITIONAL_QUERY])
    .answer(whole_list("relationships"))
    .examples(&[Example::new("The first hundred", r#"{"service_id":"PSERVICE000001"}"#)]),
];
