//! SRE agent: what PagerDuty's SRE agent remembers.

use workflow_node_sdk::declare::{Action, Answer, Example, Kind, Paging, Param, Place};

use super::rest;
use crate::paging::{DELETED, one};
use crate::parameters::{ADDITIONAL_FIELDS, ADDITIONAL_QUERY, ALL, LIMIT};

static MEMORY_ID: Param = Param::text("memory_id", "Memory", "The memory that is meant.")
    .reference("sre_memory")
    .at(Place::Path);

pub(super) static ACTIONS: &[Action] = &[
    rest(
        "sre_memory.list",
        "List memories of the SRE agent",
        "Reads what the agent remembers about a service or an incident.",
        "GET",
        "/sre_agent/memories",
    )
    .scopes(&["incident.read"])
    .takes(&[
        &Param::text("service_id", "Service", "The service that is meant.")
            .reference("service")
            .query("service_id"),
        &Param::text(
            "incident_id",
            "Incident",
            "The incident: its ID, its address, or its number.",
        )
        .reference("incident")
        .query("incident_id"),
        &Param::new(
            Kind::OneOf(&["runbook", "service_profile", "incident_playbook"]),
            "type",
            "Kind",
            "Only memories of this kind.",
        )
        .query("type"),
        &LIMIT,
        &ALL,
        &ADDITIONAL_QUERY,
    ])
    .answer(Answer::List("memories", &Paging::Limit("limit", 100)))
    .examples(&[Example::new("The first hundred", r#"{}"#)]),
    rest(
        "sre_memory.update",
        "Update a memory of the SRE agent",
        "Changes what the agent remembers.",
        "PUT",
        "/sre_agent/memories/{memory_id}",
    )
    .scopes(&["sre_agent.write"])
    .envelope("/memory")
    .takes(&[
        &MEMORY_ID.required(),
        &Param::new(Kind::LongText, "content", "Content", "What it says.")
            .required()
            .body("/content"),
        &ADDITIONAL_FIELDS,
    ])
    .answer(one("memory"))
    .examples(&[Example::new(
        "Another text",
        r#"{"memory_id":"PMEMORY0000001","content":"The database is restarted with restart-db."}"#,
    )]),
    rest(
        "sre_memory.delete",
        "Delete a memory of the SRE agent",
        "Makes the agent forget something.",
        "DELETE",
        "/sre_agent/memories/{memory_id}",
    )
    .scopes(&["sre_agent.write"])
    .takes(&[&MEMORY_ID.required()])
    .answer(DELETED)
    .examples(&[Example::new("One", r#"{"memory_id":"PMEMORY0000001"}"#)]),
];
