//! Placeholders in responses: `{{path.id}}`, `{{body.title}}`.

use serde_json::{Map, Value};

use crate::message::Request;

/// A JSON value whose texts can contain placeholders. Text that is a single placeholder becomes its
/// value, with its type.
#[derive(Clone, Debug)]
pub(super) struct Template(Node);

#[derive(Clone, Debug)]
enum Node {
    Value(Value),
    Text(Vec<Part>),
    Array(Vec<Node>),
    Object(Vec<(String, Node)>),
}

#[derive(Clone, Debug)]
enum Part {
    Text(String),
    Path(String),
    Query(String),
    Header(String),
    /// A path of members, such as `config.url`; empty for the whole body.
    Body(Vec<String>),
    /// How often the route was requested, from 1.
    Count,
    /// A number that is unique among responses.
    Id,
    Now,
    /// Position of the record in a list, from 1.
    Index,
}

/// The values of placeholders.
pub(super) struct Values<'a> {
    pub(super) request: &'a Request,
    pub(super) path: &'a [(String, String)],
    pub(super) body: &'a Value,
    pub(super) count: u64,
    pub(super) id: u64,
    pub(super) now: &'a str,
    pub(super) index: usize,
}

impl Template {
    /// `names`: those of the path's placeholders, and `index` if records are generated.
    pub(super) fn new(value: &Value, names: &[&str]) -> Result<Self, String> {
        node(value, names).map(Self)
    }

    pub(super) fn fill(&self, values: &Values<'_>) -> Value {
        fill(&self.0, values)
    }

    /// The filled template as text.
    pub(super) fn text(&self, values: &Values<'_>) -> String {
        text(&self.fill(values))
    }
}

fn node(value: &Value, names: &[&str]) -> Result<Node, String> {
    Ok(match value {
        Value::String(text) if text.contains("{{") => Node::Text(parts(text, names)?),
        Value::Array(list) => {
            Node::Array(list.iter().map(|one| node(one, names)).collect::<Result<_, _>>()?)
        }
        Value::Object(members) => {
            let members = members
                .iter()
                .map(|(name, value)| Ok::<_, String>((name.clone(), node(value, names)?)));
            Node::Object(members.collect::<Result<_, _>>()?)
        }
        other => Node::Value(other.clone()),
    })
}

fn parts(text: &str, names: &[&str]) -> Result<Vec<Part>, String> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        if !before.is_empty() {
            parts.push(Part::Text(before.to_owned()));
        }
        let (name, after) =
            after.split_once("}}").ok_or_else(|| format!("`{text}` has `{{{{` without `}}}}`"))?;
        parts.push(part(name.trim(), names)?);
        rest = after;
    }
    if !rest.is_empty() {
        parts.push(Part::Text(rest.to_owned()));
    }
    Ok(parts)
}

fn part(name: &str, names: &[&str]) -> Result<Part, String> {
    let (kind, member) = name.split_once('.').unwrap_or((name, ""));
    Ok(match (kind, member) {
        ("path", member) if names.contains(&member) && member != "index" => {
            Part::Path(member.to_owned())
        }
        ("path", member) => return Err(format!("the path has no placeholder `{{{member}}}`")),
        ("query", member) if !member.is_empty() => Part::Query(member.to_owned()),
        ("header", member) if !member.is_empty() => Part::Header(member.to_ascii_lowercase()),
        ("body", "") => Part::Body(Vec::new()),
        ("body", member) => Part::Body(member.split('.').map(str::to_owned).collect()),
        ("count", "") => Part::Count,
        ("id", "") => Part::Id,
        ("now", "") => Part::Now,
        ("index", "") if names.contains(&"index") => Part::Index,
        _ => return Err(format!("`{{{{{name}}}}}` is not a placeholder")),
    })
}

fn fill(node: &Node, values: &Values<'_>) -> Value {
    match node {
        Node::Value(value) => value.clone(),
        Node::Text(parts) => match parts.as_slice() {
            [part] => value_of(part, values),
            parts => Value::String(parts.iter().map(|one| text(&value_of(one, values))).collect()),
        },
        Node::Array(list) => list.iter().map(|one| fill(one, values)).collect(),
        Node::Object(members) => {
            let members = members.iter().map(|(name, node)| (name.clone(), fill(node, values)));
            Value::Object(members.collect::<Map<_, _>>())
        }
    }
}

fn value_of(part: &Part, values: &Values<'_>) -> Value {
    let found = |value: Option<&str>| value.map_or(Value::Null, Value::from);
    match part {
        Part::Text(text) => Value::from(text.as_str()),
        Part::Path(name) => {
            found(values.path.iter().find(|(one, _)| one == name).map(|(_, value)| value.as_str()))
        }
        Part::Query(name) => {
            let pair = values.request.url.query_pairs().find(|(one, _)| one == name);
            found(pair.as_ref().map(|(_, value)| &**value))
        }
        Part::Header(name) => found(values.request.header(name)),
        Part::Body(path) => {
            let member = path.iter().try_fold(values.body, |value, name| match value {
                Value::Array(list) => list.get(name.parse::<usize>().ok()?),
                value => value.get(name),
            });
            member.cloned().unwrap_or_default()
        }
        Part::Count => Value::from(values.count),
        Part::Id => Value::from(values.id),
        Part::Now => Value::from(values.now),
        Part::Index => Value::from(values.index),
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn placeholders_are_filled_from_the_request_with_their_type() {
        let request = Request {
            method: "POST".into(),
            url: "https://a.example/repos/x?state=open".parse().unwrap(),
            headers: vec![("x-trace".into(), "t1".into())],
            body: bytes::Bytes::new(),
        };
        let template = json!({
            "name": "{{path.name}}", "state": "{{ query.state }}", "trace": "{{header.X-Trace}}",
            "title": "re: {{body.issue.title}} #{{count}}", "labels": "{{body.issue.labels}}",
            "second": "{{body.issue.labels.1}}", "id": "{{id}}", "missing": "{{body.nothing}}",
            "fixed": [1, null, "plain"], "at": "{{now}}",
        });
        let template = Template::new(&template, &["name"]).unwrap();
        let filled = template.fill(&Values {
            request: &request,
            path: &[("name".into(), "x".into())],
            body: &json!({ "issue": { "title": "Disk", "labels": ["a", "b"] } }),
            count: 3,
            id: 7,
            now: "2026-11-30T00:00:00Z",
            index: 0,
        });
        let expected = json!({
            "name": "x", "state": "open", "trace": "t1", "title": "re: Disk #3",
            "labels": ["a", "b"], "second": "b", "id": 7, "missing": null,
            "fixed": [1, null, "plain"], "at": "2026-11-30T00:00:00Z",
        });
        assert_eq!(filled, expected);
    }

    #[test]
    fn an_unknown_placeholder_is_an_error() {
        for wrong in ["{{path.other}}", "{{nothing}}", "{{query}}", "{{count", "{{index}}", "{{}}"]
        {
            assert!(Template::new(&json!({ "a": [wrong] }), &["name"]).is_err(), "{wrong}");
        }
    }
}
