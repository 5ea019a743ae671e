//! Every operation of the served OpenAPI document answers as the document says.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::support::{Answer, Client, World};

/// A value for a parameter of a path. `DELETE` takes what nothing else needs.
fn segment<'a>(method: &str, name: &str, authorization: &'a str) -> &'a str {
    match name {
        "credential" | "subscription" | "secret" if method == "DELETE" => "spare",
        "secret" => "secret-1",
        "subscription" => "sub-1",
        "authorization" => authorization,
        "plugin" => "pagerduty",
        "action" => "incident.create",
        "trigger" => "incident.changed",
        "credential" => "work",
        "execution" => "run-1",
        other => panic!("the document has a new parameter `{other}`"),
    }
}

fn subscription() -> Value {
    json!({
        "plugin": "pagerduty", "trigger": "event", "credentials": {"rest": "work"},
        "parameters": {"events": ["incident.triggered"]},
    })
}

/// A body that an operation accepts.
fn body(world: &World, path: &str, digest: &Value) -> Option<Value> {
    Some(match path {
        path if path.ends_with("/execute") => world.incidents("run-1", 1),
        path if path.ends_with("/options") && path.contains("/actions/") => {
            json!({"parameter": "service_id", "credentials": {"rest": "work"}})
        }
        path if path.ends_with("/options") => {
            json!({"parameter": "service_ids", "credentials": {"rest": "work"}})
        }
        "/v1/credentials" => json!({
            "name": "new", "plugin": "pagerduty", "type": "api-token",
            "fields": {"from_email": "ada@example.com"},
        }),
        path if path.ends_with("/authorizations") => json!({}),
        "/v1/subscriptions/{subscription}" => subscription(),
        "/v1/secrets/{secret}" => json!({"value": "sesame"}),
        path if path.ends_with("/redeliver") => json!({"numbers": [1]}),
        path if path.ends_with("/deliveries") => json!({"headers": {}, "body": "e30="}),
        path if path.ends_with("/approval") => json!({ "digest": digest }),
        _ => return None,
    })
}

/// Checks an answer against what the document says about an operation.
#[track_caller]
fn check(document: &Value, operation: &Value, what: &str, answer: &Answer) {
    let status = answer.status.to_string();
    assert!(answer.status < 500, "{what}: {answer:?}");
    let described = operation["responses"]
        .get(&status)
        .unwrap_or_else(|| panic!("{what}: the status {status} is not described: {answer:?}"));
    let given = answer.header("content-type").unwrap_or_default();
    let essence = given.split(';').next().unwrap_or_default();
    let content = described["content"].as_object();
    let content = content.unwrap_or_else(|| panic!("{what}: {status} has no content"));
    let media = content
        .get(essence)
        .unwrap_or_else(|| panic!("{what}: the media type {given:?} is not described"));
    if essence != "application/json" {
        return;
    }
    let mut schema = media["schema"].as_object().cloned().unwrap_or_default();
    schema.insert("components".into(), document["components"].clone());
    let validator = jsonschema::draft202012::new(&Value::Object(schema)).expect("a schema");
    let body = answer.json();
    let problems: Vec<String> =
        validator.iter_errors(&body).map(|error| error.to_string()).collect();
    assert!(problems.is_empty(), "{what}: {problems:?}\n{body:.2000}");
}

struct Contract<'a> {
    document: Value,
    client: &'a Client,
    nobody: &'a Client,
}

impl Contract<'_> {
    fn operations(&self) -> Vec<(String, String, Value)> {
        let paths = self.document["paths"].as_object().unwrap();
        let of = |(path, item): (&String, &Value)| -> Vec<(String, String, Value)> {
            let item = item.as_object().unwrap();
            item.iter()
                .map(|(method, one)| (path.clone(), method.to_uppercase(), one.clone()))
                .collect()
        };
        paths.iter().flat_map(of).collect()
    }

    fn send(&self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        let json = [("content-type", "application/json")];
        match body {
            Some(body) => self.client.send(method, path, &json, body.to_string().as_bytes()),
            None => self.client.send(method, path, &[], b""),
        }
    }
}

fn filled(path: &str, fill: impl Fn(&str) -> String) -> String {
    let mut filled = String::new();
    for (index, part) in path.split('/').enumerate() {
        if index > 0 {
            filled.push('/');
        }
        match part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
            Some(name) => filled.push_str(&fill(name)),
            None => filled.push_str(part),
        }
    }
    filled
}

/// The values of all `$ref`.
fn references<'a>(value: &'a Value, found: &mut BTreeSet<&'a str>) {
    match value {
        Value::Object(members) => {
            found.extend(members.get("$ref").and_then(Value::as_str));
            members.values().for_each(|member| references(member, found));
        }
        Value::Array(members) => members.iter().for_each(|member| references(member, found)),
        _ => {}
    }
}

#[test]
fn every_reference_in_the_document_resolves() {
    let world = World::new();
    let server = world.serve(&[]);
    let document = server.client(&world.full_token()).get("/v1/openapi.json").expect(200);
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    assert!(!found.is_empty());
    let is_broken =
        |one: &&&str| one.strip_prefix('#').and_then(|pointer| document.pointer(pointer)).is_none();
    let broken: Vec<_> = found.iter().filter(is_broken).collect();
    assert!(broken.is_empty(), "{broken:?}");
}

#[test]
fn every_operation_answers_as_its_document_says() {
    let world = World::new();
    let server = world.serve(&[]);
    let roles = ["run", "connect", "approve", "monitor"].map(|role| ["--role", role]);
    let client =
        server.client(&world.token("all", &[&roles.concat()[..], &["--raw-secrets"]].concat()));
    let document = client.get("/v1/openapi.json").expect(200);
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let nobody = server.anybody();
    let contract = Contract { document, client: &client, nobody: &nobody };
    let digest = client.get("/v1/plugins/pagerduty/approval").expect(200)["digest"].clone();
    let operations = contract.operations();
    let known: BTreeSet<&str> =
        operations.iter().filter_map(|(.., one)| one["operationId"].as_str()).collect();
    assert_eq!(known.len(), operations.len(), "operation IDs are unique");
    world.connect(&[], "spare");
    let authorization = client.post("/v1/credentials/work/authorizations", &json!({})).expect(202);
    let authorization = authorization["id"].as_str().unwrap().to_owned();
    for id in ["sub-1", "spare"] {
        client.put(&format!("/v1/subscriptions/{id}"), &subscription()).expect(200);
    }
    client.put("/v1/secrets/spare", &json!({"value": "sesame"})).expect(200);
    // So that there is an execution to ask for.
    client.post(crate::support::EXECUTE, &world.incidents("run-1", 1)).expect(200);

    for (path, method, operation) in &operations {
        let what = format!("{method} {path}");
        let good = filled(path, |name| segment(method, name, &authorization).to_owned());
        let takes_body = matches!(method.as_str(), "POST" | "PUT");
        let fitting = body(&world, path, &digest).filter(|_| takes_body);
        assert_eq!(fitting.is_some(), operation.get("requestBody").is_some(), "{what}");
        let answer = contract.send(method, &good, fitting.as_ref());
        check(&contract.document, operation, &what, &answer);
        assert!(answer.status < 300, "{what}: {answer:?}");

        // Invalid requests.
        if operation.get("security").is_none() {
            let answer = contract.nobody.send(method, &good, &[], b"");
            check(&contract.document, operation, &what, &answer);
            assert_eq!(answer.error(401), "unauthenticated", "{what}");
        }
        if path.contains('{') {
            for odd in ["none", "%00", "%FF", "%2F", "..%2f..", "%22%27", "\u{65}\u{301}", "-"] {
                let odd: String = odd.bytes().filter(u8::is_ascii).map(char::from).collect();
                let odd_path = filled(path, |_| odd.clone());
                let answer = contract.send(method, &odd_path, fitting.as_ref());
                check(&contract.document, operation, &what, &answer);
                // A client chooses the ID of a subscription, and the name of a secret.
                if method == "PUT" && answer.status == 200 {
                    assert_eq!(contract.send("DELETE", &odd_path, None).status, 200, "{odd_path}");
                } else {
                    assert!(answer.status >= 400, "{what} {odd}: {answer:?}");
                }
            }
        }
        let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
        for parameter in parameters.iter().filter(|one| one["in"] == "query") {
            let name = parameter["name"].as_str().unwrap();
            for value in ["", "0", "-1", "x", "%FF", "99999999999999999999", "%00", "a&a=b"] {
                let odd = format!("{good}?{name}={value}");
                let answer = contract.send(method, &odd, fitting.as_ref());
                check(&contract.document, operation, &format!("{what}?{name}={value}"), &answer);
            }
        }
        let Some(Value::Object(fitting)) = &fitting else { continue };
        for wrong in [json!(null), json!([]), json!("x"), json!({}), json!({"unknown": 1})] {
            let answer = contract.send(method, &good, Some(&wrong));
            check(&contract.document, operation, &format!("{what} {wrong}"), &answer);
        }
        for name in fitting.keys() {
            for value in [json!(null), json!(7), json!("\u{0}"), json!({"a": null}), json!([[1]])] {
                let mut wrong: Map<String, Value> = fitting.clone();
                wrong.insert(name.clone(), value);
                let wrong = Value::Object(wrong);
                let answer = contract.send(method, &good, Some(&wrong));
                check(&contract.document, operation, &format!("{what} {wrong}"), &answer);
            }
        }
        let answer = contract.client.send(method, &good, &[("content-type", "text/plain")], b"x");
        check(&contract.document, operation, &what, &answer);
        assert_eq!(answer.error(415), "unsupported-media-type", "{what}");
    }
    assert!(!server.log().contains("panicked"), "{}", server.log());
}
