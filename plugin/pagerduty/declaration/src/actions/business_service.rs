//! Business services: what your customers see, built on technical services; and who is told about it.

use workflow_node_sdk::declare::{Action, Effect, Example, Idempotency, Kind, Param, Place};

use super::rest;
use crate::flat::BUSINESS_SERVICE_FLAT;
use crate::paging::{DELETED, classic, one, undocumented, whole_list};
use crate::parameters::{
    ADDITIONAL_FIELDS, ADDITIONAL_QUERY, ALL, BUSINESS_SERVICE_ID, LIMIT, SIMPLIFY,
};
use crate::records::BUSINESS_SERVICE;

static NAME: Param = Param::text("name", "Name", "Its name.").body("/name");
static DESCRIPTION: Param =
    Param::new(Kind::LongText, "description", "Description", "What it is for.")
        .body("/description");
static POINT_OF_CONTACT: Param =
    Param::text("point_of_contact", "Contact", "Whom to ask about it.").body("/point_of_contact");
static TEAM_ID_VALUE: Param = Param::text("team_id", "Team", "The team that is meant.")
    .reference("team")
    .at(Place::BodyAs("/team", r#"{"id":$}"#));
static IDS: Param =
    Param::new(Kind::List(&Kind::Text), "ids", "Business services", "Only these.").query("ids[]");
static ADDITIONAL_FIELDS_FILTER: Param = Param::new(
    Kind::List(&Kind::OneOf(&["services.highest_impacting_priority", "total_impacted_count"])),
    "additional_fields",
    "More",
    "What is told besides.",
)
.query("additional_fields[]");
static SUBSCRIBERS: Param = Param::new(
    Kind::Objects(&[
        &Param::text("subscriber_id", "Subscriber", "The user or team.")
            .reference_by("subscriber_type", &[("user", "user"), ("team", "team")]),
        &Param::new(Kind::OneOf(&["user", "team"]), "subscriber_type", "Kind", "A user or a team."),
    ]),
    "subscribers",
    "Subscribers",
    "Users and teams.",
)
.body("/subscribers");

pub(super) static ACTIONS: &[Action] = &[
    rest(
        "business_service.list",
        "List business services",
        "Reads all business services.",
        "GET",
        "/business_services",
    )
    .scopes(&["services.read"])
    .takes(&[&SIMPLIFY, &LIMIT, &ALL, &ADDITIONAL_QUERY])
    .answer(classic("business_services"))
    .gives(BUSINESS_SERVICE)
    .simple(&BUSINESS_SERVICE_FLAT)
    .examples(&[Example::new("The first hundred", r#"{}"#)]),
    rest(
        "business_service.create",
        "Create a business service",
        "Adds a business service.",
        "POST",
        "/business_services",
    )
    .scopes(&["services.write"])
    .envelope("/business_service")
    .takes(&[&NAME, &DESCRIPTION, &POINT_OF_CONTACT, &TEAM_ID_VALUE, &ADDITIONAL_FIELDS])
    .answer(one("business_service"))
    .gives(BUSINESS_SERVICE)
    .examples(&[
        Example::new(
            "The shop",
            r#"{"name":"Online shop","description":"What customers buy with.","point_of_contact":"ada@example.com","team_id":"PTEAM000000001"}"#,
        ),
    ]),
    rest(
        "business_service.get",
        "Get a business service",
        "Looks up one business service.",
        "GET",
        "/business_services/{business_service_id}",
    )
    .scopes(&["services.read"])
    .takes(&[&BUSINESS_SERVICE_ID, &SIMPLIFY, &ADDITIONAL_QUERY])
    .answer(one("business_service"))
    .gives(BUSINESS_SERVICE)
    .simple(&BUSINESS_SERVICE_FLAT)
    .examples(&[Example::new("One", r#"{"business_service_id":"PBUSINESSSERV1"}"#)]),
    rest(
        "business_service.update",
        "Update a business service",
        "Changes a business service; what is not given stays as it is.",
        "PUT",
        "/business_services/{business_service_id}",
    )
    .scopes(&["services.write"])
    .envelope("/business_service")
    .takes(&[
        &BUSINESS_SERVICE_ID,
        &NAME,
        &DESCRIPTION,
        &POINT_OF_CONTACT,
        &TEAM_ID_VALUE,
        &ADDITIONAL_FIELDS,
    ])
    .answer(one("business_service"))
    .gives(BUSINESS_SERVICE)
    .examples(&[
        Example::new(
            "Another contact",
            r#"{"business_service_id":"PBUSINESSSERV1","point_of_contact":"ben@example.com"}"#,
        ),
    ]),
    rest(
        "business_service.delete",
        "Delete a business service",
        "Removes a business service.",
        "DELETE",
        "/business_services/{business_service_id}",
    )
    .scopes(&["services.write"])
    .takes(&[&BUSINESS_SERVICE_ID])
    .answer(DELETED)
    .examples(&[Example::new("One", r#"{"business_service_id":"PBUSINESSSERV1"}"#)]),
    rest(
        "business_service.impactors",
        "List what affects the business services",
        "Reads the incidents that affect the topmost business services at the moment.",
        "GET",
        "/business_services/impactors",
    )
    .scopes(&["services.read"])
    .takes(&[&IDS, &LIMIT, &ALL, &ADDITIONAL_QUERY])
    .answer(undocumented("impactors"))
    .examples(&[Example::new("The first hundred", r#"{}"#)]),
    rest(
        "business_service.impacts",
        "List affected business services",
        "Reads which business services are affected at the moment, the worst first.",
        "GET",
        "/business_services/impacts",
    )
    .scopes(&["services.read"])
    .takes(&[&ADDITIONAL_FIELDS_FILTER, &IDS, &LIMIT, &ALL, &ADDITIONAL_QUERY])
    .answer(undocumented("services"))
    .examples(&[Example::new("The first hundred", r#"{}"#)]),
    rest(
        "business_service.supporting_impacts",
        "List affected supporting services",
        "Reads which services that a business service is built on are affected at the moment.",
        "GET",
        "/business_services/{business_service_id}/supporting_services/impacts",
    )
    .scopes(&["services.read"])
    .takes(&[
        &BUSINESS_SERVICE_ID,
        &ADDITIONAL_FIELDS_FILTER,
        &IDS,
        &LIMIT,
        &ALL,
        &ADDITIONAL_QUERY,
    ])
    .answer(undocumented("services"))
    .examples(&[Example::new("The first hundred", r#"{"business_service_id":"PBUSINESSSERV1"}"#)]),
    rest(
        "business_service.get_priority_threshold",
        "Get the priority threshold",
        "Reads from which priority on an incident counts as affecting business services.",
        "GET",
        "/business_services/priority_thresholds",
    )
    .scopes(&["services.read"])
    .takes(&[&ADDITIONAL_QUERY])
    .answer(one("global_threshold"))
    .examples(&[Example::new("One", r#"{}"#)]),
    rest(
        "business_service.set_priority_threshold",
        "Set the priority threshold",
        "Says from which priority on an incident counts as affecting business services.",
        "PUT",
        "/business_services/priority_thresholds",
    )
    .scopes(&["services.write"])
    .envelope("/global_threshold")
    .takes(&[
        &Param::text("priority_id", "Priority", "The priority: its ID, its name, or its address.")
            .required()
            .reference("priority")
            .body("/id"),
        &Param::new(
            Kind::Number,
            "order",
            "Order",
            "The place of the priority in the order of priorities.",
        )
        .required()
        .body("/order"),
        &ADDITIONAL_FIELDS,
    ])
    .answer(one("global_threshold"))
    .examples(&[
        Example::new("From P2 on", r#"{"priority_id":"PPRIORITY00002","order":2}"#),
    ]),
    rest(
        "business_service.clear_priority_threshold",
        "Clear the priority threshold",
        "Lets no incident count by its priority alone.",
        "DELETE",
        "/business_services/priority_thresholds",
    )
    .scopes(&["services.write"])
    .answer(DELETED)
    .examples(&[Example::new("One", r#"{}"#)]),
    rest(
        "business_service.subscribe_account",
        "Subscribe the account to a business service",
        "Tells everybody in the account about the state of a business service.",
        "POST",
        "/business_services/{business_service_id}/account_subscription",
    )
    .scopes(&["subscribers.write"])
    .effect(Effect::Update, Idempotency::Idempotent)
    .takes(&[&BUSINESS_SERVICE_ID])
    .examples(&[Example::new("One", r#"{"business_service_id":"PBUSINESSSERV1"}"#)]),
    rest(
        "business_service.unsubscribe_account",
        "Unsubscribe the account from a business service",
        "Stops telling everybody about a business service.",
        "DELETE",
        "/business_services/{business_service_id}/account_subscription",
    )
    .scopes(&["subscribers.write"])
    .takes(&[&BUSINESS_SERVICE_ID])
    .answer(DELETED)
    .examples(&[Example::new("One", r#"{"business_service_id":"PBUSINESSSERV1"}"#)]),
    rest(
        "business_service_subscriber.list",
        "List the subscribers of a business service",
        "Reads who is told about the state of a business service.",
        "GET",
        "/business_services/{business_service_id}/subscribers",
    )
    .scopes(&["subscribers.read"])
    .takes(&[&BUSINESS_SERVICE_ID, &LIMIT, &ALL, &ADDITIONAL_QUERY])
    .answer(undocumented("subscribers"))
    .examples(&[Example::new("The first hundred", r#"{"business_service_id":"PBUSINESSSERV1"}"#)]),
    rest(
        "business_service_subscriber.create",
        "Subscribe people to a business service",
        "Tells users and teams about the state of a business service.",
        "POST",
        "/business_services/{business_service_id}/subscribers",
    )
    .scopes(&["subscribers.write"])
    .effect(Effect::Update, Idempotency::Idempotent)
    .takes(&[&BUSINESS_SERVICE_ID, &SUBSCRIBERS.required(), &LIMIT, &ALL, &ADDITIONAL_FIELDS])
    .answer(whole_list("subscriptions"))
    .examples(&[
        Example::new(
            "A user and a team",
            r#"{"business_service_id":"PBUSINESSSERV1","subscribers":[{"subscriber_id":"PUSER000000001","subscriber_type":"user"},{"subscriber_id":"PTEAM000000001","subscriber_type":"team"}]}"#,
        ),
    ]),
    rest(
        "business_service_subscriber.delete",
        "Unsubscribe people from a business service",
        "Stops telling users and teams about a business service.",
        "POST",
        "/business_services/{business_service_id}/unsubscribe",
    )
    .scopes(&["subscribers.write"])
    .effect(Effect::Update, Idempotency::Idempotent)
    .takes(&[&BUSINESS_SERVICE_ID, &SUBSCRIBERS.required(), &ADDITIONAL_FIELDS])
    .examples(&[
        Example::new(
            "A user",
            r#"{"business_service_id":"PBUSINESSSERV1","subscribers":[{"subscriber_id":"PUSER000000001","subscriber_type":"user"}]}"#,
        ),
    ]),
];
