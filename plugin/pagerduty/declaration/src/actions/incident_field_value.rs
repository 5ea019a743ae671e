//! Incident custom fields: what stands in the custom fields of incidents.

use workflow_node_sdk::declare::{Action, Example, Kind, Param};

use super::rest;
use crate::paging::whole_list;
use crate::parameters::{ADDITIONAL_FIELDS, ADDITIONAL_QUERY, ALL, INCIDENT_ID, LIMIT};

pub(super) static ACTIONS: &[Action] = &[
    rest(
        "incident_field_value.list",
        "List the custom fields of an incident",
        "Reads what stands in the custom fields of an incident.",
        "GET",
        "/incidents/{incident_id}/custom_fields/values",
    )
    .scopes(&["incidents.read"])
    .takes(&[&INCIDENT_ID, &LIMIT, &ALL, &ADDITIONAL_QUERY])
    .answer(whole_list("custom_fields"))
    .examples(&[Example::new("The first hundred", r#"{"incident_id":"QINCIDENT00001"}"#)]),
    rest(
        "incident_field_value.set",
        "Set custom fields of an incident",
        "Writes into custom fields of an incident; the others stay as they are.",
        "PUT",
        "/incidents/{incident_id}/custom_fields/values",
    )
    .scopes(&["incidents.write"])
    .ordered_by("incident_id")
    .takes(&[
        &INCIDENT_ID,
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
    .examples(&[Example::new(
        "Where it is",
        r#"{"incident_id":"QINCIDENT00001","custom_fields":[{"name":"environment","value":"production"}]}"#,
    )]),
];
