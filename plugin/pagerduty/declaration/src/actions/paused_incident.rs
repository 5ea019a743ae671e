//! Paused incidents: alerts that were held back before they notified somebody.

use workflow_node_sdk::declare::{Action, Example, Kind, Param};

use super::rest;
use crate::paging::one;
use crate::parameters::{ADDITIONAL_QUERY, SINCE, UNTIL};

static SERVICE_ID_FILTER: Param =
    Param::text("service_id", "Service", "The service that is meant.")
        .reference("service")
        .query("service_id");
static SUSPENDED_BY: Param = Param::new(
    Kind::OneOf(&["auto_pause", "rules"]),
    "suspended_by",
    "Held back by",
    "Only alerts that were held back by this.",
)
.query("suspended_by");

pub(super) static ACTIONS: &[Action] = &[
    rest(
        "paused_incident.alerts",
        "List alerts that were paused",
        "Reads up to 20 alerts that were held back, of the last six months.",
        "GET",
        "/paused_incident_reports/alerts",
    )
    .scopes(&["incidents.read"])
    .takes(&[&SINCE, &UNTIL, &SERVICE_ID_FILTER, &SUSPENDED_BY, &ADDITIONAL_QUERY])
    .answer(one("paused_incident_reporting_alerts"))
    .examples(&[Example::new("One", r#"{}"#)]),
    rest(
        "paused_incident.counts",
        "Count alerts that were paused",
        "Counts the alerts that were held back, by what became of them.",
        "GET",
        "/paused_incident_reports/counts",
    )
    .scopes(&["incidents.read"])
    .takes(&[&SINCE, &UNTIL, &SERVICE_ID_FILTER, &SUSPENDED_BY, &ADDITIONAL_QUERY])
    .answer(one("paused_incident_reporting_counts"))
    .examples(&[Example::new("One", r#"{}"#)]),
];
