//! Incident types: kinds of incidents, and the fields that each has.

use workflow_node_sdk::declare::{Action, Example, Kind, Param, Place};

use super::rest;
use crate::paging::{DELETED, one, whole_list};
use crate::parameters::{ADDITIONAL_FIELDS, ADDITIONAL_QUERY, ALL, LIMIT};

static NAME: Param = Param::text("name", "Name", "Its name.").max(50).body("/name");
static DISPLAY_NAME: Param =
    Param::text("display_name", "Title", "What people see.").max(50).body("/display_name");
static ENABLED: Param =
    Param::new(Kind::Boolean, "enabled", "Enabled", "Whether it is switched on.").body("/enabled");
static DESCRIPTION: Param =
    Param::new(Kind::LongText, "description", "Description", "What it is for.")
        .max(1000)
        .body("/description");
static INCIDENT_TYPE: Param =
    Param::text("incident_type", "Incident type", "The incident type: its ID or its name.")
        .reference("incident_type")
        .at(Place::Path);
static INCLUDE: Param = Param::new(
    Kind::List(&Kind::OneOf(&["field_options"])),
    "include",
    "Include",
    "What is returned in full instead of as a reference.",
)
.query("include[]");
static DEFAULT_VALUE: Param =
    Param::text("default_value", "Default", "What stands in the field at first.")
        .body("/default_value");
static FIELD_OPTIONS: Param = Param::new(
    Kind::Objects(&[
        &Param::new(Kind::Map, "data", "Value", "The value.").required(),
        &Param::constant("type", r#""field_option""#),
    ]),
    "field_options",
    "Values",
    "The values that a field with fixed values can have.",
)
.body("/field_options");
static FIELD_ID: Param = Param::text("field_id", "Field", "The field that is meant.")
    .reference("incident_type_field")
    .at(Place::Path);
static DATA_TYPE: Param =
    Param::text("data_type", "Kind of value", "What the field holds.").body("/data/data_type");
static VALUE: Param = Param::text("value", "Value", "The value.").body("/data/value");
static FIELD_OPTION_ID: Param = Param::text("field_option_id", "Value", "The value that is meant.")
    .reference("incident_type_field_option")
    .at(Place::Path);

pub(super) static ACTIONS: &[Action] = &[
    rest(
        "incident_type.list",
        "List incident types",
        "Reads the kinds of incidents.",
        "GET",
        "/incidents/types",
    )
    .scopes(&["incident_types.read"])
    .takes(&[
        &Param::new(Kind::OneOf(&["enabled", "disabled", "all"]), "filter", "Filter", "Which ones.")
            .default(r#""enabled""#)
            .query("filter"),
        &LIMIT,
        &ALL,
        &ADDITIONAL_QUERY,
    ])
    .answer(whole_list("incident_types"))
    .examples(&[Example::new("All, also the disabled", r#"{"filter":"all"}"#)]),
    rest(
        "incident_type.create",
        "Create an incident type",
        "Adds a kind of incident.",
        "POST",
        "/incidents/types",
    )
    .scopes(&["incident_types.write"])
    .envelope("/incident_type")
    .takes(&[
        &NAME.required(),
        &DISPLAY_NAME.required(),
        &Param::text(
            "parent_type",
            "Base type",
            "The type on which it is built, e.g. incident_default.",
        )
        .required()
        .body("/parent_type"),
        &ENABLED,
        &DESCRIPTION,
        &ADDITIONAL_FIELDS,
    ])
    .answer(one("incident_type"))
    .examples(&[
        Example::new(
            "Security",
            r#"{"name":"security_incident","display_name":"Security incident","parent_type":"incident_default","description":"Somebody is where they should not be."}"#,
        ),
    ]),
    rest(
        "incident_type.get",
        "Get an incident type",
        "Looks up one kind by its id or its name.",
        "GET",
        "/incidents/types/{incident_type}",
    )
    .scopes(&["incident_types.read"])
    .takes(&[&INCIDENT_TYPE.required(), &ADDITIONAL_QUERY])
    .answer(one("incident_type"))
    .examples(&[Example::new("One", r#"{"incident_type":"PINCIDENTTYPE1"}"#)]),
    rest(
        "incident_type.update",
        "Update an incident type",
        "Changes how a kind is shown, or whether it is used.",
        "PUT",
        "/incidents/types/{incident_type}",
    )
    .scopes(&["incident_types.write"])
    .envelope("/incident_type")
    .takes(&[&INCIDENT_TYPE.required(), &DISPLAY_NAME, &ENABLED, &DESCRIPTION, &ADDITIONAL_FIELDS])
    .answer(one("incident_type"))
    .examples(&[
        Example::new(
            "Another description",
            r#"{"incident_type":"PINCIDENTTYPE1","description":"Security of customers' data."}"#,
        ),
    ]),
    rest(
        "incident_type_field.list",
        "List the fields of an incident type",
        "Reads which fields incidents of a kind have.",
        "GET",
        "/incidents/types/{incident_type}/custom_fields",
    )
    .scopes(&["custom_fields.read"])
    .takes(&[&INCIDENT_TYPE.required(), &INCLUDE, &LIMIT, &ALL, &ADDITIONAL_QUERY])
    .answer(whole_list("fields"))
    .examples(&[Example::new("The first hundred", r#"{"incident_type":"PINCIDENTTYPE1"}"#)]),
    rest(
        "incident_type_field.create",
        "Create a field of an incident type",
        "Gives incidents of a kind another field.",
        "POST",
        "/incidents/types/{incident_type}/custom_fields",
    )
    .scopes(&["custom_fields.write"])
    .envelope("/field")
    .takes(&[
        &INCIDENT_TYPE.required(),
        &NAME.required(),
        &DISPLAY_NAME.required(),
        &Param::text("data_type", "Kind of value", "What the field holds.")
            .required()
            .body("/data_type"),
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
        &DESCRIPTION,
        &ENABLED,
        &DEFAULT_VALUE,
        &FIELD_OPTIONS,
        &ADDITIONAL_FIELDS,
    ])
    .answer(one("field"))
    .examples(&[
        Example::new(
            "The affected region",
            r#"{"incident_type":"PINCIDENTTYPE1","name":"region","display_name":"Region","data_type":"string","field_type":"single_value"}"#,
        ),
    ]),
    rest(
        "incident_type_field.get",
        "Get a field of an incident type",
        "Looks up one field.",
        "GET",
        "/incidents/types/{incident_type}/custom_fields/{field_id}",
    )
    .scopes(&["custom_fields.read"])
    .takes(&[&INCIDENT_TYPE.required(), &FIELD_ID.required(), &INCLUDE, &ADDITIONAL_QUERY])
    .answer(one("field"))
    .examples(&[
        Example::new("One", r#"{"incident_type":"PINCIDENTTYPE1","field_id":"PCUSTOMFIELD01"}"#),
    ]),
    rest(
        "incident_type_field.update",
        "Update a field of an incident type",
        "Changes how a field is shown, or whether it is used.",
        "PUT",
        "/incidents/types/{incident_type}/custom_fields/{field_id}",
    )
    .scopes(&["custom_fields.write"])
    .envelope("/field")
    .takes(&[
        &INCIDENT_TYPE.required(),
        &FIELD_ID.required(),
        &DISPLAY_NAME,
        &ENABLED,
        &DEFAULT_VALUE,
        &DESCRIPTION,
        &FIELD_OPTIONS,
        &ADDITIONAL_FIELDS,
    ])
    .answer(one("field"))
    .examples(&[
        Example::new(
            "Another title",
            r#"{"incident_type":"PINCIDENTTYPE1","field_id":"PCUSTOMFIELD01","display_name":"Affected region"}"#,
        ),
    ]),
    rest(
        "incident_type_field.delete",
        "Delete a field of an incident type",
        "Removes a field with what stands in it.",
        "DELETE",
        "/incidents/types/{incident_type}/custom_fields/{field_id}",
    )
    .scopes(&["custom_fields.write"])
    .takes(&[&INCIDENT_TYPE.required(), &FIELD_ID.required()])
    .answer(DELETED)
    .examples(&[
        Example::new("One", r#"{"incident_type":"PINCIDENTTYPE1","field_id":"PCUSTOMFIELD01"}"#),
    ]),
    rest(
        "incident_type_field_option.list",
        "List the values of an incident field",
        "Reads which values a field with fixed values can have.",
        "GET",
        "/incidents/types/{incident_type}/custom_fields/{field_id}/field_options",
    )
    .scopes(&["custom_fields.read"])
    .takes(&[&INCIDENT_TYPE.required(), &FIELD_ID.required(), &LIMIT, &ALL, &ADDITIONAL_QUERY])
    .answer(whole_list("field_options"))
    .examples(&[
        Example::new(
            "The first hundred",
            r#"{"incident_type":"PINCIDENTTYPE1","field_id":"PCUSTOMFIELD01"}"#,
        ),
    ]),
    rest(
        "incident_type_field_option.create",
        "Create a value of an incident field",
        "Adds a value to a field with fixed values.",
        "POST",
        "/incidents/types/{incident_type}/custom_fields/{field_id}/field_options",
    )
    .scopes(&["custom_fields.write"])
    .envelope("/field_option")
    .takes(&[
        &INCIDENT_TYPE.required(),
        &FIELD_ID.required(),
        &DATA_TYPE.required(),
        &VALUE.required(),
        &ADDITIONAL_FIELDS,
    ])
    .answer(one("field_option"))
    .examples(&[
        Example::new(
            "A region",
            r#"{"incident_type":"PINCIDENTTYPE1","field_id":"PCUSTOMFIELD01","data_type":"string","value":"eu"}"#,
        ),
    ]),
    rest(
        "incident_type_field_option.get",
        "Get a value of an incident field",
        "Looks up one value.",
        "GET",
        "/incidents/types/{incident_type}/custom_fields/{field_id}/field_options/{field_option_id}",
    )
    .scopes(&["custom_fields.read"])
    .takes(&[
        &INCIDENT_TYPE.required(),
        &FIELD_ID.required(),
        &FIELD_OPTION_ID.required(),
        &ADDITIONAL_QUERY,
    ])
    .answer(one("field_option"))
    .examples(&[
        Example::new(
            "One",
            r#"{"incident_type":"PINCIDENTTYPE1","field_id":"PCUSTOMFIELD01","field_option_id":"PFIELDOPTION01"}"#,
        ),
    ]),
    rest(
        "incident_type_field_option.update",
        "Update a value of an incident field",
        "Changes a value.",
        "PUT",
        "/incidents/types/{incident_type}/custom_fields/{field_id}/field_options/{field_option_id}",
    )
    .scopes(&["custom_fields.write"])
    .envelope("/field_option")
    .takes(&[
        &INCIDENT_TYPE.required(),
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
            r#"{"incident_type":"PINCIDENTTYPE1","field_id":"PCUSTOMFIELD01","field_option_id":"PFIELDOPTION01","data_type":"string","value":"us"}"#,
        ),
    ]),
    rest(
        "incident_type_field_option.delete",
        "Delete a value of an incident field",
        "Removes a value.",
        "DELETE",
        "/incidents/types/{incident_type}/custom_fields/{field_id}/field_options/{field_option_id}",
    )
    .scopes(&["custom_fields.write"])
    .takes(&[&INCIDENT_TYPE.required(), &FIELD_ID.required(), &FIELD_OPTION_ID.required()])
    .answer(DELETED)
    .examples(&[
        Example::new(
            "One",
            r#"{"incident_type":"PINCIDENTTYPE1","field_id":"PCUSTOMFIELD01","field_option_id":"PFIELDOPTION01"}"#,
        ),
    ]),
];
