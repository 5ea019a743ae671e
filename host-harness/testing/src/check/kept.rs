//! A service of webhooks, of which only the node's description is known: it keeps what is created, lists
//! it, returns it, changes it, and removes it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::{Map, Value, json};
use workflow_node_documents::SecretPosition;

use super::answer::{GENERIC, Shape, numbers};
use crate::loopback::{Received, Reply};

/// Secrets that the service issues.
const SECRET: &str = "signing-secret-of-the-check-0123456789";

/// The service.
#[derive(Debug)]
pub(super) struct Kept {
    shape: Shape,
    /// Whether IDs are numbers.
    numbered: bool,
    /// Where responses hold secrets.
    secrets: Vec<SecretPosition>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    objects: Vec<Object>,
    created: u64,
}

#[derive(Clone, Debug)]
struct Object {
    /// The path below which it is.
    collection: String,
    id: String,
    /// The member that it was wrapped in.
    wrapper: Option<String>,
    members: Map<String, Value>,
}

impl Kept {
    pub(super) fn new(shape: Shape, numbered: bool, secrets: Vec<SecretPosition>) -> Self {
        Self { shape, numbered, secrets, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many objects contain a text.
    pub(super) fn with(&self, text: &str) -> usize {
        let state = self.state();
        let has = |one: &&Object| Value::Object(one.members.clone()).to_string().contains(text);
        state.objects.iter().filter(has).count()
    }

    /// Forgets everything, as if somebody had removed it at the service.
    pub(super) fn clear(&self) {
        self.state().objects.clear();
    }

    /// The answer to a request.
    pub(super) fn reply(&self, request: &Received) -> Reply {
        let path = request.path().trim_end_matches('/');
        let mut state = self.state();
        let place = state.objects.iter().position(|one| {
            path.strip_prefix(&one.collection)
                .and_then(|rest| rest.strip_prefix('/'))
                .is_some_and(|rest| rest.split('/').next() == Some(one.id.as_str()))
        });
        let body: Option<Value> = serde_json::from_slice(&request.body).ok();
        let not_found = || Reply::json(404, r#"{"message":"Not Found"}"#);
        match (request.method.as_str(), place) {
            ("DELETE", Some(place)) => {
                state.objects.remove(place);
                Reply::Response { status: 204, headers: Vec::new(), body: Default::default() }
            }
            ("GET" | "HEAD", Some(place)) => {
                let object = state.objects.get(place).cloned();
                object.map_or_else(not_found, |object| self.one(request, &object, 200))
            }
            (_, Some(place)) => {
                let Some(object) = state.objects.get_mut(place) else { return not_found() };
                let (_, members) = unwrapped(body.unwrap_or_default());
                object.members.extend(members);
                let object = object.clone();
                self.one(request, &object, 200)
            }
            ("POST", None) => {
                state.created += 1;
                let (wrapper, members) = unwrapped(body.unwrap_or_default());
                let number = 7_000 + state.created;
                let id = match self.numbered {
                    true => number.to_string(),
                    false => format!("CHECK{number}"),
                };
                let collection = path.to_owned();
                let object = Object { collection, id, wrapper, members };
                state.objects.push(object.clone());
                self.one(request, &object, 201)
            }
            ("GET" | "HEAD", None) if !is_id(path) => self.list(path, &state.objects),
            _ => not_found(),
        }
    }

    /// An object, with the secrets that the service issues.
    fn one(&self, request: &Received, object: &Object, status: u16) -> Reply {
        let record = self.record(object);
        let mut body = match &record {
            Value::Object(members) => members.clone(),
            _ => Map::new(),
        };
        let word = object.collection.rsplit('/').next().unwrap_or_default();
        let (word, _) = numbers(word);
        for name in object.wrapper.iter().map(String::as_str).chain(["data", &word]) {
            body.insert(name.to_owned(), record.clone());
        }
        let mut body = Value::Object(body);
        for secret in &self.secrets {
            let (Some(path), Some(pointer)) = (&secret.path, &secret.pointer) else { continue };
            let methods = &secret.methods;
            let is_its = path.matches(request.path())
                && (methods.is_empty() || methods.contains(&request.method));
            if is_its {
                insert(&mut body, &pointer.split('/').skip(1).collect::<Vec<_>>());
            }
        }
        Reply::json(status, body.to_string())
    }

    fn record(&self, object: &Object) -> Value {
        let mut members = object.members.clone();
        let id = match self.numbered {
            true => object.id.parse().map_or(Value::Null, |number: u64| json!(number)),
            false => Value::String(object.id.clone()),
        };
        members.insert("id".to_owned(), id);
        Value::Object(members)
    }

    fn list(&self, path: &str, objects: &[Object]) -> Reply {
        let of_path = objects.iter().filter(|one| one.collection == path);
        let list = Value::Array(of_path.map(|one| self.record(one)).collect());
        if self.shape == Shape::Array {
            return Reply::json(200, list.to_string());
        }
        let (_, word) = numbers(path.rsplit('/').next().unwrap_or_default());
        let mut body = Map::new();
        for name in GENERIC.iter().copied().chain([word.as_str()]) {
            body.insert(name.to_owned(), list.clone());
        }
        for (name, value) in
            [("more", json!(false)), ("has_more", json!(false)), ("next", Value::Null)]
        {
            body.entry(name).or_insert(value);
        }
        Reply::json(200, Value::Object(body).to_string())
    }
}

/// Whether the last part of a path is an ID that the service has issued.
fn is_id(path: &str) -> bool {
    let last = path.rsplit('/').next().unwrap_or_default();
    let number = last.strip_prefix("CHECK").unwrap_or(last);
    number.parse().is_ok_and(|number: u64| (7_001..8_000).contains(&number))
}

/// The members of an object that may be wrapped in a single member.
fn unwrapped(body: Value) -> (Option<String>, Map<String, Value>) {
    let Value::Object(mut members) = body else { return (None, Map::new()) };
    if members.len() == 1
        && let Some((name, Value::Object(_))) = members.iter().next()
    {
        let name = name.clone();
        if let Some(Value::Object(inner)) = members.remove(&name) {
            return (Some(name), inner);
        }
    }
    (None, members)
}

/// Writes a secret at a path of members.
fn insert(value: &mut Value, path: &[&str]) {
    let [name, rest @ ..] = path else {
        *value = Value::String(SECRET.to_owned());
        return;
    };
    match value {
        Value::Array(list) => list.iter_mut().for_each(|one| insert(one, rest)),
        Value::Object(members) => {
            let name = name.replace("~1", "/").replace("~0", "~");
            insert(members.entry(name).or_insert(json!({})), rest);
        }
        other => {
            *other = json!({});
            insert(other, path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(method: &str, target: &str, body: Value) -> Received {
        Received {
            method: method.to_owned(),
            host: "api.test".to_owned(),
            target: target.to_owned(),
            headers: Vec::new(),
            body: body.to_string().into(),
        }
    }

    fn sent(service: &Kept, method: &str, target: &str, body: Value) -> (u16, Value) {
        match service.reply(&request(method, target, body)) {
            Reply::Response { status, body, .. } => {
                (status, serde_json::from_slice(&body).unwrap_or_default())
            }
            Reply::Closed => (0, Value::Null),
        }
    }

    #[test]
    fn created_objects_are_listed_changed_and_removed() {
        let path: workflow_node_documents::PathTemplate = "/hooks/**".parse().unwrap();
        let secret = SecretPosition::new("s", "Secret.").path(path).pointer("/hook/secret");
        let service = Kept::new(Shape::Wrapped, false, vec![secret]);
        let (_, none) = sent(&service, "GET", "/hooks?limit=1", Value::Null);
        assert_eq!(none["hooks"], json!([]));
        let hook = json!({ "hook": { "url": "https://a.test/1" } });
        let (status, made) = sent(&service, "POST", "/hooks", hook);
        assert_eq!((status, &made["hook"]["url"]), (201, &json!("https://a.test/1")));
        let id = made["hook"]["id"].as_str().unwrap().to_owned();
        assert_eq!(service.with("https://a.test/1"), 1);
        let one = format!("/hooks/{id}");
        let (_, changed) = sent(&service, "PUT", &one, json!({ "hook": { "active": false } }));
        assert_eq!(changed["hook"]["active"], false);
        assert_eq!(changed["hook"]["secret"], SECRET);
        let (_, all) = sent(&service, "GET", "/hooks", Value::Null);
        assert_eq!(all["hooks"][0]["active"], false);
        assert_eq!(sent(&service, "DELETE", &one, Value::Null).0, 204);
        assert_eq!(sent(&service, "DELETE", &one, Value::Null).0, 404);
        assert_eq!(sent(&service, "GET", &one, Value::Null).0, 404);
    }
}
