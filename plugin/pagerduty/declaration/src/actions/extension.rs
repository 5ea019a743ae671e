//! Extensions: ties to other tools: what is told to them when an incident changes.

use workflow_node_sdk::declare::{Action, Effect, Example, Idempotency, Kind, Param, Place};

use super::rest;
use crate::paging::{DELETED, classic, one};
use crate::parameters::{ADDITIONAL_FIELDS, ADDITIONAL_QUERY, ALL, LIMIT, QUERY};
use crate::records::EXTENSION;

static NAME: Param = Param::text("name", "Name", "Its name.").body("/name");
static EXTENSION_OBJECT_IDS: Param = Param::new(
    Kind::List(&Kind::Text),
    "extension_object_ids",
    "Services",
    "The services that are meant.",
)
.reference("service")
.at(Place::BodyAs("/extension_objects", r#"{"id":$,"type":"service_reference"}"#));
static EXTENSION_SCHEMA_ID: Param =
    Param::text("extension_schema_id", "Kind of extension", "Which kind of extension.")
        .reference("extension_schema")
        .at(Place::BodyAs("/extension_schema", r#"{"id":$,"type":"extension_schema_reference"}"#));
static ENDPOINT_URL: Param =
    Param::new(Kind::Url, "endpoint_url", "Address", "Where the other tool is told.")
        .body("/endpoint_url");
static CONFIG: Param =
    Param::new(Kind::Map, "config", "Settings", "How it works in detail.").body("/config");
static EXTENSION_ID: Param =
    Param::text("extension_id", "Extension", "The extension that is meant.")
        .reference("extension")
        .at(Place::Path);

pub(super) static ACTIONS: &[Action] = &[
    rest(
        "extension.list",
        "List extensions",
        "Finds extensions by name, kind and service.",
        "GET",
        "/extensions",
    )
    .scopes(&["extensions.read"])
    .takes(&[
        &QUERY,
        &Param::text("extension_object_id", "Service", "Only extensions of this service.")
            .reference("service")
            .query("extension_object_id"),
        &Param::text("extension_schema_id", "Kind of extension", "Which kind of extension.")
            .reference("extension_schema")
            .query("extension_schema_id"),
        &Param::new(
            Kind::List(&Kind::OneOf(&["extension_objects", "extension_schemas"])),
            "include",
            "Include",
            "What is returned in full instead of as a reference.",
        )
        .query("include[]"),
        &LIMIT,
        &ALL,
        &ADDITIONAL_QUERY,
    ])
    .answer(classic("extensions"))
    .gives(EXTENSION)
    .examples(&[Example::new("The first hundred", r#"{}"#)]),
    rest(
        "extension.create",
        "Create an extension",
        "Tells another tool about the incidents of some services.",
        "POST",
        "/extensions",
    )
    .scopes(&["extensions.write"])
    .envelope("/extension")
    .constants(&[("/type", r#""extension""#)])
    .takes(&[
        &NAME.required(),
        &EXTENSION_OBJECT_IDS.required(),
        &EXTENSION_SCHEMA_ID.required(),
        &ENDPOINT_URL,
        &CONFIG,
        &ADDITIONAL_FIELDS,
    ])
    .answer(one("extension"))
    .gives(EXTENSION)
    .examples(&[
        Example::new(
            "A chat room",
            r#"{"name":"Shop room","extension_object_ids":["PSERVICE000001"],"extension_schema_id":"PEXTENSIONSCH1","endpoint_url":"https://example.com/hook"}"#,
        ),
    ]),
    rest(
        "extension.get",
        "Get an extension",
        "Looks up one extension.",
        "GET",
        "/extensions/{extension_id}",
    )
    .scopes(&["extensions.read"])
    .takes(&[
        &EXTENSION_ID.required(),
        &Param::new(
            Kind::List(&Kind::OneOf(&[
                "extension_schemas",
                "extension_objects",
                "temporarily_disabled",
            ])),
            "include",
            "Include",
            "What is returned in full instead of as a reference.",
        )
        .query("include[]"),
        &ADDITIONAL_QUERY,
    ])
    .answer(one("extension"))
    .gives(EXTENSION)
    .examples(&[Example::new("One", r#"{"extension_id":"PEXTENSION0001"}"#)]),
    rest(
        "extension.update",
        "Update an extension",
        "Changes an extension; what is not given stays as it is.",
        "PUT",
        "/extensions/{extension_id}",
    )
    .scopes(&["extensions.write"])
    .envelope("/extension")
    .constants(&[("/type", r#""extension""#)])
    .takes(&[
        &EXTENSION_ID.required(),
        &NAME,
        &ENDPOINT_URL,
        &EXTENSION_OBJECT_IDS,
        &EXTENSION_SCHEMA_ID,
        &CONFIG,
        &ADDITIONAL_FIELDS,
    ])
    .answer(one("extension"))
    .gives(EXTENSION)
    .examples(&[
        Example::new(
            "Another name",
            r#"{"extension_id":"PEXTENSION0001","name":"Shop room, EU","extension_object_ids":["PSERVICE000001"],"extension_schema_id":"PEXTENSIONSCH1"}"#,
        ),
    ]),
    rest(
        "extension.delete",
        "Delete an extension",
        "Stops telling another tool.",
        "DELETE",
        "/extensions/{extension_id}",
    )
    .scopes(&["extensions.write"])
    .takes(&[&EXTENSION_ID.required()])
    .answer(DELETED)
    .examples(&[Example::new("One", r#"{"extension_id":"PEXTENSION0001"}"#)]),
    rest(
        "extension.enable",
        "Switch an extension on again",
        "Switches an extension on that PagerDuty has switched off after failures.",
        "POST",
        "/extensions/{extension_id}/enable",
    )
    .scopes(&["extensions.write"])
    .effect(Effect::Execute, Idempotency::Idempotent)
    .takes(&[&EXTENSION_ID.required()])
    .answer(one("extension"))
    .gives(EXTENSION)
    .examples(&[Example::new("One", r#"{"extension_id":"PEXTENSION0001"}"#)]),
    rest(
        "extension_schema.list",
        "List kinds of extensions",
        "Reads to which tools extensions can tie.",
        "GET",
        "/extension_schemas",
    )
    .scopes(&["extension_schemas.read"])
    .takes(&[&LIMIT, &ALL, &ADDITIONAL_QUERY])
    .answer(classic("extension_schemas"))
    .examples(&[Example::new("The first hundred", r#"{}"#)]),
    rest(
        "extension_schema.get",
        "Get a kind of extension",
        "Looks up one kind.",
        "GET",
        "/extension_schemas/{extension_schema_id}",
    )
    .scopes(&["extension_schemas.read"])
    .takes(&[
        &Param::text("extension_schema_id", "Kind of extension", "Which kind of extension.")
            .required()
            .reference("extension_schema")
            .at(Place::Path),
        &ADDITIONAL_QUERY,
    ])
    .answer(one("extension_schema"))
    .examples(&[Example::new("One", r#"{"extension_schema_id":"PEXTENSIONSCH1"}"#)]),
];
