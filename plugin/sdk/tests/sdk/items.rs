//! Calls over many items: order, failures, cancellation, credentials.

use serde_json::{Value, json};
use workflow_node_sdk::ErrorKind;
use workflow_node_sdk::node::{self, Call};
use workflow_node_sdk::testing::{Host, answer};

use crate::plugin::{NODE, Things, call, call_one, host};

fn things(count: usize) -> Vec<Value> {
    (0..count).map(|number| json!({"thing_id": number.to_string()})).collect()
}

/// Answers with the path's last segment; 404 for those that `missing` holds.
fn by_id(missing: &'static [&'static str]) -> Host {
    host(move |request| {
        let id = request.url.rsplit('/').next().unwrap_or_default();
        let status = if missing.contains(&id) { 404 } else { 200 };
        Ok(answer(status, &format!(r#"{{"id":"{id}"}}"#)))
    })
}

#[test]
fn results_have_the_order_of_the_items() {
    let host = by_id(&[]).last_first();
    let results = call(&host, "thing.get", &things(100), &json!({}));
    for (number, result) in results.into_iter().enumerate() {
        assert_eq!(result.unwrap(), [format!(r#"{{"id":"{number}"}}"#)]);
    }
    assert_eq!(host.most_open(), 64);
}

#[test]
fn the_engine_sets_how_many_items_run_concurrently() {
    let host = by_id(&[]);
    call(&host, "thing.get", &things(10), &json!({"concurrency": 2}));
    assert_eq!(host.most_open(), 2);
}

#[test]
fn after_a_failure_no_further_item_begins() {
    let host = by_id(&["1"]);
    let results = call(&host, "thing.get", &things(6), &json!({"concurrency": 2}));
    let kinds: Vec<_> = results.iter().map(|r| r.as_ref().err().map(|error| error.kind)).collect();
    let cancelled = Some(ErrorKind::Cancelled);
    // The item beside the failed one was under way and is finished.
    assert_eq!(kinds, [None, Some(ErrorKind::NotFound), None, cancelled, cancelled, cancelled]);
    assert_eq!(host.requests().len(), 3);
    assert_eq!(results[5].as_ref().unwrap_err().message, "not begun, because another item failed");
}

#[test]
fn with_continue_on_fail_each_item_fails_alone() {
    let host = by_id(&["1", "3"]);
    let options = json!({"concurrency": 1, "continue_on_fail": true});
    let results = call(&host, "thing.get", &things(5), &options);
    let failed: Vec<_> = results.iter().map(Result::is_err).collect();
    assert_eq!(failed, [false, true, false, true, false]);
    assert_eq!(host.requests().len(), 5);
}

#[test]
fn an_invalid_item_sends_nothing_and_fails_alone() {
    let host = by_id(&[]);
    let items = [json!({"thing_id": "1"}), json!({"thing": 2}), json!([])];
    let results = call(&host, "thing.get", &items, &json!({"continue_on_fail": true}));
    assert!(results[0].is_ok());
    for result in &results[1..] {
        assert_eq!(result.as_ref().unwrap_err().kind, ErrorKind::InvalidInput);
    }
    assert_eq!(host.requests().len(), 1);
}

#[test]
fn after_a_cancellation_no_item_begins() {
    let host = by_id(&[]);
    host.cancel();
    let results = call(&host, "thing.get", &things(3), &json!({"continue_on_fail": true}));
    for result in results {
        assert_eq!(result.unwrap_err().kind, ErrorKind::Cancelled);
    }
    assert_eq!(host.requests().len(), 0);
}

#[test]
fn a_call_without_items_returns_no_results() {
    assert!(call(&by_id(&[]), "thing.get", &[], &json!({})).is_empty());
}

#[test]
fn an_invalid_call_fails_as_a_whole() {
    let host = by_id(&[]);
    let call = |node: &str, action: &str, version| {
        let call = Call {
            node: node.into(),
            version,
            action: action.into(),
            items: vec!["{}".into()],
            options: "{}".into(),
        };
        host.run(|| node::execute::<Things>(call)).unwrap_err()
    };
    let other = call("other", "thing.get", 1);
    assert_eq!(other.kind, ErrorKind::Unsupported);
    assert_eq!(other.message, "this is the node `things`, not `other`");
    assert_eq!(call("things", "thing.fly", 1).message, "there is no action `thing.fly`");
    assert_eq!(
        call("things", "thing.get", 2).message,
        "the action `thing.get` is at version 1, the workflow asks for 2: reopen its form"
    );
}

#[test]
fn an_empty_slot_is_reported_before_anything_is_sent() {
    let host = Host::answering(|_| Ok(answer(200, "{}")));
    let call = Call {
        node: "things".into(),
        version: 1,
        action: "thing.get".into(),
        items: vec![r#"{"thing_id":"1"}"#.into()],
        options: "{}".into(),
    };
    let error = host.run(|| node::execute::<Things>(call)).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unauthenticated);
    assert_eq!(host.requests().len(), 0);
}

#[test]
fn an_action_without_a_slot_needs_no_credential() {
    let host = Host::answering(|_| Ok(answer(200, r#"{"up":true}"#)));
    assert_eq!(call_one(&host, "echo.get", json!({"text": "x"})).unwrap(), [r#"{"text":"x"}"#]);
    assert_eq!(call_one(&host, "status.get", json!({})).unwrap(), [r#"{"up":true}"#]);
    let requests = host.requests();
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].url, "https://open.test/v1/status");
    assert_eq!(requests[0].credential, None);
}

#[test]
fn a_request_names_its_slot_and_carries_the_services_headers() {
    let host = by_id(&[]);
    call_one(&host, "thing.get", json!({"thing_id": "id:A B"})).unwrap();
    let request = &host.requests()[0];
    assert_eq!(request.url, "https://api.test/things/A%20B");
    assert_eq!(request.credential.as_deref(), Some("main"));
    assert_eq!(request.headers, [("accept".to_owned(), "application/json".to_owned())]);
}

#[test]
fn a_response_becomes_output_as_declared() {
    let body = r#"{"thing":{"id":12345678901234567890123, "x":1.10},"y":2}"#;
    let host = host(move |_| Ok(answer(200, body)));
    let whole = call_one(&host, "thing.get", json!({"thing_id": "1"})).unwrap();
    assert_eq!(whole, [body]);
    let member = call_one(&host, "thing.create", json!({"name": "n"})).unwrap();
    assert_eq!(member, [r#"{"id":12345678901234567890123, "x":1.10}"#]);
    let nothing = call_one(&host, "thing.delete", json!({"thing_id": "1"})).unwrap();
    assert_eq!(nothing, [r#"{"deleted":true}"#]);
}

#[test]
fn a_response_of_another_shape_is_an_error_without_output() {
    for body in ["", "<html>", "[1]", r#"{"thing"#, r#"{"other":{}}"#] {
        let host = host(move |_| Ok(answer(200, body)));
        let error = call_one(&host, "thing.put", json!({"name": "n"})).unwrap_err();
        assert_eq!(
            (error.kind, error.http_status),
            (ErrorKind::OutcomeUnknown, Some(200)),
            "{body}"
        );
    }
}

#[test]
fn a_credential_is_configured_from_its_fields_and_its_grant() {
    let configured = |fields: &str, grant: Option<&str>| {
        node::configure::<Things>("key".into(), fields.into(), grant.map(str::to_owned))
    };
    let grant = r#"{"scopes":["read"],"claims":{"sub":"u"}}"#;
    let configuration = configured(r#"{"a":1}"#, Some(grant)).unwrap();
    let configuration: Value = serde_json::from_str(&configuration).unwrap();
    let grant: Value = serde_json::from_str(grant).unwrap();
    assert_eq!(configuration["values"], json!({"fields": {"a": 1}, "grant": grant, "type": "key"}));
    assert!(configured("[]", None).is_err());
    assert!(configured("{}", Some("{")).is_err());
    assert!(configured("{}", Some(r#"{"scopes":[]}"#)).is_err());
}

#[test]
fn a_credential_is_tested_in_its_slot() {
    let host = by_id(&[]);
    let test = |slot: &str| host.run(|| node::test::<Things>(slot.into()));
    assert_eq!(test("main").unwrap(), r#"{"summary":"key"}"#);
    assert_eq!(test("other").unwrap_err().kind, ErrorKind::Unauthenticated);
}

#[test]
fn an_action_is_found_by_its_name() {
    assert!(NODE.action("thing.put").is_some());
    assert!(NODE.action("thing").is_none());
}
