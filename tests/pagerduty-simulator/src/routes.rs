//! The operations: one row each, from which matching, scopes, `From`, queries and bodies follow.

use std::collections::BTreeSet;

use crate::declarations::*;
use crate::errors::Refusal;
use crate::judge::Call;
use crate::query::Accepts::{Flag, Moment, OneOf, Text};
use crate::query::{Parameter, parameter};
use crate::reply::Reply;
use crate::resources::{directory, incidents, log_entries, manage, notes, services, users};
use crate::shape::Field;

/// What carries out an operation that has been judged.
pub(crate) type Handler = fn(&mut Call<'_>) -> Result<Reply, Refusal>;

/// One operation of the REST API.
pub(crate) struct Route {
    pub(crate) method: &'static str,
    /// Segments in braces match anything.
    pub(crate) template: &'static str,
    pub(crate) scope: Option<&'static str>,
    /// Whether keys without a user need the header `From`.
    pub(crate) needs_from: bool,
    /// Whether `limit`, `offset` and `total` are taken.
    pub(crate) paged: bool,
    pub(crate) query: &'static [Parameter],
    pub(crate) body: Option<&'static [Field]>,
    pub(crate) handler: Handler,
}

const fn read(template: &'static str, scope: &'static str, handler: Handler) -> Route {
    Route {
        method: "GET",
        template,
        scope: Some(scope),
        needs_from: false,
        paged: false,
        query: &[],
        body: None,
        handler,
    }
}

const fn list(template: &'static str, scope: &'static str, handler: Handler) -> Route {
    Route { paged: true, ..read(template, scope, handler) }
}

const fn write(
    method: &'static str,
    template: &'static str,
    scope: &'static str,
    body: &'static [Field],
    handler: Handler,
) -> Route {
    Route { method, needs_from: true, body: Some(body), ..read(template, scope, handler) }
}

impl Route {
    const fn query(self, query: &'static [Parameter]) -> Self {
        Self { query, ..self }
    }

    const fn without_scope(self) -> Self {
        Self { scope: None, ..self }
    }
}

/// Every operation. Literal segments come before braces where both would match.
pub(crate) static ROUTES: &[Route] = &[
    list("/incidents", "incidents.read", incidents::list).query(INCIDENT_FILTERS),
    write("POST", "/incidents", "incidents.write", NEW_INCIDENT, incidents::create),
    Route {
        paged: true,
        ..write("PUT", "/incidents", "incidents.write", CHANGES, manage::update_many)
    },
    read("/incidents/{id}", "incidents.read", incidents::get).query(&[INCIDENT_INCLUDES]),
    write("PUT", "/incidents/{id}", "incidents.write", CHANGE, manage::update),
    write("PUT", "/incidents/{id}/merge", "incidents.write", MERGE, manage::merge),
    write("POST", "/incidents/{id}/snooze", "incidents.write", SNOOZE, manage::snooze),
    read("/incidents/{id}/notes", "incidents.read", notes::list),
    write("POST", "/incidents/{id}/notes", "incidents.write", NOTE, notes::create),
    list("/incidents/{id}/alerts", "incidents.read", incidents::alerts).query(ALERT_FILTERS),
    read("/incidents/{id}/alerts/{alert_id}", "incidents.read", incidents::alert),
    list("/incidents/{id}/log_entries", "incidents.read", log_entries::of_incident)
        .query(INCIDENT_LOG_FILTERS),
    list("/log_entries", "incidents.read", log_entries::list).query(LOG_FILTERS),
    read("/log_entries/{id}", "incidents.read", log_entries::get)
        .query(&[parameter("time_zone", Text), LOG_INCLUDES]),
    list("/users", "users.read", users::list).query(&[
        parameter("query", Text),
        parameter("team_ids[]", Text),
        USER_INCLUDES,
    ]),
    read("/users/me", "", users::me).without_scope().query(&[USER_INCLUDES]),
    read("/users/{id}", "users.read", users::get).query(&[USER_INCLUDES]),
    list("/services", "services.read", services::list).query(&[
        parameter("query", Text),
        parameter("name", Text),
        parameter("team_ids[]", Text),
        parameter("time_zone", Text),
        BY_NAME,
        SERVICE_INCLUDES,
    ]),
    read("/services/{id}", "services.read", services::get).query(&[SERVICE_INCLUDES]),
    read("/services/{id}/integrations/{integration_id}", "services.read", services::integration)
        .query(&[parameter("include[]", OneOf(&["services", "vendors"]))]),
    list("/escalation_policies", "escalation_policies.read", directory::policies).query(&[
        parameter("query", Text),
        parameter("user_ids[]", Text),
        parameter("team_ids[]", Text),
        BY_NAME,
        POLICY_INCLUDES,
    ]),
    read("/escalation_policies/{id}", "escalation_policies.read", directory::policy)
        .query(&[POLICY_INCLUDES]),
    list("/priorities", "priorities.read", directory::priorities),
    read("/abilities", "abilities.read", directory::abilities),
    read("/abilities/{id}", "abilities.read", directory::ability),
    list("/teams", "teams.read", directory::teams).query(&[parameter("query", Text)]),
    read("/teams/{id}", "teams.read", directory::team)
        .query(&[parameter("include[]", OneOf(&["privileges"]))]),
    list("/schedules", "schedules.read", directory::schedules).query(&[
        parameter("query", Text),
        parameter("time_zone", Text),
        parameter("include_next_oncall_for_user", Text),
        parameter("since", Moment),
        parameter("until", Moment),
        parameter("team_ids[]", Text),
        parameter(
            "include[]",
            OneOf(&["schedule_layers", "overrides_subschedule", "final_schedule"]),
        ),
    ]),
    read("/schedules/{id}", "schedules.read", directory::schedule).query(&[
        parameter("time_zone", Text),
        parameter("since", Moment),
        parameter("until", Moment),
        parameter("overflow", Flag),
        parameter("include_next_oncall_for_user", Text),
    ]),
    list("/oncalls", "oncalls.read", directory::on_calls).query(&[
        parameter("time_zone", Text),
        parameter("include[]", OneOf(&["escalation_policies", "users", "schedules"])),
        parameter("user_ids[]", Text),
        parameter("escalation_policy_ids[]", Text),
        parameter("schedule_ids[]", Text),
        parameter("since", Moment),
        parameter("until", Moment),
        parameter("earliest", Flag),
    ]),
    list("/change_events", "change_events.read", services::change_events).query(&[
        parameter("team_ids[]", Text),
        parameter("integration_ids[]", Text),
        parameter("since", Moment),
        parameter("until", Moment),
    ]),
    read("/change_events/{id}", "change_events.read", services::change_event),
];

/// Every scope that an operation needs, once.
pub(crate) fn scopes() -> Vec<&'static str> {
    let scopes: BTreeSet<&str> = ROUTES.iter().filter_map(|route| route.scope).collect();
    scopes.into_iter().collect()
}

/// A path that was found, with what its braces matched.
pub(crate) struct Matched {
    pub(crate) route: &'static Route,
    pub(crate) captures: Vec<String>,
}

/// Finds the operation of a method and a path whose segments have been decoded one by one.
pub(crate) fn find(method: &str, segments: &[String]) -> Result<Matched, Refusal> {
    let mut allowed = BTreeSet::new();
    for route in ROUTES {
        if let Some(captures) = captures(route.template, segments) {
            if route.method == method {
                return Ok(Matched { route, captures });
            }
            allowed.insert(route.method);
        }
    }
    if allowed.is_empty() {
        Err(Refusal::not_found())
    } else {
        let allowed: Vec<&str> = allowed.into_iter().collect();
        Err(Refusal::method_not_allowed(&allowed.join(", ")))
    }
}

fn captures(template: &str, segments: &[String]) -> Option<Vec<String>> {
    let mut captures = Vec::new();
    let mut rest = segments.iter();
    for part in template.split('/').skip(1) {
        let segment = rest.next()?;
        if part.starts_with('{') {
            if segment.is_empty() {
                return None;
            }
            captures.push(segment.clone());
        } else if part != segment {
            return None;
        }
    }
    rest.next().is_none().then_some(captures)
}
