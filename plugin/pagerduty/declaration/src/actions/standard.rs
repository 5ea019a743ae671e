//! Standards: rules that services should keep, and how well they do.

use workflow_node_sdk::declare::{Action, Example, Kind, Param, Place};

use super::rest;
use crate::paging::whole_list;
use crate::parameters::{ADDITIONAL_FIELDS, ADDITIONAL_QUERY, ALL, LIMIT};

static RESOURCE_TYPE: Param = Param::new(
    Kind::OneOf(&["technical_services"]),
    "resource_type",
    "Kind",
    "Of which kind of thing.",
)
.at(Place::Path);

pub(super) static ACTIONS: &[Action] = &[
    rest(
        "standard.list",
        "List standards",
        "Reads the rules that services should keep.",
        "GET",
        "/standards",
    )
    .scopes(&["standards.read"])
    .takes(&[
        &Param::new(Kind::Boolean, "active", "Active", "Whether it is in force.").query("active"),
        &Param::new(
            Kind::OneOf(&["technical_service"]),
            "resource_type",
            "Kind",
            "Of which kind of thing.",
        )
        .query("resource_type"),
        &LIMIT,
        &ALL,
        &ADDITIONAL_QUERY,
    ])
    .answer(whole_list("standards"))
    .examples(&[Example::new("The first hundred", r#"{}"#)]),
    rest(
        "standard.update",
        "Update a standard",
        "Switches a rule on or off, or says for which services it holds.",
        "PUT",
        "/standards/{standard_id}",
    )
    .scopes(&["standards.write"])
    .takes(&[
        &Param::text("standard_id", "Standard", "The standard: its ID, its name, or its address.")
            .required()
            .reference("standard")
            .at(Place::Path),
        &Param::new(Kind::Boolean, "active", "Active", "Whether it is in force.").body("/active"),
        &Param::new(
            Kind::Object(&[&Param::text(
                "regex",
                "Pattern",
                "The part that matches this regular expression.",
            )]),
            "values",
            "Values",
            "The settings of the rule.",
        )
        .body("/values"),
        &Param::new(Kind::LongText, "description", "Description", "What it is for.")
            .body("/description"),
        &Param::new(
            Kind::List(&Kind::Text),
            "inclusion_ids",
            "For these",
            "The services for which the rule holds.",
        )
        .reference("service")
        .at(Place::BodyAs("/inclusions", r#"{"id":$,"type":"technical_service_reference"}"#)),
        &Param::new(
            Kind::List(&Kind::Text),
            "exclusion_ids",
            "Not for these",
            "The services for which the rule does not hold.",
        )
        .reference("service")
        .at(Place::BodyAs("/exclusions", r#"{"id":$,"type":"technical_service_reference"}"#)),
        &ADDITIONAL_FIELDS,
    ])
    .examples(&[Example::new("On", r#"{"standard_id":"PSTANDARD00001","active":true}"#)]),
    rest(
        "standard.scores",
        "Get how services keep the standards",
        "Reads for several services which rules they keep.",
        "GET",
        "/standards/scores/{resource_type}",
    )
    .scopes(&["standards.read"])
    .takes(&[
        &RESOURCE_TYPE.required(),
        &Param::new(Kind::List(&Kind::Text), "ids", "Services", "IDs of the services.")
            .required()
            .query("ids"),
        &LIMIT,
        &ALL,
        &ADDITIONAL_QUERY,
    ])
    .answer(whole_list("resources"))
    .examples(&[Example::new(
        "One service",
        r#"{"resource_type":"technical_services","ids":["PSERVICE000001"]}"#,
    )]),
    rest(
        "standard.score",
        "Get how a service keeps the standards",
        "Reads for one service which rules it keeps.",
        "GET",
        "/standards/scores/{resource_type}/{resource_id}",
    )
    .scopes(&["standards.read"])
    .takes(&[
        &RESOURCE_TYPE.required(),
        &Param::text("resource_id", "Service", "ID of the service.")
            .required()
            .reference("service")
            .at(Place::Path),
        &ADDITIONAL_QUERY,
    ])
    .examples(&[Example::new(
        "One service",
        r#"{"resource_type":"technical_services","resource_id":"PSERVICE000001"}"#,
    )]),
];
