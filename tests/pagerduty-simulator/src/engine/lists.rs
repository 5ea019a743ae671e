//! Lists of objects that are stored as in the API: filters, order, includes, pages.

use serde_json::{Map, Value, json};

use super::{documents, references};
use crate::clock;
use crate::errors::Refusal;
use crate::judge::Call;
use crate::paging::Placed;
use crate::reply::Reply;
use crate::state::State;

/// Parameters that do not filter objects.
const NO_FILTERS: [&str; 14] = [
    "limit",
    "offset",
    "total",
    "cursor",
    "after",
    "before",
    "since",
    "until",
    "time_zone",
    "sort_by",
    "include[]",
    "additional_fields[]",
    "overflow",
    "editable",
];

pub(super) fn list(call: &mut Call<'_>) -> Result<Reply, Refusal> {
    let (path, _) = documents::place(call);
    let mut matching: Vec<Placed<Value>> = call
        .state
        .store
        .all(&path)
        .filter(|(_, object)| passes(call, object))
        .map(|(place, object)| (place, object.clone()))
        .collect();
    sort(&mut matching, call.query.one("sort_by"));
    Ok(page(call, matching))
}

/// One page of objects, as the operation declares it.
pub(crate) fn page(call: &Call<'_>, objects: Vec<Placed<Value>>) -> Reply {
    let includes = call.query.includes();
    let root = call.operation.root().unwrap_or_default();
    let cut = call.page().cut(&objects);
    let reply = cut.reply(call.operation, root, call.status(), |object| {
        let mut object = object.clone();
        include(call.state, &mut object, &includes);
        object.to_string()
    });
    with_companions(call, root, reply)
}

/// Members next to the list that the response declares, such as the account's ID.
fn with_companions(call: &Call<'_>, root: &str, reply: Reply) -> Reply {
    let keys = call.operation.answer.iter().flat_map(|answer| &answer.keys);
    let companions: Map<String, Value> = keys
        .filter(|(name, _)| name != root)
        .filter_map(|(name, kind)| {
            let value = match (name.as_str(), kind.as_str()) {
                ("account_id", _) => json!(call.state.account_id()),
                ("privileges", _) => json!({"permissions": ["create", "read"]}),
                ("schema_id", _) => json!(call.capture(0)),
                (_, "object") => json!({}),
                _ => return None,
            };
            Some((name.clone(), value))
        })
        .collect();
    if companions.is_empty() {
        return reply;
    }
    let mut body: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    if let Some(members) = body.as_object_mut() {
        members.extend(companions);
    }
    Reply::json(reply.status, &body)
}

/// Positions of objects without a stored position.
pub(crate) fn placed<T>(things: impl IntoIterator<Item = T>) -> Vec<Placed<T>> {
    things.into_iter().enumerate().map(|(place, thing)| (place as u64 + 1, thing)).collect()
}

/// Whether an object matches the query.
pub(crate) fn passes(call: &Call<'_>, object: &Value) -> bool {
    // An object with a start and an end must overlap the requested range.
    let end = |name: &str| object[name].as_str().and_then(clock::read);
    if let (Some(start), Some(end)) = (end("start_time"), end("end_time"))
        && (call.query.moment("since").is_some_and(|since| end <= since)
            || call.query.moment("until").is_some_and(|until| start >= until))
    {
        return false;
    }
    call.query
        .names()
        .into_iter()
        .filter(|name| !NO_FILTERS.contains(name))
        .all(|name| fits(object, name, &call.query.all(name)))
}

fn fits(object: &Value, name: &str, wanted: &[&str]) -> bool {
    let member = name.trim_end_matches("[]");
    if matches!(member, "query" | "keyword") {
        let text = documents::summary(&object.as_object().cloned().unwrap_or_default());
        let text = text.as_str().unwrap_or_default().to_lowercase();
        return wanted.iter().all(|word| text.contains(&word.to_lowercase()));
    }
    let stem = member.strip_suffix("_ids").or_else(|| member.strip_suffix("_id"));
    let stem = if member == "ids" { Some("") } else { stem };
    match stem {
        Some("") => wanted.iter().any(|id| object["id"] == **id),
        Some(stem) => {
            let plural = format!("{stem}s");
            let own = format!("{stem}_id");
            let many = object[&plural].as_array().map_or(&[][..], Vec::as_slice);
            let one = &object[stem]["id"];
            let known = one.is_string() || object[&own].is_string() || object[&plural].is_array();
            !known
                || wanted.iter().any(|id| {
                    *one == **id
                        || object[&own] == **id
                        || many.iter().any(|item| item["id"] == **id)
                })
        }
        None => {
            let value = match &object[member] {
                Value::Null if member == "filter" => &object["type"],
                value => value,
            };
            match value {
                Value::Null | Value::Object(_) | Value::Array(_) => true,
                Value::String(text) if member == "name" => {
                    wanted.iter().all(|word| text.to_lowercase().contains(&word.to_lowercase()))
                }
                Value::String(text) => wanted.contains(&text.as_str()) || wanted == ["all"],
                other => wanted.contains(&other.to_string().as_str()),
            }
        }
    }
}

/// Sorts by `field`, `field:desc`, or `field desc`. Positions are renumbered, because they follow
/// the order of the list.
pub(crate) fn sort(objects: &mut [Placed<Value>], by: Option<&str>) {
    let Some(by) = by else { return };
    let (field, direction) = by.split_once([':', ' ']).unwrap_or((by, "asc"));
    let key = |object: &Value| match &object[field] {
        Value::String(text) => text.to_lowercase(),
        Value::Number(number) => format!("{number:>20}"),
        _ => String::new(),
    };
    objects.sort_by_cached_key(|(_, object)| key(object));
    if direction == "desc" {
        objects.reverse();
    }
    for (index, (place, _)) in objects.iter_mut().enumerate() {
        *place = index as u64 + 1;
    }
}

/// Replaces the references that `include[]` names with full objects.
pub(crate) fn include(state: &State, object: &mut Value, includes: &[&str]) {
    for name in includes {
        for member in [(*name).to_owned(), documents::singular(name)] {
            match object.get_mut(&member) {
                Some(Value::Array(items)) => items.iter_mut().for_each(|item| whole(state, item)),
                Some(value @ Value::Object(_)) => whole(state, value),
                _ => {}
            }
        }
    }
}

fn whole(state: &State, reference: &mut Value) {
    let text = |name: &str| reference[name].as_str();
    let (Some(id), Some(kind)) = (text("id"), text("type")) else { return };
    // An object without a collection contains its own URL.
    let address = text("self").and_then(|address| url::Url::parse(address).ok());
    let below = address.as_ref().and_then(|url| url.path().rsplit_once('/')).map(|(home, _)| home);
    let home = references::home(kind).or(below);
    if let Some(object) = home.and_then(|home| state.whole(home, id)) {
        *reference = object;
    }
}
