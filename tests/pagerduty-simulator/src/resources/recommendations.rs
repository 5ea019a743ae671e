//! Rules that PagerDuty recommends, and memories of its agent.

use serde_json::json;

use super::text;
use crate::engine::documents;
use crate::errors::Refusal;
use crate::judge::Call;
use crate::reply::Reply;
use crate::routes::Handler;

pub(super) const HANDLERS: &[(&str, Handler)] = &[
    ("acceptRecommendedRule", accept),
    ("dismissRecommendedRule", dismiss),
    ("deleteAcceptedRecommendedRule", delete_accepted),
];

const HOME: &str = "/recommendations/event_orchestrations/rules";

fn accepted(service: &str) -> String {
    format!("/recommendations/event_orchestrations/services/{service}/accepted_rules")
}

/// The recommendation of the path, which must belong to the service of the path.
fn taken(call: &mut Call<'_>) -> Result<serde_json::Value, Refusal> {
    let (service, id) = (call.capture(0).to_owned(), call.capture(1).to_owned());
    let rule = call.state.store.get(HOME, &id).ok_or_else(Refusal::not_found)?;
    if rule["service"]["id"] != service.as_str() {
        return Err(Refusal::not_found());
    }
    call.state.store.remove(HOME, &id).ok_or_else(Refusal::not_found)
}

/// Adds the rule to the service.
fn accept(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let rule = taken(call)?;
    let path = accepted(call.capture(0));
    call.state.store.put(&path, rule);
    Ok(Reply::json(call.status(), &json!({"status": "accepted"})))
}

fn dismiss(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let rule = taken(call)?;
    let status = text(&call.body["decision"]["feedback"]).unwrap_or_default();
    let path = "/recommendations/dismissed";
    call.state.store.put(path, rule);
    Ok(Reply::json(call.status(), &json!({"status": "dismissed", "feedback": status})))
}

fn delete_accepted(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    documents::deleted(call)?;
    Ok(Reply::json(call.status(), &json!({"status": "deleted"})))
}
