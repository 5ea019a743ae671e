//! Tags, and the objects that they are assigned to.

use serde_json::{Value, json};

use super::text;
use crate::engine::{documents, lists};
use crate::errors::Refusal;
use crate::judge::Call;
use crate::reply::Reply;
use crate::routes::Handler;
use crate::state::State;

pub(super) const HANDLERS: &[(&str, Handler)] = &[
    ("createTags", create),
    ("deleteTag", delete),
    ("getTagsByEntityType", entities),
    ("getEntityTypeByIdTags", of_entity),
    ("createEntityTypeByIdChangeTags", change),
];

const HOME: &str = "/tags";

/// Where the tags of an entity are stored.
fn ties(kind: &str, id: &str) -> String {
    format!("/{kind}/{id}/tags")
}

fn labelled(state: &State, label: &str) -> Option<Value> {
    let mut tags = state.store.all(HOME);
    tags.find(|(_, tag)| tag["label"] == label).map(|(_, tag)| tag.clone())
}

fn create(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let label = text(&call.body["tag"]["label"]).unwrap_or_default();
    if labelled(call.state, &label).is_some() {
        return Err(Refusal::invalid(["Label has already been taken"]));
    }
    let tag = documents::created(call)?;
    Ok(call.answer(&tag))
}

fn delete(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let tag = documents::deleted(call)?;
    let id = tag["id"].as_str().unwrap_or_default();
    for (kind, entity) in every_entity(call.state) {
        call.state.store.remove(&ties(kind, &entity), id);
    }
    Ok(call.done())
}

fn every_entity(state: &State) -> Vec<(&'static str, String)> {
    let users = state.users.iter().map(|one| ("users", one.id.clone()));
    let teams = state.teams.iter().map(|one| ("teams", one.id.clone()));
    let policies = state.policies.iter().map(|one| ("escalation_policies", one.id.clone()));
    users.chain(teams).chain(policies).collect()
}

/// The response's root is the type of the entities, whatever else the schema lists.
fn entities(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let (tag, kind) = (call.capture(0), call.capture(1));
    let state = &*call.state;
    let tied: Vec<Value> = every_entity(state)
        .into_iter()
        .filter(|(one, id)| *one == kind && state.store.get(&ties(kind, id), tag).is_some())
        .filter_map(|(_, id)| state.whole(&format!("/{kind}"), &id))
        .map(|entity| crate::state::views::reference_to(&entity))
        .collect();
    let placed = lists::placed(tied);
    let cut = call.page().cut(&placed);
    Ok(cut.reply(call.operation, kind, call.status(), Value::to_string))
}

fn of_entity(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let path = ties(call.capture(0), call.capture(1));
    let state = &*call.state;
    let tags = state.store.all(&path).filter_map(|(place, tie)| {
        let tag = state.store.get(HOME, tie["id"].as_str()?)?;
        Some((place, tag.clone()))
    });
    Ok(lists::page(call, tags.collect()))
}

/// Adds tags, creating those with only a label, and removes others.
fn change(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let path = ties(call.capture(0), call.capture(1));
    let (add, remove) = (call.body["add"].clone(), call.body["remove"].clone());
    for tag in add.as_array().into_iter().flatten() {
        let by_id = tag["type"] == "tag_reference";
        match (by_id, tag["id"].as_str(), tag["label"].as_str()) {
            (true, Some(id), _) if call.state.exists(HOME, id) => {}
            (false, _, Some(label)) if !label.is_empty() => {}
            _ => return Err(Refusal::invalid(["a tag needs a known id, or a label"])),
        }
    }
    for tag in add.as_array().into_iter().flatten() {
        let id = match (tag["type"] == "tag_reference", tag["label"].as_str()) {
            (false, Some(label)) => match labelled(call.state, label) {
                Some(known) => text(&known["id"]).unwrap_or_default(),
                None => new(call.state, label),
            },
            _ => text(&tag["id"]).unwrap_or_default(),
        };
        call.state.store.put(&path, json!({"id": id}));
    }
    for tag in remove.as_array().into_iter().flatten() {
        call.state.store.remove(&path, tag["id"].as_str().unwrap_or_default());
    }
    Ok(Reply::json(call.status(), &json!({})))
}

fn new(state: &mut State, label: &str) -> String {
    let id = state.ids.of_collection(HOME);
    state.keep(HOME, &id, "tag", json!({"label": label}));
    id
}
