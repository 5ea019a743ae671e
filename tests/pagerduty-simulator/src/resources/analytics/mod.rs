//! Analytics, computed from the incidents that the account holds.

mod filters;
mod metrics;
mod raw;

use serde_json::{Map, Value, json};

use crate::errors::Refusal;
use crate::judge::Call;
use crate::paging::{cursor, place};
use crate::reply::Reply;
use crate::routes::Handler;

pub(super) const HANDLERS: &[(&str, Handler)] = &[
    ("getAnalyticsIncidents", raw::incidents),
    ("getAnalyticsIncidentsById", raw::incident),
    ("getAnalyticsIncidentResponsesById", raw::responses),
    ("getAnalyticsResponderIncidents", raw::incidents_of_responder),
    ("getAnalyticsUsers", raw::users),
    ("getAnalyticsMetricsIncidentsAll", metrics::all),
    ("getAnalyticsMetricsIncidentsService", metrics::by_service),
    ("getAnalyticsMetricsIncidentsServiceAll", metrics::all),
    ("getAnalyticsMetricsIncidentsTeam", metrics::by_team),
    ("getAnalyticsMetricsIncidentsTeamAll", metrics::all),
    ("getAnalyticsMetricsIncidentsEscalationPolicy", metrics::by_policy),
    ("getAnalyticsMetricsIncidentsEscalationPolicyAll", metrics::all),
    ("getAnalyticsMetricsRespondersAll", metrics::responders),
    ("getAnalyticsMetricsRespondersTeam", metrics::responders_by_team),
    ("getAnalyticsMetricsUsersAll", metrics::users),
    ("getAnalyticsMetricsPdAdvanceUsageFeatures", metrics::features),
];

/// The query, as every response repeats it.
fn echo(call: &Call<'_>) -> Map<String, Value> {
    let body = &call.body;
    let mut echo = Map::new();
    echo.insert("filters".to_owned(), body.get("filters").cloned().unwrap_or_else(|| json!({})));
    let zone = body["time_zone"].as_str().unwrap_or("Etc/UTC");
    echo.insert("time_zone".to_owned(), json!(zone));
    for name in ["order", "order_by", "aggregate_unit"] {
        if let Some(value) = body.get(name) {
            echo.insert(name.to_owned(), value.clone());
        }
    }
    echo
}

/// Rows as a whole.
fn answer(call: &Call<'_>, rows: Vec<Value>) -> Reply {
    let mut answer = echo(call);
    answer.insert("data".to_owned(), Value::from(rows));
    Reply::json(call.status(), &Value::from(answer))
}

/// Rows in pages: a page begins after `starting_after`, or ends before `ending_before`.
fn page(call: &Call<'_>, mut rows: Vec<Value>, by: &str) -> Result<Reply, Refusal> {
    let body = &call.body;
    let by = body["order_by"].as_str().unwrap_or(by);
    let number = |value: &Value| value.as_f64();
    rows.sort_by(|one, other| {
        let (one, other) = (&one[by], &other[by]);
        let numbers = number(one).partial_cmp(&number(other));
        one.as_str().cmp(&other.as_str()).then(numbers.unwrap_or(std::cmp::Ordering::Equal))
    });
    let order = body["order"].as_str().unwrap_or("asc");
    if order == "desc" {
        rows.reverse();
    }
    let mark =
        |name: &str| body[name].as_str().filter(|text| !text.is_empty()).map(place).transpose();
    let limit = body["limit"].as_u64().and_then(|n| usize::try_from(n).ok()).unwrap_or(100);
    let place_of = |mark: u64| usize::try_from(mark).unwrap_or(usize::MAX).min(rows.len());
    let (after, before) = (mark("starting_after")?, mark("ending_before")?);
    let (from, to) = match (after, before) {
        (Some(_), Some(_)) => {
            return Err(Refusal::invalid(["starting_after and ending_before exclude each other"]));
        }
        (_, Some(mark)) => {
            let end = place_of(mark.saturating_sub(1));
            (end.saturating_sub(limit), end)
        }
        (mark, None) => {
            let from = mark.map_or(0, place_of);
            (from, (from + limit).min(rows.len()))
        }
    };
    let mut answer = echo(call);
    let edge = |index: usize| (from < to).then(|| cursor(index as u64 + 1));
    answer.insert("first".to_owned(), json!(edge(from)));
    answer.insert("last".to_owned(), json!(edge(to.saturating_sub(1))));
    answer.insert("limit".to_owned(), json!(limit));
    answer.insert("more".to_owned(), json!(to < rows.len()));
    answer.insert("starting_after".to_owned(), body["starting_after"].clone());
    answer.insert("ending_before".to_owned(), body["ending_before"].clone());
    answer.insert("order".to_owned(), json!(order));
    answer.insert("order_by".to_owned(), json!(by));
    answer.insert("data".to_owned(), json!(rows[from..to]));
    Ok(Reply::json(call.status(), &Value::from(answer)))
}
