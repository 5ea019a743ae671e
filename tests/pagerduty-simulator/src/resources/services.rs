//! Services.

use serde_json::{Value, json};

use super::{any_passes, resembles, rest, text};
use crate::clock::written;
use crate::engine::references;
use crate::errors::Refusal;
use crate::judge::Call;
use crate::paging;
use crate::reply::Reply;
use crate::routes::Handler;
use crate::state::directory::Service;

pub(super) const HANDLERS: &[(&str, Handler)] = &[
    ("listServices", list),
    ("getService", get),
    ("createService", create),
    ("updateService", update),
    ("deleteService", delete),
    ("convertServiceEventRulesToEventOrchestration", convert),
];

/// The members with typed fields or derived values.
const TAKEN: [&str; 6] =
    ["name", "description", "status", "escalation_policy", "teams", "integrations"];

fn list(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let state = &*call.state;
    let query = call.query.one("query");
    let name = call.query.one("name");
    let teams = call.query.all("team_ids[]");
    let include = call.query.includes();
    let sight = call.sight();
    let mut matching: Vec<&Service> = state
        .services
        .iter()
        .filter(|service| {
            resembles(&service.name, query)
                && name.is_none_or(|name| service.name == name)
                && any_passes(&teams, &service.team_ids)
                && sight.sees(&service.team_ids)
        })
        .collect();
    matching.sort_by(|one, other| one.name.cmp(&other.name));
    if call.query.one("sort_by") == Some("name:desc") {
        matching.reverse();
    }
    Ok(paging::reply(call.operation, &call.page(), matching, |service| {
        state.service_json(service, &include).to_string()
    }))
}

fn get(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    answer(call, call.capture(0))
}

fn answer(call: &Call<'_>, id: &str) -> Result<Reply, Refusal> {
    let service = call.state.service(id).ok_or_else(Refusal::not_found)?;
    Ok(call.answer(&call.state.service_json(service, &call.query.includes())))
}

/// Refuses a duplicate name, and a policy that does not exist.
fn judge(call: &Call<'_>, own: Option<&str>) -> Result<(), Refusal> {
    references::check(call)?;
    let name = call.body["service"]["name"].as_str();
    let taken = |service: &&Service| {
        Some(service.name.as_str()) == name && Some(service.id.as_str()) != own
    };
    match call.state.services.iter().find(taken) {
        Some(_) => Err(Refusal::invalid(["Name has already been taken"])),
        None => Ok(()),
    }
}

fn create(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    judge(call, None)?;
    let given = call.body["service"].clone();
    let name = text(&given["name"]).unwrap_or_default();
    let policy = text(&given["escalation_policy"]["id"]).unwrap_or_default();
    let teams = call.state.policy(&policy).map(|policy| policy.team_ids.clone());
    let id = call.state.new_service(&name, &policy, &teams.unwrap_or_default());
    apply(call, &id, &given);
    if let Some(service) = call.state.service_mut(&id) {
        service.created_at = written(call.now);
    }
    call.state.service_event(&id, "service.created", &call.agent(), call.now, None);
    answer(call, &id)
}

fn update(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let id = call.capture(0).to_owned();
    call.state.service(&id).ok_or_else(Refusal::not_found)?;
    judge(call, Some(&id))?;
    let given = call.body["service"].clone();
    apply(call, &id, &given);
    call.state.stale();
    call.state.service_event(&id, "service.updated", &call.agent(), call.now, None);
    answer(call, &id)
}

fn apply(call: &mut Call<'_>, id: &str, given: &Value) {
    let now = written(call.now);
    let Some(service) = call.state.service_mut(id) else { return };
    if let Some(name) = text(&given["name"]) {
        service.name = name;
    }
    if let Some(description) = text(&given["description"]) {
        service.description = description;
    }
    if let Some(policy) = text(&given["escalation_policy"]["id"]) {
        service.escalation_policy_id = policy;
    }
    // The other statuses follow from incidents and windows.
    match given["status"].as_str() {
        Some("disabled") => service.status = "disabled".to_owned(),
        Some(_) => service.status = "active".to_owned(),
        None => {}
    }
    service.more.extend(rest(given, &TAKEN));
    service.more.insert("updated_at".to_owned(), Value::from(now));
    call.state.find_timeouts();
}

fn delete(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let id = call.capture(0).to_owned();
    call.state.service(&id).ok_or_else(Refusal::not_found)?;
    call.state.service_event(&id, "service.deleted", &call.agent(), call.now, None);
    call.state.remove_service(&id);
    Ok(call.done())
}

/// Event rules are deprecated, so only the last of them can be converted.
fn convert(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let id = call.capture(0).to_owned();
    let target = format!("https://{}/event_orchestrations/services/{id}", call.state.api_host());
    Ok(Reply::json(call.status(), &json!({"convert_status": "success", "converted_to": target})))
}

impl crate::state::State {
    /// Deletes a service. Its incidents stay and contain its ID.
    pub(crate) fn remove_service(&mut self, id: &str) {
        self.services.retain(|service| service.id != id);
        let places = self.services.iter().enumerate();
        self.service_index = places.map(|(place, one)| (one.id.clone(), place)).collect();
        self.routing_index.retain(|_, (service, _)| service != id);
        self.store.forget(&format!("/services/{id}"));
        self.find_timeouts();
        self.stale();
    }
}
