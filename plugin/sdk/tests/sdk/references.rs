//! Names and addresses in place of ids, and the choices of forms.

use serde_json::{Value, json};
use workflow_node_sdk::ErrorKind;
use workflow_node_sdk::node;
use workflow_node_sdk::testing::{Host, answer};

use crate::plugin::{Things, call, call_one, host};

/// Things `P1` to `P4`, two of which are called alike; thing `P1` has a part `X1`.
fn things() -> Host {
    host(|request| {
        let path = request.url.strip_prefix("https://api.test").unwrap();
        let body = match path.split('?').next().unwrap() {
            "/things" => {
                r#"{"more":false,"things":[
                    {"id":"P1","name":"checkout","nickname":"shop","detail":"first"},
                    {"id":"P2","name":"billing"},{"id":"P3","name":"Billing "},
                    {"id":"P4","summary":"four"}]}"#
            }
            "/things/P1/parts" => r#"{"parts":[{"id":"X1","name":"door"}]}"#,
            "/things/P9" => return Ok(answer(404, "{}")),
            "/things/P8" => return Ok(answer(403, "{}")),
            "/filtered" => r#"{"things":[],"more":false}"#,
            _ => r#"{"ok":true}"#,
        };
        Ok(answer(200, body))
    })
}

fn paths(host: &Host) -> Vec<String> {
    let path = |url: String| url.strip_prefix("https://api.test").unwrap().to_owned();
    host.requests().into_iter().map(|request| path(request.url)).collect()
}

#[test]
fn an_id_is_sent_unchanged_without_a_lookup() {
    let host = things();
    call_one(&host, "thing.get", json!({"thing_id": "P1"})).unwrap();
    call_one(&host, "thing.get", json!({"thing_id": " P1 "})).unwrap();
    call_one(&host, "thing.get", json!({"thing_id": "id:odd id"})).unwrap();
    assert_eq!(paths(&host), ["/things/P1", "/things/P1", "/things/odd%20id"]);
}

#[test]
fn a_url_identifies_the_object_in_its_path() {
    for address in [
        "https://example.test/things/P1",
        "https://example.test/things/P1?x=y#z",
        "https://example.test/admin/things/P1/edit",
        "http://api.test/things/P1",
    ] {
        let host = things();
        call_one(&host, "thing.get", json!({"thing_id": address})).unwrap();
        assert_eq!(paths(&host), ["/things/P1"], "{address}");
    }
    let host = things();
    let error =
        call_one(&host, "thing.get", json!({"thing_id": "https://a.test/users/U1"})).unwrap_err();
    assert_eq!(error.message, "thing_id: is an address, but not of a thing");
    assert_eq!(host.requests().len(), 0);
}

#[test]
fn a_name_is_looked_up_once_for_all_items() {
    let host = things();
    let items: Vec<Value> = ["checkout", "Checkout", "shop", "P2", "name:SHOP"]
        .iter()
        .map(|name| json!({"thing_id": name}))
        .collect();
    for result in call(&host, "thing.get", &items, &json!({})) {
        result.unwrap();
    }
    let paths = paths(&host);
    let lookups = paths.iter().filter(|path| path.starts_with("/things?")).count();
    assert_eq!(lookups, 4, "each spelling once: {paths:?}");
    assert!(paths.contains(&"/things?query=checkout&limit=100".to_owned()), "{paths:?}");
    assert_eq!(
        paths[lookups..],
        ["/things/P1", "/things/P1", "/things/P1", "/things/P2", "/things/P1"]
    );
}

#[test]
fn an_unknown_id_in_a_filter_is_an_error_and_not_an_empty_list() {
    let host = things();
    let ids = json!({"thing_ids": ["P1", "checkout", "P9"]});
    let outcomes = call(&host, "filtered.list", &[ids.clone(), ids], &json!({}));
    for outcome in outcomes {
        let message = outcome.unwrap_err().message;
        assert_eq!(message, "thing_ids/2: `P9` is neither the ID nor the name of a thing");
    }
    let lookups = |host: &Host, id: &str| paths(host).iter().filter(|path| **path == id).count();
    assert_eq!(lookups(&host, "/things/P1"), 0, "the name was looked up, and has this ID");
    // A list filtered by an object that exists but is hidden from this credential is empty.
    let host = things();
    let items = [json!({"thing_ids": ["P2", "P8"]}), json!({"thing_ids": ["P2"]}), json!({})];
    for outcome in call(&host, "filtered.list", &items, &json!({"concurrency": 1})) {
        assert_eq!(outcome.unwrap(), [""; 0]);
    }
    assert_eq!(lookups(&host, "/things/P2"), 1, "once for all items");
}

#[test]
fn an_unknown_id_next_to_a_known_one_in_a_filter_is_an_error() {
    // The service ignores the unknown ID, and has no record for P2.
    let host = host(|request| {
        let path = request.url.strip_prefix("https://api.test").unwrap();
        Ok(match path.split('?').next().unwrap() {
            "/filtered" => {
                answer(200, r#"{"things":[{"id":"R1","thing":{"id":"P1"}}],"more":false}"#)
            }
            "/things/P9" => answer(404, "{}"),
            _ => answer(200, r#"{"ok":true}"#),
        })
    });
    let error = call_one(&host, "filtered.list", json!({"thing_ids": ["P1", "P2", "P9"]}));
    assert_eq!(
        error.unwrap_err().message,
        "thing_ids/2: `P9` is neither the ID nor the name of a thing. The service ignored it and \
         returned the records for the other values"
    );
    let looked_up = |id: &str| paths(&host).iter().any(|path| path.ends_with(id));
    assert!(looked_up("/things/P2"));
    assert!(!looked_up("/things/P1"), "a record contains it");
    let known = json!({"thing_ids": ["P1", "P2"]});
    assert_eq!(call_one(&host, "filtered.list", known).unwrap().len(), 1);
}

#[test]
fn an_ambiguous_or_unknown_name_fails_with_the_candidates() {
    let host = things();
    let items =
        [json!({"thing_id": "billing"}), json!({"thing_id": "bill"}), json!({"thing_id": "P1"})];
    let results = call(&host, "thing.get", &items, &json!({"continue_on_fail": true}));
    let message = |index: usize| results[index].as_ref().unwrap_err().message.clone();
    assert_eq!(message(0), "thing_id: `billing` is the name of more than one: P2, P3; give the id");
    assert_eq!(
        message(1),
        "thing_id: `bill` is neither the ID nor the name of a thing; similar: billing, Billing "
    );
    assert!(results[2].is_ok());
}

#[test]
fn a_forbidden_lookup_is_distinguished_from_a_failed_one() {
    for (status, kind, part) in
        [(403, ErrorKind::Forbidden, "give the id instead"), (503, ErrorKind::Unavailable, "no")]
    {
        let host = host(move |_| Ok(answer(status, "{}")));
        let error = call_one(&host, "thing.get", json!({"thing_id": "checkout"})).unwrap_err();
        assert_eq!(error.kind, kind);
        assert!(error.message.contains(part), "{}", error.message);
    }
}

#[test]
fn names_are_resolved_in_lists_objects_and_nested_lists() {
    let host = things();
    let item = json!({
        "thing_ids": ["checkout", "P2"],
        "moves": [{"thing_id": "shop"}, {"thing_id": "https://x.test/things/P3"}],
    });
    call_one(&host, "thing.move", item).unwrap();
    let request = host.requests().pop().unwrap();
    let body: Value = serde_json::from_slice(&request.body.unwrap()).unwrap();
    assert_eq!(
        body,
        json!({"ids": ["P1", "P2"], "moves": [{"thing_id": "P1"}, {"thing_id": "P3"}]})
    );

    let host = things();
    call_one(&host, "thing_part.get", json!({"thing_id": "checkout", "part_id": "door"})).unwrap();
    assert_eq!(
        paths(&host),
        ["/things?query=checkout&limit=100", "/things/P1/parts?limit=50", "/things/P1/parts/X1"]
    );
    let item = json!({"moves": [{"part_id": "door"}]});
    let error = call_one(&things(), "thing.move", item).unwrap_err();
    assert!(error.message.contains("`thing_id` is not there"), "{}", error.message);
}

#[test]
fn a_sibling_member_determines_the_reference() {
    let host = things();
    let item = json!({"moves": [
        {"kind": "a_thing", "id": "shop"}, {"kind": "other", "id": "shop"}, {"id": "shop"},
    ]});
    call_one(&host, "thing.move", item).unwrap();
    let request = host.requests().pop().unwrap();
    let body: Value = serde_json::from_slice(&request.body.unwrap()).unwrap();
    let ids: Vec<&Value> = body["moves"].as_array().unwrap().iter().map(|one| &one["id"]).collect();
    assert_eq!(ids, ["P1", "shop", "shop"]);
    let item = json!({"moves": [{"kind": "a_part", "id": "door"}]});
    let error = call_one(&host, "thing.move", item).unwrap_err();
    assert!(error.message.contains("`thing_id` is not there"), "{}", error.message);
}

fn load(host: &Host, query: Value) -> Result<Value, workflow_node_sdk::Error> {
    let answer = host.run(|| node::load_options::<Things>(query.to_string()))?;
    Ok(serde_json::from_str(&answer).unwrap())
}

#[test]
fn choices_come_from_the_list_of_the_reference() {
    let host = things();
    let query =
        json!({"action": "thing.get", "parameter": "thing_id", "search": " bill ", "limit": 5});
    let options = load(&host, query).unwrap();
    assert_eq!(paths(&host), ["/things?query=bill&limit=5"]);
    assert_eq!(
        options["choices"],
        json!([
            {"value": "P1", "label": "checkout", "description": "first"},
            {"value": "P2", "label": "billing"},
            {"value": "P3", "label": "Billing "},
            {"value": "P4", "label": "four"},
        ])
    );
}

#[test]
fn choices_are_paged() {
    let host = host(|_| Ok(answer(200, r#"{"more":true,"things":[{"id":"P1"},{"id":"P2"}]}"#)));
    let query = json!({"action": "thing.get", "parameter": "thing_id", "limit": 2});
    let options = load(&host, query.clone()).unwrap();
    assert_eq!(options["next_cursor"], "2");
    let mut query = query;
    query["cursor"] = "2".into();
    assert_eq!(load(&host, query.clone()).unwrap()["next_cursor"], "4");
    assert!(host.requests()[1].url.ends_with("/things?limit=2&offset=2"));
    query["cursor"] = "x".into();
    assert_eq!(load(&host, query).unwrap_err().kind, ErrorKind::InvalidInput);
}

#[test]
fn choices_that_depend_on_another_field_require_it_first() {
    let host = things();
    let query = json!({"action": "thing_part.get", "parameter": "part_id"});
    let error = load(&host, query).unwrap_err();
    assert_eq!(error.message, "thing_id: choose `thing_id` first: the choices depend on it");
    let query = json!({
        "action": "thing_part.get", "parameter": "part_id",
        "parameters": {"thing_id": "P1"}, "search": "DOO",
    });
    let options = load(&host, query).unwrap();
    assert_eq!(options["choices"], json!([{"value": "X1", "label": "door"}]));
    let query = json!({
        "action": "thing_part.get", "parameter": "part_id",
        "parameters": {"thing_id": "P1"}, "search": "window",
    });
    assert_eq!(load(&host, query).unwrap()["choices"], json!([]));
}

#[test]
fn choices_depend_on_the_selected_element() {
    let host = things();
    let parameters = json!({"thing_id": "P1", "moves": [
        {"kind": "a_thing", "id": "P9"}, {"kind": "a_part"}, {},
    ]});
    let ask = |parameter: &str| {
        load(
            &host,
            json!({"action": "thing.move", "parameter": parameter, "parameters": parameters}),
        )
    };
    let things = ask("moves/0/id").unwrap();
    assert_eq!(things["choices"][0]["value"], "P1");
    assert_eq!(things["stale"], json!(["P9"]));
    assert_eq!(ask("moves/1/id").unwrap()["choices"], json!([{"value": "X1", "label": "door"}]));
    for undecided in ["moves/2/id", "moves/7/id", "moves/id"] {
        let error = ask(undecided).unwrap_err();
        assert_eq!(error.message, "kind: choose `kind` first: the choices depend on it");
    }
}

#[test]
fn a_deleted_value_is_reported() {
    let host = things();
    let query = json!({"action": "thing.move", "parameter": "thing_ids", "parameters": {"thing_ids": ["P1", "P9"]}});
    assert_eq!(load(&host, query).unwrap()["stale"], json!(["P9"]));
    let query = json!({"action": "thing.move", "parameter": "moves/thing_id"});
    assert!(load(&host, query).unwrap().get("stale").is_none());
}

#[test]
fn empty_forbidden_and_failed_choices_are_distinguished() {
    let query = json!({"action": "thing.get", "parameter": "thing_id"});
    let none = host(|_| Ok(answer(200, r#"{"things":[],"more":false}"#)));
    assert_eq!(load(&none, query.clone()).unwrap()["choices"], json!([]));
    for (status, kind) in [(403, ErrorKind::Forbidden), (500, ErrorKind::Unavailable)] {
        let host = host(move |_| Ok(answer(status, "")));
        assert_eq!(load(&host, query.clone()).unwrap_err().kind, kind);
    }
}

#[test]
fn choices_exist_only_for_references() {
    let host = things();
    for (action, parameter) in [
        ("thing.put", "name"),
        ("thing.get", "other"),
        ("thing.fly", "thing_id"),
        ("thing.move", "moves/x"),
    ] {
        let error = load(&host, json!({"action": action, "parameter": parameter})).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unsupported, "{action} {parameter}");
    }
    assert_eq!(load(&host, json!([])).unwrap_err().kind, ErrorKind::InvalidInput);
}
