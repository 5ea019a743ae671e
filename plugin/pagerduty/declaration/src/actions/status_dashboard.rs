//! Status dashboards: pages inside PagerDuty that show how services are.

use workflow_node_sdk::declare::{Action, Answer, Cursor, Example, Kind, Paging, Param, Place};

use super::rest;
use crate::paging::{CURSOR, one, undocumented};
use crate::parameters::{ADDITIONAL_QUERY, ALL, LIMIT};

static STATUS_DASHBOARD_ID: Param = Param::text(
    "status_dashboard_id",
    "Status dashboard",
    "The status dashboard: its ID, its name, or its address.",
)
.reference("status_dashboard")
.at(Place::Path);
static ADDITIONAL_FIELDS_FILTER: Param = Param::new(
    Kind::List(&Kind::OneOf(&["services.highest_impacting_priority", "total_impacted_count"])),
    "additional_fields",
    "More",
    "What is told besides.",
)
.query("additional_fields[]");
static URL_SLUG: Param =
    Param::text("url_slug", "Address", "The last part of the dashboard's address.").at(Place::Path);

pub(super) static ACTIONS: &[Action] = &[
    rest(
        "status_dashboard.list",
        "List status dashboards",
        "Reads the dashboards of the account.",
        "GET",
        "/status_dashboards",
    )
    .scopes(&["status_dashboards.read"])
    .takes(&[&LIMIT, &ALL, &ADDITIONAL_QUERY])
    .answer(Answer::List("status_dashboards", &Paging::Cursor(Cursor { limit: "", ..CURSOR })))
    .examples(&[Example::new("The first hundred", r#"{}"#)]),
    rest(
        "status_dashboard.get",
        "Get a status dashboard",
        "Looks up one dashboard.",
        "GET",
        "/status_dashboards/{status_dashboard_id}",
    )
    .scopes(&["status_dashboards.read"])
    .takes(&[&STATUS_DASHBOARD_ID.required(), &ADDITIONAL_QUERY])
    .answer(one("status_dashboard"))
    .examples(&[Example::new("One", r#"{"status_dashboard_id":"PSTATUSDASHBO1"}"#)]),
    rest(
        "status_dashboard.impacts",
        "List the affected services of a status dashboard",
        "Reads how the services of a dashboard are, the worst first.",
        "GET",
        "/status_dashboards/{status_dashboard_id}/service_impacts",
    )
    .scopes(&["status_dashboards.read"])
    .takes(&[
        &STATUS_DASHBOARD_ID.required(),
        &ADDITIONAL_FIELDS_FILTER,
        &LIMIT,
        &ALL,
        &ADDITIONAL_QUERY,
    ])
    .answer(undocumented("services"))
    .examples(&[Example::new("The first hundred", r#"{"status_dashboard_id":"PSTATUSDASHBO1"}"#)]),
    rest(
        "status_dashboard.get_by_slug",
        "Get a status dashboard by its address",
        "Looks up a dashboard by the last part of its address.",
        "GET",
        "/status_dashboards/url_slugs/{url_slug}",
    )
    .scopes(&["status_dashboards.read"])
    .takes(&[&URL_SLUG.required(), &ADDITIONAL_QUERY])
    .answer(one("status_dashboard"))
    .examples(&[Example::new("One", r#"{"url_slug":"example"}"#)]),
    rest(
        "status_dashboard.impacts_by_slug",
        "List the affected services of a status dashboard by its address",
        "Reads how the services of a dashboard are, by the last part of its address.",
        "GET",
        "/status_dashboards/url_slugs/{url_slug}/service_impacts",
    )
    .scopes(&["status_dashboards.read"])
    .takes(&[&URL_SLUG.required(), &ADDITIONAL_FIELDS_FILTER, &LIMIT, &ALL, &ADDITIONAL_QUERY])
    .answer(undocumented("services"))
    .examples(&[Example::new("The first hundred", r#"{"url_slug":"example"}"#)]),
];
