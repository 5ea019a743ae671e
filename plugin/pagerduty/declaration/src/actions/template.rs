//! Status update templates: texts with gaps, for status updates.

use workflow_node_sdk::declare::{Action, Effect, Example, Idempotency, Kind, Param, Place};

use super::rest;
use crate::paging::{DELETED, classic, one, whole_list};
use crate::parameters::{ADDITIONAL_FIELDS, ADDITIONAL_QUERY, ALL, LIMIT, QUERY};

static TEMPLATE_TYPE: Param = Param::new(
    Kind::OneOf(&["status_update"]),
    "template_type",
    "Kind of template",
    "Only status updates for now.",
)
.body("/template_type");
static NAME: Param = Param::text("name", "Name", "Its name.").body("/name");
static DESCRIPTION: Param =
    Param::new(Kind::LongText, "description", "Description", "What it is for.")
        .nullable()
        .body("/description");
static TEMPLATED_FIELDS: Param = Param::new(
    Kind::Object(&[
        &Param::text("email_subject", "Subject", "Subject of e-mails.").nullable(),
        &Param::new(Kind::LongText, "email_body", "E-mail", "Text of e-mails, in HTML.").nullable(),
        &Param::new(Kind::LongText, "message", "Message", "What is told.").nullable(),
    ]),
    "templated_fields",
    "Texts",
    "The texts with their gaps.",
)
.body("/templated_fields");
static TEMPLATE_ID: Param =
    Param::text("template_id", "Template", "The template: its ID, its name, or its address.")
        .reference("template")
        .at(Place::Path);

pub(super) static ACTIONS: &[Action] = &[
    rest(
        "template.list",
        "List templates",
        "Finds templates by name.",
        "GET",
        "/templates",
    )
    .scopes(&["templates.read"])
    .takes(&[
        &QUERY,
        &Param::text("template_type", "Kind of template", "Only status updates for now.")
            .default(r#""status_update""#)
            .query("template_type"),
        &Param::new(
            Kind::OneOf(&[
                "name",
                "name:asc",
                "name:desc",
                "created_at",
                "created_at:asc",
                "created_at:desc",
            ]),
            "sort_by",
            "Sort by",
            "The order of the records.",
        )
        .default(r#""created_at:asc""#)
        .query("sort_by"),
        &LIMIT,
        &ALL,
        &ADDITIONAL_QUERY,
    ])
    .answer(classic("templates"))
    .examples(&[Example::new("The first hundred", r#"{}"#)]),
    rest(
        "template.create",
        "Create a template",
        "Adds a template for status updates.",
        "POST",
        "/templates",
    )
    .scopes(&["templates.write"])
    .envelope("/template")
    .takes(&[&TEMPLATE_TYPE, &NAME, &DESCRIPTION, &TEMPLATED_FIELDS, &ADDITIONAL_FIELDS])
    .answer(one("template"))
    .examples(&[
        Example::new(
            "A short one",
            r#"{"template_type":"status_update","name":"Short","templated_fields":{"message":"{{incident.title}}: we are on it."}}"#,
        ),
    ]),
    rest(
        "template.get",
        "Get a template",
        "Looks up one template.",
        "GET",
        "/templates/{template_id}",
    )
    .scopes(&["templates.read"])
    .takes(&[&TEMPLATE_ID.required(), &ADDITIONAL_QUERY])
    .answer(one("template"))
    .examples(&[Example::new("One", r#"{"template_id":"PTEMPLATE00001"}"#)]),
    rest(
        "template.update",
        "Update a template",
        "Changes a template.",
        "PUT",
        "/templates/{template_id}",
    )
    .scopes(&["templates.write"])
    .envelope("/template")
    .takes(&[
        &TEMPLATE_ID.required(),
        &TEMPLATE_TYPE,
        &NAME,
        &DESCRIPTION,
        &TEMPLATED_FIELDS,
        &ADDITIONAL_FIELDS,
    ])
    .answer(one("template"))
    .examples(&[
        Example::new(
            "Another name",
            r#"{"template_id":"PTEMPLATE00001","template_type":"status_update","name":"Shorter"}"#,
        ),
    ]),
    rest(
        "template.delete",
        "Delete a template",
        "Removes a template.",
        "DELETE",
        "/templates/{template_id}",
    )
    .scopes(&["templates.write"])
    .takes(&[&TEMPLATE_ID.required()])
    .answer(DELETED)
    .examples(&[Example::new("One", r#"{"template_id":"PTEMPLATE00001"}"#)]),
    rest(
        "template.render",
        "Fill in a template",
        "Shows a template with the gaps filled for an incident. Nothing is sent.",
        "POST",
        "/templates/{template_id}/render",
    )
    .scopes(&["templates.read"])
    .effect(Effect::Read, Idempotency::Safe)
    .takes(&[
        &TEMPLATE_ID.required(),
        &Param::text("incident_id", "Incident", "The incident: its ID, its address, or its number.")
            .reference("incident")
            .body("/incident_id"),
        &Param::new(
            Kind::Object(&[&Param::new(Kind::LongText, "message", "Message", "What is told.")]),
            "status_update",
            "Status update",
            "What is put into the gap for the status update.",
        )
        .body("/status_update"),
        &Param::new(Kind::Map, "external", "Other values", "Values for other gaps.")
            .body("/external"),
        &ADDITIONAL_FIELDS,
    ])
    .examples(&[
        Example::new(
            "For an incident",
            r#"{"template_id":"PTEMPLATE00001","incident_id":"QINCIDENT00001"}"#,
        ),
    ]),
    rest(
        "template.fields",
        "List the gaps that templates can have",
        "Reads which gaps a template can have.",
        "GET",
        "/templates/fields",
    )
    .scopes(&["templates.read"])
    .takes(&[&LIMIT, &ALL, &ADDITIONAL_QUERY])
    .answer(whole_list("fields"))
    .gives(r#"{"type":"string"}"#)
    .examples(&[Example::new("The first hundred", r#"{}"#)]),
];
