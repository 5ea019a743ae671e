//! Event orchestrations: their keys, their rules, and what is enabled.

use serde_json::{Map, Value, json};

use super::text;
use crate::clock::written;
use crate::engine::{documents, lists};
use crate::errors::Refusal;
use crate::ids::secret_hex;
use crate::judge::Call;
use crate::reply::Reply;
use crate::routes::Handler;
use crate::state::State;

pub(super) const HANDLERS: &[(&str, Handler)] = &[
    ("postOrchestration", create),
    ("getOrchPathRouter", path),
    ("updateOrchPathRouter", set_path),
    ("getOrchPathGlobal", path),
    ("updateOrchPathGlobal", set_path),
    ("getOrchPathUnrouted", path),
    ("updateOrchPathUnrouted", set_path),
    ("getOrchPathService", path),
    ("updateOrchPathService", set_path),
    ("getOrchActiveStatus", active),
    ("updateOrchActiveStatus", set_active),
    ("postOrchestrationIntegration", create_integration),
    ("updateOrchestrationIntegration", update_integration),
    ("migrateOrchestrationIntegration", migrate),
    ("listEventOrchestrationFeatureEnablements", enablements),
    ("updateEventOrchestrationFeatureEnablements", set_enablement),
    ("listServiceFeatureEnablements", enablements),
    ("updateServiceFeatureEnablement", set_enablement),
];

const HOME: &str = "/event_orchestrations";

impl State {
    /// Adds an integration with a new key to an orchestration.
    pub(crate) fn add_orchestration_integration(
        &mut self,
        orchestration: &str,
        label: &str,
    ) -> Value {
        let path = format!("{HOME}/{orchestration}/integrations");
        let id = self.ids.of_collection(&path);
        // Keys of orchestrations begin with an R.
        let key = format!("R{}", secret_hex(31).to_uppercase());
        let own = json!({"label": label, "parameters": {"routing_key": key, "type": "global"}});
        self.keep(&path, &id, "integration", own);
        self.count_integrations(orchestration);
        self.store.get(&path, &id).cloned().unwrap_or_default()
    }

    /// An orchestration with its integrations.
    fn count_integrations(&mut self, orchestration: &str) {
        let all = self.store.all(&format!("{HOME}/{orchestration}/integrations"));
        let shown: Vec<Value> = all
            .map(|(_, one)| json!({"id": one["id"], "label": one["label"], "parameters": one["parameters"]}))
            .collect();
        if let Some(kept) = self.store.get_mut(HOME, orchestration) {
            kept["integrations"] = json!(shown);
        }
    }
}

fn create(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let object = documents::created(call)?;
    let id = text(&object["id"]).unwrap_or_default();
    let label = object["name"].as_str().unwrap_or("Default").to_owned();
    call.state.add_orchestration_integration(&id, &label);
    let kept = call.state.store.get_mut(HOME, &id).ok_or_else(Refusal::not_found)?;
    kept["routes"] = json!(0);
    let kept = kept.clone();
    Ok(call.answer(&kept))
}

/// The collection of rules of a path, its type, and its owner.
fn described(call: &Call<'_>) -> (String, &'static str, Value) {
    let id = call.capture(0);
    let template = call.operation.path.as_str();
    let (kind, home) = match template.rsplit('/').next() {
        Some("router") => ("router", HOME),
        Some("global") => ("global", HOME),
        Some("unrouted") => ("unrouted", HOME),
        _ => ("service", "/services"),
    };
    let reference =
        if kind == "service" { "service_reference" } else { "event_orchestration_reference" };
    let address = format!("https://{}{home}/{id}", call.state.api_host());
    let parent = json!({"id": id, "type": reference, "self": address});
    (template.replacen(&format!("{{{}}}", call.operation.captures()[0]), id, 1), kind, parent)
}

fn current(call: &Call<'_>) -> Result<(String, Value), Refusal> {
    let (path, kind, parent) = described(call);
    if kind == "service" && call.state.service(call.capture(0)).is_none() {
        return Err(Refusal::not_found());
    }
    let actions = match kind {
        "router" => json!({"route_to": "unrouted"}),
        _ => json!({}),
    };
    let none = json!({
        "type": kind,
        "parent": parent,
        "self": format!("https://{}{path}", call.state.api_host()),
        "sets": [{"id": "start", "rules": []}],
        "catch_all": {"actions": actions},
        "created_at": "2025-01-15T09:00:00Z",
        "updated_at": "2025-01-15T09:00:00Z",
        "version": null,
    });
    let kept = call.state.store.single(&path).cloned();
    Ok((path, kept.unwrap_or(none)))
}

fn path(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let (_, document) = current(call)?;
    Ok(call.answer(&document))
}

/// Assigns IDs to rules; the number of routes follows from the router.
fn set_path(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let (path, mut document) = current(call)?;
    let given = call.body["orchestration_path"].clone();
    for name in ["sets", "catch_all"] {
        if let Some(value) = given.get(name) {
            document[name] = value.clone();
        }
    }
    let mut routes = 0;
    for set in document["sets"].as_array_mut().into_iter().flatten() {
        for rule in set["rules"].as_array_mut().into_iter().flatten() {
            if rule["id"].is_null() {
                rule["id"] = json!(call.state.ids.next('0', "orchestration rule"));
            }
            routes += 1;
        }
    }
    document["updated_at"] = json!(written(call.now));
    document["version"] = json!(call.state.ids.next('v', "orchestration version"));
    if let Some(kept) = call.state.store.get_mut(HOME, call.captures[0].as_str())
        && document["type"] == "router"
    {
        kept["routes"] = json!(routes);
    }
    call.state.store.set_single(&path, document.clone());
    Ok(Reply::json(call.status(), &json!({"orchestration_path": document, "warnings": []})))
}

fn active(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let (path, _) = documents::place(call);
    let active = call.state.store.single(&path).is_none_or(|one| one["active"] != false);
    Ok(Reply::json(call.status(), &json!({"active": active})))
}

fn set_active(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let (path, _) = documents::place(call);
    let answer = json!({"active": call.body["active"].as_bool().unwrap_or(true)});
    call.state.store.set_single(&path, answer.clone());
    Ok(Reply::json(call.status(), &answer))
}

fn create_integration(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let label = text(&call.body["integration"]["label"]).unwrap_or_default();
    let orchestration = call.capture(0).to_owned();
    let integration = call.state.add_orchestration_integration(&orchestration, &label);
    Ok(call.answer(&integration))
}

fn update_integration(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let integration = documents::updated(call)?;
    let orchestration = call.capture(0).to_owned();
    call.state.count_integrations(&orchestration);
    Ok(call.answer(&integration))
}

/// Moves an integration, with its key, from another orchestration to this one.
fn migrate(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let member = |name: &str| text(&call.body[name]).unwrap_or_default();
    let (source, integration, target) =
        (member("source_id"), member("integration_id"), call.capture(0).to_owned());
    let taken = call.state.store.remove(&format!("{HOME}/{source}/integrations"), &integration);
    let taken = taken.ok_or_else(Refusal::not_found)?;
    let path = format!("{HOME}/{target}/integrations");
    call.state.store.put(&path, taken);
    call.state.count_integrations(&source);
    call.state.count_integrations(&target);
    let all = call.state.store.all(&path).map(|(place, one)| (place, one.clone())).collect();
    Ok(lists::page(call, all))
}

fn features(call: &Call<'_>) -> Map<String, Value> {
    let path = format!("{}/enablements", base(call));
    let kept = call.state.store.single(&path).and_then(Value::as_object).cloned();
    kept.unwrap_or_else(|| Map::from_iter([("aiops".to_owned(), json!(true))]))
}

/// The object whose features are requested.
fn base(call: &Call<'_>) -> String {
    let home = call.operation.path.split("/{").next().unwrap_or_default();
    format!("{home}/{}", call.capture(0))
}

fn enablements(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let all: Vec<Value> = features(call)
        .into_iter()
        .map(|(feature, enabled)| json!({"feature": feature, "enabled": enabled}))
        .collect();
    Ok(call.answer(&json!(all)))
}

fn set_enablement(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let feature = call.capture(1).to_owned();
    let enabled = call.body["enablement"]["enabled"].clone();
    let mut features = features(call);
    features.insert(feature.clone(), enabled.clone());
    let path = format!("{}/enablements", base(call));
    call.state.store.set_single(&path, Value::from(features));
    Ok(call.answer(&json!({"feature": feature, "enabled": enabled})))
}
