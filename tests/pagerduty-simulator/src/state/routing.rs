//! Where an event goes: the key of a service's integration names the service, that of an
//! orchestration leaves it to the router.

use serde_json::Value;

use super::State;

/// What a routing key leads to.
pub(crate) struct Route {
    /// None when the router sends the event nowhere.
    pub(crate) service_id: Option<String>,
    pub(crate) integration_id: String,
}

impl State {
    /// Follows a routing key; none when nobody has it.
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

/// The first rule that asks nothing of the event, or what catches all. Conditions are kept and
/// shown, but not understood here: a rule that has some never applies.
fn first_route(router: &Value) -> Option<&str> {
    let sets = router["sets"].as_array().into_iter().flatten();
    let mut rules = sets.filter_map(|set| set["rules"].as_array()).flatten();
    let free = |rule: &&Value| rule["conditions"].as_array().is_none_or(Vec::is_empty);
    let rule = rules.find(free).unwrap_or(&router["catch_all"]);
    rule["actions"]["route_to"].as_str()
}
