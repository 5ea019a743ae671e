//! Standard actions of a kind of record: list, get, create, update, and delete. Their requests,
//! titles, descriptions, and simple examples follow from the path and the noun for the record.

use std::collections::BTreeMap;

use pagerduty_facts::operations;

use super::same_path;
use super::words::{Action, Example, Resource, Words};
use crate::{flat, records};

/// The actions of a resource, each separate and with all of its words.
pub(super) fn expand(
    resource: &Resource,
    common: &BTreeMap<String, Words>,
    problems: &mut Vec<String>,
) -> Vec<Action> {
    let mut actions = Vec::new();
    for group in &resource.actions {
        for mut action in members(group) {
            complete(&mut action, resource, common);
            if action.title.is_empty() || action.description.is_empty() {
                problems.push(format!("{}: has no title or no description", action.name));
            }
            actions.push(action);
        }
    }
    actions
}

/// The actions of a group: `tag.{list,get}` expands to two.
fn members(group: &Action) -> Vec<Action> {
    let verbs = group.name.split_once(".{").and_then(|(record, rest)| {
        let verbs = rest.strip_suffix('}')?.split(',');
        Some(verbs.map(move |verb| (record, verb)))
    });
    let Some(verbs) = verbs else { return vec![group.clone()] };
    let of_verb = verbs.map(|(record, verb)| {
        let mut action = group.clone();
        action.name = format!("{record}.{verb}");
        action.request = request(verb, &group.request);
        action.title = action.titles.remove(verb).unwrap_or_default();
        action.description = action.descriptions.remove(verb).unwrap_or_default();
        action.examples.extend(action.example.remove(verb));
        if verb == "delete" {
            action.record = None;
        }
        if !["list", "get"].contains(&verb) {
            action.simple = None;
        }
        action
    });
    of_verb.collect()
}

/// The request for a verb; `path` is that of one record.
fn request(verb: &str, path: &str) -> String {
    let all = path.rsplit_once('/').map_or(path, |(all, _)| all);
    let is_patched =
        || operations().iter().any(|one| one.method == "PATCH" && same_path(&one.path, path));
    match verb {
        "list" => format!("GET {all}"),
        "create" => format!("POST {all}"),
        "delete" => format!("DELETE {path}"),
        "update" if is_patched() => format!("PATCH {path}"),
        "update" => format!("PUT {path}"),
        _ => format!("GET {path}"),
    }
}

/// Adds the texts that follow from the name and the request.
fn complete(action: &mut Action, resource: &Resource, common: &BTreeMap<String, Words>) {
    let noun = action.name.split_once('.').and_then(|(record, verb)| {
        let noun = resource.nouns.get(record)?;
        Some((verb, if verb == "list" { plural(noun) } else { noun.clone() }))
    });
    if let Some((record, verb)) = action.name.split_once('.') {
        let own = format!("{{{record}_id}}");
        let is_own = action.request.ends_with(&own) && !action.request.starts_with("DELETE");
        let has_record = is_own || ["list", "get", "create", "update"].contains(&verb);
        if has_record && action.record.is_none() && records::is_shared(record) {
            action.record = Some(record.to_owned());
        }
        if ["list", "get"].contains(&verb) && action.simple.is_none() {
            action.simple = flat::title_of(record).map(str::to_owned);
        }
    }
    action.early_access |= resource.early_access;
    let writes = !action.request.starts_with("GET ");
    let to_existing = action.request.contains('{') || action.request.starts_with("PUT ");
    if action.check.is_empty() && writes && to_existing {
        action.check.clone_from(&resource.check);
    }
    if let Some((verb, what)) = noun {
        let (title, description) = sentences(verb, &what);
        // A title in the overlay determines the description.
        if action.title.is_empty() {
            action.title = title;
            if action.description.is_empty() {
                action.description = description;
            }
        }
    }
    if action.description.is_empty() {
        action.description = of_title(&action.title);
    }
    if action.examples.is_empty() {
        action.examples.extend(example(action, resource, common));
    }
}

/// Title and description; both are empty for any other verb.
fn sentences(verb: &str, what: &str) -> (String, String) {
    let verbs = match verb {
        "list" => ("List", "Returns", ""),
        "get" => ("Get", "Returns", ""),
        "create" => ("Create", "Creates", ""),
        "update" => ("Update", "Updates", " Fields that are not set remain unchanged."),
        "delete" => ("Delete", "Deletes", ""),
        _ => return Default::default(),
    };
    (format!("{} {what}", verbs.0), format!("{} {what}.{}", verbs.1, verbs.2))
}

/// The description that follows from a title: `Enable an add-on` is `Enables an add-on.`
fn of_title(title: &str) -> String {
    match title.split_once(' ') {
        None => String::new(),
        Some(("List" | "Get", what)) => format!("Returns {what}."),
        Some((verb, what)) if verb.ends_with(['s', 'x', 'h']) => format!("{verb}es {what}."),
        Some((verb, what)) => format!("{verb}s {what}."),
    }
}

/// A noun without its article, in front of the object that it belongs to: `note` and ` on an
/// incident` for `a note on an incident`.
pub(super) fn split(noun: &str) -> (&str, &str) {
    let noun = noun.strip_prefix("an ").or_else(|| noun.strip_prefix("a ")).unwrap_or(noun);
    let places = [" of ", " on ", " that "];
    let place = places.iter().filter_map(|place| noun.find(place)).min();
    noun.split_at(place.unwrap_or(noun.len()))
}

/// The plural of a noun with its article: `a note on an incident` is `the notes on an incident`.
fn plural(noun: &str) -> String {
    let (head, rest) = split(noun);
    let plural = match head.strip_suffix('y').filter(|stem| !stem.ends_with(['a', 'e', 'o'])) {
        Some(stem) => format!("{stem}ies"),
        None if head.ends_with(['s', 'x']) => format!("{head}es"),
        None => format!("{head}s"),
    };
    if rest.is_empty() { plural } else { format!("the {plural}{rest}") }
}

/// The example of an action that needs only the IDs in its path, if all of them have an example
/// value.
fn example(
    action: &Action,
    resource: &Resource,
    common: &BTreeMap<String, Words>,
) -> Option<Example> {
    let (method, path) = action.request.split_once(' ')?;
    let mut parameters = serde_json::Map::new();
    for segment in path.split('/').filter(|segment| segment.starts_with('{')) {
        let words = resource.fields.get(segment).and_then(|words| words.example.as_ref());
        let value = words.or_else(|| common.get(segment)?.example.as_ref())?;
        let name = segment.trim_matches(['{', '}']);
        parameters.insert(name.to_owned(), value.as_str().into());
    }
    let reads_one = path.ends_with('}') || method != "GET";
    let title = if reads_one { "By ID" } else { "First 100 records" };
    let parameters = serde_json::Value::Object(parameters).to_string();
    Some(Example { title: title.to_owned(), parameters })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_noun_has_a_plural() {
        for (noun, expected) in [
            ("a tag", "tags"),
            ("an escalation policy", "escalation policies"),
            ("a status of a status page", "the statuses of a status page"),
            ("a note on an incident", "the notes on an incident"),
        ] {
            assert_eq!(plural(noun), expected);
        }
    }

    #[test]
    fn requests_follow_from_the_path_of_one_record() {
        assert_eq!(request("list", "/tags/{tag_id}"), "GET /tags");
        assert_eq!(request("create", "/tags/{tag_id}"), "POST /tags");
        assert_eq!(request("delete", "/tags/{tag_id}"), "DELETE /tags/{tag_id}");
    }
}
