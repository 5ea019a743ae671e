//! Lists of IDs that are too long for one URL.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use workflow_node_sdk::http::Request;
use workflow_node_sdk::testing::{Host, answer};

use crate::plugin::{Outcome, call_one, host, query};

/// The IDs that a request filters by.
fn asked(request: &Request) -> Vec<usize> {
    let (_, query) = request.url.split_once('?').unwrap();
    let id = |pair: &str| pair.strip_prefix("thing_ids%5B%5D=P")?.parse().ok();
    query.split('&').filter_map(id).collect()
}

fn ids(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|number| format!("P{number:012}")).collect()
}

/// A service with two records for each thing, one of which belongs to the next one, too; it refuses
/// long URLs. Every thing exists.
fn service() -> Host {
    host(|request| {
        if request.url.len() > 2_000 {
            return Ok(answer(414, "{}"));
        }
        if !request.url.contains('?') {
            return Ok(answer(200, r#"{"ok":true}"#));
        }
        let own =
            asked(request).into_iter().flat_map(|thing| [2 * thing, 2 * thing + 1, 2 * thing + 2]);
        let own: BTreeSet<usize> = own.collect();
        let time = |number: usize| format!("2026-01-01T{:02}:{:02}:00Z", number / 60, number % 60);
        let mut records: Vec<Value> =
            own.into_iter().map(|number| json!({"id": number, "at": time(number)})).collect();
        let is_event = request.url.contains("filtered_events");
        if is_event {
            records.reverse();
        }
        let offset = query(request, "offset").unwrap_or(0) as usize;
        let limit = query(request, "limit").unwrap() as usize;
        let end = (offset + limit).min(records.len());
        let more = end < records.len();
        let page = &records[offset.min(end)..end];
        let member = if is_event { "events" } else { "things" };
        Ok(answer(200, &json!({member: page, "more": more}).to_string()))
    })
}

/// The requests for lists, without the lookups of IDs.
fn listings(host: &Host) -> Vec<Request> {
    host.requests().into_iter().filter(|request| request.url.contains('?')).collect()
}

fn numbers(host: &Host, outcome: Outcome) -> Vec<u64> {
    let emitted = host.emitted().into_iter().map(|(_, output)| output.json);
    let number =
        |record: String| serde_json::from_str::<Value>(&record).unwrap()["id"].as_u64().unwrap();
    emitted.chain(outcome.unwrap()).map(number).collect()
}

#[test]
fn a_long_list_of_ids_is_split_and_no_record_is_repeated() {
    let host = service();
    let item = json!({"thing_ids": ids(0..200), "include": ["owner"], "all": true});
    let outcome = call_one(&host, "filtered.list", item);
    let found = numbers(&host, outcome);
    assert_eq!(found.len(), 401);
    assert_eq!(found.iter().copied().collect::<BTreeSet<_>>(), (0..=400).collect());
    let requests = listings(&host);
    assert!(requests.iter().all(|request| request.url.len() <= 2_000));
    assert!(requests.iter().all(|request| request.url.contains("include%5B%5D=owner")));
    let of: BTreeSet<usize> = requests.iter().flat_map(asked).collect();
    assert_eq!(of, (0..200).collect());
}

#[test]
fn the_limit_applies_to_all_parts_together() {
    let host = service();
    let outcome = call_one(&host, "filtered.list", json!({"thing_ids": ids(0..200), "limit": 7}));
    assert_eq!(numbers(&host, outcome).len(), 7);
    assert_eq!(listings(&host).len(), 1);
}

#[test]
fn parts_of_a_listing_by_time_are_merged_in_order() {
    let host = service();
    let item = json!({"thing_ids": ids(0..200), "limit": 30});
    let outcome = call_one(&host, "filtered_event.list", item);
    assert_eq!(numbers(&host, outcome), (371..=400).rev().collect::<Vec<u64>>());
}

#[test]
fn a_list_that_fits_is_requested_at_once() {
    let host = service();
    let outcome = call_one(&host, "filtered.list", json!({"thing_ids": ids(0..20), "all": true}));
    assert_eq!(numbers(&host, outcome).len(), 41);
    assert_eq!(listings(&host).len(), 1);
}

#[test]
fn a_list_that_determines_the_shape_is_never_split() {
    let host = host(|_| Ok(answer(200, r#"{"things":[],"more":false}"#)));
    let item = json!({"include": vec!["x".repeat(100); 30]});
    call_one(&host, "filtered.list", item).unwrap();
    assert_eq!(host.requests().len(), 1);
}
