//! Items that write to the same thing, and actions that take all items at once.

use serde_json::{Value, json};
use workflow_node_sdk::testing::answer;

use crate::plugin::{call, host};

#[test]
fn writes_to_one_object_keep_item_order_and_others_do_not_wait() {
    // The host completes the latest request first, so only the node's rule can preserve the order.
    let host = host(|_| Ok(answer(200, "{}"))).last_first();
    let items: Vec<Value> = (0..12)
        .map(|item| json!({"thing_id": format!("P{}", item % 3), "name": item.to_string()}))
        .collect();
    for result in call(&host, "thing.update", &items, &json!({})) {
        result.unwrap();
    }
    let mut last = [None; 3];
    for request in host.requests() {
        let thing: usize = request.url.rsplit('P').next().unwrap().parse().unwrap();
        let body: Value = serde_json::from_slice(&request.body.unwrap()).unwrap();
        let item: u32 = body["name"].as_str().unwrap().parse().unwrap();
        assert!(last[thing] < Some(item), "thing {thing}: {item} after {:?}", last[thing]);
        last[thing] = Some(item);
    }
    assert_eq!(host.most_open(), 3, "one write to each thing at a time");
}

#[test]
fn the_written_object_is_derived_from_the_request() {
    let most_open = |action: &str, item: &dyn Fn(usize) -> Value| {
        let host = host(|_| Ok(answer(200, r#"{"thing":{"id":"P1"}}"#)));
        let items: Vec<Value> = (0..4).map(item).collect();
        call(&host, action, &items, &json!({"continue_on_fail": true}));
        assert_eq!(host.requests().len(), 4, "{action}");
        host.most_open()
    };
    assert_eq!(most_open("thing.delete", &|_| json!({"thing_id": "P1"})), 1);
    assert_eq!(most_open("thing.delete", &|item| json!({"thing_id": format!("P{item}")})), 4);
    assert_eq!(most_open("thing.put", &|_| json!({"name": "n", "key": "same"})), 1);
    assert_eq!(most_open("thing.put", &|_| json!({"name": "n"})), 4);
    assert_eq!(most_open("thing.batch", &|_| json!({})), 1, "what has no ID is one object");
    assert_eq!(most_open("thing.create", &|_| json!({"name": "n"})), 4);
    assert_eq!(most_open("thing.get", &|_| json!({"thing_id": "P1"})), 4);
}

#[test]
fn an_id_and_a_name_of_one_object_share_its_order() {
    let host = host(|request| {
        let lists = request.method == "GET";
        let body = r#"{"more":false,"things":[{"id":"P1","name":"door"}]}"#;
        Ok(answer(200, if lists { body } else { "{}" }))
    });
    let items = ["P1", "door", "https://x.test/things/P1", "P1"]
        .map(|thing| json!({"thing_id": thing, "name": "n"}));
    call(&host, "thing.update", &items, &json!({}));
    assert_eq!(host.most_open(), 1);
}

#[test]
fn a_failed_write_does_not_block_the_next_one() {
    let host = host(|request| {
        let fails = request.body.as_ref().unwrap().windows(3).any(|at| at == b"bad");
        Ok(answer(if fails { 400 } else { 200 }, "{}"))
    });
    let items = ["bad", "good"].map(|name| json!({"thing_id": "P1", "name": name}));
    let results = call(&host, "thing.update", &items, &json!({"continue_on_fail": true}));
    assert!(results[0].is_err() && results[1].is_ok());
    let results = call(&host, "thing.update", &items, &json!({}));
    assert_eq!(results[1].as_ref().unwrap_err().message, "not begun, because another item failed");
}

#[test]
fn a_batch_receives_all_valid_items_and_returns_each_outcome() {
    let host = host(|_| panic!("nothing is sent"));
    let items = [json!({"name": "a"}), json!({"wrong": 1}), json!({"name": "b"})];
    let results = call(&host, "thing.join", &items, &json!({"continue_on_fail": true}));
    assert_eq!(results[0].as_ref().unwrap(), &[r#"["a","b"]"#]);
    assert!(results[1].is_err());
    assert_eq!(results[2].as_ref().unwrap(), &[r#"["a","b"]"#]);
    let results = call(&host, "thing.join", &items, &json!({}));
    assert!(results.iter().all(Result::is_err), "one wrong item stops all");
}
