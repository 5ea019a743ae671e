//! Every operation of the facts, called correctly and in ways that the facts forbid.

use pagerduty_simulator::examples;
use pagerduty_simulator::facts::{self, Basic, Field, FromHeader, Operation};
use pagerduty_simulator::{Simulator, TokenKind};
use serde_json::{Value, json};

use crate::client::{Answer, Ask, Line, ask, line};

pub(crate) async fn simulator() -> Simulator {
    Simulator::builder().without_rate_limits().examples(true).start().await.unwrap()
}

pub(crate) fn current() -> impl Iterator<Item = &'static Operation> {
    facts::operations().iter().filter(|operation| !operation.deprecated)
}

/// The path with the query that the operation requires and additional parameters.
fn target(operation: &Operation, more: &[(&str, &str)]) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    let needed = examples::query(operation);
    query.extend_pairs(needed.iter().filter(|(name, _)| !more.iter().any(|(n, _)| n == name)));
    query.extend_pairs(more);
    let query = query.finish();
    let path = examples::path(operation);
    if query.is_empty() { path } else { format!("{path}?{query}") }
}

/// The minimal request that the facts allow.
pub(crate) fn request<'a>(
    simulator: &'a Simulator,
    operation: &Operation,
    more: &[(&str, &str)],
    body: Option<&Value>,
) -> Ask<'a> {
    let mut ask = ask(simulator, &operation.method, &target(operation, more));
    if let Some(feature) = &operation.early_access {
        ask = ask.header("x-early-access", feature);
    }
    if operation.id == "getCurrentUser" {
        ask = ask.token(&simulator.us().keys().user);
    }
    match (body, operation.body.as_ref()) {
        (Some(body), Some(declared)) if declared.content_type == "multipart/form-data" => {
            let file = body["file"].as_str().unwrap_or_default();
            let form = format!(
                "--frontier\r\nContent-Disposition: form-data; name=\"file\"; \
                 filename=\"a.csv\"\r\nContent-Type: text/csv\r\n\r\n{file}\r\n--frontier--\r\n"
            );
            let kind = "multipart/form-data; boundary=frontier";
            ask.header("content-type", kind).bytes(form)
        }
        (Some(body), _) => ask.json(body),
        (None, _) => ask,
    }
}

pub(crate) async fn least(simulator: &Simulator, line: &Line, operation: &Operation) -> Answer {
    let body = examples::body(operation);
    request(simulator, operation, &[], body.as_ref()).send_on(line).await
}

fn fits(value: &Value, kind: &str) -> bool {
    match kind {
        "string" => value.is_string() || value.is_null(),
        "object" => value.is_object() || value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" | "number" => value.is_number() || value.is_null(),
        _ => value.is_array(),
    }
}

#[tokio::test]
async fn every_operation_accepts_its_minimal_request_and_responds_as_declared() {
    let simulator = simulator().await;
    let line = line(&simulator).await;
    let mut called = 0;
    let mut problems = Vec::new();
    for operation in current() {
        simulator.reset();
        let answer = least(&simulator, &line, operation).await;
        if let Err(problem) = as_declared(operation, &answer) {
            let body = String::from_utf8_lossy(&answer.body).into_owned();
            problems.push(format!("{}: {problem}: {} {body}", operation.id, answer.status));
        }
        called += 1;
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    assert_eq!(called, 436);
    assert_eq!(simulator.violations(), Vec::<String>::new());
}

/// Whether a response is the success that the facts declare.
fn as_declared(operation: &Operation, answer: &Answer) -> Result<(), String> {
    let status = match operation.id.as_str() {
        // It was deleted immediately, so nothing is left to be shortened.
        "deleteScheduleOverride" => Some(204),
        _ => operation.status,
    };
    if Some(answer.status) != status {
        return Err(format!("the status is not {status:?}"));
    }
    let Some(declared) = &operation.answer else {
        return answer.body.is_empty().then_some(()).ok_or("there is a body".to_owned());
    };
    let json = answer.json();
    if declared.bare_array {
        return json.is_array().then_some(()).ok_or("it is no list".to_owned());
    }
    for name in declared.required.iter().chain(&operation.page_fields) {
        json.get(name).ok_or(format!("there is no {name}"))?;
    }
    for (name, kind) in &declared.keys {
        let optional = ["order", "order_by", "aggregate_unit", "summary"].contains(&name.as_str())
            // The schema lists all three; a response has the one that was requested.
            || (operation.id == "getTagsByEntityType" && name != "users");
        match json.get(name) {
            Some(value) if !fits(value, kind) => return Err(format!("{name} is not {kind}")),
            None if !optional => return Err(format!("there is no {name}")),
            _ => {}
        }
    }
    Ok(())
}

/// Every required field, by its pointer in the minimal body.
fn needed(fields: &[Field], value: &Value, at: &str, found: &mut Vec<(String, Field)>) {
    for field in fields.iter().filter(|field| field.must_be_sent()) {
        let pointer = format!("{at}/{}", field.name);
        let inner = &value[&field.name];
        match inner.as_array() {
            Some(items) => {
                for (index, item) in items.iter().enumerate() {
                    needed(&field.fields, item, &format!("{pointer}/{index}"), found);
                }
            }
            None => needed(&field.fields, inner, &pointer, found),
        }
        found.push((pointer, field.clone()));
    }
}

fn without(body: &Value, pointer: &str) -> Value {
    let mut body = body.clone();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    body.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(name);
    body
}

fn with(body: &Value, pointer: &str, value: Value) -> Value {
    let mut body = body.clone();
    *body.pointer_mut(pointer).unwrap() = value;
    body
}

/// A value of a type that the field does not accept.
fn wrong(field: &Field) -> Option<Value> {
    match (field.is_list(), field.kind()) {
        (true, _) => Some(json!("no list")),
        (false, Basic::Any) => None,
        (false, Basic::Text) => Some(json!(["no text"])),
        (false, _) => Some(json!("no such thing")),
    }
}

#[tokio::test]
async fn a_body_with_a_missing_or_invalid_field_is_refused() {
    let simulator = simulator().await;
    let line = line(&simulator).await;
    let mut refused = 0;
    for operation in current() {
        let (Some(declared), Some(body)) = (&operation.body, examples::body(operation)) else {
            continue;
        };
        if declared.content_type != "application/json" {
            continue;
        }
        let mut pointers = Vec::new();
        needed(&declared.fields, &body, "", &mut pointers);
        for (pointer, field) in pointers {
            let mut variants = vec![without(&body, &pointer)];
            variants.extend(wrong(&field).map(|value| with(&body, &pointer, value)));
            if !field.values.is_empty() && !field.is_list() {
                variants.push(with(&body, &pointer, json!("no such value")));
            }
            if let Some(most) = field.max_length.filter(|most| *most < 1_000_000) {
                variants.push(with(&body, &pointer, json!("a".repeat(most + 1))));
            }
            for variant in variants {
                let answer = request(&simulator, operation, &[], Some(&variant));
                let answer = answer.send_on(&line).await;
                assert_eq!(answer.status, 400, "{} {pointer} {variant}", operation.id);
                refused += 1;
            }
        }
        if declared.must_be_sent() {
            let empty = request(&simulator, operation, &[], None).send_on(&line).await;
            assert_eq!(empty.status, 400, "{} without a body", operation.id);
        }
    }
    assert!(refused > 700, "{refused}");
}

#[tokio::test]
async fn an_unknown_field_is_ignored_and_recorded() {
    let simulator = simulator().await;
    let line = line(&simulator).await;
    for operation in current() {
        let Some(mut body) = examples::body(operation).filter(|body| body.get("file").is_none())
        else {
            continue;
        };
        body["colour"] = json!("red");
        simulator.reset();
        simulator.clear_requests();
        let answer = request(&simulator, operation, &[], Some(&body)).send_on(&line).await;
        assert_eq!(Some(answer.status), operation.status, "{}", operation.id);
        let violations = simulator.violations();
        assert_eq!(violations.len(), 1, "{}: {violations:?}", operation.id);
        assert!(violations[0].ends_with("unknown body field colour"), "{violations:?}");
    }
}

#[tokio::test]
async fn an_undeclared_body_is_refused() {
    let simulator = simulator().await;
    let line = line(&simulator).await;
    for operation in current().filter(|operation| operation.body.is_none()) {
        let answer = request(&simulator, operation, &[], Some(&json!({}))).send_on(&line).await;
        assert_eq!(answer.status, 400, "{}", operation.id);
    }
}

#[tokio::test]
async fn query_parameters_are_judged_by_their_declarations() {
    let simulator = simulator().await;
    let line = line(&simulator).await;
    let mut refused = 0;
    for operation in current() {
        let body = examples::body(operation);
        let send = |more: Vec<(String, String)>| {
            let more: Vec<(&str, &str)> =
                more.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            request(&simulator, operation, &more, body.as_ref())
        };
        for field in &operation.query {
            let bad = match (field.kind(), field.values.is_empty(), field.format.as_deref()) {
                (_, false, _) => "no such value",
                (Basic::Whole, ..) => "ten",
                (Basic::Flag, ..) => "yes",
                (_, _, Some("date-time" | "utc-date-time")) => "yesterday",
                _ => continue,
            };
            let answer = send(vec![(field.name.clone(), bad.to_owned())]).send_on(&line).await;
            assert_eq!(answer.status, 400, "{} {}={bad}", operation.id, field.name);
            refused += 1;
        }
        for field in operation.query.iter().filter(|field| field.required) {
            let path = examples::path(operation);
            let answer = ask(&simulator, &operation.method, &path).send_on(&line).await;
            assert_eq!(answer.status, 400, "{} without {}", operation.id, field.name);
        }
    }
    assert!(refused > 250, "{refused}");
}

#[tokio::test]
async fn an_unknown_query_parameter_is_ignored_and_recorded() {
    let simulator = simulator().await;
    let line = line(&simulator).await;
    for operation in current() {
        simulator.reset();
        simulator.clear_requests();
        let body = examples::body(operation);
        let answer = request(&simulator, operation, &[("colour", "red")], body.as_ref());
        let answer = answer.send_on(&line).await;
        assert!((200..300).contains(&answer.status), "{}", operation.id);
        let violations = simulator.violations();
        assert_eq!(violations.len(), 1, "{}: {violations:?}", operation.id);
        assert!(violations[0].ends_with("unknown query parameter colour"), "{violations:?}");
    }
}

#[tokio::test]
async fn a_token_needs_the_scope_of_each_operation() {
    let simulator = simulator().await;
    let line = line(&simulator).await;
    for operation in current() {
        simulator.reset();
        let body = examples::body(operation);
        let other = if operation.scope.as_deref() == Some("tags.read") {
            "teams.read"
        } else {
            "tags.read"
        };
        let stranger = simulator.us().mint_token(TokenKind::AppToken, &[other]);
        let send = |token: &str| {
            request(&simulator, operation, &[], body.as_ref()).bearer(token).send_on(&line)
        };
        let answer = send(&stranger).await;
        let Some(scope) = &operation.scope else {
            assert_ne!(answer.status, 403, "{}", operation.id);
            continue;
        };
        assert_eq!(answer.status, 403, "{}", operation.id);
        assert_eq!(answer.json()["error"]["required_scopes"], scope.as_str());
        // A subscriber of events needs the scope of their data.
        let also = if operation.tag == "Webhooks" { "incidents.read" } else { scope.as_str() };
        let friend = simulator.us().mint_token(TokenKind::AppToken, &[scope, also]);
        assert_ne!(send(&friend).await.status, 403, "{}", operation.id);
    }
}

#[tokio::test]
async fn a_read_only_key_can_read_and_cannot_write() {
    let simulator = simulator().await;
    let line = line(&simulator).await;
    let key = simulator.us().keys().account_read_only;
    for operation in current().filter(|operation| operation.id != "getCurrentUser") {
        let body = examples::body(operation);
        let answer = request(&simulator, operation, &[], body.as_ref()).token(&key);
        let answer = answer.send_on(&line).await;
        match operation.method.as_str() {
            "GET" => assert_eq!(Some(answer.status), operation.status, "{}", operation.id),
            _ => assert_eq!(answer.error(), (403, 2010), "{}", operation.id),
        }
    }
}

#[tokio::test]
async fn required_headers_must_be_present() {
    let simulator = simulator().await;
    let line = line(&simulator).await;
    let (mut from, mut early) = (0, 0);
    for operation in current() {
        let body = examples::body(operation);
        let send = |name: &str, value: &str| {
            request(&simulator, operation, &[], body.as_ref()).header(name, value).send_on(&line)
        };
        assert_eq!(send("accept", "application/json").await.status, 406, "{}", operation.id);
        assert_eq!(send("authorization", "").await.error(), (401, 2006), "{}", operation.id);
        if operation.from == FromHeader::Required {
            assert_eq!(send("from", "").await.error(), (400, 2016), "{}", operation.id);
            from += 1;
        }
        if operation.early_access.is_some() {
            assert_eq!(send("x-early-access", "").await.status, 400, "{}", operation.id);
            early += 1;
        }
        if body.is_some() {
            let answer = send("content-type", "text/plain").await;
            assert_eq!(answer.status, 400, "{}", operation.id);
        }
    }
    assert_eq!((from, early), (13, 6));
}

#[tokio::test]
async fn an_object_that_does_not_exist_is_not_found() {
    let simulator = simulator().await;
    let line = line(&simulator).await;
    let mut tried = 0;
    for operation in current() {
        let body = examples::body(operation);
        for (name, value) in examples::path_parameters(operation) {
            // These are not IDs of objects.
            if matches!(name.as_str(), "entity_type" | "feature_name" | "resource_type") {
                continue;
            }
            let unknown = target(operation, &[]).replacen(&format!("/{value}"), "/PUNKNOWN", 1);
            let mut ask = ask(&simulator, &operation.method, &unknown);
            if let Some(feature) = &operation.early_access {
                ask = ask.header("x-early-access", feature);
            }
            let answer = match &body {
                Some(body) if body.get("file").is_none() => ask.json(body),
                Some(_) => continue,
                None => ask,
            };
            let answer = answer.send_on(&line).await;
            assert_eq!(answer.error(), (404, 2100), "{} {unknown}", operation.id);
            tried += 1;
        }
    }
    assert!(tried > 350, "{tried}");
}

#[tokio::test]
async fn deprecated_operations_are_not_found_and_recorded() {
    let simulator = simulator().await;
    let line = line(&simulator).await;
    let deprecated = facts::operations().iter().filter(|operation| operation.deprecated);
    let mut tried = 0;
    for operation in deprecated {
        simulator.clear_requests();
        let answer = ask(&simulator, &operation.method, &examples::path(operation));
        assert_eq!(answer.send_on(&line).await.error(), (404, 2100), "{}", operation.id);
        let expected = format!("{} is deprecated and not simulated", operation.id);
        assert!(simulator.violations()[0].ends_with(&expected), "{:?}", simulator.violations());
        tried += 1;
    }
    assert_eq!(tried, 29);
}
