//! Recommendations: rules that PagerDuty recommends for event orchestrations.

use workflow_node_sdk::declare::{
    Action, Answer, Cursor, Effect, Example, Idempotency, Kind, Paging, Param, Place,
};

use super::rest;
use crate::paging::CURSOR;
use crate::parameters::{ADDITIONAL_FIELDS, ADDITIONAL_QUERY, ALL, LIMIT, SERVICE_ID, TEAM_IDS};

static RECOMMENDATION_ID: Param =
    Param::text("recommendation_id", "Recommendation", "ID of the recommendation.")
        .reference("recommendation")
        .at(Place::Path);

pub(super) static ACTIONS: &[Action] = &[
    rest(
        "recommendation.list",
        "List recommended rules",
        "Reads rules that PagerDuty recommends, for services and teams.",
        "GET",
        "/recommendations/event_orchestrations/rules",
    )
    .scopes(&["recommendations.read"])
    .takes(&[
        &Param::text("service_id", "Service", "The service that is meant.")
            .reference("service")
            .query("service_id"),
        &Param::new(
            Kind::List(&Kind::Text),
            "service_ids",
            "Services",
            "The services that are meant.",
        )
        .reference("service")
        .query("service_ids[]"),
        &TEAM_IDS,
        &Param::new(
            Kind::List(&Kind::OneOf(&["suppress", "severity", "priority"])),
            "actions",
            "Actions",
            "Only rules that do this.",
        )
        .query("actions[]"),
        &LIMIT,
        &ALL,
        &ADDITIONAL_QUERY,
    ])
    .answer(Answer::List("recommended_rules", &Paging::Cursor(Cursor { page: 50, ..CURSOR })))
    .examples(&[Example::new("The first hundred", r#"{}"#)]),
    rest(
        "recommendation.accept",
        "Accept a recommended rule",
        "Puts a recommended rule in force.",
        "POST",
        "/recommendations/event_orchestrations/services/{service_id}/rules/{recommendation_id}/accept",
    )
    .scopes(&["recommendations.write"])
    .effect(Effect::Execute, Idempotency::None)
    .takes(&[&SERVICE_ID, &RECOMMENDATION_ID.required()])
    .examples(&[
        Example::new(
            "One",
            r#"{"service_id":"PSERVICE000001","recommendation_id":"PRULE000000001"}"#,
        ),
    ]),
    rest(
        "recommendation.dismiss",
        "Dismiss a recommended rule",
        "Says that a recommended rule is not wanted.",
        "POST",
        "/recommendations/event_orchestrations/services/{service_id}/rules/{recommendation_id}/dismiss",
    )
    .scopes(&["recommendations.write"])
    .effect(Effect::Execute, Idempotency::None)
    .envelope("/decision")
    .takes(&[
        &SERVICE_ID,
        &RECOMMENDATION_ID.required(),
        &Param::new(
            Kind::OneOf(&["positive", "negative"]),
            "feedback",
            "Verdict",
            "Whether the recommendation was good.",
        )
        .required()
        .body("/feedback"),
        &ADDITIONAL_FIELDS,
    ])
    .examples(&[
        Example::new(
            "Not helpful",
            r#"{"service_id":"PSERVICE000001","recommendation_id":"PRULE000000002","feedback":"negative"}"#,
        ),
    ]),
    rest(
        "recommendation.delete",
        "Remove an accepted rule",
        "Takes a recommended rule out of force again.",
        "DELETE",
        "/recommendations/event_orchestrations/services/{service_id}/accepted_rules/{rule_id}",
    )
    .scopes(&["recommendations.write"])
    .takes(&[
        &SERVICE_ID,
        &Param::text("rule_id", "Rule", "ID of the rule.").required().at(Place::Path),
    ])
    .examples(&[
        Example::new("One", r#"{"service_id":"PSERVICE000001","rule_id":"PACCEPTEDRULE1"}"#),
    ]),
];
