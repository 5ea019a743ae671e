//! Reads an OpenAPI document of PagerDuty, and returns its operations as rows of facts.

use serde_json::{Map, Value, json};

use crate::schema::{Document, Shape, add_example};

/// Members of a response that belong to paging.
const PAGE_MEMBERS: [&str; 10] = [
    "after",
    "before",
    "cursor",
    "first",
    "last",
    "limit",
    "more",
    "next_cursor",
    "offset",
    "total",
];

/// How a description states that an operation has separate rate limits.
const OWN_LIMIT: &str = "operation specific rate limits";

/// How a description states that an operation will be removed.
const END_OF_LIFE: &str = "### End-of-life";

/// The operations of the Events API. Its document describes two as one: triggering an alert, and
/// following up on it.
const EVENTS: [(&str, &str, &str, &str); 3] = [
    ("triggerEvent", "createV2Event", "/v2/enqueue", "Send Event"),
    ("followUpEvent", "createV2Event", "/v2/enqueue", "Send Event"),
    ("changeEvent", "createChangeEvent", "/v2/change/enqueue", "Send Change Event"),
];

/// Whether a document describes the REST API or the Events API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Api {
    Rest,
    Events,
}

impl Api {
    /// Which API a document describes, determined by its server.
    pub(crate) fn of(document: &Document) -> Self {
        let server = document.0.pointer("/servers/0/url").and_then(Value::as_str);
        if server.is_some_and(|url| url.contains("events.")) { Self::Events } else { Self::Rest }
    }
}

/// The rows of a document: by path as published, each path by method.
pub(crate) fn rows(document: &Document) -> Vec<Value> {
    let mut rows = Vec::new();
    let paths = document.0.get("paths").and_then(Value::as_object);
    for (path, item) in paths.into_iter().flatten() {
        let shared = item.get("parameters").and_then(Value::as_array).cloned().unwrap_or_default();
        for method in ["get", "post", "put", "patch", "delete"] {
            if let Some(operation) = item.get(method) {
                rows.push(row(document, path, method, operation, &shared));
            }
        }
    }
    if Api::of(document) == Api::Rest {
        let key = |row: &Value| {
            let method = row["method"].as_str().unwrap_or_default();
            let order = ["GET", "POST", "PUT", "PATCH", "DELETE"];
            let place = order.iter().position(|one| *one == method);
            (row["path"].as_str().unwrap_or_default().to_owned(), place)
        };
        rows.sort_by_key(key);
        return rows;
    }
    let mut events = Vec::new();
    for (id, published, path, tag) in EVENTS {
        let row = rows.iter().find(|row| row["id"] == published);
        let Some(mut row) = row.cloned() else { continue };
        row["id"] = json!(id);
        row["path"] = json!(path);
        row["tag"] = json!(tag);
        events.push(row);
    }
    events
}

fn row(
    document: &Document,
    path: &str,
    method: &str,
    operation: &Value,
    shared: &[Value],
) -> Value {
    let mut row = Map::new();
    let mut set = |name: &str, value: Value| {
        row.insert(name.to_owned(), value);
    };
    let text = |name: &str| operation.get(name).and_then(Value::as_str).unwrap_or_default();
    set("id", json!(text("operationId")));
    set("method", json!(method.to_uppercase()));
    set("path", json!(path));
    set("tag", operation.pointer("/tags/0").cloned().unwrap_or_else(|| json!("")));
    if operation["deprecated"] == true || text("description").contains(END_OF_LIFE) {
        set("deprecated", json!(true));
    }
    if let Some(scope) = operation.get("x-pd-requires-scope").filter(|scope| scope.is_string()) {
        set("scope", scope.clone());
    }
    if text("description").contains(OWN_LIMIT) {
        set("operation_limit", json!(true));
    }
    let parameters: Vec<&Value> = shared
        .iter()
        .chain(operation.get("parameters").and_then(Value::as_array).into_iter().flatten())
        .map(|one| document.resolved(one))
        .collect();
    for header in parameters.iter().filter(|one| one["in"] == "header") {
        let name = header["name"].as_str().unwrap_or_default();
        if name.eq_ignore_ascii_case("from") {
            set("from", json!(if header["required"] == true { "required" } else { "optional" }));
        }
        if name.eq_ignore_ascii_case("x-early-access") {
            let schema = document.resolved(&header["schema"]);
            let value = schema.get("default").or_else(|| schema.pointer("/enum/0"));
            set("early_access", value.cloned().unwrap_or_else(|| json!("")));
        }
    }
    let in_path: Vec<Value> = path
        .split('/')
        .filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'))
        .map(|name| {
            let found = parameters.iter().find(|one| one["in"] == "path" && one["name"] == name);
            found.map_or_else(
                || json!({"name": name, "type": "string"}),
                |found| parameter(document, found),
            )
        })
        .collect();
    let in_query: Vec<Value> = parameters
        .iter()
        .filter(|one| one["in"] == "query")
        .map(|one| parameter(document, one))
        .collect();
    let body = body(document, operation);
    let (status, answer, pages) = answer(document, operation);
    let paging = paging(&in_query, body.as_ref(), &pages);
    for (name, values) in [("path_parameters", in_path), ("query", in_query)] {
        if !values.is_empty() {
            set(name, Value::Array(values));
        }
    }
    if let Some(body) = body {
        set("body", body);
    }
    if let Some(status) = status {
        set("status", json!(status));
    }
    if let Some(mut answer) = answer {
        if method == "get" {
            answer.as_object_mut().map(|answer| answer.remove("reports"));
        }
        set("answer", answer);
    }
    if let Some(paging) = paging {
        set("paging", json!(paging));
    }
    if !pages.is_empty() {
        set("page_fields", json!(pages));
    }
    Value::Object(row)
}

fn parameter(document: &Document, parameter: &Value) -> Value {
    let mut field = Shape::new();
    field.insert("name".into(), parameter["name"].clone());
    field.extend(document.shape(&parameter["schema"], &mut Vec::new()));
    if parameter["required"] == true && parameter["in"] != "path" {
        field.insert("required".into(), json!(true));
    }
    if parameter["deprecated"] == true {
        field.insert("deprecated".into(), json!(true));
    }
    let is_list = field.get("type").and_then(Value::as_str).is_some_and(|t| t.starts_with("array"));
    if is_list && parameter["explode"] == false {
        field.insert("joined".into(), json!(true));
    }
    Document::finish(&mut field);
    ordered(field)
}

fn body(document: &Document, operation: &Value) -> Option<Value> {
    let body = document.resolved(operation.get("requestBody")?);
    let (kind, content) = body.get("content")?.as_object()?.iter().next()?;
    let mut shape = document.shape(content.get("schema")?, &mut Vec::new());
    let single = content.get("example").into_iter();
    let examples = content.get("examples").and_then(Value::as_object).into_iter().flatten();
    let examples = examples.filter_map(|(_, example)| document.resolved(example).get("value"));
    let examples: Vec<Value> = single.chain(examples).cloned().collect();
    for example in &examples {
        add_example(&mut shape, example);
    }
    Document::finish(&mut shape);
    let mut row = Map::new();
    if kind != "application/json" {
        row.insert("content_type".into(), json!(kind));
    }
    if let Some(required) = body.get("required") {
        row.insert("required".into(), required.clone());
    }
    for name in ["by", "variants"] {
        if let Some(value) = shape.remove(name) {
            row.insert(name.into(), tidy(value));
        }
    }
    row.insert("fields".into(), tidy(shape.remove("fields").unwrap_or_else(|| json!([]))));
    Some(Value::Object(row))
}

/// Status, members, and paging members of the first successful response.
fn answer(document: &Document, operation: &Value) -> (Option<u16>, Option<Value>, Vec<String>) {
    let responses = operation.get("responses").and_then(Value::as_object);
    let success = responses.into_iter().flatten().filter_map(|(status, response)| {
        let status: u16 = status.parse().ok()?;
        (200..300).contains(&status).then_some((status, document.resolved(response)))
    });
    let Some((status, response)) = success.min_by_key(|(status, _)| *status) else {
        return (None, None, Vec::new());
    };
    let Some(content) = response.pointer("/content/application~1json") else {
        return (Some(status), None, Vec::new());
    };
    let mut shape = document.shape(content.get("schema").unwrap_or(&Value::Null), &mut Vec::new());
    let mut row = Map::new();
    if shape.get("type").and_then(Value::as_str).is_some_and(|kind| kind.starts_with("array")) {
        row.insert("bare_array".into(), json!(true));
    }
    let required = shape.remove("required_names");
    let mut keys = Vec::new();
    let mut pages = Vec::new();
    let fields = shape.get("fields").and_then(Value::as_array).cloned().unwrap_or_default();
    let variants = shape.get("variants").and_then(Value::as_array).cloned().unwrap_or_default();
    let of_variants = variants.iter().filter_map(|one| one["fields"].as_array()).flatten().cloned();
    let is_list = row.contains_key("bare_array");
    for field in fields.into_iter().chain(of_variants).filter(|_| !is_list) {
        let name = field["name"].as_str().unwrap_or_default().to_owned();
        if PAGE_MEMBERS.contains(&name.as_str()) {
            pages.push(name.clone());
        }
        if !PAGE_MEMBERS.contains(&name.as_str()) || ["first", "last"].contains(&name.as_str()) {
            keys.push(json!([name, field["type"]]));
        }
    }
    pages.sort();
    for (name, value) in [("keys", Value::Array(keys)), ("required", required.unwrap_or_default())]
    {
        if value.as_array().is_some_and(|all| !all.is_empty()) && !is_list {
            row.insert(name.into(), value);
        }
    }
    let examples = content.get("examples").and_then(Value::as_object).into_iter().flatten();
    let mut values = examples.filter_map(|(_, one)| document.resolved(one).get("value"));
    let example = content.get("example").or_else(|| values.next()).and_then(Value::as_object);
    if let Some(example) = example.filter(|example| !example.is_empty()) {
        row.insert("example_keys".into(), example.keys().cloned().collect());
    }
    let reports = reports(document, operation);
    if !reports.is_empty() {
        row.insert("reports".into(), reports.into());
    }
    (Some(status), Some(Value::Object(row)), pages)
}

/// Where the successful responses of a write report failures, for every status.
fn reports(document: &Document, operation: &Value) -> Vec<Value> {
    let mut reports = Vec::new();
    let responses = operation.get("responses").and_then(Value::as_object);
    for (status, response) in responses.into_iter().flatten() {
        let response = document.resolved(response);
        let schema = response.pointer("/content/application~1json/schema");
        let (true, Some(schema)) = (status.starts_with('2'), schema) else { continue };
        let shape = document.shape(schema, &mut Vec::new());
        let is_list = |kind: &Value| kind.as_str().is_some_and(|kind| kind.starts_with("array"));
        let members = |shape: &Shape| {
            shape.get("fields").and_then(Value::as_array).cloned().unwrap_or_default()
        };
        if shape.get("type").is_some_and(is_list) {
            reports.extend(report_of_each("", &members(&shape)));
            continue;
        }
        for field in members(&shape) {
            let name = field["name"].as_str().unwrap_or_default();
            let at = format!("/{name}");
            if let Some(result) = name.strip_suffix("_count") {
                reports.push(json!({"at": at, "results": [result]}));
            } else if name == "errors" && is_list(&field["type"]) {
                reports.push(json!({"at": at}));
            } else if is_list(&field["type"]) {
                let each = field["fields"].as_array().cloned().unwrap_or_default();
                reports.extend(report_of_each(&at, &each));
            }
        }
    }
    reports
}

/// How an element of a list reports that it has failed.
fn report_of_each(at: &str, members: &[Value]) -> Option<Value> {
    members.iter().find_map(|member| match (member["name"].as_str()?, &member["enum"]) {
        ("result", results @ Value::Array(_)) => {
            Some(json!({"at": at, "member": "result", "results": results}))
        }
        ("errors", _) => Some(json!({"at": at, "member": "errors"})),
        _ => None,
    })
}

/// How a list is paged, as the facts name it.
fn paging(query: &[Value], body: Option<&Value>, pages: &[String]) -> Option<&'static str> {
    let has = |name: &str| query.iter().any(|field| field["name"] == name);
    let in_body = |name: &str| {
        let fields = body.and_then(|body| body["fields"].as_array());
        fields.is_some_and(|fields| fields.iter().any(|field| field["name"] == name))
    };
    let answers = |name: &str| pages.iter().any(|one| one == name);
    Some(if in_body("starting_after") {
        "starting_after(body)"
    } else if has("cursor") || answers("next_cursor") {
        "cursor"
    } else if has("after") {
        "after/before"
    } else if has("offset") {
        "classic"
    } else if answers("offset") || answers("more") {
        "classic(response only)"
    } else if has("limit") {
        "limit-only"
    } else {
        return None;
    })
}

/// Attributes of a field, in the order in which a reviewer reads them.
const ORDER: [&str; 25] = [
    "is",
    "name",
    "type",
    "or",
    "required",
    "format",
    "nullable",
    "read_only",
    "write_only",
    "deprecated",
    "enum",
    "default",
    "max_length",
    "min_length",
    "maximum",
    "minimum",
    "max_items",
    "min_items",
    "unique_items",
    "pattern",
    "joined",
    "from_example",
    "by",
    "values",
    "fields",
];

/// A field with its attributes and its members in order.
pub(crate) fn ordered(mut field: Shape) -> Value {
    let mut members = Map::new();
    for name in ORDER.iter().chain(&["variants"]) {
        if let Some(value) = field.remove(*name) {
            let value = if ["fields", "variants"].contains(name) { tidy(value) } else { value };
            let is_empty = value.as_array().is_some_and(Vec::is_empty);
            if !(is_empty && *name != "is") {
                members.insert((*name).to_owned(), value);
            }
        }
    }
    Value::Object(members)
}

fn tidy(fields: Value) -> Value {
    let Value::Array(fields) = fields else { return fields };
    let fields = fields.into_iter().map(|field| match field {
        Value::Object(field) => ordered(field),
        other => other,
    });
    fields.collect()
}
