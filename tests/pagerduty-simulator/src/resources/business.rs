//! Business services: dependencies, impacts, and the priority thresholds.

use serde_json::{Value, json};

use super::{passes, text};
use crate::engine::references;
use crate::errors::Refusal;
use crate::judge::Call;
use crate::paging;
use crate::reply::Reply;
use crate::routes::Handler;
use crate::state::State;
use crate::state::incident::Status;

pub(super) const HANDLERS: &[(&str, Handler)] = &[
    ("getBusinessServiceImpacts", impacts),
    ("getBusinessServiceTopLevelImpactors", impactors),
    ("getBusinessServiceSupportingServiceImpacts", supporting_impacts),
    ("createBusinessServiceAccountSubscription", subscribe_account),
    ("removeBusinessServiceAccountSubscription", unsubscribe_account),
    ("getIncidentImpactedBusinessServices", impacted_by_incident),
    ("putIncidentManualBusinessServiceAssociation", set_impact),
    ("createServiceDependency", associate),
    ("deleteServiceDependency", disassociate),
    ("getBusinessServiceServiceDependencies", dependencies),
    ("getTechnicalServiceServiceDependencies", dependencies),
];

const HOME: &str = "/business_services";
const TIES: &str = "/service_dependencies";

impl State {
    /// The IDs of the direct dependencies of a service.
    fn supporters(&self, id: &str) -> Vec<String> {
        self.store
            .all(TIES)
            .filter(|(_, tie)| tie["dependent_service"]["id"] == id)
            .filter_map(|(_, tie)| text(&tie["supporting_service"]["id"]))
            .collect()
    }

    /// The open incidents that impact a service: its own, those of its dependencies, and those that
    /// were set manually.
    fn impactors(&self, id: &str) -> Vec<usize> {
        let mut reached = vec![id.to_owned()];
        let mut next = 0;
        while next < reached.len() {
            for supporter in self.supporters(&reached[next]) {
                if !reached.contains(&supporter) {
                    reached.push(supporter);
                }
            }
            next += 1;
        }
        let hurts = |index: &usize| {
            let incident = &self.incidents[*index];
            let said = incident.impacts.get(id).map(String::as_str);
            incident.status != Status::Resolved
                && match said {
                    Some(relation) => relation == "impacted",
                    None => reached.contains(&incident.service_id),
                }
        };
        (0..self.incidents.len()).filter(hurts).collect()
    }

    pub(crate) fn impact_json(&self, kind: &str, id: &str, name: &Value, fields: &[&str]) -> Value {
        let by = self.impactors(id);
        let mut impact = json!({
            "id": id,
            "name": name,
            "type": kind,
            "status": if by.is_empty() { "not_impacted" } else { "impacted" },
            "additional_fields": {},
        });
        if fields.contains(&"services.highest_impacting_priority") {
            let priorities =
                by.iter().filter_map(|index| self.incidents[*index].priority_id.as_ref());
            let place = |id: &&String| self.priorities.iter().position(|one| one.id == **id);
            let highest = priorities.min_by_key(place).and_then(|id| self.priority(id));
            impact["additional_fields"]["highest_impacting_priority"] =
                highest.map_or(Value::Null, |one| json!({"id": one.id, "order": 0}));
        }
        impact
    }
}

/// The response's members next to the list.
fn with_fields(call: &Call<'_>, reply: Reply, impacted: usize) -> Reply {
    let mut body: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    body["additional_fields"] = match call.query.all("additional_fields[]") {
        fields if fields.contains(&"total_impacted_count") => {
            json!({"total_impacted_count": impacted})
        }
        _ => json!({}),
    };
    Reply::json(reply.status, &body)
}

pub(super) fn impact_list(call: &Call<'_>, services: Vec<(String, Value, &str)>) -> Reply {
    let fields: Vec<&str> = call.query.all("additional_fields[]");
    let impacts: Vec<Value> = services
        .iter()
        .map(|(id, name, kind)| call.state.impact_json(kind, id, name, &fields))
        .collect();
    let impacted = impacts.iter().filter(|one| one["status"] == "impacted").count();
    let reply = paging::reply(call.operation, &call.page(), impacts, Value::to_string);
    with_fields(call, reply, impacted)
}

/// Business services by ID and name; those in the query, or all.
pub(super) fn business_services(call: &Call<'_>) -> Vec<(String, Value, &'static str)> {
    let wanted = call.query.all("ids[]");
    let services = call.state.store.all(HOME);
    services
        .filter(|(_, one)| passes(&wanted, one["id"].as_str().unwrap_or_default()))
        .map(|(_, one)| {
            (text(&one["id"]).unwrap_or_default(), one["name"].clone(), "business_service")
        })
        .collect()
}

fn impacts(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    Ok(impact_list(call, business_services(call)))
}

fn supporting_impacts(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let wanted = call.query.all("ids[]");
    let state = &*call.state;
    let supporters = state.supporters(call.capture(0));
    let services = supporters
        .into_iter()
        .filter(|id| passes(&wanted, id))
        .map(|id| match (state.service(&id), state.store.get(HOME, &id)) {
            (Some(service), _) => (id, json!(service.name), "service"),
            (None, found) => {
                let name = found.map_or(Value::Null, |one| one["name"].clone());
                (id, name, "business_service")
            }
        })
        .collect();
    Ok(impact_list(call, services))
}

fn impactors(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let state = &*call.state;
    let mut found: Vec<usize> =
        business_services(call).iter().flat_map(|(id, _, _)| state.impactors(id)).collect();
    found.sort_unstable();
    found.dedup();
    Ok(paging::reply(call.operation, &call.page(), found, |index| {
        let incident = &state.incidents[*index];
        json!({
            "id": incident.id,
            "type": "incident",
            "status": incident.status.text(),
            "summary": incident.title,
        })
        .to_string()
    }))
}

fn subscribe_account(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let path = format!("{HOME}/{}/account_subscription", call.capture(0));
    let answer = json!({"account_is_subscribed": true});
    call.state.store.set_single(&path, answer.clone());
    Ok(Reply::json(call.status(), &answer))
}

fn unsubscribe_account(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let path = format!("{HOME}/{}/account_subscription", call.capture(0));
    call.state.store.remove_single(&path).ok_or_else(Refusal::not_found)?;
    Ok(call.done())
}

fn impacted_by_incident(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let index = call.incident()?;
    let state = &*call.state;
    let hurt = business_services(call)
        .into_iter()
        .filter(|(id, _, _)| state.impactors(id).contains(&index));
    let impacts = hurt.map(|(id, name, kind)| state.impact_json(kind, &id, &name, &[])).collect();
    Ok(paging::reply(call.operation, &call.page(), impacts, |one: &Value| one.to_string()))
}

fn set_impact(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let index = call.incident()?;
    let (service, now) = (call.capture(1).to_owned(), call.now);
    let relation = text(&call.body["relation"]).unwrap_or_default();
    call.state.touch(index, now).impacts.insert(service, relation.clone());
    Ok(Reply::json(call.status(), &json!({"relation": relation})))
}

fn end<'a>(call: &Call<'_>, tie: &'a Value, name: &str) -> Result<&'a Value, Refusal> {
    let end = &tie[name];
    let (id, kind) = (end["id"].as_str().unwrap_or_default(), end["type"].as_str());
    let home = kind.and_then(references::home);
    if home.is_some_and(|home| call.state.exists(home, id)) {
        Ok(end)
    } else {
        Err(Refusal::invalid([format!("{name} is not the id and type of a service")]))
    }
}

fn associate(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let mut ties = Vec::new();
    for tie in call.body["relationships"].as_array().into_iter().flatten() {
        let (below, above) =
            (end(call, tie, "supporting_service")?, end(call, tie, "dependent_service")?);
        if below["id"] == above["id"] {
            return Err(Refusal::invalid(["a service cannot depend on itself"]));
        }
        ties.push((below.clone(), above.clone()));
    }
    let mut made = Vec::new();
    for (below, above) in ties {
        let same = |tie: &Value| {
            tie["supporting_service"]["id"] == below["id"]
                && tie["dependent_service"]["id"] == above["id"]
        };
        let known = call.state.store.all(TIES).find(|(_, tie)| same(tie));
        if let Some((_, tie)) = known {
            made.push(tie.clone());
            continue;
        }
        let tie = json!({
            "id": call.state.ids.next('D', "service dependency"),
            "type": "service_dependency",
            "supporting_service": below,
            "dependent_service": above,
        });
        call.state.store.put(TIES, tie.clone());
        made.push(tie);
    }
    Ok(call.answer(&json!(made)))
}

fn disassociate(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let mut gone = Vec::new();
    for given in call.body["relationships"].as_array().cloned().unwrap_or_default() {
        let same = |tie: &Value| {
            tie["supporting_service"]["id"] == given["supporting_service"]["id"]
                && tie["dependent_service"]["id"] == given["dependent_service"]["id"]
        };
        let found = call.state.store.all(TIES).find(|(_, tie)| same(tie));
        let id = found.and_then(|(_, tie)| text(&tie["id"])).ok_or_else(Refusal::not_found)?;
        gone.extend(call.state.store.remove(TIES, &id));
    }
    Ok(call.answer(&json!(gone)))
}

/// Both directions: what a service supports, and what supports it.
fn dependencies(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let id = call.capture(0);
    let home = match call.operation.path.contains("technical") {
        true => "/services",
        false => HOME,
    };
    if !call.state.exists(home, id) {
        return Err(Refusal::not_found());
    }
    let ties = call.state.store.all(TIES).filter(|(_, tie)| {
        tie["supporting_service"]["id"] == id || tie["dependent_service"]["id"] == id
    });
    let ties: Vec<Value> = ties.map(|(_, tie)| tie.clone()).collect();
    Ok(call.answer(&json!(ties)))
}
