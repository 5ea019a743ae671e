//! Status dashboards, by ID and by URL slug.

use serde_json::Value;

use super::business::{business_services, impact_list};
use super::text;
use crate::errors::Refusal;
use crate::judge::Call;
use crate::reply::Reply;
use crate::routes::Handler;

pub(super) const HANDLERS: &[(&str, Handler)] = &[
    ("getStatusDashboardByUrlSlug", by_slug),
    ("getStatusDashboardServiceImpactsByUrlSlug", impacts_by_slug),
    ("getStatusDashboardServiceImpactsById", impacts_by_id),
];

const HOME: &str = "/status_dashboards";

fn slug(call: &Call<'_>) -> Result<Value, Refusal> {
    let wanted = call.capture(0);
    let mut all = call.state.store.all(HOME);
    let found = all.find(|(_, one)| one["url_slug"] == wanted);
    found.map(|(_, one)| one.clone()).ok_or_else(Refusal::not_found)
}

fn by_slug(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    Ok(call.answer(&slug(call)?))
}

fn impacts_by_slug(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    Ok(impacts(call, &slug(call)?))
}

fn impacts_by_id(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let dashboard = call.state.store.get(HOME, call.capture(0)).cloned();
    Ok(impacts(call, &dashboard.ok_or_else(Refusal::not_found)?))
}

/// The business services of the dashboard; all if it lists none.
fn impacts(call: &Call<'_>, dashboard: &Value) -> Reply {
    let named = dashboard["services"].as_array();
    let named: Option<Vec<String>> =
        named.map(|services| services.iter().filter_map(|one| text(&one["id"])).collect());
    let services = business_services(call)
        .into_iter()
        .filter(|(id, _, _)| named.as_ref().is_none_or(|named| named.contains(id)))
        .collect();
    impact_list(call, services)
}
