//! Objects and single documents: reading, creating, changing, and deleting.

use serde_json::{Map, Value, json};

use super::{lists, references, root};
use crate::clock::written;
use crate::errors::Refusal;
use crate::facts::{Field, Operation};
use crate::judge::Call;
use crate::reply::Reply;
use crate::state::State;

/// Members that no response contains, whatever the schema states.
const SECRETS: [&str; 4] = ["client_secret", "password", "runbook_api_key", "secret"];

/// The path of the collection or document, and the ID if the path names an object.
pub(crate) fn place(call: &Call<'_>) -> (String, Option<String>) {
    let mut captures = call.captures.iter();
    let mut path = String::new();
    for segment in call.operation.path.split('/').skip(1) {
        path.push('/');
        match segment.starts_with('{') {
            true => path.push_str(captures.next().map_or("", String::as_str)),
            false => path.push_str(segment),
        }
    }
    if !call.operation.path.ends_with('}') {
        return (path, None);
    }
    let (collection, id) = path.rsplit_once('/').unwrap_or(("", &path));
    (collection.to_owned(), Some(id.to_owned()))
}

/// The object in the body: below its root, or the body itself.
pub(crate) fn given(call: &Call<'_>) -> Map<String, Value> {
    let value = root(call.operation).map_or(&call.body, |field| &call.body[&field.name]);
    value.as_object().cloned().unwrap_or_default()
}

/// The fields that the body's object declares.
fn declared(operation: &Operation) -> &[Field] {
    match (root(operation), &operation.body) {
        (Some(field), _) => &field.fields,
        (None, Some(body)) => &body.fields,
        (None, None) => &[],
    }
}

/// The part of the body that is stored: declared and not read-only.
fn kept(call: &Call<'_>, given: Map<String, Value>) -> Map<String, Value> {
    let fields = declared(call.operation);
    let keeps = |name: &str| {
        let field = fields.iter().find(|field| field.name == name);
        fields.is_empty() || field.is_some_and(|field| !field.write_only && !field.read_only)
    };
    let kept = given.into_iter();
    let mut kept: Map<String, Value> =
        kept.filter(|(name, _)| keeps(name) && !SECRETS.contains(&name.as_str())).collect();
    references::settle(call, fields, &mut kept);
    kept
}

/// The summary of an object.
pub(crate) fn summary(members: &Map<String, Value>) -> Value {
    ["name", "title", "display_name", "label", "summary", "description", "message", "content"]
        .into_iter()
        .find_map(|name| members.get(name).filter(|value| value.is_string()))
        .cloned()
        .unwrap_or_default()
}

/// `incident_workflows` contains one `incident_workflow` each.
pub(crate) fn singular(plural: &str) -> String {
    match plural {
        "statuses" => "status".to_owned(),
        _ if plural.ends_with("ies") => format!("{}y", &plural[..plural.len() - 3]),
        _ => plural.strip_suffix('s').unwrap_or(plural).to_owned(),
    }
}

impl State {
    /// A new object as it is stored: the members of every object, and its own.
    pub(crate) fn new_object(
        &self,
        collection: &str,
        id: &str,
        kind: &str,
        own: Map<String, Value>,
    ) -> Value {
        let now = written(self.now());
        let mut object = json!({
            "id": id,
            "type": kind,
            "summary": summary(&own),
            "self": format!("https://{}{collection}/{id}", self.api_host()),
            "html_url": format!("https://{}{collection}/{id}", self.web_host()),
            "created_at": now,
            "updated_at": now,
        });
        if let Some(members) = object.as_object_mut() {
            members.extend(own);
        }
        object
    }
}

/// Creates an object from members and adds it to its collection.
pub(crate) fn make(call: &mut Call<'_>, collection: &str, members: Map<String, Value>) -> Value {
    let name = collection.rsplit('/').next().unwrap_or_default();
    let by_root = root(call.operation).filter(|field| !field.is_list());
    let usual = by_root.map_or_else(|| singular(name), |field| field.name.clone());
    let stated = members.get("type").and_then(Value::as_str).filter(|kind| !kind.is_empty());
    let kind = stated.map_or(usual, str::to_owned);
    let mut own = Map::new();
    for field in declared(call.operation).iter().filter(|field| !field.read_only) {
        if let Some(default) = &field.default {
            own.insert(field.name.clone(), default.clone());
        }
    }
    own.extend(kept(call, members));
    own.remove("type");
    let id = call.state.ids.of_collection(collection);
    let object = call.state.new_object(collection, &id, &kind, own);
    call.state.store.put(collection, object.clone());
    object
}

pub(super) fn create(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let object = created(call)?;
    Ok(call.answer(&object))
}

/// Creates the object in the body and passes it to the caller.
pub(crate) fn created(call: &mut Call<'_>) -> Result<Value, Refusal> {
    references::check(call)?;
    let (collection, _) = place(call);
    let members = given(call);
    Ok(make(call, &collection, members))
}

pub(super) fn create_many(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    references::check(call)?;
    let (collection, _) = place(call);
    let name = root(call.operation).map_or("", |field| field.name.as_str());
    let items = call.body[name].as_array().cloned().unwrap_or_default();
    let made: Vec<Value> = items
        .into_iter()
        .map(|item| make(call, &collection, item.as_object().cloned().unwrap_or_default()))
        .collect();
    Ok(call.answer(&Value::from(made)))
}

/// The object of the path.
pub(crate) fn found(call: &Call<'_>) -> Result<Value, Refusal> {
    let (collection, id) = place(call);
    let id = id.unwrap_or_default();
    call.state.whole(&collection, &id).ok_or_else(Refusal::not_found)
}

pub(super) fn get(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let mut object = found(call)?;
    lists::include(call.state, &mut object, &call.query.includes());
    // One response in the schema is a list of one.
    let keys = call.operation.answer.as_ref().map_or(&[][..], |answer| &answer.keys);
    if let [(_, kind)] = keys
        && kind.starts_with("array")
    {
        object = json!([object]);
    }
    Ok(call.answer(&object))
}

pub(super) fn update(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let object = updated(call)?;
    Ok(call.answer(&object))
}

/// Changes the members in the body and keeps the others.
pub(crate) fn updated(call: &mut Call<'_>) -> Result<Value, Refusal> {
    found(call)?;
    references::check(call)?;
    let (collection, id) = place(call);
    let members = kept(call, given(call));
    let now = written(call.now);
    let object = call.state.store.get_mut(&collection, id.as_deref().unwrap_or_default());
    let object = object.ok_or_else(Refusal::not_found)?;
    if let Some(old) = object.as_object_mut() {
        old.extend(members);
        old.insert("updated_at".to_owned(), Value::from(now));
        let summary = summary(old);
        old.insert("summary".to_owned(), summary);
    }
    Ok(object.clone())
}

pub(super) fn delete(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let object = deleted(call)?;
    Ok(match call.operation.answer {
        Some(_) => call.answer(&object),
        None => call.done(),
    })
}

/// Deletes the object of the path and returns it.
pub(crate) fn deleted(call: &mut Call<'_>) -> Result<Value, Refusal> {
    let (collection, id) = place(call);
    let object = call.state.store.remove(&collection, id.as_deref().unwrap_or_default());
    object.ok_or_else(Refusal::not_found)
}

/// The declaration of a single document.
fn single_answer(call: &Call<'_>, document: &Value) -> Reply {
    let Some(answer) = call.operation.answer.as_ref() else {
        return call.done();
    };
    if call.operation.root().is_some() {
        return call.answer(document);
    }
    let members: Map<String, Value> =
        answer.keys.iter().map(|(name, _)| (name.clone(), document[name].clone())).collect();
    Reply::json(call.status(), &Value::from(members))
}

pub(super) fn read_single(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let (path, _) = place(call);
    let document = call.state.store.single(&path).cloned();
    Ok(single_answer(call, &document.ok_or_else(Refusal::not_found)?))
}

pub(super) fn write_single(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let document = written_single(call)?;
    Ok(single_answer(call, &document))
}

/// Changes a single document, or creates it.
pub(crate) fn written_single(call: &mut Call<'_>) -> Result<Value, Refusal> {
    references::check(call)?;
    let (path, _) = place(call);
    let members = kept(call, given(call));
    let mut document = call.state.store.single(&path).cloned().unwrap_or_else(|| json!({}));
    if let Some(old) = document.as_object_mut() {
        old.extend(members);
        old.insert("updated_at".to_owned(), Value::from(written(call.now)));
    }
    call.state.store.set_single(&path, document.clone());
    Ok(document)
}

pub(super) fn delete_single(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let (path, _) = place(call);
    call.state.store.remove_single(&path).ok_or_else(Refusal::not_found)?;
    Ok(call.done())
}
