//! The parent objects in a path: each must exist.

use serde_json::Value;

use crate::errors::Refusal;
use crate::judge::Call;
use crate::state::State;

/// Paths with objects that belong to another collection.
const ELSEWHERE: [(&str, &str); 8] = [
    ("/event_orchestrations/services", "/services"),
    ("/recommendations/event_orchestrations/services", "/services"),
    ("/service_dependencies/technical_services", "/services"),
    ("/service_dependencies/business_services", "/business_services"),
    ("/incidents/{id}/business_services", "/business_services"),
    ("/analytics/raw/incidents", "/incidents"),
    ("/analytics/raw/responders", "/users"),
    (
        "/recommendations/event_orchestrations/services/{service_id}/rules",
        "/recommendations/event_orchestrations/rules",
    ),
];

/// Path parameters that are not the ID of an object in a collection.
const NO_OBJECTS: [&str; 5] =
    ["{entity_type}", "{feature_name}", "{resource_type}", "{url_slug}", "{type}"];

/// Refuses a path through an object that does not exist. The name of an incident type is replaced
/// by its ID, so that later code needs only IDs.
pub(crate) fn parents(call: &mut Call<'_>) -> Result<(), Refusal> {
    let segments: Vec<&str> = call.operation.path.split('/').skip(1).collect();
    let mut template = String::new();
    let mut path = String::new();
    let mut capture = 0;
    for (index, segment) in segments.iter().enumerate() {
        let mut text = (*segment).to_owned();
        if segment.starts_with('{') {
            if *segment == "{type_id_or_name}" {
                let id = type_id(call.state, &call.captures[capture]);
                call.captures[capture] = id.ok_or_else(Refusal::not_found)?;
            }
            text.clone_from(&call.captures[capture]);
            capture += 1;
            let last = index + 1 == segments.len();
            if !last && !NO_OBJECTS.contains(segment) {
                let home = ELSEWHERE.iter().find(|(elsewhere, _)| *elsewhere == template);
                let collection = home.map_or(path.as_str(), |(_, home)| home);
                if !call.state.exists(collection, &text) {
                    return Err(Refusal::not_found());
                }
            }
        }
        template = format!("{template}/{segment}");
        path = format!("{path}/{text}");
    }
    Ok(())
}

fn type_id(state: &State, id_or_name: &str) -> Option<String> {
    let named = |one: &Value| one["id"] == id_or_name || one["name"] == id_or_name;
    let mut types = state.store.all("/incidents/types");
    types.find(|(_, one)| named(one)).and_then(|(_, one)| one["id"].as_str().map(str::to_owned))
}
