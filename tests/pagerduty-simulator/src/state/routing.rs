//! Destination of an event: the key of a service's integration selects the service; the key of an
//! orchestration selects its router.

use serde_json::Value;

use super::State;

/// Destination of a routing key.
pub(crate) struct Route {
    /// None if the router drops the event.
    pub(crate) service_id: Option<String>,
    pub(crate) integration_id: String,
}

impl State {
    /// Resolves a routing key; none if it is unknown.
    pub(crate) fn route(&self, key: &str) -> Option<Route> {
        if let Some((service, integration)) = self.routing_index.get(key) {
            let service_id = self.service(service).map(|service| service.id.clone());
            return Some(Route { service_id, integration_id: integration.clone() });
        }
        self.store.all("/event_orchestrations").find_map(|(_, orchestration)| {
            let home = format!("/event_orchestrations/{}", orchestration["id"].as_str()?);
            let mut integrations = self.store.all(&format!("{home}/integrations"));
            let (_, integration) =
                integrations.find(|(_, one)| one["parameters"]["routing_key"] == key)?;
            let router = self.store.single(&format!("{home}/router"));
            let target = router.and_then(first_route).filter(|id| self.service(id).is_some());
            let integration_id = integration["id"].as_str().unwrap_or_default().to_owned();
            Some(Route { service_id: target.map(str::to_owned), integration_id })
        })
    }
}

/// The first rule without conditions, or the catch-all. Conditions are stored but not evaluated: a
/// rule with conditions never applies.
fn first_route(router: &Value) -> Option<&str> {
    let sets = router["sets"].as_array().into_iter().flatten();
    let mut rules = sets.filter_map(|set| set["rules"].as_array()).flatten();
    let free = |rule: &&Value| rule["conditions"].as_array().is_none_or(Vec::is_empty);
    let rule = rules.find(free).unwrap_or(&router["catch_all"]);
    rule["actions"]["route_to"].as_str()
}
